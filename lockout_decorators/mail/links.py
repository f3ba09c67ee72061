"""The link that lifts a lock: which ones it may lift, and what is signed of it."""

from datetime import timedelta
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signing import TimestampSigner
from django.urls import reverse
from django.urls.base import get_script_prefix, set_script_prefix

VIEW = "lockout:unlock"
VALID = timedelta(days=1)
SALT = "lockout_decorators.unlock.1"  # with the version of what is signed


def lifts(key: str, counter: str) -> bool:
    """Whether a mailed link may lift a lock: of an account, or of it and whatever else tells clients apart. Never one
    of an address, nor of a network."""
    return counter != "ceiling" and "username" in key.split("+")


def token_for(reference: str) -> str:
    return _signer().sign(reference)


def reference_in(token: str) -> str:
    """Raises BadSignature for what was not signed here, or too long ago."""
    return _signer().unsign(token, max_age=VALID)


def path_of(token: str) -> str:
    """Without the prefix that a request may have come by."""
    prefix = get_script_prefix()
    set_script_prefix("/")
    try:
        return reverse(VIEW, args=[token])
    finally:
        set_script_prefix(prefix)


def site(base_url: str | None) -> tuple[str, str]:
    """The site's name, and where it is."""
    if base_url is not None:
        return urlsplit(base_url).netloc, base_url.rstrip("/")
    from django.contrib.sites.models import Site  # noqa: PLC0415  # where it is installed

    current = Site.objects.get_current()
    return current.name, f"https://{current.domain}"


def check_site(base_url: str | None) -> None:
    """Raises ValueError for what is no URL, and ImproperlyConfigured if there is none."""
    if base_url is None:
        if not apps.is_installed("django.contrib.sites") or not getattr(settings, "SITE_ID", None):
            raise ImproperlyConfigured('tells_owner: give base_url="https://...", or install django.contrib.sites.')
    elif urlsplit(base_url).scheme not in ("http", "https") or not urlsplit(base_url).netloc:
        raise ValueError(f'tells_owner: base_url is {base_url!r}; it must be like "https://example.com".')


def _signer() -> TimestampSigner:
    return TimestampSigner(salt=SALT)

"""The mail to the owner of an account."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import timezone, translation

from ..clients.credentials import fields
from ..clients.identities import fold
from ..conf import conf
from ..journal import quota
from ..logs import extra
from ..policy import LockoutPolicy
from ..signals import AttemptDetail
from ..support.finding import by_reference
from ..support.standing import Standing
from .links import check_site, lifts, path_of, site, token_for
from .notice import Notice, Receiver
from .owners import Find, owner_of

SUBJECT, BODY = "lockout_decorators/unlock_subject.txt", "lockout_decorators/unlock_mail.txt"
HEADERS = {"Auto-Submitted": "auto-generated"}  # RFC 3834: nobody's holiday answers it

logger: logging.Logger = logging.getLogger("lockout_decorators")

connected: list["UnlockMail"] = []  # what the checks ask about


@dataclass(frozen=True)
class UnlockMail(Receiver):
    """What tells_owner() connects: its arguments are the attributes."""

    base_url: str | None = None
    find: Find | None = None
    from_email: str | None = None

    def __post_init__(self) -> None:
        check_site(self.base_url)
        if conf.journal is None:
            raise ImproperlyConfigured("tells_owner: LOCKOUT_JOURNAL is None, so no link would find its lock.")
        if not apps.is_installed("lockout_decorators"):
            raise ImproperlyConfigured('tells_owner: its templates need "lockout_decorators" in INSTALLED_APPS.')
        for policy in self.policies:
            if not self._knows_names_of(policy):
                raise ImproperlyConfigured(f"tells_owner: {policy.scope!r} has a username= of its own: give find=.")
        connected.append(self)

    def concerns(self, policy: LockoutPolicy, detail: AttemptDetail) -> bool:
        status = detail.status
        liftable = status.reference and detail.enforced and lifts(str(policy.key), status.counter)
        return bool(liftable and fold(detail.username) and self._knows_names_of(policy))

    def send(self, notice: Notice) -> bool:
        """Mail the link, if the name is somebody's who has had none for an hour, and the lock stands; whether it was
        sent. Raises StoreError, and what the mail backend raises."""
        standing = by_reference(notice["reference"], [notice["alias"]])
        if standing is None or not standing.status.locked:
            return False
        user, address = owner_of(notice["username"] or "", self.find)
        message = self._message(notice, standing, user, address)  # for nobody too: this takes its time
        if user is None or not (places := _places(notice, user)):
            return False
        with quota.kept(places):
            message.send()
        facts = extra("unlock_mailed", scope=notice["scope"], reference=notice["reference"])
        logger.info("a link that unlocks was mailed: reference=%s", notice["reference"], extra=facts)
        return True

    def _message(self, notice: Notice, standing: Standing, user: Any, address: str) -> EmailMessage:
        with translation.override(settings.LANGUAGE_CODE), timezone.override(None):  # the guesser has no say
            name, url = site(self.base_url)
            context = {"link": url + path_of(token_for(notice["reference"])), "site_name": name, "user": user}
            context |= {"reference": notice["reference"], "address": notice["address"]}
            context |= {"since": _local(standing.since), "until": _local(standing.until)}
            subject = " ".join(render_to_string(SUBJECT, context).split())
            body = render_to_string(BODY, context).strip() + "\n"
        return EmailMessage(subject, body, self.from_email, [address], headers=HEADERS)

    def _knows_names_of(self, policy: LockoutPolicy) -> bool:
        """Whether what such a policy counts by is a user name, or an e-mail address."""
        return self.find is not None or policy.username is None or policy.username in fields()


def _places(notice: Notice, user: Any) -> Sequence[quota.Place]:
    """Those of the account, and of the name: accounts that are counted as one, as müller and muller, share a lock."""
    names = ("owner", str(user.pk)), ("name", fold(notice["username"]) or "")
    return quota.take_both((notice["alias"], str(conf.cache)), *names)


def _local(moment: datetime | None) -> datetime | None:
    """In the site's time zone, whatever `USE_TZ` says."""
    return moment and timezone.localtime(moment)

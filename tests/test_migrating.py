"""The migration pages name what exists, their examples guard as they say, and what the ancestors did is done here."""

import re

import pytest
from django.contrib import admin
from django.contrib.admin.sites import AdminSite
from django.contrib.auth.models import AnonymousUser

from lockout_decorators import lockout_protect
from lockout_decorators.conf import LockoutSettings
from lockout_decorators.middleware import LockoutMiddleware
from lockout_decorators.terms.arguments import PolicyArguments
from tests.docs.pages import execute, text_of
from tests.doors import FORM, RIGHT, check

NAMES = ["django-lockout", "django-ratelimit-backend", "django-axes", "django-defender", "django-ratelimit"]

LOCKOUT = {
    "LOCKOUT_MAX_ATTEMPTS": 5,
    "LOCKOUT_TIME": 600,
    "LOCKOUT_ENFORCEMENT_WINDOW": 300,
    "LOCKOUT_USE_USER_AGENT": False,
    "LOCKOUT_CACHE_PREFIX": "lockout",
}
RATELIMIT_BACKEND = [
    *["cache_prefix", "minutes", "requests", "username_key", "no_username", "key", "get_ip", "get_counters"],
    *["keys_to_check", "get_cache_key", "cache_incr", "expire_after", "counts", "RateLimitException", "RateLimitMixin"],
    *["RateLimitModelBackend", "RateLimitNoUsernameModelBackend", "RateLimitMiddleware", "RateLimitAdminSite"],
    *["AuthenticationForm", "AdminAuthenticationForm", "ratelimitbackend.views.login"],
]


def page(name):
    return text_of(f"docs/migrating/{name}.md")


def cells(name):
    """The rows of the page's tables: theirs, ours."""
    return [line.strip("| ").split(" | ") for line in page(name).splitlines() if line.startswith("| ")]


def ours(name):
    """The page without the first column of its tables, which is theirs."""
    return re.sub(r"^\| .*? \| ", "", page(name), flags=re.MULTILINE)


@pytest.fixture
def example(request):
    """The names that the page's example defines."""
    before = admin.site.login
    yield execute(f"docs/migrating/{request.param}.md")
    admin.site.login = before


@pytest.fixture
def send(rf):
    def send(view, data=FORM, address="192.0.2.1", **more):
        request = rf.post("/", data, REMOTE_ADDR=address, **more)
        request.user, request._dont_enforce_csrf_checks = AnonymousUser(), True
        return view(request)

    return send


@pytest.mark.tree
@pytest.mark.parametrize("name", NAMES)
def test_what_a_page_names_exists(name):
    """Each setting and each argument that is named as ours."""
    properties = [name for name, attribute in vars(LockoutSettings).items() if isinstance(attribute, property)]
    named = {*re.findall(r"(?<![A-Z_])LOCKOUT_[A-Z0-9_]+", ours(name))}
    assert named and named <= {f"LOCKOUT_{name.upper()}" for name in properties}
    assert {*re.findall(r"`(\w+)=", ours(name))} <= {*PolicyArguments.__annotations__}
    assert all(len(row) == 2 for row in cells(name))


@pytest.mark.tree
def test_what_the_ancestors_had_is_on_their_pages():
    """Every setting of django-lockout with its default, every attribute of django-ratelimit-backend."""
    for setting, default in LOCKOUT.items():
        assert f"`{setting} = {default!r}`".replace("'", '"') in page("django-lockout")
    theirs = " ".join(row[0] for row in cells("django-ratelimit-backend"))
    assert {*RATELIMIT_BACKEND} <= {*re.findall(r"`([\w.]+)", theirs.replace("ratelimitbackend.forms.", ""))}


@pytest.mark.tree
@pytest.mark.parametrize(
    ("example", "limit", "status"),
    [
        ("django-lockout", 5, 429),
        ("django-ratelimit-backend", 30, 403),
        ("django-axes", 3, 429),
        ("django-defender", 4, 429),
        ("django-ratelimit", 5, 429),
    ],
    indirect=["example"],
)
def test_example(example, limit, status, send, settings, verified):
    """So many wrong passwords are verified, then not even the right one; the admin is the same door."""
    views = [example.get("sign_in", check), *([admin.site.login] if "admin" in example else [])]
    if "MIDDLEWARE" in example:
        assert f"{LockoutMiddleware.__module__}.{LockoutMiddleware.__name__}" == example["MIDDLEWARE"][0]
        for name in [name for name in example if name.startswith("LOCKOUT_")]:
            setattr(settings, name, example[name])
        views = [LockoutMiddleware(view) for view in (*views, AdminSite().login)]
    for _ in range(limit):
        assert send(views[0]).status_code in (200, 401)
    assert [status] * len(views) == [send(view, RIGHT).status_code for view in views]
    assert limit == len(verified)


@pytest.mark.parametrize("vary", ["address", "username"])
def test_either_the_account_or_the_address(vary, send, verified):
    """key="username", ceiling=1 is what others call user name or address."""
    view = lockout_protect(key="username", ceiling=1, max=3, scope="either")(check)
    for number in range(3):
        if vary == "address":
            send(view, address=f"192.0.2.{number}")
        else:
            send(view, {"username": f"user{number}", "password": "wrong"})
    assert 429 == send(view, RIGHT, address="192.0.2.9" if vary == "address" else "192.0.2.1").status_code
    assert 3 == len(verified)

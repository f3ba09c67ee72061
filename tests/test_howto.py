"""The how-to guides: what they say to write does what they say."""

import logging.config
import re

import pytest
from django import VERSION
from django.contrib.auth.models import User
from django.urls import path
from rest_framework.authtoken.models import Token
from rest_framework.response import Response
from rest_framework.views import APIView

from lockout_decorators import client_address, lockout_protect, policies_of, presets
from lockout_decorators.signals import locked_out
from tests.docs.pages import ROOT, execute
from tests.doors import FORM, RIGHT, check

pytestmark = pytest.mark.tree
urlpatterns = [path("", check)]


@pytest.fixture
def page(request):
    """The names that the examples of a page define."""
    return execute(f"docs/howto/{request.param}.md")


def of(name):
    return pytest.mark.parametrize("page", [name], indirect=True)


@pytest.fixture
def answers(rf):
    """Sends forms to a view; gives its answers."""

    def send(view, *forms, **headers):
        requests = [rf.post("/", form, headers=headers) for form in forms]
        for request in requests:
            request._dont_enforce_csrf_checks = True
        return [view(request) for request in requests]

    return send


@pytest.fixture
def guess(answers):
    """The same, but for their statuses."""
    return lambda *args, **headers: [answer.status_code for answer in answers(*args, **headers)]


# Proxies: what a forger sends stands left of what the proxies write


def setting(heading):
    """What the section says to write."""
    text = (ROOT / "docs/howto/proxies.md").read_text(encoding="utf-8")
    section = re.split(r"\n## ", text.partition(f"\n## {heading}\n")[2])[0]
    module = {}
    exec(re.search(r"```python\n(.*?)```", section, re.DOTALL)[1], module)
    return module["LOCKOUT_TRUSTED_PROXIES"]


@pytest.mark.parametrize(
    ("heading", "peer", "forwarded", "client"),
    [
        ("nginx", "127.0.0.1", "203.0.113.66, 192.0.2.1", "192.0.2.1"),
        ("Caddy", "127.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("A unix socket", "", "203.0.113.66, 192.0.2.1", "192.0.2.1"),
        ("Cloudflare", "127.0.0.1", "203.0.113.66, 192.0.2.1, 104.16.0.9", "192.0.2.1"),
        ("Cloudflare", "127.0.0.1", "203.0.113.66, 192.0.2.1, 2606:4700::9", "192.0.2.1"),
        ("Cloudflare", "127.0.0.1", "203.0.113.66, 192.0.2.1", "192.0.2.1"),
        ("Heroku", "10.1.2.3", "203.0.113.66, 192.0.2.1", "192.0.2.1"),
    ],
)
def test_proxies(heading, peer, forwarded, client, rf, settings):
    """The client is the last address that no proxy has; through Cloudflare and around it."""
    settings.LOCKOUT_TRUSTED_PROXIES = setting(heading)
    assert client == client_address(rf.get("/", REMOTE_ADDR=peer, headers={"x-forwarded-for": forwarded}))


@of("proxies")
def test_header_of_a_cdn(page, rf, settings):
    """It is believed from one peer, and from nobody else."""
    settings.LOCKOUT_CLIENT_IP = page["client_ip"]
    for peer, client in (("10.0.0.5", "192.0.2.1"), ("203.0.113.66", "203.0.113.66")):
        assert client == client_address(rf.get("/", REMOTE_ADDR=peer, headers={"x-our-client": "192.0.2.1"}))


# Doors


@of("everything")
@pytest.mark.urls("tests.test_howto")
def test_everything(page, client, settings, verified):
    """Five guesses at a view that nobody has decorated, then the right password is refused."""
    settings.MIDDLEWARE, settings.LOCKOUT_SITE = page["MIDDLEWARE"], page["LOCKOUT_SITE"]
    assert [401] * 5 + [429] == [client.post("/", form).status_code for form in [FORM] * 5 + [RIGHT]]
    assert 5 == len(verified)


@of("api")
def test_api(page, guess, verified, db):
    """Five passwords, and twenty tokens of another client; then the right ones are refused."""
    assert [400] * 5 + [429] == guess(page["Token"].as_view(), *[FORM] * 5, RIGHT)
    assert 5 == len(verified)
    right = Token.objects.create(user=User.objects.create_user("ann")).key

    class Orders(APIView):
        authentication_classes = [page["Tokens"]]

        def post(self, request):
            return Response()

    assert [200] == guess(Orders.as_view(), {}, authorization=f"Token {right}")
    assert [401] * 20 == guess(Orders.as_view(), *[{}] * 20, authorization="Token guess")
    assert [429] == guess(Orders.as_view(), {}, authorization=f"Token {right}")


@of("key")
def test_key(page):
    """The recommendation is the preset, under the name of the view."""
    assert policies_of(page["sign_in"]) == tuple(one.scoped("key.sign_in") for one in presets.LOGIN)


@of("captcha")
def test_captcha(page, guess, verified):
    """Three guesses, then the question; seven more with its answer, then the right password is refused."""
    solved = {"seven_times_six": "42"}
    assert [200] * 3 + [429] * 2 == guess(page["sign_in"], *[FORM] * 5)
    assert [200] * 7 == guess(page["sign_in"], *[FORM | solved] * 7)
    assert [429] == guess(page["sign_in"], RIGHT | solved)
    assert 10 == len(verified)


# What is told


@of("tell")
def test_tell(page, answers, verified):
    """An answer of one's own, and a form's."""
    *wrong, refused = answers(page["sign_in"], *[FORM] * 5, RIGHT)
    assert [200] * 5 + [429] == [answer.status_code for answer in (*wrong, refused)]
    assert ("600", "Too many attempts. Wait 600 seconds.") == (refused["Retry-After"], refused.text)
    *_, refused = answers(page["login"], *[FORM] * 5, RIGHT)
    assert ["Too many failed attempts. Retry after 900 s."] == refused.context_data["form"].non_field_errors()
    assert 5 + 5 == len(verified)


@of("attack")
def test_attack(page, guess, mailoutbox, settings):
    """One mail a lock, which says which; and Python takes the settings of the log."""
    settings.ADMINS = [("Ann", "ann@example.org")] if VERSION < (6,) else ["ann@example.org"]
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}  # from Django 6.1 on
    try:
        guess(lockout_protect(*presets.LOGIN)(check), *[FORM] * 9)
    finally:
        locked_out.disconnect(page["tell"])
    (mail,) = mailoutbox
    assert re.fullmatch(r".*Locked out: \w{4}-\w{4} at tests\.doors\.check", mail.subject)
    logging.config.DictConfigurator(page["LOGGING"])

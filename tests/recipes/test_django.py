"""The recipe for Django's own doors."""

import pytest
from django.contrib.auth.backends import RemoteUserBackend
from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator, default_token_generator
from django.contrib.auth.views import PasswordResetConfirmView
from django.test import AsyncClient
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

pytestmark = pytest.mark.urls("tests.recipes.django")

WRONG, RIGHT = {"username": "bob", "password": "wrong"}, {"username": "bob", "password": "right"}
PAGES = ("login", "password_change_form", "password_reset_confirm")
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture(autouse=True)
def pages(settings):
    """A project has these."""
    (engine,) = settings.TEMPLATES
    pages = {f"registration/{name}.html": "{{ form }}" for name in PAGES}
    loaders = [("django.template.loaders.locmem.Loader", pages), "django.template.loaders.app_directories.Loader"]
    settings.TEMPLATES = [{**engine, "APP_DIRS": False, "OPTIONS": {**engine["OPTIONS"], "loaders": loaders}}]


@pytest.mark.parametrize("required", [False, True])
def test_login(required, visitor, bob, verified, settings):
    """Five passwords are verified; LoginRequiredMiddleware still lets everybody see the form."""
    if required:
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    guesser = visitor()
    assert guesser.get("/login/").status_code == 200
    assert [guesser.post("/login/", WRONG).status_code for _ in range(6)] == [200] * 5 + [429]
    refused = guesser.post("/login/", RIGHT, headers={"accept": "text/html"})
    assert (refused.status_code, refused["Content-Type"]) == (429, "text/html; charset=utf-8")
    assert int(refused["Retry-After"]) > 0
    assert verified == ["wrong"] * 5
    assert visitor("192.0.2.2").post("/login/", RIGHT).status_code == 302


def test_change_of_password(visitor, bob, verified):
    """Five old passwords are verified, without authenticate(); the user elsewhere is the same client."""
    thief = visitor()
    thief.client.force_login(bob, BACKEND)
    form = {"old_password": "wrong", "new_password1": "Zx81-spectrum", "new_password2": "Zx81-spectrum"}
    assert [thief.post("/password_change/", form).status_code for _ in range(6)] == [200] * 5 + [429]
    assert thief.post("/password_change/", {**form, "old_password": "right"}).status_code == 429
    assert verified == ["wrong"] * 5
    eve = visitor()
    eve.client.force_login(User.objects.create_user("eve", password="eves"), BACKEND)
    assert eve.post("/password_change/", {**form, "old_password": "eves"}).status_code == 302


def test_right_old_password_is_no_failure(visitor, bob, verified):
    """Neither with unfit new ones, nor is a form without an old one a guess; typos before it are forgiven."""
    owner = visitor()
    owner.client.force_login(bob, BACKEND)
    form = {"old_password": "right", "new_password1": "one", "new_password2": "another"}
    assert {owner.post("/password_change/", {**form, "old_password": ""}).status_code for _ in range(6)} == {200}
    for _ in range(3):
        assert owner.post("/password_change/", {**form, "old_password": "typo"}).status_code == 200
        assert owner.post("/password_change/", form).status_code == 200
    changed = {**form, "new_password1": "Zx81-spectrum", "new_password2": "Zx81-spectrum"}
    assert owner.post("/password_change/", changed).status_code == 302
    bob.refresh_from_db()
    assert bob.check_password("Zx81-spectrum")


def test_anonymous_visitors_are_sent_to_the_login(visitor, bob, verified):
    """There is nobody whose old password could be guessed."""
    answers = [visitor().post("/password_change/", {"old_password": "wrong"}) for _ in range(6)]
    assert {(answer.status_code, answer["Location"].split("?")[0]) for answer in answers} == {(302, "/accounts/login/")}
    assert verified == []


class CountingGenerator(PasswordResetTokenGenerator):
    """Django's; counts what it verifies."""

    checked: list[str] = []

    def check_token(self, user, token):
        self.checked.append(token)
        return super().check_token(user, token)


def test_reset_link(visitor, bob, monkeypatch):
    """Ten made-up links are looked at; then the right one is not."""
    generator = CountingGenerator()
    generator.checked.clear()
    monkeypatch.setattr(PasswordResetConfirmView, "token_generator", generator)
    token = default_token_generator.make_token(bob)
    link = f"/reset/{urlsafe_base64_encode(force_bytes(bob.pk))}"
    guesser, owner = visitor(), visitor("192.0.2.2")
    assert guesser.get(f"{link}/{token}/").status_code == 302
    assert [guesser.get(f"{link}/{token}{number}/").status_code for number in range(12)] == [200] * 10 + [429] * 2
    assert guesser.get(f"{link}/{token}/").status_code == 429
    assert len(generator.checked) == 11
    new = owner.get(f"{link}/{token}/")["Location"]
    assert owner.get(new).status_code == 200
    assert owner.post(new, {"new_password1": "unfit", "new_password2": "another"}).status_code == 200
    assert owner.post(new, {"new_password1": "Zx81-spectrum", "new_password2": "Zx81-spectrum"}).status_code == 302


def told_by_proxy(visitor, name):
    """How a web server hands a user name on."""
    return {"headers": {"remote-user": name}} if isinstance(visitor.client, AsyncClient) else {"REMOTE_USER": name}


def test_remote_user_middleware_is_left_alone(visitor, bob, verified, settings):
    """Its sign-ins are no guesses: they neither count nor are refused while the login form is locked."""
    settings.AUTHENTICATION_BACKENDS = [BACKEND, "django.contrib.auth.backends.RemoteUserBackend"]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.RemoteUserMiddleware"]
    guesser = visitor()
    assert [guesser.post("/login/", WRONG).status_code for _ in range(6)] == [200] * 5 + [429]
    for name in ("ann", "bob", "cyd"):
        employee = visitor()
        assert employee.get("/password_change/", **told_by_proxy(employee, name)).status_code == 200
        assert employee.client.session["_auth_user_backend"].endswith("RemoteUserBackend")
    assert guesser.post("/login/", RIGHT).status_code == 429
    assert verified == ["wrong"] * 5


class KnownUsersOnly(RemoteUserBackend):
    create_unknown_user = False


def test_unknown_remote_users_are_no_failures(visitor, bob, verified, settings):
    """The middleware's own failures lock nobody out."""
    settings.AUTHENTICATION_BACKENDS = [BACKEND, f"{__name__}.KnownUsersOnly"]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.RemoteUserMiddleware"]
    stranger = visitor()
    assert [stranger.get("/login/", **told_by_proxy(stranger, "bob2")).status_code for _ in range(7)] == [200] * 7
    assert visitor().post("/login/", RIGHT, **told_by_proxy(stranger, "bob2")).status_code == 302
    assert verified == ["right"]

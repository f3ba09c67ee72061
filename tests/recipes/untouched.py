"""Every package's doors as the packages come, then with the lines of `manage.py lockout doors` pasted.

Runs in a process of its own, which `test_doors.py` starts: elsewhere the recipes have decorated the same classes.
"""

import re
import time

import pytest
from allauth.account import forms as allauth_forms
from allauth.account.forms import default_token_generator as allauth_tokens
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.totp.internal import auth as totp
from dj_rest_auth.views import PasswordChangeView
from django.contrib import admin
from django.contrib.auth import authenticate
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.contrib.auth.views import LoginView
from django.urls import include, path
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django_otp.oath import totp as oath
from django_otp.plugins.otp_totp.models import TOTPDevice
from ninja import NinjaAPI
from ninja.security import HttpBasicAuth
from oauth2_provider.models import Application
from rest_framework.authentication import BasicAuthentication, TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.authtoken.views import obtain_auth_token
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.views import TokenObtainPairView
from two_factor.urls import urlpatterns as two_factor

from lockout_decorators.doors.urlconf import find_doors
from tests.recipes.hashers import basic
from tests.recipes.visitors import Visitor


class API(APIView):
    authentication_classes = [BasicAuthentication, TokenAuthentication]
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response({})


ninja = NinjaAPI()


class NinjaBasic(HttpBasicAuth):
    def authenticate(self, request, username, password):
        return authenticate(request, username=username, password=password)


@ninja.post("/login")
def ninja_login(request, username: str, password: str):
    return bool(authenticate(request, username=username, password=password))


@ninja.get("/me", auth=NinjaBasic())
def me(request):
    return {}


urlpatterns = [
    path("login/", LoginView.as_view(template_name="admin/login.html")),
    path("auth/", include("django.contrib.auth.urls")),
    path("admin/", admin.site.urls),
    path("token/", obtain_auth_token),
    path("jwt/", TokenObtainPairView.as_view()),
    path("rest/", include("dj_rest_auth.urls")),
    path("accounts/", include("allauth.urls")),
    path("_allauth/", include("allauth.headless.urls")),
    path("two/", include(two_factor)),
    path("o/", include("oauth2_provider.urls")),
    path("api/", API.as_view()),
    path("ninja/", ninja.urls),
]
HERE, BASIC = __name__, "rest_framework.authentication.BasicAuthentication"
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
ADMIN = "django.contrib.admin.sites.AdminSite"
HTML = {"Accept": "text/html"}
NEW = {"new_password1": "Zx81-spectrum", "new_password2": "Zx81-spectrum"}

OPEN = {
    "django.contrib.auth.views.LoginView",
    "django.contrib.auth.views.PasswordChangeView",
    "django.contrib.auth.views.PasswordResetConfirmView",
    f"{ADMIN}.login",
    f"{ADMIN}.password_change",
    "rest_framework.authentication.BasicAuthentication",
    "rest_framework.authentication.TokenAuthentication",
    "rest_framework.authtoken.views.ObtainAuthToken",
    "rest_framework_simplejwt.views.TokenObtainPairView",
    "dj_rest_auth.views.LoginView",
    "dj_rest_auth.views.PasswordChangeView",
    "dj_rest_auth.views.PasswordResetConfirmView",
    "allauth.account.views.LoginView",
    "allauth.account.views.ReauthenticateView",
    "allauth.account.views.ConfirmLoginCodeView",
    "allauth.account.views.PasswordChangeView",
    "allauth.mfa.base.views.AuthenticateView",
    "allauth.mfa.base.views.ReauthenticateView",
    "allauth.headless.account.views.LoginView",
    "allauth.headless.account.views.ReauthenticateView",
    "allauth.headless.account.views.ConfirmLoginCodeView",
    "allauth.headless.account.views.ChangePasswordView",
    "allauth.headless.mfa.views.AuthenticateView",
    "allauth.headless.mfa.views.ReauthenticateView",
    "two_factor.views.LoginView",
    "two_factor.views.LoginView:second-step",
    "oauth2_provider.views.TokenView",
    "oauth2_provider.views.TokenView:secret-of-an-application",
    "oauth2_provider.views.RevokeTokenView",
    "oauth2_provider.views.IntrospectTokenView",
    "tests.recipes.untouched.NinjaBasic",
    "tests.recipes.untouched.ninja_login",
}


def test_every_door_is_open():
    """Of all packages; nothing else is taken for one."""
    doors = find_doors(__name__)
    assert {"open"} == {door.state for door in doors}
    assert sorted(OPEN) == sorted(door.name for door in doors)


@pytest.fixture(autouse=True)
def as_it_comes(settings):
    """Without the forms of the recipes; the devices do not pause, so that each code would be verified."""
    settings.ACCOUNT_FORMS = settings.MFA_FORMS = {}
    settings.OTP_TOTP_THROTTLE_FACTOR = 0
    settings.AUTHENTICATION_BACKENDS = [BACKEND]


def test_the_lines_close_them():
    """Pasted, all are guarded, but for what nobody has put an authentication class in the place of."""
    for door in find_doors(__name__):
        names = {}
        exec(re.sub(r"^@(lockout_protect.*)  # above .*", r"protect = \1", door.write, flags=re.MULTILINE), names)
        if door.name.endswith("NinjaBasic"):
            NinjaBasic.authenticate = names["protect"](NinjaBasic.authenticate)
        for kind in (BasicAuthentication, TokenAuthentication):
            guarded = names.get(f"Guarded{kind.__name__}", kind)
            API.authentication_classes = [guarded if one is kind else one for one in API.authentication_classes]
    left = {door.name: door.routes for door in find_doors(__name__) if door.state != "guarded"}
    assert {f"{HERE}.ninja_login", BASIC} == {*left} and "api/" not in left[BASIC]


def form_login(path, **fields):
    return lambda visitor, password: visitor.post(path, {**fields, "username": "bob", "password": password})


def json_login(path):
    return lambda visitor, password: visitor.send(path, {"username": "bob", "password": password})


LOGINS = {
    "Django": form_login("/login/"),
    "admin": form_login("/admin/login/"),
    "DRF": form_login("/token/"),
    "simplejwt": form_login("/jwt/"),
    "dj-rest-auth": json_login("/rest/login/"),
    "allauth": lambda visitor, password: visitor.post("/accounts/login/", {"login": "bob", "password": password}),
    "headless app": json_login("/_allauth/app/v1/auth/login"),
    "headless browser": json_login("/_allauth/browser/v1/auth/login"),
    "two factor": lambda visitor, password: visitor.post(
        "/two/account/login/",
        {"auth-username": "bob", "auth-password": password, "login_view-current_step": "auth"},
    ),
    "Basic": lambda visitor, password: visitor.get("/api/", headers={"Authorization": basic("bob", password)}),
    "ninja": lambda visitor, password: visitor.get("/ninja/me", headers={"Authorization": basic("bob", password)}),
}


def refused(response):
    return response.status_code == 429


@pytest.mark.parametrize("door", LOGINS)
def test_logins(door, bob, verified):
    """A bounded number of wrong passwords is verified, then not even the right one; elsewhere bob signs in."""
    most = 20 if door == "Basic" else 5
    guesser = Visitor()
    guesser.client.raise_request_exception = False  # ninja answers a LockedOut by 500 without the recipe's handler
    for _ in range(most + 2):
        LOGINS[door](guesser, "wrong")
    last = LOGINS[door](guesser, "right")
    assert [*{*verified}] == ["wrong"] and len(verified) == most
    assert refused(last) or (door, last.status_code) == ("ninja", 500)
    assert not refused(LOGINS[door](Visitor(address="192.0.2.2"), "right"))


def signed_in(user):
    visitor = Visitor()
    visitor.client.force_login(user, BACKEND)
    return visitor


def by_form(path, field="old_password", **new):
    return lambda user: lambda old: signed_in(user).post(path, {**NEW, **new, field: old})


def by_rest(user):
    key = Token.objects.get_or_create(user=user)[0].key
    return lambda old: Visitor().send(
        "/rest/password/change/", {**NEW, "old_password": old}, Authorization=f"Token {key}"
    )


def by_headless(user):
    def change(old):
        visitor = Visitor()
        visitor.send("/_allauth/browser/v1/auth/login", {"username": "bob", "password": "right"})
        fields = {"current_password": old, "new_password": NEW["new_password1"]}
        return visitor.send("/_allauth/browser/v1/account/password/change", fields)

    return change


CHANGES = {
    "Django": by_form("/auth/password_change/"),
    "admin": by_form("/admin/password_change/"),
    "allauth": by_form(
        "/accounts/password/change/", "oldpassword", password1="Zx81-spectrum", password2="Zx81-spectrum"
    ),
    "dj-rest-auth": by_rest,
    "headless": by_headless,
}


@pytest.mark.parametrize("door", CHANGES)
def test_changes_of_passwords(door, bob, verified, monkeypatch):
    """Five old passwords are verified, then not even the right one."""
    bob.is_staff = True
    bob.save()
    PasswordChangeView.authentication_classes = [TokenAuthentication]
    change = CHANGES[door](bob)
    for _ in range(7):
        assert not refused(change("wrong")) or verified.count("wrong") == 5
    assert refused(change("right"))
    assert verified.count("wrong") == 5


def test_links_of_password_resets(bob, monkeypatch):
    """Of Django, and of dj-rest-auth: five tokens are looked at, then not even the right one."""
    looked, check = [], PasswordResetTokenGenerator.check_token
    for kind in (PasswordResetTokenGenerator, type(allauth_tokens)):
        monkeypatch.setattr(
            kind, "check_token", lambda self, user, token: looked.append(token) or check(self, user, token)
        )
    user = urlsafe_base64_encode(force_bytes(bob.pk))
    links = [lambda token: Visitor().get(f"/auth/reset/{user}/{token}/")]
    uid = user_pk_to_url_str(bob)
    links += [lambda token: Visitor().send("/rest/password/reset/confirm/", {**NEW, "uid": uid, "token": token})]
    for link in links:
        looked.clear()
        for _ in range(7):
            link("wrong-token")
        assert refused(link(allauth_tokens.make_token(bob)))
        assert len(looked) == 5


@pytest.mark.parametrize("client", ["form", "browser"])
def test_login_codes(bob, monkeypatch, mailoutbox, client):
    """Five codes are compared, then not even the right one."""
    compared, compare = [], allauth_forms.compare_user_code
    monkeypatch.setattr(
        allauth_forms, "compare_user_code", lambda **codes: compared.append(codes["actual"]) or compare(**codes)
    )
    for number in range(7):
        if number % 3 == 0:  # allauth takes three tries at a code
            guess = request_code(Visitor(), client)
        guess("wrong")
    assert refused(guess(sent(mailoutbox)))
    assert compared == ["wrong"] * 5


def request_code(visitor, client):
    """A code by e-mail; gives what sends a guess at it."""
    if client == "form":
        visitor.post("/accounts/login/code/", {"email": "bob@example.org"})
        return lambda code: visitor.post("/accounts/login/code/confirm/", {"code": code})
    visitor.send("/_allauth/browser/v1/auth/code/request", {"email": "bob@example.org"})
    return lambda code: visitor.send("/_allauth/browser/v1/auth/code/confirm", {"code": code})


def sent(mailoutbox):
    return re.search(r"^\w{4}-\w{4}$", mailoutbox[-1].body, re.MULTILINE)[0]


def code_by_form(code):
    visitor = Visitor()
    LOGINS["allauth"](visitor, "right")
    return visitor.post("/accounts/2fa/authenticate/", {"code": code})


def code_by_app(code):
    visitor = Visitor()
    session = LOGINS["headless app"](visitor, "right").json()["meta"]["session_token"]
    return visitor.send("/_allauth/app/v1/auth/2fa/authenticate", {"code": code}, **{"X-Session-Token": session})


@pytest.mark.parametrize("send", [code_by_form, code_by_app])
def test_codes_of_allauth(bob, monkeypatch, send):
    """Five codes are verified, whoever knows the password."""
    checked, validate = [], totp.validate_totp_code
    monkeypatch.setattr(totp, "validate_totp_code", lambda secret, code: checked.append(code) or validate(secret, code))
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(bob, secret)
    for _ in range(7):
        send("0")
    assert refused(send(totp.format_hotp_value(totp.hotp_value(secret, int(time.time()) // 30))))
    assert checked == ["0"] * 5


@pytest.mark.parametrize("path", ["/accounts/reauthenticate/", "/_allauth/browser/v1/auth/reauthenticate"])
def test_questions_for_the_password(bob, verified, path):
    """Who has a session has five tries at its password."""
    visitor = signed_in(bob)
    send = visitor.send if path.startswith("/_allauth") else visitor.post
    for _ in range(7):
        send(path, {"password": "wrong"})
    assert refused(send(path, {"password": "right"}))
    assert verified == ["wrong"] * 5


@pytest.mark.parametrize("path", ["/accounts/2fa/reauthenticate/", "/_allauth/browser/v1/auth/2fa/reauthenticate"])
def test_questions_for_a_code(bob, monkeypatch, path):
    """Who has a session has five tries at its codes."""
    checked, validate = [], totp.validate_totp_code
    monkeypatch.setattr(totp, "validate_totp_code", lambda secret, code: checked.append(code) or validate(secret, code))
    secret, visitor = totp.generate_totp_secret(), signed_in(bob)
    totp.TOTP.activate(bob, secret)
    send = visitor.send if path.startswith("/_allauth") else visitor.post
    for _ in range(7):
        send(path, {"code": "0"})
    assert refused(send(path, {"code": totp.format_hotp_value(totp.hotp_value(secret, int(time.time()) // 30))}))
    assert checked == ["0"] * 5


def test_codes_of_two_factor(bob, monkeypatch):
    """Five codes are verified, whoever knows the password."""
    device = TOTPDevice.objects.create(user=bob, name="default", key="00" * 20)
    checked, verify = [], TOTPDevice.verify_token
    monkeypatch.setattr(TOTPDevice, "verify_token", lambda self, token: checked.append(token) or verify(self, token))

    def send(code):
        visitor = Visitor()
        LOGINS["two factor"](visitor, "right")
        return visitor.post("/two/account/login/", {"token-otp_token": code, "login_view-current_step": "token"})

    for _ in range(7):
        send("000000")
    assert refused(send(f"{oath(device.bin_key, t0=int(device.t0)):06}"))
    assert checked == ["000000"] * 5


@pytest.mark.filterwarnings("ignore:The OAuth 2.0 resource owner password:DeprecationWarning")
def test_tokens_of_oauth(bob, verified):
    """Five passwords of users, and five secrets of applications, at each endpoint."""
    Application.objects.create(client_id="app", client_type="public", authorization_grant_type="password")
    grant = {"grant_type": "password", "client_id": "app", "username": "bob"}
    for _ in range(7):
        Visitor().post("/o/token/", {**grant, "password": "wrong"})
    assert refused(Visitor().post("/o/token/", {**grant, "password": "right"}))
    assert verified == ["wrong"] * 5
    verified.clear()
    robot = {"client_type": "confidential", "authorization_grant_type": "client-credentials"}
    Application.objects.create(client_id="robot", client_secret="right", **robot)
    for endpoint in ("/o/token/", "/o/revoke_token/", "/o/introspect/"):
        verified.clear()
        assert refused([ask(endpoint, secret) for secret in ["wrong"] * 7 + ["right"]][-1])
        assert verified == ["wrong"] * 5


def ask(endpoint, secret):
    """As an application does, for itself."""
    data = {"grant_type": "client_credentials", "token": "a token"}
    return Visitor(address="192.0.2.9").post(endpoint, data, headers={"Authorization": basic("robot", secret)})


def test_tokens_of_drf(bob):
    """Twenty are looked up, then not even the right one."""
    key = Token.objects.create(user=bob).key
    tries = [Visitor().get("/api/", headers={"Authorization": f"Token {token}"}) for token in ["wrong"] * 21 + [key]]
    assert [401] * 20 + [429] * 2 == [answer.status_code for answer in tries]

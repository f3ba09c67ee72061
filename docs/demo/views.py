"""Six doors, each with a policy of its own: one line protects each of them."""

import json
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from django import forms
from django.contrib import admin
from django.contrib.auth import aauthenticate, alogin
from django.contrib.auth.decorators import login_required
from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password
from django.contrib.auth.views import LoginView
from django.http import JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from guide import CODE
from rest_framework.authtoken.views import ObtainAuthToken

from lockout_decorators import LockoutPolicy, lockout_protect, policies_of, presets

login = lockout_protect(*presets.LOGIN)(LoginView.as_view(template_name="login.html"))

admin.site.login = lockout_protect(*presets.LOGIN)(admin.site.login)


@lockout_protect(key="ip+username", max=4, spread=10, window=300, lockout=12)
class Token(ObtainAuthToken):
    """A token for user name and password. Counted by address and user name: guesses at ann do not lock out bob. Who
    fails at ten names is a sprayer. The lock is so short that one can see it end."""


@lockout_protect(*presets.LOGIN)
@csrf_exempt
@require_POST
async def json_login(request):
    """A login for scripts."""
    try:
        given = json.loads(request.body)
        credentials = {"username": str(given["username"]), "password": str(given["password"])}
    except (ValueError, KeyError, TypeError):
        return JsonResponse({"error": 'Send {"username": ..., "password": ...}.'}, status=400)
    user = await aauthenticate(request, **credentials)
    if user is None:
        return JsonResponse({"error": "Wrong user name or password."}, status=401)
    await alogin(request, user)
    return JsonResponse({"user": user.username})


def adds_up(request):
    """Stands for a real challenge, as in the recipes."""
    return request.headers.get("X-Seven-Times-Six") == "42"


# The same view with a challenge before the lock: three guesses are free, three more cost a solution each.
challenged_login = lockout_protect(
    key="ip", max=6, window=300, lockout=60, scope="challenged login", challenge_after=3, challenge=adds_up
)(json_login.__wrapped__)


code_policy = replace(*presets.CODES, scope="one-time code")


@cache
def code_hash():
    return PBKDF2PasswordHasher().encode(CODE, "salt", iterations=20_000)


class CodeForm(forms.Form):
    code = forms.CharField(label="One-time code", max_length=6)


@login_required
@lockout_protect(code_policy)
def code(request):
    """The step after the form. Counted by user name: signing in anew gives no further guesses."""
    form = CodeForm(request.POST or None)
    if form.is_valid():
        with code_policy.attempt(request, request.user.get_username()) as guess:
            if check_password(form.cleaned_data["code"], code_hash()):
                guess.succeed()
                request.session["code"] = "right"
                return redirect("index")
            form.add_error("code", "That is not the code.")
    return render(request, "code.html", {"form": form})


class Door(NamedTuple):
    name: str
    path: str
    policies: tuple[LockoutPolicy, ...]
    curl: str = ""


DOORS = [
    Door("Form login", "/login/", policies_of(login)),
    Door("One-time code", "/code/", (code_policy,)),
    Door("Admin", "/admin/", policies_of(admin.site.login)),
    Door("Token endpoint", "/token/", policies_of(Token), "-d 'username=ann&password=guess'"),
    Door("JSON login", "/json/", policies_of(json_login), """-d '{"username": "ann", "password": "guess"}'"""),
    Door(
        "JSON login, challenge after three",
        "/challenged/",
        policies_of(challenged_login),
        """-H 'X-Seven-Times-Six: 42' -d '{"username": "ann", "password": "guess"}'""",
    ),
]

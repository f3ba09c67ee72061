"""Forms that are validated while a TemplateResponse is rendered: after the decorated view has returned."""

import sys

import pytest
from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.test import Client, override_settings
from django.urls import path
from django.views.generic import TemplateView

from lockout_decorators import LockoutPolicy, lockout_protect

p1 = LockoutPolicy(scope="cbv", key="ip", max=3, patience=0)
p2 = LockoutPolicy(scope="fbv", key="ip", max=3, patience=0)
p3 = LockoutPolicy(scope="stream", key="ip", max=3, patience=0)
p4 = LockoutPolicy(scope="status", key="ip", max=3, patience=0, failure=401)


class Signup(forms.Form):
    email = forms.EmailField()


@lockout_protect(p1)
class Door(TemplateView):
    """One page, two forms; the button that was pressed says which is meant."""

    template_name = "two_forms.html"

    def post(self, request):
        login_form = AuthenticationForm(request, request.POST)
        signup_form = Signup(request.POST)
        if "signup" in request.POST and signup_form.is_valid():
            return HttpResponse("thanks")
        if "login" in request.POST and login_form.is_valid():
            return HttpResponse("welcome")
        return self.render_to_response({"login_form": login_form, "signup_form": signup_form})


@lockout_protect(p2)
def door(request):
    form = AuthenticationForm(request, request.POST)
    if "login" in request.POST and form.is_valid():
        return HttpResponse("welcome")
    return TemplateResponse(request, "two_forms.html", {"login_form": form})


@lockout_protect(p3)
def stream(request):
    def lines():
        yield "checking...\n"
        yield "welcome" if authenticate(request, username="bob", password=request.POST["password"]) else "wrong"

    return StreamingHttpResponse(lines())


urlpatterns = [path("cbv/", Door.as_view()), path("fbv/", door), path("stream/", stream)]


@override_settings(ROOT_URLCONF=sys.modules[__name__])
@pytest.mark.parametrize("url", ["/cbv/", "/fbv/", "/stream/"])
def test_deferred(url, verified):
    c = Client()

    def body(password):
        response = c.post(url, {"username": "bob", "password": password, "signup": "1"})
        return b"".join(response)

    for button in ({"login": "1"}, {"signup": "1", "email": "bob@example.org"}):
        c.post(url, {"username": "bob", "password": "right", **button})
    verified.clear()
    body("wrong0")
    for n in range(19):
        body(f"wrong{n + 1}")
    body("right")
    assert len(verified) <= 3

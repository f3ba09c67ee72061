"""The pages as a browser shows them: to everybody, in all sizes and colours, and without sending anything by itself."""

import re
from types import ModuleType

import pytest
from django.contrib.auth import authenticate
from django.shortcuts import render
from django.urls import path
from django.utils import translation

from lockout_decorators import lockout_protect
from tests.browser import LOOKS, faults_of

FORM = """
{% load lockout %}{% lockout_status as lockout %}<!doctype html>
<html lang="en"><meta name="viewport" content="width=device-width"><title>Sign in</title><main><h1>Sign in</h1>
<p id="left">{% if lockout.locked %}locked{% else %}{{ lockout.remaining }} left{% endif %}</p>
<form method="post">{% csrf_token %}
<label>Name <input name="username" value="bob"></label> <label>Password <input name="password" type="password"></label>
<button>Sign in</button></form></main></html>
"""
LOCALES = ["ar", "de"]


@pytest.fixture
def requests():
    """The methods of the requests for the form."""
    return []


@pytest.fixture
def door(settings, live_server, bob, verified, requests):
    """Serve a form whose second wrong password locks; its address."""

    def door(headers=(), **arguments):
        def view(request):
            if request.method == "POST":
                authenticate(request, username=request.POST["username"], password=request.POST["password"])
            return render(request, "form.html")

        def noted(request):
            requests.append(request.method)
            with translation.override(translation.get_language_from_request(request)):  # the server's middleware is set
                response = protected(request)
            for name, value in dict(headers).items():
                response[name] = value
            return response

        protected = lockout_protect(**{"max": 2, "scope": "page", "lockout": 7200, **arguments})(view)
        urls = ModuleType("urls")
        urls.urlpatterns = [path("sign-in/", noted)]
        settings.ROOT_URLCONF = urls
        return f"{live_server.url}/sign-in/?next=/a"

    loaders = ("django.template.loaders.locmem.Loader", {"form.html": FORM})
    options = {"loaders": [loaders, "django.template.loaders.app_directories.Loader"]}
    settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": options}]
    return door


def lock_out(page, url):
    """Two wrong passwords, then the right one; for who is locked out already, the right one."""
    page.goto(url)
    locked = page.inner_text("#left") == "locked"
    for password in ("right",) if locked else ("wrong", "wrong", "right"):
        page.fill("[name=password]", password)
        page.click("button")


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_everybody_can_read_it(look, browser, door, verified):
    """No violation of axe-core, and nothing beyond the margin, whichever way it is written."""
    url = door(lockout=172_800)

    def script(page):
        lock_out(page, url)
        assert re.search(r"\w{4}-\w{4}", page.inner_text("main"))
        return page.get_attribute("html", "dir"), faults_of(page)

    seen = [browser.run(script, look, locale=locale) for locale in LOCALES]
    assert [("rtl" if locale == "ar" else "ltr", []) for locale in LOCALES] == seen
    assert 2 == len(verified)


def test_when_the_time_is_over_it_says_so_and_sends_nothing(browser, door, requests, verified):
    """Then the way back leads to the form, by GET, with what it was asked for; the right password signs in there."""
    url = door(lockout=1)

    def script(page):
        lock_out(page, url)
        assert page.is_visible(".wait") and not page.is_visible(".over")
        page.wait_for_selector(".over", state="visible")
        assert not page.is_visible(".wait")
        sent = [*requests]
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector("form")
        return sent, page.url, page.inner_text("#left")

    assert (["GET", *["POST"] * 3], url, "2 left") == browser.run(script)
    assert "GET" == requests[-1]
    assert ["wrong", "wrong"] == verified


def test_form_says_that_it_is_locked(browser, door, verified):
    """How many tries are left, as it is shown; and that there is none, also when somebody comes back."""
    url = door()

    def script(page):
        page.goto(url)
        told = [page.inner_text("#left")]
        for _ in range(2):
            page.click("button")
            told.append(page.inner_text("#left"))
        page.click("button")
        page.click("main a")
        return [*told, page.inner_text("#left")]

    assert ["2 left", "1 left", "locked", "locked"] == browser.run(script)
    assert 2 == len(verified)


def test_policy_against_foreign_content_takes_only_the_looks(browser, door):
    """Where no style may stand in a page, it says what it has to, and not that the time is over."""
    url = door({"Content-Security-Policy": "default-src 'none'; form-action 'self'"})

    def script(page):
        lock_out(page, url)
        return page.inner_text("main"), faults_of(page)

    text, faults = browser.run(script, bypass_csp=False)
    assert "Try again in 2 hours." in text and "Go back" in text and "again now" not in text
    assert [] == faults

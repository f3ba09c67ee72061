"""The guide's recipes against many, and the presets, bound what they say."""

import re
from contextlib import suppress
from io import StringIO
from types import ModuleType

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.core.management import call_command
from django.urls import path

from lockout_decorators import LockedOut, lockout_protect, presets
from tests.docs.pages import Names, execute, rows, text_of
from tests.doors import FORM, RIGHT
from tests.mailing import with_mails

pytestmark = pytest.mark.tree


@pytest.mark.django_db
def test_mailed_links(guide, mails, post, settings, client, mailoutbox, verified):
    """The admins and the owner are told, once, by the thread or the queue; the button of the link's page unlocks."""
    settings.ROOT_URLCONF = ModuleType("urls")
    with_mails(settings)
    settings.ROOT_URLCONF.urlpatterns = guide.urlpatterns
    User.objects.create_user("bob", "bob@example.com")
    for _ in range(5):
        guide.sign_in_by_hand(post())
    with pytest.raises(LockedOut):
        guide.sign_in_by_hand(post(RIGHT))
    assert 1 == len(guide.queue)
    for send, told in mails:
        send(told)
    guide.work()
    assert [["bob@example.com"], ["ann@example.com"]] == [sent.to for sent in mailoutbox]
    link = re.search(r"https://example.com(\S+)", mailoutbox[0].body)[1]
    assert [200, 200, 410] == [send(link).status_code for send in (client.get, client.post, client.post)]
    assert 200 == guide.sign_in_by_hand(post(RIGHT)).status_code
    assert 6 == len(verified)


def test_an_account_and_an_address_are_bounded(guide, post, verified):
    """The recipe's numbers: a botnet gets 20 guesses at an account, a sprayer 50 over all accounts."""
    for number in range(60):
        guide.bounded(post(address=f"198.51.100.{number}"))
    assert 20 == len(verified)
    verified.clear()
    for number in range(80):
        guide.bounded(post({"username": f"user{number}", "password": "Summer2026"}))
    assert 50 == len(verified)
    assert 429 == guide.bounded(post({"username": "eve", "password": "eves"})).status_code


@pytest.mark.parametrize("name", ["known", "known_by_hand", "known_by_hand_async"])
def test_known_browsers(name, guide, post, verified):
    """Twenty guesses from everywhere lock strangers out, and not the browser that has signed in."""
    view = getattr(guide, name)
    view = async_to_sync(view) if name.endswith("async") else view
    cookies = view(post(RIGHT)).cookies
    with suppress(LockedOut):
        for number in range(30):
            view(post(address=f"198.51.100.{number}"))
    assert 21 == len(verified)
    request = post(RIGHT)
    request.COOKIES.update({name: morsel.value for name, morsel in cookies.items()})
    assert (200, 22) == (view(request).status_code, len(verified))


def test_a_sprayer_is_stopped(guide, post, verified):
    """At ten accounts, or where one of them is tried again and again, at the ceiling."""
    for number in range(40):
        guide.office(post({"username": f"user{number}", "password": "Summer2026"}))
    assert 10 == len(verified)
    assert 429 == guide.office(post(RIGHT)).status_code
    assert 200 == guide.office(post(RIGHT, address="192.0.2.2")).status_code


def test_presets(post, verified):
    """Five wrong passwords, five wrong codes; then the right one is refused."""
    page = Names(execute("docs/explanation/presets.md"))
    assert [401] * 5 + [429] * 2 == [page.sign_in(post(form)).status_code for form in [FORM] * 6 + [RIGHT]]
    assert 5 == len(verified)
    ann = User(pk=1, username="ann")
    sent = ["1"] * 6 + ["271828"]
    assert [401] * 5 + [429] * 2 == [page.code(post({"code": code}, user=ann)).status_code for code in sent]


def test_presets_are_what_the_page_says(settings):
    """Each is in its table; the report that it shows is that of LOGIN."""
    page = text_of("docs/explanation/presets.md")
    names = {name for name, value in vars(presets).items() if isinstance(value, tuple)}
    assert sorted(names) == sorted(rows("docs/explanation/presets.md", "Presets"))
    settings.ROOT_URLCONF = ModuleType("urls")
    settings.ROOT_URLCONF.urlpatterns = [path("sign-in/", lockout_protect(*presets.LOGIN)(sign_in))]
    out = StringIO()
    call_command("lockout", "report", stdout=out)
    (shown,) = re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert shown.partition("\n")[2] == out.getvalue().partition("\n")[2]


def sign_in(request):
    """What is reported of."""

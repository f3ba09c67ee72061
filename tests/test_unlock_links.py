"""The owner frees himself by a link in a mail: what the link lifts, and what it does not."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.signing import TimestampSigner
from django.test import Client
from django.utils import timezone

from lockout_decorators import mail
from lockout_decorators.exceptions import StoreError
from lockout_decorators.journal.entries import recent
from lockout_decorators.mail.links import SALT, path_of, token_for
from lockout_decorators.stores import Store
from lockout_decorators.support.finding import by_reference
from lockout_decorators.support.unlocking import unlock
from tests.mailing import ELSEWHERE, HERE, POLICIES, Told, guess, links_in, lock, mount, signs_in

SECURITY = ("Cache-Control", "Referrer-Policy", "X-Robots-Tag")


@pytest.fixture(autouse=True)
def owner(settings, db):
    mount(settings)
    return User.objects.create_user("bob", "bob@example.com")


@pytest.fixture
def link(client):
    """Locks a door, and gives the link that was mailed."""
    told = Told()
    receiver = mail.tells_owner(base_url="https://example.com", deliver=told.append)

    def locked(door="account"):
        lock(client, door)
        assert not signs_in(client, door)
        (path,) = links_in(told.send(receiver))
        return path

    return locked


@pytest.mark.parametrize(("door", "elsewhere"), [("account", True), ("pair", False)])
@pytest.mark.parametrize("journal", [True, False])
def test_the_lock_at_hand_is_lifted(door, elsewhere, journal, client, settings, link, verified, caplog):
    """The account's, or that of the account at one address, and not at another. Then the right password is verified."""
    settings.LOCKOUT_JOURNAL = journal
    path = link(door)
    if not elsewhere:
        lock(client, door, "bob", ELSEWHERE)
    verified.clear()
    with caplog.at_level("DEBUG"):
        assert 200 == client.get(path).status_code
        assert "The lock is lifted." in client.post(path).text
        assert [True, elsewhere] == [signs_in(client, door, address) for address in (HERE, ELSEWHERE)]
    assert [("bob", "right")] * (1 + elsewhere) == verified
    (line,) = [record.getMessage() for record in caplog.records if "unlocked" in record.getMessage()]
    assert "by='mail link'" in line and path.split("/")[2] not in caplog.text


def test_mail_scanners_that_click_an_unlock_link(client, link, verified):
    """They look ten times, and nothing changes; the button unlocks, once. No cookie is set, and nothing kept."""
    path = link()
    verified.clear()
    looks = [getattr(client, method)(path) for method in ["get"] * 10 + ["head", "options", "put"]]
    assert {200} == {look.status_code for look in looks}
    assert not signs_in(client, "account") and not verified
    assert '<form method="post">' in looks[0].text and "noindex" in looks[0].text
    pressed = [client.post(path) for _ in range(2)]
    assert [200, 410] == [answer.status_code for answer in pressed]
    assert signs_in(client, "account") and len(verified) == 1
    for answer in (*looks, *pressed):
        assert ["no-store", "no-referrer", "noindex, nofollow"] == [answer[name] for name in SECURITY]
        assert not answer.cookies and "Set-Cookie" not in answer


def test_a_second_lock_needs_a_second_link(client, link, verified):
    """The first one has no power over it; an hour later there is another mail."""
    first = link()
    client.post(first)
    lock(client, "account")
    assert [410, 410] == [client.get(first).status_code, client.post(first).status_code]
    assert not signs_in(client, "account") and ("bob", "right") not in verified
    unlock(by_reference(recent("default")[0].reference), "support")
    with time_machine.travel(timezone.now() + timedelta(hours=1, seconds=5)):
        second = link()
        assert [410, 200] == [client.post(path).status_code for path in (first, second)]
        assert signs_in(client, "account")


def crafted(reference, key="tests", salt=SALT):
    return TimestampSigner(key=key, salt=salt).sign(reference)


FORGED = {
    "another reference": lambda reference: token_for("ABCD-EFGH").replace("ABCD-EFGH", reference),
    "another site's": lambda reference: crafted(reference, key="another site's"),
    "for something else": lambda reference: crafted(reference, salt="for something else"),
    "not signed": lambda reference: reference,
    "junk": lambda reference: "é\x00",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_forged_links(forge, client, link, caplog):
    """They lift nothing, whatever reference they name."""
    link()
    path = path_of(forge(recent("default")[0].reference))
    assert [404, 404] == [client.get(path).status_code, client.post(path).status_code]
    assert not signs_in(client, "account") and "Not Found" not in caplog.text


def test_a_link_outlives_a_change_of_the_secret_key(client, settings, link):
    """As long as the old one is among the fallbacks; the records are counted under the new one."""
    path = link()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", []
    assert 404 == client.post(path).status_code
    settings.SECRET_KEY_FALLBACKS = ["tests"]
    assert 200 == client.post(path).status_code


def test_a_link_is_good_for_a_day(client, link):
    """The lock has no end."""
    path = link()
    with time_machine.travel(timezone.now() + timedelta(days=1, seconds=5)):
        assert 410 == client.post(path).status_code
        assert not signs_in(client, "account")


@pytest.mark.parametrize("door", ["address", "ceiling", "custom"])
def test_no_link_lifts_the_lock_of_an_address(door, client):
    """Not even one that was signed by mistake."""
    lock(client, door)
    tokens = [token_for(one.reference) for one in recent("default") if one.counter == "ceiling" or door != "ceiling"]
    assert [410] == [client.post(path_of(token)).status_code for token in tokens]
    assert 429 == guess(client, door, "bob", HERE, "right")


def test_a_known_browser_s_lock_is_its_own(client, link):
    """It is lifted for the browser that was told; that of strangers stays, and that of another browser."""
    other, stranger = Client(), Client()
    for browser in (client, other):
        assert signs_in(browser, "known")
    path = link("known")
    for browser in (other, stranger):
        lock(browser, "known")
    assert 200 == stranger.post(path).status_code
    assert [True, False, False] == [signs_in(one, "known") for one in (client, other, stranger)]


def test_an_outage_is_said_and_not_hidden(client, link, monkeypatch, caplog):
    """503, without the token in the log; when it is over the link still works."""
    path = link()
    with monkeypatch.context() as patched:
        patched.setattr(Store, "read", down)
        answer = client.post(path)
    assert (503, "no-store") == (answer.status_code, answer["Cache-Control"])
    assert "temporarily unavailable" in answer.text and "a link unlocks nothing" in caplog.text
    assert path not in caplog.text
    assert 200 == client.post(path).status_code and signs_in(client, "account")


def down(store, keys):
    raise StoreError(store.alias, OSError("no route"))


def test_nobody_has_to_sign_in_to_unlock(settings, link):
    """Where every page wants it otherwise, and forms a token against forgery."""
    path = link()
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    client = Client(enforce_csrf_checks=True)
    assert [200, 200] == [client.get(path).status_code, client.post(path).status_code]
    assert not POLICIES["account"].status({"type": "http", "client": [HERE, 1], "headers": []}, "bob").locked


@pytest.mark.parametrize(
    ("accepted", "shown"), [("ar", 'lang="ar" dir="rtl"'), ("pt-br", 'lang="pt-BR" dir="ltr"'), ("sv", 'lang="en" dir')]
)
def test_the_page_names_the_language_that_it_is_in(accepted, shown, settings, link):
    """Of the reader, where there is a catalog, else English."""
    path = link()
    settings.MIDDLEWARE = ["django.middleware.locale.LocaleMiddleware"]
    assert f"<html {shown}" in Client().get(path, headers={"accept-language": accepted}).text

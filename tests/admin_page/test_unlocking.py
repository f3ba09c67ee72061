"""The page in the admin: what it finds, and what its buttons do."""

import logging
from urllib.parse import parse_qsl

import pytest

from lockout_decorators import LockoutPolicy, signals
from lockout_decorators.exceptions import StoreError
from lockout_decorators.stores import Store
from tests.admin_page.sites import HERE, is_in, rows_of, text_of
from tests.entries import lock_out

pytestmark = [pytest.mark.urls("tests.admin_page.sites"), pytest.mark.django_db]


def test_a_lock_is_lifted(support, policy, request_, caplog):
    """By its button; it is told who did it, and the right password gets in."""
    reference = lock_out(policy, request_, "bob")
    assert not is_in(policy, request_)
    heard = []
    signals.lockout_reset.connect(lambda request, detail, **kwargs: heard.append((request, detail)), weak=False)
    page = support.get("/staff/lockouts/")
    assert f'name="reference" value="{reference}"' in page.text
    with caplog.at_level(logging.INFO):
        done = support.post("/staff/lockouts/unlock/", {"reference": reference}, follow=True)
    assert f"Unlocked: sign in ({reference})." in text_of(done)
    told = f"unlocked: scope='sign in' address={HERE} username='bob' by='admin: ann' reference={reference}"
    assert told in caplog.text
    assert ("ann", "bob") == (heard[0][0].user.username, heard[0][1].username)
    assert is_in(policy, request_)
    again = support.post("/staff/lockouts/unlock/", {"reference": reference}, follow=True)
    assert "Nothing was on record." in text_of(again)


@pytest.mark.parametrize(
    "asked", [{"reference": ""}, {"ip": HERE, "username": "BOB"}, {"ip": HERE}, {"username": "bob"}], ids=str
)
def test_a_client_is_looked_up_and_unlocked(asked, support, request_):
    """By the reference, the address, the user name, or both; what was not looked at is told."""
    pair = LockoutPolicy(scope="pair", key="ip+username", max=2, ceiling=None)
    reference = lock_out(pair, request_, "bob")
    for key in ("ip", "username"):
        lock_out(LockoutPolicy(scope=key, key=key, max=2, ceiling=None), request_, "bob")
    asked = {"reference": reference.lower()} if "reference" in asked else asked
    page = support.get("/staff/lockouts/", asked)
    looked_at = {row[3] for row in rows_of(page, "lockouts-found") if row[0] == "locked"}
    parts = {"reference": {"pair"}, "ip": {"ip"}, "username": {"username"}}
    expected = {"pair", "ip", "username"} if len(asked) == 2 else parts[next(iter(asked))]
    assert expected == looked_at
    lacking = "pair was not looked at: it needs user name as well." in text_of(page)
    assert lacking == (asked == {"ip": HERE})
    hidden = {f"asked_{name}": value for name, value in asked.items()}
    done = support.post("/staff/lockouts/unlock/", {**asked, **hidden}, follow=True)
    assert "Nothing was on record" not in text_of(done)
    assert is_in(pair, request_) == ("pair" in expected)
    assert asked == dict(parse_qsl(done.request["QUERY_STRING"]))


def test_what_can_not_be_looked_up_is_told(support):
    """As an error of the form, or a remark; nothing is unlocked."""
    code = LockoutPolicy(scope="code", key=lambda request, identity: "all", ceiling=None)
    said = {
        "That is no reference: two groups of four, as 7F3K-92QD.": {"reference": "junk"},
        "That is no address.": {"ip": "junk"},
        "That is no address. ": {"ip": "2001:db8::7%\nunlocked: scope='s' by='admin: boss'"},  # a line of the log
        "Look up either a reference": {"reference": "7F3K-92QD", "ip": HERE},
        "Nothing is on record.": {"reference": "7F3K-92QD"},
        "code: its key is code; look up by reference.": {"ip": HERE},
        "No policy counts by user name.": {"username": "bob"},
    }
    for text, asked in said.items():
        assert text in text_of(support.get("/staff/lockouts/", asked)), text
        done = support.post("/staff/lockouts/unlock/", asked, follow=True)
        assert "Nothing was on record." in text_of(done)
    assert code.scope in text_of(support.get("/staff/lockouts/"))


def test_failures_that_do_not_lock_yet_are_forgotten_too(support, request_):
    """And what a policy needs besides."""
    policy = LockoutPolicy(scope="s", key="ip", max=3)
    LockoutPolicy(scope="t", key="ip+header:X-Key+ua", max=3, ceiling=None)
    with policy.attempt(request_):
        pass
    page = support.get("/staff/lockouts/", {"ip": HERE})
    assert [("1 of 3 failures", HERE, "", "s", "client")] == rows_of(page, "lockouts-found")
    assert "t was not looked at: it needs X-Key, user agent as well." in text_of(page)
    done = support.post("/staff/lockouts/unlock/", {"ip": HERE}, follow=True)
    assert f"Unlocked: s ({HERE})." in text_of(done)
    assert 0 == policy.status(request_).failures
    page = support.get("/staff/lockouts/", {"ip": HERE})
    assert [("free", HERE, "", "s", "client")] == rows_of(page, "lockouts-found")
    assert "Unlock all that was found" not in page.text


def test_a_lock_that_refuses_nobody_is_told_as_such(support, request_):
    """Of a policy on trial."""
    lock_out(LockoutPolicy(scope="s", key="ip", max=2, enforce=False), request_, "bob")
    page = support.get("/staff/lockouts/")
    assert [("locked, not enforced", HERE, "bob", "s", "client")] == rows_of(page, "lockouts-recent")


def test_a_cache_that_is_down_is_told(support, policy, request_, monkeypatch):
    """With 503, by the page and by its buttons; the rest of the admin works."""
    reference = lock_out(policy, request_, "bob")

    def down(store, *args):
        raise StoreError(store.alias, ConnectionError("gone"))

    with monkeypatch.context() as broken:
        broken.setattr(Store, "read", down)
        page = support.get("/staff/lockouts/")
        assert (503, True) == (page.status_code, "The cache does not answer" in text_of(page))
        done = support.post("/staff/lockouts/unlock/", {"reference": reference}, follow=True)
        assert "The cache does not answer. Try again." in text_of(done)
        assert 200 == support.get("/staff/").status_code
    assert not is_in(policy, request_)

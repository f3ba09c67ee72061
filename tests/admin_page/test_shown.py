"""The page in the admin: what it shows."""

import re
from datetime import UTC, datetime

import pytest

from lockout_decorators import LockoutPolicy
from lockout_decorators.journal import entries, tallies
from lockout_decorators.journal.lock import Lock, new_code, spell_reference
from lockout_decorators.journal.tally import STEP, Tally
from lockout_decorators.stores import host_clock, store_for
from tests.admin_page.sites import HERE, is_in, text_of
from tests.entries import lock_out

pytestmark = [pytest.mark.urls("tests.admin_page.sites"), pytest.mark.django_db]


def test_names_are_shown_and_do_no_harm(support, policy, request_):
    """No markup, no characters that turn or hide what follows; letters of all scripts are what they are."""
    for name in ("<script>alert(1)</script>", "\u202enimda\u200b\0\x1b[2J", "Ünal Öz", "' onmouseover='x"):
        lock_out(policy, request_, name)
    page = support.get("/staff/lockouts/", {"username": "<b>'\"", "ip": HERE})
    assert "<script>alert(1)" not in page.text
    assert "<b>'" not in page.text
    assert not {"\u202e", "\u200b", "\0", "\x1b"} & {*page.text}
    assert "<bdi>\\u202enimda\\u200b\\x00\\x1b[2J</bdi>" in page.text
    assert "<bdi>Ünal Öz</bdi>" in page.text
    assert "<bdi>&#x27; onmouseover=&#x27;x</bdi>" in page.text


@pytest.mark.parametrize("journal", [True, False, None])
def test_it_shows_what_the_journal_has(journal, support, policy, request_, settings):
    """Names and numbers only where it is on; without it no lock is found by its reference, but by who it is about."""
    settings.LOCKOUT_JOURNAL = journal
    reference = lock_out(policy, request_, "bob")
    page = support.get("/staff/lockouts/")
    assert ("no lock is on file" in page.text, reference in page.text) == (journal is None, journal is not None)
    assert ("They are counted while LOCKOUT_JOURNAL is True." in page.text) == (journal is not True)
    assert (HERE in page.text, "<svg class" in page.text) == (journal is True, journal is True)
    asked = {"ip": HERE, "username": "bob"}
    assert (journal is not None) == (f'value="{reference}"' in support.get("/staff/lockouts/", asked).text)
    support.post("/staff/lockouts/unlock/", asked)
    assert is_in(policy, request_)


def test_locks_are_shown_fifty_at_a_time(support, policy):
    """The last one first; one is as old as it looks."""
    now = host_clock()
    for number in range(120):
        made = Lock(spell_reference(new_code()), "sign in", "ip", "key", "record", now + number, now + 60_000)
        entries.enter(store_for("default"), [made], now)
    listed = [lock.reference for lock in entries.recent("default")]
    assert len(listed) == 120
    shown = [re.findall(r"<code>([\w-]{9})</code>", support.get(f"/staff/lockouts/?page={n}").text) for n in (1, 2, 3)]
    assert [listed[:50], listed[50:100], listed[100:]] == shown
    first, second = [support.get(f"/staff/lockouts/?page={n}").text for n in ("junk", "2")]
    assert "Page 1 of 3" in first
    assert 'href="?page=1"' in second
    assert 'href="?page=3"' in second


def test_charts_tell_of_the_last_hour_and_day(staff, time_machine):
    """As bars, as sums, and as a table of hours; scopes without anything are named."""
    time_machine.move_to(datetime(2030, 1, 1, 12, 2, tzinfo=UTC), tick=False)
    for scope in ("busy", "quiet"):
        LockoutPolicy(scope=scope, key="ip")
    now = host_clock()
    for ago, tally in ((0, Tally(8, 1, 40)), (2, Tally(4)), (11, Tally(2)), (12, Tally(100)), (288, Tally(7000))):
        tallies.count("default", {"busy": tally}, now - ago * STEP)
    page = staff("view_user").get("/staff/lockouts/")
    assert "Nothing in the last day: quiet" in text_of(page)
    titles = re.findall(r"<title>(\w+: \d+, \d+ at most at a time)</title>", page.text)
    assert ["Failures: 14, 8 at most at a time", "Locks: 1, 1 at most at a time"] == titles[:2]
    assert ["Refusals: 40, 40 at most at a time", "Failures: 114, 100 at most at a time"] == titles[2:4]
    assert '<path d="M0 24v-6h18v6zM180 24v-12h18v12zM220 24v-24h18v24z"/>' in page.text
    rows = re.findall(
        r'<time datetime="([^"]+)">[^<]*</time></th><td>(\d+)</td><td>(\d+)</td><td>(\d+)</td>', page.text
    )
    assert [("2030-01-01T04:05:00-06:00", "100", "0", "0"), ("2030-01-01T05:05:00-06:00", "14", "1", "40")] == rows


def test_policies_are_shown_with_their_bounds(support):
    """What `policy.bounds()` says, and the rule in words."""
    LockoutPolicy(scope="door", key="ip+username", max=5, window=300, lockout=(60, 3600, 86400), ceiling=None)
    LockoutPolicy(scope="slow", key="username", max=3, window=7, rolling=True, lockout=0, ceiling=None, enforce=False)
    LockoutPolicy(scope="stop", key="username", max=3, window=90, lockout=None, ceiling=None)
    page = text_of(support.get("/staff/lockouts/"))
    assert "door ip+username 5 5 minutes 1 minute, 1 hour, 1 day 14 1,156; worst 1,162 1,156,197" in page
    assert "slow (not enforced) username 3 7 seconds, rolling none 3 no bound; worst no bound" in page
    assert "stop username 3 90 seconds until it is lifted" in page
    assert "anybody behind the same address, by 5 wrong guesses: the owner of the account there" in page


def test_nothing_in_it_needs_a_script_or_a_style_of_its_own(support, policy, request_):
    """So a strict Content-Security-Policy lets all of it through."""
    lock_out(policy, request_, "bob")
    content = support.get("/staff/lockouts/", {"ip": HERE}).text.partition('id="content-main"')[2]
    assert not re.findall(r"<script|<style|\sstyle=|\son\w+=|javascript:|https?://", content.partition("<!-- END")[0])


def test_no_policy_no_page_of_nothing(support):
    """A project that has none yet."""
    page = text_of(support.get("/staff/lockouts/"))
    assert "No locks on file." in page
    assert "No policies." in page

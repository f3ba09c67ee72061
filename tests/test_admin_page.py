"""The page in the admin: who sees it, what it shows, and what it does."""

import json
import logging
import re
from datetime import UTC, datetime
from html import unescape
from urllib.parse import parse_qsl

import pytest
from django.contrib.admin import AdminSite
from django.contrib.auth import authenticate
from django.contrib.auth.models import Permission, User
from django.http import HttpResponse
from django.test import Client
from django.urls import path

from lockout_decorators import LockedOut, LockoutPolicy, signals
from lockout_decorators.contrib.admin import add_to
from lockout_decorators.exceptions import StoreError
from lockout_decorators.journal import entries, tallies
from lockout_decorators.journal.lock import Lock, new_code, spell_reference
from lockout_decorators.journal.tally import STEP, Tally
from lockout_decorators.stores import Store, host_clock, store_for

HERE = "192.0.2.7"
RIGHTS = {"view": "auth.view_user", "unlock": "auth.change_user"}


class Sorted(AdminSite):
    """Has a list of apps of its own."""

    def get_app_list(self, request, app_label=None):
        return sorted(super().get_app_list(request, app_label), key=lambda app: app["name"], reverse=True)


site, partners, late = Sorted("staff"), AdminSite("partners"), AdminSite("late")
site.register(User)
add_to(site)
add_to(site, **RIGHTS)
add_to(partners)
urlpatterns = [
    path("staff/", site.urls),
    path("partners/", partners.urls),
    path("late/", late.urls),
    path("static/", HttpResponse),
]
add_to(late)

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


@pytest.fixture(autouse=True)
def project(settings):
    settings.LOCKOUT_JOURNAL = True
    settings.AUTHENTICATION_BACKENDS = ["tests.backends.CountingBackend", "django.contrib.auth.backends.ModelBackend"]


@pytest.fixture
def policy():
    return LockoutPolicy(scope="sign in", key="ip+username", max=2, ceiling=None)


@pytest.fixture
def request_(rf):
    return rf.post("/", REMOTE_ADDR=HERE)


@pytest.fixture
def staff():
    """Gives a client of somebody who has some permissions."""

    def sign_in(*permissions, name="ann", **fields):
        user = User.objects.create_user(name, is_staff=True, **fields)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = Client(raise_request_exception=True)
        client.force_login(user, "django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


@pytest.fixture
def support(staff):
    return staff("view_user", "change_user")


def lock(policy, request, username="bob"):
    """Its reference."""
    for _ in range(policy.max):
        with policy.attempt(request, username):
            pass
    return policy.status(request, username).reference


def is_in(policy, request):
    """Whether the right password is let through."""
    try:
        with policy.observe(request):
            return authenticate(request, username="bob", password="right") is not None
    except LockedOut:
        return False


def text_of(response):
    """What people read."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.text)).split())


def rows_of(response, table):
    """The cells of "lockouts-found" or "lockouts-recent" as people read them: state, address, name, policy, counter."""
    body = response.text.partition(f'<caption id="{table}"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body.split("</tr>")]
    read = [[" ".join(re.sub("<[^>]+>", " ", cell).split()) for cell in row] for row in cells]
    return [tuple(row[-7:-2]) for row in read if row]


def test_a_lock_is_lifted(support, policy, request_, caplog):
    """By its button; it is told who did it, and the right password gets in."""
    reference = lock(policy, request_)
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
    reference = lock(pair, request_)
    for key in ("ip", "username"):
        lock(LockoutPolicy(scope=key, key=key, max=2, ceiling=None), request_)
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
    lock(LockoutPolicy(scope="s", key="ip", max=2, enforce=False), request_)
    page = support.get("/staff/lockouts/")
    assert [("locked, not enforced", HERE, "bob", "s", "client")] == rows_of(page, "lockouts-recent")


# Who may


def test_who_may_not_see_it_finds_no_link(staff, client, policy, request_):
    """The site's login comes before the page; without the permission it is 403."""
    reference = lock(policy, request_)
    away = client.get("/staff/lockouts/")
    assert (302, "/staff/login/?next=/staff/lockouts/") == (away.status_code, away["Location"])
    assert 302 == client.post("/staff/lockouts/unlock/", {"reference": reference}).status_code
    nobody = staff(name="nobody")
    assert 403 == nobody.get("/staff/lockouts/").status_code
    assert 403 == nobody.post("/staff/lockouts/unlock/", {"reference": reference}).status_code
    assert "/staff/lockouts/" not in nobody.get("/staff/").text
    assert not is_in(policy, request_)


def test_who_may_only_see_unlocks_nothing(staff, policy, request_):
    """There is no button, and the address that it would have sent to refuses; nor who may only unlock."""
    reference = lock(policy, request_)
    reader, unlocker = staff("view_user"), staff("change_user", name="eve")
    page = reader.get("/staff/lockouts/", {"ip": HERE, "username": "bob"})
    assert reference in page.text
    assert "/unlock/" not in page.text.replace(' action="/staff/lockouts/unlock/">', "")
    assert "<button" not in page.text.partition('id="content-main"')[2]
    for client in (reader, unlocker):
        assert 403 == client.post("/staff/lockouts/unlock/", {"reference": reference}).status_code
    assert 403 == unlocker.get("/staff/lockouts/").status_code
    assert not is_in(policy, request_)


def test_a_button_is_no_forgery(staff, policy, request_):
    """A page elsewhere can't press it, nor can a link."""
    reference = lock(policy, request_)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = staff("view_user", "change_user").cookies
    assert 403 == strict.post("/staff/lockouts/unlock/", {"reference": reference}).status_code
    assert 405 == strict.get("/staff/lockouts/unlock/", {"reference": reference}).status_code
    assert not is_in(policy, request_)


def test_superusers_may_where_nothing_else_is_said(staff):
    """Each site has its own page, and links to that."""
    boss, other = staff(name="boss", is_superuser=True), staff("view_user", "change_user")
    assert 200 == boss.get("/partners/lockouts/").status_code
    assert 403 == other.get("/partners/lockouts/").status_code
    for name in ("staff", "partners"):
        index = boss.get(f"/{name}/").text
        assert index.count(f'<a href="/{name}/lockouts/">Lockouts</a>') == 1, name
    assert ["Lockouts"] == [app["name"] for app in site.get_app_list(_request(boss), "lockout_decorators")]
    assert ["Authentication and Authorization"] == [app["name"] for app in site.get_app_list(_request(boss), "auth")]


def test_a_site_that_was_mounted_before_has_no_page(staff):
    """Nor a link that leads nowhere."""
    boss = staff(is_superuser=True)
    assert 200 == boss.get("/late/").status_code
    assert "lockouts" not in boss.get("/late/").text


def _request(client):
    """One of that client's, as the site sees it."""
    return client.get("/staff/").wsgi_request


def test_a_callable_says_who_may(staff, rf):
    """Of the request; users of a kind without permissions have none."""
    own = AdminSite("own")
    add_to(own, view=lambda request: request.GET.get("me") == "support", unlock=lambda request: None)
    request = rf.get("/", {"me": "support"})
    page = own._lockouts
    assert (True, False) == (page.may_view(request), page.may_unlock(request))
    assert not page.may_view(rf.get("/"))
    add_to(own)
    request.user = object()
    assert not own._lockouts.may_view(request)


async def nobody_waits(request):
    """Of no use: what it returns is true."""


@pytest.mark.parametrize("wrong", ["view_user", "auth.", 7, None, nobody_waits])
def test_what_is_no_permission_is_refused(wrong):
    """When it is said, not when somebody asks."""
    for name in ("view", "unlock"):
        with pytest.raises((TypeError, ValueError), match=f"add_to: {name} is .*; it must be"):
            add_to(AdminSite("own"), **{name: wrong})


# What it shows


def test_names_are_shown_and_do_no_harm(support, policy, request_):
    """No markup, no characters that turn or hide what follows; letters of all scripts are what they are."""
    for name in ("<script>alert(1)</script>", "\u202enimda\u200b\0\x1b[2J", "Ünal Öz", "' onmouseover='x"):
        lock(policy, request_, name)
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
    reference = lock(policy, request_)
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


def test_a_cache_that_is_down_is_told(support, policy, request_, monkeypatch):
    """With 503, by the page and by its buttons; the rest of the admin works."""
    reference = lock(policy, request_)

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


def test_nothing_in_it_needs_a_script_or_a_style_of_its_own(support, policy, request_):
    """So a strict Content-Security-Policy lets all of it through."""
    lock(policy, request_)
    content = support.get("/staff/lockouts/", {"ip": HERE}).text.partition('id="content-main"')[2]
    assert not re.findall(r"<script|<style|\sstyle=|\son\w+=|javascript:|https?://", content.partition("<!-- END")[0])


def test_no_policy_no_page_of_nothing(support):
    """A project that has none yet."""
    page = text_of(support.get("/staff/lockouts/"))
    assert "No locks on file." in page
    assert "No policies." in page


def test_the_command_tells_the_same(support, policy, request_, capsys):
    """Of the same lock."""
    from django.core.management import call_command

    reference = lock(policy, request_)
    call_command("lockout", "list", "--json")
    (told,) = json.loads(capsys.readouterr().out)["locks"]
    page = support.get("/staff/lockouts/")
    assert (reference, "sign in", "bob", HERE) == tuple(
        told[name] for name in ("reference", "scope", "username", "address")
    )
    assert reference in page.text
    assert [("locked", HERE, "bob", "sign in", "client")] == rows_of(page, "lockouts-recent")

"""`manage.py lockout list|show|unlock|policies`: what support does for somebody who is locked out."""

import json
import re
from datetime import UTC, datetime
from io import StringIO
from types import SimpleNamespace

import pytest
from django.contrib.auth import authenticate
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from lockout_decorators import LockedOut, LockoutPolicy, signals
from lockout_decorators.conf import conf
from lockout_decorators.journal import entries
from lockout_decorators.stores import Store, store_for
from tests import urls  # noqa: F401  # its policies are registered before a test begins
from tests.entries import lock_out

REFERENCE = r"[2-9A-HJKMNP-Z]{4}-[2-9A-HJKMNP-Z]{4}"
HERE = "192.0.2.7"


def lockout(*arguments, status=0):
    """What the command prints, and that it ends with a status."""
    out, ended = StringIO(), 0
    try:
        call_command("lockout", *arguments, stdout=out)
    except SystemExit as end:
        ended = end.code
    except CommandError as error:
        ended = error.returncode
        out.write(str(error))
    assert status == ended
    return out.getvalue()


def told(*arguments, status=0):
    return json.loads(lockout(*arguments, "--json", status=status))


def is_in(policy, request, username):
    """Whether the right password is let through."""
    try:
        with policy.observe(request):
            return authenticate(request, username=username, password="right") is not None
    except LockedOut:
        return False


@pytest.fixture
def request_(request_):
    """With all that a key may be made of."""
    request_.user, request_.session = SimpleNamespace(pk=7, is_authenticated=True), SimpleNamespace(session_key="s")
    request_.META["HTTP_X_API_KEY"] = "k"
    return request_


# By reference


@pytest.mark.parametrize("key", ["ip", "ua", "username", "user", "session", "header:X-Api-Key", "ip+username", max])
def test_a_lock_is_found_by_its_reference_in_one_read(request_, key, monkeypatch):
    """Whatever its key is made of, and however the reference is typed; unlocked, the right password gets in."""
    key = key if isinstance(key, str) else lambda request, identity: "all"
    policy = LockoutPolicy(scope="s", key=key, max=2)
    reference = lock_out(policy, request_, "bob")
    assert not is_in(policy, request_, "bob")
    reads, find = [], entries.find
    monkeypatch.setattr(entries, "find", lambda *args: reads.append(args) or find(*args))
    (shown,) = told("show", reference.lower().replace("-", " "))["counters"]
    assert (reference, "s", True, 2, "key") == tuple(
        shown[name] for name in ("reference", "scope", "locked", "failures", "counter")
    )
    assert len(reads) == 1
    assert lockout("unlock", reference.replace("-", "")) == "s: unlocked (locked)\n"
    assert is_in(policy, request_, "bob")
    assert lockout("unlock", reference, status=1) == "Nothing on record.\n"
    assert not told("show", reference, status=1)["counters"][0]["locked"]


def test_each_counter_has_a_reference_of_its_own(request_):
    """That of the address's ceiling lifts no more than that."""
    policy = LockoutPolicy(scope="s", key="ip+username", max=1, ceiling=2)
    eve = lock_out(policy, request_, "eve")
    lock_out(policy, request_, "kim")
    (ceiling,) = [one for one in told("list")["locks"] if one["counter"] == "ceiling"]
    assert not is_in(policy, request_, "bob")
    assert lockout("unlock", ceiling["reference"]) == "s: unlocked (ceiling, locked)\n"
    assert is_in(policy, request_, "bob")
    assert policy.status(request_, "eve").reference == eve


@pytest.mark.parametrize("codes", [("22222222", "33333333"), ("33333333", "22222222")])
def test_a_later_lock_is_not_lifted_by_an_earlier_reference(codes, request_, monkeypatch):
    """Nor by one that nobody has."""
    monkeypatch.setattr("lockout_decorators.attempts.seats.new_code", map(str, codes).__next__)
    policy = LockoutPolicy(scope="s", key="ip", max=1)
    first = lock_out(policy, request_)
    policy.reset(request_)
    lock_out(policy, request_)
    for reference in (first, "7777-7777"):
        assert lockout("unlock", reference, status=1) == "Nothing on record.\n"
    assert policy.status(request_).locked


def test_a_lock_that_is_over_is_still_known_for_a_day(request_, time_machine):
    """So is when it ended; the exit status tells."""
    time_machine.move_to(datetime(2030, 1, 1, tzinfo=UTC), tick=False)
    reference = lock_out(LockoutPolicy(scope="s", key="ip", max=1, lockout=60), request_)
    assert told("show", reference)["counters"][0]["until"] == "2030-01-01T00:01:00+00:00"
    time_machine.shift(61)
    (shown,) = told("show", reference, status=1)["counters"]
    assert (False, "2030-01-01T00:01:00+00:00") == (shown["locked"], shown["until"])
    time_machine.shift(86398)
    assert told("show", reference, status=1)["counters"] == [shown]
    time_machine.shift(2)
    assert told("show", reference, status=1)["counters"] == []


def test_a_lock_that_was_shortened_ends_when_it_is_said_to(request_, time_machine, monkeypatch):
    """By the policy as it is now; of one that this process does not know, as it was written."""
    time_machine.move_to(datetime(2030, 1, 1, tzinfo=UTC), tick=False)
    reference = lock_out(LockoutPolicy(scope="s", key="ip", max=1, lockout=6000), request_)
    monkeypatch.setattr("lockout_decorators.terms.registry.registered", registered := {})
    for module in ("policy", "support.standing"):
        monkeypatch.setattr(f"lockout_decorators.{module}.registered", registered)
    assert told("show", reference)["counters"][0]["until"] == "2030-01-01T01:40:00+00:00"
    LockoutPolicy(scope="s", key="ip", max=1, window=7)
    assert told("show", reference)["counters"][0]["until"] == "2030-01-01T01:40:00+00:00"
    registered.clear()
    monkeypatch.setattr("lockout_decorators.terms.registry.registered", registered)
    LockoutPolicy(scope="s", key="ip", max=1, lockout=60)
    assert told("show", reference)["counters"][0]["until"] == "2030-01-01T00:01:00+00:00"
    time_machine.shift(61)
    assert not told("show", reference, status=1)["counters"][0]["locked"]
    registered.clear()
    assert told("show", reference)["counters"][0]["locked"]


# By description


def test_an_address_is_unlocked_under_every_policy_that_counts_by_it(request_):
    """It says what stood there; of a policy that asks for more, the address's ceiling, and what else it needs."""
    one, two = LockoutPolicy(scope="one", key="ip", max=2), LockoutPolicy(scope="two", key="ip", max=3)
    other = LockoutPolicy(scope="other", key="ip+username", max=2, ceiling=1)
    lock_out(one, request_)
    lock_out(other, request_, "eve")
    with two.attempt(request_):
        pass
    assert not is_in(other, request_, "bob")
    said = [
        "one: unlocked (locked)",
        "two: unlocked (1 of 3)",
        "other: unlocked (ceiling, locked)",
        "other: needs --username",
    ]
    dry = [line.replace("unlocked", "would be unlocked") for line in said]
    assert dry == lockout("unlock", "--ip", HERE, "--dry-run").splitlines()[: len(said)]
    assert one.status(request_).locked
    assert said == lockout("unlock", "--ip", HERE).splitlines()[: len(said)]
    assert [False, 0] == [one.status(request_).locked, two.status(request_).failures]
    assert is_in(other, request_, "bob")
    assert other.status(request_, "eve").locked
    assert lockout("unlock", "--ip", HERE, status=1).startswith("Nothing on record.\nother: needs --username\n")


def test_parts_of_every_kind_are_described(request_):
    """In whatever way a name is spelled, and whatever the proxies are."""
    described = {
        "username": ["--username", "BOB"],
        "ip+username": ["--ip", HERE, "--username", "bob"],
        "ua": ["--user-agent", "curl"],
        "user": ["--user", "7"],
        "session+ip": ["--session", "s", "--ip", HERE],
        "header:X-Api-Key": ["--header", "x-api-key: k"],
    }
    for key, options in described.items():
        policy = LockoutPolicy(scope=key, key=key, max=1)
        lock_out(policy, request_, "Bob")
        assert told("show", "--scope", key, *options)["counters"][-1]["locked"], key
        lockout("unlock", "--scope", key, *options)
        assert is_in(policy, request_, "bob"), key
        assert told("show", "--scope", key, *options, status=1)["counters"][-1]["failures"] == 0


def test_addresses_are_those_of_clients(request_, settings, rf):
    """Not those that LOCKOUT_CLIENT_IP or a proxy would find in a request of ours; IPv6 by its network."""
    settings.LOCKOUT_CLIENT_IP = lambda request: request.META["HTTP_X_REAL_IP"]
    settings.LOCKOUT_TRUSTED_PROXIES = [HERE]
    policy = LockoutPolicy(scope="s", key="ip", max=1)
    for address in (HERE, "2001:db8::1"):
        lock_out(policy, rf.post("/", REMOTE_ADDR="10.0.0.1", headers={"x-real-ip": address}))
    assert lockout("unlock", "--scope", "s", "--ip", HERE) == "s: unlocked (locked)\n"
    assert lockout("unlock", "--scope", "s", "--ip", "2001:DB8::2").endswith("\ns: unlocked (locked)\n")
    lock_out(policy, rf.post("/", REMOTE_ADDR="10.0.0.1", headers={"x-real-ip": "2001:db8::1"}))
    assert lockout("unlock", "--scope", "s", "--ip", "2001:db8::/64").endswith("\ns: unlocked (locked)\n")


def test_a_computed_name_is_computed(request_):
    """As the policy does."""
    policy = LockoutPolicy(scope="s", key="username", max=1, username=lambda request, given: given["username"][:3])
    with policy.observe(request_):
        authenticate(request_, username="bobby", password="wrong")
    assert lockout("unlock", "--scope", "s", "--username", "bob") == "s: unlocked (locked)\n"


def test_a_name_that_is_computed_from_more_is_passed_over(request_):
    """A host, another credential: it hinders nobody's unlocking under other policies."""
    LockoutPolicy(scope="host", key="ip+username", username=lambda request, given: request.get_host())
    LockoutPolicy(scope="tenant", key="username", username=lambda request, given: given["tenant"])
    lock_out(LockoutPolicy(scope="s", key="username", max=1), request_, "bob")
    told = lockout("unlock", "--username", "bob", "--ip", HERE)
    assert "s: unlocked (locked)\n" in told
    for scope in ("host", "tenant"):
        assert f"{scope}: its key is code; unlock by reference" in told


def test_what_can_not_be_done_is_an_error(request_):
    """With what is allowed; its exit status is neither that of a lock nor of none."""
    LockoutPolicy(scope="one", key="ip+username")
    LockoutPolicy(scope="code", key=lambda request, identity: "all")
    for arguments, said in (
        (["--ip", HERE, "--scope", "two"], r"No policy has the scope 'two'; there are: .*one"),
        (["--ip", "192.0.2.0/24"], "'192.0.2.0/24' is no address, nor the network as which"),
        (["--ip", "bob"], "--ip: 'bob' does not appear to be an IPv4 or IPv6 address"),
        (["--ip", "::1%\nforged"], r"--ip: '::1%\\nforged' has a zone"),
        (["--user", "7", "--scope", "one"], r"No policy counts by --user\."),
        (["--header", "x: y", "--scope", "one"], r"No policy counts by --header 'x: \.\.\.'"),
        (["--header", "x"], "it must be 'Name: value'"),
        (["0000-0000"], "'0000-0000' is no reference: two groups of four of 2345"),
        ([], "Say who is meant: by a reference, or by --ip, "),
        (["7F3K-92QD", "--ip", HERE], "Say who is meant: by a reference, or by --ip, "),
    ):
        for command in ("show", "unlock"):
            assert re.search(said, lockout(command, *arguments, status=2)), arguments
    assert "code: its key is code; unlock by reference" in lockout("show", "--ip", HERE, status=1)


def test_a_lock_is_found_though_another_cache_is_down(request_):
    """Only what is found nowhere is an error."""
    LockoutPolicy(scope="away", key="ip", cache="away")
    reference = lock_out(LockoutPolicy(scope="s", key="ip", max=1), request_)
    assert lockout("unlock", reference) == "s: unlocked (locked)\n"
    assert "cache 'away'" in lockout("show", "2222-2222", status=2)


def test_an_outage_is_an_error(request_, settings):
    """Of whichever cache is asked."""
    settings.LOCKOUT_CACHE = "away"
    for arguments in (["list"], ["show", "2222-2222"], ["unlock", "2222-2222"]):
        assert "cache 'away'" in lockout(*arguments, status=2)
    LockoutPolicy(scope="away", key="ip", cache="away")
    assert "cache 'away'" in lockout("unlock", "--ip", HERE, "--scope", "away", status=2)


def test_a_broken_urlconf_is_an_error(settings):
    """Without a traceback."""
    settings.ROOT_URLCONF = "tests.nowhere"
    assert "The URLconf can't be read: ModuleNotFoundError" in lockout("list", status=2)


def test_whoever_unlocks_is_told(request_, caplog, monkeypatch):
    """In the log, with the facts beside the line, and by a signal; in a container the user may have no name."""
    policy = LockoutPolicy(scope="s", key="ip", max=1)
    reference, seen = lock_out(policy, request_), []
    monkeypatch.setattr("lockout_decorators.management.unlock.getuser", lambda: {}["USER"])
    signals.lockout_reset.connect(receive := lambda sender, detail, **kwargs: seen.append((sender, detail.status)))
    with caplog.at_level("INFO", "lockout_decorators"):
        lockout("unlock", reference)
    signals.lockout_reset.disconnect(receive)
    ((sender, status),) = seen
    assert (policy, False, "s") == (sender, status.locked, status.scope)
    assert re.fullmatch(rf"unlocked: scope='s' .* by='command: unknown' reference={reference}", caplog.messages[-1])
    facts = caplog.records[-1].lockout
    assert ("lockout_reset", reference, False, "command: unknown") == tuple(
        facts[name] for name in ("event", "reference", "locked", "by")
    )


def test_what_was_unlocked_is_told_as_json(request_, monkeypatch):
    """A cache that fails between is an error; nothing was unlocked then."""
    policy = LockoutPolicy(scope="s", key="ip", max=1)
    reference = lock_out(policy, request_)
    with monkeypatch.context() as broken:
        broken.setattr(entries, "lift", lambda *args: store_for("default").read(None))
        assert lockout("unlock", reference, status=2).startswith("cache 'default'")
    assert policy.status(request_).locked
    done = told("unlock", reference)
    assert (reference, [], False) == (done["unlocked"][0]["reference"], done["passed_over"], done["dry_run"])
    assert not policy.status(request_).locked


def test_who_unlocks_has_a_name(request_, caplog):
    """Of the system."""
    with caplog.at_level("INFO", "lockout_decorators"):
        lockout("unlock", lock_out(LockoutPolicy(scope="s", key="ip", max=1), request_))
    assert re.search(r"by='command: (?!unknown)\w+'", caplog.text)


# The list


def test_without_a_journal_nothing_is_filed(request_, settings):
    """Whoever is known by address or name can be helped all the same."""
    settings.LOCKOUT_JOURNAL = None
    reference = lock_out(LockoutPolicy(scope="s", key="ip", max=1), request_)
    assert lockout("list") == "No locks on file.\n"
    assert told("show", reference, status=1)["counters"] == []
    assert lockout("unlock", "--ip", HERE, "--scope", "s") == "s: unlocked (locked)\n"


def test_a_setting_that_is_none_of_these_is_an_error(settings):
    """And names them."""
    settings.LOCKOUT_JOURNAL = "yes"
    with pytest.raises(ImproperlyConfigured, match="LOCKOUT_JOURNAL is 'yes'; it must be True, False, or None"):
        _ = conf.journal


def test_recent_locks_are_listed_without_anybody_s_data(request_, rf, settings, time_machine):
    """The last one first; who it was only with LOCKOUT_JOURNAL."""
    time_machine.move_to(datetime(2030, 1, 1, tzinfo=UTC), tick=False)
    policy = LockoutPolicy(scope="s", key="ip+username", max=1)
    references = [lock_out(policy, request_, "bob")]
    settings.LOCKOUT_JOURNAL = True
    time_machine.shift(1)
    references.append(lock_out(policy, rf.post("/", REMOTE_ADDR="192.0.2.8"), "ev\u00e9\n"))
    policy.reset(request_, "bob")
    listed = told("list", "--scope", "s")["locks"]
    assert references[::-1] == [one["reference"] for one in listed]
    assert [("192.0.2.8", "ev\u00e9\n", True), (None, None, False)] == [
        (one["address"], one["username"], one["locked"]) for one in listed
    ]
    head, *rows = lockout("list", "--scope", "s").splitlines()
    assert head.split() == ["reference", "scope", "counter", "state", "since", "until", "address", "username"]
    assert re.fullmatch(rf"{REFERENCE}  s +key +locked +[-\d: ]{{40}} +192.0.2.8 +ev\\xe9\\n", rows[0])
    assert re.fullmatch(rf"{REFERENCE}  s +key +free +[-\d: ]+", rows[1])
    assert len(lockout("list", "--locked", "--scope", "s").splitlines()) == 2
    assert "... and 1 more: --limit 2" in lockout("list", "--limit", "1", "--scope", "s")
    assert lockout("list", "--scope", "none", status=2).startswith("No policy has the scope 'none'")


@pytest.mark.parametrize(
    ("terms", "said"), [({"lockout": None}, "lifted by hand"), ({"enforce": False}, "locked, not enforced")]
)
def test_what_is_peculiar_to_a_lock_is_listed(terms, said, request_):
    """That it has no end, or refuses nobody; once it is lifted, it is none."""
    lock_out(LockoutPolicy(scope="s", key="ip", max=1, **terms), request_)
    assert said in lockout("list")
    lockout("unlock", "--ip", HERE)
    assert lockout("list", "--locked") == "No locks on file.\n"


def test_a_flood_of_locks_keeps_the_list_bounded(rf, monkeypatch):
    """One write a lock; the last ones are there, and each is found by its reference."""
    monkeypatch.setattr(entries, "PAGE", 8)
    policy, swaps, swap = LockoutPolicy(scope="s", key="ip", max=1), [], Store.swap
    monkeypatch.setattr(Store, "swap", lambda *args: swaps.append(args) or swap(*args))
    references = [lock_out(policy, rf.post("/", REMOTE_ADDR=f"10.0.0.{number}")) for number in range(200)]
    # The slot, the journal, the lock; a page may have been seen before.
    assert 0 <= len(swaps) - 200 * 3 <= entries.PAGES
    listed = [one["reference"] for one in told("list", "--limit", "1000")["locks"]]
    assert entries.PAGES == len([name for name in caches["default"]._cache if ":page" in name])
    assert entries.PAGES * 4 < len(listed) <= entries.PAGES * 8
    assert set(references[-25:]) <= set(listed)
    assert told("show", references[0])["counters"][0]["locked"]


def test_policies_are_listed():
    """With what they say."""
    LockoutPolicy(scope="s", key="ip+ua", max=3, lockout=(60, 300))
    (listed,) = told("policies", "--scope", "s")["policies"]
    assert ("s", "ip+ua", 3, [60, 300], 5) == tuple(
        listed[name] for name in ("scope", "key", "max", "lockout", "ceiling")
    )
    assert re.search(r"^s +ip\+ua +3 +300 +60, 300 +False +5 +- +default +True$", lockout("policies"), re.MULTILINE)

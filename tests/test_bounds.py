"""What a rule bounds is what an attacker gets who plays every game there is, by the real moves on a clock of ticks; and
the same through Django, by the two ways that the figures are made of.
"""

from datetime import timedelta

import pytest
import time_machine
from django.test import RequestFactory
from django.utils.translation import override

from lockout_decorators import LockoutPolicy, lockout_protect, policies_of
from lockout_decorators.records import moves
from lockout_decorators.records.bounds import SECOND, per_second, within
from lockout_decorators.records.record import EMPTY, FOREVER, Record, Slot
from lockout_decorators.records.rule import Rule
from lockout_decorators.terms.bounds import ADDRESSES, Guesses
from tests.doors import RIGHT, check
from tests.sizes import IN_FULL

NOW, OWN = 1_000_000, "0a0a0a0a"
TICKS, LONG = 40, 240  # within which every stretch is tried, and long enough for the long run

EXACT = [
    *[Rule(3, 4, (4,)), Rule(3, 5, (3,)), Rule(3, 5, (7,)), Rule(3, 5, (None,)), Rule(3, 6, (7,)), Rule(3, 3, (5,))],
    *[Rule(1, 3, (4,)), Rule(1, 3, (None,))],
    *[Rule(3, 4, (5,), True), Rule(3, 4, (2,), True), Rule(3, 4, (), True), Rule(2, 3, (None,), True)],
    *[
        Rule(3, 5, (6,), True),
        Rule(3, 2, (3, 5), False, 40),
        Rule(3, 2, (3, 5), True, 40),
        Rule(3, 2, (5, 1), False, 40),
    ],
]
BOUNDED = [  # the level is forgotten within the stretch; or two slots, of which whoever opened the window keeps one
    *[Rule(3, 3, (2, 4, 6), False, 7), Rule(3, 3, (1, 4, 20), False, 7), Rule(3, 3, (1, 4, 20), True, 7)],
    *[Rule(2, 3, (9, 3), False, 5), Rule(2, 4, (2, 30), True, 10), Rule(2, 4, (6,))],
]


def guess(record, rule, number):
    """A wrong one, the `number`th of this tick; None if it is refused."""
    slot = Slot(False, NOW, f"b{number:07x}")
    admitted = moves.admit(record, rule, NOW, slot)
    return None if isinstance(admitted, moves.Refusal) else moves.fail(admitted, rule, NOW, slot, "reference")


def forgiving(record, rule):
    """What a success leaves that proves an earlier tick's failure to be its own typo; it needs a slot for itself."""
    if not record.locked and len(record.slots) < rule.max:
        for place, slot in enumerate(record.slots):
            if slot.when < NOW:
                slots = (*record.slots[:place], slot.tagged(OWN), *record.slots[place + 1 :])
                yield moves.succeed(record._replace(slots=slots), rule, NOW, "", OWN)


def later(record, rule):
    """The record a tick on, told from that instant; what differs in nothing that counts is the same."""
    window, since, until, _, level, slots = moves.prune(record, rule, NOW + 1)
    ages = enumerate(sorted(slot.when for slot in slots))
    return Record(
        window and window - 1,
        since and (NOW if until == FOREVER else since - 1),
        until if until in (0, FOREVER) else until - 1,
        "",
        min(level, len(rule.lengths)),
        tuple([Slot(True, when - 1, f"{number:08x}") for number, when in ages]),
    )


def games(record, rule, forgive=False):
    """All that can be done within a tick: how many wrong guesses, and what stands then."""
    found, todo = {}, [(0, record)]
    while todo:
        count, record = todo.pop()
        if found.get(record, -1) < count:
            found[record] = count
            guessed = guess(record, rule, count)
            todo += [(count + 1, guessed)] if guessed else []
            todo += [(count, forgiven) for forgiven in forgiving(record, rule)] if forgive else []
    return [(count, later(record, rule)) for record, count in found.items()]


def best(rule, ticks):
    """The most wrong guesses within 1, 2, 3... ticks, whatever came before; typos that are forgiven, too."""
    before, todo = {}, [EMPTY]
    while todo:
        record = todo.pop()
        if record not in before:
            before[record] = games(record, rule, forgive=True)
            todo += [record for _, record in before[record]]
    after, most = {record: games(record, rule) for record in before}, dict.fromkeys(before, 0)
    for _ in range(ticks):
        yield max(count + most[record] for ways in before.values() for count, record in ways)
        most = {one: max(count + most[record] for count, record in ways) for one, ways in after.items()}


@pytest.mark.parametrize("rule", [*EXACT, *BOUNDED], ids=str)
def test_no_game_brings_more_than_the_bound(rule):
    """In no stretch; where no level is forgotten, the best one brings just that. It reaches the rate."""
    brought, bound = [*best(rule, LONG)], [within(rule, ticks) for ticks in range(1, LONG + 1)]
    assert all(most <= bounded for most, bounded in zip(brought, bound, strict=True))
    assert rule in BOUNDED or brought[1:TICKS] == bound[1:TICKS]
    assert (brought[-1] - brought[-121]) / 120 == pytest.approx(per_second(rule) / SECOND, abs=rule.max / 120)


@pytest.mark.parametrize(
    ("rule", "worst", "rate"),
    [
        (Rule(5, 300_000, (600_000,)), 9, 4 / 300),
        (Rule(5, 300_000, (300_000,)), 9, 5 / 300),
        (Rule(5, 300_000, (600_000,), True), 5, 4 / 300),
        (Rule(5, 300_000, (60_000,), True), 5, 5 / 300),
        (Rule(5, 300_000, (), True), 5, 5 / 300),
        (Rule(5, 300_000, (60_000,)), 4 + 5 * 5, 5 / 60),
        (Rule(5, 300_000, (None,)), 9, 4 / 300),
        (Rule(1, 300_000, (None,)), 1, 0),
        (Rule(5, 300_000, (60_000, 3_600_000)), 4 + 10, (5 + 4 * 288) / (60 + 86_400)),
        (Rule(5, 300_000, (60_000, 3_600_000), False, 310_000), 4 + 10, (5 + 4) / (60 + 310)),
        (Rule(5, 300_000, (60_000, 3_600_000), False, 590_000), 4 + 10, (5 + 4 * 2) / (60 + 600)),
    ],
)
def test_figures_of_common_rules(rule, worst, rate):
    """In the worst stretch as long as the window, and a second in the long run: as one works them out by hand."""
    assert (within(rule, rule.window), per_second(rule)) == (worst, pytest.approx(rate))


# Through Django


def attack(clock, policy, seconds, trips):
    """Guess whenever it is let through, until `seconds` have passed: up to the lock, or one short of it each window."""
    login = lockout_protect(policy)(check)

    def post(password):
        return login(RequestFactory().post("/", {**RIGHT, "password": password})).status_code

    for _ in range(0, seconds, 30):
        left = policy.status(RequestFactory().get("/"))
        for _ in range(left.maximum - left.failures - (0 if trips else 1)):
            post("wrong")
        clock.shift(30)
    return post


@pytest.mark.parametrize("trips", [True, False], ids=["trips the lock", "stays below"])
@pytest.mark.parametrize(
    "terms",
    [
        {"max": 3, "window": 300, "lockout": 600},
        {"max": 3, "window": 600, "lockout": 600},
        {"max": 3, "window": 600, "lockout": 60, "rolling": True},
        {"max": 3, "window": 300, "lockout": 900, "rolling": True},
        {"max": 3, "window": 600, "lockout": 0, "rolling": True},
        {"max": 3, "window": 300, "lockout": (60, 600, 1800)},
    ],
    ids=str,
)
def test_simulated_attacker_gets_what_the_figures_say(terms, trips, verified):
    """For hours by either way: the better one reaches the rate, none exceeds the bound; then the right password."""
    policy, hours = LockoutPolicy(scope="door", key="ip", **terms), (6 if IN_FULL else 3) * 3600
    bounds, kind = policy.bounds(), policy.kinds[-1]
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        post = attack(clock, policy, hours, trips)
        guessed = len(verified)
        statuses = [post("wrong") for _ in range(policy.max)] + [post("right")]
    ways = [policy.max / max(*kind.rule.lengths[-1:], terms.get("rolling", False) * kind.rule.window, 1) * SECOND]
    ways += [(policy.max - 1) / policy.window]
    assert guessed <= within(kind.rule, hours * SECOND)
    assert guessed == pytest.approx(ways[0 if trips else 1] * hours, abs=3 * policy.max)
    assert bounds.per_second == pytest.approx(max(ways), rel=0.01)  # growing: what is forgotten adds next to nothing
    assert 200 not in statuses


# Of policies


@pytest.mark.parametrize(
    ("terms", "account", "total"),
    [
        ({"key": "ip"}, [1, 1_000, 100_000], [1, 1_000, 100_000]),
        ({"key": "ip+username"}, [1, 1_000, 100_000], [5, 5_000, 500_000]),
        ({"key": "ip+username", "ceiling": None}, [1, 1_000, 100_000], None),
        ({"key": "username"}, [1, 1, 1], [5, 5_000, 500_000]),
        ({"key": "username", "ceiling": None}, [1, 1, 1], None),
        ({"key": "user"}, [1, 1, 1], None),
        ({"key": "ip+ua"}, [5, 5_000, 500_000], [5, 5_000, 500_000]),
        ({"key": "session", "ceiling": None}, None, None),
        ({"key": lambda request, identity: "x"}, None, None),
        ({"key": lambda request, identity: "x", "ceiling": 2}, [2, 2_000, 200_000], [2, 2_000, 200_000]),
        ({"key": "ip", "enforce": False}, None, None),
    ],
    ids=lambda terms: getattr(terms["key"], "__name__", terms["key"]) if isinstance(terms, dict) else None,
)
def test_addresses_and_accounts(terms, account, total):
    """How many times a client's share the addresses get: at one account, and at all."""
    bounds = LockoutPolicy(scope="s", max=10, window=3600, lockout=3600, rolling=True, **terms).bounds()
    for found, times in ((bounds.account, account), (bounds.total, total)):
        for addresses, one, many in zip(ADDRESSES, found, times or [None] * 3, strict=True):
            hour, day = (None, None) if many is None else (many * 10, many * 240)
            assert (one.addresses, one.hour, one.day) == (addresses, hour, day)
            assert one.per_day == (day and pytest.approx(day))


def test_bounds_are_a_frozen_value():
    """With what one client gets, and who keeps out whom."""
    policy = LockoutPolicy(scope="s", key="ip+username", max=5, window=300, lockout=600)
    bounds = policy.bounds()
    assert (bounds.per_second, bounds.interval) == (pytest.approx(4 / 300), 9)
    assert bounds.account[0] == Guesses(1, pytest.approx(1152), 4 + 11 * 4 + 5, 4 + 287 * 4 + 5)
    assert (bounds, hash(bounds)) == (policy.bounds(), hash(policy.bounds()))
    with pytest.raises(AttributeError):
        bounds.interval = 5
    assert bounds.keeps_out == (
        "anybody behind the same address, by 25 wrong guesses: all there",
        "anybody behind the same address, by 5 wrong guesses: the owner of the account there",
    )


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("ip", "anybody behind the same address, by 5 wrong guesses: all there"),
        ("username", "anybody, by 5 wrong guesses: the owner of the account anywhere"),
        ("user", "whoever is signed in, by 5 wrong guesses: that account's user anywhere"),
        ("ua", "anybody with the same user agent, by 5 wrong guesses: all there"),
        (
            "session+header:X-Key",
            "anybody in the same session with the same header:X-Key, by 5 wrong guesses: all there",
        ),
        (lambda request, identity: "x", "anybody with the same key, by 5 wrong guesses: all there"),
    ],
)
def test_who_keeps_out_whom(key, told):
    """In a sentence for each key; nobody where nothing is enforced."""
    assert LockoutPolicy(scope="s", key=key, max=5, ceiling=None).bounds().keeps_out == (told,)
    known = LockoutPolicy(scope="s", key=key, max=5, ceiling=None, known_browsers=timedelta(days=90))
    assert known.bounds().keeps_out == (f"{told}, save known browsers",)
    assert LockoutPolicy(scope="s", key=key, max=5, enforce=False).bounds().keeps_out == ()


def test_one_guess_that_keeps_out_is_one():
    """In English, whatever language is active: the report is in no other."""
    with override("de"):
        (told,) = LockoutPolicy(scope="s", key="ip", max=1).bounds().keeps_out
    assert told == "anybody behind the same address, by 1 wrong guess: all there"


def test_bounds_do_not_need_a_scope():
    """A policy that will count under its view's name has them before there is a view."""
    (policy,) = policies_of(lockout_protect(key="ip", max=2, window=60, lockout=60)(nothing))
    assert policy.bounds().interval == 3


def nothing(request):
    """Only its name matters."""

"""The moves by hand, rule by rule of the design: each test tells a story of a client; tests/model.py tells the rest."""

import pytest

from lockout_decorators.records import moves
from lockout_decorators.records.moves import Refusal
from lockout_decorators.records.record import (
    ABANDONED,
    EMPTY,
    HIGHEST,
    MOST,
    NOBODY,
    STAMP,
    Record,
    Slot,
    parse,
    spell,
)
from lockout_decorators.records.rule import Rule

NOW = 1_800_000_000_000
SECOND, MINUTE = 1000, 60_000
WINDOW, LOCK = 300_000, 600_000
BOB, EVE = "b0bb0bb0", "e7ee7ee7"  # tags
FIXED = Rule(3, WINDOW, (LOCK,))
ROLLING = FIXED._replace(rolling=True)
WIDE = FIXED._replace(max=9, spread=3)
ROLLING_WIDE = WIDE._replace(rolling=True)
BOTH = pytest.mark.parametrize("rule", [FIXED, ROLLING], ids=["fixed", "rolling"])
BOTH_WIDE = pytest.mark.parametrize("rule", [WIDE, ROLLING_WIDE], ids=["fixed", "rolling"])


class Client:
    """A record, and what happens to it."""

    def __init__(self, rule=FIXED, now=NOW):
        self.rule, self.now, self.record = rule, now, EMPTY

    def admit(self, *names, tag=BOB, own=(), at=""):
        """Let guesses take a slot; gives what refuses the last of them."""
        refused = None
        for name in names:
            came = moves.admit(self.record, self.rule, self.now, slot(name, tag, at), frozenset(map(occupancy, own)))
            refused = came if isinstance(came, Refusal) else None
            self.record = self.record if refused else came
        return refused

    def fail(self, *names, tag=BOB, at=""):
        """Enter wrong guesses; whether the last of them locked."""
        for name in names:
            before = self.record
            self.record = moves.fail(before, self.rule, self.now, slot(name, tag, at), f"ref{name}")
        return self.record.reference == f"ref{name}" != before.reference

    def guess(self, *names, tag=BOB, at=""):
        """Wrong guesses from beginning to end; what refused the last one, or whether it locked."""
        came = None
        for name in names:
            came = self.admit(name, tag=tag, at=at) or self.fail(name, tag=tag, at=at)
        return came

    def spray(self, *names):
        """Wrong guesses, each at an account of its own."""
        return [self.guess(name, at=name) for name in names][-1]

    def succeed(self, name, tag=BOB):
        self.record = moves.succeed(self.record, self.rule, self.now, occupancy(name), tag)

    def release(self, name):
        self.record = moves.release(self.record, self.rule, self.now, occupancy(name))

    def forgive(self, *tags, lift):
        self.record = moves.forgive(self.record, self.rule, self.now, tags, lift)

    def wait(self, milliseconds):
        self.now += milliseconds
        return self

    @property
    def standing(self):
        """The record as it counts now."""
        return moves.prune(self.record, self.rule, self.now)

    @property
    def refusal(self):
        return moves.refusal(self.standing, self.rule, self.now)

    @property
    def held(self):
        """The names of the guesses, those that failed in capitals."""
        return "".join(
            chr(int(s.occupancy, 16)).upper() if s.failed else chr(int(s.occupancy, 16)) for s in self.standing.slots
        )


def occupancy(name):
    return f"{ord(name):08x}"


def slot(name, tag, at=""):
    return Slot(False, 0, occupancy(name), f"{ord(at):05x}" if at else NOBODY, tag)


# Rule 2: windows


def test_a_fixed_window_ends_with_all_of_its_failures():
    client = Client()
    client.guess("a")
    client.wait(WINDOW - 1).guess("b")
    assert client.held == "AB"
    client.wait(1)
    assert client.standing == EMPTY
    client.guess("c")
    assert (client.held, client.record.window) == ("C", NOW + 2 * WINDOW)


@BOTH
def test_a_late_failure_is_entered_all_the_same(rule):
    """Whoever sends max guesses in the last moment of a window finds the next one full."""
    client = Client(rule)
    client.admit("a", "b", "c")
    client.wait(WINDOW).fail("a", "b")
    assert client.held == "AB"
    assert client.fail("c")
    assert client.admit("d") == Refusal(NOW + WINDOW + LOCK)


def test_two_windows_that_meet_let_through_twice_max():
    """Never more: where the guess that opened the first was right, and those of the first are settled in the second."""
    client = Client(FIXED)
    client.admit("o", tag=EVE)
    assert client.wait(WINDOW - SECOND).admit("a", "b") is None
    client.succeed("o", EVE)
    assert client.admit("c") is None
    assert client.wait(SECOND).admit("d", "e", "f") is None
    assert client.admit("g")
    assert client.fail("a", "b", "c")
    assert client.refusal == Refusal(client.now + LOCK)


# Rule 3: only failures lock


@BOTH
def test_the_failure_that_makes_max_of_them_locks(rule):
    """From that moment on, under a reference."""
    client = Client(rule)
    assert client.guess("a", "b") is False
    client.wait(SECOND)
    assert client.guess("c") is True
    assert (client.record.since, client.record.until) == (NOW + SECOND, NOW + SECOND + LOCK)
    assert (client.record.locked, client.record.reference, client.record.level) == (True, "refc", 1)


# Rule 4: growing locks, and locks without an end


@pytest.mark.parametrize(
    ("lengths", "grows", "first_to_fourth"),
    [((), False, [0] * 4), ((7,), False, [7] * 4), ((None,), False, [None] * 4), ((1, 2), True, [1, 2, 2, 2])],
)
def test_a_rule_tells_how_long_locks_are(lengths, grows, first_to_fourth):
    rule = FIXED._replace(lengths=lengths)
    assert (rule.grows, [rule.length(level) for level in (1, 2, 3, 4)]) == (grows, first_to_fourth)


def test_a_rule_has_no_spread_and_no_challenge_unless_it_says_so():
    """And forgets a lock after a day."""
    assert Rule(3, WINDOW, (LOCK,)) == (3, WINDOW, (LOCK,), False, 24 * 60 * MINUTE, 0, 0)


@pytest.mark.parametrize("rule", [FIXED, FIXED._replace(lengths=(LOCK, None))], ids=["one length", "growing"])
def test_the_highest_level_stays(rule):
    """Whoever is locked out 65,536 times in a row is locked out all the same, by a record that can be read."""
    client = Client(rule._replace(max=1))
    client.record = Record(until=NOW, level=HIGHEST)
    client.guess("a")
    assert parse(spell(client.record, "0" * STAMP)) == client.record
    assert (client.record.locked, client.record.level) == (True, HIGHEST if rule.grows else 1)


@pytest.mark.parametrize(("max", "kept"), [(3, MOST), (MOST + 5, MOST + 6)])
def test_where_nothing_locks_a_record_does_not_grow_for_ever(max, kept):
    """Of failures that were never asked about the first ones go; who is admitted, stays."""
    client = Client(ROLLING._replace(max=max, lengths=()))
    client.admit("a")
    client.fail(*map(chr, range(0x4E00, 0x4E00 + MOST + 10)))
    assert (len(client.record.slots), client.held[0], client.held[-1]) == (kept, "a", chr(0x4E00 + MOST + 9))
    assert client.refusal == Refusal(NOW + WINDOW)
    assert client.wait(WINDOW).refusal is None


# Rule 5: waiting


@BOTH
def test_nobody_waits_for_guesses_of_the_own_request(rule):
    """But for those of others beside them."""
    client = Client(rule)
    client.admit("a", "b", "c")
    assert client.admit("d", own="abc") == Refusal(NOW + SECOND, waits=False)
    assert client.admit("d", own="abcx") == Refusal(NOW + SECOND, waits=False)
    assert client.admit("d", own="ab") == Refusal(NOW + SECOND, waits=True)


@BOTH
def test_nobody_waits_for_workers_that_are_gone(rule):
    """If every undecided guess is a minute old, the refusal tells when the first of them leaves."""
    client = Client(rule)
    client.guess("a")
    client.admit("b")
    client.wait(SECOND).admit("c")
    client.wait(MINUTE - 1)
    assert client.refusal == Refusal(client.now + SECOND, waits=True)
    client.wait(1)
    assert client.refusal == Refusal(NOW + WINDOW)


# Rule 6: what a success forgives


@BOTH
def test_a_success_forgives_what_it_proves(rule):
    """Failures with its tag: neither those of others, nor guesses of its own that are undecided."""
    client = Client(rule._replace(max=9))
    client.guess("a", "b")
    client.guess("e", tag=EVE)
    client.guess("x", tag="00000000")
    client.admit("c", "d")
    client.succeed("c")
    assert client.held == "EXd"


@BOTH
def test_a_guess_that_is_abandoned_keeps_its_slot_until_the_window_ends(rule):
    """Nobody waits for it; nor may it be settled any more, and no other is abandoned with it."""
    client = Client(rule._replace(max=3))
    client.guess("a")
    client.admit("b", "c")
    for name in "ab":
        client.record = moves.abandon(client.record, client.rule, client.now, occupancy(name))
    client.release("b")
    assert [slot.occupancy for slot in client.standing.slots] == [occupancy("a"), ABANDONED, occupancy("c")]
    client.release("c")
    client.guess("d")
    assert client.refusal == Refusal(NOW + WINDOW)


@BOTH
def test_an_account_is_forgiven(rule):
    """Its failures; undecided guesses, and those of others, stay."""
    client = Client(rule._replace(max=9))
    client.guess("a")
    client.guess("e", tag=EVE)
    client.admit("b")
    client.guess("x", tag="00000000")
    client.forgive(BOB, "0000f00d", lift=True)
    assert client.held == "EbX"
    client.forgive("00000000", EVE, lift=True)
    assert client.held == "bX"


# Rule 8: deploys


@BOTH
@pytest.mark.parametrize("lengths", [(LOCK,), (None,)], ids=["an end", "no end"])
def test_a_shortened_lockout_shortens_standing_locks(rule, lengths):
    """Retry-After tells the truth, and the record as well, once it is written again."""
    client = Client(rule._replace(lengths=lengths))
    client.guess("a", "b", "c")
    client.rule = rule._replace(lengths=(MINUTE,))
    assert client.refusal == Refusal(NOW + (WINDOW if rule.rolling else MINUTE))  # its failures stand until then
    client.wait(MINUTE - 1).release("x")
    assert client.record.until == NOW + MINUTE
    assert not client.wait(1).standing.locked


# The spread: names that an address may fail at


@BOTH_WIDE
def test_the_failure_at_the_last_name_of_the_spread_locks(rule):
    client = Client(rule)
    assert client.spray("a", "b") is False
    assert client.wait(SECOND).spray("c") is True
    assert client.record[1:4] == (client.now, client.now + LOCK, "refc")
    assert client.guess("d", at="a") == Refusal(client.now + LOCK)


def test_a_name_that_stands_there_completes_no_spread_once_more():
    """When the lock is over, those names may be tried again, and no further one."""
    client = Client(ROLLING_WIDE._replace(lengths=(MINUTE,)))
    client.spray("a", "b", "c")
    assert client.wait(MINUTE).guess("d", at="a") is False
    assert client.admit("e", at="e") == Refusal(NOW + WINDOW)


@BOTH_WIDE
def test_one_waits_for_guesses_that_could_complete_the_spread(rule):
    client = Client(rule)
    client.spray("a")
    client.admit("b", at="b")
    client.admit("c", at="c")
    assert client.admit("d", at="d") == Refusal(NOW + SECOND, waits=True)
    assert client.admit("e", at="a") is client.admit("f", at="c") is None
    client.succeed("b")
    assert client.admit("d", at="d") is None


@BOTH_WIDE
def test_who_is_refused_by_the_spread_and_by_max_waits_for_both(rule):
    """And for names alone: a guess without one is at none."""
    client = Client(rule._replace(max=3, spread=2))
    client.spray("a")
    client.admit("b", at="b")
    client.admit("c")
    assert client.admit("d", at="d") == Refusal(NOW + SECOND, waits=True)
    assert client.admit("d", at="d", own="b") == Refusal(NOW + SECOND)
    client.fail("c")
    client.rule = rule._replace(spread=2)
    assert client.admit("d", at="d") == Refusal(NOW + SECOND, waits=True)
    for max, spread in ((3, 1), (1, 2)):
        client.rule = rule._replace(max=max, spread=spread)
        assert client.admit("d", at="d") == Refusal(NOW + WINDOW)


def test_a_guess_counts_as_solved_unless_it_is_said_that_it_is_not():
    assert Client(FIXED._replace(unsolved=1)).admit("a", "b") is None


def test_patience_shrinks_with_what_failures_hold():
    client = Client(WIDE)
    shares = [moves.share(client.record, client.rule)]
    for name, at in (("a", "x"), ("b", "x"), ("c", "y"), ("d", "")):
        client.guess(name, at=at)
        shares.append(moves.share(client.record, client.rule))
    assert shares == [0, 1 / 3, 1 / 3, 2 / 3, 2 / 3]
    assert moves.share(client.record, FIXED) == 4 / 3


# What is on file, and for how long


def test_who_has_nothing_on_record_has_an_empty_record():
    assert moves.reset() == EMPTY == Record(0, 0, 0, "", 0, ())
    assert moves.lasts_until(EMPTY, FIXED) == moves.lasts_until(EMPTY, ROLLING) == 0


def test_a_record_in_order_is_not_copied():
    """Most looks find an open window."""
    client = Client()
    client.guess("a")
    assert moves.prune(client.record, client.rule, NOW + 1) is client.record

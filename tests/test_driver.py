"""The driver by hand, over a store that does as it is told; see test_interleavings.py for all that may come between."""

import logging
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from lockout_decorators.attempts import driver, settling
from lockout_decorators.attempts.driver import Claim, Refused, look, refusal_of
from lockout_decorators.attempts.seats import UNCHANGED, Book, Seat
from lockout_decorators.attempts.settling import settle
from lockout_decorators.attempts.waiting import Wait
from lockout_decorators.exceptions import StoreError
from lockout_decorators.records import moves
from lockout_decorators.records.moves import Refusal
from lockout_decorators.records.record import EMPTY, FOREVER, OCCUPANCY, STAMP, Record, Slot, parse, spell
from lockout_decorators.records.rule import DAY, Rule
from lockout_decorators.stores import UNKNOWN, Found, Reading, Swapped

NOW = 1_800_000_000_000
WINDOW, LOCK = 300_000, 600_000
RULE = Rule(5, WINDOW, (LOCK,))


class Shelf:
    """A store whose tokens are texts. It notes what it is asked, and lets others come between.

    Attributes:
        asked: The operations so far.
        between: What happens just before each swap, one after another; the last of them again and again.
        singly: Every key is swapped by itself, and a swap gives no tokens.
        lies: It says that it has lost, and does nothing.
        resends: It swaps, but the reply is lost; it tells of the second try.
        here: What its records are judged by.
    """

    alias = "shelf"
    singly = lies = resends = False
    clock = None

    def __init__(self, alias: str = "shelf") -> None:
        self.alias, self.entries, self.lives, self.asked = alias, {}, {}, []
        self.between: list[Callable[[], None]] = []
        self.here = lambda: time.now

    def batches(self, keys):
        return [[key] for key in keys] if self.singly else [keys]

    def read(self, keys):
        self.note("read", keys)
        return Reading(self.found(keys), self.here)

    def note(self, operation, keys):
        self.asked.append((operation, *keys))
        assert len(self.asked) < 200, "it never ends"

    def found(self, keys):
        return [Found(text, text) for text in (copy_of(self.entries.get(key)) for key in keys)]

    def swap(self, changes, now):
        self.note("swap", [change.key for change in changes])
        if self.between:
            (self.between.pop(0) if len(self.between) > 1 else self.between[0])()
        keys = [change.key for change in changes]
        if self.lies or any(self.entries.get(change.key) != change.token for change in changes):
            return Swapped(False, self.found(keys))
        for change in changes:
            self.lives[change.key] = change.life
            self.entries.pop(change.key) if change.text is None else self.entries.update({change.key: change.text})
        return Swapped(not self.resends, [Found(one.text, UNKNOWN if self.singly else one.text) for one in changes])

    def put(self, key, record):
        self.entries[key] = spell(record, f"{len(self.asked):0{STAMP}x}")

    def record(self, key):
        return parse(self.entries[key]) if key in self.entries else EMPTY


def copy_of(text):
    """What comes from outside is never the same object twice."""
    return text[:1] + text[1:] if isinstance(text, str) else text


class Time:
    """Stands still, unless somebody sleeps. Stands in for chance, too."""

    def __init__(self):
        self.now, self.chance = NOW, 1.0

    def monotonic(self):
        return self.now / 1000

    def uniform(self, low, high):
        return low + (high - low) * self.chance

    def pass_(self, seconds):
        self.now += round(seconds * 1000)


time = Time()


@pytest.fixture(autouse=True)
def _time(monkeypatch):
    time.__init__()
    monkeypatch.setattr(driver, "time", time)
    monkeypatch.setattr(settling, "time", time)
    monkeypatch.setattr(driver, "random", time)


@pytest.fixture
def shelf():
    return Shelf()


def seat(key="K", rule=RULE, patience=5, enforce=True):
    """A seat of the guess `me` at a counter."""
    terms = SimpleNamespace(scope="s", cache="default", patience=patience, enforce=enforce)
    seat = Seat(SimpleNamespace(key=key, rule=rule, terms=terms))
    seat.slot = slot("me")
    return seat


def slot(name, failed=False, when=NOW):
    return Slot(failed, when, name.encode().hex().rjust(OCCUPANCY, "0"))


def record(failed="", undecided="", when=NOW):
    """Of guesses with names of a letter."""
    slots = (*[slot(name, True, when) for name in failed], *[slot(name, False, when) for name in undecided])
    return Record(NOW + WINDOW, slots=slots)


LOCKED = Record(0, NOW, NOW + LOCK, "7f3k92qd", 1)


def run(claim):
    """Take steps, and sleep between them; what came of it, and after how many."""
    steps = 1
    while isinstance(came := claim.step(), Wait):
        time.pass_(came.seconds)
        steps += 1
    return came, steps


def claim(*books, own=()):
    return Claim(books, {slot(name).occupancy for name in own})


def succeed(seat, now):
    return moves.succeed(seat.record, seat.counter.rule, now, seat.slot.occupancy)


def fail(seat, now):
    return moves.fail(seat.record, seat.counter.rule, now, seat.slot, "ref")


# What a guess costs


@pytest.mark.parametrize("early", [False, True])
def test_a_guess_takes_three_round_trips(shelf, early):
    """What the early look has read serves the claim; and what the claim has written, the settlement."""
    book = Book(shelf, [seat("C"), seat("K")])
    if early:
        assert look([book]) is None
    assert run(claim(book)) == (None, 1)
    settle([book], fail)
    assert shelf.asked == [("read", "C", "K"), ("swap", "C", "K"), ("swap", "C", "K")]
    assert [shelf.record(key).failures for key in "CK"] == [1, 1]


def test_what_is_swapped_one_after_another_is_looked_at_before(shelf):
    """Else whoever is refused by the second record would first have a slot of the first one."""
    other = Shelf("other")
    shelf.clock = other.clock = shelf.here
    other.put("K", LOCKED)
    came, _ = run(claim(Book(shelf, [seat("C")]), Book(other, [seat("K")])))
    assert came.refusal == Refusal(NOW + LOCK)
    assert (shelf.asked, other.asked) == ([("read", "C")], [("read", "K")])
    other.asked.clear()
    other.singly = True
    came, _ = run(claim(Book(other, [seat("C"), seat("K")])))
    assert came.refusal == Refusal(NOW + LOCK)
    assert other.asked == [("read", "C", "K")]


def test_an_early_look_lets_pass_who_may_wait(shelf):
    shelf.put("K", record(undecided="abcde"))
    assert look([Book(shelf, [seat()])]) is None


def test_where_swaps_tell_no_tokens_they_are_read_again(shelf):
    """Those of the slots that the guess has taken."""
    shelf.singly = True
    shelf.put("U", LOCKED)
    book = Book(shelf, [seat("C"), seat("U", enforce=False), seat("K")])
    assert run(claim(book)) == (None, 1)
    settle([book], fail)
    claimed = [("read", "C", "U", "K"), ("swap", "C"), ("swap", "K")]
    assert shelf.asked == [*claimed, ("read", "C", "K"), ("swap", "C"), ("swap", "K")]


def test_what_changes_nothing_is_not_written(shelf):
    """A late failure under a lock, or a reset of nothing."""
    shelf.put("K", LOCKED)
    book = Book(shelf, [seat("K"), seat("L")])
    book.read()
    settled = settle([book], fail, all_seats=True)
    assert [LOCKED] == [one.after for one in settled if one.seat.counter.key == "K"]
    settle([Book(shelf, [seat("X")])], lambda seat, now: EMPTY, all_seats=True)
    assert [one for one in shelf.asked if one[0] == "swap"] == [("swap", "L")]


def test_an_entry_outlives_its_record(shelf):
    """By two seconds at least; one without an end for ever."""
    endless = RULE._replace(lengths=(None,), max=1)
    seats = [seat("K"), seat("L", RULE._replace(max=1)), seat("M", endless)]
    seats += [seat("N", RULE._replace(window=1)), seat("O", RULE._replace(window=30 * DAY))]
    book = Book(shelf, seats)
    book.read()
    settle([book], fail, all_seats=True)
    assert shelf.lives == {"K": 302, "L": 602, "M": None, "N": 3, "O": 30 * 86_400 + 2}
    assert shelf.record("M").until == FOREVER
    settle([book], lambda seat, now: EMPTY, all_seats=True)
    assert shelf.lives == dict.fromkeys("KLMNO", 0)


def test_an_entry_without_an_end_stays_without_one(shelf):
    rule = RULE._replace(lengths=(None,), rolling=True)
    shelf.put("K", Record(0, NOW, FOREVER, "7f3k92qd", 1, (slot("me"),)))
    book = Book(shelf, [seat(rule=rule)])
    book.read()
    settle([book], succeed, all_seats=True)
    assert (shelf.record("K").slots, shelf.lives) == ((), {"K": None})


def test_every_writing_has_a_stamp_of_its_own(shelf):
    """So that a record which stands there again, word for word, is not taken for the one that was read."""
    texts = []
    for _ in range(3):
        book = Book(shelf, [seat("C"), seat("K")])
        run(claim(book))
        texts += shelf.entries.values()
        settle([book], succeed)
    assert 6 == len({text[:STAMP] for text in texts})
    assert 1 == len({text[STAMP:] for text in texts})


# Several counters


def test_a_guess_takes_a_slot_of_each_counter_or_of_none(shelf):
    """Also where they are swapped one after another, and the last one turns out to be full; it may try again."""
    shelf.singly = True
    shelf.between = [lambda: None, lambda: shelf.put("K", record(undecided="abcde")), lambda: None]
    guess = claim(book := Book(shelf, [seat("C"), seat("K")]))
    assert isinstance(guess.step(), Wait)
    assert (list(shelf.entries), [one.taken for one in book.seats]) == (["K"], [False, False])
    shelf.put("K", record())
    assert run(guess) == (None, 1)
    assert all(shelf.record(key).slot_of(slot("me").occupancy) for key in "CK")


def test_each_refusal_is_measured_by_the_clock_of_its_own_store(shelf):
    """One host may be an hour ahead."""
    ahead = Shelf("ahead")
    ahead.here = lambda: NOW + 3_600_000
    ahead.put("A", LOCKED._replace(since=NOW + 3_600_000 + 1000 - LOCK, until=NOW + 3_600_000 + 1000))
    shelf.put("K", LOCKED)
    assert look([Book(ahead, [seat("A")])]).refusal.until == NOW + 3_600_000 + 1000
    for books in (
        [Book(ahead, [seat("A")]), Book(shelf, [seat("K")])],
        [Book(shelf, [seat("K")]), Book(ahead, [seat("A")])],
    ):
        assert look(books).seat.counter.key == "K"


# Policies that are not enforced


@pytest.mark.parametrize("full", [LOCKED, record("abcde"), record(undecided="abcde")])
def test_what_is_not_enforced_refuses_nobody(shelf, full):
    """It is told; and nothing is written there."""
    shelf.put("U", full)
    book = Book(shelf, [seat("U", enforce=False), seat("K")])
    assert look([book]) is None
    guess = claim(book)
    assert run(guess) == (None, 1)
    assert [one.seat.counter.key for one in guess.passed] == ["U"]
    settle([book], fail)
    assert shelf.record("U") == full
    assert shelf.record("K").failures == 1


def test_what_is_not_enforced_may_fill_up_meanwhile(shelf):
    """It is told once, and nothing is written there any more."""
    shelf.put("V", LOCKED)
    shelf.between = [lambda: (shelf.put("U", record("abcde")), shelf.put("K", record("a"))), lambda: None]
    book = Book(shelf, [seat("U", enforce=False), seat("V", enforce=False), seat("K")])
    guess = claim(book)
    assert run(guess) == (None, 1)
    assert [one.seat.counter.key for one in guess.passed] == ["U", "V"]
    assert shelf.record("U") == record("abcde")
    assert [False, False, True] == [seat.taken for seat in book.seats]


# Waiting


def test_the_first_pauses_are_short(shelf):
    shelf.put("K", record(undecided="abcde"))
    for chance, first in ((1, 0.01), (0, 0.005)):
        time.chance, guess = chance, claim(Book(shelf, [seat()]))
        pauses = [guess.step().seconds for _ in range(3)]
        assert pauses == pytest.approx([first, 1.22 * first, 1.49 * first], rel=0.01)


def test_who_has_waited_too_long_waits_no_more(shelf):
    """The looks themselves may take longer than the patience lasts."""
    shelf.put("K", record(undecided="abcde"))
    guess = claim(Book(shelf, [seat()]))
    assert isinstance(guess.step(), Wait)
    time.pass_(10)
    assert guess.step().refusal == Refusal(time.now + 1000, waits=True)


def test_patience_does_not_shrink_with_failures_that_are_over(shelf):
    rule = RULE._replace(rolling=True, max=2)
    old = [slot(name, True, NOW - WINDOW) for name in "abc"]
    shelf.put("K", Record(slots=(*old, slot("x"), slot("y"))))
    run(claim(Book(shelf, [seat(rule=rule)])))
    assert time.now - NOW == 5000


def test_without_patience_nobody_waits(shelf):
    shelf.put("K", record(undecided="abcde"))
    came, looks = run(claim(Book(shelf, [seat(patience=0)])))
    assert (came.refusal.until, looks) == (NOW + 1000, 1)


@pytest.mark.parametrize("keys", ["KL", "LK"])
def test_nobody_waits_for_slots_of_the_own_request(shelf, keys):
    """Whatever others hold beside it."""
    shelf.put("K", record(undecided="abcde"))
    shelf.put("L", record(undecided="vwxyz"))
    came, looks = run(claim(Book(shelf, [seat(key) for key in keys]), own="abcde"))
    assert (came.seat.counter.key, looks) == ("K", 1)


def test_nobody_waits_where_a_lock_stands_beside(shelf):
    shelf.put("K", record(undecided="abcde"))
    shelf.put("L", LOCKED)
    assert run(claim(Book(shelf, [seat("K"), seat("L")])))[1] == 1


def test_what_refuses_is_worked_out_from_what_is_not_over(shelf):
    shelf.put("K", LOCKED)
    book = Book(shelf, [seat()])
    book.read()
    assert refusal_of(book.seats[0], NOW + LOCK - 1) == Refused(book.seats[0], Refusal(NOW + LOCK), NOW + LOCK - 1)
    assert refusal_of(book.seats[0], NOW + LOCK) is None


# Losing


@pytest.mark.parametrize(("patience", "seconds"), [(0, 1), (5, 5)])
def test_a_claim_that_keeps_losing_ends_with_patience(shelf, patience, seconds):
    """But not before a second. The guess is refused for another one, by a policy that may refuse."""

    def others() -> None:
        time.pass_(0.3)
        shelf.put("K", record(undecided="ab"))

    shelf.between = [others]
    book = Book(shelf, [seat("K", patience=patience), seat("U", patience=0, enforce=False)])
    came, steps = run(claim(book))
    assert (came.seat.counter.key, came.refusal, came.now, steps) == ("K", Refusal(time.now + 1000), time.now, 1)
    assert seconds * 1000 < time.now - NOW <= seconds * 1000 + 300


def test_a_claim_that_keeps_losing_passes_where_nothing_is_enforced(shelf):
    shelf.between = [lambda: (time.pass_(0.3), shelf.put("K", record(undecided="ab")))]
    book = Book(shelf, [seat("K", enforce=False)])
    assert run(claim(book)) == (None, 1)
    assert not book.seats[0].taken


def test_a_settlement_goes_on_for_thirty_seconds(shelf):
    """Then the slot stays taken, and there is something to be logged."""
    book = Book(shelf, [seat()])
    run(claim(book))
    shelf.between = [lambda: (time.pass_(1), shelf.put("K", record("a", when=time.now)))]
    with pytest.raises(StoreError, match="others came between for 30 s"):
        settle([book], fail)
    assert 30_000 < time.now - NOW <= 32_000


def test_who_finds_its_own_words_has_won(shelf):
    """The reply to the first command may be lost, and the second one comes too late."""
    shelf.resends = True
    book = Book(shelf, [seat()])
    assert run(claim(book)) == (None, 1)
    (settled,) = settle([book], fail)
    assert (settled.before.failures, settled.after.failures, shelf.record("K").failures) == (0, 1, 1)
    assert [one[0] for one in shelf.asked] == ["read", "swap", "swap"]


def test_a_decision_that_came_too_late_is_made_again(shelf):
    """By the clock that the store tells, and without suspecting it."""
    lost = [Swapped(False, [Found(None, None)], lambda n=n: NOW + n * WINDOW, stale=True) for n in (1, 2, 3, 4)]
    shelf.swap, right = lambda changes, now: lost.pop(0) if lost else right(changes, now), shelf.swap
    assert run(claim(Book(shelf, [seat()]))) == (None, 1)
    assert shelf.record("K").window == NOW + 5 * WINDOW


# Outages


def test_a_store_that_loses_though_nothing_changed_is_down(shelf):
    """At the tenth time in a row."""
    shelf.lies = True
    book = Book(shelf, [seat()])
    with pytest.raises(StoreError, match="it stores nothing"):
        run(claim(book))
    assert len(shelf.asked) == 1 + UNCHANGED
    with pytest.raises(StoreError):
        settle([book], fail, all_seats=True)
    assert len(shelf.asked) == 1 + UNCHANGED + 1


def test_others_who_come_and_go_are_no_fault_of_the_store(shelf):
    """Right guesses that take no time: each is there when a swap is made, and has gone when it is read again."""
    came, right = [Swapped(False, [Found(None, None)])] * (UNCHANGED - 1), shelf.swap
    shelf.swap = lambda changes, now: came.pop() if came else right(changes, now)
    assert run(claim(Book(shelf, [seat()]))) == (None, 1)


def test_a_store_that_loses_now_and_then_is_not_down(shelf):
    """What was lost to others, or won, begins a new row."""

    def lie(lies):
        shelf.lies = lies

    def change(key):
        lie(False)
        shelf.put(key, record("a"))

    row = [lambda: lie(True), *[lambda: None] * (UNCHANGED - 2)]
    shelf.between = [*row, lambda: change("K"), *row, lambda: lie(False)]
    book = Book(shelf, [seat()])
    assert run(claim(book)) == (None, 1)
    shelf.between = [*row, lambda: lie(False)]
    settle([book], fail)
    assert shelf.record("K").failures == 2


def test_what_was_lost_to_others_does_not_count_against_a_store(shelf):
    """Nor for it: the tenth lie in a row is one too many."""

    def change() -> None:
        shelf.put("K", record("a"))
        shelf.lies = True

    shelf.between = [change, lambda: None]
    with pytest.raises(StoreError, match="it stores nothing"):
        run(claim(Book(shelf, [seat()])))
    assert len(shelf.asked) == 1 + 1 + UNCHANGED


def test_of_a_store_that_fails_altogether_the_failure_is_told(shelf):
    shelf.singly = True
    book = Book(shelf, [seat("C"), seat("K")])

    def end() -> None:
        shelf.read = shelf.swap = error

    def error(*arguments):
        raise StoreError("shelf", OSError("later"))

    shelf.between = [lambda: None, lambda: (end(), error())]
    with pytest.raises(StoreError, match="later"):
        claim(book).step()


def test_a_store_that_tells_too_little_is_found_out(shelf):
    book = Book(shelf, [seat("C"), seat("K")])
    shelf.read, right = lambda keys: Reading(shelf.found(keys[:1]), shelf.here), shelf.read
    with pytest.raises(ValueError, match="shorter"):
        book.read()
    shelf.read = right
    shelf.swap = lambda changes, now: Swapped(True, shelf.found(["C"]))
    with pytest.raises(ValueError, match="shorter"):
        claim(book).step()


# What is no record


@pytest.mark.parametrize("move", [succeed, lambda seat, now: EMPTY], ids=["success", "reset"])
def test_what_is_no_record_is_removed(shelf, move, caplog):
    """By who leaves nothing on record; the log says so, in brief."""
    shelf.entries["K"] = "x" * 100
    book = Book(shelf, [seat()])
    book.read()
    settle([book], move, all_seats=True)
    assert shelf.entries == {}
    ((_, level, text),) = caplog.record_tuples
    assert (level, len(text) < 130) == (logging.ERROR, True)

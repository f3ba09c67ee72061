"""The slot protocol, driven by hand: each test sends the answers and asserts the next operation."""

from itertools import count

import pytest

from lockout_decorators import slots as protocol
from lockout_decorators.entries import PIECE, Claim, Counter, Held, Reading, Refused, Slot, View, refusal
from lockout_decorators.operations import Add, Delete, Read, Sleep, Write, is_head
from lockout_decorators.slots import FRESH, MARGIN, PAUSES, SilentStoreError, Slots

WINDOW, LOCKOUT = 300, 600
KEPT = WINDOW + MARGIN  # how long a slot lives
NOW = 1_800_000_000.0
OPEN = {"K": "window g"}
LOCK = f"locked {NOW + LOCKOUT:.3f}"


class Hands:
    """The slots of a client, a clock to be moved, and names that are drawn in order: n1, n2..."""

    def __init__(self, max=5, ceiling=0, lockout=LOCKOUT):
        self.time = 1000.0
        names = count(1)
        key = Counter("K", max, WINDOW, lockout)
        self.counters = (Counter("C", ceiling, WINDOW, lockout), key) if ceiling else (key,)
        self.slots = Slots(self.counters, lambda: self.time, lambda: NOW, lambda: f"n{next(names)}")

    def play(self, steps, *script):
        """Answer (operation, answer[, seconds that it takes]) one after the other; returns the verdict."""
        answer = None
        for operation, reply, *seconds in script:
            assert steps.send(answer) == operation
            answer = reply
            self.time += sum(seconds)
        with pytest.raises(StopIteration) as stop:
            steps.send(answer)
        return stop.value.value

    def held(self, number=0, generation="g", occupancy="own", tag="bob"):
        """A claim whose guess knows of nothing but its own slots."""
        slot = Slot(occupancy, False, tag)
        views = [View(counter, f"window {generation}") for counter in self.counters]
        return Claim(
            Reading(self.time, views), tuple(Held(counter, generation, number, slot) for counter in self.counters)
        )

    def knowing(self, entries, number=0, tag="bob"):
        """A claim of slot `number` in generation g that has read `entries`."""
        claim = self.held(number, tag=tag)
        for view in claim.reading.views:
            view.see({view.counter.key: "window g", **entries}, range(min(PIECE, view.counter.max)))
        return claim


def piece(start, stop, key="K", heads=("K",), generation="g"):
    """The reading of heads and a piece."""
    return Read((*heads, *(f"{key}.{generation}.{number}" for number in range(start, stop))))


def failures(*tags, key="K", generation="g"):
    """Failed slots from number 0 on; the occupancy of slot 3 is f3."""
    return {f"{key}.{generation}.{number}": f"f{number} failed {tag}" for number, tag in enumerate(tags)}


def undecided(*numbers, key="K"):
    return {f"{key}.g.{number}": f"u{number} undecided eve" for number in numbers}


class Table(dict):
    """A cache whose clock stands still; remembers what it was asked."""

    def __init__(self, *parts):
        super().__init__(entry for part in parts for entry in part.items())
        self.asked = []

    def perform(self, operation):
        match operation:
            case Read(keys):
                return {key: self[key] for key in keys if key in self}
            case Add(key, value):
                return self.setdefault(key, value) is value
            case Write(entries):
                return self.update(entries)
            case Delete(keys):
                return [self.pop(key, None) for key in keys]

    def run(self, steps):
        answer = None
        while True:
            try:
                operation = steps.send(answer)
            except StopIteration as stop:
                return stop.value
            self.asked.append(operation)
            answer = self.perform(operation)

    def guess(self, slots, right, tag="bob"):
        """A whole guess; returns the number of its round trips."""
        claim = self.run(slots.claim(tag))
        if isinstance(claim, Claim):
            self.run(slots.succeed(claim, tag) if right else slots.fail(claim, tag))
        return len(self.asked)


# Claiming


def test_the_first_guess_opens_a_window_and_takes_its_first_slot():
    """A client that has nothing on record gets a window, and nothing is read in it."""
    hands = Hands()
    claim = hands.play(
        hands.slots.claim("bob"),
        (Read(("K",)), {}),
        (Add("K", "window n1", WINDOW), True),
        (Add("K.n1.0", "n2 undecided bob", KEPT), True),
    )
    assert claim.keys == ("K.n1.0",)
    assert claim.occupancies == {"n2"}


def test_a_later_guess_takes_the_first_free_slot():
    """In an open window the slots are read, and the first one free is taken."""
    hands = Hands()
    claim = hands.play(
        hands.slots.claim("bob"),
        (Read(("K",)), OPEN),
        (piece(0, 5), OPEN | failures("bob", "eve")),
        (Add("K.g.2", "n1 undecided bob", KEPT), True),
    )
    assert claim.keys == ("K.g.2",)


def test_a_lost_slot_is_followed_by_the_next_free_one():
    """Losing an add costs one round trip, not a new reading."""
    hands = Hands(max=2)
    claim = hands.play(
        hands.slots.claim("bob"),
        (Read(("K",)), OPEN),
        (piece(0, 2), OPEN),
        (Add("K.g.0", "n1 undecided bob", KEPT), False),
        (Add("K.g.1", "n2 undecided bob", KEPT), True),
    )
    assert claim.keys == ("K.g.1",)


def test_a_guess_that_lost_all_free_slots_reads_anew():
    """Seen free and lost to others: a new reading, and no slot to give back."""
    hands = Hands(max=1)
    claim = hands.play(
        hands.slots.claim("bob"),
        (Read(("K",)), OPEN),
        (piece(0, 1), OPEN),
        (Add("K.g.0", "n1 undecided bob", KEPT), False),
        (Read(("K",)), OPEN),
        (piece(0, 1), OPEN),
        (Add("K.g.0", "n2 undecided bob", KEPT), True),
    )
    assert claim.keys == ("K.g.0",)


def test_a_guess_that_lost_the_window_reads_anew():
    """Who does not win the head learns the generation of the one who did."""
    hands = Hands(max=1)
    claim = hands.play(
        hands.slots.claim("bob"),
        (Read(("K",)), {}),
        (Add("K", "window n1", WINDOW), False),
        (Read(("K",)), OPEN),
        (piece(0, 1), OPEN),
        (Add("K.g.0", "n2 undecided bob", KEPT), True),
    )
    assert claim.keys == ("K.g.0",)


def test_a_window_that_is_replaced_while_it_is_read_is_not_claimed_in():
    """Slots that were read beside another head than the expected one count for nothing."""
    hands = Hands(max=1)
    claim = hands.play(
        hands.slots.claim("bob"),
        (Read(("K",)), OPEN),
        (piece(0, 1), {"K": "window h"}),
        (piece(0, 1, generation="h"), {"K": "window h"}),
        (Add("K.h.0", "n1 undecided bob", KEPT), True),
    )
    assert claim.keys == ("K.h.0",)


def test_a_window_that_ends_while_it_is_read_is_followed_by_a_new_one():
    """Rule 10: what was read of the old one counts for nothing, and its slots are left alone."""
    hands = Hands(max=1)
    claim = hands.play(
        hands.slots.claim("bob"),
        (Read(("K",)), OPEN),
        (piece(0, 1), {"K.g.0": "f0 failed bob"}),
        (Add("K", "window n1", WINDOW), True),
        (Add("K.n1.0", "n2 undecided bob", KEPT), True),
    )
    assert claim.keys == ("K.n1.0",)


def test_a_lock_that_falls_while_slots_are_read_refuses():
    """The head comes with every piece: a guess is refused by the lock it meets there."""
    hands = Hands(max=1)
    refused = hands.play(hands.slots.claim("bob"), (Read(("K",)), OPEN), (piece(0, 1), {"K": LOCK}))
    assert refused.view.locked


def test_a_claim_whose_reading_grew_old_gives_its_slot_back():
    """Rule 10: a slot that was won too late after its head was read is not used; the guess begins anew."""
    hands = Hands(max=1)
    claim = hands.play(
        hands.slots.claim("bob"),
        (Read(("K",)), OPEN),
        (piece(0, 1), OPEN),
        (Add("K.g.0", "n1 undecided bob", KEPT), True, FRESH + 1),
        (Delete(("K.g.0",)), None),
        (Read(("K",)), {}),
        (Add("K", "window n2", WINDOW), True),
        (Add("K.n2.0", "n3 undecided bob", KEPT), True),
    )
    assert claim.keys == ("K.n2.0",)


def test_a_claim_is_good_up_to_half_of_the_margin():
    """Rule 10 measures from before the last reading of the heads, and to the last add."""
    hands = Hands(max=1)
    claim = hands.play(
        hands.slots.claim("bob"),
        (Read(("K",)), OPEN, MARGIN / 2),
        (piece(0, 1), OPEN, MARGIN / 4),
        (Add("K.g.0", "n1 undecided bob", KEPT), True, MARGIN / 4),
    )
    assert claim.keys == ("K.g.0",)


def test_the_age_of_a_reading_begins_before_it_is_asked_for():
    """A reply that takes long is as old as its question."""
    hands = Hands(max=1)
    steps = hands.slots.claim("bob")
    hands.play(
        steps,
        (Read(("K",)), OPEN),
        (piece(0, 1), OPEN, FRESH + 1),
        (Add("K.g.0", "n1 undecided bob", KEPT), True),
        (Delete(("K.g.0",)), None),
        (Read(("K",)), {"K": LOCK}),
    )


def test_an_early_reading_serves_the_claim():
    """Heads that were looked at a moment ago are not read again."""
    hands = Hands(max=1)
    reading = hands.play(hands.slots.look(), (Read(("K",)), OPEN))
    hands.time += FRESH
    claim = hands.play(
        hands.slots.claim("bob", reading=reading),
        (piece(0, 1), OPEN),
        (Add("K.g.0", "n1 undecided bob", KEPT), True),
    )
    assert claim.keys == ("K.g.0",)


def test_an_early_reading_that_is_stale_is_taken_anew():
    """Rule 10 holds for an early look as well."""
    hands = Hands(max=1)
    reading = hands.play(hands.slots.look(), (Read(("K",)), OPEN))
    hands.time += FRESH + 1
    refused = hands.play(hands.slots.claim("bob", reading=reading), (Read(("K",)), {"K": LOCK}))
    assert refused.view.locked


# Under a ceiling


def test_both_heads_are_read_together_and_the_ceiling_is_claimed_first():
    """Two counters share their reads; of the slots, the ceiling's comes first."""
    hands = Hands(max=2, ceiling=3)
    claim = hands.play(
        hands.slots.claim("bob"),
        (Read(("C", "K")), {"C": "window g", "K": "window g"}),
        (
            Read(("C", "K", "C.g.0", "C.g.1", "C.g.2", "K.g.0", "K.g.1")),
            {"C": "window g", "K": "window g", "C.g.0": "f0 failed eve"},
        ),
        (Add("C.g.1", "n1 undecided bob", KEPT), True),
        (Add("K.g.0", "n2 undecided bob", KEPT), True),
    )
    assert claim.keys == ("C.g.1", "K.g.0")


def test_a_ceiling_that_is_open_is_read_before_a_window_is_opened():
    """Only the counters with something on record have slots to read; all heads come along."""
    hands = Hands(max=1, ceiling=1)
    claim = hands.play(
        hands.slots.claim("bob"),
        (Read(("C", "K")), {"C": "window g"}),
        (Read(("C", "K", "C.g.0")), {"C": "window g"}),
        (Add("K", "window n1", WINDOW), True),
        (Add("C.g.0", "n2 undecided bob", KEPT), True),
        (Add("K.n1.0", "n3 undecided bob", KEPT), True),
    )
    assert claim.keys == ("C.g.0", "K.n1.0")


def test_a_guess_that_its_ceiling_stops_leaves_no_head_behind():
    """A window opens with a guess; where none is made, there is nothing to record."""
    hands = Hands(max=1, ceiling=1)
    refused = hands.play(
        hands.slots.claim("bob"),
        (Read(("C", "K")), {"C": "window g"}),
        (Read(("C", "K", "C.g.0")), {"C": "window g"} | undecided(0, key="C")),
    )
    assert refused.view.busy


def test_a_window_that_another_guess_opens_meanwhile_is_read():
    """A head that was absent in the first look and is there in the second has slots to read, and is not added."""
    hands = Hands(max=1, ceiling=1)
    both = {"C": "window g", "K": "window g"}
    claim = hands.play(
        hands.slots.claim("bob"),
        (Read(("C", "K")), {"C": "window g"}),
        (Read(("C", "K", "C.g.0")), both),
        (Read(("C", "K", "K.g.0")), both),
        (Add("C.g.0", "n1 undecided bob", KEPT), True),
        (Add("K.g.0", "n2 undecided bob", KEPT), True),
    )
    assert claim.keys == ("C.g.0", "K.g.0")


def test_a_lost_race_for_the_key_gives_the_ceiling_back():
    """All slots or none: what was claimed before one was lost does not stay behind."""
    hands = Hands(max=1, ceiling=1)
    both = {"C": "window g", "K": "window g"}
    refused = hands.play(
        hands.slots.claim("bob"),
        (Read(("C", "K")), both),
        (Read(("C", "K", "C.g.0", "K.g.0")), both),
        (Add("C.g.0", "n1 undecided bob", KEPT), True),
        (Add("K.g.0", "n2 undecided bob", KEPT), False),
        (Delete(("C.g.0",)), None),
        (Read(("C", "K")), both | {"K": LOCK}),
    )
    assert refused.view.counter.key == "K"


def test_a_lost_race_for_the_ceiling_leaves_the_key_alone():
    """The key's slots are not touched by a guess that the ceiling has no slot for."""
    hands = Hands(max=1, ceiling=1)
    both = {"C": "window g", "K": "window g"}
    refused = hands.play(
        hands.slots.claim("bob"),
        (Read(("C", "K")), both),
        (Read(("C", "K", "C.g.0", "K.g.0")), both),
        (Add("C.g.0", "n1 undecided bob", KEPT), False),
        (Read(("C", "K")), both | {"C": LOCK}),
    )
    assert refused.view.counter.key == "C"


def test_a_busy_ceiling_keeps_a_guess_from_the_key():
    """A guess that has to wait for one counter holds nothing of the other meanwhile."""
    hands = Hands(max=1, ceiling=1)
    both = {"C": "window g", "K": "window g"}
    refused = hands.play(
        hands.slots.claim("bob"),
        (Read(("C", "K")), both),
        (Read(("C", "K", "C.g.0", "K.g.0")), both | undecided(0, key="C")),
    )
    assert (refused.view.counter.key, refused.view.busy) == ("C", True)


def test_of_two_locks_the_one_that_ends_last_refuses():
    """A client is told of the lock that keeps it out longest; one without end outlasts them all."""
    soon, late, never = (View(Counter("K", 1, WINDOW, LOCKOUT), head) for head in ("locked 1.5", "locked 2", "locked"))
    assert refusal(Reading(0, [soon, late])).view is late
    assert refusal(Reading(0, [never, late])).view is never
    assert refusal(Reading(0, [View(soon.counter, "window g")])) is None


def test_a_failure_marks_and_reads_both_counters_together():
    """One write and one read tell of a failure, with a ceiling too."""
    hands = Hands(max=2, ceiling=2)
    both = {"C": "window g", "K": "window g"}
    found = both | failures("bob", key="C") | failures("bob")
    views, fallen = hands.play(
        hands.slots.fail(hands.held(), "bob"),
        (Write({"C.g.0": "own failed bob", "K.g.0": "own failed bob"}, KEPT), None),
        (Read(("C", "K", "C.g.0", "C.g.1", "K.g.0", "K.g.1")), found),
    )
    assert [view.failures for view in views] == [1, 1]
    assert fallen == ()


def test_a_success_frees_both_slots_at_once():
    """One delete tells of a success, with a ceiling too."""
    hands = Hands(max=1, ceiling=1)
    hands.play(hands.slots.succeed(hands.knowing({}), "bob"), (Delete(("C.g.0", "K.g.0")), None))


# Succeeding


def test_a_success_frees_its_own_slot():
    """A good guess costs the client nothing."""
    hands = Hands()
    hands.play(hands.slots.succeed(hands.knowing({}), "bob"), (Delete(("K.g.0",)), None))


def test_a_success_forgives_failures_of_its_own_tag():
    """Rule 8: an occupancy is won by add, and its slot deleted together with the guess's own."""
    hands = Hands()
    claim = hands.knowing(failures("bob", "eve", "bob", "bobby"), number=4)
    hands.play(
        hands.slots.succeed(claim, "bob"),
        (Add("K.g.f0", "forgiven", KEPT), True),
        (Add("K.g.f2", "forgiven", KEPT), True),
        (Delete(("K.g.4", "K.g.0", "K.g.2")), None),
    )


def test_a_success_frees_no_slot_whose_occupancy_it_did_not_win():
    """Rule 8: somebody else has freed it, and the slot may have been taken again since."""
    hands = Hands()
    claim = hands.knowing(failures("bob", "bob"), number=4)
    hands.play(
        hands.slots.succeed(claim, "bob"),
        (Add("K.g.f0", "forgiven", KEPT), False),
        (Add("K.g.f1", "forgiven", KEPT), True),
        (Delete(("K.g.4", "K.g.1")), None),
    )


def test_a_success_frees_no_undecided_slot():
    """A guess at the same account that is still being verified may yet turn out wrong."""
    hands = Hands()
    claim = hands.knowing({"K.g.0": "u0 undecided bob"}, number=1)
    hands.play(hands.slots.succeed(claim, "bob"), (Delete(("K.g.1",)), None))


def test_a_success_without_a_tag_forgives_nothing():
    """Nobody in particular was tried: failures without a tag may be anybody's."""
    hands = Hands()
    hands.play(hands.slots.succeed(hands.knowing(failures("", "bob"), number=2), ""), (Delete(("K.g.2",)), None))


def test_a_success_forgives_what_the_judged_tag_names():
    """The tag at the verdict counts, not the one at the claim."""
    hands = Hands()
    hands.play(
        hands.slots.succeed(hands.knowing(failures("bob", "eve"), number=2, tag="bob"), "eve"),
        (Add("K.g.f1", "forgiven", KEPT), True),
        (Delete(("K.g.2", "K.g.1")), None),
    )


def test_a_success_reads_on_until_a_piece_without_an_entry():
    """What the claim had no need to read is read for forgiving, the head with it."""
    hands = Hands(max=1000)
    found = failures(*["eve"] * 7, "bob") | {"K.g.23": "f23 failed bob"}
    hands.play(
        hands.slots.succeed(hands.knowing(failures(*["eve"] * 7), number=7), "bob"),
        (piece(8, 24), OPEN | found),
        (piece(24, 56), OPEN),
        (Add("K.g.f23", "forgiven", KEPT), True),
        (Delete(("K.g.7", "K.g.23")), None),
    )


@pytest.mark.parametrize("found", [{}, {"K": "window h"}, {"K": LOCK}], ids=["ended", "another", "locked"])
def test_a_success_that_meets_another_head_forgives_nothing(found):
    """Heads are read again with the rest: the failures of a window that is over are left alone."""
    hands = Hands(max=9)
    script = [(piece(8, 9), found)]
    if found == {"K": "window h"}:
        script.append((piece(0, 8, generation="h"), found))
    claim = hands.knowing(failures("bob"), number=1)
    hands.play(hands.slots.succeed(claim, "bob"), *script, (Delete(("K.g.1",)), None))


def test_a_success_forgives_under_both_counters():
    """A failure sits in a slot of each counter; each is freed by its own election."""
    hands = Hands(max=2, ceiling=2)
    claim = hands.knowing(failures("bob", key="C") | failures("bob"), number=1)
    hands.play(
        hands.slots.succeed(claim, "bob"),
        (Add("C.g.f0", "forgiven", KEPT), True),
        (Add("K.g.f0", "forgiven", KEPT), True),
        (Delete(("C.g.1", "K.g.1", "C.g.0", "K.g.0")), None),
    )


def test_a_success_with_an_old_reading_forgives_nothing_but_its_own_slot():
    """Rule 10: the elections of a generation that may be over prove nothing any more."""
    hands = Hands()
    claim = hands.knowing(failures("bob"), number=1)
    hands.time += FRESH + 1
    hands.play(hands.slots.succeed(claim, "bob"), (Delete(("K.g.1",)), None))


def test_a_success_forgives_up_to_half_of_the_margin():
    """Rule 10 leaves half a minute for the verification."""
    hands = Hands()
    claim = hands.knowing(failures("bob"), number=1)
    hands.time += FRESH
    hands.play(
        hands.slots.succeed(claim, "bob"), (Add("K.g.f0", "forgiven", KEPT), True), (Delete(("K.g.1", "K.g.0")), None)
    )


def test_a_guess_that_was_never_made_gives_its_slot_back():
    """Releasing forgives nobody."""
    hands = Hands()
    hands.play(hands.slots.release(hands.knowing(failures("bob"), number=1)), (Delete(("K.g.1",)), None))


# Failing, and locks


def test_a_failure_is_marked_and_counted():
    """A bad guess keeps its slot; reading them ends with the first that has not failed."""
    hands = Hands()
    views, fallen = hands.play(
        hands.slots.fail(hands.held(), "bob"),
        (Write({"K.g.0": "own failed bob"}, KEPT), None),
        (piece(0, 5), OPEN | {"K.g.0": "own failed bob"}),
    )
    assert (views[0].failures, views[0].locked, fallen) == (1, False, ())


def test_a_failure_is_marked_with_the_judged_tag():
    """Who was tried may become known during the guess."""
    hands = Hands()
    hands.play(
        hands.slots.fail(hands.held(tag=""), "bob"),
        (Write({"K.g.0": "own failed bob"}, KEPT), None),
        (piece(0, 5), OPEN),
    )


@pytest.mark.parametrize("found", [{}, {"K": "window h"}, {"K": LOCK}], ids=["ended", "another", "locked"])
def test_a_failure_in_a_window_that_is_over_locks_nobody(found):
    """A late guess touches nothing but what was its own, whatever head is there now."""
    hands = Hands(max=1)
    script = [(Write({"K.g.0": "own failed bob"}, KEPT), None), (piece(0, 1), found)]
    if found == {"K": "window h"}:
        script.append((piece(0, 1, generation="h"), found))
    if not found:  # the store may be dead: it has to prove itself
        script += [(Add("K.n1", "n2", KEPT), True), (Read(("K.n1",)), {"K.n1": "n2"})]
    _, fallen = hands.play(hands.slots.fail(hands.held(), "bob"), *script)
    assert fallen == ()


def test_the_failure_that_completes_the_maximum_locks():
    """Rule 3: a second look, the lock in place of the head, and the election of who announces it."""
    hands = Hands(max=2)
    full = OPEN | failures("eve", "bob")
    views, fallen = hands.play(
        hands.slots.fail(hands.held(1), "bob"),
        (Write({"K.g.1": "own failed bob"}, KEPT), None),
        (piece(0, 2), full),
        (piece(0, 2), full),
        (Write({"K": LOCK}, LOCKOUT), None),
        (Add("K.g.lock", "announced", KEPT), True),
    )
    assert fallen == tuple(views)
    assert (views[0].locked, views[0].until, views[0].failures) == (True, NOW + LOCKOUT, 2)


def test_a_lock_is_announced_by_the_elected_only():
    """Rule 3: two guesses that complete the maximum together write one lock and send one signal."""
    hands = Hands(max=1)
    full = OPEN | failures("bob")
    views, fallen = hands.play(
        hands.slots.fail(hands.held(), "bob"),
        (Write({"K.g.0": "own failed bob"}, KEPT), None),
        (piece(0, 1), full),
        (piece(0, 1), full),
        (Write({"K": LOCK}, LOCKOUT), None),
        (Add("K.g.lock", "announced", KEPT), False),
    )
    assert (views[0].locked, fallen) == (True, ())


def test_a_lock_without_end_has_no_timeout():
    """Rule 4: with lockout=None the lock, and nothing else, stays for ever."""
    hands = Hands(max=1, lockout=None)
    full = OPEN | failures("bob")
    views, _ = hands.play(
        hands.slots.fail(hands.held(), "bob"),
        (Write({"K.g.0": "own failed bob"}, KEPT), None),
        (piece(0, 1), full),
        (piece(0, 1), full),
        (Write({"K": "locked"}, None), None),
        (Add("K.g.lock", "announced", KEPT), True),
    )
    assert (views[0].locked, views[0].until) == (True, None)


@pytest.mark.parametrize(
    "again",
    [
        OPEN | failures("eve"),
        OPEN | failures("eve", "bob") | {"K.g.0": "f9 failed eve"},
        OPEN | failures("eve", "bob") | {"K.g.0": "f9 undecided eve"},
        {"K": LOCK},
        {},
    ],
    ids=["freed", "taken again", "undecided", "locked", "ended"],
)
def test_a_second_look_that_differs_prevents_the_lock(again):
    """A reading of many keys need not be a snapshot: only what stood there twice stood there all at once."""
    hands = Hands(max=2)
    _, fallen = hands.play(
        hands.slots.fail(hands.held(1), "bob"),
        (Write({"K.g.1": "own failed bob"}, KEPT), None),
        (piece(0, 2), OPEN | failures("eve", "bob")),
        (piece(0, 2), again),
    )
    assert fallen == ()


def test_a_second_look_that_grew_old_prevents_the_lock():
    """Rule 10: meanwhile a peer's lock may have come and gone; the next claimer finds what is still due."""
    hands = Hands(max=1)
    _, fallen = hands.play(
        hands.slots.fail(hands.held(), "bob"),
        (Write({"K.g.0": "own failed bob"}, KEPT), None),
        (piece(0, 1), OPEN | failures("bob")),
        (piece(0, 1), OPEN | failures("bob"), FRESH + 1),
    )
    assert fallen == ()


@pytest.mark.parametrize(("took", "locks"), [(5, True), (6, False)])
def test_a_short_lock_is_written_only_within_half_of_its_length(took, locks):
    """Rule 10: a lock of ten seconds may have come and gone in less time than a reading is good for."""
    hands = Hands(max=1, lockout=10)
    full, lock = OPEN | failures("bob"), [(Write({"K": f"locked {NOW + 10:.3f}"}, 10), None)]
    _, fallen = hands.play(
        hands.slots.fail(hands.held(), "bob"),
        (Write({"K.g.0": "own failed bob"}, KEPT), None),
        (piece(0, 1), full),
        (piece(0, 1), full, took),
        *(lock if locks else ()),
        *([(Add("K.g.lock", "announced", KEPT), True)] if locks else ()),
    )
    assert bool(fallen) == locks


def test_a_claimer_that_finds_the_window_full_locks():
    """Rule 3: that heals a crash between the last failure and the lock; whoever locks is refused by it."""
    hands = Hands(max=2)
    full = OPEN | failures("eve", "bob")
    refused = hands.play(
        hands.slots.claim("bob"),
        (Read(("K",)), OPEN),
        (piece(0, 2), full),
        (piece(0, 2), full),
        (Write({"K": LOCK}, LOCKOUT), None),
        (Add("K.g.lock", "announced", KEPT), True),
    )
    assert refused.view.locked
    assert refused.fallen == (refused.view,)


def test_a_claimer_whose_second_look_differs_looks_again():
    """A window that only seemed full is no reason to refuse, or to wait."""
    hands = Hands(max=1)
    claim = hands.play(
        hands.slots.claim("bob"),
        (Read(("K",)), OPEN),
        (piece(0, 1), OPEN | failures("bob")),
        (piece(0, 1), OPEN),
        (Read(("K",)), OPEN),
        (piece(0, 1), OPEN),
        (Add("K.g.0", "n1 undecided bob", KEPT), True),
    )
    assert claim.keys == ("K.g.0",)


def test_a_store_too_slow_to_lock_in_ends_the_waiting():
    """A reading that is as old as the lock is long can't be acted upon; after a while the key refuses the guess."""
    hands = Hands(max=1, ceiling=2)
    full = OPEN | {"C": "window g"} | failures("bob")
    steps, answer, operations = hands.slots.claim("bob"), None, []
    with pytest.raises(StopIteration) as stop:
        while True:
            operations.append(operation := steps.send(answer))
            hands.time += LOCKOUT
            answer = full | {"K.n1": "n2"} if isinstance(operation, Read) else True
    assert isinstance(stop.value.value, Refused)
    assert stop.value.value.view.counter.key == "K"
    assert not any(isinstance(operation, Write) for operation in operations)


def test_a_failure_locks_only_the_counter_it_completes():
    """A ceiling that is not reached stays open when the key's lock falls."""
    hands = Hands(max=1, ceiling=2)
    found = {"C": "window g", "K": "window g"} | failures("bob", key="C") | failures("bob")
    views, fallen = hands.play(
        hands.slots.fail(hands.held(), "bob"),
        (Write({"C.g.0": "own failed bob", "K.g.0": "own failed bob"}, KEPT), None),
        (Read(("C", "K", "C.g.0", "C.g.1", "K.g.0")), found),
        (piece(0, 1), found),
        (Write({"K": LOCK}, LOCKOUT), None),
        (Add("K.g.lock", "announced", KEPT), True),
    )
    assert [view.locked for view in views] == [False, True]
    assert fallen == (views[1],)


# Waiting


def wait(hands, patience, looks=1000, own=frozenset(), entries=None):
    """Claim while all slots stay taken; returns the lengths of the pauses, and the verdict."""
    steps, answer, pauses = hands.slots.claim("bob", patience, own=own), None, []
    table = Table(OPEN, undecided(0) if entries is None else entries)
    while len(pauses) < looks:
        try:
            operation = steps.send(answer)
        except StopIteration as stop:
            return pauses, stop.value
        if isinstance(operation, Sleep):
            pauses.append(operation.seconds)
            hands.time += operation.seconds
        answer = table.perform(operation)
    return pauses, steps


@pytest.fixture
def longest(monkeypatch):
    """Pauses are as long as chance can make them."""
    monkeypatch.setattr(protocol.random, "uniform", lambda low, high: high)


def test_pauses_grow_and_are_capped(longest):
    """A waiting guess looks often at first, and never less than five times a second."""
    pauses, _ = wait(Hands(max=1), patience=100, looks=20)
    assert pauses[:3] == pytest.approx([0.01, 0.016, 0.0256])
    assert pauses == sorted(pauses)
    assert pauses[-5:] == [0.2] * 5


def test_pauses_are_scattered():
    """Guesses that began to wait together do not look all together; none looks more than twice as often."""
    pauses, _ = wait(Hands(max=1), patience=100, looks=40)
    assert len(set(pauses)) > 20
    assert all(PAUSES[1] / 2 <= pause <= PAUSES[1] for pause in pauses[10:])


def test_nobody_waits_beyond_the_deadline(longest):
    """The last pause ends at the deadline, followed by one last look."""
    pauses, refused = wait(Hands(max=1), patience=0.5)
    assert sum(pauses) == pytest.approx(0.5)
    assert pauses[-1] < pauses[-2]
    assert (refused.view.busy, refused.view.locked, refused.fallen) == (True, False, ())


def test_patience_0_refuses_at_once():
    """Without patience a busy client is refused after its slots were read."""
    pauses, refused = wait(Hands(max=1), patience=0)
    assert pauses == []
    assert refused.view.busy


def test_patience_that_ran_out_while_the_slots_were_read_refuses():
    """A slow store leaves no time to wait in."""
    hands = Hands(max=1)
    refused = hands.play(
        hands.slots.claim("bob", patience=1),
        (Read(("K",)), OPEN, 2),
        (piece(0, 1), OPEN | undecided(0)),
    )
    assert refused.view.busy


def test_own_slots_are_not_waited_for():
    """Rule 2: a block that holds all undecided slots itself would wait for itself."""
    entries = failures("eve") | undecided(1, 2)
    pauses, refused = wait(Hands(max=3), 5, own={"u1", "u2"}, entries=entries)
    assert pauses == []
    assert refused.view.busy


def test_a_slot_of_another_guess_beside_own_ones_is_waited_for():
    """Rule 2: as long as somebody else may give a slot back, there is something to wait for."""
    pauses, _ = wait(Hands(max=2), 5, looks=3, own={"u1"}, entries=undecided(0, 1))
    assert len(pauses) == 3


def test_a_slot_that_becomes_an_own_one_is_waited_for_no_longer(longest):
    """Rule 2: of two guesses of one block that wait, the first gets the slot and the second gives up."""
    hands, own = Hands(max=1), set()
    steps = hands.slots.claim("bob", patience=5, own=own)
    assert steps.send(None) == Read(("K",))
    assert steps.send(OPEN) == piece(0, 1)
    assert steps.send(OPEN | undecided(0)) == Sleep(0.01)
    own.add("u1")
    refused = hands.play(
        steps,
        (Read(("K",)), OPEN),
        (piece(0, 1), OPEN | {"K.g.0": "u1 undecided bob"}),
    )
    assert refused.view.busy


def test_a_waiting_guess_takes_the_slot_that_comes_free(longest):
    """Each look reads the head first, then the slots."""
    hands = Hands(max=1)
    claim = hands.play(
        hands.slots.claim("bob", patience=5),
        (Read(("K",)), OPEN),
        (piece(0, 1), OPEN | undecided(0)),
        (Sleep(0.01), None, 0.01),
        (Read(("K",)), OPEN),
        (piece(0, 1), OPEN),
        (Add("K.g.0", "n1 undecided bob", KEPT), True),
    )
    assert claim.keys == ("K.g.0",)


def test_a_waiting_guess_is_refused_when_the_lock_falls(longest):
    """Rule 2: the next look at the head ends the waiting."""
    hands = Hands(max=1)
    refused = hands.play(
        hands.slots.claim("bob", patience=5),
        (Read(("K",)), OPEN),
        (piece(0, 1), OPEN | undecided(0)),
        (Sleep(0.01), None, 0.01),
        (Read(("K",)), {"K": LOCK}),
    )
    assert (refused.view.locked, refused.view.until) == (True, NOW + LOCKOUT)


# A store that keeps nothing


def lose(head, rounds, then=()):
    """Rounds of a claim that wins no add and sees no winner either."""
    for n in range(1, rounds + 1):
        yield Read(("K",)), {}
        yield Add("K", f"window n{n}", WINDOW), False
    yield from then


def test_a_silent_store_is_found_out():
    """Adds lose and reads find nothing: after three rounds the store has to prove itself, and cannot."""
    hands = Hands()
    proof = [(Add("K.n4", "n5", KEPT), False), (Read(("K.n4",)), {})]
    with pytest.raises(SilentStoreError, match=r"K\.n4"):
        hands.play(hands.slots.claim("bob"), *lose("K", 3, proof))


def test_an_honest_race_is_not_taken_for_a_silent_store():
    """A store that proves itself is believed for three more rounds, and so on."""
    hands = Hands()
    proof = [(Add("K.n4", "n5", KEPT), True), (Read(("K.n4",)), {"K.n4": "n5"})]
    ended = [(Read(("K",)), {"K": LOCK})]
    refused = hands.play(hands.slots.claim("bob"), *lose("K", 3, [*proof, *ended]))
    assert refused.view.locked


def test_a_store_proves_itself_anew_after_three_more_rounds():
    """One proof is not enough for ever."""
    hands, table, proofs = Hands(), Table(), 0
    steps, answer = hands.slots.claim("bob"), None
    while proofs < 3:
        operation = steps.send(answer)
        proof = isinstance(operation, Add) and operation.key != "K"
        answer = table.perform(operation) if proof or isinstance(operation, Read) else False
        proofs += proof
    assert hands.slots.token() == "n16"  # nine heads, and three times a key and a value


def test_rounds_lost_are_counted_in_a_row(longest):
    """A look that shows who holds the slots begins the count anew."""
    hands = Hands(max=1)
    lost = [(Read(("K",)), OPEN), (piece(0, 1), OPEN)]
    hands.play(
        hands.slots.claim("bob", patience=5),
        *lost,
        (Add("K.g.0", "n1 undecided bob", KEPT), False),
        *lost,
        (Add("K.g.0", "n2 undecided bob", KEPT), False),
        (Read(("K",)), OPEN),
        (piece(0, 1), OPEN | undecided(0)),
        (Sleep(0.01), None),
        *lost,
        (Add("K.g.0", "n3 undecided bob", KEPT), False),
        *lost,
        (Add("K.g.0", "n4 undecided bob", KEPT), False),
        (Read(("K",)), {"K": LOCK}),
    )


# Round trips


@pytest.mark.parametrize("ceiling", [0, 1000])
@pytest.mark.parametrize("max", [1, 5, 1000])
def test_a_refused_guess_costs_one_read_of_the_heads(max, ceiling):
    """Rule 7: blocked requests only read, one round trip, whatever `max` is."""
    table, slots = Table({"K": LOCK}), Hands(max, ceiling).slots
    assert table.guess(slots, right=False) == 1
    assert table.asked == [Read(tuple(counter.key for counter in slots.counters))]


@pytest.mark.parametrize(("right", "trips"), [(True, 4), (False, 5)], ids=["success", "failure"])
@pytest.mark.parametrize("record", [{}, OPEN], ids=["first", "later"])
@pytest.mark.parametrize("max", [5, 1000])
def test_the_cost_of_a_guess_without_failures_on_record(right, trips, record, max):
    """Rule 7: the budget of a guess does not depend on `max`."""
    assert Table(record).guess(Hands(max).slots, right) == trips


@pytest.mark.parametrize(("right", "trips"), [(True, 4), (False, 5)], ids=["success", "failure"])
def test_the_cost_of_a_guess_with_failures_of_others_on_record(right, trips):
    """Rule 7: a few failures fit into what is read anyway."""
    assert Table(OPEN, failures("eve", "eve", "eve")).guess(Hands(5).slots, right) == trips


@pytest.mark.parametrize(("right", "trips"), [(True, 4), (False, 5)], ids=["success", "failure"])
@pytest.mark.parametrize("record", [{}, OPEN, OPEN | {"C": "window g"}], ids=["first", "new ceiling", "later"])
@pytest.mark.parametrize("max", [5, 1000])
def test_a_ceiling_costs_at_most_two_round_trips_more(right, trips, record, max):
    """Rule 7: the reads and writes of both counters travel together, the adds can't."""
    assert trips < Table(record).guess(Hands(max, ceiling=max * 10).slots, right) <= trips + 2


@pytest.mark.parametrize(
    ("failed", "ends"),
    [(0, [8]), (3, [8]), (8, [8, 24]), (56, [8, 24, 56, 120]), (999, [8, 24, 56, 120, 248, 504, 1000])],
)
def test_slots_are_read_in_growing_pieces_up_to_the_first_free_one(failed, ends):
    """Rule 7: what a claim costs grows with the failures on record, slowly."""
    table = Table(OPEN, failures(*["eve"] * failed))
    claim = table.run(Hands(max=1000).slots.claim("bob"))
    starts = [0, *ends[:-1]]
    assert table.asked == [
        Read(("K",)),
        *(piece(start, end) for start, end in zip(starts, ends, strict=True)),
        Add(f"K.g.{failed}", "n1 undecided bob", KEPT),
    ]
    assert claim.keys == (f"K.g.{failed}",)


def test_the_failure_that_completes_a_thousand_costs_a_few_round_trips():
    """Rule 7: the fullest of counters takes seven pieces, each time it has to be read."""
    table = Table(OPEN, failures(*["eve"] * 999))
    claim = table.run(Hands(max=1000).slots.claim("bob"))
    table.asked.clear()
    table.run(Hands(max=1000).slots.fail(claim, "bob"))
    assert [type(operation).__name__ for operation in table.asked] == ["Write", *["Read"] * 14, "Write", "Add"]
    assert table["K"] == LOCK


# Looking and resetting


def test_a_look_reads_the_heads():
    """One round trip tells whether a client is locked."""
    hands = Hands(max=1, ceiling=1)
    reading = hands.play(hands.slots.look(), (Read(("C", "K")), {"K": LOCK}, 7))
    assert reading.at == 1000.0
    assert [view.locked for view in reading.views] == [False, True]


def test_a_status_reads_all_slots_and_writes_nothing():
    """Behind a free slot there may be failures still."""
    hands = Hands(max=20)
    found = OPEN | {"K.g.1": "f1 failed bob", "K.g.19": "f19 failed eve"}
    views = hands.play(hands.slots.status(), (Read(("K",)), OPEN), (piece(0, 8), found), (piece(8, 20), found))
    assert views[0].failures == 2


def test_the_status_of_a_full_window_without_a_lock_writes_no_lock():
    """Asking is not guessing."""
    hands = Hands(max=1)
    views = hands.play(hands.slots.status(), (Read(("K",)), OPEN), (piece(0, 1), OPEN | failures("bob")))
    assert views[0].full


def test_a_reset_deletes_the_heads():
    """The slots stay behind under the name of a dead generation."""
    hands = Hands(max=1, ceiling=1)
    hands.play(hands.slots.reset(), (Delete(("C", "K")), None))


# Entries and views


@pytest.mark.parametrize("tag", ["bob", "", "two words"])
@pytest.mark.parametrize("failed", [True, False])
def test_a_slot_survives_being_stored(failed, tag):
    """What is written is what is read."""
    slot = Slot("a1", failed, tag)
    assert Slot.parse(str(slot)) == slot


def test_no_entry_is_no_slot():
    """An absent entry is a free slot."""
    assert Slot.parse(None) is None


@pytest.mark.parametrize(
    ("key", "head"),
    [
        ("lockout:abc", True),
        ("abc", True),
        ("my.prefix:abc", True),
        ("lockout:abc.g.0", False),
        ("lockout:abc.g.lock", False),
        ("lockout:abc.n4", False),
        ("my.prefix:abc.g.f1", False),
    ],
)
def test_heads_are_told_from_other_entries_by_their_key(key, head):
    """A prefix may contain dots; a digest does not."""
    assert is_head(key) is head


def seen(max, entries, head="window g"):
    view = View(Counter("K", max, WINDOW, LOCKOUT), head)
    view.see({"K": head, **entries} if head else entries, range(max))
    return view


@pytest.mark.parametrize(
    ("head", "locked", "until"),
    [(None, False, None), ("window 7", False, None), ("locked 12.500", True, 12.5), ("locked", True, None)],
    ids=["absent", "window", "locked", "for ever"],
)
def test_the_end_of_a_lock(head, locked, until):
    """Only a lock with an end has one."""
    view = View(Counter("K", 2, WINDOW, LOCKOUT), head)
    assert (view.locked, view.until) == (locked, until)


@pytest.mark.parametrize(
    ("head", "entries", "failed", "full", "busy"),
    [
        (None, {}, 0, False, False),
        ("window g", {}, 0, False, False),
        ("window g", failures("bob"), 1, False, False),
        ("window g", failures("bob") | undecided(1), 1, False, True),
        ("window g", undecided(0, 1), 0, False, True),
        ("window g", failures("bob", "bob"), 2, True, False),
        ("locked 12.500", {}, 2, False, False),
    ],
    ids=["absent", "fresh", "one failed", "one undecided", "all undecided", "all failed", "locked"],
)
def test_what_a_view_says_of_its_slots(head, entries, failed, full, busy):
    """Full: a lock is due. Busy: none is due, but no slot is free. A lock stands for all the failures."""
    view = seen(2, entries, head)
    assert (view.failures, view.full, view.busy) == (failed, full, busy)


def test_a_view_that_knows_a_part_of_its_slots_is_neither_full_nor_busy():
    """What was not read may be free."""
    view = View(Counter("K", 3, WINDOW, LOCKOUT), "window g")
    view.see(OPEN | failures("bob") | undecided(1), range(2))
    assert (view.full, view.busy, view.whole) == (False, False, False)


def test_counters_are_compared_by_value():
    """The verdicts that leave the protocol are values."""
    view = seen(1, {})
    assert Refused(view) == Refused(view, ())
    assert Held(view.counter, "g", 0, Slot("a", False, "")).key == "K.g.0"


def test_names_and_clocks_have_sensible_defaults():
    """Names are 64 random bits; the clock of decisions is not the clock of the wall."""
    slots = Slots(())
    assert len({slots.token() for _ in range(100)}) == 100
    assert len(slots.token()) == 16
    assert slots.now() > NOW - 10**9
    assert slots.clock() <= slots.clock()

"""The record as text."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lockout_decorators.records import record as texts
from lockout_decorators.records.record import EMPTY, FOREVER, NOBODY, UNTAGGED, Record, Slot, parse, spell, spell_time

NOW = 1_800_000_000_000
STAMP = "0123456789abcdef"
BOB = Slot(True, NOW, "00c0ffee", "b0b00", "b0bb0bb0")
EVE = Slot(False, NOW + 1, "000decaf", "e7e00", "e7ee7ee7")
FULL = Record(NOW + 2, NOW + 3, NOW + 4, "7f3k92qd", 17, (BOB, EVE))

hexadecimal = st.characters(codec="ascii", categories=["Nd"], include_characters="abcdef")
times = st.integers(0, FOREVER)
slots = st.builds(
    Slot,
    st.booleans(),
    times,
    st.text(hexadecimal, min_size=texts.OCCUPANCY, max_size=texts.OCCUPANCY),
    st.text(hexadecimal, min_size=texts.WHO, max_size=texts.WHO),
    st.text(hexadecimal, min_size=texts.TAG, max_size=texts.TAG),
)
records = st.builds(
    Record,
    times,
    times,
    times,
    st.from_regex(r"[0-9a-z]{0,8}", fullmatch=True),
    st.integers(0, 0xFFFF),
    st.lists(slots, max_size=6).map(tuple),
)


def test_a_record_is_spelled():
    """The stamp, the window, the lock, its reference and level, how many slots, and the slots."""
    assert spell(FULL, STAMP) == (
        "0123456789abcdef.1a3185c5002.1a3185c5003.1a3185c5004.7f3k92qd.11.2."
        "f1a3185c500000c0ffeeb0b00b0bb0bb0-u1a3185c5001000decafe7e00e7ee7ee7"
    )
    assert spell(EMPTY, STAMP) == "0123456789abcdef.0.0.0..0.0."


@given(records)
def test_what_is_spelled_is_read(record):
    assert parse(spell(record, STAMP)) == record


@given(records)
def test_every_database_and_cache_can_keep_it(record):
    """ASCII without upper case, since some databases compare case-blind; nothing that a protocol could trip over."""
    assert re.fullmatch(r"[0-9a-z.-]+", spell(record, STAMP))


def test_a_record_and_a_slot_tell_of_what_they_hold():
    assert (True, NOW, "00c0ffee", "b0b00", "b0bb0bb0") == (BOB.failed, BOB.when, BOB.occupancy, BOB.who, BOB.tag)
    assert (False, NOW + 1) == (EVE.failed, EVE.when)
    assert (NOBODY, UNTAGGED) == (Slot(False, 0, "00c0ffee").who, Slot(False, 0, "00c0ffee").tag)
    assert [(True, 1), (False, 0), (True, 0)] == [(it.locked, it.failures) for it in (FULL, EMPTY, Record(since=1))]
    assert (EVE, None) == (FULL.slot_of("000decaf"), FULL.slot_of("000deca0"))


def test_a_slot_changes():
    """Its time and its state, or its tag; nothing else."""
    assert EVE.at(NOW) == Slot(False, NOW, "000decaf", "e7e00", "e7ee7ee7")
    assert EVE.at(NOW, failed=True) == Slot(True, NOW, "000decaf", "e7e00", "e7ee7ee7")
    assert EVE.tagged(UNTAGGED) == Slot(False, NOW + 1, "000decaf", "e7e00")
    assert {Slot} == {type(slot) for slot in (EVE.at(NOW), EVE.tagged(UNTAGGED), *parse(spell(FULL, STAMP)).slots)}


def test_for_ever_is_the_last_of_all_times():
    assert len(spell_time(FOREVER)) < len(spell_time(FOREVER + 1))


@given(times, times)
def test_times_compare_as_texts(one, other):
    assert (one < other) == (spell_time(one) < spell_time(other))


def test_a_failure_costs_about_thirty_bytes():
    """And a thousand of them stay under 40 kB."""
    one, thousand = (spell(EMPTY._replace(slots=(BOB,) * count), STAMP) for count in (1, 1000))
    assert (len(thousand) - len(one)) / 999 < 35
    assert len(thousand) < 40_000
    assert parse(thousand).failures == 1000


TEXT = spell(FULL, STAMP)
OTHERS = ["", "x" * 100, "0", "{}", STAMP, f"{TEXT}-", f"{TEXT}0", f"{TEXT}\n", f"{TEXT}-{BOB}", f"1:{TEXT}"]
CUT = [TEXT[:-1], TEXT[: -len(EVE)], TEXT[: -len(EVE) - 1], TEXT[1:]]
CHANGES = [(".2.", ".3."), (".2.", ".-2."), (".11.", ".-1."), (".11.", ".1_1."), (".11.", ". 11."), (".11.", "..11.")]
CHANGES += [("f1a", "x1a"), ("f1a", "F1A"), ("-u", "u"), ("1a3185c5002", "1a3185c50020"), ("7f3k92qd", "7F3K92QD")]
CHANGES += [("0", "\N{ARABIC-INDIC DIGIT ZERO}"), (STAMP, STAMP.upper())]


@pytest.mark.parametrize("damaged", [*OTHERS, *CUT, *[TEXT.replace(*change) for change in CHANGES]])
def test_what_is_no_record_is_not_read(damaged):
    """Foreign texts, and records that were cut short or written over, by a letter."""
    with pytest.raises(ValueError, match="record"):
        parse(damaged)


@given(st.text(hexadecimal | st.sampled_from(".-uf"), max_size=200) | st.text())
@example(spell(FULL, STAMP))
@example(spell(FULL, STAMP)[:-1])
def test_any_text_is_a_record_or_is_refused(text):
    try:
        record = parse(text)
    except ValueError:
        return
    assert parse(spell(record, STAMP)) == record

"""What is damaged in the journal, or somebody else's, counts as absent."""

import json

import pytest
from django.core.cache import cache

from lockout_decorators import LockoutPolicy
from lockout_decorators.journal import entries
from lockout_decorators.journal.lock import Lock, parse
from lockout_decorators.support import finding
from lockout_decorators.support.unlocking import unlock
from tests.locks import lock_out


@pytest.fixture
def policy():
    return LockoutPolicy(scope="s", key="ip+username", max=1, ceiling=1)


def test_what_is_no_list_counts_as_absent(policy, request_, caplog):
    """It is told as an error; the next lock has the page."""
    reference = lock_out(policy, request_, "bob")
    for number in range(entries.PAGES):
        cache.set(entries.page_key(number), "junk\nof others", None)
    assert finding.recent() == []
    assert r":page00 holds what is no lock, and counts as absent: 'of others'" in caplog.text
    cache.set(entries._key(reference), 7, None)
    assert finding.by_reference(reference) is None
    policy.reset(request_, "bob")
    reference = lock_out(policy, request_, "eve")
    assert reference in [one.status.reference for one in finding.recent()]


GOOD = Lock("7F3K-92QD", "s", "ip", "key", "r", 1, 2)._asdict()
JUNK = {
    "reference": [7, "junk", None],
    "scope": [7, []],
    "key": [None],
    "counter": ["other"],
    "record": ["a b", "", "r" * 251],
    "began": ["1", 1.5, True, -1, 1 << 60],
    "ends": [None, 1e400],
    "address": [7],
    "username": [0, False, ["bob"]],
}
DAMAGED = ["abcdefg", dict(GOOD), [], *([*(GOOD | {name: one}).values()] for name in JUNK for one in JUNK[name])]


@pytest.mark.parametrize("damaged", DAMAGED, ids=ascii)
def test_what_only_looks_like_a_lock_counts_as_absent(damaged, policy, request_, caplog):
    """It hides none of the others."""
    assert parse(json.dumps([*GOOD.values()]))
    reference = lock_out(policy, request_, "bob")
    for key in (entries.page_key(0), entries._key("7F3K-92QD")):
        cache.set(key, f"stamp\n{json.dumps(damaged)}", None)
    assert finding.by_reference("7F3K-92QD") is None
    assert "7F3K-92QD" not in [one.status.reference for one in finding.recent()]
    assert finding.by_reference(reference).status.locked
    assert caplog.text.count("holds what is no lock") == 2


def test_a_record_that_is_none_is_no_lock(policy, request_):
    """It is not lifted either."""
    found = finding.by_reference(lock_out(policy, request_, "bob"))
    cache.set(found.record, "junk", None)
    assert not finding.by_reference(found.status.reference).status.locked
    assert not unlock(found, "test")

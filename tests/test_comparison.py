"""The page that compares says what was measured, and nothing that was not."""

import re
from itertools import pairwise

import pytest

pytestmark = pytest.mark.tree


@pytest.fixture
def comparison():
    from docs.comparison import __main__ as module

    return module


def test_page_is_what_was_measured(comparison):
    """Its tables, and who is better at what; else run tox -e comparison -- --write."""
    text = comparison.PAGE.read_text(encoding="utf-8")
    assert text == comparison.page(text, *comparison.saved())


def test_page_tells_how_it_was_measured(comparison):
    """By the numbers that the command goes by."""
    text, how = comparison.PAGE.read_text(encoding="utf-8"), comparison.bursts
    (columns,) = re.findall(r"\| column \|.*?\n\n", text, re.DOTALL)
    words = {2: "two", 3: "three", 4: "four", 16: "sixteen"}
    for said in (
        f"of {how.WRONG} at once",
        f"of {how.RIGHT} at once",
        f"The worst of {words[how.BURSTS]} bursts",
        f"{words[how.PROCESSES]} processes with {words[how.THREADS]} threads",
        f"{how.ROUNDS * how.BETWEEN} wrong passwords, and after each {words[how.BETWEEN]} a sign-in",
        f"gunicorn's {words[comparison.load.WORKERS]} workers, asked by {words[comparison.load.AT_ONCE]} at once",
    ):
        assert said in columns


def test_this_package_verified_no_more_than_its_limit(comparison):
    """And let in whoever was right: what the front page says of it."""
    figures = {one.guard: one for one in comparison.saved()[1]}
    ours = figures[comparison.OURS]
    assert (5, comparison.bursts.RIGHT, 5) == (ours.burst, ours.honest, ours.between)
    assert 7 == len(figures) and (3, 3, 1) == ours.trips


def test_who_is_better_is_named_the_best_first(comparison):
    """At each thing that costs; nobody, where nobody is."""
    _, figures = comparison.saved()
    told = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", "\n".join(comparison.better(figures)), re.MULTILINE))
    by_name = {one.guard: one for one in figures}
    for what, cost in comparison.COSTS.items():
        ours, named = cost(by_name[comparison.OURS]), [name for name in told[what].split(", ") if name != "none"]
        assert {one.guard for one in figures if cost(one) < ours} == {*named}
        assert all(cost(by_name[one]) <= cost(by_name[other]) for one, other in pairwise(named))

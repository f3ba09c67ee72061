"""The drawings of the documentation: they are what the code does now, and everybody can read them."""

import re
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parent.parent
NAMES = ["burst", "guess", "latency", "life", "policies"]
SVG = "{http://www.w3.org/2000/svg}"

pytestmark = pytest.mark.tree


def module(name):
    return import_module(f"docs.pictures.{name}")


def test_every_drawing_is_tested():
    """And kept beside the others."""
    drawings = module("drawings")
    assert sorted(drawings.DRAWINGS) == NAMES == sorted(file.stem for file in drawings.FOLDER.glob("*.svg"))


@pytest.mark.parametrize("name", NAMES)
def test_drawing_is_what_the_code_makes_now(name):
    """Else run python -m docs.pictures."""
    drawings = module("drawings")
    assert drawings.file_of(name).read_text(encoding="utf-8") == drawings.DRAWINGS[name]()


@pytest.mark.parametrize("name", NAMES)
def test_drawing_is_told_to_those_who_do_not_see_it(name):
    """It has a title and a description, and each page that shows it an alternative text."""
    drawing = ElementTree.parse(module("drawings").file_of(name)).getroot()
    assert ("img", "title desc") == (drawing.get("role"), drawing.get("aria-labelledby"))
    assert all(len(drawing.findtext(f"{SVG}{part}").split()) >= least for part, least in (("title", 2), ("desc", 20)))
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md"))
    alternatives = re.findall(rf"!\[([^\]]*)\]\(\.\./pictures/{name}\.svg\)", pages)
    assert alternatives and all(len(words.split()) > 5 for words in alternatives)


@pytest.mark.parametrize("scheme", ["LIGHT", "DARK"])
def test_colours_of_letters_stand_out(scheme):
    """From the ground, by the 4.5 to 1 of WCAG 2.2, 1.4.3."""

    def luminance(colour):
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    colours = dict(getattr(module("svg"), scheme))
    ground = luminance(colours.pop("ground"))
    colours.pop("line")
    for colour in colours.values():
        dim, bright = sorted([ground, luminance(colour)])
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, colour


def test_burst_is_let_through_by_who_counts_later():
    """And not by records, where most wait until those before them have failed."""
    burst = module("burst")
    naive, exact = burst.played(burst.CheckThenCount()), burst.played(burst.Records())
    assert burst.verified(naive) > 5 * burst.RULE.max
    assert burst.verified(exact) == burst.RULE.max
    assert 20 < sum(course.decided > course.came for course in exact)


def test_way_of_a_guess_is_as_long_as_the_pages_say():
    """Three round trips, and one for who is locked out, whose password nobody verifies."""
    guess = module("guess")
    walks = [guess.way("wrong", 1), guess.way("right", 0), guess.way("right", guess.MAX)]
    whole = ["look", "claim", "verify", "settle"]
    names = [([step.name for step in made], status) for made, status in walks]
    assert [(whole, 200), (whole, 302), (["look"], 429)] == names
    assert [3, 3, 1] == [sum(step.lane == "cache" for step in made) for made, _ in walks]


def test_life_of_a_record_differs_by_its_window():
    """Where two fixed windows meet more guesses are verified; both locks are as long."""
    life = module("life")
    fixed, rolling = life.lived(life.FIXED), life.lived(life.FIXED._replace(rolling=True))
    assert sum(fixed.guesses.values()) > sum(rolling.guesses.values())
    assert [600, 600] == [sum(one.locked) for one in (fixed, rolling)]

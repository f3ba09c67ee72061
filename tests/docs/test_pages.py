"""Every page can be read aloud; its code, its drawings and its figures are those of what is tested."""

import re
from importlib import import_module
from xml.etree import ElementTree

import pytest

from tests.docs.pages import ROOT

pytestmark = pytest.mark.tree

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WORDS, COLUMNS = 30, 80
FENCED = re.compile(r"^( *)(```+).*?^\1\2$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?<=\n\n)(?: {4}\S.*\n+)+")


def parts(text):
    """Paragraphs, headings, items of lists and cells of tables, without the code between them."""
    prose = INDENTED.sub("\n", FENCED.sub("\n", text))
    prose = re.sub(r"`[^`\n]+(?:\n[^`\n]+)?`", "code", prose)  # however much code, it is read as one word
    prose = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", prose)
    prose = re.sub(r"^(?=\s*(?:[-*]|\d+\.|#+|\(\S+\)=) )", "\n\n", prose, flags=re.MULTILINE)
    for paragraph in re.split(r"\n\s*\n", prose):
        yield from paragraph.split("|") if paragraph.lstrip().startswith("|") else [paragraph]


def sentences(text):
    for part in parts(text):
        yield from re.split(r"(?<=[.!?])[\"'*_)]*\s+", " ".join(part.split()))


def test_sentences_are_short():
    """None has more than thirty words."""
    found = [(page.name, one) for page in PAGES for one in sentences(page.read_text(encoding="utf-8"))]
    assert [] == [(page, sentence) for page, sentence in found if len(sentence.split()) > WORDS]


def test_code_is_narrow():
    """No line has more than eighty columns."""
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    blocks = [found[0] for text in texts for pattern in (FENCED, INDENTED) for found in pattern.finditer(text)]
    assert [] == [line for block in blocks for line in block.splitlines() if len(line) > COLUMNS]


SOURCES = [*(ROOT / "tests" / "recipes").glob("*.py"), ROOT / "tests" / "graphene" / "site.py"]
SEGMENT = re.compile(r"^# (?:recipe|bare|handler|whole)\n(.*?)^# end", re.MULTILINE | re.DOTALL)


def shown(language):
    """The blocks of all pages, each with its page."""
    for page in [*(ROOT / "docs" / "recipes").glob("*.md"), ROOT / "docs" / "howto" / "admin-page.md"]:
        for block in re.findall(
            rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        ):
            yield page.name, block.strip()


def test_code_is_that_of_the_tests():
    """Each block is a segment of a module that is tested, and each segment is shown."""
    segments = {segment.strip() for file in SOURCES for segment in SEGMENT.findall(file.read_text(encoding="utf-8"))}
    blocks = dict(map(reversed, shown("python")))
    assert {page for block, page in blocks.items() if block not in segments} == set()
    assert segments - {*blocks} == set()


def test_script_is_that_of_the_tests():
    """The browser's part of the proof of work."""
    script = (ROOT / "tests" / "recipes" / "proof_of_work.js").read_text(encoding="utf-8")
    assert [("challenge.md", script.strip())] == [*shown("javascript")]


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


NAMES = ["burst", "guess", "latency", "life", "policies"]
SVG = "{http://www.w3.org/2000/svg}"


def module(name):
    return import_module(f"docs.pictures.{name}")


@pytest.mark.parametrize("name", NAMES)
def test_drawing_is_what_the_code_makes_now(name):
    """Each is tested, and kept beside the others; else run python -m docs.pictures."""
    drawings = module("drawings")
    assert sorted(drawings.DRAWINGS) == NAMES == sorted(file.stem for file in drawings.FOLDER.glob("*.svg"))
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

"""The code that the recipes' pages show is the code that `tests/recipes` guesses at."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [*(ROOT / "tests" / "recipes").glob("*.py"), ROOT / "tests" / "graphene" / "site.py"]
SEGMENT = re.compile(r"^# (?:recipe|bare|handler|whole)\n(.*?)^# end", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.tree


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

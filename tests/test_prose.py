"""Every page can be read aloud: no sentence is long, no line of code is wide."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WORDS, COLUMNS = 30, 80
FENCED = re.compile(r"^( *)(```+).*?^\1\2$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?<=\n\n)(?: {4}\S.*\n+)+")

pytestmark = pytest.mark.tree


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


def test_words_that_people_search_for():
    """They appear where one would look: on the front page, and in the guides."""
    front = " ".join((ROOT / name).read_text(encoding="utf-8").lower() for name in ("README.md", "docs/howto/index.md"))
    for word in ("unlock", "nginx", "captcha", "brute force", "rate limit", "credential stuffing"):
        assert word in front

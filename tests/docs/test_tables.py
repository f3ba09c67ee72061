"""The tables of the documentation are complete, and its links lead somewhere."""

import ast
import re
import tomllib

import pytest

import lockout_decorators
from lockout_decorators import LockoutStatus, signals
from lockout_decorators.conf import conf
from lockout_decorators.terms.arguments import PolicyArguments
from lockout_decorators.terms.bounds import Bounds
from tests.docs.pages import PACKAGE, ROOT, rows, text_of

pytestmark = pytest.mark.tree


def test_every_argument_is_in_the_reference():
    """And no other."""
    assert [*PolicyArguments.__annotations__] == rows("docs/reference/index.md", "Arguments")


def test_every_public_name_is_among_the_docstrings():
    """As Sphinx renders them; presets have a page of their own."""
    page = text_of("docs/reference/api.md")
    assert [] == [name for name in lockout_decorators.__all__ if name != "presets" and f":: {name}" not in page]


def test_every_setting_is_in_the_reference():
    """And no other, on any page."""
    source = {*re.findall(r"LOCKOUT_[A-Z0-9_]+", (PACKAGE / "conf.py").read_text(encoding="utf-8"))}
    assert sorted(source) == sorted(rows("docs/reference/index.md", "Settings"))
    for page in (ROOT / "docs").rglob("*.md"):
        assert source >= {*re.findall(r"\bLOCKOUT_[A-Z0-9_]+", page.read_text(encoding="utf-8"))}


def test_default_of_every_setting_is_what_the_reference_says():
    """The second column is what the code falls back to."""
    table = dict(re.findall(r"^\| `LOCKOUT_(\w+)` \| `([^`]+)` \|", text_of("docs/reference/index.md"), re.MULTILINE))
    assert table.pop("TRUSTED_PROXIES") == "()" and conf.trusted_proxies == (frozenset(), False)
    assert {name: ast.literal_eval(text) for name, text in table.items()} == {
        name: getattr(conf, name.lower()) for name in table
    }


RETIRED = {"lockout_decorators.W005", "lockout_decorators.W006"}


def test_every_check_is_on_its_page():
    """And no other; ids that have lost their reason are never used again."""
    texts = [file.read_text(encoding="utf-8") for file in (PACKAGE / "checks").glob("*.py")]
    source = re.findall(r'id="(lockout_decorators\.[EWI]\d{3})"', "".join(texts))
    table = re.findall(r"^\| `(lockout_decorators\.\w+)`", text_of("docs/reference/checks.md"), re.MULTILINE)
    assert sorted({*source}) == sorted(table)
    assert RETIRED.isdisjoint(source)
    for page in (ROOT / "docs").rglob("*.md"):
        named = re.findall(r"\b[EWI]0\d\d\b", page.read_text(encoding="utf-8"))
        assert {f"lockout_decorators.{number}" for number in named} <= {*source} | RETIRED


def test_every_signal_and_status_is_in_the_reference():
    """Signals and the attributes of LockoutStatus."""
    assert [name for name in vars(signals) if isinstance(getattr(signals, name), signals.Signal)] == rows(
        "docs/reference/index.md", "Signals"
    )
    assert [*LockoutStatus.__dataclass_fields__] == rows("docs/reference/index.md", "LockoutStatus")
    assert [*Bounds.__dataclass_fields__] == rows("docs/explanation/presets.md", "Bounds")
    for detail in (signals.AttemptDetail, signals.StoreDetail):
        line = re.search(
            rf"^`{detail.__name__}`: .*?\n\n", text_of("docs/reference/index.md"), re.MULTILINE | re.DOTALL
        )
        assert {*detail.__dataclass_fields__} <= {*re.findall(r"`(\w+)`", line[0])}


def test_every_bound_of_the_threat_model_is_held_by_a_test():
    """Each test that is named is there."""
    named = re.findall(r"`((?:\w+/)?test_\w+\.py)::(test_\w+)`", text_of("docs/explanation/threats.md"))
    assert len(named) > 40
    assert [] == [one for one in named if f"def {one[1]}(" not in text_of(f"tests/{one[0]}")]


def test_rooms_are_drawn_as_they_stand():
    """From above, as import-linter holds them."""
    contracts = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    (drawing,) = re.findall(r"^```text\n(.*?)^```$", text_of("docs/contributing.md"), re.MULTILINE | re.DOTALL)
    drawn = [re.match(r"[| ]+(\w+(?: \| \w+)*)  ", line) for line in drawing.splitlines()]
    assert contracts[0]["layers"] == [found[1] for found in drawn if found]


def test_two_commands():
    """The README has exactly these two, each once, on a line of its own."""
    commands = re.findall(r"^    (pip install tox.*)$", text_of("README.md"), re.MULTILINE)
    assert commands == ["pip install tox && tox -e demo", "pip install tox && tox"]


def test_links_between_the_pages_lead_somewhere():
    """Files and headings that are linked to exist."""
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([\w./-]*\.md(?:#[\w-]+)?|#[\w-]+)\)", page.read_text(encoding="utf-8")):
            file, _, anchor = target.partition("#")
            linked = page.parent / file if file else page
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert not anchor or anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}

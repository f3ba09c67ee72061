"""The migration pages against the packages themselves: no setting of theirs is forgotten, and none is made up."""

import ast
import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "docs" / "migrating"

pytestmark = pytest.mark.tree


def settings_of(package, prefix):
    """What the package's modules read: `settings.NAME` and the string "NAME"."""
    found = set()
    for file in Path(find_spec(package).origin).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            found.add(getattr(node, "attr", None) or getattr(node, "value", None))
    return {name for name in found if isinstance(name, str) and re.fullmatch(rf"{prefix}_[A-Z0-9_]+", name)}


@pytest.mark.parametrize(
    ("name", "package", "prefix"),
    [
        ("django-axes", "axes", "AXES"),
        ("django-defender", "defender", "DEFENDER"),
        ("django-ratelimit", "django_ratelimit", "RATELIMIT"),
    ],
)
def test_settings(name, package, prefix):
    """Each of the installed release has its row in the first column, and the page says which release that is."""
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    theirs = " ".join(line.split(" | ")[0] for line in page.splitlines() if line.startswith("| "))
    assert {*re.findall(rf"\b{prefix}_[A-Z0-9_]+", theirs)} == settings_of(package, prefix)
    assert f"\nVersion {version(name)}. " in page

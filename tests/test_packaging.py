"""What the package offers, and what it says of itself on PyPI; tests/packages.py looks at what is built."""

import re
import tomllib
import types
from configparser import ConfigParser
from pathlib import Path

import pytest
from django.utils.translation import get_language_info, to_language

import lockout_decorators
from lockout_decorators import presets

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ENGLISH_NAMES = {"Brazilian Portuguese": "Portuguese (Brazilian)", "Simplified Chinese": "Chinese (Simplified)"}


@pytest.fixture
def tox():
    parser = ConfigParser(interpolation=None)
    parser.read(ROOT / "tox.ini", encoding="utf-8")
    return parser


def classified(start):
    """The ends of the classifiers that begin so, where a version, or a name, follows."""
    found = [one.removeprefix(f"{start} :: ") for one in PROJECT["classifiers"] if one.startswith(f"{start} :: ")]
    return {end for end in found if re.fullmatch(r"\d+\.\d+|[A-Z][^:]+", end)}


@pytest.mark.tree
def test_versions_are_those_that_tox_tests(tox):
    """Each Python and each Django of the classifiers, and no other."""
    environments = re.findall(r"py3(\d+)-django(\d)(\d)", tox["tox"]["env_list"])
    assert {f"3.{minor}" for minor, _, _ in environments} == classified("Programming Language :: Python")
    assert {f"{major}.{minor}" for _, major, minor in environments} == classified("Framework :: Django")
    for _, major, minor in environments:
        assert f"django{major}{minor}: Django>={major}.{minor},<{major}." in tox["testenv"]["deps"]
    assert PROJECT["requires-python"] == f">=3.{min(int(minor) for minor, _, _ in environments)}"


@pytest.mark.tree
def test_version_is_the_newest_of_the_changelog():
    """With its day; and the one that the security policy supports."""
    pages = {name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("changelog", "security")}
    released = re.findall(r"^## (\S+) - \d{4}-\d\d-\d\d$", pages["changelog"], re.MULTILINE)
    assert PROJECT["version"] == released[0]
    supported = re.findall(r"^\| ([\d.]+) \| yes \|$", pages["security"], re.MULTILINE)
    assert PROJECT["version"].startswith(tuple([f"{version}." for version in supported]))
    assert {*re.findall(r"\b\d\.\d+\b", pages["security"].partition("tested with")[2])} == {
        *classified("Programming Language :: Python"),
        *classified("Framework :: Django"),
    }


@pytest.mark.tree
def test_languages_are_those_that_are_translated():
    """And English."""
    folders = [folder.name for folder in (ROOT / "lockout_decorators" / "locale").iterdir()]
    names = [get_language_info(to_language(name))["name"] for name in folders]
    assert {"English"} | {ENGLISH_NAMES.get(name, name) for name in names} == classified("Natural Language")


@pytest.mark.tree
def test_typed_says_what_the_marker_says():
    """Type checkers find the same as whoever reads PyPI."""
    assert ("Typing :: Typed" in PROJECT["classifiers"]) == (ROOT / "lockout_decorators" / "py.typed").is_file()


@pytest.mark.tree
def test_two_dependencies_and_the_oldest_of_each_is_tested(tox):
    """Django and wrapt, nothing else; the packaging environment has the first release that is allowed."""
    oldest = [requirement.replace(">=", "==") for requirement in PROJECT["dependencies"]]
    assert ["Django", "wrapt"] == [requirement.partition("==")[0] for requirement in oldest]
    pinned = tox["testenv:packaging"]["deps"].split()
    assert oldest == [requirement.removesuffix(".0") for requirement in pinned]


NAMES = {
    *("ChallengeRequired", "LockedOut", "LockoutPolicy", "LockoutStatus", "areset_attempts", "client_address"),
    *("lockout_protect", "policies_of", "presets", "reset_attempts"),
}


def test_all_is_the_public_surface():
    """`__all__` names what can be imported from the package, in order."""
    found = {
        name
        for name, value in vars(lockout_decorators).items()
        if not name.startswith("_") and (value is presets or not isinstance(value, types.ModuleType))
    }
    assert NAMES == found == set(lockout_decorators.__all__)
    assert sorted(lockout_decorators.__all__) == lockout_decorators.__all__


def test_public_names_are_documented():
    """Every public name says what it is for."""
    assert [] == [name for name in NAMES if not (getattr(lockout_decorators, name).__doc__ or "").strip()]

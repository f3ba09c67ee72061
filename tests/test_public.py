"""What the package offers, and nothing else."""

import importlib.resources
import pickle
import types

import pytest

import lockout_decorators
from lockout_decorators import LockedOut, LockoutStatus, presets
from lockout_decorators.exceptions import flavoured

NAMES = {
    *("LockedOut", "LockoutPolicy", "LockoutStatus", "areset_attempts", "client_address", "lockout_protect"),
    *("policies_of", "presets", "reset_attempts"),
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


@pytest.mark.parametrize("name", sorted(NAMES))
def test_public_names_are_documented(name):
    """Every public name says what it is for."""
    assert (getattr(lockout_decorators, name).__doc__ or "").strip()


def test_package_is_typed():
    """Type checkers find the marker."""
    assert importlib.resources.files(lockout_decorators).joinpath("py.typed").is_file()


@pytest.mark.parametrize("kind", [LockedOut, flavoured(LockedOut)], ids=["plain", "DRF's"])
def test_locked_out_survives_pickling(kind):
    """A worker process may hand it on."""
    status = LockoutStatus("login", True, 5, 5, 60)
    again = pickle.loads(pickle.dumps(kind(status)))
    assert (status, "Too many failed attempts. Retry after 60 s.") == (again.status, str(again))
    assert isinstance(again, LockedOut)


def test_locked_out_without_end_has_no_time_to_tell():
    """A lock without end says nothing about coming back."""
    assert str(LockedOut(LockoutStatus("login", True, 5, 5))) == "Too many failed attempts."

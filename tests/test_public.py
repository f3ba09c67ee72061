"""What the package offers, and nothing else."""

import importlib.resources
import types

import lockout_decorators
from lockout_decorators import presets

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


def test_package_is_typed():
    """Type checkers find the marker."""
    assert importlib.resources.files(lockout_decorators).joinpath("py.typed").is_file()

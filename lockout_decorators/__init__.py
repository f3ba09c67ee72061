"""Decorators that stop password guessing."""

from .decorators import lockout_protect
from .exceptions import LockedOut, LockoutStatus
from .policy import LockoutPolicy
from .registry import areset_attempts, reset_attempts

__all__ = [
    "LockedOut",
    "LockoutPolicy",
    "LockoutStatus",
    "areset_attempts",
    "lockout_protect",
    "reset_attempts",
]

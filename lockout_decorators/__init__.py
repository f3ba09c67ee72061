"""Decorators that stop password guessing."""

from . import presets
from .clients.addresses import client_address
from .decorators import lockout_protect, policies_of
from .exceptions import LockedOut, LockoutStatus
from .policy import LockoutPolicy, areset_attempts, reset_attempts

__all__ = [
    "LockedOut",
    "LockoutPolicy",
    "LockoutStatus",
    "areset_attempts",
    "client_address",
    "lockout_protect",
    "policies_of",
    "presets",
    "reset_attempts",
]

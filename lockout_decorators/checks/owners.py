"""Policies by which strangers keep the owner of an account out."""

from dataclasses import fields

from .. import presets
from ..clients.keys import Key
from ..policy import LockoutPolicy

NAME = Key.parse("username")
FEW = 50  # wrong guesses that nobody has to go to any trouble for


def _arguments(policy: LockoutPolicy) -> dict[str, object]:
    """All but the scope."""
    return {field.name: vars(policy).get(field.name) for field in fields(policy) if field.name != "scope"}


CONSIDERED = list(map(_arguments, (*presets.CODES, *presets.PCI_DSS)))  # which say so themselves


def keeps_owner_out(policy: LockoutPolicy) -> bool:
    """Whether a few wrong guesses by anybody do."""
    if not policy.enforce or policy.key != NAME or policy.max >= FEW or policy.known_browsers:
        return False
    return _arguments(policy) not in CONSIDERED

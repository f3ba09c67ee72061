"""Policies by which strangers keep the owner of an account out."""

from .. import presets
from ..clients.keys import Key
from ..policy import LockoutPolicy
from ..terms.terms import DERIVED

NAME = Key.parse("username")
FEW = 50  # wrong guesses that nobody has to go to any trouble for

CONSIDERED = [vars(policy) for policy in (*presets.CODES, *presets.PCI_DSS)]  # which say so themselves


def keeps_owner_out(policy: LockoutPolicy) -> bool:
    """Whether a few wrong guesses by anybody do."""
    if not policy.enforce or policy.key != NAME or policy.max >= FEW:
        return False
    return {**vars(policy), "scope": DERIVED} not in CONSIDERED

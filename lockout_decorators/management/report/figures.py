"""What is reported of a door, as plain values."""

from dataclasses import asdict
from typing import Any

from lockout_decorators.clients.keys import Key
from lockout_decorators.policy import LockoutPolicy
from lockout_decorators.terms.bounds import ADDRESSES, guesses
from lockout_decorators.terms.keepers import keepers

from .doors import Door
from .standards import verdicts


def figures(door: Door) -> dict[str, Any]:
    """As `--json` prints them; None: there is no bound."""
    return {
        "door": door.name,
        "routes": list(door.routes),
        "policies": [_policy(policy) for policy in door.policies],
        "account": [asdict(guesses(door.policies, addresses, True)) for addresses in ADDRESSES],
        "total": [asdict(guesses(door.policies, addresses, False)) for addresses in ADDRESSES],
        "keeps_out": list(map(str, keepers(door.policies))),
        "standards": [verdict._asdict() for verdict in verdicts(door.policies)],
    }


def _policy(policy: LockoutPolicy) -> dict[str, Any]:
    names = ("scope", "max", "window", "lockout", "rolling", "ceiling", "spread", "challenge_after", "enforce")
    exempt, known = policy.exempt, policy.known_browsers
    return {
        "key": str(policy.key),
        **{name: getattr(policy, name) for name in names},
        "exempt": sorted(map(str, exempt)) if isinstance(exempt, frozenset) else exempt and str(Key.parse(exempt)),
        "known_browsers": known and known.total_seconds(),
        "interval": policy.bounds().interval,
    }

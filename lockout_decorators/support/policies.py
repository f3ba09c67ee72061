"""The policies of a site, in short."""

from typing import Any

from ..terms.terms import Terms

SHOWN = ("scope", "key", "max", "window", "lockout", "rolling", "ceiling", "spread", "cache", "enforce")


def in_short(policy: Terms) -> dict[str, Any]:
    """What is shown of it: plain values, by the names in `SHOWN`."""
    return {name: str(policy.key) if name == "key" else getattr(policy, name) for name in SHOWN}

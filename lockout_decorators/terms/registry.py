"""All policies that have a scope: what `reset_attempts` and the system checks go through.

Some projects make a policy for each request, whose lambda equals no other. So there is a bound. Beyond it the first are
known, which were made at import, and the last.
"""

from typing import Any

SCOPES, MOST = 10_000, 32  # at most, and unequal policies of one

registered: dict[str, list[Any]] = {}


def everyone() -> list[Any]:
    """All of them, as they are now: other threads may register more meanwhile."""
    return [policy for several in [*registered.values()] for policy in several]


def register(policy: Any) -> None:
    """Equal policies are one."""
    if policy not in (known := registered.setdefault(policy.scope, [])):
        known.append(policy)
        if len(known) > MOST:
            del known[MOST // 2]
        if len(registered) > SCOPES:
            del registered[[*registered][SCOPES // 2]]

"""All policies that have a scope: what `reset_attempts` and the system checks go through."""

from typing import Any

registered: dict[str, list[Any]] = {}


def register(policy: Any) -> None:
    """Equal policies are one."""
    if policy not in (known := registered.setdefault(policy.scope, [])):
        known.append(policy)

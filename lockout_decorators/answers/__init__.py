"""From `LockedOut` to a response."""

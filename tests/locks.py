"""Locks for the tests of the journal, and of those who read it."""


def lock_out(policy, request, username=None):
    """As many failures as it takes; the reference."""
    for _ in range(policy.max):
        with policy.attempt(request, username):
            pass
    return policy.status(request, username).reference

"""A site that is being guessed at: its doors, the locks that fell there, and the numbers of a day."""

from math import sin

from django.test import RequestFactory

from lockout_decorators import LockoutPolicy
from lockout_decorators.journal import tallies
from lockout_decorators.journal.tally import STEP, STEPS, Tally
from lockout_decorators.stores import host_clock

HERE = "192.0.2.7"
LONG = "somebody-with-a-very-long-name-indeed@example.org"


def busy(names: tuple[str, ...] = ("ann", LONG, "\u202enimda", "eve", "bob")) -> LockoutPolicy:
    """The policy of the door where all these are locked out; LOCKOUT_JOURNAL must be on."""
    door = LockoutPolicy(scope="accounts.views.sign_in", key="ip+username", max=2, ceiling=None)
    api = LockoutPolicy(scope="api", key="ip", max=3, lockout=None)
    LockoutPolicy(scope="codes", key="username", max=5, window=86400, rolling=True, lockout=0, ceiling=None)
    fail(api, "2001:db8::1")
    for number, name in enumerate(names[::-1]):
        fail(door, f"192.0.2.{7 + number}", name)
    now = host_clock()
    for ago in range(STEPS):
        wave = round(20 * max(0, sin(ago / 30) + sin(ago / 7) / 2))
        tallies.count("default", {door.scope: Tally(wave, wave // 9, 2 * wave)}, now - ago * STEP)
    return door


def fail(policy: LockoutPolicy, address: str, name: str | None = None) -> None:
    """Until it locks."""
    for _ in range(policy.max):
        with policy.attempt(RequestFactory().post("/", REMOTE_ADDR=address), name):
            pass

"""Presets: tuples of policies for common doors, under the view's scope: `@lockout_protect(*presets.LOGIN)`.

Each cites its text. What it comes to, `manage.py lockout report` says; of one policy, `policy.bounds()`.
"""

from datetime import timedelta
from typing import Any

from .policy import LockoutPolicy
from .terms.terms import DERIVED

Preset = tuple[LockoutPolicy, ...]

MINUTE, HOUR, DAY = 60, 3_600, 86_400
TEN_YEARS = 315_360_000  # the longest window there is, for texts that name none


def _policy(**arguments: Any) -> LockoutPolicy:
    """One that counts under the scope of whatever view it is put on."""
    return LockoutPolicy(scope=DERIVED, **arguments)


def _pair(**arguments: Any) -> LockoutPolicy:
    """An account as seen from one address: who guesses there keeps nobody out elsewhere."""
    return _policy(key="ip+username", **arguments)


def _account(**arguments: Any) -> LockoutPolicy:
    """An account from all addresses together; what one address may do, another policy at the door says."""
    return _policy(key="username", ceiling=None, **arguments)


LOGIN: Preset = (
    _pair(ceiling=None, max=5, window=15 * MINUTE, lockout=15 * MINUTE),
    _pair(ceiling=None, max=20, window=DAY, rolling=True, lockout=0),
    _account(max=100, window=DAY, rolling=True, lockout=0, known_browsers=timedelta(days=90)),
    _policy(key="ip", max=50, window=HOUR, lockout=HOUR, spread=10),
)
"""For passwords. A short horizon for the pair of address and name is friendly to typos, a long one is tight; a botnet
shares a hundred guesses a day at an account, an address gets fifty an hour, and whoever sprays from it ten accounts.

OWASP Authentication Cheat Sheet, "Login Throttling": count by account, with an observation window and a duration; it is
within ASVS 5.0, 6.3.1. To keep the owner out takes five addresses, each of them a day's worth of guesses, and does not
reach the browsers that he has signed in with before.
"""

CODES: Preset = (_policy(key="username", max=5, window=DAY, rolling=True, lockout=0),)
"""For one-time codes, after a right password: five in 24 hours, whoever sends them. Six digits, three of them valid at
a time, are guessed with half a per cent a year.

RFC 6238, 5.2, and RFC 4226, 7.3: throttle by a maximum of attempts per account, across login sessions. It keeps out the
owner too, by whoever knows the password.
"""

NIST: Preset = (
    _pair(max=5, window=5 * MINUTE, lockout=(5 * MINUTE, 15 * MINUTE, HOUR)),
    _account(max=100, window=TEN_YEARS, rolling=True, lockout=None),
)
"""SP 800-63B-4, 3.2.2 (SP 800-63B, 5.2.2): at most 100 consecutive failed attempts on a single account; then it is
locked until you reset it, as `policy.reset()` does. The text names no time, so failures count for ten years, and only
those are forgotten that the owner's own sign-ins prove to be the owner's. As the text suggests, pauses grow up to an
hour before that.

Anybody who knows a name can have its account locked, from one address within hours. Each account with a failure on
record keeps an entry in the cache, which must not evict it.
"""

ASVS: Preset = (
    _pair(max=5, window=15 * MINUTE, lockout=(15 * MINUTE, HOUR)),
    _account(max=100, window=HOUR, rolling=True, lockout=0),
)
"""OWASP ASVS 4.0.3, 2.2.1: at most 100 failed attempts an hour on a single account, with ever longer locks. ASVS 5.0
wants the controls documented (6.1.1) and as documented (6.3.1): `manage.py lockout report --markdown` writes that page.
"""

PCI_DSS: Preset = (_policy(key="username", max=10, window=HOUR, rolling=True, lockout=HOUR),)
"""PCI DSS 4.0.1, 8.3.4: lock the user ID after at most 10 attempts, for at least 30 minutes or until the user's
identity is confirmed (`policy.reset()`). Here no hour holds more than ten.

The text wants it so: anybody who knows a name can keep its owner out by ten wrong guesses an hour.
"""

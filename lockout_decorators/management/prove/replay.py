"""Replays the rule over what was verified, by the guessers' own clock: how many guesses nobody can have admitted.

Knows nothing of records and moves. Where the clocks leave a doubt it finds nothing: a window is taken to end as early,
and a guess to be admitted as late, as they can have been.
"""

from collections.abc import Sequence

from .acts import Verified
from .strangers import MAX, Stranger

DOUBT = 0.05  # seconds by which the store's clock may seem to differ


def too_many(verified: Sequence[Verified], stranger: Stranger, held: Verified | None = None) -> int:
    """Of wrong guesses in fixed windows; `held` was never finished: its slot stays taken, and never locks."""
    window = refusing = 0.0  # when they end
    taken = found = 0
    for guess in sorted([*verified, held] if held else verified, key=lambda guess: guess.admitted):
        if guess.admitted < refusing - DOUBT:
            found += 1
            continue
        if guess.admitted >= window - DOUBT:
            window, taken = guess.began + stranger.window, 0
        taken += 1
        if taken == MAX:
            holds = held is not None and window - stranger.window <= held.admitted
            refusing = window if holds else guess.admitted + stranger.lockout
            window = refusing
    return found

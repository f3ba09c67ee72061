"""A call on its way to its guess, and that to its slots."""

from collections.abc import Callable

from .challenges import is_solved
from .driver import Claim, Refused
from .guess import Guess
from .guesses import Guesses
from .waiting import Wait


class Claiming:
    """For run() and aclaim(). `find` gives the guess: one that was made already, a new one, or None."""

    def __init__(self, guesses: Guesses, find: Callable[..., Guess | None], *told: object) -> None:
        self._guesses, self._find, self._told = guesses, find, told
        self._guess: Guess | None = None
        self._claim: Claim | None = None

    def step(self) -> Guess | Wait | None:
        """The guess with its slots, or that there is none. Raises LockedOut."""
        guess = self._guess or self._find(*self._told)
        if guess is None or guess in self._guesses.made:
            return guess
        self._guess = guess
        came = self._guesses.without_outage(guess, self._claimed)
        return came if isinstance(came, Wait) else self._admitted(guess, came)

    def _claimed(self, guess: Guess) -> Refused | Wait | None:
        if self._claim is None:
            self._guesses.begin(guess)
            self._claim = Claim(guess.books, self._guesses.own)
        came = self._claim.step()
        while (refused := self._claim.refused) and refused.refusal.unsolved:
            if not is_solved(terms := refused.seat.counter.terms, self._guesses.request):
                break
            self._claim.solve(terms)
            came = self._claim.step()
        return came

    def give_up(self) -> Guess | None:
        """Wait no longer. Raises LockedOut."""
        refused = self._claim.refused if self._claim else None
        return self._guess and self._admitted(self._guess, refused)

    def undo(self) -> None:
        """Nobody was asked."""
        if self._guess:
            self._guess.withdraw()
            self._guesses.settle(self._guess)

    def _admitted(self, guess: Guess, refused: Refused | None) -> Guess:
        self._guesses.admit(guess, self._claim.passed if self._claim else (), refused)
        return guess.joins or guess

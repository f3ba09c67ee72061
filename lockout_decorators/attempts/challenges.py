"""Whether whoever sent a request has solved its challenge: each policy's callable is asked once a request."""

import logging
from collections.abc import Callable
from threading import RLock
from typing import Any

from django.http import HttpRequest

from ..callables import is_answer
from ..logs import extra
from ..terms.terms import Terms
from .watch import home

logger: logging.Logger = logging.getLogger("lockout_decorators")

ANSWERS = "_lockout_challenges"  # of a request


def is_solved(terms: Terms, request: HttpRequest) -> bool:
    """A challenge that breaks down is not solved, and an ERROR in the log."""
    answers: Answers = home(request).setdefault(ANSWERS, Answers())
    return answers.of(terms, request)


class Answers:
    """What was answered; one challenge may serve several policies. Stays with its request: a copy asks anew."""

    def __init__(self) -> None:
        self._lock = RLock()  # a guess in another thread waits for the answer; one that the challenge makes does not
        self._known: list[list[Any]] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return Answers, ()

    def of(self, terms: Terms, request: HttpRequest) -> bool:
        with self._lock:
            for challenge, answer in self._known:
                if challenge == terms.challenge:
                    return bool(answer)
            self._known.append(asked := [terms.challenge, False])
            asked[1] = self._ask(terms, request)
            return bool(asked[1])

    def _ask(self, terms: Terms, request: HttpRequest) -> bool:
        challenge: Callable[[HttpRequest], Any] = terms.challenge
        try:
            answer = challenge(request)
            if not is_answer(answer):
                raise TypeError("it must answer by itself: what is to be awaited says nothing yet")
        except Exception:
            facts = extra("challenge_broken", scope=terms.scope)
            logger.exception("the challenge broke down, and counts as not solved: scope=%a", terms.scope, extra=facts)
            return False
        return bool(answer)

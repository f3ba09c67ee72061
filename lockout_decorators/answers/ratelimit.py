"""The fields of draft-ietf-httpapi-ratelimit-headers, for policies that ask for them: how many tries are left."""

import math
from typing import TypeVar

from django.http.response import HttpResponseBase

from ..attempts.standing import Place, standing
from ..attempts.watched import Watched
from ..exceptions import LockoutStatus
from ..terms.terms import Terms

T = TypeVar("T")


def tell(block: Watched, response: T) -> T:
    """Have the answer to a guess tell what is left where that counted; no cache is asked. What is no response stays as
    it is."""
    if block.met and isinstance(response, HttpResponseBase):
        told = [(terms, status) for terms in block.given if (status := _status(block, terms))]
        if told:
            response.headers.setdefault("RateLimit-Policy", ", ".join([_policy(terms) for terms, _ in told]))
            response.headers.setdefault("RateLimit", ", ".join([_left(terms, status) for terms, status in told]))
    return response


def _status(block: Watched, terms: Terms) -> LockoutStatus | None:
    if terms.ratelimit is None or not terms.enforce:
        return None
    met = [(seat, book.clock()) for book in block.met for seat in book.seats]
    return standing([Place(seat, now) for seat, now in met if seat.counter.terms == terms])


def _policy(terms: Terms) -> str:
    return f'"{terms.ratelimit}";q={terms.max};w={math.ceil(terms.window)}'


def _left(terms: Terms, status: LockoutStatus) -> str:
    if status.retry_after is None:
        return f'"{terms.ratelimit}";r={status.remaining}'
    return f'"{terms.ratelimit}";r=0;t={status.retry_after}'

"""Which blocks are open: in this thread or task, and for a request."""

from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Protocol

from ..terms.terms import Terms

BLOCKS, OWN = "_lockout_blocks", "_lockout_own"  # of a request


class Call:
    """The credentials of one call of a backend; its repr shows none of them."""

    __slots__ = ("backend", "credentials")

    def __init__(self, credentials: Mapping[str, Any], backend: str) -> None:
        self.credentials: Mapping[str, Any] = credentials
        self.backend: str = backend

    def __repr__(self) -> str:
        return f"<Call of {self.backend}>"


class Watching(Protocol):
    """A block as it is seen from here."""

    policies: Sequence[Terms]
    given: Sequence[Terms]
    open: bool
    site: bool


Asked = Sequence[tuple[Any, Any]]  # blocks, and the guess that a call is in each

_open: ContextVar[tuple[Any, ...]] = ContextVar("lockout_decorators_open", default=())
inside: ContextVar[tuple[Any, ...]] = ContextVar("lockout_decorators_inside", default=())
"""The blocks whose guess a backend is verifying: what it asks itself belongs to that guess."""

asked_last: ContextVar[Asked] = ContextVar("lockout_decorators_asked", default=())


def home(request: Any) -> dict[str, Any]:
    """Where a request, DRF's or Django's, keeps its blocks."""
    try:
        found: dict[str, Any] = vars(request)
        return vars(found["_request"]) if "_request" in found else found
    except Exception:  # noqa: BLE001  # whatever a signal was sent with
        return {}


class Blocks(list[Any]):
    """Of one request, and of its copies. What is pickled has none: nobody watches there."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Blocks, ()

    def __deepcopy__(self, memo: object) -> "Blocks":
        return self


def blocks_of(request: Any) -> list[Any]:
    blocks: list[Any] = home(request).setdefault(BLOCKS, Blocks())
    return blocks


def hide_post(request: Any) -> None:
    """The POST data of a request is hidden in error reports, as Django's `sensitive_post_parameters()` does; a view
    inside may narrow that."""
    home(request).setdefault("sensitive_post_parameters", "__ALL__")


def site_block(request: Any) -> Any:
    """The open block of the whole site, if there is one."""
    return next((block for block in blocks_of(request) if block.site and block.open), None)


def enter(block: Watching, blocks: list[Any]) -> None:
    """From now on `block` watches this thread or task, and calls and signals that carry its request, which has
    `blocks`. Those are forgotten that were closed elsewhere, as with a generator."""
    _open.set((*[other for other in here() if other.open], block))
    blocks.append(block)  # in place: other threads may have the same request


def leave(block: Watching, blocks: list[Any]) -> None:
    """Forget it, with the secrets that it holds: a thread may live long."""
    own = _open.get()
    _open.set(own[:-1] if own[-1:] == (block,) else tuple([other for other in own if other is not block]))
    if asked := asked_last.get():
        asked_last.set([pair for pair in asked if pair[0] is not block])
    blocks.remove(block)


def here() -> tuple[Any, ...]:
    """The open blocks of this thread or task."""
    return _open.get()


def watching(request: Any) -> Sequence[Any]:
    """The open blocks that a call with `request` belongs to: those of other threads or tasks, then its own; that of the
    whole site only where there is no other.

    The innermost is the last.
    """
    own, known = _open.get(), home(request).get(BLOCKS, [])
    if len(own) == 1 and (not known or known == [*own]) and own[0].open:
        return own  # as almost always
    found = [block for block in (*[block for block in known if block not in own], *own) if block.open]
    return [block for block in found if not block.site] or found


def apart(blocks: Sequence[Any]) -> Sequence[tuple[Any, Sequence[Terms]]]:
    """Each block with the policies that it counts under, the innermost first: what several count is left to that."""
    if len(blocks) == 1 and blocks[0].policies:
        return [(blocks[0], blocks[0].policies)]
    counted: set[str] = set()
    found = []
    for block in reversed(blocks):
        if policies := [terms for terms in block.policies if not terms.frames <= counted]:
            found.append((block, policies))
            counted |= _frames(policies)
    return found


def peers(block: Watching, blocks: Sequence[Any]) -> list[Any]:
    """Other open blocks of the request that count alike, as where a class and its URL were both decorated."""
    others = [other for other in blocks if other.open and other is not block]
    return [other for other in others if _frames(block.given) & _frames(other.given)]


def uncounted(policies: Sequence[Terms], blocks: Sequence[Any]) -> Sequence[Terms]:
    """One of each that count alike, the strictest; and none that an open block of this very thread or task counts
    already as strictly. Guesses in parallel tasks need a block each."""
    own = here()
    if not (blocks and own) and (len(policies) < 2 or _differ([terms.frames for terms in policies])):
        return policies
    known = [terms for block in blocks if block.open and block in own for terms in block.policies]
    covered = [_frames([terms for terms in known if _strictness(terms) >= least]) for least in range(3)]
    left: dict[int, Terms] = {}
    for place, terms in sorted(enumerate(policies), key=lambda pair: -_strictness(pair[1])):
        if not terms.frames <= covered[_strictness(terms)]:
            left[place] = terms
            covered = [
                frames | terms.frames if least <= _strictness(terms) else frames for least, frames in enumerate(covered)
            ]
    return [left[place] for place in sorted(left)]


def _differ(frames: Sequence[frozenset[str]]) -> bool:
    return len(frozenset[str]().union(*frames)) == sum(map(len, frames))


def _strictness(terms: Terms) -> int:
    """Whether it refuses, and asks for a challenge before."""
    return terms.enforce + (terms.enforce and terms.challenge is not None)


def _frames(policies: Iterable[Terms]) -> frozenset[str]:
    return frozenset[str]().union(*[terms.frames for terms in policies])

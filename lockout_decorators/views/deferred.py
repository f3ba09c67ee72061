"""What a view leaves to be made after it has returned, a rendering or a stream: made under the same eyes."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from django.http import FileResponse

from ..attempts.block import Block
from ..exceptions import LockedOut

logger: logging.Logger = logging.getLogger("lockout_decorators")

Refuse = Callable[[LockedOut], Any]


def is_deferred(response: Any) -> bool:
    """Whether there is something left to be made. A file is none: servers send it in ways of their own."""
    if getattr(response, "is_rendered", True) is False:
        return True
    return getattr(response, "streaming", False) and not isinstance(response, FileResponse)


def watch_on(block: Block, response: Any, refuse: Refuse) -> None:
    """Have `block` watch while the rest of `response` is made; `refuse` answers for a guess that it refuses then."""
    if getattr(response, "is_rendered", True) is False:
        _watch_rendering(block, response, refuse)
    elif response.is_async:
        response.streaming_content = _awatched(block, response.streaming_content)
    else:
        response.streaming_content = _watched(block, response.streaming_content)


def _watch_rendering(block: Block, response: Any, refuse: Refuse) -> None:
    """Once: nothing stays on the response that could not be pickled."""
    render = response.render

    def watched() -> Any:
        vars(response).pop("render", None)
        before = block.refused
        try:
            with block.resumed():
                made = render()
                block.response = made
        except LockedOut as locked_out:
            return _rendered(refuse(locked_out))
        if block.refused is before or block.refused is None:
            return made
        return _rendered(refuse(block.refused))  # the renderer has passed over it

    response.render = watched


def _rendered(response: Any) -> Any:
    return response.render() if getattr(response, "is_rendered", True) is False else response


def _watched(block: Block, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Its head is sent: who is locked out there gets no more of it."""
    while True:
        try:
            with block.resumed():
                chunk = next(chunks)
        except StopIteration:
            return
        except LockedOut as locked_out:
            return _tell(locked_out)
        yield chunk


async def _awatched(block: Block, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """See _watched()."""
    while True:
        try:
            async with block.aresumed():
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except LockedOut as locked_out:
            _tell(locked_out)
            return
        yield chunk


def _tell(locked_out: LockedOut) -> None:
    logger.warning("a streaming response ends, since a guess in it was refused: scope=%a", locked_out.status.scope)

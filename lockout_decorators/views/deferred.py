"""What a view leaves to be made after it has returned, a rendering or a stream: made under the same eyes."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import Any

from django.http import FileResponse

from ..attempts.block import Block
from ..exceptions import LockedOut, refusal_in

logger: logging.Logger = logging.getLogger("lockout_decorators")

Refuse = Callable[[LockedOut], Any]


def is_deferred(made: Any, is_view: bool) -> bool:
    """Whether there is something left to be made. A file is none: servers send it in ways of their own."""
    if not is_view:
        return isinstance(made, Generator | AsyncGenerator)
    unrendered = getattr(made, "is_rendered", True) is False
    return unrendered or (getattr(made, "streaming", False) and not isinstance(made, FileResponse))


def watch_on(block: Block, made: Any, refuse: Refuse) -> Any:
    """Have `block` watch while the rest of `made` is made; `refuse` answers for a guess that it refuses then. What is
    no view's raises it."""
    if isinstance(made, Generator):
        return _steps(block, made)
    if isinstance(made, AsyncGenerator):
        return _asteps(block, made)
    if getattr(made, "is_rendered", True) is False:
        _watch_rendering(block, made, refuse)
    elif made.is_async:
        made.streaming_content = _awatched(_asteps(block, made.streaming_content))
    else:
        made.streaming_content = _watched(_steps(block, made.streaming_content))
    return made


def _watch_rendering(block: Block, response: Any, refuse: Refuse) -> None:
    """Once: nothing stays on the response that could not be pickled."""
    render = response.render

    def watched() -> Any:
        vars(response).pop("render", None)
        before = block.refused
        try:
            with block.resumed():
                made = block.response = render()
        except LockedOut as locked_out:
            return _rendered(refuse(locked_out))
        if block.refused is before or block.refused is None:
            return made
        return _rendered(refuse(block.refused))  # the renderer has passed over it

    response.render = watched


def _rendered(response: Any) -> Any:
    return response.render() if getattr(response, "is_rendered", True) is False else response


def _steps(block: Block, chunks: Iterator[Any]) -> Iterator[Any]:
    while True:
        with block.resumed():
            try:
                chunk = next(chunks)
            except StopIteration:
                return
        yield chunk


async def _asteps(block: Block, chunks: AsyncIterator[Any]) -> AsyncIterator[Any]:
    while True:
        async with block.aresumed():
            try:
                chunk = await anext(chunks)
            except StopAsyncIteration:
                return
        yield chunk


def _watched(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The head is sent: who is locked out there gets no more of it."""
    try:
        yield from chunks
    except (LockedOut, ExceptionGroup) as error:
        _tell(error)


async def _awatched(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """See _watched()."""
    try:
        async for chunk in chunks:
            yield chunk
    except (LockedOut, ExceptionGroup) as error:
        _tell(error)


def _tell(error: LockedOut | ExceptionGroup[Exception]) -> None:
    locked_out = refusal_in(error) if isinstance(error, ExceptionGroup) else error
    if locked_out is None:
        raise error
    logger.warning("a streaming response ends, since a guess in it was refused: scope=%a", locked_out.status.scope)

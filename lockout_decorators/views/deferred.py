"""What a view leaves to be made after it has returned, a rendering or a stream: made under the same eyes."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing
from functools import partial
from io import IOBase
from typing import Any

from django.http.response import HttpResponseBase

from ..attempts.block import Block
from ..attempts.verdicts import is_unmade
from ..exceptions import LockedOut, refusal_in
from ..logs import extra

logger: logging.Logger = logging.getLogger("lockout_decorators")

Refuse = Callable[[LockedOut], Any]


class Resumed:
    """Watches on while what the view has left is made, for `with` and `async with`. A stream has one for each chunk."""

    __slots__ = ("block",)

    def __init__(self, block: Block) -> None:
        self.block: Block = block

    def __enter__(self) -> None:
        self.block.watch_again()

    def __exit__(self, *error: Any) -> None:
        self.block.__exit__(*error)

    async def __aenter__(self) -> None:
        self.block.watch_again()

    async def __aexit__(self, *error: Any) -> None:
        await self.block.__aexit__(*error)


def is_deferred(made: Any) -> bool:
    """Whether there is something left to be made. A file is none: servers send it in ways of their own."""
    if not isinstance(made, HttpResponseBase):
        return isinstance(made, Iterator | AsyncIterator) and not isinstance(made, IOBase)
    return is_unmade(made) or (made.streaming and getattr(made, "file_to_stream", None) is None)


def watch_on(block: Block, made: Any, refuse: Refuse) -> Any:
    """Have `block` watch while the rest of `made` is made; `refuse` answers for a guess that it refuses then. What is
    no response raises it."""
    if isinstance(made, Iterator):
        return _steps(block, made)
    if isinstance(made, AsyncIterator):
        return _asteps(block, made)
    if is_unmade(made):
        _watch_rendering(block, made, refuse)
    else:
        _watch_streaming(block, made)
    return made


def _watch_streaming(block: Block, response: Any) -> None:
    """A chunk may be lazy, and guess when bytes are made of it; what was never begun is closed all the same."""
    source = response._iterator
    close = getattr(source, "close", None)
    response._resource_closers = [
        partial(_close, block, one) if one == close else one for one in response._resource_closers
    ]
    if response.is_async:
        response.streaming_content = _awatched(_asteps(block, source, response.make_bytes))
    else:
        response.streaming_content = _watched(_steps(block, source, response.make_bytes, closes=False))


def _close(block: Block, close: Callable[[], object]) -> None:
    with Resumed(block):
        close()


def _as_it_is(chunk: Any) -> Any:
    return chunk


def _watch_rendering(block: Block, response: Any, refuse: Refuse) -> None:
    """Until it is rendered: nothing stays on the response then that could not be pickled."""
    render = response.render

    def watched() -> Any:
        vars(response).pop("render", None)
        before = block.refused
        try:
            with Resumed(block):
                made = block.response = render()
        except BaseException as error:
            response.render = watched  # a middleware may go on with it all the same
            if (refused := refusal_in(error)) is None:
                raise
            return rendered(refuse(refused))
        if block.refused is before or block.refused is None:
            return made
        return rendered(refuse(block.refused))  # the renderer has passed over it

    response.render = watched


def rendered(response: Any) -> Any:
    """Whoever answers in place of Django renders, too."""
    return response.render() if is_unmade(response) else response


def _steps(
    block: Block, source: Any, make: Callable[[Any], Any] = _as_it_is, closes: bool = True
) -> Generator[Any, Any, Any]:
    """What is sent into a generator reaches it, and what it returns is returned."""
    sent = None
    try:
        while True:
            with Resumed(block):
                try:
                    chunk = make(next(source) if sent is None else source.send(sent))
                except StopIteration as end:
                    return end.value
            sent = yield chunk
    finally:
        if closes and (close := getattr(source, "close", None)):
            _close(block, close)


async def _asteps(block: Block, source: Any, make: Callable[[Any], Any] = _as_it_is) -> AsyncGenerator[Any, Any]:
    """See _steps()."""
    sent = None
    try:
        while True:
            async with Resumed(block):
                try:
                    chunk = make(await (anext(source) if sent is None else source.asend(sent)))
                except StopAsyncIteration:
                    return
            sent = yield chunk
    finally:
        if close := getattr(source, "aclose", None):
            async with Resumed(block):
                await close()


def _watched(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The head is sent: who is locked out there gets no more of it."""
    try:
        yield from chunks
    except (LockedOut, ExceptionGroup) as error:
        _tell(error)


async def _awatched(chunks: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    """See _watched()."""
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk
    except (LockedOut, ExceptionGroup) as error:
        _tell(error)


def _tell(error: LockedOut | ExceptionGroup[Exception]) -> None:
    if (locked_out := refusal_in(error)) is None:
        raise error
    scope = locked_out.status.scope
    facts = extra("stream_ended", scope=scope)
    logger.warning("a streaming response ends, since a guess in it was refused: scope=%a", scope, extra=facts)

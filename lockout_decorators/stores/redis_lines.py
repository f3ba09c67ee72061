"""Connections to a server of Redis or Valkey, as its client would make them.

What a client does around each command takes half as long as the command, so it is left out.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

Command = Sequence[Any]

# What servers say, as clients pass it on: the name of the exception, or a part of the text.
GONE = ("connectionerror", "readonly", "movederror")


class Line:
    """A connection of ours, made as the client's pool makes its own: with that address, credentials and timeouts."""

    def __init__(self, pool: Any) -> None:
        self._pool: Any = pool
        self._connection: Any = pool.connection_class(**pool.connection_kwargs)
        self._connection.connect()  # as a pool does: Sentinels are asked only here

    def execute_command(self, *command: Any, **options: bool) -> Any:
        """As a client would, but that a reply is never decoded."""
        self._connection.send_command(*command)
        return self._connection.read_response(disable_decoding=True)

    def execute(self, *commands: Command, check_health: bool = True) -> list[Any]:
        """In one round trip. Raises the first error among the replies. A check of health may connect anew, and forget
        what is watched."""
        self._connection.send_packed_command(self._connection.pack_commands(commands), check_health=check_health)
        replies = [self._reply() for _ in commands]  # all of them: nobody else shall find one
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    def _reply(self) -> Any:
        try:
            return self._connection.read_response(disable_decoding=True)
        except Exception as error:
            if not is_reply(error):
                raise
            return error

    def repeat(self, operation: Callable[[Any], T]) -> T:
        """What `operation` makes of it, as often as the alias's `retry` says.
        Not if Sentinels have named another primary since, to any connection of the pool."""
        named = getattr(self._pool, "master_address", None)
        if named and named != (self._connection.host, self._connection.port):
            raise ConnectionError(f"the primary is {named} now")
        answer: T = self._connection.retry.call_with_retry(lambda: operation(self), lambda error: self.close())
        return answer

    def close(self) -> None:
        self._connection.disconnect()


def is_reply(error: Exception) -> bool:
    """Whether a server has replied it, and would do so on any connection."""
    return any(kind.__name__ == "ResponseError" for kind in type(error).__mro__) and not says(error, GONE)


def says(error: Exception, phrases: Sequence[str]) -> bool:
    """Whether a server has said one of `phrases`."""
    said = f"{type(error).__name__} {error}".lower()
    return any(phrase in said for phrase in phrases)

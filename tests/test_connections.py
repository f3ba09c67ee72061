"""Connections that lie idle: only those are kept on which no reply is left."""

import pytest
import redis.exceptions as of_redis
import valkey.exceptions as of_valkey

from lockout_decorators.stores.connections import Pool
from lockout_decorators.stores.redis_lines import is_reply


def test_what_becomes_of_a_connection():
    """What fails at once is tried on a fresh one, but not what a server has replied; who is interrupted leaves none."""
    made, closed = iter("abcd"), []
    pool = Pool(made.__next__, closed.append, lambda error: isinstance(error, LookupError))

    def fail(error):
        with pytest.raises(error):
            pool.use(lambda connection: (_ for _ in ()).throw(error))
        return "".join(closed)

    assert ("", "") == (fail(LookupError), fail(LookupError))
    assert "a" == pool.use(str)
    assert "ab" == fail(ValueError)
    assert "c" == pool.use(str)
    assert "abc" == fail(KeyboardInterrupt)
    assert "d" == pool.use(str)


@pytest.mark.parametrize("library", [of_redis, of_valkey], ids=["redis", "valkey"])
def test_what_is_a_reply(library):
    """Errors that a server would say on any connection; after all others something may be on its way."""
    replies = [library.ResponseError("ERR"), library.OutOfMemoryError("OOM"), library.NoScriptError("NOSCRIPT")]
    others = [library.TimeoutError("x"), library.ConnectionError("x"), library.ReadOnlyError("READONLY"), OSError("x")]
    others += [library.InvalidResponse("x"), ValueError("x"), AttributeError("x")]
    assert [*replies] == [*filter(is_reply, [*replies, *others])]

"""Redis and Valkey: a small server script compares stamps, through the alias's own client, always on the primary.

The server keeps the time: what a look says is the time of its server, and between two round trips the time that has
passed by the host's monotonic clock is added.
"""

import time
from collections.abc import Sequence
from functools import partial
from hashlib import sha1
from typing import Any

from django.core.cache import BaseCache
from django.core.cache.backends.redis import RedisCache

from .store import DRIFT, Change, Found, Reading, Store, Swapped

STAMP = 16  # characters by which what stands under a key is known again

# Returns the time in milliseconds, and what stands under each key; '' is nothing, or nothing that is text.
READ = """
local time = redis.call('TIME')
local found = {time[1] * 1000 + math.floor(time[2] / 1000)}
for i, key in ipairs(KEYS) do
  local text = redis.pcall('GET', key)
  found[i + 1] = type(text) == 'string' and text or ''
end
"""

# ARGV: the moment of the decision, in milliseconds; then for each key its stamp, its new text ('': none), and the
# seconds that is to live (0: for ever). Returns what READ does, after whether it swapped (1, 0; -1: came too late).
SWAP = f"""{READ}
local verdict = math.abs(found[1] - ARGV[1]) <= {DRIFT} and 1 or -1
for i, key in ipairs(KEYS) do
  if verdict == 1 and string.sub(found[i + 1], 1, {STAMP}) ~= ARGV[3 * i - 1] then verdict = 0 end
end
if verdict == 1 then
  for i, key in ipairs(KEYS) do
    local text, life = ARGV[3 * i], ARGV[3 * i + 1]
    if text == '' then redis.call('DEL', key)
    elseif life == '0' then redis.call('SET', key, text)
    else redis.call('SET', key, text, 'EX', life) end
  end
  return {{1}}
end
table.insert(found, 1, verdict)
return found
"""

READ_SCRIPT, SWAP_SCRIPT = [(source, sha1(source.encode()).hexdigest()) for source in (READ + "return found", SWAP)]


class RedisStore(Store):
    @classmethod
    def serves(cls, cache: BaseCache) -> bool:
        return isinstance(cache, RedisCache)

    def __init__(self, alias: str, cache: Any) -> None:
        super().__init__(alias, cache)
        self._client = client_of(cache)

    def _read(self, keys: Sequence[str]) -> Reading:
        return _reading(*self._run(READ_SCRIPT, keys))

    def _swap(self, changes: Sequence[Change], now: int) -> Swapped:
        arguments: list[Any] = [now]
        for change in changes:
            arguments += [change.token, change.text or "", change.life or 0]
        verdict, *standing = self._run(SWAP_SCRIPT, [change.key for change in changes], *arguments)
        if verdict == 1:
            return Swapped(True, [_found(change.text or "") for change in changes])
        return Swapped(False, *_reading(*standing), stale=verdict < 0)

    def _run(self, script: tuple[str, str], keys: Sequence[str], *arguments: Any) -> Any:
        source, digest = script
        names = [self.cache.make_and_validate_key(key) for key in keys]
        try:
            return self._client.execute_command("EVALSHA", digest, len(names), *names, *arguments)
        except Exception as error:
            if type(error).__name__ != "NoScriptError":
                raise
            return self._client.execute_command("EVAL", source, len(names), *names, *arguments)


def client_of(cache: Any) -> Any:
    """The client of the primary; made once, since Django builds one for every operation."""
    return cache._cache.get_client(write=True)


def _reading(now: int, *texts: Any) -> Reading:
    return Reading([_found(text) for text in texts], partial(_since, now - int(time.monotonic() * 1000)))


def _since(offset: int) -> int:
    return offset + int(time.monotonic() * 1000)


def _found(text: Any) -> Found:
    """What the server said, bytes or text by the client's options."""
    shown = text.decode("ascii", "backslashreplace") if isinstance(text, bytes) else text
    return Found(shown or None, text[:STAMP])

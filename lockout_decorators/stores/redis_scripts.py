"""The two scripts, and how a server is asked to run them: by their digests, and by their sources where it has none."""

from collections.abc import Sequence
from hashlib import sha1
from typing import Any

from ..records.record import STAMP
from .redis_clients import Clients
from .store import DRIFT, Change, answered

RAW = {"NEVER_DECODE": True}  # an option of all clients' parsers: somebody else may have put there what is no text

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

READ_SCRIPT, SWAP_SCRIPT = [
    (source, sha1(source.encode(), usedforsecurity=False).hexdigest()) for source in (READ + "return found", SWAP)
]

# What servers say, as clients pass it on: the name of the exception, or a part of the text.
UNKNOWN_SCRIPT = ("noscript",)
SCRIPTS_FORBIDDEN = ("nopermission", "noperm", "unknown command", "unknown redis command")
GONE = ("connectionerror", "readonly", "movederror")  # or turned into a replica, or keeps the key no more


def read(clients: Clients, names: Sequence[str]) -> list[Any]:
    """The time, and what stands under each key."""
    return _run(clients, READ_SCRIPT, names)


def swap(clients: Clients, names: Sequence[str], changes: Sequence[Change], now: int) -> list[Any]:
    """[1]; or 0, or -1 if it came too late, and what read() tells."""
    arguments: list[Any] = [now]
    for _, token, text, life in changes:
        arguments += [token, text or "", life or 0]
    return _run(clients, SWAP_SCRIPT, names, *arguments)


def _run(clients: Clients, script: tuple[str, str], names: Sequence[str], *arguments: Any) -> list[Any]:
    source, digest = script
    client = clients.of(names[0])
    try:
        answer = client.execute_command("EVALSHA", digest, len(names), *names, *arguments, **RAW)
    except Exception as error:
        if not says(error, UNKNOWN_SCRIPT):
            raise
        answer = client.execute_command("EVAL", source, len(names), *names, *arguments, **RAW)
    return answer if type(answer) is list else answered(answer)


def says(error: Exception, phrases: Sequence[str]) -> bool:
    """Whether a server has said one of `phrases`."""
    said = f"{type(error).__name__} {error}".lower()
    return any(phrase in said for phrase in phrases)

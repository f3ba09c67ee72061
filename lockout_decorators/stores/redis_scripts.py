"""The script, and how a server is asked to run it: by its digest, and by its source where it does not know that."""

from collections.abc import Sequence
from functools import partial
from hashlib import sha1
from typing import Any

from ..records.record import STAMP
from .redis_clients import Clients
from .redis_lines import Command, says
from .store import DRIFT, Change, answered

RAW = {"NEVER_DECODE": True}  # an option of all clients' parsers: somebody else may have put there what is no text

# ARGV, for a swap: the moment of the decision, in milliseconds; then for each key its stamp, its new text ('': none),
# and the seconds that is to live (0: for ever). Returns 1 if it swapped; else 0 (-1: it came too late), the time in
# milliseconds, and what stands under each key; '' is nothing, or nothing that is text.
SCRIPT = f"""
local time = redis.call('TIME')
local told = {{0, time[1] * 1000 + math.floor(time[2] / 1000)}}
local unchanged = #ARGV > 0
for i, key in ipairs(KEYS) do
  local text = redis.pcall('GET', key)
  told[i + 2] = type(text) == 'string' and text or ''
  unchanged = unchanged and string.sub(told[i + 2], 1, {STAMP}) == ARGV[3 * i - 1]
end
if #ARGV > 0 and math.abs(told[2] - ARGV[1]) > {DRIFT} then told[1] = -1
elseif unchanged then
  for i, key in ipairs(KEYS) do
    local text, life = ARGV[3 * i], ARGV[3 * i + 1]
    if text == '' then redis.call('DEL', key)
    elseif life == '0' then redis.call('SET', key, text)
    else redis.call('SET', key, text, 'EX', life) end
  end
  return {{1}}
end
return told
"""
DIGEST = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()

UNKNOWN_SCRIPT = ("noscript",)
SCRIPTS_FORBIDDEN = ("nopermission", "noperm", "unknown command", "unknown redis command")


def ask(clients: Clients, names: Sequence[str], changes: Sequence[Change] = (), now: int = 0) -> list[Any]:
    """What the script returns: of a look, without changes, or of a swap."""
    words: list[Any] = [len(names), *names, now] if changes else [len(names), *names]
    for _, token, text, life in changes:
        words += [token or "", text or "", life or 0]
    answer = clients.use(names[0], partial(_run, words))
    return answer if type(answer) is list else answered(answer)


def _run(words: Command, client: Any) -> Any:
    try:
        return client.execute_command("EVALSHA", DIGEST, *words, **RAW)
    except Exception as error:
        if not says(error, UNKNOWN_SCRIPT):
            raise
    return client.execute_command("EVAL", SCRIPT, *words, **RAW)

"""What lies in a cache, and for how long: each store is asked itself; and locks that do."""

import pickle
import socket
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from django.core.cache import cache
from django.db import connections

from lockout_decorators.records.record import STAMP
from lockout_decorators.stores import store_for
from lockout_decorators.stores.files import content_of, value_of
from tests.servers import DATABASE


def lock_out(policy, request, username=None):
    """As many failures as it takes; the reference."""
    for _ in range(policy.max):
        with policy.attempt(request, username):
            pass
    return policy.status(request, username).reference


def lives(store):
    """The seconds that each record in the store has left, None for ever."""
    return {name: life for name, life in _all(store).items() if not _is_journal(store, name)}


def journal_lives(store):
    """The same of the entries of the journal."""
    return {name: life for name, life in _all(store).items() if _is_journal(store, name)}


def _all(store):
    now = time.time()
    return {name: end and end - now for name, end in ENDS.get(store, of_table)().items()}


def _is_journal(store, name):
    return text_of(store, name)[STAMP] == "\n"


def text_of(store, name):
    """The record that such an entry holds."""
    if store == "files":
        return value_of(content_of(name))
    return store_for("default").read([unquote(name).removeprefix(cache.make_key(""))]).found[0].text


def of_locmem():
    return dict(cache._expire_info)


def of_files():
    return {name: pickle.loads(Path(name).read_bytes()) for name in cache._list_cache_files()}


def of_valkey():
    client = cache._cache.get_client()
    ends = {key.decode(): client.pexpiretime(key) for key in client.scan_iter()}
    return {key: None if end < 0 else end / 1000 for key, end in ends.items()}


def of_memcached():
    with closing(socket.create_connection(cache._servers[0].split(":"))) as connection:
        connection.sendall(b"lru_crawler metadump all\r\n")
        lines = iter(connection.makefile().readline, "END\n")
        entries = [dict(item.split("=") for item in line.split()) for line in lines]
    ends = {entry["key"]: int(entry["exp"]) for entry in entries if entry["key"].startswith(cache.key_prefix)}
    return {key: None if end < 0 else end for key, end in ends.items()}


def of_table():
    with connections[DATABASE].cursor() as cursor:
        cursor.execute("SELECT cache_key, expires FROM lockouts")
        ends = {key: datetime.fromisoformat(str(end)) for key, end in cursor.fetchall()}
    return {key: None if end.year >= 9000 else end.replace(tzinfo=UTC).timestamp() for key, end in ends.items()}


ENDS = {"locmem": of_locmem, "files": of_files, "valkey": of_valkey, "memcached": of_memcached}

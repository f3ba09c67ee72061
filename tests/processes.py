"""Processes with threads that do what they are told; forked where everything is imported, once for all tests."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Barrier
from typing import Any

from tests.servers import Setup, hang_up, use

forks = get_context("forkserver")
forks.set_forkserver_preload(["tests.crashing"])


class Processes:
    """So many that run `main()` of a module, with its arguments."""

    def __init__(self, count: int, module: str, *arguments: Any) -> None:
        self.orders, self.all = [], []
        for _ in range(count):
            here, there = forks.Pipe()
            self.all.append(process := forks.Process(target=begin, args=(module, there, *arguments)))
            process.start()
            there.close()
            self.orders.append(here)

    def tell(self, messages: Sequence[Any]) -> None:
        """A message to each."""
        for orders, message in zip(self.orders, messages, strict=True):
            orders.send(message)

    def hear(self) -> list[Any]:
        return [orders.recv() for orders in self.orders]

    def ask(self, message: Any) -> list[Any]:
        """The same of all."""
        self.tell([message] * len(self.all))
        return self.hear()

    def close(self) -> None:
        for orders, process in zip(self.orders, self.all, strict=True):
            orders.close()
            process.join()
        assert [0] * len(self.all) == [process.exitcode for process in self.all]


def begin(module: str, orders: Connection, *arguments: Any) -> None:
    import_module(module).main(orders, *arguments)


def obey(orders: Connection, pool: ThreadPoolExecutor, carry_out: Callable[..., Any]) -> None:
    """A `Setup` is put to use until the next; what other messages hold, `carry_out` is called with."""
    with ExitStack() as stack, suppress(EOFError):
        while True:
            message = orders.recv()
            if isinstance(message, Setup):
                stack.close()
                stack.enter_context(use(message))
                stack.callback(all_hang_up, pool)
                orders.send(None)
            else:
                orders.send(carry_out(*message))


def all_hang_up(pool: ThreadPoolExecutor) -> None:
    """Close what each thread has open to the store."""
    together = Barrier(pool._max_workers)
    for done in [pool.submit(lambda: (hang_up(), together.wait())) for _ in range(together.parties)]:
        done.result()

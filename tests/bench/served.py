"""A site as gunicorn serves it, in processes of its own."""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tests.servers import await_server, free_port


@contextmanager
def served(load: Callable[[], Any], **terms: Any) -> Iterator[tuple[int, int]]:
    """The port, and the process whose children are the workers; each calls `load` for the application."""
    port = free_port()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(load, port, terms))
    server.start()
    try:
        await_server(port)
        yield port, server.pid or 0
    finally:
        server.terminate()
        server.join(10)


def _serve(load: Callable[[], Any], port: int, terms: dict[str, Any]) -> None:
    from gunicorn.app.base import BaseApplication

    class Server(BaseApplication):
        def load_config(self) -> None:
            for name, value in {"bind": f"127.0.0.1:{port}", "loglevel": "critical", **terms}.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            return load()

    with suppress(SystemExit):
        Server().run()

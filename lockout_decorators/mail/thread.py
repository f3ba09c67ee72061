"""One thread of the process that sends mails, one after another, when nobody waits for them."""

import logging
from collections.abc import Callable
from queue import Full, Queue
from threading import Lock, Thread
from typing import Any

from django.db import connections

from ..logs import extra

logger: logging.Logger = logging.getLogger("lockout_decorators")

WAITING = 1000  # that may wait; an attack makes no more of them

_jobs: Queue[tuple[Callable[[Any], object], Any]] = Queue(WAITING)
_threads: list[Thread] = []
_starting = Lock()


def post(send: Callable[[Any], object], notice: Any) -> None:
    """Have `send(notice)` called soon. A daemon's work: what waits when the process ends is lost."""
    try:
        _jobs.put_nowait((send, notice))
    except Full:
        line, code = "%d mails about locks wait, and one is dropped: reference=%s", notice["reference"]
        logger.error(line, WAITING, code, extra=extra("mail_dropped", reference=code))
    with _starting:
        if not any(thread.is_alive() for thread in _threads):  # none survives a fork
            _threads[:] = [Thread(target=_work, name="lockout_decorators.mail", daemon=True)]
            _threads[0].start()


def wait() -> None:
    """Until all is sent that was posted; for tests."""
    _jobs.join()


def _work() -> None:
    while True:
        send, notice = _jobs.get()
        try:
            send(notice)
        except Exception as error:  # noqa: BLE001  # the next one may do; what it says may name the recipient
            name, code = type(error).__name__, notice["reference"]
            facts = extra("mail_failed", error=name, reference=code)
            logger.error("a mail was not sent, by %s: reference=%s", name, code, extra=facts)
        finally:
            connections.close_all()
            _jobs.task_done()

"""The project under a real server, on the loopback, for as long as the demo lasts."""

# What needs Django is imported once it is set up.
# ruff: noqa: PLC0415

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clients import Client
from guide import PASSWORD, USERS

HERE = Path(__file__).parent
WORKERS = 2


@contextmanager
def folder(port: int) -> Iterator[Path]:
    """A folder with the database, its users in it, for as long as the demo lasts."""
    with tempfile.TemporaryDirectory(prefix="lockout-demo-", ignore_cleanup_errors=True) as name:
        os.environ |= {"LOCKOUT_DEMO_FOLDER": name, "LOCKOUT_DEMO_SITE": f"http://127.0.0.1:{port}"}
        os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        from django.contrib.auth.models import User

        for user, staff in USERS.items():
            User.objects.create_user(user, f"{user}@example.com", PASSWORD, is_staff=staff, is_superuser=staff)
        from hashers import RUNS

        RUNS.unlink()
        yield Path(name)


@contextmanager
def server(port: int, log: Path) -> Iterator[None]:
    """The project under uvicorn with two workers."""
    command = [sys.executable, "-m", "uvicorn", "asgi:application", "--app-dir", str(HERE)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", str(WORKERS), "--lifespan", "off"]
    command += ["--no-proxy-headers"]  # X-Forwarded-For is the project's to judge
    command += ["--timeout-graceful-shutdown", "1"]  # for those who watch
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        wait_until_up(process, port)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def free_port() -> int:
    """Known before the server is up: the links of mails have it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_until_up(process: subprocess.Popen, port: int) -> None:
    for _ in range(300):
        if process.poll() is not None:
            break
        with suppress(OSError):
            if (status := Client(port).ask("GET", "/").status) != 200:
                raise RuntimeError(f"the start page has status {status}")
            return
        time.sleep(0.1)
    raise RuntimeError("the server does not answer")


def command_line(*arguments: str) -> list[str]:
    """That of manage.py."""
    return [sys.executable, str(HERE / "manage.py"), *arguments]

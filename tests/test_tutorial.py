"""The tutorial, word for word: its commands run, its files are written, and what comes out is what it shows."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import free_port

PAGE = Path(__file__).parent.parent / "docs" / "tutorial.md"
INSTALL = ["python3 -m venv venv", ". venv/bin/activate", "pip install lockout-decorators"]
QUICK = 'PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]\n'
DIFFERS = re.compile(r"(\.\.\.|(?<=Retry-After: )\d+|(?<=reference=)\S+)")

pytestmark = [pytest.mark.tree, pytest.mark.servers]


def pattern(shown):
    """What the output has to match: dots stand for anything; how long to wait, and the reference, differ."""
    parts = DIFFERS.split(shown.strip())
    parts[1::2] = [".*?" if part == "..." else r"[\w-]+" for part in parts[1::2]]
    parts[::2] = map(re.escape, parts[::2])
    return "".join(parts)


class Terminal:
    """A shell in a folder; what it says is in a file, for the server never ends."""

    def __init__(self, folder, log):
        names = {name for name in os.environ if name.startswith(("COVERAGE", "DJANGO"))}
        environment = {name: value for name, value in os.environ.items() if name not in names}
        environment |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}
        self.log, self.seen = log, 0
        with log.open("w") as output:
            self.shell = subprocess.Popen(
                ["bash"], cwd=folder, env=environment, text=True, bufsize=1, start_new_session=True,
                stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def run(self, command, shown, last="--end--\n"):
        self.shell.stdin.write(f"{command}; echo; echo --end--\n")
        self.expect(rf"\A\s*{pattern(shown)}\s*{last}")

    def expect(self, wanted):
        """Wait until it stands in what was not looked at before."""
        deadline = time.monotonic() + 60
        while not (found := re.search(wanted, text := self.log.read_text()[self.seen :], re.DOTALL)):
            assert time.monotonic() < deadline, f"{text}\n\ndoes not match\n\n{wanted}"
            time.sleep(0.05)
        self.seen += found.end()

    @property
    def reference(self):
        """Of the lock that it has told of, if it has."""
        return (re.findall(r"reference=(\S+)", self.log.read_text()) or ["7F3K-92QD"])[0]

    def close(self):
        os.killpg(self.shell.pid, signal.SIGTERM)
        self.shell.communicate()


@contextmanager
def terminals(folder):
    """Two of them."""
    both = [Terminal(folder, folder / f"terminal-{number}") for number in (1, 2)]
    try:
        yield both
    finally:
        for terminal in both:
            terminal.close()


def blocks():
    """The language and the text of each."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(text):
    """Each command of a session, and what it shows."""
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE)


def write(text, project):
    """A file begins with its name; the settings have one already."""
    where, name = re.match(r"# (at the end of )?(\S+)\n", text).groups()
    before = (project / name).read_text() if where else ""
    (project / name).write_text(before + text + QUICK * bool(where))


def test_tutorial(tmp_path):
    """Seven guesses pass at first; with one line five do, and then not the right one, until it is unlocked."""
    port = str(free_port())
    with terminals(tmp_path) as (server, other):
        terminal = server
        for language, block in blocks():
            text = block.replace("8000", port).replace("7F3K-92QD", server.reference)
            if language == "python":
                write(text, tmp_path / "mysite")
            elif language == "text":
                server.expect(pattern(text))
            for command, shown in commands(text) if language == "console" else ():
                if "runserver" in command:
                    server.run(f"{command} {port}", shown, last="")
                    terminal = other
                elif command not in INSTALL:
                    terminal.run(command, shown)

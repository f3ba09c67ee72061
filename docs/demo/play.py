"""Guess at every door of the demo project, over real HTTP, and compare what happens with what the policies promise.

tox -e demo             play: print the table; exit status 0 only if every number is as promised
tox -e demo -- serve    stay up instead, for a person with a browser, until Ctrl-C
"""

# What needs Django is imported once it is set up.
# ruff: noqa: PLC0415

import http.client
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

HERE = Path(__file__).parent
WORKERS = 2
BURST = 50  # wrong guesses at once
CROWD = 20  # right ones at once
USERS = {"ann": False, "bob": False, "root": True, "boss": True}  # and whether they may enter the admin
RIGHT, WRONG = "right", "wrong"
GUESSER = "192.0.2.7"


# The server


@contextmanager
def folder() -> Iterator[Path]:
    """A folder with the database, its users in it, for as long as the demo lasts."""
    with tempfile.TemporaryDirectory(prefix="lockout-demo-", ignore_cleanup_errors=True) as name:
        os.environ |= {"LOCKOUT_DEMO_FOLDER": name, "DJANGO_SETTINGS_MODULE": "settings"}
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        from django.contrib.auth.models import User

        for user, staff in USERS.items():
            User.objects.create_user(user, password=RIGHT, is_staff=staff, is_superuser=staff)
        from hashers import RUNS

        RUNS.unlink()
        yield Path(name)


@contextmanager
def server(log: Path) -> Iterator[int]:
    """The project under uvicorn with two workers, on a free port of the loopback; yields the port."""
    command = [sys.executable, "-m", "uvicorn", "django.core.asgi:get_asgi_application", "--factory"]
    command += ["--app-dir", str(HERE), "--host", "127.0.0.1", "--port", "0", "--workers", str(WORKERS)]
    command += ["--lifespan", "off", "--no-proxy-headers"]  # X-Forwarded-For is the project's to judge
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        yield wait_until_up(process, log)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_up(process: subprocess.Popen, log: Path) -> int:
    """The port, once the server answers there."""
    for _ in range(300):
        if process.poll() is not None:
            break
        if found := re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text()):
            with suppress(OSError):
                if (status := Client(int(found[1])).ask("GET", "/").status) != 200:
                    raise RuntimeError(f"the start page has status {status}")
                return int(found[1])
        time.sleep(0.1)
    raise RuntimeError("the server does not answer")


# The clients


class Answer(NamedTuple):
    status: int
    retry_after: int | None
    text: str


@dataclass
class Client:
    """A browser with cookies, at an address of its own."""

    port: int
    address: str = GUESSER
    agent: str = "guesser/1.0"
    cookies: SimpleCookie = field(default_factory=SimpleCookie)

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> Answer:
        cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in self.cookies.items())
        headers = {"X-Forwarded-For": self.address, "User-Agent": self.agent, "Cookie": cookies, **headers}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            for cookie in response.headers.get_all("Set-Cookie") or ():
                self.cookies.load(cookie)
            wait = response.headers["Retry-After"]
            return Answer(response.status, None if wait is None else int(wait), response.read().decode())
        finally:
            connection.close()

    def fill_in(self, path: str, **fields: str) -> Answer:
        """Open a page as a browser does, and send its form with the CSRF token that it holds."""
        page = self.ask("GET", path, Accept="text/html")
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        if found is None:
            raise RuntimeError(f"no form at {path}: {page}")
        body = urlencode({"csrfmiddlewaretoken": found[1], **fields})
        return self.ask("POST", path, body, Accept="text/html", **{"Content-Type": "application/x-www-form-urlencoded"})


# The doors: how a guess is made, and what says that it was wrong or right


def send_json(client: Client, path: str, user: str, password: str, **headers: str) -> Answer:
    headers |= {"Accept": "application/json", "Content-Type": "application/json"}
    return client.ask("POST", path, json.dumps({"username": user, "password": password}), **headers)


@dataclass(frozen=True)
class Door:
    name: str
    policy: Any
    guess: Callable[[Client, str, str], Answer]
    wrong: int
    right: int


def doors() -> dict[str, Door]:
    import views

    def form(client: Client, user: str, password: str) -> Answer:
        return client.fill_in("/login/", username=user, password=password)

    def code(client: Client, user: str, code: str) -> Answer:
        return client.fill_in("/code/", code=views.CODE if code == RIGHT else "000000")

    def admin(client: Client, user: str, password: str) -> Answer:
        return client.fill_in("/admin/login/?next=/admin/", username=user, password=password)

    def token(client: Client, user: str, password: str) -> Answer:
        return send_json(client, "/token/", user, password)

    def json_login(client: Client, user: str, password: str) -> Answer:
        return send_json(client, "/json/", user, password)

    def unsolved(client: Client, user: str, password: str) -> Answer:
        return send_json(client, "/challenged/", user, password)

    def solved(client: Client, user: str, password: str) -> Answer:
        return send_json(client, "/challenged/", user, password, **{"X-Seven-Times-Six": "42"})

    policies = {door.path: door.policy for door in views.DOORS}
    return {
        "form": Door("form login", policies["/login/"], form, 200, 302),
        "token": Door("DRF token", policies["/token/"], token, 400, 200),
        "json": Door("async JSON", policies["/json/"], json_login, 401, 200),
        "unsolved": Door("challenge", policies["/challenged/"], unsolved, 401, 200),
        "solved": Door("challenge", policies["/challenged/"], solved, 401, 200),
        "code": Door("one-time code", policies["/code/"], code, 200, 302),
        "admin": Door("admin", policies["/admin/"], admin, 200, 302),
    }


# The table


@dataclass
class Table:
    """Prints what happened beside what was promised, and remembers where they differ."""

    expected: int = 0
    wrong: list[str] = field(default_factory=list)
    widths: tuple[int, ...] = (13, 33, 17, 11, 11)

    def head(self) -> None:
        self.line("door", "guess", "status", "Retry-After", "hasher runs", "the policy promises")
        self.line(*("-" * width for width in self.widths), "-" * 40)

    def line(self, *cells: object) -> None:
        *first, last = map(str, cells)
        padded = [cell.ljust(width) for cell, width in zip(first, self.widths, strict=True)]
        print("  ".join([*padded, last]).rstrip(), flush=True)

    def row(
        self, door: str, guess: str, answers: list[Answer], promised: dict[int, int], runs: int, wait: range
    ) -> None:
        """`promised`: how many answers of each status; `runs`: of the hasher, for this row; `wait`: the seconds that
        Retry-After may say in a refusal."""
        from hashers import runs as counted

        self.expected += runs
        got, seen = Counter(answer.status for answer in answers), sum(counted().values())
        waits = sorted({answer.retry_after for answer in answers} - {None})
        problems = [
            f"status {spell(got)}, promised {spell(promised)}" if got != promised else "",
            f"{seen} hasher runs, promised {self.expected}" if seen != self.expected else "",
            *(problem_of(answer, wait) for answer in answers),
        ]
        problem = next(filter(None, problems), None)
        said = f"{spell(promised)}, {f'{runs} hasher run' + 's' * (runs != 1) if runs else 'no hasher run'}"
        said += f", {spell_wait(wait)}" if 429 in promised else ""
        retry = "-".join(str(wait) for wait in sorted({waits[0], waits[-1]})) if waits else ""
        self.line(door, guess, spell(got), retry, seen, said if problem is None else f"{said}   <-- WRONG: {problem}")
        if problem:
            self.wrong.append(f"{door}, {guess}: {problem}")
            self.expected = seen  # say it once


def spell(statuses: dict[int, int]) -> str:
    many = sum(statuses.values()) > 1
    return " ".join(f"{n} x {status}" if many else f"{status}" for status, n in sorted(statuses.items()) if n)


def spell_wait(wait: range) -> str:
    if not wait:
        return "nothing to wait for"
    return f"{wait[0]} s" if len(wait) == 1 else f"{wait[0]} to {wait[-1]} s"


def problem_of(answer: Answer, wait: range) -> str:
    if answer.status == 429 and wait:
        return "" if answer.retry_after in wait else f"Retry-After {answer.retry_after}, not {spell_wait(wait)}"
    return "" if answer.retry_after is None else f"Retry-After with status {answer.status}"


# The play


@dataclass
class Play:
    port: int
    table: Table = field(default_factory=Table)
    fell: dict[str, tuple[float, float]] = field(default_factory=dict)  # between which moments a door's lock fell

    def run(self) -> list[str]:
        found = doors()
        self.table.head()
        self.stop(found["token"], "ann", lambda n: Client(self.port))
        self.guess(found["token"], Client(self.port), "bob", RIGHT, "another user, same address")
        self.stop(found["form"], "ann", lambda n: Client(self.port))
        self.guess(found["form"], Client(self.port, "192.0.2.8"), "ann", RIGHT, "another address")
        self.stop(found["json"], "ann", lambda n: Client(self.port))
        self.guess(found["json"], Client(self.port, "192.0.2.8"), "ann", RIGHT, "another address")
        self.burst(found["json"])
        self.crowd(found["json"])
        self.challenge(found["unsolved"], found["solved"])
        self.code_step(found)
        at_home = Client(self.port, agent="browser/2.0")
        self.guess(found["admin"], at_home, "root", RIGHT, "root's own browser")
        self.stop(found["admin"], "root", lambda n: Client(self.port))
        del at_home.cookies["sessionid"]  # signed out
        self.guess(found["admin"], at_home, "root", RIGHT, "RIGHT, root's own browser")
        self.guess(found["admin"], Client(self.port), "boss", RIGHT, "another user")
        self.end(found["token"])
        self.spray(found["token"])
        return self.table.wrong

    def stop(self, door: Door, user: str, client: Callable[[int], Client]) -> None:
        """As many wrong guesses as the policy allows, one too many, and then the right secret."""
        for number in range(1, door.policy.max + 1):
            began = time.monotonic()
            self.guess(door, client(number), user, WRONG, f"wrong {number} of {door.policy.max}")
            if number == 1 or not door.policy.rolling:  # else the first failure is the first to leave
                self.fell[door.name] = began, time.monotonic()
        self.guess(door, client(98), user, WRONG, "wrong, one too many", locked=True)
        self.guess(door, client(99), user, RIGHT, "RIGHT, but locked out", locked=True)

    def guess(self, door: Door, client: Client, user: str, secret: str, what: str, locked: bool = False) -> Answer:
        sent = time.monotonic()
        answer = door.guess(client, user, secret)
        status = 429 if locked else door.right if secret == RIGHT else door.wrong
        runs, wait = (0, self.wait(door, sent)) if locked else (1, range(0))
        self.table.row(door.name, what, [answer], {status: 1}, runs, wait)
        return answer

    def wait(self, door: Door, sent: float) -> range:
        """What Retry-After may say: the time left, rounded up. The lock fell between two known moments, and the answer
        was made between `sent` and now."""
        began, ended = self.fell[door.name]
        most, least = (
            math.ceil((door.policy.lockout or door.policy.window) - gone)
            for gone in (max(0, sent - ended), time.monotonic() - began)
        )
        return range(max(1, least), most + 1)

    def burst(self, door: Door) -> None:
        """Fifty at once are given as many tries as one after the other."""
        began = time.monotonic()
        answers = self.at_once(door, [Client(self.port, "203.0.113.50", f"bot/{n}") for n in range(BURST)], WRONG)
        self.fell[door.name] = began, time.monotonic()
        most = door.policy.max
        promised = {door.wrong: most, 429: BURST - most}
        self.table.row(door.name, f"{BURST} wrong at once", answers, promised, most, self.wait(door, began))
        self.guess(door, Client(self.port, "203.0.113.50"), "ann", RIGHT, "RIGHT, after them", locked=True)

    def challenge(self, unsolved: Door, solved: Door) -> None:
        """The first slots are for everybody; the others cost a solution each, until the lock falls."""
        clients = [Client(self.port, "203.0.113.80", f"bot/{n}") for n in range(BURST)]
        free, most = unsolved.policy.challenge_after, unsolved.policy.max
        answers = self.at_once(unsolved, clients, WRONG)
        promised = {unsolved.wrong: free, 429: BURST - free}
        self.table.row(unsolved.name, f"{BURST} wrong at once, unsolved", answers, promised, free, range(0))
        began = time.monotonic()
        answers = self.at_once(solved, clients, WRONG)
        self.fell[solved.name] = began, time.monotonic()
        promised = {solved.wrong: most - free, 429: BURST - most + free}
        wait = self.wait(solved, began)
        self.table.row(solved.name, f"{BURST} wrong at once, solved", answers, promised, most - free, wait)
        self.guess(solved, clients[0], "ann", RIGHT, "RIGHT, solved, locked out", locked=True)

    def crowd(self, door: Door) -> None:
        """Only failures lock: right passwords at once wait for each other, and all get in."""
        answers = self.at_once(door, [Client(self.port, "203.0.113.60", f"pc/{n}") for n in range(CROWD)], RIGHT)
        self.table.row(door.name, f"{CROWD} right at once", answers, {door.right: CROWD}, CROWD, range(0))

    def spray(self, door: Door) -> None:
        """One password at many accounts, one guess at each: as many are tried as the policy's spread says."""
        began = time.monotonic()
        clients = [Client(self.port, "203.0.113.70") for _ in range(BURST)]
        answers = self.at_once(door, clients, WRONG, [f"user{n}" for n in range(BURST)])
        self.fell[door.name] = began, time.monotonic()
        most = door.policy.spread
        promised = {door.wrong: most, 429: BURST - most}
        self.table.row(door.name, f"wrong, at {BURST} accounts", answers, promised, most, self.wait(door, began))
        self.guess(door, Client(self.port, "203.0.113.70"), "bob", RIGHT, "RIGHT, after them", locked=True)

    def at_once(self, door: Door, clients: list[Client], secret: str, users: Sequence[str] = ()) -> list[Answer]:
        users = users or ["ann"] * len(clients)
        with ThreadPoolExecutor(len(clients)) as pool:
            return list(pool.map(lambda client, user: door.guess(client, user, secret), clients, users))

    def code_step(self, found: dict[str, Door]) -> None:
        """Whoever knows ann's password guesses at her code: a new session gives no further guesses."""
        thief = Client(self.port, "192.0.2.11", "thief/1.0")
        self.guess(found["form"], thief, "ann", RIGHT, "the password is known")
        self.stop(found["code"], "ann", lambda n: thief)
        thief = Client(self.port, "192.0.2.9", "thief/2.0")
        self.guess(found["form"], thief, "ann", RIGHT, "signs in anew, elsewhere")
        self.guess(found["code"], thief, "ann", WRONG, "wrong, in a new session", locked=True)
        bob = Client(self.port, agent="bob/1.0")
        self.guess(found["form"], bob, "bob", RIGHT, "another user")
        self.guess(found["code"], bob, "bob", RIGHT, "another user's code")

    def end(self, door: Door) -> None:
        """The lock ends by itself, when Retry-After says."""
        locked = time.monotonic() - self.fell[door.name][0] < door.policy.lockout - 1
        if locked:
            answer = self.guess(door, Client(self.port), "ann", RIGHT, "RIGHT, still locked out", locked=True)
            time.sleep(answer.retry_after or 0)
        self.guess(door, Client(self.port), "ann", RIGHT, "RIGHT, the lock is over")


def play(port: int) -> int:
    from hashers import runs

    began = time.monotonic()
    print(f"{WORKERS} workers, the counts in files that they share. Runs: how often the password hasher has run.\n")
    wrong = Play(port).run()
    by = " and ".join(str(n) for n in runs().values())
    print(f"\nHasher runs by worker: {by}. {time.monotonic() - began:.0f} seconds.")
    print("\n".join(["NOT as promised:", *wrong]) if wrong else "Every number is what the policies promise.")
    return 1 if wrong else 0


def serve(port: int) -> int:
    print(f"\n  http://127.0.0.1:{port}/\n\n  Users: {', '.join(USERS)} (root and boss: admin). Password: {RIGHT}.")
    print("  The code after the form: 271828. Guess until you are refused. Ctrl-C ends it.\n", flush=True)
    while True:
        time.sleep(3600)


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["serve"]):
        print(__doc__)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with folder() as where:
        log = where / "server.log"
        try:
            with server(log) as port:
                code = (serve if arguments else play)(port)
        except KeyboardInterrupt:
            return 0 if arguments else 130
        except Exception as error:  # noqa: BLE001
            print(f"\n{type(error).__name__}: {error}", file=sys.stderr)
            code = 1
        if code and log.exists():
            print("\nThe end of the server's log:", *log.read_text().splitlines()[-60:], sep="\n", file=sys.stderr)
        return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

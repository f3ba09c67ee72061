"""The play: what is guessed at which door, and what comes of it."""

import math
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from clients import Answer, Client
from entrances import RIGHT, WRONG, Door, doors
from server import command_line
from table import Table

BURST = 50  # wrong guesses at once
CROWD = 20  # right ones at once
LOOKS = 10  # of a mail scanner


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
        self.mailed_link(found["form"])
        self.guess(found["form"], Client(self.port, "192.0.2.8"), "ann", RIGHT, "another address")
        refused = self.stop(found["json"], "ann", lambda n: Client(self.port))
        self.by_command(found["json"], reference_in(refused))
        self.guess(found["json"], Client(self.port, "192.0.2.8"), "ann", RIGHT, "another address")
        self.burst(found["json"])
        self.crowd(found["json"])
        self.challenge(found["unsolved"], found["solved"])
        self.code_step(found)
        at_home = Client(self.port, agent="browser/2.0")
        self.guess(found["admin"], at_home, "root", RIGHT, "root's own browser")
        refused = self.stop(found["admin"], "root", lambda n: Client(self.port))
        del at_home.cookies["sessionid"]  # signed out
        self.guess(found["admin"], at_home, "root", RIGHT, "RIGHT, root's own browser")
        boss = Client(self.port)
        self.guess(found["admin"], boss, "boss", RIGHT, "another user")
        self.by_admin(found["admin"], boss, reference_in(refused))
        self.end(found["token"])
        self.spray(found["token"])
        return self.table.wrong

    def stop(self, door: Door, user: str, client: Callable[[int], Client]) -> Answer:
        """As many wrong guesses as the policy allows, one too many, and then the right secret. Returns the refusal."""
        for number in range(1, door.policy.max + 1):
            began = time.monotonic()
            self.guess(door, client(number), user, WRONG, f"wrong {number} of {door.policy.max}")
            if number == 1 or not door.policy.rolling:  # else the first failure is the first to leave
                self.fell[door.name] = began, time.monotonic()
        self.guess(door, client(98), user, WRONG, "wrong, one too many", locked=True)
        return self.guess(door, client(99), user, RIGHT, "RIGHT, but locked out", locked=True)

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

    def mailed_link(self, door: Door) -> None:
        """The link in ann's mail: looks change nothing, its button lets her in, once."""
        guesser, link = Client(self.port), self.link()
        scanner = Client(self.port, "198.51.100.25", "mail scanner/1.0")
        looks = [scanner.ask("GET", link) for _ in range(LOOKS)]
        self.done("unlock link", f"{LOOKS} looks by a mail scanner", looks, {200: LOOKS})
        self.guess(door, guesser, "ann", RIGHT, "RIGHT, still locked out", locked=True)
        ann = Client(self.port, "192.0.2.8", "mail program/1.0")
        self.done("unlock link", "its button", [ann.send(link)], {200: 1})
        self.guess(door, guesser, "ann", RIGHT, "RIGHT, unlocked")
        self.done("unlock link", "its button, once more", [ann.send(link)], {410: 1})

    def link(self) -> str:
        """From the only mail; a thread of the server sends it."""
        for _ in range(100):
            page = Client(self.port).ask("GET", "/mails/").text
            if found := re.findall(rf'href="http://127\.0\.0\.1:{self.port}(/unlock/[^"]+)"', page):
                return found[0]
            time.sleep(0.1)
        raise RuntimeError("there is no mail")

    def by_command(self, door: Door, reference: str) -> None:
        subprocess.run(command_line("lockout", "unlock", reference), check=True, capture_output=True)
        self.done("manage.py", f"lockout unlock {reference}", [], {})
        self.guess(door, Client(self.port), "ann", RIGHT, "RIGHT, unlocked")

    def by_admin(self, door: Door, boss: Client, reference: str) -> None:
        page = f"/admin/lockouts/?reference={reference}"
        answer = boss.fill_in(page, "/admin/lockouts/unlock/", reference=reference)
        self.done("admin", f"boss unlocks {reference}", [answer], {302: 1})
        self.guess(door, Client(self.port), "root", RIGHT, "RIGHT, unlocked")

    def done(self, where: str, what: str, answers: list[Answer], promised: dict[int, int]) -> None:
        """What is no guess."""
        self.table.row(where, what, answers, promised, 0, range(0))

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


def reference_in(refused: Answer) -> str:
    return re.search(r"\b[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}\b", refused.text)[0]

"""Arguments beside each other, at one door: each of them is tested alone elsewhere."""

import random
from contextlib import suppress
from types import SimpleNamespace

import pytest
import time_machine
from django.core.cache import cache
from django.test import RequestFactory

from lockout_decorators import LockoutPolicy, lockout_protect, policies_of, presets, recovery
from lockout_decorators.attempts import waiting
from tests.backends import CountingBackend
from tests.sizes import IN_FULL, pairs
from tests.test_browsers import ABOUT, BY_ADDRESS, DAYS, HOME, Browser, door, owner, sign_in

BOB = SimpleNamespace(get_username=lambda: "bob")
NAMES = [f"person{number}" for number in range(6)]
ADDRESSES = [*[f"2001:db8:{net}:{number}::1" for net in (0, 1) for number in range(4)], HOME]


def solved(request):
    return request.POST.get("solved") == "yes"


@pytest.fixture
def people(monkeypatch):
    monkeypatch.setattr(CountingBackend, "passwords", dict.fromkeys(NAMES, "right"))


# Known browsers beside policies that do not ask for them


def frees_by_policy(door, request):
    for policy in policies_of(door):
        policy.forgive(request, "bob")


def resets_policy(door, request):
    for policy in policies_of(door):
        policy.reset(request, "bob")


def frees_owner(door, request):
    recovery.free_owner(None, request, BOB)


@pytest.mark.parametrize("free", [frees_by_policy, resets_policy, frees_owner])
@pytest.mark.parametrize("scopes", ["one", "a scope for each"])
def test_owner_frees_his_browser_at_the_whole_door(scopes, free, verified, db):
    """Whichever policy has locked it: the browser is one client at all of them."""
    view = door(*(presets.LOGIN if scopes == "one" else (BY_ADDRESS(), ABOUT(max=20))))
    at_home = owner(view)
    while at_home.guess() == 401:
        pass
    assert 429 == at_home.guess("right")
    other = RequestFactory().post("/", REMOTE_ADDR=HOME)
    free(view, other)
    assert 429 == at_home.guess("right")
    free(view, at_home.request)
    assert 200 == at_home.guess("right")
    assert 2 == verified.count(("bob", "right"))


def test_status_of_a_browser_at_the_whole_door(verified):
    """Under a policy that does not ask by itself, too, where another one of its scope does."""
    at_home = owner(view := lockout_protect(*presets.LOGIN)(sign_in))
    for _ in range(5):
        at_home.guess()
    found = [policy.status(at_home.request, "bob") for policy in policies_of(view)]
    assert ["browser"] * 4 == [status.counter for status in found]
    assert [True, False, False, False] == [status.locked for status in found]
    assert [5, 5, 5, 5] == [status.failures for status in found]


def test_owner_is_known_beside_a_trial(verified):
    """A policy that asks and is only tried out has not seen him yet; strangers keep him out by neither."""
    known, trial = [
        LockoutPolicy(scope=scope, key="ip", max=3, patience=0, enforce=enforce, known_browsers=DAYS)
        for scope, enforce in (("known", True), ("trial", False))
    ]
    at_home = owner(lockout_protect(known)(sign_in))
    both = lockout_protect(known, trial)(sign_in)
    assert [401, 401, 401, 429] == [Browser(both).guess() for _ in range(4)]
    assert 429 == Browser(both).guess("right")
    assert 200 == at_home.copy(both, HOME).guess("right")


def test_owner_and_challenges(verified):
    """Strangers' failures are none of his browser's: it solves nothing until it has failed as often by itself."""
    view = door(ABOUT(max=6, challenge_after=2, challenge=solved))
    at_home = owner(view)
    assert [401, 401, 429] == [Browser(view).guess() for _ in range(3)]
    assert [401] * 4 + [429] == [Browser(view).guess(solved="yes") for _ in range(5)]
    assert [200, 401, 401, 429] == [at_home.guess(password) for password in ("right", "wrong", "wrong", "right")]
    assert (200, 11) == (at_home.guess("right", solved="yes"), len(verified))


# Slots whose backend broke down, beside a spread, a challenge and locks of all sorts

LOCKS = {
    "fixed": (False, 50),
    "short": (True, 50),
    "none": (True, 0),
    "long": (True, 200),
    "growing": (True, (50, 200)),
}
SPREADS, CHALLENGES = [None, 3], [{}, {"challenge": solved, "challenge_after": 2}]
IN_TURN = [(locks, SPREADS[n % 2], CHALLENGES[n // 2 % 2]) for n, locks in enumerate(LOCKS)]


@pytest.mark.parametrize(("locks", "spread", "challenge"), pairs(LOCKS, SPREADS, CHALLENGES) if IN_FULL else IN_TURN)
def test_retry_after_is_true(locks, spread, challenge, people, verified, monkeypatch):
    """A right guess is refused just before it, and admitted then; nobody waits for what broke down. (No early look: it
    does not know the name that a spread would refuse.)"""

    def verify(self, request, username=None, password=None):
        if password == "down":
            raise OSError("no directory")
        return known(self, request, username, password)

    def guess(password):
        with suppress(OSError):
            return Browser(view).send(password, name, solved="yes")

    known, chance, told = CountingBackend.authenticate, random.Random(3), 0
    monkeypatch.setattr(CountingBackend, "authenticate", verify)
    monkeypatch.setattr(waiting, "may_sleep", lambda: pytest.fail("it waits"))
    rolling, lockout = LOCKS[locks]
    rule = {"key": "ip", "max": 4, "window": 100, "rolling": rolling, "lockout": lockout, "spread": spread}
    view = lockout_protect(**rule, **challenge, methods=())(sign_in)
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        for _ in range(80 if IN_FULL else 40):
            name = chance.choice(NAMES)
            came = guess(chance.choice(["wrong", "wrong", "down"]))
            if came is not None and came.status_code == 429:
                clock.shift((left := int(came["Retry-After"])) - 1)
                assert left == 1 or 429 == guess("right").status_code
                clock.shift(1)
                assert 200 == guess("right").status_code
                told += 1
            clock.shift(chance.choice([0, 1, 5, 20]))
    assert told > 3


# All at once, against a plain model


class Counted:
    """Failures on one counter, and whether they have locked it."""

    def __init__(self, most, spread, unsolved):
        self.most, self.spread, self.unsolved, self.failed, self.locked = most, spread, unsolved, [], False

    def refuses(self, is_solved):
        return self.locked or (self.unsolved and not is_solved and len(self.failed) >= self.unsolved)

    def settle(self, name, address, right):
        if right:
            self.failed = [one for one in self.failed if one != (name, address)]
        else:
            self.failed.append((name, address))
            wide = self.spread and len({name for name, _ in self.failed}) >= self.spread
            self.locked = wide or len(self.failed) >= self.most


CHOICES = pairs([None, 2], [0, 2], [None, 3]) if IN_FULL else [(2, 2, 3), (None, 0, None)]


@pytest.mark.parametrize(("ceiling", "unsolved", "spread"), CHOICES)
def test_all_at_once(ceiling, unsolved, spread, people, verified):
    """Known browsers, a spread, a challenge, a ceiling and a wider network: who is verified, guess by guess."""
    by = {"key": "ip+username" if ceiling else "ip", "ceiling": ceiling, "max": 7, "spread": spread}
    challenge = {"challenge": solved, "challenge_after": unsolved} if unsolved else {}
    view = door(BY_ADDRESS(**by, **challenge), ABOUT(max=4))
    chance, counted, times = random.Random(5), {}, ceiling or 1
    browsers = [(Browser(view), {}) for _ in range(4)]

    def counter(*key, most=7, spread=None, unsolved=unsolved):
        return counted.setdefault(key, Counted(most, spread, unsolved))

    def met(browser, name, address):
        account = counter("account", browser or name, most=4, unsolved=0)
        if browser:
            return [account, counter("browser", browser)]
        found = [account, counter(address, most=7 * times, spread=spread, unsolved=unsolved * times)]
        if address != HOME:
            wide = {"most": 70 * times, "spread": spread and spread * 10, "unsolved": unsolved * times * 10}
            found.append(counter(address[:10], **wide))
        return [*found, counter(address, name)] if ceiling else found

    for number in range(500 if IN_FULL else 210):
        browser, known = chance.choice([*browsers, (Browser(view), {})])
        address, name = chance.choice(ADDRESSES), chance.choice(NAMES)
        right, is_solved = chance.random() < 0.3, chance.random() < 0.6
        counters = met(known.get(name), name, address)
        browser.more["REMOTE_ADDR"], before = address, len(verified)
        came = browser.guess("right" if right else "wrong", name, solved="yes" if is_solved else "no")
        refused = any([one.refuses(is_solved) for one in counters])
        assert (came, len(verified) - before) == ((429, 0) if refused else (200 if right else 401, 1))
        for one in counters if not refused else ():
            one.settle(name, address, right)
        if right and not refused:
            known.pop(name, None)
            known[name] = f"{name} {number}"
            while len(known) > 5:
                known.pop(next(iter(known)))
        if number % 100 == 99:
            cache.clear()
            counted.clear()

"""A challenge before the lock: the first slots are for everybody, the others for those who have solved it."""

import asyncio
import logging
import pickle
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from copy import copy, deepcopy
from functools import partial

import pytest
from django.contrib.auth import authenticate
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpResponse
from django.test import AsyncClient, AsyncRequestFactory, Client, RequestFactory
from django.urls import path
from rest_framework.exceptions import Throttled
from rest_framework.response import Response
from rest_framework.views import APIView

from lockout_decorators import ChallengeRequired, LockedOut, LockoutPolicy, LockoutStatus, lockout_protect, signals
from lockout_decorators.exceptions import flavoured
from tests.backends import CountingBackend
from tests.doors import RIGHT, acheck, check, mount
from tests.sizes import IN_FULL

FREE, MAX, BURST = 3, 10, 200 if IN_FULL else 60


@pytest.fixture
def asked():
    """The requests whose challenge was looked at."""
    return []


@pytest.fixture
def policy(asked):
    """Makes one whose challenge is solved by a field of the form."""

    def solved(request):
        asked.append(request)
        return request.POST.get("solved") == "yes"

    def make(**arguments):
        usual = {"key": "ip", "max": MAX, "challenge_after": FREE, "challenge": solved, "scope": "challenged"}
        return LockoutPolicy(**(usual | arguments))

    return make


def post(password="wrong", solved="no", username="bob", factory=RequestFactory, **more):
    return factory().post("/", {"username": username, "password": password, "solved": solved}, **more)


def guess(policies, request):
    """What came of it: a status of HTTP, or of which kind the refusal is."""
    try:
        return lockout_protect(*policies, request=lambda it: it)(check)(request).status_code
    except LockedOut as refused:
        return type(refused).__name__


def aguess(policies, request):
    """See guess()."""
    try:
        return asyncio.run(lockout_protect(*policies, request=lambda it: it)(acheck)(request)).status_code
    except LockedOut as refused:
        return type(refused).__name__


BOTH = pytest.mark.parametrize("guess", [guess, aguess])


def burst(policies, solved):
    """Wrong guesses in threads, each a request of its own."""
    with ThreadPoolExecutor(len(solved)) as pool:
        return Counter(pool.map(lambda one: guess(policies, post(solved=one)), solved))


# How many


def test_burst(policy, verified):
    """Of many wrong guesses at once three are verified without a solution, of as many with it seven more."""
    door = [policy()]
    assert {401: FREE, "ChallengeRequired": BURST - FREE} == burst(door, ["no"] * BURST)
    assert FREE == len(verified)
    assert {401: MAX - FREE, "LockedOut": BURST - MAX + FREE} == burst(door, ["yes"] * BURST)
    assert MAX == len(verified)
    assert "LockedOut" == guess(door, post("right", "yes"))


def test_burst_of_tasks(policy, verified):
    """The same on a loop."""
    view = lockout_protect(policy())(acheck)

    async def guesses(solved):
        requests = [post(solved=solved, factory=AsyncRequestFactory) for _ in range(40)]
        return Counter([one.status_code for one in await asyncio.gather(*map(view, requests))])

    assert [{401: FREE, 429: 40 - FREE}, {401: MAX - FREE, 429: 40 - MAX + FREE}] == [
        asyncio.run(guesses("no")),
        asyncio.run(guesses("yes")),
    ]
    assert MAX == len(verified)


def test_ceiling(policy, verified):
    """An address that changes its user agent has `ceiling` times as many slots without a solution."""
    door = [policy(key="ip+ua", max=4, challenge_after=1, ceiling=2)]
    for solved, most in (("no", 2), ("yes", 8)):
        came = [guess(door, post(solved=solved, headers={"user-agent": str(n)})) for n in range(20)]
        assert most == len(verified) == came.count(401) + (solved == "yes") * 2


@BOTH
def test_honest_burst(guess, policy, verified):
    """Right passwords at once wait for each other as ever: nobody is told to solve anything."""
    CountingBackend.delay = 0.01
    with ThreadPoolExecutor(12) as pool:
        came = list(pool.map(lambda _: guess([policy()], post("right")), range(12)))
    assert [200] * 12 == came
    assert 12 == len(verified)


@BOTH
def test_waiting_in_vain(guess, policy):
    """Who waits in vain for one of the first slots is told of the challenge: that helps; whoever has solved it does
    not wait."""
    first = policy(patience=0.05)
    with first.attempt(post()), first.attempt(post()), first.attempt(post()):
        assert "ChallengeRequired" == guess([first], post("right"))
        assert 200 == guess([first], post("right", "yes"))


@pytest.mark.parametrize(("solved", "took", "patience"), [("no", 0, 5 * 1 / 3), ("yes", 10, 5 * 8 / 10)])
def test_patience(solved, took, patience, policy, slept):
    """It shrinks with the share of failures among the slots that are open to the guess; to look at a solution takes
    nothing from it."""

    def slow(request):
        slept.append(took)
        return request.POST["solved"] == "yes"

    door = [policy(challenge=slow)]
    assert [401, 401] == [guess(door, post(solved=solved)) for _ in range(2)]
    with ExitStack() as held:
        for _ in range(MAX - 2):
            held.enter_context(door[0].attempt(post(solved="yes"))).cancel()
        slept.clear()
        guess(door, post(solved=solved))
    assert patience == pytest.approx(sum(slept) - took)


# When the challenge is looked at


@BOTH
def test_asked_only_when_needed(guess, policy, asked, verified):
    """Not for the first three guesses, once for each further one, and no more once the client is locked."""
    door = [policy()]
    came = [guess(door, post(solved="yes")) for _ in range(MAX + 2)]
    assert [401] * MAX + ["LockedOut"] * 2 == came
    assert MAX - FREE == len(asked)
    assert "LockedOut" == guess(door, post("right"))


@pytest.mark.parametrize(("solved", "most"), [("yes", 4), ("no", 1)])
def test_asked_once_a_request(solved, most, policy, asked, verified):
    """Whatever guesses, blocks and policies it has."""
    one, two, three = [policy(scope=scope, challenge_after=1, max=4, patience=0) for scope in "abc"]

    def many(request):
        return [authenticate(request, username="bob", password=f"wrong{n}") for n in range(6)]

    request = post(solved=solved)
    for door in ([one, two], [three]):
        with pytest.raises(LockedOut):
            lockout_protect(*door, request=lambda it: it)(many)(request)
    assert (1, 2 * most) == (len(asked), len(verified))


def test_request_is_still_copied(policy, asked):
    """And pickled; a deep copy asks anew."""
    request, found = post(solved="yes"), []
    for made in (bool, bool, copy, deepcopy, lambda it: pickle.loads(pickle.dumps(it))):
        guess([policy(challenge_after=1)], request if made is bool else made(request))
        found.append(len(asked))
    assert [0, 1, 1, 2, 3] == found


def test_asked_before_any_slot(policy, verified):
    """Of no policy at the door: what it costs is not paid while others wait."""
    seen = []
    wide = LockoutPolicy(key="ip", max=MAX, scope="wide")

    def solved(request):
        seen.append((wide.status(request).failures, [*verified]))
        with wide.attempt(post()), wide.attempt(post()):  # would wait for the guess that is asked for, had it a slot
            return True

    door = [wide, policy(challenge=solved, challenge_after=1)]
    assert [401, 401] == [guess(door, post()) for _ in range(2)]
    assert [(1, [("bob", "wrong")])] == seen


def test_no_round_trip_is_added(policy, trips, verified):
    """The record that was read serves the second decision."""
    found = []
    for solved in ("no", "no", "no", "yes", "no"):
        guess([policy()], post(solved=solved))
        found.append(len(trips))
        trips.clear()
    assert [3, 3, 3, 3, 1] == found


def test_every_policy_has_its_own(policy, asked, verified):
    """The guess needs the solutions of all that are full."""
    other = policy(scope="other", challenge_after=1, challenge=lambda request: "other" in request.headers)
    door = [policy(), other]
    assert [401, "ChallengeRequired"] == [guess(door, post(solved="yes")) for _ in range(2)]
    assert [401] * 2 == [guess(door, post(headers={"other": "1"})) for _ in range(2)]
    assert ["ChallengeRequired", "ChallengeRequired", 401] == [
        guess(door, post(headers={"other": "1"})),
        guess(door, post(solved="yes")),
        guess(door, post(solved="yes", headers={"other": "1"})),
    ]
    assert 4 == len(verified)


@pytest.mark.parametrize("methods", [None, ()])
def test_a_lock_wins(methods, policy, asked, verified):
    """Where one policy has locked, no solution of another helps; though its lock ends before the other's window."""
    strict = LockoutPolicy(key="ip", max=2, scope="strict", lockout=60, methods=methods)
    door = [policy(challenge_after=1, methods=methods), strict]
    assert [401, 401, "LockedOut"] == [guess(door, post(solved="yes")) for _ in range(3)]
    assert 1 == len(asked)
    assert "LockedOut" == guess(door, post("right", "no"))


def test_policies_that_count_alike_ask(policy, verified):
    """Two of one scope are one: the one that has a challenge; at one door, or around each other."""
    plain = LockoutPolicy(key="ip", max=MAX, scope="challenged")
    for door in ([plain, policy()], [policy(), plain]):
        outer, inner = [lockout_protect(one, request=lambda it: it) for one in door]
        around = outer(lambda request, inner=inner: inner(check)(request))
        for view in (lockout_protect(*door, request=lambda it: it)(check), around):
            plain.reset(post())
            assert [401] * FREE == [view(post()).status_code for _ in range(FREE)]
            with pytest.raises(ChallengeRequired):
                view(post())
            assert FREE == plain.status(post()).failures


def test_not_enforced(policy, asked, verified):
    """Nobody is asked, nobody refused."""
    trial = policy(enforce=False)
    assert {401} == {guess([trial], post()) for _ in range(MAX + 2)}
    assert ([], MAX + 2) == (asked, len(verified))
    assert not trial.status(post()).challenge


# A challenge that breaks down


def broken(request):
    raise PermissionDenied("secret of the provider")


class Later:
    """To be awaited."""

    __await__ = iter

    def __init__(self, request):
        """Any."""


@pytest.mark.parametrize("challenge", [broken, Later])
@BOTH
def test_breakdown(guess, challenge, policy, verified, caplog):
    """It is not solved, and the log says why; the right password is not verified either."""
    door = [policy(challenge=challenge)]
    assert [401] * FREE == [guess(door, post()) for _ in range(FREE)]
    assert "ChallengeRequired" == guess(door, post("right", "yes"))
    assert FREE == len(verified)
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage().startswith("the challenge broke down, and counts as not solved: scope='challenged'")


def test_its_own_guess_is_not_solved(policy, verified):
    """A challenge that signs somebody in is not asked for that again."""
    own = policy(challenge=lambda it: authenticate(it, username="eve", password="eves") is not None, challenge_after=1)
    assert [401, "ChallengeRequired"] == [guess([own], post()) for _ in range(2)]
    assert 1 == len(verified)


# What is told


def test_status_and_signal(policy):
    """Nothing is locked, and there is no time to wait for; `status()` says it beforehand."""
    heard, door = [], policy()

    def receiver(detail, **kwargs):
        heard.append(detail.status)

    signals.attempt_refused.connect(receiver)
    try:
        before = [guess([door], post()) and door.status(post()).challenge for _ in range(FREE)]
        with pytest.raises(ChallengeRequired) as refused:
            door.attempt(post()).__enter__()
    finally:
        signals.attempt_refused.disconnect(receiver)
    told = LockoutStatus("challenged", False, FREE, MAX, challenge=True)
    assert [False, False, True] == before
    assert (told, told, [told]) == (refused.value.status, door.status(post()), heard)
    assert "A challenge has to be solved first." == str(refused.value)


def test_log(policy, caplog):
    """A line of its own."""
    caplog.set_level(logging.DEBUG, "lockout_decorators")
    for _ in range(FREE + 1):
        guess([policy()], post())
    assert "challenge required: scope='challenged' address=127.0.0.1 username='bob'" == caplog.messages[-1]


@pytest.mark.parametrize("accept", ["text/html", "application/json", "*/*"])
@pytest.mark.parametrize("view", [check, acheck])
def test_answer(view, accept, policy, settings, verified):
    """429 without Retry-After; the form itself is shown, since the view runs; solved, the user is in."""
    mount(settings, lockout_protect(policy())(view))
    client = Client(headers={"accept": accept})
    assert [401] * FREE == [client.post("/", RIGHT | {"password": "wrong"}).status_code for _ in range(FREE)]
    refused = client.post("/", RIGHT)
    assert (429, False, "no-store") == (refused.status_code, "Retry-After" in refused, refused["Cache-Control"])
    assert "A challenge has to be solved first." in refused.text
    assert "Go back, solve the challenge and try again." in refused.text
    assert 200 == client.post("/", RIGHT | {"solved": "yes"}).status_code
    assert FREE + 1 == len(verified)


def test_the_view_is_never_kept_from_showing_it(policy, verified):
    """What the early look finds full is no reason to refuse; only a lock is."""

    @lockout_protect(policy())
    def view(request):
        try:
            return check(request)
        except ChallengeRequired:
            return Response("the challenge")

    came = [view(post(solved=solved)) for solved in ["no"] * 5 + ["yes"] * 8]
    shown = [getattr(one, "data", one.status_code) for one in came]
    assert [401] * 3 + ["the challenge"] * 2 + [401] * 7 + [429] == shown


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_site(client, settings, verified):
    """The middleware answers, and shows what a view makes of it."""

    def caught(request):
        try:
            return check(request)
        except ChallengeRequired:
            return HttpResponse("the challenge")

    def solved(request):
        return request.POST.get("solved") == "yes"

    settings.MIDDLEWARE = ["lockout_decorators.middleware.LockoutMiddleware"]
    settings.LOCKOUT_SITE = {"key": "ip", "max": MAX, "challenge_after": FREE, "challenge": solved}
    settings.ROOT_URLCONF = (path("caught/", caught), path("", check))
    browser = client()

    def send(url, **more):
        sent = browser.post(url, RIGHT | {"password": "wrong"} | more)
        return asyncio.run(sent) if client is AsyncClient else sent

    assert [401] * FREE == [send("/").status_code for _ in range(FREE)]
    answer = send("/")
    assert (429, False) == (answer.status_code, "Retry-After" in answer)
    assert "the challenge" == send("/caught/").text
    assert 401 == send("/caught/", solved="yes").status_code
    assert 200 == send("/", solved="yes", password="right").status_code
    assert FREE + 2 == len(verified)


def test_drf(policy, verified):
    """DRF's own handler answers; there is no time to tell."""

    class Login(APIView):
        authentication_classes = ()

        def post(self, request):
            return check(request)

    view = lockout_protect(policy())(Login).as_view()
    came = [view(post(word)) for word in ["wrong"] * FREE + ["right"]]
    assert [401] * FREE + [429] == [one.status_code for one in came]
    assert {"detail": "A challenge has to be solved first."} == came[-1].data
    assert "Retry-After" not in came[-1]
    assert 200 == view(post("right", "yes")).status_code


@pytest.mark.parametrize("kind", [ChallengeRequired, flavoured(ChallengeRequired)], ids=["plain", "DRF's"])
def test_kind(kind):
    """It may be handed on; in DRF it is a Throttled too."""
    status = LockoutStatus("login", False, 3, 10, challenge=True)
    again = pickle.loads(pickle.dumps(kind(status)))
    assert (status, 429) == (again.status, again.status_code)
    assert isinstance(again, ChallengeRequired)
    assert issubclass(flavoured(ChallengeRequired), Throttled)


def hold(policy, request):
    with policy.attempt(request, "bob"):
        pass


def ahold(policy, request):
    async def held():
        async with policy.attempt(request, "bob"):
            pass

    asyncio.run(held())


@pytest.mark.parametrize("hold", [hold, ahold])
def test_held_slot(hold, policy, asked):
    """`attempt()` asks on entering."""
    for solved, fits, told in (("no", FREE, ChallengeRequired), ("yes", MAX - FREE, LockedOut)):
        for _ in range(fits):
            hold(policy(), post(solved=solved))
        with pytest.raises(LockedOut) as refused:
            hold(policy(), post(solved=solved))
        assert told.__name__ == type(refused.value).__name__
    assert MAX - FREE + 1 == len(asked)


# What is allowed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"challenge": bool}, "go together"),
        ({"challenge_after": 3}, "go together"),
        ({"challenge": bool, "challenge_after": 5, "max": 5}, "challenge_after is 5; it must be less than max"),
        ({"challenge": bool, "challenge_after": 3, "failure": 401}, "leave one out"),
    ],
)
@pytest.mark.parametrize("make", [lockout_protect, partial(LockoutPolicy, scope="s")])
def test_arguments_that_do_not_fit(make, arguments, said):
    """Said at import."""
    with pytest.raises(ValueError, match=said):
        make(**arguments)


def test_setting_that_does_not_fit(settings):
    """The maximum of the settings may be too small: check E001 says so, and so does the first use."""
    short = LockoutPolicy(scope="short", challenge=bool, challenge_after=5)
    with pytest.raises(ImproperlyConfigured, match="LOCKOUT_MAX_ATTEMPTS is 5; it must be more with challenge_after=5"):
        short.status(post())
    settings.LOCKOUT_MAX_ATTEMPTS = 6
    assert not short.status(post()).challenge

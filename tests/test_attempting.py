"""`policy.attempt()`, for secrets that are checked by other means; and what several blocks say of one guess."""

import asyncio
import contextvars
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth.signals import user_login_failed
from django.http import HttpResponse
from django.views import View

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect
from tests.guessing import WRONG, ask, attack, by_hand, by_name, by_status, login, post, rule, stops


@pytest.fixture
def policy():
    return rule()


def failures(*policies):
    found = [policy.status(post(), "bob").failures for policy in policies]
    return found if len(found) > 1 else found[0]


@pytest.fixture(params=["sync", "async"])
def attempt(request, policy):
    """Runs `what(block)` inside an attempt, by `with` or `async with`."""

    def run(what, username=None):
        if request.param == "sync":
            with policy.attempt(post(), username) as block:
                return what(block)

        async def main():
            async with policy.attempt(post(), username) as block:
                return what(block)

        return asyncio.run(main())

    return run


def nothing(block):
    """A line was forgotten."""


def fail(block):
    block.fail()


def succeed(block):
    block.succeed()


def cancel(block):
    block.cancel()


def signal(block):
    user_login_failed.send("codes", credentials={"username": "bob"})


@pytest.mark.parametrize("what", [fail, nothing, lambda block: 1 / 0], ids=["wrong", "forgotten", "error"])
def test_whatever_is_no_success_is_a_failure(attempt, what, policy):
    """Forgetting a line never gives free guesses, nor does an exception, whatever it was about."""
    for _ in range(3):
        with pytest.raises(ZeroDivisionError) if what not in (fail, nothing) else memoryview(b""):
            attempt(what)
    with pytest.raises(LockedOut):
        attempt(succeed)
    assert policy.status(post()).locked


def test_a_success_forgives_the_same_username(attempt, policy):
    """And nobody else's failures; what was cancelled forgives nothing, and gives its slot back."""
    attempt(fail, "bob")
    attempt(fail, "eve")
    for _ in range(5):
        attempt(cancel, "bob")
    assert 2 == failures(policy)
    attempt(succeed, "bob")
    assert 1 == failures(policy)


SAID = [([fail, succeed], 1), ([succeed, fail], 0), ([fail, cancel], 1), ([signal], 1), ([signal, fail], 1)]
SAID += [([fail, signal], 1), ([signal, signal], 1), ([signal, succeed], 1), ([succeed, signal, signal], 1)]


@pytest.mark.parametrize(("said", "count"), SAID, ids=["-".join([word.__name__ for word in said]) for said, _ in SAID])
def test_the_first_word_stands(attempt, said, count, policy):
    """A second one, or a look at the status before, changes nothing; what is signalled inside is that failure."""
    attempt(lambda block: [failures(policy), *[word(block) for word in said]], "bob")
    assert count == failures(policy)


def test_words_outside_of_an_attempt_do_nothing(policy):
    """An observing block holds no slot to speak about."""
    with policy.observe(post()) as block:
        [word(block) for word in (succeed, fail, cancel)]
    assert 0 == failures(policy)


@pytest.mark.parametrize(
    ("passwords", "word", "left"),
    [(["wrong"], nothing, 2), (["right"], nothing, 2), (["right"], succeed, 0), (["wrong", "wronger"], nothing, 3)],
)
def test_the_first_authenticate_uses_the_slot_that_is_held(passwords, word, left, policy, verified):
    """One guess, not two; but that was right only if the view's own code says so."""
    with policy.attempt(post(), "bob") as block:
        block.fail()
    with policy.attempt(request := post(), "bob") as block:
        [authenticate(request, username="bob", password=password) for password in passwords]
        word(block)
    assert left == failures(policy)


def test_a_call_after_the_verdict_is_a_guess_of_its_own(policy, verified):
    """The view's code has said what it had to say of the first one."""
    with policy.attempt(request := post(), "bob") as block:
        block.fail()
        authenticate(request, username="bob", password="wrong")
    assert (2, 1) == (failures(policy), len(verified))


@pytest.mark.parametrize("word", [fail, repr])
def test_a_password_proves_no_code(word, verified):
    """A held slot that the view's own code has used stays taken, though `authenticate()` is content afterwards."""

    def both(request):
        with rule().attempt(request, "eve") as guess:
            good = by_hand(request)
            (succeed if good else word)(guess)
            return authenticate(request, username="eve", password="eves") and good

    attack(lockout_protect(rule())(lambda request: login(request, both)))
    assert WRONG[:3] == [password for name, password in verified if name == "bob"]


@pytest.mark.parametrize("how", [LockoutPolicy.observe, LockoutPolicy.attempt])
async def test_where_lockouts_are_off_nothing_is_watched(how, policy, verified, settings):
    """Neither claimed nor counted, and afterwards the next one is as free as the first."""
    settings.LOCKOUT_ENABLED = False
    for n in range(policy.max + 1):
        async with how(policy, request := post()) as block:
            assert await aauthenticate(request, username="bob", password=f"wrong{n}") is None
            block.fail()
        with how(policy, post()) as block:
            block.fail()
    settings.LOCKOUT_ENABLED = True
    assert (policy.max + 1, 0) == (len(verified), (await policy.astatus(post())).failures)


# Two policies around one guess


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize("way", ["sync", "async"])
async def test_a_guess_that_another_policy_refuses_is_none(way, turn, policy, verified):
    """It was never verified: nothing is counted by the policy that let it pass, whichever is around the other."""
    locked = by_name(scope="locked", max=1)
    async with locked.attempt(post(), "bob"):
        pass
    outer, inner = (policy, locked)[::turn]
    for _ in range(5):
        if way == "sync":
            with outer.observe(request := post()), inner.observe(request), pytest.raises(LockedOut):
                authenticate(request, username="bob", password="wrong")
        else:
            async with outer.observe(request := post()), inner.observe(request):
                with pytest.raises(LockedOut):
                    await aauthenticate(request, username="bob", password="wrong")
    assert ([], 0) == (verified, (await policy.astatus(post())).failures)
    async with policy.observe(post()):
        assert await aauthenticate(username="bob", password="right")


DOWN = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:9"}


@pytest.mark.parametrize("other", [{}, {"cache": "down"}], ids=["stricter", "its cache is down"])
def test_another_policy_that_refuses_gives_no_slot_back(other, verified, settings):
    """The view's own code has used it: a one-time code, and else a recovery code that is guarded more strictly."""
    settings.CACHES = {**settings.CACHES, "down": DOWN}
    totp, strict = rule(), rule(scope="strict", max=1, **other)

    @lockout_protect(totp)
    def second_step(request):
        with totp.attempt(request, "bob") as guess:
            if by_hand(request):
                guess.succeed()
                return HttpResponse("welcome")
            with strict.attempt(request, "bob"):
                """It is wrong."""
        return HttpResponse("wrong", status=401)

    assert 200 == second_step(post("right")).status_code
    verified.clear()
    attack(second_step)
    assert WRONG[:3] == [*dict.fromkeys(password for _, password in verified)]


def test_a_refused_call_gives_no_held_slot_back(verified):
    """The view's own code has checked its secret; then the policy around it refuses what `authenticate()` is asked."""
    pins, checked = rule(), []

    @lockout_protect(rule(scope="logins", max=1, methods=()))
    def view(request):
        with pins.attempt(request, "bob"):
            checked.append(request.POST["password"])
            return HttpResponse(str(ask(request)))

    attack(view)
    assert WRONG[:3] == checked
    assert 1 == len(verified)


def test_what_is_left_to_another_block_hides_no_lock(verified):
    """One of two policies is counted around it already: the lock of the other still keeps the view from running."""
    shared, own, ran = rule(scope="shared"), rule(scope="own", max=1), []
    view = lockout_protect(shared, own)(lambda request: ran.append(request) or login(request))
    with own.observe(request := post("wrong")):
        ask(request)
    with shared.observe(request := post("right")):
        assert 429 == view(request).status_code
    assert ([], 1) == (ran, len(verified))
    own.reset(request)
    with shared.observe(request):
        assert 200 == view(request).status_code


def test_the_answer_of_a_policy_that_counts_like_another_is_given(verified):
    """Of two that count alike one is asked; the other one's answer is what the project wants said."""
    silent = rule(max=1, methods=())
    speaking = rule(max=1, methods=(), response=lambda request, locked_out: HttpResponse("later", status=429))
    view = lockout_protect(silent, speaking)(login)
    answers = [view(post(password)) for password in ("wrong", "right")]
    assert [(401, b"wrong"), (429, b"later")] == [(it.status_code, it.content) for it in answers]
    assert 1 == len(verified)
    silent.reset(post())
    assert 200 == view(post("right")).status_code


async def test_who_is_refused_on_entering_is_watched_no_more(verified):
    """What the task does afterwards is none of a block that never began."""
    policy = rule(max=1)
    async with policy.observe(request := post()):
        await aauthenticate(request, username="bob", password="wrong")
    with pytest.raises(LockedOut):
        await policy.observe(request).__aenter__()
    assert 1 == len(verified)
    assert await aauthenticate(request, username="bob", password="right")


def test_a_block_is_entered_once_at_a_time(policy):
    """One that was left may be entered again."""
    block = policy.observe(post())
    with block, pytest.raises(RuntimeError, match="once at a time"):
        block.__enter__()
    with block:
        assert block.open


@pytest.mark.parametrize("door", [LockoutPolicy.observe, LockoutPolicy.attempt, LockoutPolicy.status])
@pytest.mark.parametrize("given", [None, "bob", {"REMOTE_ADDR": "192.0.2.1"}])
def test_a_block_by_hand_needs_a_request(door, given, policy):
    """The error says what came."""
    with pytest.raises(TypeError, match=r"policy .guessing.: request is .*; it must be a request, or an ASGI scope"):
        door(policy, given)


# The same policy twice: a class and its URL, or a decorator and a block inside the view


def test_nested_blocks_count_once(policy):
    """Guesses and signals alike; the inner one does not open, and an equal policy's is the same."""
    other = rule(scope="between")
    with (
        policy.observe(request := post()) as outer,
        other.observe(request) as between,
        rule().observe(request) as inner,
    ):
        authenticate(request, username="bob", password="wrong")
        user_login_failed.send("elsewhere", credentials={"username": "bob"}, request=request)
        assert [True, True, False] == [outer.open, between.open, inner.open]
    assert [1, 1] == failures(policy, other)


def test_an_attempt_inside_holds_the_slot(policy):
    """What is authenticated inside of it is its guess alone."""
    with policy.observe(request := post()), policy.attempt(request, "bob"):
        authenticate(request, username="bob", password="wrong")
    assert 1 == failures(policy)


@pytest.mark.parametrize("turn", ["the call", "the inner block"])
def test_a_failure_from_elsewhere_is_counted_once(turn, policy):
    """Where a thread knows the blocks by the request only, or has one of its own: both hear of the failure."""
    request = post("wrong")

    def apart(what):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(contextvars.Context().run, what).result()

    def inside():
        with rule().observe(request):
            contextvars.Context().run(user_login_failed.send, "API", credentials={"username": "bob"}, request=request)

    with policy.observe(request), rule().observe(request):
        apart(inside if turn == "the inner block" else lambda: ask(request))
    assert 1 == failures(policy)


def test_another_request_is_another_matter(policy, rf):
    """A request that is made inside a view has its own block."""
    with policy.observe(post()), policy.observe(other := rf.post("/", REMOTE_ADDR="192.0.2.1")):
        authenticate(other, username="bob", password="wrong")
    assert (0, 1) == (failures(policy), policy.status(other).failures)


@pytest.mark.parametrize("most", [1, 3])
def test_a_class_and_its_url_take_one_slot(most, verified):
    """Two policies that agree on how they count and differ in something else; the last guess waits for nobody."""
    shared = {"key": "ip", "max": most, "scope": "shared"}

    @lockout_protect(**shared)
    class Door(View):
        def post(self, request):
            return login(request)

    later = {"response": lambda request, locked_out: HttpResponse("come back later", status=429)}
    url, began = lockout_protect(**shared, **later)(Door.as_view()), time.monotonic()
    assert [401] * (most - 1) + [200] == [url(post(password)).status_code for password in [*WRONG[: most - 1], "right"]]
    assert [401] * most + [429] == [url(post(password)).status_code for password in [*WRONG[:most], "right"]]
    assert (2 * most, True) == (len(verified), time.monotonic() - began < 1)


ODD = [(by_status, by_hand), (lambda: rule(exempt=bool), ask)]  # no request is true in that way


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize(("odd", "by"), ODD, ids=["by the response", "exempt"])
def test_policies_that_count_alike_but_watch_differently_both_watch(odd, by, turn, verified):
    """Whichever comes first."""
    stops(lockout_protect(*[rule(), odd()][::turn])(lambda request: login(request, by)), verified)


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize("other", [{"methods": ()}, {"key": "username", "ceiling": None}], ids=["methods", "key"])
def test_a_lock_by_responses_refuses_early_whoever_shares_the_door(other, turn, verified):
    """Also where another policy has no early look: nothing else would refuse."""
    policies = [by_status(), rule(scope="other", **other)][::turn]
    stops(lockout_protect(*policies)(lambda request: login(request, by_hand)), verified)

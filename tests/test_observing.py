"""What is a guess, and how often it counts: every way in which `authenticate()` may be called inside of a block."""

import inspect
from functools import partial

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib import auth
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth.backends import BaseBackend, ModelBackend
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.utils.functional import SimpleLazyObject

from lockout_decorators import LockedOut, LockoutPolicy, signals
from lockout_decorators.attempts.guess import Guess
from lockout_decorators.attempts.guesses import Guesses
from lockout_decorators.attempts.watch import asked_last, here
from tests.backends import CountingBackend
from tests.guessing import BROKEN, COUNTING, FIELDS, KEYS, SECOND, by_name, post, rule


class EmailBackend(BaseBackend):
    """Takes an e-mail address; asks the counting backend."""

    def authenticate(self, request, email=None, password=None):
        return email and CountingBackend().authenticate(request, email.partition("@")[0], password)


class ForbiddingBackend(BaseBackend):
    def authenticate(self, request, username=None, password=None):
        raise PermissionDenied


class TokenBackend(BaseBackend):
    """Takes a token and no user name."""

    def authenticate(self, request, token):
        CountingBackend.verified.append(("", token))
        return CountingBackend().get_user(1) if token == "sesame" else None


class StaticBackend(BaseBackend):
    """Needs no instance."""

    @staticmethod
    def authenticate(request, username=None, password=None):
        return CountingBackend().authenticate(request, username, password)


class OnlyAsyncBackend:
    """Has no sync door."""

    async def aauthenticate(self, request, username=None, password=None):
        return await sync_to_async(CountingBackend().authenticate)(request, username, password)

    authenticate = aauthenticate  # Django asks for its signature


class Again(BaseBackend):
    """Asks all backends anew."""

    def authenticate(self, request, username=None, password=None):
        return authenticate(request, email=username, password=password.strip())


class Third(CountingBackend):
    """Of the same class as two others."""


EMAIL, FORBIDDING, TOKEN, STATIC, ONLY_ASYNC, AGAIN, THIRD = [
    f"{__name__}.{cls.__name__}"
    for cls in (EmailBackend, ForbiddingBackend, TokenBackend, StaticBackend, OnlyAsyncBackend, Again, Third)
]


@pytest.fixture
def policy():
    return rule()


def failures(policy):
    return policy.status(post()).failures


def guess(policy, request, password, username="bob", by=authenticate):
    with policy.observe(request):
        return by(request, username=username, password=password)


@async_to_sync
async def aguess(policy, request, password, by=aauthenticate):
    async with policy.observe(request):
        return await by(request, username="bob", password=password)


WAYS = {
    "sync": (guess, COUNTING),
    "without a request": (partial(guess, by=lambda _, **said: authenticate(**said)), COUNTING),
    "bound before the import": (partial(guess, by=inspect.unwrap(authenticate)), COUNTING),
    "static method": (guess, STATIC),
    "async": (aguess, COUNTING),
    "async in a thread": (partial(aguess, by=sync_to_async(authenticate)), COUNTING),
    "async backend": (aguess, ONLY_ASYNC),
}


@pytest.mark.parametrize("way", WAYS)
def test_wrong_guesses_lock_and_the_right_one_is_refused(way, policy, rf, verified, settings):
    """Three failures are verified; then nothing reaches a backend: on entering, or, of a safe method, in the call."""
    try_it, settings.AUTHENTICATION_BACKENDS = WAYS[way][0], [WAYS[way][1]]
    assert "bob" == try_it(policy, post(), "right").username
    assert [None] * 3 == [try_it(policy, post(), f"wrong{n}") for n in range(3)]
    for request in (post(), rf.get("/")):
        with pytest.raises(LockedOut) as caught:
            try_it(policy, request, "right")
        status = caught.value.status
        assert (4, 3, 3, True) == (len(verified), status.failures, status.maximum, status.locked)


def bob(password):
    return {"username": "bob", "password": password}


CALLS = {
    "nothing": ([COUNTING], [{"username": "", "password": None}, {"remote_user": None}], 0, 1),
    "what no backend takes": ([COUNTING], [{"unknown": said} for said in ("", "right", "wrong")], 0, 0),
    "an empty password": ([COUNTING], [bob("")], 1, 1),
    "permission denied": ([FORBIDDING, COUNTING], [bob("right")], 1, 0),
    "tokens": ([TOKEN], [{"token": "open"}, {"token": "sesame"}], 1, 2),
    "asked again inside": ([AGAIN, FIELDS], [bob("wrong ")], 1, 2),
    "backends of one class": ([SECOND, THIRD, COUNTING], [bob("wrong")], 1, 3),
    "name, else e-mail": ([COUNTING, EMAIL], [bob("x"), {"email": "eve@x.org", "password": "x"}], 1, 2),
    "right e-mail": (
        [COUNTING, EMAIL],
        [{"username": "no", "password": "right"}, {"email": "bob@x.org", "password": "right"}],
        0,
        2,
    ),
    "lazy text": ([FIELDS], [bob(SimpleLazyObject(lambda: "wrong"))], 1, 1),
    "lazy number": ([FIELDS], [bob(SimpleLazyObject(lambda: 7))], 1, 1),
}


@pytest.mark.parametrize("ask", [authenticate, async_to_sync(aauthenticate)], ids=["sync", "async"])
@pytest.mark.parametrize("calls", CALLS)
def test_what_counts_as_how_many_guesses(calls, ask, policy, verified, settings):
    """One set of secrets is one guess, whoever is asked about it; what nobody verifies is none."""
    settings.AUTHENTICATION_BACKENDS, said, failed, asked = CALLS[calls]
    with policy.observe(request := post()):
        [ask(request, **credentials) for credentials in said]
    assert (failed, asked) == (failures(policy), len(verified))


def test_a_failure_that_two_backends_found_is_one(policy, receivers, verified, settings):
    """It is told of once, and forgiven: both were asked for the same account, so its owner's success proves a slip."""
    settings.AUTHENTICATION_BACKENDS, told = [SECOND, COUNTING], []
    signals.attempt_failed.connect(lambda detail, **more: told.append(detail), weak=False)
    assert guess(policy, post(), "wrong") is None
    assert (1, 2, 1) == (failures(policy), len(verified), len(told))
    assert guess(policy, post(), "right")
    assert 0 == failures(policy)


@pytest.mark.parametrize("try_it", [guess, aguess], ids=["sync", "async"])
def test_an_exception_out_of_a_backend_is_no_verdict(try_it, policy, settings, verified):
    """It comes out as it is. The slot stays taken, so that nobody guesses for free, and nobody waits for it; but a
    directory that is down locks nobody out."""
    settings.AUTHENTICATION_BACKENDS = [BROKEN]
    for _ in range(3):
        with pytest.raises(ConnectionError):
            try_it(policy, post(), "right")
    settings.AUTHENTICATION_BACKENDS = [COUNTING]
    with pytest.raises(LockedOut) as caught:
        try_it(policy, post(), "right")
    status = caught.value.status
    assert (3, 0, False, 300) == (len(verified), status.failures, status.locked, status.retry_after)


@pytest.mark.parametrize("error", [ZeroDivisionError, LockedOut])
def test_an_exception_after_the_failure_takes_nothing_back(error, policy):
    """The view may raise what it likes, another policy's refusal included."""
    with pytest.raises(error), policy.observe(request := post()):
        authenticate(request, username="bob", password="wrong")
        raise error(None) if error is LockedOut else error
    assert 1 == failures(policy)


def test_post_data_is_hidden_in_error_reports(policy):
    """From the moment that a block opens; a view that has said what to hide is left with that."""
    with policy.observe(request := post()):
        assert "__ALL__" == request.sensitive_post_parameters
    request.sensitive_post_parameters = ("password",)
    with policy.observe(request):
        assert ("password",) == request.sensitive_post_parameters


# Several calls in one block


@pytest.mark.parametrize(("order", "expected"), [(1, 1), (-1, 2)])  # after eve has signed in, bob is a further guess
def test_a_success_forgives_no_other_account_of_the_same_guess(order, expected, settings):
    """A guess at two accounts is not forgiven by signing in to one of them, whichever was tried first."""
    settings.AUTHENTICATION_BACKENDS, policy = [COUNTING, EMAIL], rule(max=5)
    for password in ("wrong", "eves"):  # eve's mail address is what the attacker made of bob's name
        with policy.observe(request := post()):
            for account in [{"username": "bob"}, {"email": "eve@example.org"}][::order]:
                authenticate(request, **account, password=password)
    assert expected == failures(policy)


@pytest.mark.parametrize(("calls", "most", "names"), [(1, 3, "abc"), (2, 2, ["bob"] * 4)])
def test_calls_with_the_same_secrets_are_limited(calls, most, names, verified):
    """With `calls=1` one password on many accounts does not pass as one guess; the same call again is one more."""
    with rule(calls=calls, max=most).observe(request := post()):
        for name in names:
            authenticate(request, username=name, password="wrong")
        with pytest.raises(LockedOut):
            authenticate(request, username="bob", password="wrong")
    assert len(names) == len(verified)
    with pytest.raises(LockedOut):
        guess(rule(calls=calls, max=most), post(), "right")


def test_whose_call_it_is():
    """Backends that are asked one after the other are one call; the same backend or another account begins the next."""
    bob, eve, guess = "bob", "eve", Guess([])
    asked = [(bob, "A"), (bob, "B"), (bob, "C"), (eve, "A"), (eve, "A"), (bob, "D"), (eve, "B"), (eve, "B")]
    taken = [guess.takes(b"secrets", ("username", name), backend, 2) for name, backend in asked]
    assert taken == [True, True, True, True, False, False, True, False]


def test_a_secret_that_comes_back_is_a_guess_again(policy, verified):
    """What was settled when the next one came is joined by no later call. Past the last, and ever after, the block
    refuses, and knows what."""
    with policy.observe(request := post()) as block:
        for password in ("one", "two", "one"):
            assert authenticate(request, username="bob", password=password) is None
        with pytest.raises(LockedOut) as caught:
            authenticate(request, username="bob", password="right")
        assert block.refused is caught.value
        assert caught.value.status.locked
        with pytest.raises(LockedOut):
            authenticate(request, username="bob", password="right")
    assert (3, 3, True) == (failures(policy), len(verified), policy.status(request).locked)


def test_a_block_that_has_refused_refuses_at_once(policy, verified):
    """Whatever is on record by then; the next block asks again."""
    with policy.observe(request := post()):
        [authenticate(request, username="bob", password=f"wrong{n}") for n in range(3)]
        for _ in range(2):
            with pytest.raises(LockedOut):
                authenticate(request, username="bob", password="right")
            policy.reset(post())
    assert 3 == len(verified)
    assert guess(policy, post(), "right")


def test_a_success_settles_at_once(policy):
    """The slot is for the verification, not for the rest of the view."""
    with policy.observe(request := post()):
        for name, password in [("bob", "right")] + 5 * [("eve", "eves")]:
            assert authenticate(request, username=name, password=password)
        assert 0 == failures(policy)


@pytest.mark.parametrize(("backend", "error"), [(COUNTING, None), (BROKEN, ConnectionError)])
def test_a_refused_call_takes_no_earlier_one_back(backend, error, settings, verified):
    """One policy takes a second call as the same guess, the other refuses it: the first was verified, and nobody knows
    its verdict before the end, or ever. It stays taken."""
    settings.AUTHENTICATION_BACKENDS = [backend, SECOND]
    loose, strict = rule(max=1, calls=2), rule(scope="strict", max=1, calls=1)
    with strict.observe(request := post()), loose.observe(request):
        found = auth.get_backends()[0]
        with pytest.raises(error) if error else memoryview(b""):
            assert found.authenticate(request, username="bob", password="wrong") is None
        with pytest.raises(LockedOut):
            found.authenticate(request, username="bob", password="wrong")
    with pytest.raises(LockedOut):
        guess(loose, post(), "right")
    assert 1 == len(verified)


def test_a_refused_call_frees_its_slot_at_once(verified):
    """Not only at the end of the view: somebody else at the same address need not wait for that."""
    one, locked = rule(max=1), by_name(scope="locked", max=1)
    with locked.attempt(request := post(), "bob"):
        pass
    with locked.observe(request), one.observe(request):
        with pytest.raises(LockedOut):
            authenticate(request, username="bob", password="right")
        with one.attempt(post(), "eve") as attempt:
            attempt.succeed()
    assert [] == verified
    assert guess(one, request, "right")


def test_an_outer_block_watches_on_after_an_inner_one(policy, verified):
    """Each block that is left takes back only itself, and the secrets that it holds."""
    with policy.observe(request := post()) as outer:
        with rule(scope="inner", max=5).observe(request):
            authenticate(request, username="bob", password="wrong0")
        assert [outer] == [block for block, _ in asked_last.get()] == [*here()]
        for n in (1, 2):
            authenticate(request, username="bob", password=f"wrong{n}")
        with pytest.raises(LockedOut):
            authenticate(request, username="bob", password="right")
    assert [] == [*asked_last.get(), *here()]
    assert 3 == len(verified)


def test_a_guess_is_settled_once(policy, verified, monkeypatch, caplog):
    """Who comes second, as a thread may, finds nothing to do, and tells nothing."""
    once = Guesses.settle
    monkeypatch.setattr(Guesses, "settle", lambda *args: (once(*args), once(*args)))
    with caplog.at_level("INFO"):
        guess(policy, post(), "wrong")
    assert (1, 1, 1) == (failures(policy), len(verified), len(caplog.records))


# Failures that are signalled


def tell(sender="elsewhere", **more):
    user_login_failed.send(sender, **{"credentials": {"username": "bob"}, **more})


class Attributes(dict):
    __getattr__ = dict.__getitem__


DJANGO = ".".join(["django", "contrib", "auth"])  # known by its name however it is spelled
TOLD = {
    "of what a backend denied": (lambda request: [authenticate(request, **bob("wrong")), tell(request=request)], 1),
    "by code that verifies by itself": (lambda request: tell(request=None), 1),
    "without a name": (lambda request: tell(credentials={"username": None}), 1),
    "with odd ones": (lambda request: tell(credentials={"username": object(), 1: 2}, request=Attributes()), 1),
    "by Django, of what no backend was asked": (lambda request: tell(DJANGO, credentials={}, request=request), 0),
}


@pytest.mark.parametrize("how", TOLD)
def test_a_failure_that_is_signalled_is_counted_once(how, policy):
    """The first verdict on a guess stands; what the signal names is who was tried; a request that is none has no
    blocks."""
    account = by_name(scope="account")
    tell(request=object())
    with policy.observe(request := post()), account.observe(request):
        TOLD[how][0](request)
    named = "without" in how or "odd" in how
    assert [TOLD[how][1], 0 if named else TOLD[how][1]] == [failures(policy), account.status(post(), "bob").failures]


def test_a_failure_signalled_after_a_success_is_one_of_its_own(policy):
    """As a wrong second factor in the same form: it is counted once, and that right password does not forgive it."""
    for failed in (1, 2):
        with policy.observe(request := post()):
            authenticate(request, username="bob", password="right")
            tell(request=request)
            tell(request=request)
        assert failed == failures(policy)


# What a request presents by itself

WORDS = ["Authorization", "X-Id-Token", "X-IdToken", "X-Passphrase", "X-HMAC", "X-ARR-ClientCert", "X-SSL-Client-Cert"]


@pytest.mark.parametrize("header", [*WORDS, "X-RefreshToken", "X-Api-Key"])
def test_a_secret_in_a_header_is_a_guess(header, policy, settings, verified):
    """Though the call has no credentials; a request without any secret is none."""
    settings.AUTHENTICATION_BACKENDS = [KEYS]
    for n in range(5):
        with pytest.raises(LockedOut) if n > 2 else memoryview(b""), policy.observe(post(headers={header: f"key{n}"})):
            authenticate(None)
    assert 3 == len(verified)
    policy.reset(post())
    with policy.observe(post()):
        authenticate(None)
    assert 0 == failures(policy)


@pytest.mark.parametrize("beside", [{}, {"password": ""}, {"password": None}])
def test_a_token_in_the_place_of_a_name_is_a_secret(beside, policy, settings, verified):
    """As API keys are sent with an empty password: two in one request are two guesses."""
    settings.AUTHENTICATION_BACKENDS = [KEYS]
    with policy.observe(post()):
        [authenticate(username=f"token{n}", **beside) for n in range(3)]
        with pytest.raises(LockedOut):
            authenticate(username="token3", **beside)
    assert 3 == len(verified)


class Masked(str):
    """Text that is not to be read in logs."""

    __slots__ = ()

    __str__ = __repr__ = lambda self: "***"

    def __bool__(self):
        return False


class HiddenBytes(bytes):
    __repr__ = lambda self: "***"  # noqa: E731


@pytest.mark.parametrize("kind", [Masked, lambda text: HiddenBytes(text, "ascii")], ids=["str", "bytes"])
def test_secrets_that_hide_themselves_are_told_apart(kind, policy, verified, settings):
    """Each of them is a guess."""
    settings.AUTHENTICATION_BACKENDS = [FIELDS]
    with policy.observe(post()):
        [authenticate(None, username=kind("bob"), password=kind(f"wrong{n}")) for n in range(3)]
        with pytest.raises(LockedOut):
            authenticate(None, username=kind("bob"), password=kind("mine"))
    assert 3 == len(verified)


# Beside


def test_the_status_is_of_the_key_and_not_of_its_ceiling(receivers):
    """What a client may still do is told by the counter that is its own; so is that it was forgotten."""
    policy, told = rule(key="ip+ua", ceiling=9), []
    guess(policy, post(), "wrong")
    assert (1, 3) == (failures(policy), policy.status(post()).maximum)
    signals.lockout_reset.connect(lambda detail, **more: told.append(detail), weak=False)
    policy.reset(post())
    assert [(False, 3)] == [(detail.ceiling, detail.status.maximum) for detail in told]


def test_the_second_factor_is_not_forgiven_by_the_first():
    """Right password, wrong code, again and again: the code's own policy locks."""
    password, code = rule(scope="password"), rule(scope="code")
    for _ in range(3):
        assert guess(password, post(), "right")
        with code.attempt(post(), "bob") as attempt:
            attempt.fail()
    with pytest.raises(LockedOut) as caught:
        code.attempt(post(), "bob").__enter__()
    assert ("code", 0) == (caught.value.status.scope, failures(password))


def test_success_between_guesses_gains_an_attacker_nothing(policy, verified):
    """Signing in to an account of one's own frees the slots of no other account."""
    for n in range(3):
        guess(policy, post(), f"wrong{n}")
        if n < 2:
            assert guess(policy, post(), "eves", "eve")
    with pytest.raises(LockedOut):
        guess(policy, post(), "right")
    assert 3 == [name for name, _ in verified].count("bob")


def test_the_django_model_backend_is_observed(policy, settings, django_user_model, db):
    """A real user, a real hasher, and a user who is not active: only the verdict of authenticate() counts."""
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
    django_user_model.objects.create_user("ann", password="secret")
    django_user_model.objects.create_user("old", password="secret", is_active=False)
    assert "ann" == guess(policy, post(), "secret", "ann").username
    assert isinstance(auth.get_backends()[0], ModelBackend)
    assert [None, None] == [guess(policy, post(), "secret", "old"), guess(policy, post(), "wrong", "ann")]
    assert 2 == failures(policy)


@pytest.mark.parametrize("key", ["ip", "ip+username", "username", lambda request, identity: f"shop {identity}"])
def test_a_verdict_in_the_response_is_refused_early_by_any_key(key):
    """Nobody knows a user name there: the address takes its place, and a callable is given None."""
    policy = LockoutPolicy(scope="api", key=key, max=2, failure=lambda request, response: response.status_code == 401)
    for _ in range(2):
        with policy.observe(post()) as block:
            block.response = HttpResponse(status=401)
    with pytest.raises(LockedOut):
        policy.observe(post()).__enter__()


def test_a_late_verdict_in_the_response_finds_the_lock():
    """What was in flight when the lock fell is counted no more; if a crash left the lock out, it is written then."""
    policy = LockoutPolicy(scope="api", max=1, failure=lambda request, response: True)
    with policy.observe(post()) as late:
        with policy.attempt(post()):
            pass
        late.response = HttpResponse(status=401)
    assert 1 == failures(policy)

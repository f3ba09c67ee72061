"""Several policies at one door: a guess takes a slot of each or of none, however they are written."""

import pytest
from django.contrib.auth import authenticate
from django.core.cache import caches
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils.decorators import method_decorator
from django.views import View

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect, policies_of, signals
from lockout_decorators.checks import check_lockout
from lockout_decorators.exceptions import StoreError
from lockout_decorators.stores import Store
from tests.servers import stores

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
DOWN = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:9"}


def view(request):
    user = authenticate(request, username=request.POST.get("username"), password=request.POST.get("password"))
    return HttpResponse(status=200 if user else 401)


class Login(View):
    def post(self, request):
        return view(request)


def together(*policies):
    return lockout_protect(*policies)(view)


def stacked(*policies):
    decorated = view
    for policy in reversed(policies):
        decorated = lockout_protect(policy)(decorated)
    return decorated


def on_a_class(*policies):
    cls = type("Login", (Login,), {})
    for policy in reversed(policies):
        assert lockout_protect(policy)(cls) is cls
    return cls.as_view()


def around(*policies):
    """One of them inside, on a method, the others on what `as_view()` returned."""

    cls = type("Login", (Login,), {"post": lockout_protect(policies[-1])(Login.post)})
    return lockout_protect(*policies[:-1])(cls.as_view())


@pytest.fixture(params=[together, stacked, on_a_class, around])
def door(request):
    """Decorates a login with policies, in each way of doing so."""
    return request.param


def policy(scope, **arguments):
    return LockoutPolicy(**{"scope": scope, "key": "ip", "patience": 0, **arguments})


def guess(view, password="wrong", name="bob", address="192.0.2.1"):
    return view(RequestFactory().post("/", {"username": name, "password": password}, REMOTE_ADDR=address))


def guesses(view, names, address="192.0.2.1"):
    """How many of the guesses at `names` were verified."""
    answers = [guess(view, f"wrong{n}", name, address) for n, name in enumerate(names)]
    return [answer.status_code for answer in answers].count(401)


def failures(request, *policies):
    return [one.status(request, "bob").failures for one in policies]


@pytest.fixture
def visit(rf):
    return rf.post("/", REMOTE_ADDR="192.0.2.1")


def test_a_short_and_a_long_window(door, verified, visit):
    """The shorter limit locks after as many failures as it says; both have counted them."""
    short, long = policy("a", max=6, window=60), policy("a", max=10, window=3600)
    assert guesses(door(short, long), ["bob"] * 12) == len(verified) == 6
    assert [6, 6] == failures(visit, short, long)
    assert [True, False] == [one.status(visit).locked for one in (short, long)]
    assert [message.id for message in check_lockout(None) if "E003" in message.id] == []


def test_one_account_and_one_address(door, verified):
    """Many addresses on one account, and one address on many accounts, are both bounded; ceilings are not shared."""
    view = door(policy("address", max=20), policy("account", key="username", max=4))
    assert guesses(view, ["bob"] * 6) == 4
    assert guesses(view, ["bob"] * 6, "192.0.2.2") == 0
    assert guesses(view, [f"user{n}" for n in range(30)], "192.0.2.3") == 20
    assert len(verified) == 24


def test_who_is_refused_by_one_takes_no_slot_of_the_other(door, verified, visit):
    """And a right password gives back those of all."""
    address, account = policy("address", max=9), policy("account", key="username", max=2)
    view = door(address, account)
    assert [guess(view, "right").status_code for _ in range(3)] == [200] * 3
    assert [0, 0] == failures(visit, address, account)
    assert [guess(view).status_code for _ in range(4)] == [401, 401, 429, 429]
    assert [2, 2] == failures(visit, address, account)
    assert guess(view, "right").status_code == 429
    assert len(verified) == 5


@pytest.mark.parametrize("door", [together, stacked, on_a_class])
def test_the_longest_wait_is_told(door, visit):
    """There is one answer, that of the policy that refuses longest."""
    policies = [policy(name, max=2, lockout=lockout) for name, lockout in (("a", 100), ("b", 1000), ("c", 10))]
    answers = [guess(door(*policies)) for _ in range(3)]
    assert [401, 401, 429] == [answer.status_code for answer in answers]
    assert 990 < int(answers[-1]["Retry-After"]) <= 1000


def test_a_policy_that_is_not_enforced_refuses_nobody(door, verified, visit, caplog):
    """It counts and locks, and says so, while the other one decides."""
    caplog.set_level("INFO")
    trial, real = policy("trial", max=1, enforce=False), policy("real", max=3)
    assert guesses(door(trial, real), ["bob"] * 5) == len(verified) == 3
    assert [True, True] == [one.status(visit).locked for one in (trial, real)]
    locks = ["failures, not enforced: scope='trial'", "failures: scope='real'"]
    assert [1, 1] == [caplog.text.count(line) for line in locks]
    assert [3, 0] == [caplog.text.count(f"not enforced: scope='{name}'") for name in ("trial", "real")]


def test_nobody_waits_for_a_policy_that_is_not_enforced(door, verified, visit):
    """Its only slot may be taken by another guess for as long as that wants."""
    trial, real = policy("trial", max=1, enforce=False, patience=300), policy("real", max=3)
    with trial.attempt(visit):
        assert [401, 200] == [guess(door(trial, real), password).status_code for password in ("wrong", "right")]
    assert len(verified) == 2


def test_who_is_exempt_from_one_is_counted_by_the_other(door, verified, visit):
    """`exempt=` is each policy's own."""
    spared, counted = policy("spared", max=1, exempt=lambda request: True), policy("counted", max=3)
    assert guesses(door(spared, counted), ["bob"] * 5) == len(verified) == 3
    assert [0, 3] == failures(visit, spared, counted)


@pytest.mark.parametrize("refuser", [0, 1])
def test_the_one_that_refuses_answers(refuser):
    """With its own response; one that has none leaves it to the first that has."""

    def response(number):
        return lambda request, locked_out: HttpResponse(status=460 + number)

    policies = [policy(f"p{n}", max=2 + (n != refuser), response=response(n)) for n in range(2)]
    view = together(*policies, policy("silent", max=9))
    assert [401, 401, 460 + refuser] == [guess(view).status_code for _ in range(3)]


def test_a_door_looks_early_if_all_its_keys_are_known(verified):
    """Else the first guess tells who it is: the view runs, and may catch the refusal."""
    ran = []

    def noted(request):
        ran.append(request)
        return view(request)

    early = lockout_protect(policy("a", max=1), policy("b", max=1))(noted)
    late = lockout_protect(policy("a", max=1), policy("c", key="username", max=1))(noted)
    assert [401, 429] == [guess(early).status_code for _ in range(2)]
    assert (1, 429, 2) == (len(ran), guess(late).status_code, len(ran))
    assert len(verified) == 1


def test_a_policy_that_is_named_twice_counts_once(verified, receivers):
    """On a view, in one decorator or two, on a class, its subclass and its URL; and tells of it once."""
    twice, told = policy("twice", max=3), []
    base = lockout_protect(twice)(type("Base", (Login,), {}))
    cls = lockout_protect(policy("twice", max=3, response="other.html"))(type("Login", (base,), {}))
    signals.attempt_failed.connect(lambda sender, **more: told.append(sender.scope), weak=False)
    views = together(twice, twice), stacked(twice, twice), lockout_protect(twice)(cls.as_view())
    assert [3, 3, 3] == [guesses(view, ["bob"] * 5, f"192.0.2.{number}") for number, view in enumerate(views)]
    assert len(verified) == len(told) == 9


def test_stacked_method_decorators(verified):
    """As one list, applied anew on every request."""
    policies = [lockout_protect(policy("a", max=3)), lockout_protect(policy("b", max=9))]
    cls = method_decorator(policies, name="dispatch")(type("Login", (Login,), {}))
    assert guesses(cls.as_view(), ["bob"] * 5) == len(verified) == 3


def test_one_request_with_many_guesses(door, rf, verified):
    """The stricter one refuses; the other one keeps no slot for what it refused."""
    strict, lax = policy("a", max=2, methods=()), policy("b", max=5, methods=())

    def view(request):
        for n in range(4):
            with pytest.raises(LockedOut) if n >= 2 else memoryview(b""):
                authenticate(request, username="bob", password=f"wrong{n}")
        return HttpResponse()

    request = rf.post("/")
    lockout_protect(strict, lax)(view)(request)
    assert (2, [True, False]) == (len(verified), [one.status(request).locked for one in (strict, lax)])
    assert [2, 2] == failures(request, strict, lax)


# In different caches


@pytest.fixture
def several(settings):
    settings.CACHES = {name: {"BACKEND": LOCMEM, "LOCATION": name} for name in ("default", "other")} | {"down": DOWN}
    yield
    for name in ("default", "other"):
        caches[name].clear()


in_caches = pytest.mark.usefixtures("several")
in_order = pytest.mark.parametrize("order", [1, -1])


def at(cache, most, **arguments):
    return policy(f"in {cache}", cache=cache, max=most, **arguments)


def statuses(view, *passwords):
    return [guess(view, password).status_code for password in passwords]


@in_caches
@in_order
def test_the_stricter_one_decides(door, order, verified, visit):
    """What it refuses takes nothing from the other; a guess needs a slot in both."""
    strict, loose = at("default", 2), at("other", 9)
    door = door(*[strict, loose][::order])
    assert [401, 401, 429, 429, 429] == statuses(door, "a", "b", "c", "d", "right")
    assert (2, 2) == (len(verified), loose.status(visit).failures)
    strict.reset(visit)
    assert [200] == statuses(door, "right")
    assert 0 == loose.status(visit).failures


@in_caches
@in_order
def test_one_that_is_down(order, verified):
    """Nobody gets in, and no slot of the other stays taken."""
    up = at("default", 3)
    assert [503] * 9 == statuses(together(*[up, at("down", 3)][::order]), *["right"] * 9)
    assert [] == verified
    assert [200] == statuses(together(up), "right")


@in_caches
@in_order
@pytest.mark.parametrize(("up", "down"), [("default", "other"), ("other", "default")])
def test_one_that_fails_as_it_is_written(order, up, down, verified, monkeypatch):
    """The slot that the other gave is given back, nobody is asked, and the refusal names the one that failed."""
    policies, refused, swap = [at(up, 3), at(down, 9)][::order], [], Store.swap

    def fail(store, *swapped):
        if store.alias == down:
            raise StoreError(store.alias, OSError("full"))
        return swap(store, *swapped)

    def noted(request):
        try:
            return view(request)
        except LockedOut as locked_out:
            refused.append(locked_out.status.scope)
            raise

    door = lockout_protect(*policies)(noted)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "swap", fail)
        assert [503] * 4 == statuses(door, *["right"] * 4)
    assert ([], [f"in {down}"] * 4) == (verified, refused)
    assert [401, 401, 401, 429, 429] == statuses(door, "a", "b", "c", "d", "right")
    assert 3 == len(verified)


@in_caches
@in_order
@pytest.mark.parametrize("how", ["LOCKOUT_FAIL_OPEN", "enforce=False"])
def test_one_that_is_down_and_passes(order, how, verified, settings):
    """The other goes on counting: it locks, and right passwords leave nothing there."""
    settings.LOCKOUT_FAIL_OPEN = how == "LOCKOUT_FAIL_OPEN"
    door = together(*[at("default", 3), at("down", 3, enforce=how != "enforce=False")][::order])
    assert [200] * 9 + [401] * 3 + [429] * 2 == statuses(door, *["right"] * 9, "a", "b", "c", "d", "right")
    assert 9 + 3 == len(verified)


# Which policies a view has


def test_policies_of_a_view_are_all_outermost_first():
    """However they were stacked; those without a scope have that of the view, or of the subclass."""
    a, b, c = (policy(name) for name in "abc")
    decorated = lockout_protect(a)(lockout_protect(b, c)(view))
    assert (a, b, c) == policies_of(decorated)
    derived = lockout_protect(key="ip+ua")(decorated)
    assert [f"{__name__}.view", "a", "b", "c"] == [one.scope for one in policies_of(derived)]

    @lockout_protect(a)
    @lockout_protect(key="ip+ua")
    class Base(View):
        """Decorated twice."""

    class Login(Base):
        """Inherits both."""

    for cls in (Base, Login):
        scopes = ["a", f"{__name__}.{cls.__qualname__}"]
        for carrier in (cls, cls.as_view(), cls().dispatch):
            assert scopes == [one.scope for one in policies_of(carrier)]


@pytest.mark.parametrize("what", [view, View, None, LockoutPolicy])
def test_what_is_not_decorated_has_none(what):
    """It says so."""
    with pytest.raises(TypeError, match=r"policies_of: .* is not decorated"):
        policies_of(what)


@pytest.mark.parametrize("store", stores("sqlite"), indirect=True)
def test_policies_of_one_scope_that_differ_in_their_ceilings(store):
    """Check E003 warns of them; they have the key's record in common, and it is written once."""

    @lockout_protect(*(LockoutPolicy(scope="s", key="ip+ua", max=3, ceiling=n, failure=401) for n in (None, 5)))
    def door(request):
        return HttpResponse(status=401)

    answers = [door(RequestFactory().post("/", HTTP_AUTHORIZATION=f"wrong{n}")).status_code for n in range(4)]
    assert [401, 401, 401, 429] == answers

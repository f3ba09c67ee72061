"""A slot that is given back though its secret was verified: LockedOut of another policy passes through the block."""

from django.contrib.auth import authenticate
from django.http import HttpResponse
from django.test import RequestFactory

from lockout_decorators import LockoutPolicy, lockout_protect

checked = []


def totp_is(code):
    checked.append(code)
    return code == "right"


def test_totp_then_recovery_code():
    """One field takes a one-time code or else a recovery code; recovery codes are guarded more strictly."""
    checked.clear()
    totp = LockoutPolicy(scope="totp", key="ip", max=5, patience=0)
    recovery = LockoutPolicy(scope="recovery", key="ip", max=3, patience=0)

    @lockout_protect(totp)  # answers
    def second_step(request):
        code = request.POST["code"]
        with totp.attempt(request, "bob") as first:
            if totp_is(code):
                first.succeed()
                return HttpResponse("welcome")
            with recovery.attempt(request, "bob") as second:
                if code == "recovery code":
                    second.succeed()
                    first.succeed()
                    return HttpResponse("welcome")
        return HttpResponse("wrong", status=401)

    def post(code):
        return second_step(RequestFactory().post("/", {"code": code})).status_code

    assert [200, 200] == [post("right"), post("recovery code")]
    checked.clear()
    [post(f"wrong{n}") for n in range(30)]
    post("right")
    assert len(checked) <= 5


def test_hand_verified_then_authenticate(verified):
    """A held slot whose secret was checked by hand, and then authenticate(), which another policy refuses."""
    checked.clear()
    pins = LockoutPolicy(scope="pins", key="ip", max=5, patience=0)
    logins = LockoutPolicy(scope="logins", key="ip", max=3, patience=0)

    @lockout_protect(logins.__class__(scope="logins", key="ip", max=3, patience=0, methods=()))
    def view(request):
        with pins.attempt(request, "bob") as guess:
            pin = totp_is(request.POST["pin"])
            user = authenticate(request, username="bob", password=request.POST["pin"])
            if pin or user:
                guess.succeed()
                return HttpResponse("welcome")
        return HttpResponse("wrong", status=401)

    def post(code):
        return view(RequestFactory().post("/", {"pin": code})).status_code

    assert post("right") == 200
    checked.clear()
    [post(f"wrong{n}") for n in range(30)]
    post("right")
    assert len(checked) <= 5


def test_store_outage_of_the_other_policy():
    """The inner policy's cache is down: 503 passes through the outer block, which gives its slot back."""
    from django.test import override_settings

    checked.clear()
    caches = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
        "down": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:9"},
    }
    with override_settings(CACHES=caches):
        totp = LockoutPolicy(scope="totp2", key="ip", max=5, patience=0)
        other = LockoutPolicy(scope="other", key="ip", max=5, patience=0, cache="down")

        @lockout_protect(totp)
        def view(request):
            with totp.attempt(request, "bob") as guess:
                if not totp_is(request.POST["code"]):
                    other.attempt(request, "bob").__enter__()
                guess.succeed()
            return HttpResponse("welcome")

        def post(code):
            return view(RequestFactory().post("/", {"code": code})).status_code

        assert post("right") == 200
        checked.clear()
        [post(f"wrong{n}") for n in range(30)]
        assert len(checked) <= 5

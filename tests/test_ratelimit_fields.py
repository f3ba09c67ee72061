"""RateLimit fields: what is left, with each answer to a guess, for policies that ask for it."""

import pytest
from django.http import HttpResponse
from django.test import Client

from lockout_decorators import LockoutPolicy, lockout_protect
from tests.doors import FORM, RIGHT, PlainAPI, acheck, check, mount

pytestmark = pytest.mark.usefixtures("frozen")


def told(answer):
    return answer.get("RateLimit"), answer.get("RateLimit-Policy")


def api(policy):
    return lockout_protect(policy)(type("Login", (PlainAPI,), {})).as_view()


@pytest.mark.parametrize("spelled", [lambda policy: lockout_protect(policy)(check), api], ids=["function", "DRF"])
@pytest.mark.parametrize("key", ["ip", "ip+username"])
def test_fields_count_down(spelled, key, send, settings, verified):
    """With each failure, with a success that gives the tries back, and with the refusal; not where nobody guesses."""
    policy = LockoutPolicy(scope="s", key=key, max=3, window=300, lockout=120, ratelimit="sign in")
    mount(settings, spelled(policy), lockout_protect(policy)(lambda request: HttpResponse()))
    said = '"sign in";q=3;w=300'
    assert (None, None) == told(send("/1/", method="get"))
    answers = [send("/", form) for form in (FORM, FORM, RIGHT, FORM, FORM, FORM, RIGHT)]
    assert [(f'"sign in";r={left}', said) for left in (2, 1, 3, 2, 1)] == [told(answer) for answer in answers[:5]]
    assert [('"sign in";r=0;t=120', said)] * 2 == [told(answer) for answer in answers[5:]]
    assert [401, 429] == [answer.status_code for answer in answers[5:]]
    assert 6 == len(verified)


def test_fields_of_several_policies(send, settings, verified):
    """Each that asks has a name of its own; one that is not enforced says nothing, nor does one that was not asked."""
    policies = [
        LockoutPolicy(scope="a", key="ip+username", max=2, ceiling=2, ratelimit="account"),
        LockoutPolicy(scope="b", key="ip", max=9, window=60.5, rolling=True, ratelimit="address"),
        LockoutPolicy(scope="c", key="ip", max=8, enforce=False, ratelimit="on trial"),
        LockoutPolicy(scope="d", key="ip", max=7),
    ]
    mount(settings, lockout_protect(*policies)(acheck))
    answers = [send("/", {**FORM, "username": f"user{number}"}) for number in range(4)]
    assert '"account";q=2;w=300, "address";q=9;w=61' == answers[0]["RateLimit-Policy"]
    left = [('"account";r=1', 8), ('"account";r=1', 7), ('"account";r=1', 6), ('"account";r=0;t=600', 5)]
    assert [f'{account}, "address";r={address}' for account, address in left] == [one["RateLimit"] for one in answers]
    assert 429 == send("/", RIGHT).status_code
    assert 4 == len(verified)


def test_fields_do_not_tell_known_names_from_unknown_ones(settings, verified):
    """Nor right passwords from wrong ones, once refused."""
    mount(settings, lockout_protect(scope="s", key="username", max=2, ratelimit="s")(check))
    for name in ("bob", "nobody"):
        seen = [told(Client().post("/", {"username": name, "password": "wrong"})) for _ in range(3)]
        assert ['"s";r=1', '"s";r=0;t=600', '"s";r=0;t=600'] == [left for left, _ in seen]
        assert ('"s";r=0;t=600', '"s";q=2;w=300') == told(Client().post("/", {"username": name, "password": "right"}))


def test_fields_of_the_whole_site(send, settings, verified):
    """By the middleware."""
    settings.MIDDLEWARE = ["lockout_decorators.middleware.LockoutMiddleware"]
    settings.LOCKOUT_SITE = {"key": "ip", "max": 1, "lockout": 60, "ratelimit": "site"}
    mount(settings, check, acheck)
    assert ['"site";r=0;t=60'] * 3 == [send(where, FORM)["RateLimit"] for where in ("/", "/", "/1/")]
    assert (None, None) == told(send("/2/"))
    assert (429, 1) == (send("/1/", RIGHT).status_code, len(verified))


def test_fields_that_a_view_sets_stand(settings, verified):
    """It may count more than guesses."""

    def view(request):
        check(request)
        return HttpResponse(headers={"RateLimit": '"api";r=7', "RateLimit-Policy": '"api";q=9'})

    mount(settings, lockout_protect(ratelimit="s")(view))
    assert ('"api";r=7', '"api";q=9') == told(Client().post("/", FORM))


def test_what_is_no_response_has_none(rf, verified):
    """As what a resolver returns."""
    resolve = lockout_protect(request=lambda request: request, scope="s", ratelimit="s")(lambda r: bool(check(r)))
    assert resolve(rf.post("/", FORM)) is True


def test_names_that_no_field_can_hold():
    """Are refused at import."""
    for name in ("", 'a"b', "a\\b", "é", "a\n", "x" * 101, 1):
        with pytest.raises(ValueError, match=r"ratelimit is .* without quotes and backslashes, or None"):
            LockoutPolicy(scope="s", ratelimit=name)

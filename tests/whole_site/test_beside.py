"""The middleware beside policies of views, exemptions and answers of the project."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.template.response import TemplateResponse

from lockout_decorators import lockout_protect
from lockout_decorators.middleware import LockoutMiddleware
from lockout_decorators.policy import site_policies
from lockout_decorators.stores import Store
from lockout_decorators.views.deferred import Resumed
from tests.whole_site.middlewares import PLACES, within
from tests.whole_site.views import OWN, VIEWS, broken, plain, said, verify


def test_policy_of_a_view_takes_the_place_of_the_site(guess, rf, verified):
    """In it nothing is counted for the site; nor does a locked site keep anybody from it. A block by hand does too,
    and its refusal is answered."""
    for _ in range(4):
        guess("by_hand")
    guess("own")
    assert [429, 429, 200] == [guess(name, "right")[0] for name in ("own", "by_hand", "plain")]
    for _ in range(3):
        guess("plain")
    OWN.reset(rf.get("/"))
    assert [429, 200, 200] == [guess(name, "right")[0] for name in ("plain", "own", "by_hand")]
    assert 5 + 1 + 3 + 2 == len(verified)


def test_a_view_that_refuses_nobody(guess, verified):
    """An unenforced policy is the project's word for that view; who is exempt there is watched by the site."""
    assert [200] * 5 == [guess("quiet")[0] for _ in range(5)]
    assert (200, b"welcome") == guess("plain", "right")
    for _ in range(3):
        guess("free")
    assert (429, 5 + 1 + 3) == (guess("free", "right")[0], len(verified))


def test_view_may_have_the_policy_of_the_site(rf, verified):
    """The same one, by name: a guess in it counts, once, and who is locked out is refused before it runs."""
    (policy,), entered = site_policies(), []

    @lockout_protect(policy)
    def view(request):
        entered.append(request)
        return plain(request)

    answers = [LockoutMiddleware(view)(rf.post("/", {"password": "wrong"})).status_code for _ in range(4)]
    assert ([200, 200, 200, 429], 3, 3) == (answers, len(verified), len(entered))


@pytest.mark.parametrize(("name", "answer"), [("caught", (429, b"come back in 600")), ("hiding", (404, b'"Nobody."'))])
def test_view_may_answer_by_itself(name, answer, guess, settings, verified):
    """Whoever catches the refusal has the last word, unless it is that of an error."""
    settings.LOCKOUT_SITE = {**settings.LOCKOUT_SITE, "response": awaited}
    for _ in range(3):
        guess(name)
    status, page = guess(name, "right")
    assert (answer[0], True, 3) == (status, answer[1] in page, len(verified))


def unmade(request, locked_out):
    return TemplateResponse(request, "two_forms.html", {"login_form": "come back"}, status=420)


async def awaited(request, locked_out):
    return HttpResponse("come back", status=420)


def guessing(request, locked_out):
    return said(verify(request), 420)


@pytest.mark.parametrize("place", ["plain", "apart", "rendered", "api", "process_view"])
@pytest.mark.parametrize(("answer", "expected"), [(unmade, 420), (awaited, 420), (guessing, 429)])
def test_answer_of_the_project(place, answer, expected, guess, settings, verified):
    """A callable, whatever it makes; one that guesses itself is not asked again."""
    settings.LOCKOUT_SITE = {**settings.LOCKOUT_SITE, "response": answer}
    middlewares, url = PLACES[place]
    within(settings, *middlewares)
    for _ in range(3):
        guess(url)
    status, page = guess(url, "right")
    assert (expected, True, 3) == (status, b"come back" in page or answer is guessing, len(verified))


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
def test_who_is_exempt_is_asked_at_the_first_guess(guess, settings):
    """Once, when the user of the request is known, for its rendering too; not where nobody guesses."""
    asked = []

    def exempt(request):
        asked.append(request.user.is_anonymous)
        return "X-Free" in request.headers

    settings.LOCKOUT_SITE = {**settings.LOCKOUT_SITE, "exempt": exempt}
    guess("nothing")
    assert [] == asked
    for _ in range(4):
        guess("told", **{"X-Free": "yes"})
    assert [b"0", b"297"] == [guess("listed", **more)[1] for more in ({"X-Free": "yes"}, {})]
    assert [True] * 6 == asked
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.whole_site.middlewares.door"]
    assert [True] * 5 == [b"wrong" in guess("streamed", **{"X-Free": "yes"})[1] for _ in range(5)]


EXEMPT = {
    "network": ({"exempt": ["127.0.0.0/8"]}, [200, 200, 200, 200, 200]),
    "another network": ({"exempt": ["192.0.2.0/24"]}, [200, 200, 200, 429, 429]),
    "who guesses to find out": ({"exempt": lambda request: bool(verify(request)), "calls": 1}, [200] + [429] * 4),
}


@pytest.mark.parametrize("exempt", EXEMPT)
def test_who_is_exempt_is_let_through(exempt, guess, settings, verified):
    """Networks may be; what the project guesses itself to find out counts."""
    more, expected = EXEMPT[exempt]
    settings.LOCKOUT_SITE = {**settings.LOCKOUT_SITE, **more}
    assert expected == [guess("plain", password)[0] for password in ["wrong"] * 4 + ["right"]]
    assert (5 if exempt == "network" else 3) == len(verified)


def test_who_guesses_nothing_costs_nothing(monkeypatch, client):
    """Whatever the method: no cache is asked, and the POST data of other forms stays in error reports."""
    monkeypatch.setattr(Store, "read", None)
    monkeypatch.setattr(Store, "swap", None)
    for method in ("get", "post", "put"):
        response = getattr(client, method)("/nothing/")
        assert (200, False) == (response.status_code, hasattr(response.wsgi_request, "sensitive_post_parameters"))


@pytest.mark.parametrize("name", ["streamed", "rendered"])
def test_it_can_be_switched_off(name, rf, settings, verified):
    """Nothing is counted, and responses stay what they are."""
    settings.LOCKOUT_ENABLED = False
    made = LockoutMiddleware(VIEWS[name])(rf.post("/", {"username": "bob", "password": "wrong"}))
    assert "render" not in vars(made) and Resumed.__name__ not in repr(getattr(made, "_iterator", ""))
    with pytest.raises(ZeroDivisionError):
        LockoutMiddleware(broken)(rf.post("/"))
    guard = LockoutMiddleware(plain)
    assert [200] * 5 == [guard(rf.post("/", {"password": "wrong"})).status_code for _ in range(5)]


def test_post_data_is_hidden_from_the_first_guess_on(rf):
    """Not before: error reports of the rest of the site say as much as ever."""
    seen = []

    def view(request):
        for ask in (bool, verify):
            ask(request)
            seen.append(hasattr(request, "sensitive_post_parameters"))
        return HttpResponse()

    LockoutMiddleware(view)(rf.post("/", {"password": "right"}))
    assert [False, True] == seen


def test_wrong_switch_is_loud_and_tells_no_secret(rf, settings):
    """An error report is sent for every request then, those with passwords too."""
    settings.LOCKOUT_ENABLED, request = "no", rf.post("/", {"password": "right"})
    with pytest.raises(ImproperlyConfigured, match="LOCKOUT_ENABLED"):
        LockoutMiddleware(plain)(request)
    assert "__ALL__" == request.sensitive_post_parameters

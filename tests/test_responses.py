"""What a client is told that is locked out: the same for everyone, in the form that it asks for."""

import json
import re
from datetime import datetime, timedelta

import pytest
from django.contrib.auth import user_logged_in
from django.contrib.auth.views import LoginView
from django.contrib.sessions.models import Session
from django.http import HttpResponse, JsonResponse
from django.utils import timezone, translation

from lockout_decorators import lockout_protect
from lockout_decorators.exceptions import StoreError
from lockout_decorators.stores import Store
from tests.doors import FORM, RIGHT, acheck, check, mount, over_http
from tests.sizes import pairs

HTML, PROBLEM, TEXT = "text/html; charset=utf-8", "application/problem+json", "text/plain; charset=utf-8"
CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)

REFERENCE = re.compile("[2-9A-HJKMNP-Z]{4}-[2-9A-HJKMNP-Z]{4}")

ACCEPT = {
    HTML: [
        CHROME,
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "text/html; charset=utf-8",
        "application/json;q=0.1, text/html;q=0.9",
        "TEXT/HTML",
        "text/html;q=abc",
    ],
    PROBLEM: [
        "application/json, text/plain, */*",
        "application/json, text/javascript, */*; q=0.01",
        "application/problem+json",
        "application/vnd.api+json",
        "application/json; version=1.0",
        "application/json, text/html;q=0.5",
    ],
    TEXT: ["*/*", None, "", "text/*", "text/plain", "image/png", "garbage", ";;;,,,;q=", "////,/"],
}
ACCEPT[TEXT] += ["\x01\x7f/\xff", "a/b," * 5000]
ACCEPTED = [(accept, kind) for kind, accepts in ACCEPT.items() for accept in accepts]


@pytest.fixture
def locked(request, settings, verified):
    """Mount a view under a policy, use up its one guess, and return how to ask again, with the correct password."""
    send = over_http(getattr(request, "param", "asgi"))

    def lock(view=check, **arguments):
        mount(settings, lockout_protect(**{"scope": "locked", "max": 1, "lockout": 600, **arguments})(view))
        assert send("/", FORM).status_code != 429
        assert len(verified) == 1
        return lambda **more: send("/", **{"data": RIGHT, **more})

    yield lock
    assert len(verified) == 1


servers = pytest.mark.parametrize("locked", ["wsgi", "asgi"], indirect=True)
views = pytest.mark.parametrize("view", [check, acheck])


@pytest.mark.parametrize(("accept", "content_type"), ACCEPTED, ids=range(len(ACCEPTED)))
def test_answer_is_what_the_client_accepts(accept, content_type, locked):
    """HTML for browsers, a problem document for programs, plain text for the rest; garbage is no error."""
    answer = locked()(headers={} if accept is None else {"Accept": accept})
    assert (429, content_type) == (answer.status_code, answer["Content-Type"])
    assert (answer["Vary"], answer["Cache-Control"]) == ("Accept", "no-store")
    assert 598 <= int(answer["Retry-After"]) <= 600
    assert b"Too many failed attempts." in answer.content
    assert b"10 minutes" in answer.content


@servers
@views
def test_forms_of_the_answer(view, locked):
    """The page, the problem document and the text say the same."""
    ask = locked(view, lockout=100)
    page = ask(headers={"Accept": "text/html"}).content.decode()
    assert "<h1>Too many failed attempts.</h1>" in page
    assert '<html lang="en-us" dir="ltr">' in page
    assert "<script" not in page and "http" not in page
    problem = json.loads(ask(headers={"Accept": "application/json"}).content)
    assert [*problem] == ["type", "title", "status", "detail", "retry_after", "until", "reference"]
    assert (problem["type"], problem["status"]) == ("urn:lockout-decorators:locked-out", 429)
    assert problem["title"] == "Too many failed attempts."
    assert problem["detail"] == f"Try again in {problem['retry_after']} seconds."
    left = datetime.fromisoformat(problem["until"]) - timezone.now()
    assert timedelta(seconds=problem["retry_after"] - 2) < left <= timedelta(seconds=problem["retry_after"] + 1)
    text = ask().content.decode()
    assert text.startswith("Too many failed attempts. Try again in ")
    assert text.endswith(f" seconds.\nReference: {problem['reference']}.\n")
    assert REFERENCE.fullmatch(problem["reference"]) and f">{problem['reference']}<" in page


def test_json_in_asks_for_json_out(locked):
    """A program that posts JSON and takes anything gets JSON."""
    answer = locked()(data=json.dumps(RIGHT), content_type="application/json", headers={"Accept": "*/*"})
    assert answer["Content-Type"] == PROBLEM


@servers
@pytest.mark.parametrize("method", ["head", "get"])
def test_head_has_the_headers_and_no_body(method, locked):
    """HEAD answers like GET, without the body."""
    answer = locked(methods=("HEAD", "GET"))(method=method, data=None)
    assert (answer.status_code, answer["Cache-Control"], answer["Content-Type"]) == (429, "no-store", TEXT)
    assert "Retry-After" in answer
    assert (answer.content == b"") is (method == "head")


def test_page_is_the_same_without_the_app(locked, settings):
    """A project that has not installed the app, or has no template engine at all, gets the page too."""
    ask = locked()
    pages = [ask(headers={"Accept": CHROME}).content]
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "lockout_decorators"]
    pages.append(ask(headers={"Accept": CHROME}).content)
    settings.TEMPLATES = []
    pages.append(ask(headers={"Accept": CHROME}).content)
    assert 1 == len({*pages})


@pytest.fixture
def template(settings, tmp_path):
    """Write a template of the project's."""

    def write(name, text):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]

    return write


def test_project_may_have_a_page_of_its_own(locked, template):
    """A template of the same name takes precedence; it has the status, the title and the advice."""
    text = "{{ status.scope }} {{ status.failures }} {{ title }} {{ advice }} {{ request.path }}"
    template("lockout_decorators/locked_out.html", text)
    answer = locked()(headers={"Accept": "text/html"})
    assert answer.content == b"locked 1 Too many failed attempts. Try again in 10 minutes. /"


@views
def test_response_may_be_a_template(view, locked, template):
    """`response=` names a template, whatever the client accepts."""
    template("calm.html", "Calm down for {{ status.retry_after }} s.")
    answer = locked(view, response="calm.html")(headers={"Accept": "application/json"})
    assert (answer.status_code, answer["Content-Type"], answer["Cache-Control"]) == (429, HTML, "no-store")
    assert answer.content in (b"Calm down for 600 s.", b"Calm down for 599 s.")


def calm(request, locked_out):
    return JsonResponse({"scope": locked_out.status.scope, "path": request.path}, status=403)


async def acalm(request, locked_out):
    return calm(request, locked_out)


class Calming:
    async def __call__(self, request, locked_out):
        return calm(request, locked_out)


def hidden(request, locked_out):
    return acalm(request, locked_out)


@pytest.mark.parametrize(
    ("locked", "view", "response"),
    pairs(["wsgi", "asgi"], [check, acheck], [calm, acalm, Calming(), hidden]),
    indirect=["locked"],
)
def test_response_may_be_a_callable(view, response, locked):
    """`response=` makes the answer, in synchronous and asynchronous views alike; it gets the headers it lacks."""
    answer = locked(view, response=response)()
    assert (answer.status_code, answer.json()) == (403, {"scope": "locked", "path": "/"})
    assert answer["Cache-Control"] == "no-store"
    assert "Retry-After" in answer


def test_headers_of_a_custom_answer_stand(locked):
    """What a project says about caching and coming back is not overwritten."""

    def response(request, locked_out):
        return HttpResponse(status=503, headers={"Retry-After": "7", "Cache-Control": "private, no-store"})

    answer = locked(response=response)()
    assert (answer["Retry-After"], answer["Cache-Control"]) == ("7", "private, no-store")


@pytest.mark.parametrize("accept", [CHROME, "application/json", "*/*"])
def test_lock_without_end_has_no_retry_after(accept, locked):
    """Who is locked out for ever is told whom to ask, and no time."""
    answer = locked(lockout=None)(headers={"Accept": accept})
    assert (answer.status_code, "Retry-After" in answer) == (429, False)
    assert not any(word in answer.content for word in (b"<time", b"until", b"again", b"retry_after"))
    assert b"administrators for help." in answer.content


ADVICE = {1: "1 second.", 119: "119 seconds.", 120: "2 minutes.", 121: "3 minutes.", 7140: "119 minutes."}
ADVICE |= {7141: "2 hours.", 7201: "3 hours.", 169_200: "47 hours.", 169_201: "2 days.", 172_801: "3 days."}


@pytest.mark.parametrize("seconds", ADVICE)
def test_advice_rounds_up(seconds, locked, frozen):
    """Seconds up to two minutes, minutes up to two hours, hours up to two days, then days; never too early."""
    answer = locked(lockout=seconds)()
    assert f"Try again in {ADVICE[seconds]}\n" in answer.content.decode()
    assert str(seconds) == answer["Retry-After"]


# No oracle


@pytest.fixture
def lock(settings, template, django_user_model, db):
    """Mount Django's LoginView and use up its one guess."""
    django_user_model.objects.create(pk=1, username="bob")
    template("login.html", "{{ form.errors }}")

    def lock(**arguments):
        view = LoginView.as_view(template_name="login.html")
        mount(settings, lockout_protect(scope="oracle", max=1, **arguments)(view))
        assert over_http("wsgi")("/", FORM).status_code == 200

    return lock


@pytest.mark.parametrize("accept", [CHROME, "application/json", "*/*"])
@pytest.mark.parametrize("early", [True, False])
def test_refusal_tells_nothing_about_the_password(accept, early, lock, verified, frozen):
    """Right and wrong passwords, known and unknown users: status, headers and body are the same."""
    lock(methods=None if early else ())
    forms = [RIGHT, FORM, {"username": "nobody", "password": "wrong"}, {"username": "eve", "password": "eves"}]
    answers = [over_http("wsgi")("/", form, headers={"Accept": accept}) for form in forms]
    assert {429} == {answer.status_code for answer in answers}
    assert len({(answer.content, str(sorted(answer.headers.items()))) for answer in answers}) == 1
    assert len(verified) == 1


def test_refusal_leaves_no_trace_of_a_login(lock, verified, django_user_model):
    """No session, no cookie, no last_login, no signal."""
    seen = []
    user_logged_in.connect(lambda **kwargs: seen.append(kwargs), weak=False, dispatch_uid="test")
    lock()
    answer = over_http("wsgi")("/", RIGHT)
    user_logged_in.disconnect(dispatch_uid="test")
    assert (answer.status_code, Session.objects.count(), dict(answer.cookies)) == (429, 0, {})
    assert (django_user_model.objects.get().last_login, seen, len(verified)) == (None, [], 1)


# Without the cache


@views
@pytest.mark.parametrize("accept", [CHROME, "application/json", "*/*"])
def test_outage_is_explained(view, accept, send, settings, verified, monkeypatch):
    """When the cache is down no guess passes: 503, when to come back, in the form that the client accepts."""

    def fail(store, keys):
        raise StoreError(store.alias, OSError("down"))

    monkeypatch.setattr(Store, "read", fail)
    mount(settings, lockout_protect()(view))
    answer = send("/", RIGHT, headers={"Accept": accept})
    assert (answer.status_code, answer["Retry-After"], answer["Cache-Control"]) == (503, "30", "no-store")
    assert b"The service is temporarily unavailable." in answer.content
    assert verified == []


def test_language_of_the_page(locked):
    """The page says which language it is in."""
    ask = locked()
    with translation.override("de"):
        assert '<html lang="de" dir="ltr">' in ask(headers={"Accept": "text/html"}).content.decode()

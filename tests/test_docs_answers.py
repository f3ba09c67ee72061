"""What the page on answers says is so: its examples run, its templates render."""

import re

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template import engines
from django.test import Client

from lockout_decorators import ChallengeRequired, LockedOut, lockout_protect
from lockout_decorators.exceptions import StoreUnavailable
from tests.docs.pages import PACKAGE, Names, execute, text_of
from tests.doors import FORM, RIGHT, check, mount

PAGE = "docs/howto/answers.md"
pytestmark = pytest.mark.tree


@pytest.fixture
def page():
    return Names(execute(PAGE))


@pytest.fixture
def extending():
    """The template of a project, and what a form tells."""
    return re.findall(r"^```html\n(.*?)^```$", text_of(PAGE), re.MULTILINE | re.DOTALL)


@pytest.fixture
def post(rf):
    def make(data=FORM, **more):
        request = rf.post("/", data, **more)
        request.user, request._dont_enforce_csrf_checks = AnonymousUser(), True
        return request

    return make


def test_page_of_a_project(extending, settings, tmp_path, verified):
    """Its link and its number are on the page, beside all that was there."""
    (tmp_path / "lockout_decorators").mkdir()
    (tmp_path / "lockout_decorators" / "locked_out.html").write_text(extending[0])
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    mount(settings, lockout_protect(max=1)(check))
    refused = [Client().post("/", form, headers={"accept": "text/html"}).text for form in (FORM, RIGHT)][1]
    assert "I forgot my password" in refused and "Go back" in refused
    assert re.search(r"name the code \w{4}-\w{4}\.", refused)
    assert 1 == len(verified)


def test_form_tells_what_is_left(extending, post, verified):
    """Four, three, and so on; then when to come back."""
    view = lockout_protect(scope="form", max=3)(lambda request: engine.from_string(extending[1]).render({}, request))
    engine = engines["django"]
    request = post()
    assert "3 tries left." in view(request)
    guessing = lockout_protect(scope="form", max=3)(check)
    assert [401] * 3 + [429] == [guessing(post(RIGHT if n == 3 else FORM)).status_code for n in range(4)]
    request.method = "GET"
    assert "Locked. Come back in 600 seconds." in view(request)


@pytest.mark.parametrize("name", ["SignIn", "SignInForm"])
def test_serializer_and_form_count_down(name, page, post, settings, verified):
    """Known names and unknown ones alike; then they are locked out."""
    view = page.Session.as_view() if name == "SignIn" else page.login
    for username in ("bob", "nobody"):
        answers = [view(post({"username": username, "password": "wrong"})) for _ in range(5)]
        told = [_left(answer) for answer in answers]
        assert ["4", "3", "2", "1", "0"] == told
        assert 429 == view(post({"username": username, "password": "right"})).status_code
    assert 10 == len(verified)


def _left(answer):
    if hasattr(answer, "data"):
        return str(answer.data["remaining"][0])
    return re.search(r"(\d) tries left", str(answer.context_data["form"].errors))[1]


def test_handler_adds_members(page, post, verified):
    """The type and the reference beside DRF's detail."""
    page.Session.get_exception_handler = lambda self: page.explained
    view = page.Session.as_view()
    assert [400] * 5 + [429] == [(refused := view(post())).status_code for _ in range(6)]
    assert {*refused.data} == {"detail", "type", "reference"}
    assert refused.data["reference"] in refused.data["detail"]


def test_fields_are_those_of_the_page(page, post, verified):
    """As they are shown there."""
    view = page.Tokens.as_view()
    assert [400] * 5 + [429] == [(refused := view(post())).status_code for _ in range(6)]
    shown = re.findall(r"^    (RateLimit.*?): (.*)$", text_of(PAGE), re.MULTILINE)
    assert shown == [(name, refused[name]) for name in ("RateLimit-Policy", "RateLimit")]


def test_types_are_those_of_the_exceptions():
    """And no others."""
    types = re.findall(r"^\| `(urn:[\w:-]+)` \| (\d+) \|", text_of(PAGE), re.MULTILINE)
    kinds = (LockedOut, ChallengeRequired, StoreUnavailable)
    assert types == [(kind.problem, str(kind.status_code)) for kind in kinds]


def test_blocks_are_those_of_the_template():
    """In their order."""
    source = text_of("lockout_decorators/templates/lockout_decorators/locked_out.html")
    blocks = re.findall(r"{% block (\w+) %}", source)
    table = text_of(PAGE).partition("| block | holds |")[2].partition("\n\n")[0]
    assert blocks == re.findall(r"^\| `(\w+)`", table, re.MULTILINE)


def test_every_language_is_named():
    """Each that has a catalog, and English."""
    named = re.search(r"The words are there in (.*?), if the app", text_of(PAGE), re.DOTALL)[1]
    assert len([*(PACKAGE / "locale").iterdir()]) + 1 == len(re.split(r",\s|\sand\s", named))

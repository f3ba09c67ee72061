"""The page of a lock: when it ends, its code, the way back, whose it is; and how a project makes it its own."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.http import HttpRequest
from django.template import Template
from django.test import Client
from django.test.signals import template_rendered
from django.utils import timezone
from django.utils.translation import override

from lockout_decorators import ChallengeRequired, LockedOut, LockoutPolicy, LockoutStatus, lockout_protect
from lockout_decorators.answers.plain import answer, bare
from lockout_decorators.exceptions import StoreUnavailable
from tests.doors import FORM, RIGHT, check, mount

PAGE = {"accept": "text/html"}


@pytest.fixture
def refused(settings, verified, time_machine):
    """What a browser is told that is locked out, and sends the right password: the page."""
    time_machine.move_to("2030-01-01T00:00:30Z", tick=False)

    def refused(path="/", **arguments):
        mount(settings, lockout_protect(**{"max": 1, "lockout": 600, "scope": "page", **arguments})(check))
        assert Client().post("/", FORM).status_code == 401
        answered = Client().post(path, RIGHT, headers=PAGE)
        assert (answered.status_code, len(verified)) == (429, 1)
        return answered.text

    return refused


@pytest.mark.parametrize("use_tz", [True, False])
def test_end_is_told_in_the_time_zone_of_the_site(use_tz, refused, settings):
    """Never too early: the next full minute. That of the visitor, if the project knows it."""
    settings.USE_TZ, settings.TIME_ZONE = use_tz, "Europe/Berlin"
    page = refused()
    assert '<time datetime="2030-01-01T01:11:00+01:00">Jan. 1, 2030, 1:11 a.m. CET</time>' in page
    with timezone.override("Asia/Tokyo"):
        assert "Jan. 1, 2030, 9:11 a.m. JST" in Client().post("/", RIGHT, headers=PAGE).text


def test_end_of_a_rolling_lock_is_when_the_next_guess_is_admitted(refused, settings):
    """A lock that is shorter than its window is followed by the failure that still stands."""
    settings.TIME_ZONE = "UTC"
    assert "Try again in 5 minutes.<br>\n" in (page := refused(rolling=True, lockout=60, window=300))
    assert "Jan. 1, 2030, 12:06 a.m. UTC" in page


def test_it_says_when_it_is_over_and_sends_nothing_again():
    """Without a script: the advice gives way to another when the time has passed."""
    request = HttpRequest()
    request.META["HTTP_ACCEPT"] = "text/html"
    response = answer(request, LockedOut(LockoutStatus("login", True, 5, 5, 12_345)))
    assert "over 1ms 12345s both" in response.text
    assert 'role="status" hidden>You can try again now.<' in response.text
    assert "Refresh" not in response and "<script" not in response.text and "http-equiv" not in response.text


@pytest.mark.parametrize(
    ("method", "path", "query", "back"),
    [
        ("POST", "/sign-in/", "next=/a?b&c", "/sign-in/?next=/a?b&amp;c"),
        ("POST", "//evil.example/", "", "/%2Fevil.example/"),
        ("POST", "/\\evil.example/", "", "/%5Cevil.example/"),
        ("POST", "javascript:alert(1)", "", "/javascript:alert(1)"),
        ("POST", "https://evil.example/", "", "/https://evil.example/"),
        ("POST", '/"><script>', '"><script>', "/%22%3E%3Cscript%3E?%22%3E%3Cscript%3E"),
        ("GET", "/token/", "token=secret", "/token/"),
        ("GET", "/token/", "", "/token/"),
    ],
)
def test_way_back_stays_on_the_site_and_repeats_no_guess(method, path, query, back, rf):
    """The path of the form, as a path whatever it looks like; of a GET without the query, which may be the guess."""
    request = rf.generic(method, "/", headers=PAGE)
    request.path, request.META["QUERY_STRING"] = path, query
    for make in (answer, bare):
        page = make(request, LockedOut(LockoutStatus("login", True, 5, 5, 60))).text
        assert re.findall('href="(.*?)"', page) == [back]


def test_title_names_the_site(refused, settings, db):
    """The host; where django.contrib.sites is installed that one's name, unless there is no row or no table."""
    assert "attempts. | testserver</title>" in refused()
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django.contrib.sites"]
    from django.contrib.sites import models

    settings.SITE_ID, models.SITE_CACHE[7] = 7, models.Site(name="Shop & Co")
    assert "attempts. | Shop &amp; Co</title>" in Client().post("/", RIGHT, headers=PAGE).text
    models.SITE_CACHE.clear()
    assert "attempts. | testserver</title>" in Client().post("/", RIGHT, headers=PAGE).text


def test_host_that_is_not_allowed_is_not_named(rf, settings):
    """And is no error."""
    settings.ALLOWED_HOSTS = ["shop.example"]
    page = answer(rf.post("/", headers=PAGE), LockedOut(LockoutStatus("login", True, 5, 5, 60))).text
    assert "<title>Too many failed attempts.</title>" in page


def test_project_may_have_a_page_of_another_engine(rf, settings, tmp_path):
    """Whose templates tell less of themselves than Django's."""
    (tmp_path / "lockout_decorators").mkdir()
    (tmp_path / "lockout_decorators" / "locked_out.html").write_text("Ours: $title")
    settings.TEMPLATES = [{"BACKEND": "django.template.backends.dummy.TemplateStrings", "DIRS": [tmp_path]}]
    assert "Ours: Too many failed attempts." == answer(rf.post("/", headers=PAGE), SHAPES["a lock"]).text


@pytest.mark.parametrize(("processor", "nonce"), [("csp_nonce", "r4nd0m"), ("no_csp_nonce", "")])
def test_style_has_the_nonce_of_the_page(processor, nonce, refused, settings):
    """Which the context processor of a Content-Security-Policy gives; where it has none, none in words."""
    settings.TEMPLATES = with_processor(settings, f"tests.answers.{processor}")
    assert f'<style nonce="{nonce}">' in refused()


def with_processor(settings, name):
    """TEMPLATES with that context processor alone."""
    return [{**settings.TEMPLATES[0], "OPTIONS": {"context_processors": [name]}}]


SHAPES = {
    "a lock": LockedOut(
        LockoutStatus("login", True, 5, 5, 12_345, datetime(2030, 1, 1, tzinfo=UTC), "key", "7F3K-92QD")
    ),
    "a lock without end": LockedOut(LockoutStatus("login", True, 5, 5, reference="7F3K-92QD")),
    "others at once": LockedOut(LockoutStatus("login", False, 4, 5, 1)),
    "a challenge": ChallengeRequired(LockoutStatus("login", False, 3, 5, challenge=True)),
    "an outage": StoreUnavailable(LockoutStatus("login", False, 0, 5, 30)),
}


@pytest.mark.parametrize("language", ["en", "de", "ar"])
@pytest.mark.parametrize("shape", SHAPES)
def test_mould_gives_what_the_template_gives(shape, language, rf, settings):
    """To whom listens to templates the template is rendered: the page is the same, whatever the path is."""
    settings.USE_THOUSAND_SEPARATOR = True
    settings.TEMPLATES = with_processor(settings, "tests.answers.csp_nonce")
    request, listened = rf.post("/%(title)s/?a=<b>&c=%", headers=PAGE), []

    def listen(template, **_):
        listened.append(template.name)

    with override(language):
        poured = answer(request, SHAPES[shape]).text
        assert listened == []
        template_rendered.connect(listen)
        assert poured == answer(request, SHAPES[shape]).text
    template_rendered.disconnect(listen)
    assert listened == ["lockout_decorators/locked_out.html"] and 'nonce="r4nd0m"' in poured


def test_page_of_the_same_shape_needs_no_template(rf, monkeypatch):
    """Once there is a mould, whoever is refused next costs little."""
    lock = SHAPES["a lock"]
    assert "7F3K-92QD" in answer(rf.post("/", headers=PAGE), lock).text
    monkeypatch.setattr(Template, "render", None)
    other = LockedOut(replace(lock.status, reference="8G4M-23RE", retry_after=60))
    page = answer(rf.post("/other/", headers=PAGE), other).text
    assert "8G4M-23RE" in page and "60 seconds" in page and "/other/" in page


def test_problem_of_a_challenge(settings, verified):
    """It has a type of its own, says so, and names no time."""
    arguments = {"max": 5, "challenge_after": 1, "challenge": lambda request: False}
    mount(settings, lockout_protect(**arguments)(check))
    answers = [Client().post("/", RIGHT if n else FORM, headers={"accept": "application/json"}) for n in range(2)]
    assert [401, 429] == [answered.status_code for answered in answers]
    problem = answers[1].json()
    assert {**problem, "challenge": True, "type": "urn:lockout-decorators:challenge-required"} == problem
    assert not {"retry_after", "until", "reference"} & {*problem}
    assert len(verified) == 1


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_outage_has_neither_lock_nor_code(accept, rf):
    """A type of its own, and when to come back."""
    status = LockoutStatus("login", False, 0, 5, 30)
    response = answer(rf.post("/", headers={"accept": accept}), StoreUnavailable(status))
    assert (503, "30") == (response.status_code, response["Retry-After"])
    assert "Reference" not in response.text and "<time" not in response.text
    if accept == "application/json":
        assert "urn:lockout-decorators:unavailable" in response.text and '"retry_after": 30' in response.text


def test_remaining_tries(rf):
    """What is left until the lock; none while it holds, none below nothing."""
    statuses = [LockoutStatus("login", failures == 5, failures, 5) for failures in (0, 3, 5, 7)]
    assert [5, 2, 0, 0] == [status.remaining for status in statuses]
    assert LockoutPolicy(scope="s", max=1).status(rf.get("/")).remaining == 1

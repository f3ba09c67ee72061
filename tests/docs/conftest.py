"""What the tests of the guide share."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory

from lockout_decorators.mail import notice
from tests.docs.pages import Names, execute
from tests.doors import FORM


@pytest.fixture
def mails(monkeypatch):
    """What a thread would send."""
    posted = []
    monkeypatch.setattr(notice, "post", lambda *job: posted.append(job))
    return posted


@pytest.fixture
def login_page(settings):
    """A template of the login form."""
    loaders = [("django.template.loaders.locmem.Loader", {"login.html": "again"})]
    settings.TEMPLATES = [
        {"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"loaders": loaders}}
    ]


@pytest.fixture
def guide(mails):
    """The names that the guide's examples define."""
    before = admin.site.login
    yield Names(execute("docs/howto/guide.md"))
    admin.site.login = before


@pytest.fixture
def post(rf: RequestFactory):
    def make(data=FORM, address="192.0.2.1", user=None, **more):
        request = rf.post("/", data, REMOTE_ADDR=address, **more)
        request.user, request._dont_enforce_csrf_checks = user or AnonymousUser(), True

        async def auser():
            return request.user

        request.auser = auser
        return request

    return make

"""The site under one policy, and who guesses at it."""

import asyncio

import pytest
from django.test import AsyncClient, Client

from lockout_decorators.attempts.watch import here
from tests.guessing import basic
from tests.sizes import IN_FULL
from tests.whole_site.middlewares import OURS


@pytest.fixture(autouse=True)
def site(settings):
    settings.ROOT_URLCONF = "tests.whole_site.views"
    settings.MIDDLEWARE = [OURS, *settings.MIDDLEWARE]
    settings.LOCKOUT_SITE = {"key": "ip", "max": 3, "patience": 0}


@pytest.fixture(params=["wsgi", "asgi"] if IN_FULL else ["asgi"])
def guess(request):
    """POST a password, however that may be read."""

    def send(door, password="wrong", **headers):
        sent = {"data": {"username": "bob", "password": password}}
        sent["headers"] = {**basic(password), "X-Password": password, **headers}
        if request.param == "asgi":
            return asyncio.run(asend(f"/{door}/", sent))
        send.response = Client(raise_request_exception=False).post(f"/{door}/", **sent)
        return send.response.status_code, b"".join(send.response)

    async def asend(url, sent):
        send.response = response = await AsyncClient(raise_request_exception=False).post(url, **sent)
        found = [chunk async for chunk in response] if response.streaming else [response.content]
        return response.status_code, b"".join(found)

    yield send
    assert () == here()

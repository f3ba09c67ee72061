"""The site under one policy, and who guesses at it."""

import asyncio
import base64

import pytest
from django.test import AsyncClient, Client

from lockout_decorators.attempts.watch import here
from tests.whole_site.middlewares import OURS


@pytest.fixture(autouse=True)
def site(settings):
    settings.ROOT_URLCONF = "tests.whole_site.views"
    settings.MIDDLEWARE = [OURS, *settings.MIDDLEWARE]
    settings.LOCKOUT_SITE = {"key": "ip", "max": 3, "patience": 0}


@pytest.fixture(params=["wsgi", "asgi"])
def guess(request):
    """POST a password, however that may be read."""

    def send(door, password="wrong", **headers):
        basic = base64.b64encode(f"bob:{password}".encode()).decode()
        sent = {"data": {"username": "bob", "password": password}}
        sent["headers"] = {"Authorization": f"Basic {basic}", "X-Password": password, **headers}
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

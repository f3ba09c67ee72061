"""Somebody with an address and cookies, who comes over WSGI or ASGI."""

from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client


class DistantAsyncClient(AsyncClient):
    """Django's, calling from an address of one's choice."""

    def __init__(self, address):
        super().__init__()
        self.address = address

    def _base_scope(self, **request):
        return super()._base_scope(**request, client=(self.address, 1))


class Visitor:
    def __init__(self, server="wsgi", address="192.0.2.1"):
        self.client = Client(REMOTE_ADDR=address) if server == "wsgi" else DistantAsyncClient(address)

    def get(self, path, **more):
        return self.ask("get", path, **more)

    def post(self, path, data=None, **more):
        return self.ask("post", path, data, **more)

    def send(self, path, data, **headers):
        """A POST of JSON."""
        return self.post(path, data, content_type="application/json", headers=headers)

    def ask(self, method, *args, **more):
        send = getattr(self.client, method)
        return async_to_sync(send)(*args, **more) if isinstance(self.client, AsyncClient) else send(*args, **more)

"""Someone with an address and cookies, who comes through one of the server interfaces."""

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
        if server == "wsgi":
            self.post = Client(REMOTE_ADDR=address).post
        else:
            self.post = async_to_sync(DistantAsyncClient(address).post)

    def send(self, path, data, **headers):
        """A POST of JSON."""
        return self.post(path, data, content_type="application/json", headers=headers)

"""Who guesses: browsers and programs, over real HTTP."""

import http.client
import re
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import NamedTuple
from urllib.parse import urlencode

GUESSER = "192.0.2.7"


class Answer(NamedTuple):
    status: int
    retry_after: int | None
    text: str


@dataclass
class Client:
    """A browser with cookies, at an address of its own."""

    port: int
    address: str = GUESSER
    agent: str = "guesser/1.0"
    cookies: SimpleCookie = field(default_factory=SimpleCookie)

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> Answer:
        cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in self.cookies.items())
        headers = {"X-Forwarded-For": self.address, "User-Agent": self.agent, "Cookie": cookies, **headers}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            for cookie in response.headers.get_all("Set-Cookie") or ():
                self.cookies.load(cookie)
            wait = response.headers["Retry-After"]
            return Answer(response.status, None if wait is None else int(wait), response.read().decode())
        finally:
            connection.close()

    def fill_in(self, path: str, action: str | None = None, **fields: str) -> Answer:
        """Open a page as a browser does, and send its form with the CSRF token that it holds, to `action` if the form
        goes elsewhere."""
        page = self.ask("GET", path, Accept="text/html")
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        if found is None:
            raise RuntimeError(f"no form at {path}: {page}")
        body = urlencode({"csrfmiddlewaretoken": found[1], **fields})
        return self.send(action or path, body)

    def send(self, path: str, body: str = "") -> Answer:
        """Send a form that needs no token."""
        return self.ask("POST", path, body, Accept="text/html", **{"Content-Type": "application/x-www-form-urlencoded"})

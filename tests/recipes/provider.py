"""A provider of OpenID Connect, over HTTP: what it was asked is the oracle."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs

import jwt

SECRET = "signs what the provider says, so is as long as they want"


class Provider(BaseHTTPRequestHandler):
    """Takes the code `right` followed by the nonce that the token is to name, and the access token `right`."""

    asked: list[str] = []
    down = False

    def do_POST(self):
        code = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())["code"][0]
        self.asked.append(code)
        right = code.startswith("right")
        token = jwt.encode({"nonce": code.removeprefix("right")}, SECRET, "HS256")
        self.answer(right, 400, {"access_token": "right", "id_token": token} if right else {"error": "invalid_grant"})

    def do_GET(self):
        self.asked.append(self.headers["Authorization"].removeprefix("Bearer "))
        self.answer(self.asked[-1] == "right", 401, {"email": "bob@example.org"})

    def answer(self, right, otherwise, data):
        self.send_response(503 if self.down else 200 if right else otherwise)
        self.send_header("WWW-Authenticate", 'Bearer error="invalid_token", error_description="invalid"')
        self.end_headers()
        self.wfile.write(json.dumps(data).encode())

    def log_message(self, *args): ...


@contextmanager
def serve() -> Iterator[str]:
    """Its address."""
    Provider.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()

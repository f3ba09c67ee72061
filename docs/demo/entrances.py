"""How a guess is made at each door, and what says that it was wrong or right."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clients import Answer, Client
from guide import CODE, PASSWORD

RIGHT, WRONG = PASSWORD, "wrong"


def send_json(client: Client, path: str, user: str, password: str, **headers: str) -> Answer:
    headers |= {"Accept": "application/json", "Content-Type": "application/json"}
    return client.ask("POST", path, json.dumps({"username": user, "password": password}), **headers)


@dataclass(frozen=True)
class Door:
    name: str
    policy: Any
    guess: Callable[[Client, str, str], Answer]
    wrong: int
    right: int


def doors() -> dict[str, Door]:
    import views  # noqa: PLC0415  # once Django is set up

    def form(client: Client, user: str, password: str) -> Answer:
        return client.fill_in("/login/", username=user, password=password)

    def code(client: Client, user: str, code: str) -> Answer:
        return client.fill_in("/code/", code=CODE if code == RIGHT else "000000")

    def admin(client: Client, user: str, password: str) -> Answer:
        return client.fill_in("/admin/login/?next=/admin/", username=user, password=password)

    def token(client: Client, user: str, password: str) -> Answer:
        return send_json(client, "/token/", user, password)

    def json_login(client: Client, user: str, password: str) -> Answer:
        return send_json(client, "/json/", user, password)

    def unsolved(client: Client, user: str, password: str) -> Answer:
        return send_json(client, "/challenged/", user, password)

    def solved(client: Client, user: str, password: str) -> Answer:
        return send_json(client, "/challenged/", user, password, **{"X-Seven-Times-Six": "42"})

    policies = {door.path: door.policies[0] for door in views.DOORS}
    return {
        "form": Door("form login", policies["/login/"], form, 200, 302),
        "token": Door("DRF token", policies["/token/"], token, 400, 200),
        "json": Door("async JSON", policies["/json/"], json_login, 401, 200),
        "unsolved": Door("challenge", policies["/challenged/"], unsolved, 401, 200),
        "solved": Door("challenge", policies["/challenged/"], solved, 401, 200),
        "code": Door("one-time code", policies["/code/"], code, 200, 302),
        "admin": Door("admin", policies["/admin/"], admin, 200, 302),
    }

"""The way of a guess: a real view is asked, and each look at the cache and each swap is noted with what it found."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

from django.contrib.auth import authenticate
from django.http import HttpResponse
from django.test import RequestFactory, override_settings

from docs.pictures.svg import Picture
from lockout_decorators import lockout_protect, policies_of
from lockout_decorators.records.record import parse
from lockout_decorators.stores.locmem import LocMemStore

MAX = 3
CACHE = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "the way of a guess"}}
LEFT, TOP, STEP, PANEL = 20, 112, 58, 248
LANES = {"view": 16, "cache": 130, "backend": 204}  # pixels from the left of a panel


class Step(NamedTuple):
    """What is asked, who, and the answer."""

    name: str
    lane: str
    answer: str


class Backend:
    """Verifies a password, and says so."""

    def authenticate(self, request: Any, username: str, password: str) -> Any:
        steps.append(Step("verify", "backend", password))
        return SimpleNamespace() if password == "right" else None


steps: list[Step] = []


@contextmanager
def noting() -> Iterator[None]:
    """Each call of the store is one round trip."""
    read, swap = LocMemStore._read, LocMemStore._swap

    def _read(store: LocMemStore, keys: Any) -> Any:
        reading = read(store, keys)
        steps.append(Step("look", "cache", _found(reading.found[0].text)))
        return reading

    def _swap(store: LocMemStore, changes: Any, now: int) -> Any:
        verified = steps[-1].lane == "backend"
        steps.append(Step("settle" if verified else "claim", "cache", _found(changes[0].text)))
        return swap(store, changes, now)

    with patch.object(LocMemStore, "_read", _read), patch.object(LocMemStore, "_swap", _swap):
        yield


def _found(text: str | None) -> str:
    """What stands on a record, in words."""
    if text is None:
        return "nothing on record"
    record = parse(text)
    if record.locked:
        return "locked"
    undecided = len(record.slots) - record.failures
    words = [f"{record.failures} failed"] * bool(record.failures) + [f"{undecided} undecided"] * bool(undecided)
    return ", ".join(words)


def way(password: str, failures: int) -> tuple[list[Step], int]:
    """Of a guess after so many failures: its steps, and the status of the answer."""

    @lockout_protect(key="ip", scope="the way of a guess", max=MAX, window=300, lockout=600)
    def view(request: Any) -> HttpResponse:
        user = authenticate(request, username="ann", password=request.POST["password"])
        return HttpResponse(status=302 if user else 200)

    def guess(word: str) -> int:
        return view(RequestFactory().post("/", {"password": word})).status_code

    with override_settings(CACHES=CACHE, AUTHENTICATION_BACKENDS=[f"{__name__}.Backend"]):
        policies_of(view)[0].reset(RequestFactory().get("/"))
        for _ in range(failures):
            guess("wrong")
        steps.clear()
        with noting():
            status = guess(password)
    return list(steps), status


def draw() -> str:
    ways = {
        "A wrong password": way("wrong", 1),
        "A right password": way("right", 0),
        "While locked, any": way("right", MAX),
    }
    told = " ".join(f"{name}: {_told(*one)}" for name, one in ways.items())
    deepest = max(len(made) for made, _ in ways.values())
    picture = Picture(TOP + deepest * STEP + 34, "The way of a guess", told)
    for place, (name, (made, status)) in enumerate(ways.items()):
        _panel(picture, LEFT + place * PANEL, name, made, status)
    return str(picture)


def _told(made: list[Step], status: int) -> str:
    walk = "; ".join(f"{step.name} ({step.answer})" for step in made)
    return f"{walk}; answer {status}. {_trips(made)}."


def _trips(made: list[Step]) -> str:
    count = sum(step.lane == "cache" for step in made)
    return f"{count} round trip{'s' if count > 1 else ''}"


def _panel(picture: Picture, left: float, name: str, made: list[Step], status: int) -> None:
    picture.text(left, 28, name, "ink strong")
    picture.text(left, 48, f"{_trips(made)} to the cache", "soft")
    bottom = TOP + len(made) * STEP
    for lane, x in LANES.items():
        picture.text(left + x, 80, lane, "soft small", "middle")
        picture.line(left + x, 88, left + x, bottom)
    for place, step in enumerate(made):
        _step(picture, left, TOP + place * STEP, step)
    refused = status == 429
    picture.text(left, bottom + 14, f"answer: {status}", "bad strong" if refused else "ink strong")


def _step(picture: Picture, left: float, y: float, step: Step) -> None:
    style = "mark" if step.lane == "cache" else "wait"
    near, far = left + LANES["view"], left + LANES[step.lane]
    picture.arrow(near, far - 2, y, style)
    picture.text(near + 6, y - 6, step.name, f"{style} strong")
    picture.arrow(far, near + 2, y + 18, "soft dashed")
    picture.text(near + 6, y + 32, step.answer, "soft small")

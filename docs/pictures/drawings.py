"""The drawings by name, and where they are kept."""

from collections.abc import Callable
from pathlib import Path

from docs.pictures import burst, guess, latency, life, policies

FOLDER = Path(__file__).parent
DRAWINGS: dict[str, Callable[[], str]] = {
    "burst": burst.draw,
    "guess": guess.draw,
    "latency": latency.draw,
    "life": life.draw,
    "policies": policies.draw,
}


def file_of(name: str) -> Path:
    return FOLDER / f"{name}.svg"


def write() -> None:
    """All of them."""
    for name, draw in DRAWINGS.items():
        file_of(name).write_text(draw(), encoding="utf-8")

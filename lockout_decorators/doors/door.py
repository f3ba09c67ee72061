"""A door: where it is, what it verifies, and whether a policy sees each guess."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ..conf import conf
from ..policy import LockoutPolicy, site_policies
from ..terms.terms import DERIVED
from .kinds import CALL, CHECK, Kind
from .source import Reading
from .writing import line

GUARDED, OPEN, IN_VAIN = "guarded", "open", "in vain"
CODE = "guarded code"


@dataclass(frozen=True, slots=True)
class Door:
    """What verifies secrets, at one or several routes of the URLconf.

    Attributes:
        name: The dotted name of the view, or of the authentication class.
        kind: What people call it.
        state: "guarded"; "open"; or "in vain": decorated, but no policy there ever sees a guess.
        policies: Those that guard it, or are in vain.
        routes: Where it is, as `request.resolver_match.route` has them.
        write: The lines that close it; empty if it is guarded.
    """

    name: str
    kind: str
    state: str
    policies: tuple[LockoutPolicy, ...]
    routes: tuple[str, ...]
    write: str = ""

    @property
    def guards(self) -> list[str]:
        """Scopes and keys of the policies; a scope that the decorator could not know is the view's name."""
        return [
            f"{self.name if one.scope == DERIVED else one.scope} ({one.key}{'' if one.enforce else ', not enforced'})"
            for one in self.policies
        ]

    @property
    def where(self) -> str:
        first, *others = self.routes
        return f"/{first}" + (f" and {len(others)} more" if others else "")


class Part(NamedTuple):
    """What one view verifies in one place.

    Attributes:
        name: As of the door.
        thing: What would be decorated: a class, a function, or a bound method.
        outer: The policies around it.
        reading: What its code says.
        kinds: From the table of known doors.
        elsewhere: Those that another part of the view has: what the code says of the same secrets is no news.
        lines: What to write for a kind, if not to decorate `thing`.
    """

    name: str
    thing: Any
    outer: Sequence[LockoutPolicy]
    reading: Reading
    kinds: Sequence[Kind] = ()
    elsewhere: Sequence[Kind] = ()
    lines: Any = line

    def doors(self, route: str) -> list[Door]:
        """The first has the plain name, any other its kind behind it."""
        if kinds := self._all_kinds():
            return [self._door(kind, f":{kind.slug}" if place else "", route) for place, kind in enumerate(kinds)]
        inside = [*self.reading.watched, *self.reading.attempted]
        if inside and not self.elsewhere:
            return [Door(self.name, CODE, GUARDED, once([*self.outer, *inside]), (route,))]
        return []

    def guarded(self, route: str) -> list[Door]:
        """What is decorated is a door, whatever it may verify."""
        return [Door(self.name, CODE, GUARDED, once(self.outer), (route,))] if self.outer else []

    def _all_kinds(self) -> list[Kind]:
        known = {CALL if kind.seen else CHECK for kind in (*self.kinds, *self.elsewhere)}
        return [*self.kinds, *[kind for kind in self.reading.kinds if kind not in known]]

    def _door(self, kind: Kind, behind: str, route: str) -> Door:
        name = self.name + behind
        if guards := self._guards(kind):
            return Door(name, kind.title, GUARDED, once(guards), (route,))
        state = IN_VAIN if self.outer else OPEN
        return Door(name, kind.title, state, once(self.outer), (route,), self.lines(kind, self.thing, route))

    def _guards(self, kind: Kind) -> list[LockoutPolicy]:
        """The policies that see each guess. Those inside of the code guard what is known, not what was found beside
        them."""
        known = kind in self.kinds
        if kind.seen:
            guards = [*self.outer, *(self.reading.watched if known else ())]
            return guards or (list(site_policies()) if conf.watches_site else [])
        outer = [one for one in self.outer if one.failure is not None or kind.trusts]
        return [*outer, *(self.reading.attempted if known else ())]


def settled(doors: Sequence[Door]) -> list[Door]:
    """The doors of one view. A decoration that guards one of them is not in vain because another is open; and guarded
    code says no more where it is known what it verifies."""
    named = {door.name for door in doors if door.kind != CODE}
    found = [door for door in doors if door.kind != CODE or door.name not in named]
    if any(door.state == GUARDED for door in found):
        found = [replace(door, state=OPEN, policies=()) if door.state == IN_VAIN else door for door in found]
    return found


def joined(doors: Iterable[Door]) -> list[Door]:
    """One door for all routes that the same lines would close, or that the same policies guard."""
    found: dict[tuple[str, ...], list[Door]] = {}
    for door in doors:
        found.setdefault((door.name, door.kind, door.state, door.write, *door.guards), []).append(door)
    return [replace(first, routes=tuple(_routes([first, *others]))) for first, *others in found.values()]


def _routes(doors: Iterable[Door]) -> Iterable[str]:
    return dict.fromkeys([route for door in doors for route in door.routes])


def once(policies: Iterable[LockoutPolicy]) -> tuple[LockoutPolicy, ...]:
    """Of equal ones the first."""
    return tuple(dict.fromkeys(policies))

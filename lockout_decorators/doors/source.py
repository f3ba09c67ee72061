"""What the code of a view asks: read from its functions and from those of the project that they call.

Names are looked up in the code that Python has compiled, so nothing is imported or run, and no source is needed.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from inspect import getattr_static
from types import CodeType, ModuleType
from typing import Any

from ..policy import LockoutPolicy
from .kinds import CALL, CHECK, FORMS, Kind, known
from .layers import NOT_OWN, attribute, code_of, innermost, is_own, layers, module_of, policies_at

DEPTH = 6  # calls that are followed
ASKING = {"authenticate", "aauthenticate"}
CHECKING = {"check_password", "acheck_password"}


class Reading:
    """The kinds of doors that some code is, and the policies that guard it inside.

    Attributes:
        kinds: How it verifies what no policy in the code guards.
        watched: Policies whose blocks see `authenticate()`: of decorated functions, and of `observe()`.
        attempted: Policies that the code enters by `attempt()`.
    """

    def __init__(self, near: str, views: frozenset[int] = frozenset(), cls: type | None = None) -> None:
        package = near.partition(".")[0]
        self.package, self.views, self.cls = "" if package in NOT_OWN else package, views, cls
        self.kinds: dict[Kind, None] = {}
        self.watched: list[LockoutPolicy] = []
        self.attempted: list[LockoutPolicy] = []
        self._seen: set[int] = set()

    def goes_after(self, other: "Reading") -> None:
        """What the other has read is not read again, and what guards it there is known here."""
        self._seen |= other._seen
        self.watched += other.watched
        self.attempted += other.attempted

    def read(self, thing: Any, depth: int = 0) -> None:
        """A function, or a form or serializer; what it is decorated with guards it."""
        for layer in layers(thing):
            if guards := policies_at(layer):
                self.watched += guards
                return
        self.read_inside(thing, depth)

    def read_inside(self, thing: Any, depth: int = 0) -> None:
        """As if it were not decorated."""
        inner = innermost(thing)
        if id(inner) in self._seen or depth > DEPTH:
            return
        self._seen.add(id(inner))
        if isinstance(inner, type):
            self._read_form(inner, depth)
        elif code := code_of(inner):
            self._read_code(inner, {*_names(code)}, depth)

    def _read_form(self, form: type, depth: int) -> None:
        before = len(self.watched) + len(self.attempted)
        for function in methods(form, self.is_near):
            self.read(function, depth + 1)
        kind = known(form, FORMS)
        if kind is not None and before == len(self.watched) + len(self.attempted):
            self.kinds[kind] = None

    def _read_code(self, function: Any, names: set[str], depth: int) -> None:
        values = [*_values(function, names), *self._own(names)]
        policies = [value for value in values if isinstance(value, LockoutPolicy)]
        if policies and names & {"attempt", "observe"}:
            (self.attempted if "attempt" in names else self.watched).extend(policies)
            return
        if _asks(names, values):
            self.kinds[CALL] = None
        if names & CHECKING:
            self.kinds[CHECK] = None
        for value in values:
            if self._leads_on(value):
                self.read(value, depth + 1)

    def _own(self, names: Iterable[str]) -> Iterator[Any]:
        """What code may find in its object's class."""
        for name in names if self.cls else ():
            found = getattr_static(self.cls, name, None)
            if isinstance(found, LockoutPolicy) or code_of(innermost(found)) or is_form(found):
                yield found

    def _leads_on(self, value: Any) -> bool:
        """Whether to look into it; another view is only named, as in `redirect(view)`."""
        inner = innermost(value)
        if id(inner) in self.views or not self.is_near(module_of(inner)):
            return False
        return is_form(inner) if isinstance(inner, type) else code_of(inner) is not None

    def is_near(self, module: str) -> bool:
        """The project's, or of the package that the view comes from."""
        return is_own(module) or module.partition(".")[0] == self.package


def is_form(cls: Any) -> bool:
    """A form, or a serializer."""
    return isinstance(cls, type) and hasattr(cls, "is_valid")


def methods(cls: type, is_near: Any) -> Iterator[Any]:
    """The functions of a class and its bases, as far as they are the project's."""
    for base in cls.__mro__:
        if is_near(module_of(base)):
            yield from [value for value in vars(base).values() if code_of(innermost(value))]


def _names(code: CodeType) -> Iterator[str]:
    """All that a function looks up, and those inside of it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _values(function: Any, names: set[str]) -> Iterator[Any]:
    """What the names stand for: globals, what a closure holds, and what is looked up in modules."""
    yield from _within(attribute(function, "__globals__") or {}, names)
    for cell in attribute(function, "__closure__") or ():
        with suppress(ValueError):  # it is empty yet
            yield cell.cell_contents


def _within(namespace: dict[str, Any], names: set[str], depth: int = 3) -> Iterator[Any]:
    for value in [namespace[name] for name in names if name in namespace]:
        yield value
        if isinstance(value, ModuleType) and depth:
            yield from _within(vars(value), names, depth - 1)


def _asks(names: set[str], values: Iterable[Any]) -> bool:
    """Whether Django's own `authenticate` is meant, however it was imported; others have methods of that name."""
    if names & ASKING and ({"django.contrib.auth"} <= names or {"django.contrib", "auth"} <= names):
        return True
    return any(module_of(one) == "django.contrib.auth" and attribute(one, "__name__") in ASKING for one in values)

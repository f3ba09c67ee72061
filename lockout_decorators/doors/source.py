"""What the code of a view asks: read from its functions and from those of the project that they call.

Names are looked up in the code that Python has compiled, so nothing is imported or run, and no source is needed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from dis import get_instructions
from inspect import getattr_static
from types import CodeType, ModuleType
from typing import Any

from ..policy import LockoutPolicy
from .kinds import CALL, CHECK, FORMS, Kind, known
from .layers import (
    NOT_OWN,
    attribute,
    closed_over,
    code_of,
    innermost,
    is_own,
    is_plain,
    layers,
    module_of,
    policies_at,
)

DEPTH = 6  # calls that are followed
ASKING = {"authenticate", "aauthenticate"}
CHECKING = {"check_password", "acheck_password"}
SORTS = {  # of instructions
    "LOAD_GLOBAL": "globals",
    "LOAD_NAME": "globals",
    "LOAD_ATTR": "attributes",
    "LOAD_METHOD": "attributes",
    "LOAD_SUPER_ATTR": "attributes",
    "IMPORT_NAME": "imported",
    "IMPORT_FROM": "imported",
}


class Reading:
    """The kinds of doors that some code is, and the policies that guard it inside.

    Attributes:
        kinds: How it verifies what no policy in the code guards.
        watched: Policies whose blocks see `authenticate()`: of decorated functions, and of `observe()`.
        attempted: Policies that the code enters by `attempt()`.
    """

    def __init__(self, near: str, views: frozenset[int] = frozenset(), cls: type | None = None) -> None:
        package = near.partition(".")[0]
        self.package: str = "" if package in NOT_OWN else package
        self.views: frozenset[int] = views
        self.cls: type | None = cls
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
            self._read_code(inner, Names().of(code), depth)

    def _read_form(self, form: type, depth: int) -> None:
        before = len(self.watched) + len(self.attempted)
        for function in methods(form, self.is_near):
            self.read(function, depth + 1)
        kind = known(form, FORMS)
        if kind is not None and before == len(self.watched) + len(self.attempted):
            self.kinds[kind] = None

    def _read_code(self, function: Any, names: "Names", depth: int) -> None:
        values = [*_values(function, names), *self._own(names)]
        policies = [value for value in values if isinstance(value, LockoutPolicy)]
        if policies and names.attributes & {"attempt", "observe"}:
            (self.attempted if "attempt" in names.attributes else self.watched).extend(policies)
            return
        if names.imports_authenticate or any(map(_is_authenticate, values)):
            self.kinds[CALL] = None
        if (names.globals | names.attributes) & CHECKING:
            self.kinds[CHECK] = None
        for value in values:
            if self._leads_on(value):
                self.read(value, depth + 1)

    def _own(self, names: "Names") -> Iterator[Any]:
        """What code may find in its object's class."""
        for name in names.attributes if self.cls else ():
            if is_plain(found := getattr_static(self.cls, name, None)):
                yield found

    def _leads_on(self, value: Any) -> bool:
        """Whether to look into it; another view is only named, as in `redirect(view)`."""
        inner = innermost(value)
        if is_form(inner):
            return self.is_near(module_of(inner)) or known(inner, FORMS) is not None
        return id(inner) not in self.views and self.is_near(module_of(inner)) and code_of(inner) is not None

    def is_near(self, module: str) -> bool:
        """The project's, or of the package that the view comes from."""
        return is_own(module) or module.partition(".")[0] == self.package


def is_form(cls: Any) -> bool:
    """A form, or a serializer."""
    return issubclass(type(cls), type) and attribute(cls, "is_valid") is not None


def methods(cls: type, is_near: Any) -> Iterator[Any]:
    """The functions of a class and its bases, as far as they are the project's; but what a decorated one overrides is
    guarded by it."""
    guarded: set[str] = set()
    for base in cls.__mro__:
        for name, value in vars(base).items() if is_near(module_of(base)) else ():
            if name not in guarded and is_plain(value) and code_of(innermost(value)):
                yield value
        guarded |= {name for name, value in vars(base).items() if is_plain(value) and policies_at(value)}


@dataclass(slots=True)
class Names:
    """What a function looks up, and what the functions inside of it do."""

    globals: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    imported: set[str] = field(default_factory=set)

    def of(self, code: CodeType) -> "Names":
        for instruction in get_instructions(code):
            name = instruction.opname
            if name in SORTS:
                getattr(self, SORTS[name]).add(instruction.argval)
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                self.of(constant)
        return self

    @property
    def imports_authenticate(self) -> bool:
        """Inside of the function."""
        if "django.contrib.auth" in self.imported and (self.imported | self.attributes) & ASKING:
            return True
        return {"django.contrib", "auth"} <= self.imported and bool(self.attributes & ASKING)


def _values(function: Any, names: Names) -> Iterator[Any]:
    """What the names stand for: globals, what a closure holds, and what is looked up in modules."""
    yield from _within(attribute(function, "__globals__") or {}, names.globals, names.attributes)
    yield from filter(is_plain, closed_over(function))


def _within(namespace: Mapping[str, Any], names: set[str], attributes: set[str], depth: int = 3) -> Iterator[Any]:
    for value in [namespace[name] for name in names if name in namespace]:
        if is_plain(value):
            yield value
        elif type(value) is ModuleType and depth:  # no lazy one
            yield from _within(vars(value), attributes, attributes, depth - 1)


def _is_authenticate(value: Any) -> bool:
    """Whether it is Django's own; others have methods of that name."""
    return module_of(value) == "django.contrib.auth" and attribute(value, "__name__") in ASKING

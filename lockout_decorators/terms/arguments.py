"""What each argument of a policy may be: a check per kind, and the attribute that runs it."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Generic, TypedDict, TypeVar, overload

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from ..clients.identities import UsernameFunction
from ..clients.keys import KeyFunction
from ..exceptions import LockedOut

T = TypeVar("T")
Given = TypeVar("Given")


Duration = float | timedelta
Lockout = Duration | Sequence[Duration] | None
Failure = int | Iterable[int] | Callable[[HttpRequest, Any], bool | None]
Username = str | UsernameFunction
Response = str | Callable[[HttpRequest, LockedOut], Any]


class PolicyArguments(TypedDict, total=False):
    """The keyword arguments of `LockoutPolicy` and `lockout_protect`; see `LockoutPolicy`."""

    key: str | KeyFunction
    max: int
    window: Duration
    lockout: Lockout
    rolling: bool
    forget: Duration
    scope: str
    cache: str
    ceiling: int | None
    username: Username | None
    account: Iterable[str] | None
    failure: Failure | None
    credentials: Callable[[HttpRequest], bool] | None
    calls: int
    response: Response | None
    methods: Iterable[str] | None
    enforce: bool
    exempt: Callable[[HttpRequest], bool] | None
    patience: Duration


class _Unset:
    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final[Any] = _Unset()


class Argument(Generic[Given, T]):
    """A validated attribute of a frozen policy. What was given, or a constant `default`, lies in the policy itself;
    otherwise `ask` is asked, with the policy, each time: that is how settings are read at the moment of use.

    `check` returns the value as it is kept, or raises ValueError with what is allowed.
    """

    def __init__(
        self,
        check: Callable[[Any], T],
        default: object = None,
        ask: Callable[[Any], object] | None = None,
        setting: str = "",
    ) -> None:
        self.check: Callable[[Any], T] = check
        self.default: object = default
        self.ask: Callable[[Any], object] | None = ask
        self.setting: str = setting

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, policy: None, owner: type) -> Any: ...
    @overload
    def __get__(self, policy: object, owner: type) -> T: ...
    def __get__(self, policy: object, owner: type) -> Any:
        """Reached only where the policy holds no value of its own."""
        if policy is None or self.ask is None:
            return UNSET
        value = self.ask(policy)
        try:
            return self.check(value)
        except ValueError as error:
            raise ImproperlyConfigured(f"{self.setting or self.name} is {value!r}; it must be {error}.") from None

    if TYPE_CHECKING:  # what the constructor takes is more than what the attribute gives

        def __set__(self, policy: object, value: Given) -> None: ...

    def settle(self, values: dict[str, Any]) -> None:
        """Check what was given, or put the constant default there; raises ValueError."""
        value = values[self.name] if values[self.name] is not UNSET or self.ask else self.default
        if value is UNSET:
            del values[self.name]
            return
        try:
            values[self.name] = self.check(value)
        except ValueError as error:
            raise ValueError(f"lockout_protect: {self.name} is {value!r}; it must be {error}.") from None


def whole(least: int, most: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return value

    return check


def duration(least: float) -> Callable[[Any], float]:
    """Seconds, from `least` to ten years."""

    def check(value: Any) -> float:
        seconds = value.total_seconds() if isinstance(value, timedelta) else value
        if type(seconds) not in (int, float) or not least <= seconds <= 315_360_000:  # nor is nan
            raise ValueError(f"seconds from {least:g} up to ten years, or a timedelta")
        return float(seconds)

    return check


def lockout(value: Any) -> Any:
    """None, seconds (0 for no lock), or a tuple of several."""
    if value is None or (value == 0 and type(value) in (int, float)):
        return value
    try:
        if isinstance(value, tuple | list) and value:
            return tuple([duration(1)(one) for one in value])
        return duration(1)(value)
    except ValueError as error:
        raise ValueError(f"{error}, several of them in a row, None for ever, or 0 with rolling=True") from None


def names(value: Any) -> tuple[str, ...]:
    return _strings(value, 'a list of names such as ("tenant",), or ()')


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("True or False")
    return value


def name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > 200:
        raise ValueError("a name of 1 to 200 printable characters")
    return value


def plain(value: Any) -> bool:
    """Whether a callable answers by itself: what a coroutine function returns would be true, whatever it says."""
    return callable(value) and not iscoroutinefunction(value) and not iscoroutinefunction(type(value).__call__)


def function(value: Any) -> Any:
    if not plain(value):
        raise ValueError("a plain callable")
    return value


def optional(check: Callable[[Any], T], also: str = "None") -> Callable[[Any], T | None]:
    def checked(value: Any) -> T | None:
        try:
            return None if value is None else check(value)
        except ValueError as error:
            raise ValueError(f"{error}, or {also}") from None

    return checked


def name_or_function(value: Any) -> Any:
    if not plain(value) and not (isinstance(value, str) and value):
        raise ValueError("a name or a plain callable")
    return value


def template_or_function(value: Any) -> Any:
    """Here a coroutine function will do: it is awaited."""
    if not callable(value) and not (isinstance(value, str) and value):
        raise ValueError("a name or a callable")
    return value


def methods(value: Any) -> frozenset[str]:
    found = _strings(value, 'a list of HTTP methods such as ("POST", "PUT"), or () for none')
    return frozenset(method.upper() for method in found)


def _strings(value: Any, allowed: str) -> tuple[str, ...]:
    found: tuple[Any, ...] = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (None,)
    if not all(isinstance(one, str) and one for one in found):
        raise ValueError(allowed)
    return found


def failure(value: Any) -> Any:
    """Statuses become a frozenset; a callable stays."""
    if plain(value):
        return value
    codes = value if isinstance(value, tuple | list | set | frozenset) else (value,)
    if not codes or not all(type(code) is int and 100 <= code <= 599 for code in codes):
        raise ValueError("an HTTP status, several of them, or a plain callable (request, response) -> bool")
    return frozenset(codes)

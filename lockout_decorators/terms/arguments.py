"""The arguments of a policy: their types, and the attribute that checks and keeps one."""

from collections.abc import Callable, Iterable, Sequence, Set
from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Generic, TypedDict, TypeVar, overload

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from ..clients.credentials import UsernameFunction
from ..clients.keys import KeyFunction
from ..exceptions import LockedOut

T = TypeVar("T")
Given = TypeVar("Given")


Duration = float | timedelta
Lockout = Duration | Sequence[Duration] | None
Failure = int | Iterable[int] | Callable[[HttpRequest, Any], bool | None]
Username = str | UsernameFunction
Exempt = list[str] | tuple[str, ...] | Set[str] | Callable[[HttpRequest], bool]
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
    spread: int | None
    username: Username | None
    account: Iterable[str] | None
    failure: Failure | None
    credentials: Callable[[HttpRequest], bool] | None
    calls: int
    response: Response | None
    methods: Iterable[str] | None
    enforce: bool
    exempt: Exempt | None
    patience: Duration
    challenge: Callable[[HttpRequest], bool] | None
    challenge_after: int | None
    known_browsers: timedelta | None
    ratelimit: str | None


def mistake_in(given: Sequence[Any], arguments: Iterable[str]) -> str:
    """What to write instead of arguments without a name, or of a name that there is not; empty if nothing."""
    if given:
        return f"lockout_protect: {given[0]!r} needs a name, as in LockoutPolicy(scope={given[0]!r})."
    there = [*PolicyArguments.__annotations__]
    for name in arguments:
        if name not in there:
            (*_, close) = ["", *get_close_matches(name, there, 1)]
            meant = f"did you mean {close}=?" if close else f"there are {', '.join(there)}."
            return f"lockout_protect: there is no argument {name}=; {meant}"
    return ""


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

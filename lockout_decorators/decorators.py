"""lockout_protect: finds the request, opens the block around the view, answers for those who are locked out."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial, wraps
from inspect import isawaitable
from typing import Any, TypeVar, Unpack

import wrapt
from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest

from . import drf
from .attempts import Block
from .exceptions import LockedOut
from .policy import DERIVED, LockoutPolicy, PolicyArguments
from .responses import aanswer, answer, marked
from .scopes import class_scope, is_stand_in, note_derived, scope_of, takes_request, unwrapped

View = TypeVar("View", bound=Callable[..., Any])


def lockout_protect(
    policy: LockoutPolicy | None = None, /, **arguments: Unpack[PolicyArguments]
) -> Callable[[View], View]:
    """Protect a view against guessing: `@lockout_protect(key="ip+ua", max=5, window=300, lockout=600)`.

    Decorates function and coroutine views, class-based views, their methods and what `as_view()` returned, and the
    views of Django REST framework. Takes a shared `LockoutPolicy`, or the arguments of one; without a `scope` the view
    counts under its own dotted name. The decorated view carries its policy as `view.lockout_policy`.

    Raises TypeError where it is misplaced and ValueError for an argument that is not allowed: both at import.
    """
    if policy is not None and not isinstance(policy, LockoutPolicy):
        raise TypeError(f"lockout_protect needs parentheses: write @lockout_protect() above {policy!r}.")
    if policy is not None and arguments:
        raise TypeError(f"lockout_protect takes a policy or arguments, not both: {', '.join(arguments)}.")
    return _Protection(policy or LockoutPolicy(**{"scope": DERIVED, **arguments})).decorate


class _Protection:
    """A policy on its way to views; where its scope is derived, each view gets its own copy, made once."""

    def __init__(self, policy: LockoutPolicy) -> None:
        self.policy = policy
        self.scoped: dict[str, LockoutPolicy] = {}

    def decorate(self, view: Any) -> Any:
        if is_stand_in(view):
            view.lockout_policy = self.policy
            return view
        if isinstance(view, type):
            return self.decorate_class(view)
        if not takes_request(view):
            raise TypeError(f"lockout_protect: {view!r} is no view: it takes no request.")
        scope = scope_of(view)
        if scope is None and self.policy.scope == DERIVED:
            raise ValueError(f'lockout_protect: {view!r} has no name to count under; write scope="...".')
        if scope is not None and self.policy.scope == DERIVED:
            note_derived(scope, view)
        return self.protect(view, self.under(scope or self.policy.scope))

    def decorate_class(self, cls: type) -> type:
        """Decorate `dispatch` in place, as Django's method_decorator does."""
        inherited = getattr(cls, "dispatch", None)
        if inherited is None:
            raise TypeError(f"lockout_protect: {cls!r} is no view: it has no dispatch().")

        @wraps(inherited)
        def dispatch(self: Any, request: HttpRequest, /, *args: Any, **kwargs: Any) -> Any:
            return inherited(self, request, *args, **kwargs)

        protected = self.protect(dispatch, self.under(class_scope(cls)))
        for name, value in {"dispatch": protected, "lockout_policy": _ClassPolicy(self.policy_in)}.items():
            setattr(cls, name, value)
        return cls

    def protect(self, view: Any, policy: LockoutPolicy) -> Any:
        def guard(view: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            owner = instance if instance is not None else getattr(unwrapped(view), "__self__", None)
            method = getattr(unwrapped(view), "__name__", "")
            rule = policy if owner is None else self.policy_in(type(owner), method)
            request = _request_of(view, args, kwargs)
            call = partial(view, *args, **kwargs)
            refuse = partial(_refuse, rule, request, partial(drf.view_of, view, owner, request, args[1:], kwargs))
            runner = _arun if _is_async(view, owner, method) else _run
            return runner(rule.observe(request), call, refuse)

        return _Protected(view, guard, policy, self.policy_in)

    def policy_in(self, cls: type, method: str = "dispatch") -> LockoutPolicy:
        """The policy of a method, which a subclass may have inherited."""
        return self.under(class_scope(cls, method))

    def under(self, scope: str) -> LockoutPolicy:
        """The policy itself if it has a scope, else its copy for `scope`."""
        if self.policy.scope != DERIVED:
            return self.policy
        if scope not in self.scoped:
            self.scoped[scope] = self.policy.scoped(scope)
        return self.scoped[scope]


class _ProtectedMethod(wrapt.BoundFunctionWrapper):  # type: ignore[type-arg]
    """A protected method as its class and its instances see it."""

    @property
    def lockout_policy(self) -> LockoutPolicy:
        return self._self_parent._self_policy_in(self._self_owner, self.__name__)  # type: ignore[no-any-return]

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        """What `as_view()` copies from `dispatch` to the view."""
        return {**self.__wrapped__.__dict__, "lockout_policy": self.lockout_policy}


class _Protected(wrapt.FunctionWrapper):  # type: ignore[type-arg]
    """A protected view; all but its call and `lockout_policy` is the view's own."""

    __bound_function_wrapper__ = _ProtectedMethod

    def __init__(self, view: Any, guard: Any, policy: LockoutPolicy, policy_in: Callable[..., LockoutPolicy]) -> None:
        super().__init__(view, guard)
        self._self_policy, self._self_policy_in = policy, policy_in

    @property
    def lockout_policy(self) -> LockoutPolicy:
        return self._self_policy


class _ClassPolicy:
    """`lockout_policy` of a decorated class: each subclass has its own."""

    def __init__(self, policy_in: Callable[[type], LockoutPolicy]) -> None:
        self.policy_in = policy_in

    def __get__(self, instance: object, owner: type) -> LockoutPolicy:
        return self.policy_in(owner)


def _request_of(view: Any, args: Any, kwargs: Any) -> Any:
    def bind(request: Any = None, /, *args: Any, **kwargs: Any) -> Any:
        return kwargs.get("request") if request is None else request

    request = bind(*args, **kwargs)
    if not hasattr(request, "META"):
        raise TypeError(f"lockout_protect: {view!r} was called with {type(request).__name__} where a request belongs.")
    return request


def _is_async(view: Any, owner: Any, method: str) -> bool:
    """A class-based view's `dispatch` is no coroutine function, but returns what its async handlers return."""
    if method == "dispatch" and getattr(owner, "view_is_async", False):
        return True
    return iscoroutinefunction(view) or iscoroutinefunction(getattr(view, "__call__", None))  # noqa: B004


def _run(block: Block, call: Callable[[], Any], refuse: Callable[..., Any]) -> Any:
    try:
        with block:
            block.response = call()
            _expect_response(block.response)
    except LockedOut as locked_out:
        return refuse(answer, locked_out)
    return refuse(answer, block.refused, block.response) if _is_refusal(block) else block.response


async def _arun(block: Block, call: Callable[[], Awaitable[Any]], refuse: Callable[..., Any]) -> Any:
    try:
        async with block:
            block.response = await call()
    except LockedOut as locked_out:
        made = refuse(aanswer, locked_out)
    else:
        made = refuse(aanswer, block.refused, block.response) if _is_refusal(block) else block.response
    return await made if isawaitable(made) else made


def _is_refusal(block: Block) -> bool:
    """Whether DRF has made the response of a refusal inside the view."""
    return block.refused is not None and getattr(block.response, "exception", False)


def _refuse(
    policy: LockoutPolicy, request: Any, find_view: Any, how: Any, locked_out: LockedOut, made: Any = None
) -> Any:
    """DRF's views answer by themselves, any other is answered for, unless the policy says what the answer is."""
    if policy.response is not None:
        return how(request, locked_out, policy.response)
    if made is None and (view := find_view()) is not None:
        with suppress(LockedOut):  # the project's exception handler may pass
            made = drf.answer(view, request, locked_out)
    return how(request, locked_out) if made is None else marked(made, locked_out)


def _expect_response(response: Any) -> None:
    if isawaitable(response):
        raise TypeError("lockout_protect: the view returned an awaitable but is not marked as a coroutine function.")

"""lockout_protect: puts a policy around a view of any kind."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, Unpack

import wrapt
from django.http import HttpRequest

from .arguments import PolicyArguments, plain
from .asgi import Requestlike
from .policy import DERIVED, LockoutPolicy
from .runners import call_view, is_async
from .scopes import class_scope, is_stand_in, note_derived, scope_of, takes_request, unwrapped

View = TypeVar("View", bound=Callable[..., Any])


def lockout_protect(
    policy: LockoutPolicy | None = None,
    /,
    *,
    request: Callable[..., Requestlike] | None = None,
    **arguments: Unpack[PolicyArguments],
) -> Callable[[View], View]:
    """Protect a view against guessing: `@lockout_protect(key="ip+ua", max=5, window=300, lockout=600)`.

    Decorates function and coroutine views, class-based views, their methods and what `as_view()` returned, and the
    views of Django REST framework. Takes a shared `LockoutPolicy`, or the arguments of one; without a `scope` the view
    counts under its own dotted name. The decorated view carries its policy as `view.lockout_policy`.

    Anything else, such as a GraphQL resolver, is decorated with `request`: a callable that is given the same arguments,
    of a method `self` too, and finds the request, or an ASGI scope, among them. There a refused guess raises LockedOut,
    unless the policy's `response` makes something to return.

    Raises TypeError where it is misplaced and ValueError for an argument that is not allowed: both at import.
    """
    if policy is not None and not isinstance(policy, LockoutPolicy):
        raise TypeError(f"lockout_protect needs parentheses: write @lockout_protect() above {policy!r}.")
    if request is not None and not plain(request):
        raise TypeError(f"lockout_protect: request is {request!r}; it must be a plain callable that finds the request.")
    if policy is not None and arguments:
        raise TypeError(f"lockout_protect takes a policy or arguments, not both: {', '.join(arguments)}.")
    arguments.setdefault("scope", DERIVED)
    return _Protection(policy or LockoutPolicy(**arguments), request).decorate


class _Protection:
    """A policy on its way to views; where its scope is derived, each view gets its own copy, made once."""

    def __init__(self, policy: LockoutPolicy, find_request: Callable[..., Requestlike] | None) -> None:
        self.policy, self.find_request = policy, find_request
        self.scoped: dict[str, LockoutPolicy] = {}

    def decorate(self, view: Any) -> Any:
        if is_stand_in(view):
            view.lockout_policy = self.policy
            return view
        if isinstance(view, type):
            return self.decorate_class(view)
        if self.find_request is None and not takes_request(view):
            raise TypeError(f"lockout_protect: {view!r} is no view: it takes no request.")
        scope = scope_of(view)
        if scope is None and self.policy.scope == DERIVED:
            raise ValueError(f'lockout_protect: {view!r} has no name to count under; write scope="...".')
        if scope is not None and self.policy.scope == DERIVED:
            note_derived(scope, view)
        return self.protect(view, self.under(scope or self.policy.scope))

    def decorate_class(self, cls: type) -> type:
        """Decorate `dispatch` in place, as Django's method_decorator does."""
        if self.find_request is not None:
            raise TypeError(f"lockout_protect: request= is for functions and methods; {cls!r} is a class.")
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
        known_async = is_async(view)

        def guard(view: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            owner = instance if instance is not None else getattr(unwrapped(view), "__self__", None)
            if owner is None:
                return call_view(policy, view, None, known_async, args, kwargs, self.find_request)
            method = getattr(unwrapped(view), "__name__", "")
            # `dispatch` is no coroutine function, but returns what the async handlers return.
            awaits = known_async or (method == "dispatch" and getattr(owner, "view_is_async", False))
            cls = owner if isinstance(owner, type) else type(owner)
            return call_view(self.policy_in(cls, method), view, owner, awaits, args, kwargs, self.find_request)

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


def _attributes(view: Any) -> dict[str, Any]:
    """What `functools.wraps` copies to a decorator outside of ours, and `as_view()` from `dispatch` to the view."""
    return {**getattr(view.__wrapped__, "__dict__", {}), "lockout_policy": view.lockout_policy}


class _ProtectedMethod(wrapt.BoundFunctionWrapper):  # type: ignore[type-arg]
    """A protected method as its class and its instances see it."""

    @property
    def lockout_policy(self) -> LockoutPolicy:
        return self._self_parent._self_policy_in(self._self_owner, self.__name__)  # type: ignore[no-any-return]

    __dict__ = property(_attributes)


class _Protected(wrapt.FunctionWrapper):  # type: ignore[type-arg]
    """A protected view; all but its call and `lockout_policy` is the view's own."""

    __bound_function_wrapper__ = _ProtectedMethod

    def __init__(self, view: Any, guard: Any, policy: LockoutPolicy, policy_in: Callable[..., LockoutPolicy]) -> None:
        super().__init__(view, guard)
        self._self_policy, self._self_policy_in = policy, policy_in

    @property
    def lockout_policy(self) -> LockoutPolicy:
        return self._self_policy

    __dict__ = property(_attributes)


class _ClassPolicy:
    """`lockout_policy` of a decorated class: each subclass has its own."""

    def __init__(self, policy_in: Callable[[type], LockoutPolicy]) -> None:
        self.policy_in = policy_in

    def __get__(self, instance: object, owner: type) -> LockoutPolicy:
        return self.policy_in(owner)

"""lockout_protect: puts a policy around a view of any kind."""

from collections.abc import Callable
from functools import wraps
from inspect import isfunction
from typing import Any, TypeVar, Unpack

import wrapt
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest

from .callables import plain
from .clients.asgi import Requestlike
from .policy import LockoutPolicy
from .terms.arguments import PolicyArguments
from .terms.terms import DERIVED
from .views.calling import call_view, is_async
from .views.mistakes import instead_of
from .views.naming import class_scope, is_stand_in, note_derived, scope_of, takes_request, unseen, unwrapped

View = TypeVar("View", bound=Callable[..., Any])


def lockout_protect(
    *policies: LockoutPolicy,
    request: Callable[..., Requestlike] | None = None,
    **arguments: Unpack[PolicyArguments],
) -> Callable[[View], View]:
    """Protect a view against guessing: `@lockout_protect(key="ip+ua", max=5, window=300, lockout=600)`.

    Decorates function and coroutine views, class-based views, their methods and what `as_view()` returned, and the
    views of Django REST framework. Takes one or several shared policies, or the arguments of one; without a `scope` the
    view counts under its own dotted name. Several are one door: a guess takes a slot of each, or of none.
    `policies_of(view)` gives those of a decorated view.

    Anything else, such as a GraphQL resolver, is decorated with `request`: a callable that is given the same arguments,
    of a method `self` too, and finds the request, or an ASGI scope, among them. There a refused guess raises LockedOut,
    unless the policy's `response` makes something to return.

    Raises TypeError where it is misplaced and ValueError for an argument that is not allowed: both at import.
    """
    for policy in policies:
        if not isinstance(policy, LockoutPolicy):
            raise TypeError(instead_of(policy))
    if request is not None and not plain(request):
        raise TypeError(f"lockout_protect: request is {request!r}; it must be a plain callable that finds the request.")
    if policies and arguments:
        raise TypeError(f"lockout_protect takes policies or arguments, not both: {', '.join(arguments)}.")
    arguments.setdefault("scope", DERIVED)
    return _Protection(policies or (LockoutPolicy(**arguments),), request).decorate


def policies_of(view: Any) -> tuple[LockoutPolicy, ...]:
    """The policies of a decorated view, or class; outermost first. Raises TypeError for any other."""
    found = getattr(view, "lockout_policies", None)
    if not isinstance(found, tuple):
        raise TypeError(f"policies_of: {view!r} is not decorated.")
    return found


class _Protection:
    """Policies on their way to views; where their scope is derived, each view gets its own copies, made once."""

    def __init__(
        self,
        policies: tuple[LockoutPolicy, ...],
        find_request: Callable[..., Requestlike] | None,
        merged: bool = False,
    ) -> None:
        self.policies, self.find_request, self.merged = policies, find_request, merged
        self.derives = any(policy.scope == DERIVED for policy in policies)
        self.scoped: dict[str, tuple[LockoutPolicy, ...]] = {}

    def decorate(self, view: Any) -> Any:
        if is_stand_in(view):
            view.lockout_policies = self.policies
            return view
        if isinstance(view, type):
            return self.decorate_class(view)
        if why := unseen(view):
            raise TypeError(f"lockout_protect: {view!r} {why}.")
        if both := self.stacked_on(view):
            return both.protect(view, both.under(scope_of(view) or ""))
        if self.find_request is None and not takes_request(view):
            raise TypeError(f"lockout_protect: {view!r} is no view: it takes no request.")
        scope = scope_of(view)
        if scope is None and self.derives:
            raise ValueError(f'lockout_protect: {view!r} has no name to count under; write scope="...".')
        if scope is not None and self.derives:
            note_derived(scope, view)
        return self.protect(view, self.under(scope or ""))

    def decorate_class(self, cls: type) -> type:
        """Decorate `dispatch` in place, as Django's method_decorator does."""
        if self.find_request is not None:
            raise TypeError(f"lockout_protect: request= is for functions and methods; {cls!r} is a class.")
        inherited = getattr(cls, "dispatch", None)
        if inherited is None:
            raise TypeError(f"lockout_protect: {cls!r} is no view: it has no dispatch(). Decorate its methods.")
        if both := self.stacked_on(own := vars(cls).get("dispatch")):
            setattr(cls, "dispatch", own.__wrapped__)  # type: ignore[union-attr]  # noqa: B010
            return both.decorate_class(cls)

        @wraps(inherited)
        def dispatch(self: Any, request: HttpRequest, /, *args: Any, **kwargs: Any) -> Any:
            return inherited(self, request, *args, **kwargs)

        if iscoroutinefunction(inherited):
            markcoroutinefunction(dispatch)
        protected = self.protect(dispatch, self.under(class_scope(cls)))
        for name, value in {"dispatch": protected, "lockout_policies": _ClassPolicies(self.policies_in)}.items():
            setattr(cls, name, value)
        return cls

    def stacked_on(self, view: Any) -> "_Protection | None":
        """Both in one, if `view` is decorated already: one door, whose records are read and written together."""
        inner = view._self_protection if type(view) is _Protected else None
        if inner is None or not (self.find_request is inner.find_request is None):
            return None
        return _Protection(self.policies + inner.policies, None, merged=True)

    def protect(self, view: Any, policies: tuple[LockoutPolicy, ...]) -> Any:
        known_async, is_function = is_async(view), isfunction(view)

        def guard(view: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            while self.merged and type(view) in (_Protected, _ProtectedMethod):  # its policies are among these
                view = view.__wrapped__
            owner = instance
            if owner is None and not is_function:
                owner = getattr(unwrapped(view), "__self__", None)
            if owner is None:
                return call_view(policies, view, None, known_async, args, kwargs, self.find_request)
            method = getattr(unwrapped(view), "__name__", "")
            # `dispatch` is no coroutine function, but returns what the async handlers return.
            awaits = known_async or (method == "dispatch" and getattr(owner, "view_is_async", False))
            cls = owner if isinstance(owner, type) else type(owner)
            return call_view(self.policies_in(cls, method), view, owner, awaits, args, kwargs, self.find_request)

        return _Protected(view, guard, policies, self)

    def policies_in(self, cls: type, method: str = "dispatch") -> tuple[LockoutPolicy, ...]:
        """The policies of a method, which a subclass may have inherited."""
        return self.under(class_scope(cls, method))

    def under(self, scope: str) -> tuple[LockoutPolicy, ...]:
        """The policies; of those without a scope their copies for `scope`."""
        if not self.derives:
            return self.policies
        if scope not in self.scoped:
            self.scoped[scope] = tuple([one.scoped(scope) if one.scope == DERIVED else one for one in self.policies])
        return self.scoped[scope]


def _attributes(view: Any) -> dict[str, Any]:
    """What `functools.wraps` copies to a decorator outside of ours, and `as_view()` from `dispatch` to the view."""
    own = {name: value for name, value in getattr(view.__wrapped__, "__dict__", {}).items() if name != "__wrapped__"}
    return {**own, "lockout_policies": view.lockout_policies}


def _repr(view: Any) -> str:
    return repr(view.__wrapped__)


class _ProtectedMethod(wrapt.BoundFunctionWrapper):  # type: ignore[type-arg]
    """A protected method as its class and its instances see it."""

    @property
    def lockout_policies(self) -> tuple[LockoutPolicy, ...]:
        return self._self_parent._self_protection.policies_in(self._self_owner, self.__name__)  # type: ignore[no-any-return]

    __dict__ = property(_attributes)
    __repr__ = _repr


class _Protected(wrapt.FunctionWrapper):  # type: ignore[type-arg]
    """A protected view; all but its call and `lockout_policies` is the view's own."""

    __bound_function_wrapper__ = _ProtectedMethod

    def __init__(self, view: Any, guard: Any, policies: tuple[LockoutPolicy, ...], protection: _Protection) -> None:
        super().__init__(view, guard)
        self._self_policies, self._self_protection = policies, protection

    @property
    def lockout_policies(self) -> tuple[LockoutPolicy, ...]:
        return self._self_policies

    __dict__ = property(_attributes)
    __repr__ = _repr


class _ClassPolicies:
    """`lockout_policies` of a decorated class: each subclass has its own."""

    def __init__(self, policies_in: Callable[[type], tuple[LockoutPolicy, ...]]) -> None:
        self.policies_in = policies_in

    def __get__(self, instance: object, owner: type) -> tuple[LockoutPolicy, ...]:
        return self.policies_in(owner)

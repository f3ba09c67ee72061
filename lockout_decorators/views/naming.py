"""The name of a view, which its policy counts under unless it is given a scope."""

import inspect
from functools import partial
from typing import Any
from weakref import WeakSet

derived: dict[str, WeakSet[Any]] = {}  # the views under each scope that was derived and not given

VERIFIERS = ("authenticate", "aauthenticate", "authenticate_credentials")
REGISTERED = ("_ninja_operation", "OPERATION_ENDPOINT_KEY")  # by django-ninja, by django-ninja-extra
STAND_IN = "_update_method_wrapper.<locals>.dummy"  # what Django's method_decorator decorates instead of the method


def scope_of(view: Any) -> str | None:
    """The dotted name of a view: of a function, or of the class behind a method, `as_view()` or callable object.

    A method other than `dispatch` is named after its class. None where there is no name, as for a lambda.
    """
    view = unwrapped(view)
    if isinstance(view, type):
        return class_scope(view)
    if inspect.ismethod(view):
        owner = view.__self__
        return class_scope(owner if isinstance(owner, type) else type(owner), view.__name__)
    for attribute in ("view_class", "cls"):  # Django's as_view(), DRF's
        if isinstance(cls := getattr(view, attribute, None), type):
            return class_scope(cls)
    name = getattr(view, "__qualname__", None)
    if name is None:
        return class_scope(type(view))
    return None if "<lambda>" in name else f"{view.__module__}.{name}"


def class_scope(cls: type, method: str = "dispatch") -> str:
    """A class by its qualified name, or by the name it was given afterwards (as DRF's `api_view` does)."""
    name = cls.__qualname__ if cls.__qualname__.rpartition(".")[2] == cls.__name__ else cls.__name__
    return f"{cls.__module__}.{name}" + ("" if method == "dispatch" else f".{method}")


def unwrapped(view: Any) -> Any:
    """The function of a partial; Django's `method_decorator` makes one of the method of each new instance."""
    while isinstance(view, partial):
        view = view.func
    return view


def note_derived(scope: str, view: Any) -> None:
    """Remember which functions count under a derived scope; classes and methods can't share a name by accident."""
    if inspect.isfunction(unwrapped(view)):
        derived.setdefault(scope, WeakSet()).add(view)


def is_stand_in(view: Any) -> bool:
    return getattr(view, "__module__", None) == "django.utils.decorators" and view.__qualname__ == STAND_IN


def unseen(view: Any) -> str | None:
    """Why guesses would go unseen if this were decorated; None where they would not."""
    if inspect.isgeneratorfunction(view) or inspect.isasyncgenfunction(view):
        return "is a generator function: it runs when nobody watches any more"
    if inspect.ismethod(view) and view.__name__ == "as_view":
        return "makes views, and is none: call it, as_view()"
    if any(mark in getattr(view, "__dict__", ()) for mark in REGISTERED):
        return "is registered, unprotected: put lockout_protect below the line that does so"
    return None


def verifies(view: Any, owner: Any) -> bool:
    """Whether `view` is a method that returns who signed in, as those of django-ninja's authentication classes: an
    answer in place of a user would let its sender in."""
    if owner is None or hasattr(owner, "dispatch"):
        return False
    return getattr(unwrapped(view), "__name__", "") in VERIFIERS


def takes_request(view: Any) -> bool:
    """Whether `view` can be called with a request, as first argument or by name. A lone `self` is no request."""
    try:
        parameters = list(inspect.signature(view).parameters.values())
    except (TypeError, ValueError):  # some builtins tell nothing
        return callable(view)
    if parameters and parameters[0].name == "self":
        parameters = parameters[1:]
    return any(one.kind is not one.KEYWORD_ONLY or one.name == "request" for one in parameters)

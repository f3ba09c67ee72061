"""What a view verifies: the parts of a function, of a class, of a method of an AdminSite."""

from collections.abc import Iterator
from typing import Any

from ..policy import LockoutPolicy
from .apis import authentications, operations, operations_of
from .door import Door, Part, once, settled
from .kinds import SITE, VIEWS, Kind, known, loaded, path_of
from .layers import Made, attribute, layers, made_of, module_of, name_of, policies_at
from .source import Reading, is_form, methods
from .writing import line_of_site

ADMIN_SITE = "django.contrib.admin.sites.AdminSite"
STANDARD = {"list", "create", "retrieve", "update", "partial_update", "destroy"}  # actions of a ViewSet


def doors_at(route: str, view: Any, views: frozenset[int]) -> list[Door]:
    """The doors of one route. `views` are those of the URLconf by the ids of their functions."""
    parts = [*_parts(view, views)]
    found = [door for part in parts for door in part.doors(route)]
    return settled(found or [door for part in parts[-1:] for door in part.guarded(route)])


def is_decorated(view: Any) -> bool:
    """Whether there is a policy around it, its class, or one of its handlers or operations."""
    return bool(policies_around(view))


def policies_around(view: Any) -> tuple[LockoutPolicy, ...]:
    """Those of a view, of its class, and of all its handlers and operations."""
    return once([policy for policies in decorations(view) for policy in policies])


def decorations(view: Any) -> list[tuple[LockoutPolicy, ...]]:
    """The same, by what is decorated with them."""
    cls: Any = made_of(view).cls
    handlers = [attribute(cls, name) for name in (*(attribute(cls, "http_method_names") or ()), "dispatch")]
    actions = [attribute(cls, name) for name in (attribute(view, "actions") or {}).values()]
    functions = [attribute(operation, "view_func") for operation in operations_of(view)]
    found = map(policies_at, [*layers(view), cls, *handlers, *actions, *functions])
    return list(dict.fromkeys(filter(None, found)))


def _parts(view: Any, views: frozenset[int]) -> Iterator[Part]:
    outer = [policy for layer in layers(view) for policy in policies_at(layer)]
    made = made_of(view)
    if made.cls is not None and made.function is None:
        outer += [*policies_at(made.cls), *policies_at(attribute(made.cls, "dispatch"))]
        yield from authentications(made.cls, outer)
        yield from _class_parts(made, made.cls, attribute(view, "actions") or {}, outer, views)
    elif known(made.cls, {ADMIN_SITE: True}) and attribute(made.function, "__name__") in SITE:
        yield _site_part(view, made.function, outer)
    else:
        yield from operations(view, outer, views)
        reading = Reading(module_of(made.function), views, made.cls)
        reading.read_inside(made.function)
        yield Part(name_of(view), view, outer, reading)


def _site_part(view: Any, method: Any, outer: list[LockoutPolicy]) -> Part:
    kind, makes = SITE[method.__name__]
    site = method.__self__.name
    place = "" if site == "admin" else f":{site}"  # plain sites have all one dotted name
    policies = [*outer, *policies_at(loaded(makes))]
    return Part(name_of(view) + place, method, policies, Reading(""), (kind,), lines=line_of_site)


def _class_parts(
    made: Made, cls: type, actions: dict[str, str], outer: list[LockoutPolicy], views: frozenset[int]
) -> Iterator[Part]:
    """Each handler by itself; then what they lead to unseen: hooks, forms, serializers."""
    name, kinds, inner = path_of(cls) or name_of(cls), _kinds(cls), [*outer]
    rest = Reading(module_of(cls), views, cls)
    for handler in sorted({*(actions.values() or attribute(cls, "http_method_names") or ())}):
        method = attribute(cls, handler)
        if rest.is_near(module_of(method)):
            reading, policies = Reading(module_of(cls), views, cls), policies_at(method)
            reading.read_inside(method)
            rest.goes_after(reading)
            inner += policies
            yield Part(f"{name}.{handler}" if actions else name, cls, [*outer, *policies], reading, (), kinds)
    for function in methods(cls, rest.is_near):
        if attribute(function, "__name__") == "dispatch":  # whose policies are among the outer ones
            rest.read_inside(function)
        elif not (actions and _is_action(function)):
            rest.read(function)
    for form in [*vars_of(cls), *made.initial.values()]:
        if is_form(form):
            rest.read(form)
    yield Part(name, cls, inner, rest, kinds, kinds)


def _kinds(cls: type) -> list[Kind]:
    return [
        kind for kind in known(cls, VIEWS) or () if not kind.needs or attribute(loaded(kind.needs[0]), kind.needs[1])
    ]


def _is_action(function: Any) -> bool:
    """Of a ViewSet, and so perhaps of another route."""
    return attribute(function, "mapping") is not None or attribute(function, "__name__") in STANDARD


def vars_of(cls: type) -> list[Any]:
    """The values of a class's attributes, its bases' included."""
    return list({name: value for base in reversed(cls.__mro__) for name, value in vars(base).items()}.values())

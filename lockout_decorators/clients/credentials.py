"""What a guess presents: the credential that names the account, the secrets beside it, and what the request itself
has."""

import inspect
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import CharField, TextField
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from ..callables import plainly
from ..conf import conf
from .identities import CONTAINERS, fold

UsernameFunction = Callable[[HttpRequest, Mapping[str, Any]], Any]

# By their words; each of these presents something, in a header or a query field that has all of them.
PRESENTING = (
    {"authorization"},
    {"apikey"},
    {"api", "key"},
    {"auth", "key"},
    {"access", "key"},
    {"token"},
    {"apitoken"},
    {"authtoken"},
    {"accesstoken"},
    {"idtoken"},
    {"refreshtoken"},
    {"sessiontoken"},
    {"usertoken"},
    {"bearer"},
    {"jwt"},
    {"password"},
    {"passphrase"},
    {"passcode"},
    {"pin"},
    {"otp"},
    {"secret"},
    {"signature"},
    {"hmac"},
    {"assertion"},
    {"client", "cert"},
    {"clientcert"},
    {"client", "certificate"},
    {"ssl", "cert"},
)
FORGERY = {"csrf", "xsrf"}  # a token against forgery is no credential
WORD = re.compile(r"[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]+")
_KEY = os.urandom(16).hex()  # of this process


def by_name(authenticate: Any, args: Any, credentials: Mapping[str, Any]) -> Mapping[str, Any]:
    """The credentials by name, where some were given by position; all but the request, which is the first of those.
    Where they do not fit what the method shows of itself, they are named by their places."""
    try:
        bound = inspect.signature(authenticate).bind(*args, **credentials)
    except (TypeError, ValueError):  # a decorator may take what it does not show; else the call will fail
        placed = {str(place): value for place, value in enumerate(args) if place}
        return {**placed, **{name: value for name, value in credentials.items() if name != "request"}}
    request = next(iter(bound.arguments)) if args else "request"
    return {name: value for name, value in _named(bound) if name != request}


def _named(bound: inspect.BoundArguments) -> Iterator[tuple[str, Any]]:
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            yield from value.items()
        elif kind is inspect.Parameter.VAR_POSITIONAL:
            yield from ((f"{name}{n}", one) for n, one in enumerate(value))
        else:
            yield name, value


@sensitive_variables()
def account_in(
    credentials: Mapping[str, Any], username: str | UsernameFunction | None, request: HttpRequest
) -> tuple[str | None, Any]:
    """The name of the credential that names the account, and the exact value that does; None where nothing does.

    Of the usual names the first one whose value is not blank.
    """
    usual, convert = _usual()
    given = [name for name in ((username,) if isinstance(username, str) else usual) if name in credentials]
    field = next((name for name in given if fold(credentials[name]) is not None), next(iter(given), None))
    if callable(username):
        return field, plainly("username=", username(request, credentials))
    value = None if field is None else credentials[field]
    return field, _stored(value, convert) if convert and field in (usual[0], "username") else value


def fields() -> tuple[str, ...]:
    """Which credentials usually name an account; the user model's own field first."""
    return _usual()[0]


def _stored(value: Any, convert: Callable[[Any], Any]) -> Any:
    """As the user model keeps it, where user names are no text: 7 is 007."""
    try:
        return convert(value)
    except Exception:  # noqa: BLE001  # infinity is no whole number; other people's fields may say that in any way
        return value


def _usual() -> tuple[tuple[str, ...], Callable[[Any], Any] | None]:
    """Which credentials usually name an account, and how the user model converts a name that is no text."""
    model = _user_model(conf.user_model)
    return _names(model, model.USERNAME_FIELD)


@lru_cache(maxsize=4)
def _names(model: Any, username_field: str) -> tuple[tuple[str, ...], Callable[[Any], Any] | None]:
    field = model._meta.get_field(username_field)
    convert = None if isinstance(field, CharField | TextField) else getattr(field, "to_python", None)
    return tuple(dict.fromkeys([username_field, "username", "email"])), convert


@lru_cache(maxsize=4)
def _user_model(name: str) -> Any:
    return get_user_model()


def is_blank(credentials: Mapping[str, Any]) -> bool:
    """Whether there is nothing to verify."""
    return all(map(_is_empty, credentials.values()))


def _is_empty(value: Any) -> bool:
    """By its length: its truth, and what it is equal to, may be anything."""
    return value is None or any([issubclass(type(value), kind) and not kind.__len__(value) for kind in (str, bytes)])


def presents(request: HttpRequest) -> bool:
    """Whether a request itself has a secret that a backend may read from it: an API key, the code of a single sign-on,
    a client certificate. A cookie is none."""
    meta = request.META
    if any([_presenting(name) and meta[name] for name in meta if name.startswith(("HTTP_", "SSL_"))]):
        return True
    query = request.GET
    return bool(query.get("code") and query.get("state")) or any(_presenting(name) and query[name] for name in query)


@lru_cache(maxsize=1024)
def _presenting(name: str) -> bool:
    words = {word.lower() for word in WORD.findall(name)}
    return "cookie" not in words and not words & FORGERY and any(known <= words for known in PRESENTING)


class Comparison:
    """Tells whether two calls present the same values, without keeping plain secrets: by a digest under a random key.

    Strings, bytes and numbers are compared by value, any other object by identity (and kept alive for that).
    """

    def __init__(self) -> None:
        self._objects: dict[int, object] = {}

    @sensitive_variables()
    def digest(self, credentials: Mapping[str, Any], without: str | None = None) -> bytes:
        """Of all values but that of `without`, unless there is nothing else: a token may go by the name of a name."""
        secrets = {name: value for name, value in credentials.items() if name != without}
        if is_blank(secrets):
            secrets = dict(credentials)
        spelled = _KEY
        for name in sorted(secrets):
            spelled += f"{name!a}: {self._spell(secrets[name])}, "
        return sha256(spelled.encode()).digest()

    def _spell(self, value: Any) -> str:
        kind = type(value)
        if issubclass(kind, str):
            return ascii(str.__str__(value))  # a subclass may hide itself
        for plain in (bytes, float):
            if issubclass(kind, plain):
                return ascii(plain.__repr__(value))
        if issubclass(kind, int):
            return hex(value)  # of any length, unlike decimal digits
        return f"{kind.__name__} {id(self._objects.setdefault(id(value), value))} {_content(value)}"


def _content(value: Any) -> str:
    """Of what may be filled anew and passed again."""
    if isinstance(value, CONTAINERS):
        with suppress(Exception):  # it is the project's
            return ascii(value)
    return ""

"""django-ninja: operations, and authentication classes where the guess happens before the operation."""

# fmt: off
# recipe
from dataclasses import replace

from django.contrib.auth import aauthenticate, authenticate
from django.urls import path
from ninja import NinjaAPI, Schema
from ninja.responses import Status
from ninja.security import APIKeyHeader, HttpBasicAuth

from lockout_decorators import (
    LockedOut,
    LockoutPolicy,
    lockout_protect,
    presets,
)

api = NinjaAPI()
sign_in = [replace(policy, scope="sign in") for policy in presets.LOGIN]
keys = LockoutPolicy(
    scope="api keys", key="ip", max=20, window=300, lockout=600
)


class Credentials(Schema):
    username: str
    password: str


class Welcome(Schema):
    user: str | None


@api.post("/login", response=Welcome)
@lockout_protect(*sign_in)
def login(request, data: Credentials):
    user = authenticate(request, username=data.username, password=data.password)
    return {"user": user and user.get_username()}


@api.post("/alogin", response=Welcome)
@lockout_protect(*sign_in)
async def alogin(request, data: Credentials):
    user = await aauthenticate(
        request, username=data.username, password=data.password
    )
    return {"user": user and user.get_username()}


class Basic(HttpBasicAuth):
    @lockout_protect(*sign_in)  # raises LockedOut: the handler below answers
    def authenticate(self, request, username, password):
        return authenticate(request, username=username, password=password)


class Key(APIKeyHeader):
    param_name = "X-API-Key"

    def authenticate(self, request, key):
        if not key:
            return None
        with keys.attempt(request) as guess:
            if owner := find_owner(key):
                guess.succeed()
        return owner


@api.exception_handler(LockedOut)
def refuse(request, locked_out):
    response = api.create_response(
        request, {"detail": str(locked_out)}, status=locked_out.status_code
    )
    if locked_out.status.retry_after:
        response["Retry-After"] = str(locked_out.status.retry_after)
    return response


@api.get("/me", auth=[Basic()], response=Welcome)
def me(request):
    return {"user": request.auth.get_username()}


@api.get("/usage", auth=[Key()])
def usage(request):
    return {"owner": request.auth}


urlpatterns = [path("api/", api.urls)]
# end

asked: list[str] = []


def find_owner(key):
    """The project's own lookup."""
    asked.append(key)
    return "bob" if key == "right" else None


other = NinjaAPI(urls_namespace="other")
other.add_exception_handler(LockedOut, refuse)


class Problem(Schema):
    detail: str


def problem(request, locked_out):
    return Status(
        locked_out.status_code,
        {"detail": f"Come back in {locked_out.status.retry_after} s."},
    )


@other.post("/own", response={200: Welcome, 429: Problem})
@lockout_protect(key="ip", max=5, lockout=600, response=problem)
def own(request, data: Credentials):
    return login.__wrapped__(request, data)


@lockout_protect(key="ip", max=5, lockout=600, request=lambda request: request)
def by_header(request):
    name, password = request.headers["X-Name"], request.headers["X-Password"]
    return authenticate(request, username=name, password=password)


@lockout_protect(key="ip", max=5, lockout=600, request=lambda request: request)
async def aby_header(request):
    name, password = request.headers["X-Name"], request.headers["X-Password"]
    return await aauthenticate(request, username=name, password=password)


@other.get("/by-header", auth=by_header, response=Welcome)
def with_function(request):
    return {"user": request.auth.get_username()}


@other.get("/aby-header", auth=aby_header, response=Welcome)
async def with_coroutine(request):
    return {"user": request.auth.get_username()}


urlpatterns += [path("api/", other.urls)]

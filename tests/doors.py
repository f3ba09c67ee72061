"""One protected login for every way of writing a view, and what the tests share to try them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

from asgiref.sync import async_to_sync, markcoroutinefunction, sync_to_async
from django.contrib.admin import AdminSite
from django.contrib.admin import site as default_site
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth.views import LoginView
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from rest_framework.authtoken.views import ObtainAuthToken, obtain_auth_token
from rest_framework.decorators import action, api_view
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from lockout_decorators import lockout_protect

HERE = "tests.doors"
MAX, LOCKOUT = 3, 120
FORM = {"username": "bob", "password": "wrong"}
RIGHT = {"username": "bob", "password": "right"}

protect = lockout_protect(max=MAX, window=300, lockout=LOCKOUT)


def check(request: Any) -> HttpResponse:
    """The login itself: asks `authenticate()`, whatever kind of request it is given."""
    data = getattr(request, "data", request.POST)
    user = authenticate(request, username=data.get("username"), password=data.get("password"))
    return HttpResponse("welcome" if user else "wrong", status=200 if user else 401)


async def acheck(request: Any) -> HttpResponse:
    user = await aauthenticate(request, username=request.POST.get("username"), password=request.POST.get("password"))
    return HttpResponse("welcome" if user else "wrong", status=200 if user else 401)


@dataclass(frozen=True)
class Door:
    """A protected view, the scope that it must count under, and the callable that carries its policy."""

    view: Any
    scope: str
    carrier: Any = None


@protect
def function(request):
    return check(request)


@protect
async def coroutine(request):
    return await acheck(request)


@protect
async def coroutine_asking_in_a_thread(request):
    return await sync_to_async(check)(request)


def with_extra(request, extra):
    assert extra == "extra"
    return check(request)


async def awith_extra(request, extra):
    return await sync_to_async(with_extra)(request, extra)


class Plain(View):
    def post(self, request):
        return check(request)


class AsyncPlain(View):
    async def post(self, request):
        return await acheck(request)


class Method(View):
    @protect
    def post(self, request):
        return check(request)


class AsyncMethod(View):
    @protect
    async def post(self, request):
        return await acheck(request)


class DecoratedMethod(View):
    @method_decorator(protect)
    def post(self, request):
        return check(request)


class AsyncDecoratedMethod(View):
    @method_decorator(protect)
    async def post(self, request):
        return await acheck(request)


class Dispatch:
    @protect
    def dispatch(self, request, *args, **kwargs):
        return super().dispatch(request, *args, **kwargs)


class CallableObject:
    def __call__(self, request):
        return check(request)


class AsyncCallableObject:
    def __init__(self):
        markcoroutinefunction(self)  # without it Django itself takes the object for a synchronous view

    async def __call__(self, request):
        return await acheck(request)


@api_view(["POST"])
@protect
def api_inside(request):
    return check(request)


@protect
@api_view(["POST"])
def api_outside(request):
    return check(request)


class PlainAPI(APIView):
    def post(self, request):
        return check(request)


class HandlerAPI(APIView):
    @protect
    def post(self, request):
        return check(request)


class Actions(ViewSet):
    @protect
    def create(self, request):
        return check(request)

    @action(detail=False, methods=["post"])
    @protect
    def inner(self, request):
        return check(request)

    @protect
    @action(detail=False, methods=["post"])
    def outer(self, request):
        return check(request)


class SecondSite(AdminSite):
    pass


def subclass(name, *bases, **attributes):
    return type(name, bases, {"__module__": HERE, **attributes})


def door(view, name, carrier=None):
    return Door(view, f"{HERE}.{name}", carrier)


on_dispatch = method_decorator(protect, name="dispatch")
WholeClass, Decorated = protect(subclass("WholeClass", Plain)), on_dispatch(subclass("Decorated", Plain))
AsyncWholeClass, AsyncDecorated = [
    decorate(subclass(name, AsyncPlain))
    for decorate, name in ((protect, "AsyncWholeClass"), (on_dispatch, "AsyncDecorated"))
]
SiteLogin = protect(subclass("SiteLogin", LoginView, template_name="admin/login.html"))
default_site.login = protect(default_site.login)
second_site = SecondSite(name="second")
second_site.login = protect(second_site.login)
protected_lambda = lockout_protect(max=MAX, lockout=LOCKOUT, scope="a lambda")(lambda request, *args: check(request))
django_login = protect(LoginView.as_view(template_name="admin/login.html"))

DOORS = {
    "function": door(function, "function"),
    "coroutine": door(coroutine, "coroutine"),
    "coroutine-thread": door(coroutine_asking_in_a_thread, "coroutine_asking_in_a_thread"),
    "class": door(WholeClass.as_view(), "WholeClass"),
    "async-class": door(AsyncWholeClass.as_view(), "AsyncWholeClass"),
    "method": door(Method.as_view(), "Method.post", Method.post),
    "async-method": door(AsyncMethod.as_view(), "AsyncMethod.post", AsyncMethod.post),
    "dispatch-method": door(subclass("DispatchMethod", Dispatch, Plain).as_view(), "DispatchMethod"),
    "async-dispatch-method": door(
        subclass("AsyncDispatchMethod", Dispatch, AsyncPlain).as_view(), "AsyncDispatchMethod"
    ),
    "method_decorator": door(Decorated.as_view(), "Decorated"),
    "async-method_decorator": door(AsyncDecorated.as_view(), "AsyncDecorated"),
    "method_decorator-on-method": door(DecoratedMethod.as_view(), "DecoratedMethod.post", DecoratedMethod.post),
    "async-method_decorator-on-method": door(
        AsyncDecoratedMethod.as_view(), "AsyncDecoratedMethod.post", AsyncDecoratedMethod.post
    ),
    "as_view": door(protect(subclass("AsView", Plain).as_view()), "AsView"),
    "async-as_view": door(protect(subclass("AsyncAsView", AsyncPlain).as_view()), "AsyncAsView"),
    "inherited": door(subclass("Inherited", WholeClass).as_view(), "Inherited"),
    "also-inherited": door(subclass("AlsoInherited", WholeClass).as_view(), "AlsoInherited"),
    "partial": door(protect(partial(with_extra, extra="extra")), "with_extra"),
    "async-partial": door(protect(partial(awith_extra, extra="extra")), "awith_extra"),
    "callable-object": door(protect(CallableObject()), "CallableObject"),
    "async-callable-object": door(protect(AsyncCallableObject()), "AsyncCallableObject"),
    "lambda": Door(protected_lambda, "a lambda"),
    "LoginView": Door(django_login, "django.contrib.auth.views.LoginView"),
    "LoginView-subclass": door(SiteLogin.as_view(), "SiteLogin"),
    "admin": Door(default_site.login, "django.contrib.admin.sites.AdminSite.login"),
    "second-admin": door(second_site.login, "SecondSite.login"),
    "api_view-inside": door(api_inside, "api_inside", api_inside.cls.post),
    "api_view-outside": door(api_outside, "api_outside"),
    "APIView": door(protect(subclass("WholeAPI", PlainAPI)).as_view(), "WholeAPI"),
    "APIView-method_decorator": door(on_dispatch(subclass("DecoratedAPI", PlainAPI)).as_view(), "DecoratedAPI"),
    "APIView-handler": door(HandlerAPI.as_view(), "HandlerAPI.post", HandlerAPI.post),
    "APIView-as_view": door(protect(PlainAPI.as_view()), "PlainAPI"),
    "ViewSet": door(
        protect(subclass("WholeViewSet", ViewSet, create=PlainAPI.post)).as_view({"post": "create"}), "WholeViewSet"
    ),
    "ViewSet-method": door(Actions.as_view({"post": "create"}), "Actions.create", Actions.create),
    "ViewSet-action": door(Actions.as_view({"post": "inner"}), "Actions.inner", Actions.inner),
    "ViewSet-action-outside": door(Actions.as_view({"post": "outer"}), "Actions.outer", Actions.outer),
    "ObtainAuthToken": Door(protect(obtain_auth_token), "rest_framework.authtoken.views.ObtainAuthToken"),
    "ObtainAuthToken-subclass": door(protect(subclass("TokenLogin", ObtainAuthToken)).as_view(), "TokenLogin"),
}


class DistantAsyncClient(AsyncClient):
    """Django's, calling from an address of one's choice."""

    def __init__(self, address: str, **defaults: Any) -> None:
        super().__init__(**defaults)
        self.address = address

    def _base_scope(self, **request: Any) -> dict[str, Any]:
        return super()._base_scope(**request, client=(self.address, 1))


def over_http(server: str) -> Callable[..., Any]:
    """`send(path, data, method=..., address=..., **more)`, which goes through the handler of that server interface."""

    def send(path, data=None, method="post", address="192.0.2.1", **more):
        if server == "wsgi":
            return getattr(Client(REMOTE_ADDR=address), method)(path, data, **more)
        return async_to_sync(getattr(DistantAsyncClient(address), method))(path, data, **more)

    return send


def mount(settings: Any, *views: Any) -> None:
    """Serve `views` at /, /1/, /2/ and so on for the rest of the test."""
    urls = ModuleType("urls")
    vars(urls)["urlpatterns"] = [path(f"{number}/" if number else "", view) for number, view in enumerate(views)]
    settings.ROOT_URLCONF = urls

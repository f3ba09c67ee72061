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


class Plain(View):
    def post(self, request):
        return check(request)


class AsyncPlain(View):
    async def post(self, request):
        return await acheck(request)


@protect
class WholeClass(Plain):
    pass


@protect
class AsyncWholeClass(AsyncPlain):
    pass


class Method(View):
    @protect
    def post(self, request):
        return check(request)


class AsyncMethod(View):
    @protect
    async def post(self, request):
        return await acheck(request)


class DispatchMethod(Plain):
    @protect
    def dispatch(self, request, *args, **kwargs):
        return super().dispatch(request, *args, **kwargs)


class AsyncDispatchMethod(AsyncPlain):
    @protect
    def dispatch(self, request, *args, **kwargs):
        return super().dispatch(request, *args, **kwargs)


@method_decorator(protect, name="dispatch")
class Decorated(Plain):
    pass


@method_decorator(protect, name="dispatch")
class AsyncDecorated(AsyncPlain):
    pass


class DecoratedMethod(View):
    @method_decorator(protect)
    def post(self, request):
        return check(request)


class AsyncDecoratedMethod(View):
    @method_decorator(protect)
    async def post(self, request):
        return await acheck(request)


class AsView(Plain):
    pass


class AsyncAsView(AsyncPlain):
    pass


class Inherited(WholeClass):
    pass


class AlsoInherited(WholeClass):
    pass


@protect
class SiteLogin(LoginView):
    template_name = "admin/login.html"


def with_extra(request, extra):
    assert extra == "extra"
    return check(request)


class CallableObject:
    def __call__(self, request):
        return check(request)


class AsyncCallableObject:
    def __init__(self):
        markcoroutinefunction(self)  # without it Django itself takes the object for a synchronous view

    async def __call__(self, request):
        return await acheck(request)


async def awith_extra(request, extra):
    assert extra == "extra"
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


@protect
class WholeAPI(PlainAPI):
    pass


@method_decorator(protect, name="dispatch")
class DecoratedAPI(PlainAPI):
    pass


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


@protect
class WholeViewSet(ViewSet):
    def create(self, request):
        return check(request)


@protect
class TokenLogin(ObtainAuthToken):
    pass


class SecondSite(AdminSite):
    pass


default_site.login = protect(default_site.login)
second_site = SecondSite(name="second")
second_site.login = protect(second_site.login)
protected_lambda = lockout_protect(max=MAX, lockout=LOCKOUT, scope="a lambda")(lambda request, *args: check(request))

DOORS = {
    "function": Door(function, f"{HERE}.function"),
    "coroutine": Door(coroutine, f"{HERE}.coroutine"),
    "coroutine-thread": Door(coroutine_asking_in_a_thread, f"{HERE}.coroutine_asking_in_a_thread"),
    "class": Door(WholeClass.as_view(), f"{HERE}.WholeClass"),
    "async-class": Door(AsyncWholeClass.as_view(), f"{HERE}.AsyncWholeClass"),
    "method": Door(Method.as_view(), f"{HERE}.Method.post", Method.post),
    "async-method": Door(AsyncMethod.as_view(), f"{HERE}.AsyncMethod.post", AsyncMethod.post),
    "dispatch-method": Door(DispatchMethod.as_view(), f"{HERE}.DispatchMethod"),
    "async-dispatch-method": Door(AsyncDispatchMethod.as_view(), f"{HERE}.AsyncDispatchMethod"),
    "method_decorator": Door(Decorated.as_view(), f"{HERE}.Decorated"),
    "async-method_decorator": Door(AsyncDecorated.as_view(), f"{HERE}.AsyncDecorated"),
    "method_decorator-on-method": Door(DecoratedMethod.as_view(), f"{HERE}.DecoratedMethod.post", DecoratedMethod.post),
    "async-method_decorator-on-method": Door(
        AsyncDecoratedMethod.as_view(), f"{HERE}.AsyncDecoratedMethod.post", AsyncDecoratedMethod.post
    ),
    "as_view": Door(protect(AsView.as_view()), f"{HERE}.AsView"),
    "async-as_view": Door(protect(AsyncAsView.as_view()), f"{HERE}.AsyncAsView"),
    "inherited": Door(Inherited.as_view(), f"{HERE}.Inherited"),
    "also-inherited": Door(AlsoInherited.as_view(), f"{HERE}.AlsoInherited"),
    "partial": Door(protect(partial(with_extra, extra="extra")), f"{HERE}.with_extra"),
    "async-partial": Door(protect(partial(awith_extra, extra="extra")), f"{HERE}.awith_extra"),
    "callable-object": Door(protect(CallableObject()), f"{HERE}.CallableObject"),
    "async-callable-object": Door(protect(AsyncCallableObject()), f"{HERE}.AsyncCallableObject"),
    "lambda": Door(protected_lambda, "a lambda"),
    "LoginView": Door(
        protect(LoginView.as_view(template_name="admin/login.html")), "django.contrib.auth.views.LoginView"
    ),
    "LoginView-subclass": Door(SiteLogin.as_view(), f"{HERE}.SiteLogin"),
    "admin": Door(default_site.login, "django.contrib.admin.sites.AdminSite.login"),
    "second-admin": Door(second_site.login, f"{HERE}.SecondSite.login"),
    "api_view-inside": Door(api_inside, f"{HERE}.api_inside", api_inside.cls.post),
    "api_view-outside": Door(api_outside, f"{HERE}.api_outside"),
    "APIView": Door(WholeAPI.as_view(), f"{HERE}.WholeAPI"),
    "APIView-method_decorator": Door(DecoratedAPI.as_view(), f"{HERE}.DecoratedAPI"),
    "APIView-handler": Door(HandlerAPI.as_view(), f"{HERE}.HandlerAPI.post", HandlerAPI.post),
    "APIView-as_view": Door(protect(PlainAPI.as_view()), f"{HERE}.PlainAPI"),
    "ViewSet": Door(WholeViewSet.as_view({"post": "create"}), f"{HERE}.WholeViewSet"),
    "ViewSet-method": Door(Actions.as_view({"post": "create"}), f"{HERE}.Actions.create", Actions.create),
    "ViewSet-action": Door(Actions.as_view({"post": "inner"}), f"{HERE}.Actions.inner", Actions.inner),
    "ViewSet-action-outside": Door(Actions.as_view({"post": "outer"}), f"{HERE}.Actions.outer", Actions.outer),
    "ObtainAuthToken": Door(protect(obtain_auth_token), "rest_framework.authtoken.views.ObtainAuthToken"),
    "ObtainAuthToken-subclass": Door(TokenLogin.as_view(), f"{HERE}.TokenLogin"),
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

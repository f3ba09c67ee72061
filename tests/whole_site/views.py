"""A site of views that guess in every way, and nothing that guards them."""

import time
from concurrent.futures import ThreadPoolExecutor

from asgiref.sync import sync_to_async
from django.contrib.admin import AdminSite
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.signals import user_login_failed
from django.contrib.auth.views import LoginView
from django.http import HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import NotFound
from rest_framework.response import Response
from rest_framework.views import APIView

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect

OWN = LockoutPolicy(scope="own", key="ip", max=5, patience=0)
QUIET = LockoutPolicy(scope="quiet", key="ip", max=2, enforce=False)


def secret(request):
    return request.POST.get("password") or request.headers.get("X-Password")


def verify(request):
    return authenticate(request, username="bob", password=secret(request))


async def averify(request):
    return await aauthenticate(request, username="bob", password=secret(request))


def said(user, status=200):
    return HttpResponse("welcome" if user else "wrong", status=status)


def plain(request):
    return said(verify(request))


async def apart(request):
    return said(await averify(request))


async def grouped(request):
    try:
        return await apart(request)
    except LockedOut as locked_out:
        raise ExceptionGroup("tasks", [locked_out]) from None


def rendered(request):
    return TemplateResponse(request, "two_forms.html", {"login_form": AuthenticationForm(request, request.POST)})


def streamed(request):
    def lines():
        yield "checking...\n"
        yield "welcome" if verify(request) else "wrong"

    return StreamingHttpResponse(lines())


async def streamed_apart(request):
    async def lines():
        yield "checking...\n"
        yield "welcome" if await averify(request) else "wrong"

    return StreamingHttpResponse(lines())


def pooled(request):
    with ThreadPoolExecutor(1) as pool:
        return said(pool.submit(verify, request).result())


def caught(request):
    try:
        return plain(request)
    except LockedOut as locked_out:
        return HttpResponse(f"come back in {locked_out.status.retry_after}", status=429)


def listed(request):
    """As many as GraphQL's aliases may make."""
    verdicts = []
    for number in range(300):
        try:
            verdicts.append(authenticate(request, username="bob", password=f"{secret(request)}{number}"))
        except LockedOut:
            verdicts.append("refused")
    return HttpResponse(verdicts.count("refused"))


def told(request):
    user_login_failed.send("their own", credentials={"username": "bob"}, request=request)
    return HttpResponse("wrong")


def by_hand(request):
    with OWN.attempt(request, "bob") as guess:
        if user := verify(request):
            guess.succeed()
    return said(user)


def slow(request):
    slow.entered.set()
    time.sleep(0.04)
    return plain(request)


async def helped(request):
    return await sync_to_async(slow)(request)


def broken(request):
    raise ZeroDivisionError


class Hiding(APIView):
    authentication_classes = []

    def post(self, request):
        try:
            verify(request)
        finally:
            raise NotFound("Nobody.")


class Api(APIView):
    authentication_classes = [BasicAuthentication]

    def post(self, request):
        return Response("welcome")


VIEWS = {
    "nothing": lambda request: HttpResponse("to see here"),
    **{one.__name__: one for one in (plain, apart, grouped, rendered, streamed, streamed_apart, pooled, caught)},
    **{one.__name__: one for one in (listed, told, by_hand, slow, broken)},
    "form": LoginView.as_view(template_name="two_forms.html"),
    "api": Api.as_view(),
    "hiding": Hiding.as_view(),
    "own": lockout_protect(OWN)(plain),
    "decorated": lockout_protect(OWN)(helped),
    "quiet": lockout_protect(QUIET)(plain),
    "free": lockout_protect(scope="free", exempt=lambda request: True)(plain),
}
urlpatterns = [path("admin/", AdminSite(name="ours").urls), *[path(f"{name}/", view) for name, view in VIEWS.items()]]


def handler404(request, exception):
    return said(verify(request), 404)


def handler500(request):
    return said(verify(request), 500) if "X-Handled" in request.headers else HttpResponse("sorry", status=500)


def failing_handler(request):
    verify(request)
    raise ZeroDivisionError

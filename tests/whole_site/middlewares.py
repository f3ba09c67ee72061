"""Middleware inside of ours, and all places where a guess may be made."""

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.template.response import TemplateResponse

from lockout_decorators.middleware import LockoutMiddleware
from tests.whole_site.views import averify, verify

OURS = "lockout_decorators.middleware.LockoutMiddleware"


class Passing:
    """Takes part in both worlds, and does nothing."""

    sync_capable = async_capable = True

    def __init__(self, get_response):
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request):
        return self.get_response(request)


class InView(Passing):
    def process_view(self, request, *args):
        verify(request)


class InTemplate(Passing):
    def process_template_response(self, request, response):
        return TemplateResponse(request, "two_forms.html", {"login_form": str(response.context_data["login_form"])})


class Reading(Passing):
    def process_template_response(self, request, response):
        response.rendered_content  # noqa: B018
        return response


def only_sync(get_response):
    def middleware(request):
        return get_response(request)

    return middleware


def only_async(get_response):
    async def middleware(request):
        return await get_response(request)

    return middleware


def door(get_response):
    """Signs in by a header, before any view is asked."""

    def middleware(request):
        verify(request)
        return get_response(request)

    return middleware


def async_door(get_response):
    async def middleware(request):
        await averify(request)
        return await get_response(request)

    return middleware


for one in (only_async, async_door):
    one.sync_capable, one.async_capable = False, True


PLACES = {name: ([], name) for name in ("plain", "apart", "grouped", "rendered", "pooled", "form", "api")} | {
    "admin": ([], "admin/login"),
    "a middleware": ([door], "nothing"),
    "an async middleware": ([async_door], "nothing"),
    "sync inside async inside sync": ([only_sync, only_async, door], "nothing"),
    "async inside sync inside async": ([only_async, only_sync, async_door], "nothing"),
    "process_view": ([InView], "nothing"),
    "process_template_response": ([InTemplate], "rendered"),
    "rendered_content": ([Reading], "rendered"),
    "handler404": ([], "nowhere"),
    "handler500": ([], "broken"),
    "twice": ([LockoutMiddleware], "plain"),
}
QUIETLY = [*PLACES][:8]  # what they raise is answered before anybody makes an error of it


def within(settings, *middlewares):
    inside = [f"{one.__module__}.{one.__name__}" for one in middlewares]
    settings.MIDDLEWARE = [OURS, *inside, *settings.MIDDLEWARE[1:]]

"""Views to be read and never to be run: doors of all sorts, and what only looks like one."""

from functools import partial, wraps
from types import ModuleType, SimpleNamespace
from unittest import mock

from asgiref.sync import sync_to_async
from django import forms
from django.contrib import auth
from django.contrib.admin import AdminSite
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth import authenticate as verify
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.hashers import check_password
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.functional import SimpleLazyObject
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.generic import FormView, TemplateView
from rest_framework.authentication import BaseAuthentication, BasicAuthentication
from rest_framework.decorators import action, api_view, authentication_classes
from rest_framework.serializers import Serializer
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from lockout_decorators import LockoutPolicy, lockout_protect
from lockout_decorators.contrib.drf import LockoutAuthentication
from tests.doors import check

protect = lockout_protect(max=3)

codes = LockoutPolicy(scope="codes", key="user")


def with_attempt(request):
    with codes.attempt(request) as guess:
        if check_password(request.POST["code"], "stored"):
            guess.succeed()


def with_observe(request):
    with protected_policies.codes.observe(request):
        return authenticate(request)


class WithAttempt(View):
    codes = codes

    def post(self, request):
        with self.codes.attempt(request):
            return check_password("", "")


class ChangesByAttempt(PasswordChangeView):
    def get_form(self, form_class=None):
        with codes.attempt(self.request):
            return super().get_form(form_class)


class PostsByAttempt(PasswordChangeView):
    def post(self, request):
        with codes.attempt(request):
            return super().post(request)


class GuardedHook(FormView):
    @protect
    def post(self, request):
        return super().post(request)

    def form_valid(self, form):
        return authenticate(self.request)


class GuardedForm(forms.Form):
    @lockout_protect(request=lambda form: form.request)
    def clean(self):
        return authenticate(self.request)


class WithGuardedForm(FormView):
    form_class = GuardedForm


protected_policies = ModuleType("protected_policies")

protected_policies.codes = codes


def plain(request):
    return authenticate(request, username=request.POST["name"], password=request.POST["password"])


async def coroutine(request):
    return await aauthenticate(request)


def by_another_name(request):
    return verify(request)


def by_module(request):
    return auth.authenticate(request)


def imported_inside(request):
    from django.contrib.auth import authenticate

    return authenticate(request)


def module_imported_inside(request):
    from django.contrib import auth

    return auth.authenticate(request)


def handed_on(request):
    return sync_to_async(authenticate)(request)


def in_a_lambda(request):
    return [lambda: authenticate(request)]


def calls_helper(request):
    return check(request)


def uses_form(request):
    return AuthenticationForm(request, request.POST).is_valid()


def decorator_without_wraps(view):
    def inner(request):
        return view(request)

    return inner


def decorator(view):
    @wraps(view)
    def inner(request):
        return view(request)

    return inner


class Plain(View):
    def post(self, request):
        return authenticate(request)


class Helped(View):
    def post(self, request):
        return self.help(request)

    def help(self, request):
        return authenticate(request)


class Sub(Helped):
    pass


class LoginForm(forms.Form):
    def clean(self):
        return authenticate(None)


class WithForm(FormView):
    form_class = LoginForm


class Valid(FormView):
    def form_valid(self, form):
        return authenticate(self.request)


class LoginSerializer(Serializer):
    def validate(self, attrs):
        return authenticate(None)


class WithSerializer(APIView):
    authentication_classes = ()
    serializer_class = LoginSerializer


class HalfDecorated(View):
    @protect
    def post(self, request):
        """Its own policy, which the other handler has not."""

    def put(self, request):
        return authenticate(request)


class Called:
    def __call__(self, request):
        return authenticate(request)


class Service:
    def view(self, request):
        return authenticate(request)


@api_view(["POST"])
@authentication_classes([])
def api(request):
    return authenticate(request)


def unfinished():
    def view(request):
        return later, authenticate(request)

    if not unfinished:
        later = None
    return view


FUNCTIONS = [plain, coroutine, by_another_name, by_module, imported_inside, module_imported_inside, handed_on]
FUNCTIONS += [in_a_lambda, calls_helper, uses_form, decorator_without_wraps(plain), Service().view, unfinished()]
CLASSES = [Plain, Helped, Sub, WithForm, Valid, WithSerializer, HalfDecorated]
OPEN = {view.__qualname__: view for view in FUNCTIONS} | {cls.__name__: cls.as_view() for cls in CLASSES}
OPEN |= {"Called": Called(), "api": api, "<lambda>": lambda request: authenticate(request, **request.POST)}

WRAPPED = [  # the same behind decorators
    ("plain", partial(plain)),
    ("plain", never_cache(login_required(decorator(plain)))),
    ("Plain", never_cache(Plain.as_view())),
    ("WithForm", method_decorator(never_cache, name="dispatch")(WithForm).as_view()),
    ("Service.view", partial(Service().view)),
]


def nothing(request):
    """No door: authenticate() is only mentioned, in words that the code does not run."""
    return HttpResponse("authenticate")


def goes_to_a_door(request):
    return redirect(plain)


def asks_elsewhere(request, client=None):
    return client.authenticate(request.user.is_authenticated)


class Elsewhere(View):
    def get(self, request):
        return self.authenticate()

    def authenticate(self):
        """Of a payment service."""


class Faulty:
    """What makes up its attributes, and fails over others."""

    def __getattr__(self, name):
        if name == "cls":
            raise RuntimeError
        return self if name == "__wrapped__" else None

    def __call__(self, request):
        """A view."""


ran = []  # nothing ever


def must_not_run():
    ran.append("asks the database")


lazy = SimpleLazyObject(must_not_run)


def uses_lazy(request):
    return lazy.authenticate(request)


class HasLazy(View):
    service = lazy

    def get(self, request):
        return self.service.authenticate(request)


def closes_over(later):
    def view(request):
        return later.authenticate(request)

    return view


HARMLESS = {
    "lazy": uses_lazy,
    "lazy in a class": HasLazy.as_view(),
    "lazy in a closure": closes_over(lazy),
    "words": nothing,
    "redirect": goes_to_a_door,
    "another authenticate": asks_elsewhere,
    "method of that name": Elsewhere.as_view(),
    "faulty": Faulty(),
    "generic": TemplateView.as_view(),
    "mock": mock.Mock(),
    "C function": print,
    "C method": [].append,
    "partial of a class": partial(dict),
    "api_view": api_view(["GET"])(nothing),
}


def change_password(request):
    return request.user.check_password(request.POST["old"])


async def achange_password(request):
    return await request.user.acheck_password(request.POST["old"])


def both(request):
    return authenticate(request) and check_password("", "")


class OwnLogin(LoginView):
    def form_valid(self, form):
        return authenticate(self.request)


class Basic(LockoutAuthentication, BasicAuthentication):
    lockout_policy = LockoutPolicy(scope="basic", key="ip+username")


class Own(BaseAuthentication):
    def authenticate(self, request):
        return authenticate(request), None


class OwnGuarded(Own):
    @protect
    def authenticate(self, request):
        return super().authenticate(request)


def api_with(*classes):
    return type("API", (APIView,), {"authentication_classes": classes, "__module__": __name__}).as_view()


class Actions(ViewSet):
    authentication_classes = ()

    @protect
    def create(self, request):
        return authenticate(request)

    @action(detail=False, methods=["post"])
    def renew(self, request):
        return authenticate(request)

    @action(detail=False)
    def harmless(self, request):
        """Verifies nothing."""


partners = AdminSite(name="partners")


class Checking(BaseAuthentication):
    def authenticate(self, request):
        return check_password("", "")


# As django-ninja keeps what is behind a path; the recipes have the real one.


class Authenticator:
    def __call__(self, request):
        return self.authenticate(request)

    def authenticate(self, request):
        return authenticate(request)


def path_with(*callbacks):
    class Kept:
        operations = [SimpleNamespace(view_func=operation, auth_callbacks=callbacks)]

    kept = Kept()

    def view(request):
        return kept

    return view


@protect
def operation(request):
    return authenticate(request)


# Middlewares


class Older:
    def process_request(self, request):
        request.user = auth.authenticate(request, token=request.GET["token"])


class Newer(Older):
    """Inherits it."""


def tokens(get_response):
    def middleware(request):
        request.user = authenticate(request, token=request.GET["token"])
        return get_response(request)

    return middleware


def user_of(request):
    return authenticate(request, token=request.GET["token"])


class Helped:
    def process_request(self, request):
        request.user = user_of(request)

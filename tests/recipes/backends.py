"""Authentication backends of every kind: none of them needs anything."""

# fmt: off
# recipe
from django.contrib.auth import aauthenticate, authenticate, get_user_model
from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.urls import path

from lockout_decorators import lockout_protect, presets


class EmailBackend(ModelBackend):
    """Takes an e-mail address."""

    def authenticate(self, request, email=None, password=None):
        user = get_user_model().objects.filter(email__iexact=email).first()
        return user if user and user.check_password(password) else None


def answer(user):
    return HttpResponse(
        user.get_username() if user else "wrong", status=200 if user else 401
    )


@lockout_protect(*presets.LOGIN)
def sign_in(request):
    name, password = request.POST["name"], request.POST["password"]
    user = authenticate(request, email=name, password=password)
    return answer(
        user or authenticate(request, username=name, password=password)
    )


@lockout_protect(*presets.LOGIN)
async def asign_in(request):
    return answer(
        await aauthenticate(
            request,
            username=request.POST["name"],
            password=request.POST["password"],
        )
    )


@lockout_protect(*presets.LOGIN)
def by_link(request):
    return answer(authenticate(request, token=request.POST["token"]))


urlpatterns = [
    path("sign-in/", sign_in),
    path("asign-in/", asign_in),
    path("link/", by_link),
]
# end


class LinkBackend(ModelBackend):
    """Takes a secret, and no user name."""

    asked: list[str] = []

    def authenticate(self, request, token):
        self.asked.append(token)
        return get_user_model().objects.get() if token == "right" else None


class DirectoryBackend(ModelBackend):
    """As those of LDAP: raises when the directory is away, after it was asked."""

    away = True

    def authenticate(self, request, username=None, password=None):
        user = super().authenticate(request, username, password)
        if self.away:
            raise ConnectionError("the directory is away")
        return user


class DenyingBackend(ModelBackend):
    """Where it says no, Django asks no further backend."""

    def authenticate(self, request, username=None, password=None):
        if super().authenticate(request, username, password) is None:
            raise PermissionDenied


class AsyncBackend:
    """Has only an async door."""

    async def aauthenticate(self, request, username=None, password=None):
        return await ModelBackend().aauthenticate(request, username, password)

    authenticate = aauthenticate  # Django looks at its signature


class SecondBackend(ModelBackend):
    """Another one that verifies the same user."""

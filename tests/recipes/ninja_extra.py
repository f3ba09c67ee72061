"""django-ninja-extra: controllers, whose methods may have the request or leave it in their context."""

# fmt: off
# recipe
from dataclasses import replace

from django.contrib.auth import aauthenticate, authenticate
from django.urls import path
from ninja import Schema
from ninja_extra import ControllerBase, NinjaExtraAPI, api_controller, http_post

from lockout_decorators import LockedOut, lockout_protect, presets

api = NinjaExtraAPI(urls_namespace="extra")
sign_in = [replace(policy, scope="sign in") for policy in presets.LOGIN]


class Credentials(Schema):
    username: str
    password: str


class Welcome(Schema):
    user: str | None


def request_of(controller, *args, **data):
    return controller.context.request


@api_controller("/account")
class Account(ControllerBase):
    @http_post("/login", response=Welcome)
    @lockout_protect(*sign_in)  # below the line that registers the method
    def login(self, request, data: Credentials):
        user = authenticate(
            request, username=data.username, password=data.password
        )
        return {"user": user and user.get_username()}

    @http_post("/alogin", response=Welcome)
    @lockout_protect(*sign_in)
    async def alogin(self, request, data: Credentials):
        user = await aauthenticate(
            request, username=data.username, password=data.password
        )
        return {"user": user and user.get_username()}

    @http_post("/bare", response=Welcome)
    # Takes no request, and raises LockedOut: the handler below answers.
    @lockout_protect(*sign_in, request=request_of)
    def bare(self, data: Credentials):
        user = authenticate(
            self.context.request, username=data.username, password=data.password
        )
        return {"user": user and user.get_username()}

    @http_post("/abare", response=Welcome)
    @lockout_protect(*sign_in, request=request_of)
    async def abare(self, data: Credentials):
        user = await aauthenticate(
            self.context.request, username=data.username, password=data.password
        )
        return {"user": user and user.get_username()}


@api.exception_handler(LockedOut)
def refuse(request, locked_out):
    response = api.create_response(
        request, {"detail": str(locked_out)}, status=locked_out.status_code
    )
    if locked_out.status.retry_after:
        response["Retry-After"] = str(locked_out.status.retry_after)
    return response


api.register_controllers(Account)
urlpatterns = [path("extra/", api.urls)]
# end

"""strawberry-django-auth: the mutation that hands out tokens."""

# fmt: off
# recipe
from dataclasses import replace

import strawberry
from django.urls import path
from gqlauth.jwt.types_ import ObtainJSONWebTokenInput, ObtainJSONWebTokenType
from gqlauth.user.arg_mutations import ObtainJSONWebToken
from strawberry.django.views import GraphQLView

from lockout_decorators import lockout_protect, presets

# calls=1: one request may hold many mutations, each of them a guess
sign_in = [
    replace(policy, scope="sign in", calls=1) for policy in presets.LOGIN
]


def request_of(cls, info, input_):
    return info.context.request


class ObtainToken(ObtainJSONWebToken):
    @classmethod
    @lockout_protect(*sign_in, request=request_of)
    def resolve_mutation(
        cls, info, input_: ObtainJSONWebTokenInput
    ) -> ObtainJSONWebTokenType:
        return super().resolve_mutation(info, input_)


@strawberry.type
class Query:
    greeting: str = "hello"


@strawberry.type
class Mutation:
    token_auth = ObtainToken.field


urlpatterns = [
    path(
        "graphql/",
        GraphQLView.as_view(schema=strawberry.Schema(Query, Mutation)),
    )
]
# end


@strawberry.type
class Bare:
    token_auth = ObtainJSONWebToken.field


whole = lockout_protect(key="ip", max=5, lockout=600, calls=1, scope="graphql")
urlpatterns += [
    path(
        "whole/",
        whole(GraphQLView.as_view(schema=strawberry.Schema(Query, Bare))),
    )
]

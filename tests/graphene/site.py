"""django-graphql-jwt: the mutation that hands out tokens."""

# fmt: off
# recipe
from dataclasses import replace

import graphene
import graphql_jwt
from django.urls import path
from graphene_django.views import GraphQLView

from lockout_decorators import lockout_protect, presets

# calls=1: one request may hold many mutations, each of them a guess
sign_in = [
    replace(policy, scope="sign in", calls=1) for policy in presets.LOGIN
]


def request_of(cls, root, info, **arguments):
    return info.context


class ObtainToken(graphql_jwt.ObtainJSONWebToken):
    @classmethod
    @lockout_protect(*sign_in, request=request_of)
    def mutate(cls, root, info, **arguments):
        return super().mutate(root, info, **arguments)


class Query(graphene.ObjectType):
    me = graphene.String()

    def resolve_me(self, info):
        return info.context.user.get_username()


class Mutation(graphene.ObjectType):
    token_auth = ObtainToken.Field()


urlpatterns = [
    path(
        "graphql/", GraphQLView.as_view(schema=graphene.Schema(Query, Mutation))
    )
]
# end


class Bare(graphene.ObjectType):
    token_auth = graphql_jwt.ObtainJSONWebToken.Field()


whole = lockout_protect(
    key="ip", max=5, lockout=600, calls=1, patience=0, scope="graphql"
)
urlpatterns += [
    path(
        "whole/",
        whole(GraphQLView.as_view(schema=graphene.Schema(Query, Bare))),
    )
]

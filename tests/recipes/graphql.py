"""strawberry: a login mutation, and many of them in one request."""

# fmt: off
# recipe
from dataclasses import replace

import strawberry
from django.contrib.auth import aauthenticate, authenticate
from django.urls import path
from strawberry.django.views import AsyncGraphQLView, GraphQLView

from lockout_decorators import LockoutPolicy, lockout_protect, presets

# calls=1: one request may hold many mutations, each of them a guess
sign_in = [
    replace(policy, scope="sign in", calls=1) for policy in presets.LOGIN
]


def request_of(root, info, **arguments):
    return info.context.request


@strawberry.type
class Query:
    @strawberry.field
    def greeting(self) -> str:
        return "hello"


@strawberry.type
class Mutation:
    @strawberry.mutation
    @lockout_protect(*sign_in, request=request_of)
    def login(
        self, info: strawberry.Info, username: str, password: str
    ) -> str | None:
        user = authenticate(
            info.context.request, username=username, password=password
        )
        return user and user.get_username()


@strawberry.type
class AsyncMutation:
    @strawberry.mutation
    @lockout_protect(*sign_in, request=request_of)
    async def login(
        self, info: strawberry.Info, username: str, password: str
    ) -> str | None:
        user = await aauthenticate(
            info.context.request, username=username, password=password
        )
        return user and user.get_username()


schema = strawberry.Schema(Query, Mutation)
aschema = strawberry.Schema(Query, AsyncMutation)

urlpatterns = [
    path("graphql/", GraphQLView.as_view(schema=schema)),
    path("agraphql/", AsyncGraphQLView.as_view(schema=aschema)),
]
# end


def told(request, locked_out):
    return f"Come back in {locked_out.status.retry_after} s."


@strawberry.type
class Bare:
    @strawberry.mutation
    def login(
        self, info: strawberry.Info, username: str, password: str
    ) -> str | None:
        user = authenticate(
            info.context.request, username=username, password=password
        )
        return user and user.get_username()

    @strawberry.mutation
    @lockout_protect(
        key="ip", max=5, lockout=600, request=request_of, response=told
    )
    def told(self, info: strawberry.Info, username: str, password: str) -> str:
        user = authenticate(
            info.context.request, username=username, password=password
        )
        return user.get_username() if user else "wrong"


@strawberry.type
class AsyncBare:
    @strawberry.mutation
    async def login(
        self, info: strawberry.Info, username: str, password: str
    ) -> str | None:
        user = await aauthenticate(
            info.context.request, username=username, password=password
        )
        return user and user.get_username()


bare, abare = (
    strawberry.Schema(Query, Bare),
    strawberry.Schema(Query, AsyncBare),
)

# whole
whole = LockoutPolicy(
    scope="graphql", key="ip", max=5, window=300, lockout=600, calls=1
)

urlpatterns += [
    path("whole/", lockout_protect(whole)(GraphQLView.as_view(schema=bare))),
    path(
        "awhole/",
        lockout_protect(whole)(AsyncGraphQLView.as_view(schema=abare)),
    ),
]
# end

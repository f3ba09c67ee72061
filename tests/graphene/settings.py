"""A project whose users sign in through django-graphql-jwt; graphene and strawberry want different graphql-core."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

SECRET_KEY = "signs the tokens of graphql-jwt, so is as long as they want"
INSTALLED_APPS = [*INSTALLED_APPS, "graphene_django"]
AUTHENTICATION_BACKENDS = ["graphql_jwt.backends.JSONWebTokenBackend", "tests.backends.CountingBackend"]
GRAPHENE = {"MIDDLEWARE": ["graphql_jwt.middleware.JSONWebTokenMiddleware"]}

"""Whoever looks at the page, and what is locked."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from lockout_decorators import LockoutPolicy


@pytest.fixture(autouse=True)
def project(settings):
    settings.LOCKOUT_JOURNAL = True
    settings.AUTHENTICATION_BACKENDS = ["tests.backends.CountingBackend", "django.contrib.auth.backends.ModelBackend"]


@pytest.fixture
def policy():
    return LockoutPolicy(scope="sign in", key="ip+username", max=2, ceiling=None)


@pytest.fixture
def staff():
    """Gives a client of somebody who has some permissions."""

    def sign_in(*permissions, name="ann", **fields):
        user = User.objects.create_user(name, is_staff=True, **fields)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = Client(raise_request_exception=True)
        client.force_login(user, "django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


@pytest.fixture
def support(staff):
    return staff("view_user", "change_user")

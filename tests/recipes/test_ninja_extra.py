"""What docs/recipes/ninja.md says of controllers."""

import pytest
from ninja import NinjaAPI
from ninja_extra import ControllerBase, http_post

from lockout_decorators import lockout_protect
from tests.recipes import ninja_extra

pytestmark = [pytest.mark.urls("tests.recipes.ninja_extra"), pytest.mark.django_db]
DOORS = ["login", "alogin", "bare", "abare"]


@pytest.fixture
def log_in(visitor):
    def send(door, password, address="192.0.2.1"):
        data = {"username": "bob", "password": password}
        return visitor(address=address).send(f"/extra/account/{door}", data)

    return send


@pytest.mark.parametrize("door", DOORS)
def test_method_of_a_controller(door, log_in, bob, verified):
    """Five wrong passwords are verified; then the right one is refused in JSON, and only there."""
    assert [{"user": None}] * 5 == [log_in(door, f"wrong{n}").json() for n in range(5)]
    refused = log_in(door, "right")
    assert (429, "900") == (refused.status_code, refused["Retry-After"])
    assert "Too many failed attempts." in refused.json().get("title", refused.json()["detail"])
    assert 5 == len(verified)
    assert {"user": "bob"} == log_in(door, "right", "192.0.2.2").json()


def test_methods_of_one_scope_share_their_counts(log_in, bob, verified):
    """With or without a request, coroutines or not."""
    for door in [*DOORS, "login"]:
        log_in(door, "wrong")
    assert [429] * 4 == [log_in(door, "right").status_code for door in DOORS]
    assert 5 == len(verified)


def test_schema_is_that_of_the_method():
    """The decorator is not seen."""
    paths = ninja_extra.api.get_openapi_schema()["paths"]
    for door in DOORS:
        body = paths[f"/extra/account/{door}"]["post"]["requestBody"]["content"]["application/json"]
        assert "#/components/schemas/Credentials" == body["schema"]["$ref"]


def test_method_without_a_request_is_told_where_it_is():
    """The error at the first call is the line to write."""

    class Told(ControllerBase):
        @lockout_protect(scope="told")
        def log_in(self, data): ...

    with pytest.raises(TypeError, match=r"request=lambda self, \*args, \*\*kwargs: self\.context\.request"):
        Told.log_in(Told(), data=None)


@pytest.mark.parametrize("register", [http_post, NinjaAPI(urls_namespace="above").post], ids=["extra", "ninja"])
def test_decorator_above_the_line_that_registers_is_refused(register):
    """There it would protect nothing: an error at import."""

    def log_in(request): ...

    with pytest.raises(TypeError, match="is registered, unprotected: put lockout_protect below"):
        lockout_protect(scope="above")(register("/login")(log_in))

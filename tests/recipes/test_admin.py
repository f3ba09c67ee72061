"""The recipe for the admin."""

import pytest
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User

from lockout_decorators import lockout_protect, policies_of

pytestmark = pytest.mark.urls("tests.recipes.admin")

WRONG, RIGHT = {"username": "boss", "password": "wrong"}, {"username": "boss", "password": "right"}
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture(autouse=True)
def boss(db):
    return User.objects.create_superuser("boss", "boss@example.org", "right")


@pytest.mark.parametrize(("site", "other"), [("admin", "partners"), ("partners", "admin")])
def test_login(site, other, visitor, verified):
    """Five passwords are verified at each site, which count apart."""
    guesser = visitor()
    login, elsewhere = f"/{site}/login/", f"/{other}/login/"
    assert guesser.get(login).status_code == 200
    assert [guesser.post(login, WRONG).status_code for _ in range(6)] == [200] * 5 + [429]
    refused = guesser.post(login, RIGHT, headers={"accept": "text/html"})
    assert (refused.status_code, refused["Content-Type"]) == (429, "text/html; charset=utf-8")
    assert verified == ["wrong"] * 5
    assert visitor("192.0.2.2").post(login, RIGHT).status_code == 302
    assert guesser.post(elsewhere, RIGHT).status_code == 302


def test_right_password_of_somebody_else_is_no_failure(visitor, bob, verified):
    """The form refuses who is no staff, authenticate() doesn't."""
    guesser = visitor()
    form = {"username": "bob", "password": "right"}
    assert {guesser.post("/admin/login/", form).status_code for _ in range(7)} == {200}
    assert verified == ["right"] * 7


@pytest.mark.parametrize("scope", [{}, {"scope": "staff"}])
def test_sites_that_share_a_scope_count_together(scope, rf, visitor, verified):
    """Two objects of one class do so without any scope, too."""
    policies = [policies_of(lockout_protect(max=1, **scope)(AdminSite(name).login))[0] for name in ("one", "two")]
    request = rf.post("/")
    with policies[0].attempt(request, "boss"):
        pass
    assert policies[1].status(request).locked


def test_sites_of_own_classes_count_apart():
    """A subclass has a name of its own."""

    class Partners(AdminSite):
        pass

    scopes = {policies_of(lockout_protect()(site.login))[0].scope for site in (AdminSite(), Partners())}
    assert len(scopes) == 2


def test_old_password(visitor, boss, verified):
    """The admin's change of password looks at the old one; five wrong ones, then the right one is refused."""
    thief = visitor()
    thief.client.force_login(boss, BACKEND)
    form = {"old_password": "wrong", "new_password1": "Zx81-spectrum", "new_password2": "another"}
    assert thief.get("/admin/password_change/").status_code == 200
    assert [thief.post("/admin/password_change/", {**form, "old_password": ""}).status_code for _ in range(6)] == [
        200
    ] * 6
    assert [thief.post("/admin/password_change/", {**form, "old_password": "right"}).status_code for _ in range(6)] == [
        200
    ] * 6
    verified.clear()
    assert [thief.post("/admin/password_change/", form).status_code for _ in range(6)] == [200] * 5 + [429]
    changed = {**form, "old_password": "right", "new_password2": "Zx81-spectrum"}
    assert thief.post("/admin/password_change/", changed).status_code == 429
    assert verified == ["wrong"] * 5
    owner = User.objects.create_superuser("owner", "owner@example.org", "right")
    other = visitor()
    other.client.force_login(owner, BACKEND)
    assert other.post("/admin/password_change/", changed).status_code == 302

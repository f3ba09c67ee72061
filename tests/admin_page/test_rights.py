"""The page in the admin: who may see it, and who may unlock."""

import pytest
from django.contrib.admin import AdminSite
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from lockout_decorators.contrib.admin import add_to
from tests.admin_page.sites import HERE, is_in, site
from tests.entries import lock_out

pytestmark = [pytest.mark.urls("tests.admin_page.sites"), pytest.mark.django_db]


def test_who_may_not_see_it_finds_no_link(staff, client, policy, request_):
    """The site's login comes before the page; without the permission it is 403."""
    reference = lock_out(policy, request_, "bob")
    away = client.get("/staff/lockouts/")
    assert (302, "/staff/login/?next=/staff/lockouts/") == (away.status_code, away["Location"])
    assert 302 == client.post("/staff/lockouts/unlock/", {"reference": reference}).status_code
    nobody = staff(name="nobody")
    assert 403 == nobody.get("/staff/lockouts/").status_code
    assert 403 == nobody.post("/staff/lockouts/unlock/", {"reference": reference}).status_code
    assert "/staff/lockouts/" not in nobody.get("/staff/").text
    assert not is_in(policy, request_)


def test_who_may_only_see_unlocks_nothing(staff, policy, request_):
    """There is no button, and the address that it would have sent to refuses; nor who may only unlock."""
    reference = lock_out(policy, request_, "bob")
    reader, unlocker = staff("view_user"), staff("change_user", name="eve")
    page = reader.get("/staff/lockouts/", {"ip": HERE, "username": "bob"})
    assert reference in page.text
    assert "/unlock/" not in page.text.replace(' action="/staff/lockouts/unlock/">', "")
    assert "<button" not in page.text.partition('id="content-main"')[2]
    for client in (reader, unlocker):
        assert 403 == client.post("/staff/lockouts/unlock/", {"reference": reference}).status_code
    assert 403 == unlocker.get("/staff/lockouts/").status_code
    assert not is_in(policy, request_)


def test_a_button_is_no_forgery(staff, policy, request_):
    """A page elsewhere can't press it, nor can a link."""
    reference = lock_out(policy, request_, "bob")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = staff("view_user", "change_user").cookies
    assert 403 == strict.post("/staff/lockouts/unlock/", {"reference": reference}).status_code
    assert 405 == strict.get("/staff/lockouts/unlock/", {"reference": reference}).status_code
    assert not is_in(policy, request_)


def test_superusers_may_where_nothing_else_is_said(staff):
    """Each site has its own page, and links to that."""
    boss, other = staff(name="boss", is_superuser=True), staff("view_user", "change_user")
    assert 200 == boss.get("/partners/lockouts/").status_code
    assert 403 == other.get("/partners/lockouts/").status_code
    for name in ("staff", "partners"):
        index = boss.get(f"/{name}/").text
        assert index.count(f'<a href="/{name}/lockouts/">Lockouts</a>') == 1, name
    assert ["Lockouts"] == [app["name"] for app in site.get_app_list(_request(boss), "lockout_decorators")]
    assert ["Authentication and Authorization"] == [app["name"] for app in site.get_app_list(_request(boss), "auth")]


def test_a_site_that_was_mounted_before_has_no_page(staff):
    """Nor a link that leads nowhere."""
    boss = staff(is_superuser=True)
    assert 200 == boss.get("/late/").status_code
    assert "lockouts" not in boss.get("/late/").text


def _request(client):
    """One of that client's, as the site sees it."""
    return client.get("/staff/").wsgi_request


def test_a_callable_says_who_may(staff, rf):
    """Of the request; users of a kind without permissions have none."""
    own = AdminSite("own")
    add_to(own, view=lambda request: request.GET.get("me") == "support", unlock=lambda request: None)
    request = rf.get("/", {"me": "support"})
    page = own._lockouts
    assert (True, False) == (page.may_view(request), page.may_unlock(request))
    assert not page.may_view(rf.get("/"))
    add_to(own)
    request.user = object()
    assert not own._lockouts.may_view(request)


async def nobody_waits(request):
    """Of no use: what it returns is true."""


@pytest.mark.parametrize("wrong", ["view_user", "auth.", 7, None, nobody_waits])
def test_what_is_no_permission_is_refused(wrong):
    """When it is said, not when somebody asks."""
    for name in ("view", "unlock"):
        with pytest.raises((TypeError, ValueError), match=f"add_to: {name} is .*; it must be"):
            add_to(AdminSite("own"), **{name: wrong})


def test_an_answer_that_is_to_be_awaited_lets_nobody_in(rf):
    """A coroutine would be true, whatever it says."""
    own = AdminSite("own")
    add_to(own, view=lambda request: nobody_waits(request))  # noqa: PLW0108  # a coroutine function is refused
    with pytest.raises(ImproperlyConfigured, match="add_to: view returned a coroutine; it must answer by itself"):
        own._lockouts.may_view(rf.get("/"))

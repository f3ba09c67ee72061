"""The page of lockouts in the admin as people see it: in a browser, by keyboard, in every look and direction."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.browser import LOOKS, Look, faults_of
from tests.recipes.scenes import HERE, busy

pytestmark = [
    pytest.mark.servers,
    pytest.mark.urls("tests.recipes.admin_page"),
    pytest.mark.django_db(transaction=True),
]
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def door(settings):
    settings.LOCKOUT_JOURNAL = True
    return busy()


@pytest.fixture
def reference(door, rf):
    """Of bob's lock."""
    return door.status(rf.post("/", REMOTE_ADDR=HERE), "bob").reference


@pytest.fixture
def visit(live_server, door):
    """Gives a page of the browser a session, and leads it to the page."""
    client = Client()
    client.force_login(User.objects.create_superuser("boss"), BACKEND)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}

    def visit(page, query=""):
        page.context.add_cookies([cookie])
        page.goto(f"{live_server.url}/admin/lockouts/{query}")

    return visit


def faults(page):
    """Without those of the links that Django's admin puts above everything."""
    return [fault for fault in faults_of(page) if "breadcrumbs" not in fault]


@pytest.mark.parametrize("look", LOOKS)
def test_anybody_can_read_it(look, browser, visit):
    """axe-core finds nothing, also in what was looked up and what is folded away; nothing is wider than the window."""

    def script(page):
        visit(page, f"?ip={HERE}&username=bob")
        page.locator("summary").first.click()
        return faults(page)

    assert [] == browser.run(script, LOOKS[look])


def test_it_is_read_from_right_to_left(browser, visit, settings):
    """Where the language is. What is wrong in the form is told where it is."""
    settings.LANGUAGE_CODE = "ar"

    def script(page):
        visit(page, "?reference=junk")
        return page.locator("html").get_attribute("dir"), page.locator(".errorlist").count(), faults(page)

    assert ("rtl", 1, []) == browser.run(script, Look(width=360))


def test_a_lock_is_lifted_by_keyboard(browser, visit, door, reference, rf):
    """The search, the button behind it, and what was done are in reach, and told."""

    def script(page):
        visit(page)
        page.get_by_label("Address").focus()
        page.keyboard.type(HERE)
        page.keyboard.press("Tab")
        page.keyboard.type("bob")
        page.keyboard.press("Enter")
        page.wait_for_url("**/lockouts/?**")
        page.get_by_role("region", name="What was found").focus()
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.innerText")
        page.keyboard.press("Enter")
        page.wait_for_selector(".messagelist .success")
        return focused.split(), page.locator(".messagelist").inner_text()

    focused, told = browser.run(script)
    assert ["Unlock", reference] == focused
    assert f"Unlocked: {door.scope} ({reference})." == told
    assert not door.status(rf.post("/", REMOTE_ADDR=HERE), "bob").locked


def test_who_may_look_and_who_may_unlock(client, door, reference, django_user_model):
    """By the permissions that the recipe names."""
    staff = django_user_model.objects.create_user("ann", is_staff=True)
    client.force_login(staff, BACKEND)
    for codenames, codes in (
        ((), (403, 403)),
        (("view_user",), (200, 403)),
        (("view_user", "change_user"), (200, 302)),
    ):
        staff.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        sent = client.get("/admin/lockouts/"), client.post("/admin/lockouts/unlock/", {"reference": reference})
        assert codes == tuple(response.status_code for response in sent)

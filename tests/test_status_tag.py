"""`{% lockout_status %}`: what a page tells of the tries that are left, true when it is shown."""

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import aauthenticate, authenticate, get_user_model
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.views import LoginView
from django.core.exceptions import ImproperlyConfigured
from django.shortcuts import render
from django.template import Context, Engine, RequestContext
from django.test import AsyncClient, Client
from django.views import View

from lockout_decorators import LockoutPolicy, lockout_protect
from lockout_decorators.exceptions import StoreError
from lockout_decorators.stores import Store
from tests.doors import FORM, RIGHT, mount

ASK = "{% load lockout %}{% lockout_status%s as lockout %}"
TELL = (
    "{% if lockout %}{{ lockout.scope }} {{ lockout.counter }}: {{ lockout.remaining }} left"
    "{% if lockout.locked %}, locked for {{ lockout.retry_after }} s{% endif %}{% else %}nothing{% endif %}"
)


pytestmark = pytest.mark.usefixtures("frozen")


@pytest.fixture
def page(settings, tmp_path):
    """Write the page that the views show; arguments of the tag go first."""

    def write(arguments="", tell=TELL):
        (tmp_path / "page.html").write_text(ASK.replace("%s", arguments and f" {arguments}") + tell)
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]  # which forgets what was there

    write()
    return write


def sign_in(request):
    if request.method == "POST":
        authenticate(request, username=request.POST.get("username"), password=request.POST.get("password"))
    return render(request, "page.html")


async def asign_in(request):
    if request.method == "POST":
        await aauthenticate(request, username=request.POST.get("username"), password=request.POST.get("password"))
    return render(request, "page.html")


def ask(method="get", data=None, address="192.0.2.1", where="/", **more):
    return getattr(Client(REMOTE_ADDR=address), method)(where, data, **more).content.decode()


def at(name, password="wrong"):
    return {"username": name, "password": password}


@pytest.mark.parametrize("view", [sign_in, asign_in])
@pytest.mark.parametrize("key", ["ip", "ip+username"])
def test_tries_that_are_left(view, key, page, settings, verified):
    """The failure at hand included, the same for known and unknown names; then the page is that of the lock."""
    mount(settings, lockout_protect(key=key, max=3, scope="door")(view))
    for name, address in (("bob", "192.0.2.1"), ("nobody", "192.0.2.2")):
        assert "door key: 2 left" == ask("post", at(name), address)
        assert "door key: 1 left" == ask("post", at(name), address)
        assert "door key: 0 left, locked for 600 s" == ask("post", at(name), address)
        assert "Too many failed attempts." in ask("post", at(name, "right"), address)
        assert ("door key: 0 left, locked for 600 s" if key == "ip" else "nothing") == ask(address=address)
    assert 429 == Client(REMOTE_ADDR="192.0.2.1").post("/", RIGHT).status_code
    assert 6 == len(verified)


def email(request, credentials):
    return credentials["email"].partition("@")[0]


def tenant(request, credentials):
    return f"{credentials['tenant']} {credentials['username']}"


@pytest.mark.parametrize(("username", "told"), [(email, "door key: 2 left"), (tenant, "nothing")])
def test_computed_name(username, told, page, settings, verified):
    """Before anybody has typed one there is none; nor where it is made of more than a name."""

    def view(request):
        if request.method == "POST":
            authenticate(request, username="bob", email="bob@example.org", tenant="acme", password="wrong")
        return render(request, "page.html")

    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Refusing"]
    mount(settings, lockout_protect(key="ip+username", max=3, scope="door", username=username)(view))
    assert "nothing" == ask()
    assert told == ask("post", at("bob@example.org"))


class Refusing(BaseBackend):
    def authenticate(self, request, **credentials):
        return None


def test_form_names_who_is_tried(page, settings, verified, db):
    """Django's own, which is rendered after the view. A right password gives back its tries."""
    get_user_model().objects.create(pk=1, username="bob")
    login = LoginView.as_view(template_name="page.html")
    mount(settings, lockout_protect(key="ip+username", max=3, scope="door")(login))
    assert "nothing" == ask()
    assert ["door key: 2 left", "door key: 1 left"] == [ask("post", FORM) for _ in range(2)]
    assert "door key: 2 left" == ask("post", at("eve"))
    assert "" == ask("post", RIGHT)
    assert "door key: 2 left" == ask("post", FORM)


def test_one_look_at_all_policies(page, settings, trips, verified):
    """The door of two is read at once, as on a GET without any guess; what leaves the fewest tries is told."""
    name = LockoutPolicy(scope="name", key="username", max=4, ceiling=None)
    address = LockoutPolicy(scope="address", key="ip", max=6)
    mount(settings, lockout_protect(name, address)(sign_in))
    page("username='bob'")
    assert "name key: 4 left" == ask()
    assert [("read", 2)] == trips
    for left in (3, 2, 1):
        assert f"name key: {left} left" == ask("post", FORM)
    page()
    assert ["address key: 2 left", "address key: 1 left"] == [ask("post", at(f"user{n}")) for n in range(2)]
    assert "address key: 0 left, locked for 600 s" == ask("post", at("user9"))
    assert "address key: 0 left, locked for 600 s" == ask()
    assert 429 == Client(REMOTE_ADDR="192.0.2.1").post("/", RIGHT).status_code
    assert 6 == len(verified)


def test_address_that_is_locked_shows_before_any_name(page, settings, verified):
    """The ceiling's lock is everybody's there; as long as there is none, nothing is known without a name."""
    mount(settings, lockout_protect(key="ip+username", max=1, ceiling=3, scope="door")(sign_in))
    for number in range(3):
        assert "nothing" == ask()
        ask("post", at(f"user{number}"))
    assert "door ceiling: 0 left, locked for 600 s" == ask()
    assert "nothing" == ask(address="192.0.2.2")
    assert 429 == Client(REMOTE_ADDR="192.0.2.1").post("/", RIGHT).status_code


def test_known_browser_has_its_own(page, settings, verified):
    """Strangers lock strangers: the owner keeps the tries of his browser, and hears nothing before a name is known."""
    from datetime import timedelta

    policy = LockoutPolicy(scope="door", key="username", max=2, ceiling=None, known_browsers=timedelta(days=9))
    address = LockoutPolicy(scope="address", key="ip", max=9)
    mount(settings, lockout_protect(policy, address)(sign_in))
    owner = Client(REMOTE_ADDR="192.0.2.1")
    owner.post("/", RIGHT)
    for _ in range(2):
        ask("post", FORM, "192.0.2.9")
    page("username='bob'")
    assert "door key: 0 left, locked for 600 s" == ask(address="192.0.2.9")
    assert "door browser: 2 left" == owner.get("/").content.decode()
    page()
    assert "nothing" == owner.get("/").content.decode()
    assert "door browser: 1 left" == owner.post("/", FORM).content.decode()
    assert 3 == len([pair for pair in verified if pair == ("bob", "wrong")])
    assert "door browser: 2 left" == owner.post("/", RIGHT).content.decode()


def form(request):
    return render(request, "page.html")


def decorated_post():
    """A class whose GET is open."""
    post = lockout_protect(max=1, scope="handler")(lambda self, request: sign_in(request))
    return type("Form", (View,), {"get": lambda self, request: form(request), "post": post}).as_view()


def test_policies_of_the_view_where_no_block_is_open(page, settings, verified):
    """The GET of a class whose POST is decorated knows them; a form for another view names them."""
    mount(settings, decorated_post(), form)
    assert ["handler key: 1 left", "nothing"] == [ask(), ask(where="/1/")]
    ask("post", FORM)
    assert "handler key: 0 left, locked for 600 s" == ask()
    page("'handler'")
    assert "handler key: 0 left, locked for 600 s" == ask(where="/1/")
    page("'elsewhere'")
    with pytest.raises(LookupError, match="no policy has the scope 'elsewhere'; there are: handler"):
        ask(where="/1/")
    assert 429 == Client(REMOTE_ADDR="192.0.2.1").post("/", RIGHT).status_code


def test_policies_may_be_given(page, settings, rf, verified):
    """One, or several, from the context."""
    one, two = (LockoutPolicy(scope=scope, key="ip", max=limit) for scope, limit in (("one", 5), ("two", 3)))
    engine = Engine(libraries={"lockout": "lockout_decorators.templatetags.lockout"})
    template = engine.from_string(ASK.replace("%s", " policies") + TELL)
    shown = [template.render(RequestContext(rf.get("/"), {"policies": given})) for given in (one, (one, two), [])]
    assert ["one key: 5 left", "two key: 3 left", "nothing"] == shown
    template = engine.from_string(ASK.replace("%s", "") + TELL)
    assert "nothing" == template.render(RequestContext(rf.get("/")))  # which no view serves
    with pytest.raises(ImproperlyConfigured, match="lockout_status needs the request"):
        template.render(Context())


def test_site_shows_its_own(page, settings, verified):
    """Where no view has policies, and the middleware watches."""
    settings.MIDDLEWARE = ["lockout_decorators.middleware.LockoutMiddleware"]
    settings.LOCKOUT_SITE = {"key": "ip", "max": 2}
    mount(settings, sign_in, lockout_protect(max=7, scope="own")(form), decorated_post())
    assert ["site key: 2 left", "own key: 7 left", "handler key: 1 left"] == [
        ask(where=where) for where in ("/", "/1/", "/2/")
    ]
    assert "site key: 1 left" == ask("post", FORM)


@pytest.mark.parametrize(
    "arguments", [{"enforce": False}, {"exempt": ["192.0.2.0/24"]}], ids=["not enforced", "exempt"]
)
def test_nothing_is_said_where_nobody_is_refused(arguments, page, settings, verified):
    """A policy on trial, and those who are let through."""
    mount(settings, lockout_protect(max=1, scope="door", **arguments)(sign_in))
    assert ["nothing"] * 3 == [ask("post", FORM), ask("post", FORM), ask()]
    settings.LOCKOUT_ENABLED = False
    page("'door'")
    assert "nothing" == ask()


@pytest.mark.parametrize("view", [sign_in, asign_in])
def test_cache_that_fails_breaks_no_page(view, page, settings, verified, monkeypatch, caplog):
    """Nothing is shown, and a line in the log says why."""

    def fail(store, keys):
        raise StoreError(store.alias, OSError("down"))

    monkeypatch.setattr(Store, "read", fail)
    mount(settings, lockout_protect(scope="door")(view))
    assert "nothing" == ask()
    assert "cache 'default' failed, a page shows no status: error=OSError('down')" in caplog.text


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_async_view_may_render_on_its_loop(store, page, settings, verified):
    """Where a database refuses to be asked, and where another thread asks it."""
    mount(settings, lockout_protect(scope="door", max=3)(asign_in))

    async def send():
        client = AsyncClient()
        shown = [(await client.post("/", FORM)).content.decode() for _ in range(2)]
        return [*shown, (await client.get("/")).content.decode()]

    assert ["door key: 2 left", "door key: 1 left", "door key: 1 left"] == async_to_sync(send)()

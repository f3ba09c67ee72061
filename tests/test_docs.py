"""What the documentation says is so: its examples run, its tables are complete."""

import ast
import re
import tomllib
from contextlib import suppress
from io import StringIO
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser, User
from django.core.cache import caches
from django.core.management import call_command
from django.test import RequestFactory
from django.urls import path
from rest_framework.authtoken.models import Token

import lockout_decorators
from lockout_decorators import LockedOut, LockoutPolicy, LockoutStatus, lockout_protect, policies_of, presets, signals
from lockout_decorators.conf import conf
from lockout_decorators.mail import notice
from lockout_decorators.terms.arguments import PolicyArguments
from lockout_decorators.terms.bounds import Bounds
from tests.doors import FORM, RIGHT
from tests.mailing import with_mails

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "lockout_decorators"

pytestmark = pytest.mark.tree


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def examples(name):
    return re.findall(r"^```python\n(.*?)^```$", text_of(name), re.MULTILINE | re.DOTALL)


def execute(name):
    """Run the page's examples as one module; its names."""
    module = {"__name__": Path(name).stem.lower()}
    for example in examples(name):
        exec(compile(example, name, "exec"), module)
    return module


class Names:
    def __init__(self, module):
        vars(self).update(module)


@pytest.fixture
def mails(monkeypatch):
    """What a thread would send."""
    posted = []
    monkeypatch.setattr(notice, "post", lambda *job: posted.append(job))
    return posted


@pytest.fixture
def login_page(settings):
    """A template of the login form."""
    loaders = [("django.template.loaders.locmem.Loader", {"login.html": "again"})]
    settings.TEMPLATES = [
        {"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"loaders": loaders}}
    ]


@pytest.fixture
def guide(mails):
    """The names that the guide's examples define."""
    before = admin.site.login
    yield Names(execute("docs/howto/guide.md"))
    admin.site.login = before


@pytest.fixture
def post(rf: RequestFactory):
    def make(data=FORM, address="192.0.2.1", user=None, **more):
        request = rf.post("/", data, REMOTE_ADDR=address, **more)
        request.user, request._dont_enforce_csrf_checks = user or AnonymousUser(), True

        async def auser():
            return request.user

        request.auser = auser
        return request

    return make


# The examples


def test_front_page(verified):
    """The README's example is a protected view."""
    (example,) = examples("README.md")
    assert len(example.splitlines()) < 10
    policy = execute("README.md")["login_view"].lockout_policies[0]
    assert ("readme.login_view", 5, 300, 600, 5) == (
        policy.scope,
        policy.max,
        policy.window,
        policy.lockout,
        policy.ceiling,
    )


def test_function(guide, post, verified):
    """Five wrong guesses are verified; then the right password is not."""
    assert [401] * 5 + [429] == [guide.sign_in(post()).status_code for _ in range(6)]
    assert 429 == guide.sign_in(post(RIGHT)).status_code
    assert 5 == len(verified)
    assert 200 == guide.sign_in(post(RIGHT, address="192.0.2.2")).status_code


async def test_coroutine(guide, post, verified):
    """The same, asynchronously."""
    assert [401] * 5 + [429] == [(await guide.sign_in_async(post())).status_code for _ in range(6)]
    assert 429 == (await guide.sign_in_async(post(RIGHT))).status_code
    assert 5 == len(verified)


@pytest.mark.parametrize("name", ["Join", "Renew", "Session", "SiteLogin", "Token"])
def test_classes(name, guide, post, verified, login_page):
    """Each class stops a guesser at five."""
    view = getattr(guide, name).as_view()
    assert 429 not in [view(post()).status_code for _ in range(5)]
    assert 429 == view(post(RIGHT)).status_code
    assert 5 == len(verified)


def test_other_doors_are_protected(guide, post, verified):
    """What the guide decorates carries a policy of its own."""
    scopes = {name: getattr(guide, name).lockout_policies[0].scope for name in ("login", "renew", "SiteLogin", "Token")}
    assert len({*scopes.values()}) == 4
    assert policies_of(admin.site.login)[:4] == tuple(
        one.scoped("django.contrib.admin.sites.AdminSite.login") for one in presets.LOGIN
    )
    view = guide.Sessions.as_view({"post": "create"})
    assert [401] * 5 + [429] == [view(post()).status_code for _ in range(6)]
    assert 5 == len(verified)


def test_tokens(guide, rf, db):
    """Ten bad tokens, then refused; a request without a token is no guess."""
    view = guide.Account.as_view()
    assert [200] * 12 == [view(rf.get("/")).status_code for _ in range(12)]
    headers = {"authorization": "Token guess"}
    assert [401] * 10 + [429] * 2 == [view(rf.get("/", headers=headers)).status_code for _ in range(12)]
    assert 429 == view(rf.get("/")).status_code


def test_tokens_exactly(guide, rf, db):
    """Twenty bad tokens, then a good one is refused, as a problem of DRF's; a request without a token passes."""
    token = Token.objects.create(user=User.objects.create_user("ann"))
    view = guide.Orders.as_view()

    def send(key, address="192.0.2.1"):
        return view(rf.get("/", headers={"authorization": f"Token {key}"}, REMOTE_ADDR=address))

    assert [401] * 20 == [send("guess").status_code for _ in range(20)]
    refused = send(token.key)
    assert (429, "600") == (refused.status_code, refused["Retry-After"])
    assert "detail" in refused.data
    assert [200, 200] == [send(token.key, "192.0.2.2").status_code, view(rf.get("/")).status_code]


def test_what_is_no_view(guide, post, verified):
    """The request is found, and a refused guess raises."""
    info = SimpleNamespace(context={"request": post()})
    assert [False] * 5 == [guide.resolve_sign_in(info, **FORM) for _ in range(5)]
    with pytest.raises(LockedOut):
        guide.resolve_sign_in(info, **RIGHT)
    assert 5 == len(verified)
    assert guide.resolve_sign_in(SimpleNamespace(context={"request": post(address="192.0.2.2")}), **RIGHT)


async def test_scope_of_a_connection(guide, verified):
    """Its address is the client's."""

    def scope(address):
        return {"type": "websocket", "path": "/", "headers": [], "client": [address, 1]}

    assert [None] * 5 == [await guide.connect(scope("192.0.2.1"), **FORM) for _ in range(5)]
    with pytest.raises(LockedOut):
        await guide.connect(scope("192.0.2.1"), **RIGHT)
    assert 5 == len(verified)
    assert "bob" == (await guide.connect(scope("192.0.2.2"), **RIGHT)).username


def test_shared_policy(guide, post, verified):
    """Failures at one door lock the other."""
    assert [401] * 5 == [guide.staff_sign_in(post()).status_code for _ in range(5)]
    assert 429 == guide.staff_sign_in_with_json(post(RIGHT)).status_code
    assert 5 == len(verified)


def test_policy_around_a_guess_twice_counts_once(guide, post, verified):
    """What the guide says of a shared policy."""
    twice = guide.lockout_protect(guide.staff)(guide.staff_sign_in)
    twice(post())
    assert (1, 1) == (guide.staff.status(post()).failures, len(verified))


def test_one_time_code(guide, post):
    """Five wrong codes, then the right one is refused; another user is not."""
    ann, bob = User(pk=1, username="ann"), User(pk=2, username="bob")
    assert [401] * 5 + [429] == [guide.code(post({"code": "é"}, user=ann)).status_code for _ in range(6)]
    assert 429 == guide.code(post({"code": "271828"}, user=ann)).status_code
    assert 200 == guide.code(post({"code": "271828"}, user=bob)).status_code
    assert 302 == guide.code(post({"code": "271828"})).status_code


async def test_one_time_code_in_a_coroutine(guide, post):
    """An empty form is cancelled and counts nothing."""
    ann = User(pk=1, username="ann")

    async def send(data):
        return (await guide.code_async(post(data, user=ann))).status_code

    assert [401] * 7 == [await send({}) for _ in range(7)]
    assert 200 == await send({"code": "271828"})
    assert [401] * 5 + [429] == [await send({"code": "1"}) for _ in range(6)]
    assert 429 == await send({"code": "271828"})


def test_chances_of_guessing_a_code(guide):
    """What the guide says of its example, and of the one that looks as strict; three codes in a million are right."""
    lax = LockoutPolicy(scope="lax", key="user", max=3, window=300, lockout=900)
    chances = [1 - (1 - 3e-6) ** (365 * policy.bounds().account[0].per_day) for policy in (guide.codes, lax)]
    assert [0.005, 0.47] == [pytest.approx(chance, rel=0.1) for chance in chances]


async def test_observing_by_hand(guide, post, verified):
    """Without a decorator LockedOut comes out."""
    assert [401] * 5 == [(await guide.sign_in_by_hand_async(post())).status_code for _ in range(5)]
    with pytest.raises(LockedOut):
        await guide.sign_in_by_hand_async(post(RIGHT))
    with pytest.raises(LockedOut):
        guide.sign_in_by_hand(post(RIGHT))
    assert 5 == len(verified)


def test_own_answers(guide, post, verified):
    """A view that catches the refusal, and a policy that is told the answer."""
    for view, text in ((guide.own_answer, "Come back in 900 s."), (guide.custom_answer, "Too many attempts.")):
        responses = [view(post()) for _ in range(6)]
        assert [401] * 5 + [429] == [response.status_code for response in responses]
        assert (429, text) == (view(post(RIGHT)).status_code, responses[5].text)


@pytest.mark.parametrize("view", ["verify", "averify"])
def test_whole_site(view, guide, settings, client, verified):
    """The middleware and its setting, around a view that nobody has decorated."""
    urls = ModuleType("urls")
    urls.urlpatterns = [path("", getattr(guide, view))]
    settings.ROOT_URLCONF, settings.MIDDLEWARE, settings.LOCKOUT_SITE = urls, guide.MIDDLEWARE, guide.LOCKOUT_SITE
    assert [401] * 5 + [429] == [client.post("/", FORM).status_code for _ in range(6)]
    assert (429, 5) == (client.post("/", RIGHT).status_code, len(verified))


def test_challenge(guide, post, verified):
    """Three guesses are free, the others need the answer; then the right password is refused."""
    asked = [guide.challenging(post()) for _ in range(5)]
    assert [401] * 3 + [429] * 2 == [response.status_code for response in asked]
    assert "How much is seven times six?" == asked[-1].text
    solved = [guide.challenging(post({**FORM, "seven_times_six": "42"})).status_code for _ in range(7)]
    assert [401] * 7 == solved
    assert 429 == guide.challenging(post({**RIGHT, "seven_times_six": "42"})).status_code
    assert 10 == len(verified)


async def test_status_and_reset(guide, post):
    """What support sees, and does; the user's own request and the twins."""
    request = post()
    for reset in (guide.support, guide.after_a_reset_password):
        for _ in range(5):
            guide.staff_sign_in(request)
        assert guide.staff.status(request).locked
        text = reset(request).text
        assert text == ("5 of 5 failures" if reset is guide.support else "done")
        assert not guide.staff.status(request).locked
    for _ in range(5):
        guide.staff_sign_in(request)
    assert "locked: False" == (await guide.after_a_reset_password_async(request)).text


@pytest.mark.django_db
def test_mailed_links(guide, mails, post, settings, client, mailoutbox, verified):
    """The admins and the owner are told, once, by the thread or the queue; the button of the link's page unlocks."""
    settings.ROOT_URLCONF = ModuleType("urls")
    with_mails(settings)
    settings.ROOT_URLCONF.urlpatterns = guide.urlpatterns
    User.objects.create_user("bob", "bob@example.com")
    for _ in range(5):
        guide.sign_in_by_hand(post())
    with pytest.raises(LockedOut):
        guide.sign_in_by_hand(post(RIGHT))
    assert 1 == len(guide.queue)
    for send, told in mails:
        send(told)
    guide.work()
    assert [["bob@example.com"], ["ann@example.com"]] == [sent.to for sent in mailoutbox]
    link = re.search(r"https://example.com(\S+)", mailoutbox[0].body)[1]
    assert [200, 200, 410] == [send(link).status_code for send in (client.get, client.post, client.post)]
    assert 200 == guide.sign_in_by_hand(post(RIGHT)).status_code
    assert 6 == len(verified)


def test_an_account_and_an_address_are_bounded(guide, post, verified):
    """The recipe's numbers: a botnet gets 20 guesses at an account, a sprayer 50 over all accounts."""
    for number in range(60):
        guide.bounded(post(address=f"198.51.100.{number}"))
    assert 20 == len(verified)
    verified.clear()
    for number in range(80):
        guide.bounded(post({"username": f"user{number}", "password": "Summer2026"}))
    assert 50 == len(verified)
    assert 429 == guide.bounded(post({"username": "eve", "password": "eves"})).status_code


@pytest.mark.parametrize("name", ["known", "known_by_hand", "known_by_hand_async"])
def test_known_browsers(name, guide, post, verified):
    """Twenty guesses from everywhere lock strangers out, and not the browser that has signed in."""
    view = getattr(guide, name)
    view = async_to_sync(view) if name.endswith("async") else view
    cookies = view(post(RIGHT)).cookies
    with suppress(LockedOut):
        for number in range(30):
            view(post(address=f"198.51.100.{number}"))
    assert 21 == len(verified)
    request = post(RIGHT)
    request.COOKIES.update({name: morsel.value for name, morsel in cookies.items()})
    assert (200, 22) == (view(request).status_code, len(verified))


def test_a_sprayer_is_stopped(guide, post, verified):
    """At ten accounts, or where one of them is tried again and again, at the ceiling."""
    for number in range(40):
        guide.office(post({"username": f"user{number}", "password": "Summer2026"}))
    assert 10 == len(verified)
    assert 429 == guide.office(post(RIGHT)).status_code
    assert 200 == guide.office(post(RIGHT, address="192.0.2.2")).status_code


def test_presets(post, verified):
    """Five wrong passwords, five wrong codes; then the right one is refused."""
    page = Names(execute("docs/explanation/presets.md"))
    assert [401] * 5 + [429] * 2 == [page.sign_in(post(form)).status_code for form in [FORM] * 6 + [RIGHT]]
    assert 5 == len(verified)
    ann = User(pk=1, username="ann")
    sent = ["1"] * 6 + ["271828"]
    assert [401] * 5 + [429] * 2 == [page.code(post({"code": code}, user=ann)).status_code for code in sent]


def test_presets_are_what_the_page_says(settings):
    """Each is in its table; the report that it shows is that of LOGIN."""
    page = text_of("docs/explanation/presets.md")
    names = {name for name, value in vars(presets).items() if isinstance(value, tuple)}
    assert sorted(names) == sorted(rows("docs/explanation/presets.md", "Presets"))
    settings.ROOT_URLCONF = ModuleType("urls")
    settings.ROOT_URLCONF.urlpatterns = [path("sign-in/", lockout_protect(*presets.LOGIN)(sign_in))]
    out = StringIO()
    call_command("lockout", "report", stdout=out)
    (shown,) = re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert shown.partition("\n")[2] == out.getvalue().partition("\n")[2]


def sign_in(request):
    """What is reported of."""


# Who only looks


VIEWS = [
    *["sign_in", "sign_in_async", "sign_in_elsewhere", "SiteLogin", "Join", "Renew", "login", "Token", "Session"],
    *["renew", "Sessions", "Account", "Orders", "staff_sign_in", "staff_sign_in_with_json", "patient", "rolling"],
    *["code", "code_async", "sign_in_by_hand", "sign_in_by_hand_async", "own_answer", "custom_answer", "challenging"],
    *["bounded", "known", "known_by_hand", "known_by_hand_async", "office"],
]


def test_every_view_of_the_guide_is_looked_at(guide):
    """Those with a decorator are all below."""
    decorated = {name for name, view in vars(guide).items() if hasattr(view, "lockout_policies")}
    assert {*VIEWS} >= decorated - {"resolve_sign_in"}


@pytest.mark.parametrize("name", VIEWS)
def test_who_only_looks_guesses_nothing(name, guide, rf, db, login_page):
    """However often a signed-in user opens the page, nothing is on record."""
    view, request = getattr(guide, name), rf.get("/")
    request.user = User(pk=1, username="ann")
    if isinstance(view, type):
        view = view.as_view({"post": "create"}) if name == "Sessions" else view.as_view()

    async def auser():
        return request.user

    request.auser = auser
    view = async_to_sync(view) if iscoroutinefunction(view) else view
    for _ in range(7):
        view(request)
    assert {} == caches["default"]._cache


# The tables


def rows(page, heading):
    """The first cells of the table under a heading."""
    section = text_of(page).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [re.findall(r"`(\w+)`", line.split("|")[1])[0] for line in section.splitlines() if line.startswith("| `")]


def test_every_argument_is_in_the_reference():
    """And no other."""
    assert [*PolicyArguments.__annotations__] == rows("docs/reference/index.md", "Arguments")


def test_every_public_name_is_among_the_docstrings():
    """As Sphinx renders them; presets have a page of their own."""
    page = text_of("docs/reference/api.md")
    assert [] == [name for name in lockout_decorators.__all__ if name != "presets" and f":: {name}" not in page]


def test_every_setting_is_in_the_reference():
    """And no other, on any page."""
    source = {*re.findall(r"LOCKOUT_[A-Z0-9_]+", (PACKAGE / "conf.py").read_text(encoding="utf-8"))}
    assert sorted(source) == sorted(rows("docs/reference/index.md", "Settings"))
    for page in (ROOT / "docs").rglob("*.md"):
        assert source >= {*re.findall(r"\bLOCKOUT_[A-Z0-9_]+", page.read_text(encoding="utf-8"))}


def test_default_of_every_setting_is_what_the_reference_says():
    """The second column is what the code falls back to."""
    table = dict(re.findall(r"^\| `LOCKOUT_(\w+)` \| `([^`]+)` \|", text_of("docs/reference/index.md"), re.MULTILINE))
    assert table.pop("TRUSTED_PROXIES") == "()" and conf.trusted_proxies == (frozenset(), False)
    assert {name: ast.literal_eval(text) for name, text in table.items()} == {
        name: getattr(conf, name.lower()) for name in table
    }


def test_every_check_is_on_its_page():
    """And no other."""
    texts = [file.read_text(encoding="utf-8") for file in (PACKAGE / "checks").glob("*.py")]
    source = re.findall(r'id="(lockout_decorators\.[EWI]\d{3})"', "".join(texts))
    table = re.findall(r"^\| `(lockout_decorators\.\w+)`", text_of("docs/reference/checks.md"), re.MULTILINE)
    assert sorted({*source}) == sorted(table)
    for page in (ROOT / "docs").rglob("*.md"):
        named = re.findall(r"\b[EWI]0\d\d\b", page.read_text(encoding="utf-8"))
        assert {f"lockout_decorators.{number}" for number in named} <= {*source}


def test_every_signal_and_status_is_in_the_reference():
    """Signals and the attributes of LockoutStatus."""
    assert [name for name in vars(signals) if isinstance(getattr(signals, name), signals.Signal)] == rows(
        "docs/reference/index.md", "Signals"
    )
    assert [*LockoutStatus.__dataclass_fields__] == rows("docs/reference/index.md", "LockoutStatus")
    assert [*Bounds.__dataclass_fields__] == rows("docs/explanation/presets.md", "Bounds")
    for detail in (signals.AttemptDetail, signals.StoreDetail):
        line = re.search(
            rf"^`{detail.__name__}`: .*?\n\n", text_of("docs/reference/index.md"), re.MULTILINE | re.DOTALL
        )
        assert {*detail.__dataclass_fields__} <= {*re.findall(r"`(\w+)`", line[0])}


def test_every_bound_of_the_threat_model_is_held_by_a_test():
    """Each test that is named is there."""
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", text_of("docs/explanation/threats.md"))
    assert len(named) > 40
    assert [] == [one for one in named if f"def {one[1]}(" not in text_of(f"tests/{one[0]}")]


def test_rooms_are_drawn_as_they_stand():
    """From above, as import-linter holds them."""
    contracts = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    (drawing,) = re.findall(r"^```text\n(.*?)^```$", text_of("docs/contributing.md"), re.MULTILINE | re.DOTALL)
    drawn = [re.match(r"[| ]+(\w+(?: \| \w+)*)  ", line) for line in drawing.splitlines()]
    assert contracts[0]["layers"] == [found[1] for found in drawn if found]


def test_two_commands():
    """The README has exactly these two, each once, on a line of its own."""
    commands = re.findall(r"^    (pip install tox.*)$", text_of("README.md"), re.MULTILINE)
    assert commands == ["pip install tox && tox -e demo", "pip install tox && tox"]


def test_links_between_the_pages_lead_somewhere():
    """Files and headings that are linked to exist."""
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([\w./-]*\.md(?:#[\w-]+)?|#[\w-]+)\)", page.read_text(encoding="utf-8")):
            file, _, anchor = target.partition("#")
            linked = page.parent / file if file else page
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert not anchor or anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}

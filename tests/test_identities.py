"""Who is tried: variants of a name are counted as one identity, and only the exact name is forgiven."""

import timeit
import unicodedata
from decimal import Decimal

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import authenticate
from django.http import HttpResponse
from django.utils.safestring import SafeString
from hypothesis import given
from hypothesis import strategies as st

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect
from lockout_decorators.clients.credentials import Comparison, account_in, is_blank
from lockout_decorators.clients.identities import fold, text_of
from tests.doors import acheck, check
from tests.sizes import pairs


class Mute:
    """Has no text."""

    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


def nested(depth):
    found = []
    for _ in range(depth):
        found = [found]
    return found


VARIANTS = {
    "case": ["bob", "BOB", "Bob", "bOb"],
    "spaces": ["bob", " bob", "bob ", "\tbob\n", "\u00a0bob\u3000", "\u2003bob"],
    "full width": ["bob", "\uff42\uff4f\uff42", "\uff22\uff2f\uff22"],
    "mathematical": ["bob", "\U0001d41b\U0001d428\U0001d41b", "\u24d1\u24de\u24d1"],
    "composed": ["jos\u00e9", "jose\u0301", "JOS\u00c9", "jose"],
    "order of marks": ["a\u0323\u0307", "a\u0307\u0323", "\u1ea1\u0307"],
    "hangul": ["\ud55c\uae00", unicodedata.normalize("NFD", "\ud55c\uae00")],
    "long and composed": [150 * "\u1ebf", unicodedata.normalize("NFD", 150 * "\u1ebf"), 150 * "E"],
    "Kelvin sign": ["kelvin", "\u212aelvin", "KELVIN"],
    "angstrom sign": ["\u00e5ngstrom", "\u212bngstrom", "A\u030angstr\u00f6m"],
    "sharp s": ["stra\u00dfe", "STRASSE", "STRA\u1e9eE", "strasse"],
    "long s": ["sam", "\u017fam"],
    "final sigma": ["\u03c3\u03c2", "\u03a3\u03a3", "\u03c3\u03c3"],
    "dotless i": ["istanbul", "\u0131stanbul", "\u0130stanbul", "ISTANBUL", "I\u0307stanbul"],
    "stroke": ["s\u00f8ren", "S\u00d8REN", "soren"],
    "diphthong": ["\u00e6sop", "\u00c6sop", "aesop"],
    "ligature": ["\ufb01ona", "fiona", "FIONA"],
    "marks": ["bob", "b\u0300o\u0308b\u0323", "bo\u20ddb", "b\u034fob"],
    "zero width": ["bob", "b\u200bob", "b\u200do\u200cb", "\ufeffbob", "b\u00adob", "bob\u2060", "\u202ebob\u202c"],
    "control": ["bob", "bob\x00", "\x00bob", "b\x00ob", "bob\r\n", "bo\x7fb", "b\x85ob", "b\x1b[ob".replace("[", "")],
    "iota subscript": ["\u1fb3", "\u03b1\u0345", "\u03b1", "\u1fbc"],
    "iota below": ["bob", "bob\u0345", "b\u0345OB"],
    "spaces within": ["a b", "a  b", " a b ", "a\u00a0\u3000b", "A" + 300 * " " + "B", "\u00e1" + 3000 * " " + "b"],
    "digits of any script": ["12", "\u0661\u0662", "\u0967\u0968", "\uff11\uff12", "\u2460\u2461"],
    "marks without end": ["bob", "bo" + 2000 * "\u0301" + "b", 4000 * "\u200b" + "bob"],
    "vowel before its consonant": ["\u0e40\u0e01", "\u0e01\u0e40"],
    "hamza": ["\u0675", "\u0627\u0674", "\u0621\u0627"],
    "dots": ["\u0140", "l\u00b7", "l"],
    "syllables": ["\u30d0\u30fc", "\u306f\u30fc", "\uff8a\uff9e\uff70"],
    "overlong": [5000 * "a", 5000 * "b", 2000 * " " + 9000 * "\u0301"],
}


@pytest.mark.parametrize(("kind", "view", "key"), pairs(VARIANTS, [check, acheck], ["username", "ip+username"]))
def test_variants_share_their_guesses(kind, view, key, rf, verified):
    """However the name is written, `max` guesses are verified, and then the correct password is refused."""
    view = lockout_protect(scope="s", key=key, max=3, ceiling=None)(view)
    view = async_to_sync(view) if "acheck" in view.__qualname__ else view
    names = VARIANTS[kind]
    for number in range(max(7, 2 * len(names))):
        view(rf.post("/", {"username": names[number % len(names)], "password": "wrong"}))
    statuses = {view(rf.post("/", {"username": name, "password": "right"})).status_code for name in names}
    assert ({429}, 3) == (statuses, len(verified))
    assert view(rf.post("/", {"username": "eve", "password": "eves"})).status_code == 200


@pytest.mark.parametrize("nothing", [None, "", " ", "\t\n", "\x00", "\u200b", "\u0301", "\ufeff \u2060", 300 * " "])
def test_nothing_is_no_identity(nothing):
    """What is empty once folded names nobody."""
    assert fold(nothing) is None


@pytest.mark.parametrize(
    ("value", "identity"),
    [
        (5, "5"),
        (0, "0"),
        (True, "true"),
        (1.5, "1.5"),
        (float("nan"), "nan"),
        (["Bob"], "['bob']"),
        ({"a": None}, "{'a': none}"),
        (b"bob", "b'bob'"),
        (Decimal("1.0"), "1.0"),
        ("\ud800", "\ud800"),
        pytest.param(10**5000, "<int>", id="huge"),
        (Mute(), "<mute>"),
    ],
)
def test_any_value_is_an_identity(value, identity):
    """By its text, or by its type where it has none."""
    assert identity == fold(value)


def test_deep_and_long_lists_are_an_identity():
    """By their beginning, however deep or long they are."""
    assert "[[[[[[[...]]]]]]]" == text_of(nested(100_000)) == fold(nested(100_000))
    assert "[0, 1, 2, 3, 4, 5, ...]" == text_of(list(range(1_000_000)))


class Listed(list):
    """A subclass, which the library would spell out."""


@pytest.mark.parametrize(
    "value",
    [
        2_000_000 * "\u0301",
        [2_000_000 * "x"],
        Listed(500_000 * ["x"]),
        dict.fromkeys(range(500_000)),
        [{"a": dict.fromkeys(range(500_000))}],
        {*range(500_000)},
        2_000_000 * b"x",
        [bytearray(2_000_000)],
    ],
    ids=["text", "list", "subclass", "dict", "nested", "set", "bytes", "bytearray"],
)
def test_a_large_value_costs_no_more_than_its_beginning(value):
    """Two megabytes are neither sorted nor spelled out."""
    assert isinstance(value, str) or len(text_of(value)) < 1100
    assert min(timeit.repeat(lambda: fold(value), number=1, repeat=5)) < 0.001


texts = st.text() | st.text(alphabet=st.characters(categories=["Cs", "Cc", "Cf", "Mn", "Zs", "Lo", "Lu"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=5,
)


@given(json_values | st.binary() | st.decimals() | st.builds(Mute) | st.builds(object) | st.datetimes())
def test_fold_takes_everything(value):
    """No value is an error, and an identity is never empty nor long."""
    identity = fold(value)
    assert identity is None or 1 <= len(identity) <= 256
    assert fold(identity) == identity or len(identity) > 200


class Hidden(str):
    """Says something else than it holds."""

    __slots__ = ()

    def __str__(self):
        return "eve"


def test_where_names_end():
    """256 characters tell accounts apart; past 4,096 all names are one; of a list six items count."""
    assert fold("a" * 255) != fold("a" * 256) == fold("a" * 257) == fold("a" * 4096)
    assert fold("a" * 4096) != fold("a" * 4097) == fold("b" * 5000)
    assert fold(2000 * " " + "bob") == "bob"
    assert fold([1, 2, 3, 4, 5, 6, 7]) == fold([1, 2, 3, 4, 5, 6, 8]) != fold([1, 2, 3, 4, 5, 6])
    hidden = Hidden("Bob")
    assert ("eve", "bob", "Bob") == (str(hidden), fold(hidden), text_of(hidden))


@given(texts, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_forms_are_one_identity(text, form):
    """Every normal form, in any case, with spaces around and zero-width characters within."""
    assert fold(text) == fold(unicodedata.normalize(form, text))
    assert fold(text) == fold(f" {text} ") == fold(f"\u200b{text}\x00")
    text = unicodedata.normalize("NFKD", text).replace("\u0345", "")  # the one mark that a letter is made of
    assert fold(text) == fold(text.casefold())


# Which credential names the account


@pytest.mark.parametrize(
    ("credentials", "username", "field"),
    [
        ({"username": "bob", "email": "b@c.d"}, None, "username"),
        ({"email": "b@c.d", "token": "x"}, None, "email"),
        ({"token": "x"}, None, None),
        ({"username": "bob", "phone": "1"}, "phone", "phone"),
        ({"username": "bob"}, "phone", None),
        ({"username": " ", "email": "b@c.d"}, None, "email"),
        ({"email": "b@c.d", "username": "bob"}, None, "username"),
        ({"username": " ", "email": ""}, None, "username"),
        ({}, None, None),
    ],
)
def test_field_of_the_account(credentials, username, field, rf):
    """USERNAME_FIELD, else username, else email, or what the policy names."""
    assert account_in(credentials, username, rf.get("/")) == (field, field and credentials[field])


def test_username_field_of_the_user_model(rf, monkeypatch, django_user_model):
    """A project's own user model says which credential it is."""
    monkeypatch.setattr(django_user_model, "USERNAME_FIELD", "first_name")
    assert account_in({"username": "bob", "first_name": "1"}, None, rf.get("/")) == ("first_name", "1")
    assert account_in({"username": "bob"}, None, rf.get("/")) == ("username", "bob")


@pytest.mark.parametrize("field", ["id", "username"])
def test_user_names_that_are_numbers(field, rf, monkeypatch, django_user_model):
    """007 is 7, by the model's own field as by the usual name of it; an e-mail address is text."""
    monkeypatch.setattr(django_user_model, "USERNAME_FIELD", "id")
    assert account_in({field: "007"}, None, rf.get("/")) == (field, 7)
    assert account_in({field: "bob"}, None, rf.get("/")) == (field, "bob")
    assert account_in({"email": "007"}, None, rf.get("/")) == ("email", "007")


def test_callable_computes_the_account(rf, verified):
    """From the request and the credentials."""
    policy = LockoutPolicy(scope="s", key="username", max=2, ceiling=None, username=shop_account)
    view = lockout_protect(policy)(check)
    for name in ("bob", "eve", "nobody"):
        view(rf.post("/?shop=a", {"username": name, "password": "wrong"}))
    assert view(rf.post("/?shop=a", {"username": "bob", "password": "right"})).status_code == 429
    assert view(rf.post("/?shop=b", {"username": "bob", "password": "right"})).status_code == 200
    assert len(verified) == 3


def shop_account(request, credentials):
    assert {"username", "password"} == set(credentials)
    return request.GET["shop"]


def test_identity_is_what_authenticate_got(rf, verified):
    """Not what the form, the query or the body says."""

    def view(request):
        user = authenticate(request, username="bob", password=request.POST["password"])
        return HttpResponse(status=200 if user else 401)

    view = lockout_protect(scope="s", key="username", max=2)(view)
    for number in range(5):
        view(rf.post(f"/?username=q{number}", {"username": f"f{number}", "password": "wrong"}))
    assert view(rf.post("/", {"password": "right"})).status_code == 429
    assert len(verified) == 2


def test_calls_without_a_name_are_counted_by_address(rf, verified):
    """Tokens name nobody: strangers elsewhere are not locked out."""
    view = lockout_protect(scope="s", key="username", max=2)(check)
    for number in range(4):
        view(rf.post("/", {"password": f"{number}"}))
    assert verified == [("None", "0"), ("None", "1")]
    assert view(rf.post("/", {"password": "x"}, REMOTE_ADDR="192.0.2.2")).status_code == 401


# Forgiving


@pytest.fixture
def guess(rf):
    view = lockout_protect(scope="s", key="ip", max=4)(check)
    return lambda username, password: view(rf.post("/", {"username": username, "password": password})).status_code


def test_success_forgives_the_failures_of_the_same_name(guess, verified):
    """A user's own typos don't add up to a lock."""
    for _ in range(4):
        assert [guess("bob", word) for word in ("a", "b", "c", "right")] == [401, 401, 401, 200]
    assert len(verified) == 16


@pytest.fixture
def namesakes(monkeypatch):
    """Accounts that fold to one identity."""
    from tests.backends import CountingBackend

    names = ["BOB", "bob ", "\uff42ob", "b\u200bob"]
    monkeypatch.setattr(CountingBackend, "passwords", {**CountingBackend.passwords, **dict.fromkeys(names, "mine")})
    return names


def test_namesake_forgives_nothing(guess, namesakes, verified):
    """Signing in as BOB proves nothing about bob, though both are counted as one."""
    for number, namesake in enumerate(namesakes):
        assert guess("bob", f"wrong {number}") == 401
        assert (200 if number < 3 else 429) == guess(namesake, "mine")
    assert guess("bob", "right") == 429
    assert len(verified) == 4 + 3


def test_other_account_forgives_nothing(guess, verified):
    """Signing in to an account of one's own between guesses gains nothing."""
    statuses = [guess(*("eve", "eves") if number % 2 else ("bob", f"{number}")) for number in range(20)]
    assert [401, 200, 401, 200, 401, 200, 401, *13 * [429]] == statuses
    assert guess("bob", "right") == 429
    assert len(verified) == 7


# Same values or others


def test_comparison_of_equal_values(monkeypatch):
    """Whatever the order of names; strings, bytes and numbers by value, the rest by identity; under a random key."""
    comparison, listed, thing = Comparison(), ["x"], object()
    one = comparison.digest({"username": "bob", "password": "x", "number": 5, "list": listed, "thing": thing})
    two = comparison.digest({"thing": thing, "list": listed, "number": 5, "password": "x", "username": "bob"})
    assert one == two
    assert one != comparison.digest({"username": "bob", "password": "x", "number": 5, "list": ["x"], "thing": thing})
    assert comparison.digest({"password": "x"}) == comparison.digest({"password": SafeString("x")})
    assert comparison.digest({"u": "bob", "p": "x"}, "u") == comparison.digest({"u": "eve", "p": "x"}, "u")
    assert comparison.digest({"u": "bob", "p": "x"}, "u") == comparison.digest({"e": "b@c", "p": "x"}, "e")
    for number in ("12345.5", "123456789"):
        for kind in (float, str, str.encode):
            assert len({comparison.digest({"p": kind(number)}) for _ in range(3)}) == 1
    assert comparison.digest({"p": int("123456789")}) == comparison.digest({"p": int("123456789")})
    before = comparison.digest({"p": "x"})
    monkeypatch.setattr("lockout_decorators.clients.credentials._KEY", "of another process")
    assert before != comparison.digest({"p": "x"})


def test_comparison_tells_apart():
    """Types, names, and values that spell the same."""
    comparison, fine = Comparison(), ["x"]
    values = ["x", "X", "x ", b"x", 1, 2, 1.0, "1", "0x1", None, "None", "\ud800", 10**5000, 10**5000 + 1]
    values += [fine, ["x"], f"list {id(fine)}", Mute(), [Mute()], nested(100_000), "x') ('q', 'x"]
    different = [{}, {"q": "x"}, {"p": "x", "q": None}, *[{"p": value} for value in values]]
    assert len(different) == len({comparison.digest(credentials) for credentials in different})


def test_an_object_that_is_filled_anew_is_another_secret():
    """Whoever passes the same list again has changed what it holds, or has not."""
    comparison, listed = Comparison(), ["x"]
    first = comparison.digest({"p": listed})
    listed[0] = "y"
    assert first != comparison.digest({"p": listed})
    listed[0] = "x"
    assert first == comparison.digest({"p": listed})


def test_compared_objects_are_kept_alive():
    """So that no other object gets the same identity while the block is open."""
    comparison = Comparison()
    assert len({comparison.digest({"p": ["x"]}) for _ in range(100)}) == 100


def test_comparison_shows_no_secret():
    """Neither in its repr nor in what it keeps."""
    comparison = Comparison()
    digest = comparison.digest({"password": "hunter2"})
    assert "hunter2" not in f"{comparison!r} {vars(comparison)!r} {digest!r}"


@given(json_values)
def test_comparison_takes_everything(value):
    """No value is an error."""
    comparison = Comparison()
    assert comparison.digest({"p": value}) == comparison.digest({"p": value})


@given(texts, texts)
def test_comparison_of_texts(one, other):
    """Equal digests, equal texts."""
    comparison = Comparison()
    assert (one == other) == (comparison.digest({"p": one}) == comparison.digest({"p": other}))


class Equal(bytes):
    """Says that it is equal to whatever it is compared with."""

    def __eq__(self, other):  # pragma: no cover
        return True

    __hash__ = bytes.__hash__


@pytest.mark.parametrize(
    ("credentials", "blank"),
    [
        ({}, True),
        ({"username": None}, True),
        ({"username": "", "password": ""}, True),
        ({"username": "", "password": b""}, True),
        ({"username": None, "password": "x"}, False),
        ({"username": None, "password": Equal(b"x")}, False),
        ({"username": "bob", "password": ""}, False),
        ({"username": " "}, False),
        ({"username": 0}, False),
        ({"username": False}, False),
        ({"username": []}, False),
    ],
)
def test_blank(credentials, blank):
    """Nothing but None and empty strings: there is nothing to verify."""
    assert blank == is_blank(credentials)


@pytest.mark.parametrize("username", ["bob", ["bob"], None, 5])
def test_secrets_that_are_json(username, rf, verified):
    """A list of passwords is one guess each; objects in the place of a name are counted."""
    policy, request = LockoutPolicy(scope="s", max=3), rf.post("/")
    with pytest.raises(LockedOut), policy.observe(request):
        [authenticate(request, username=username, password=word) for word in ("1", ["2"], {"3": 3}, 4, "right")]
    assert len(verified) == 3

"""What docs/recipes/backends.md says."""

import pytest
from django.test import AsyncClient, Client

from tests.recipes import backends

pytestmark = [pytest.mark.urls("tests.recipes.backends"), pytest.mark.django_db]
MODEL = "django.contrib.auth.backends.ModelBackend"
OURS = "tests.recipes.backends.{}Backend".format


@pytest.fixture(autouse=True)
def installed(settings):
    """Installs backends."""
    backends.LinkBackend.asked.clear()

    def use(*names):
        settings.AUTHENTICATION_BACKENDS = list(names)

    return use


def send(path="sign-in", address="192.0.2.1", **data):
    return Client(REMOTE_ADDR=address, raise_request_exception=False).post(f"/{path}/", data).status_code


def guess(password, name="bob", **more):
    return send(name=name, password=password, **more)


def test_email_else_user_name_is_one_guess(installed, bob, verified):
    """Two calls with one password take one slot, whichever of them is right."""
    installed(OURS("Email"), MODEL)
    for name in ("bob", "bob@example.org"):
        assert [200] * 6 == [guess("right", name) for _ in range(6)]
    assert [401] * 5 == [guess(f"wrong{n}") for n in range(5)]
    assert 12 + 5 == len(verified)
    assert 429 == guess("right")
    assert 12 + 5 == len(verified)
    assert 200 == guess("right", address="192.0.2.2")


def test_two_backends_that_both_verify_are_one_guess(installed, bob, verified):
    """The second is asked in the slot of the first."""
    installed(MODEL, OURS("Directory").replace("Directory", "Second"))
    assert [401] * 5 == [guess(f"wrong{n}") for n in range(5)]
    assert (429, 10) == (guess("right"), len(verified))


@pytest.fixture
def away():
    yield
    backends.DirectoryBackend.away = True


def test_backend_that_raises(installed, bob, verified, away):
    """The error comes out as it is, and the guess counts; while locked nothing is asked."""
    installed(OURS("Directory"))
    assert [500] * 5 == [guess(f"wrong{n}") for n in range(5)]
    backends.DirectoryBackend.away = False
    assert (429, 5) == (guess("right"), len(verified))
    assert 200 == guess("right", address="192.0.2.2")


def test_backend_that_denies(installed, bob, verified):
    """Nobody after it is asked, and the guess counts, once."""
    installed(OURS("Denying"), MODEL)
    assert 200 == guess("right")
    verified.clear()
    assert [401] * 5 == [guess(f"wrong{n}") for n in range(5)]
    assert (429, 5) == (guess("right"), len(verified))


def test_backend_without_a_user_name(installed, bob):
    """All it is given is secret, so the address is what is counted."""
    installed(MODEL, OURS("Link"))
    assert [200] * 6 == [send("link", token="right") for _ in range(6)]
    backends.LinkBackend.asked.clear()
    assert [401] * 5 == [send("link", token=f"wrong{n}") for n in range(5)]
    assert (429, 5) == (send("link", token="right"), len(backends.LinkBackend.asked))
    assert 200 == send("link", "192.0.2.2", token="right")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("backend", [OURS("Async"), MODEL])
async def test_backend_that_is_only_async(backend, installed, django_user_model, verified):
    """Its door is observed as the sync one is."""
    installed(backend)
    await django_user_model.objects.acreate_user("bob", password="right")

    async def guess(password):
        return (await AsyncClient().post("/asign-in/", {"name": "bob", "password": password})).status_code

    assert [200] * 6 == [await guess("right") for _ in range(6)]
    verified.clear()
    assert [401] * 5 == [await guess(f"wrong{n}") for n in range(5)]
    assert (429, 5) == (await guess("right"), len(verified))

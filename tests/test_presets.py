"""Presets: what they promise is what an attacker gets at a door; no two policies of one get mixed up."""

import pytest
from django.core.checks import run_checks

from lockout_decorators import LockoutPolicy, lockout_protect, policies_of, presets
from lockout_decorators.management.report.standards import verdicts
from lockout_decorators.terms.bounds import guesses
from tests.doors import check, mount, over_http

NAMES = ("ASVS", "CODES", "LOGIN", "NIST", "PCI_DSS")
HOUR, DAY = 3600, 86_400


def preset(name):
    return getattr(presets, name)


@pytest.mark.parametrize("name", NAMES)
def test_each_view_counts_by_itself_and_each_policy_too(name):
    """Under the view's name; no two policies of a door have a counter in common, and the checks have nothing to say."""

    def one(request): ...
    def two(request): ...

    doors = [policies_of(lockout_protect(*preset(name))(view)) for view in (one, two)]
    assert [{policy.scope for policy in door} for door in doors] == [
        {f"{__name__}.{view.__qualname__}"} for view in (one, two)
    ]
    frames = [frame for door in doors for policy in door for frame in policy.frames]
    assert len(frames) == len({*frames}) == 2 * sum(len(policy.plan.kinds) for policy in preset(name))
    told = [message.id for message in run_checks() if str(message.id).startswith("lockout_decorators.")]
    assert [identity for identity in told if not identity.endswith(("W004", "W008"))] == []


@pytest.mark.parametrize(
    ("name", "met"),
    [
        ("LOGIN", ["OWASP ASVS"]),
        ("CODES", ["OWASP ASVS"]),
        ("NIST", ["NIST SP 800-63B", "OWASP ASVS"]),
        ("ASVS", ["OWASP ASVS"]),
        ("PCI_DSS", ["OWASP ASVS", "PCI DSS"]),
    ],
)
def test_each_meets_the_text_that_it_cites(name, met):
    """By the worst stretch, from a hundred thousand addresses."""
    assert met == [verdict.standard for verdict in verdicts(preset(name)) if verdict.met]


@pytest.mark.parametrize(
    ("terms", "met"),
    [
        ({"max": 100, "window": HOUR, "lockout": HOUR}, []),  # 199 where two windows meet
        ({"max": 100, "window": HOUR, "lockout": HOUR, "rolling": True}, ["OWASP ASVS"]),
        ({"max": 50, "window": HOUR, "lockout": HOUR}, ["OWASP ASVS"]),
        ({"max": 10, "window": HOUR, "lockout": HOUR}, ["OWASP ASVS"]),  # 19
        ({"max": 5, "window": 1800, "lockout": 1800}, ["OWASP ASVS", "PCI DSS"]),
        ({"max": 5, "window": 1800, "lockout": 1799}, ["OWASP ASVS"]),
        ({"max": 10, "window": 1800, "lockout": (1800, HOUR), "rolling": True}, ["OWASP ASVS", "PCI DSS"]),
        ({"max": 10, "window": 1800, "lockout": 0, "rolling": True}, ["OWASP ASVS"]),
        ({"max": 10, "window": 60, "lockout": 1800, "rolling": True}, []),
        ({"max": 10, "window": presets.TEN_YEARS, "lockout": None}, ["NIST SP 800-63B", "OWASP ASVS"]),
        ({"max": 5, "window": presets.TEN_YEARS, "lockout": None}, ["NIST SP 800-63B", "OWASP ASVS", "PCI DSS"]),
        ({"max": 5, "window": 1800, "lockout": 1800, "key": "ip+username"}, []),
        ({"max": 5, "window": 1800, "lockout": 1800, "enforce": False}, []),
    ],
)
def test_verdicts_are_by_the_worst_stretch(terms, met):
    """From however many addresses; a lock that ends sooner, or a policy that refuses nobody, does not count."""
    policy = LockoutPolicy(scope="s", ceiling=None, **{"key": "username", **terms})
    assert met == [verdict.standard for verdict in verdicts([policy]) if verdict.met]


def test_pci_dss_wants_the_bound_and_the_lock_of_one_policy():
    """A short lock that bounds, beside a long one that does not, is none."""
    bounds = LockoutPolicy(scope="bounds", key="username", max=5, window=1800, lockout=0, rolling=True)
    locks = LockoutPolicy(scope="locks", key="username", max=50, window=1800, lockout=1800)
    assert "PCI DSS" not in [verdict.standard for verdict in verdicts([bounds, locks]) if verdict.met]


@pytest.fixture
def post(settings):
    """Sends a guess to a door with the preset; False: it was refused."""
    send = over_http("wsgi")

    def stand(name):
        mount(settings, lockout_protect(*preset(name))(check))

        def guess(username="bob", password="wrong", address="192.0.2.1"):
            response = send("/", {"username": username, "password": password}, address=address)
            return response.status_code != 429

        return guess

    return stand


def test_login_bounds_one_address_at_one_account(post, clock, verified):
    """Twenty in a day, whether it is patient or not, and the right password is refused there; elsewhere it is not."""
    guess = post("LOGIN")
    for _ in range(24 * 4):
        while guess():
            pass
        clock.shift(899)
    assert len(verified) == 20 == guesses(presets.LOGIN, 1, True).day
    assert (guess(password="right"), guess(password="right", address="192.0.2.2")) == (False, True)


def test_login_bounds_a_botnet_at_one_account(post, clock, verified):
    """A hundred in a day, from as many addresses; another account is not touched."""
    guess = post("LOGIN")
    for number in range(150):
        guess(address=f"198.51.{number // 50}.{number % 50 + 1}")
    assert len(verified) == 100 == guesses(presets.LOGIN, 1_000, True).day
    assert (guess(password="right"), guess("eve", "eves")) == (False, True)
    clock.shift(DAY)
    assert guess(password="right")


def test_login_stops_a_sprayer(post, verified):
    """Ten accounts an hour from one address."""
    guess = post("LOGIN")
    for number in range(60):
        guess(f"user{number}")
    assert (len(verified), guess(password="right")) == (10, False)


@pytest.mark.parametrize(("name", "most"), [("CODES", 5), ("NIST", 100), ("ASVS", 100), ("PCI_DSS", 10)], ids=str)
def test_accounts_are_bounded_from_all_addresses(name, most, post, clock, verified):
    """Nobody gets more in an hour, and then the owner has to wait as well."""
    guess = post(name)
    for number in range(most + 10):
        guess(address=f"198.51.{number // 50}.{number % 50 + 1}")
    assert len(verified) == most == guesses(preset(name), 1_000, True).hour
    assert not guess(password="right")
    clock.shift({"CODES": DAY, "NIST": 365 * DAY}.get(name, HOUR))
    assert guess(password="right") is (name != "NIST")


def test_presets_may_stand_beside_a_policy():
    """Further policies at the same door are one door with them."""
    extra = LockoutPolicy(scope="staff", key="ip", max=3)
    assert len(policies_of(lockout_protect(*presets.CODES, extra)(beside))) == 2


def beside(request):
    """Only its name matters."""

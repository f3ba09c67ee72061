"""The guide's policies, shared, asked and answered, count as it says."""

import pytest
from django.contrib.auth.models import User

from lockout_decorators import LockedOut, LockoutPolicy
from tests.doors import FORM, RIGHT

pytestmark = pytest.mark.tree


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

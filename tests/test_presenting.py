"""What counts as a secret in a request: an answer of 401 is a wrong guess only where one was presented."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from lockout_decorators import lockout_protect

PLAIN = {"HTTP_USER_AGENT": "curl", "HTTP_ACCEPT": "*/*", "HTTP_X_FORWARDED_PROTO": "https", "SSL_PROTOCOL": "TLSv1.3"}
GUESSES = [
    ("/", {"HTTP_AUTHORIZATION": "Bearer x"}),
    ("/", {"HTTP_X_API_KEY": "x"}),
    ("/", {"HTTP_APIKEY": "x"}),
    ("/", {"HTTP_X_ACCESS_KEY": "x"}),
    ("/", {"HTTP_X_AUTH_KEY": "x"}),
    ("/", {"SSL_CLIENT_CERT": "x"}),
    ("/", {"HTTP_X_CLIENT_CERTIFICATE": "x"}),
    ("/?accessToken=x", {}),
    ("/?page=2&pin=0000", {}),
    ("/?code=x&state=y", {}),
]
NONE = [
    ("/", {}),
    ("/", {"HTTP_AUTHORIZATION": ""}),
    ("/", {"HTTP_COOKIE": "token=x"}),
    ("/", {"HTTP_X_CSRF_TOKEN": "x"}),
    ("/", {"HTTP_X_TOKEN_COOKIE": "x"}),
    ("/", {"TOKEN": "of the environment"}),
    ("/?page=2&token=", {}),
    ("/?code=x", {}),
    ("/?state=y", {}),
    ("/?code=x&state=", {}),
    ("/?api=2", {}),
]


@pytest.mark.parametrize(("sent", "presented"), [(it, True) for it in GUESSES] + [(it, False) for it in NONE])
def test_an_answer_is_a_failure_where_something_was_presented(sent, presented):
    """Three of them lock; who shows nothing is only asked to sign in, however often."""
    url, meta = sent
    answers = []

    @lockout_protect(scope="presented", key="ip", max=3, failure=401, patience=0)
    def view(request):
        answers.append(401 if len(answers) < 6 else 200)
        return HttpResponse(status=answers[-1])

    request = RequestFactory().get(url, **PLAIN, **meta)
    statuses = [view(request).status_code for _ in range(7)]
    assert ([401] * 3 + [429] * 4 if presented else [401] * 6 + [200]) == statuses
    assert (3 if presented else 7) == len(answers)

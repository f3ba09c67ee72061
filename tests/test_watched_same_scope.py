"""Two policies of one scope that agree on how they count, and differ in something else, around one guess."""

import time

import pytest
from django.contrib.auth import authenticate
from django.http import HttpResponse
from django.test import RequestFactory
from django.views import View

from lockout_decorators import lockout_protect


@pytest.mark.parametrize("most", [1, 2, 3, 5])
def test_class_and_url(most, verified):
    shared = {"scope": f"shared {most}", "key": "ip", "max": most}

    @lockout_protect(**shared)
    class Door(View):
        def post(self, request):
            user = authenticate(request, username="bob", password=request.POST["password"])
            return HttpResponse("welcome" if user else "wrong", status=200 if user else 401)

    url = lockout_protect(**shared, response=lambda request, locked_out: HttpResponse("come back later", status=429))(
        Door.as_view()
    )

    def post(password):
        start = time.monotonic()
        return url(RequestFactory().post("/", {"password": password})).status_code, round(time.monotonic() - start, 1)

    status, seconds = post("right")
    assert (status, len(verified)) == (200, 1) and seconds < 1
    assert [post(f"wrong{n}")[0] for n in range(most - 1)] == [401] * (most - 1)
    status, seconds = post("right")
    assert (status, len(verified)) == (200, 1 + most) and seconds < 1

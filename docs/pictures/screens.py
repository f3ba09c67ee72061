"""The pages that a browser has taken pictures of."""

import sys
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.staticfiles.testing import StaticLiveServerTestCase
from django.test import Client, override_settings
from django.test.utils import get_runner

from tests.browser import Look, chromium
from tests.recipes.scenes import HERE, busy

FOLDER = Path(__file__).parent
BACKEND = "django.contrib.auth.backends.ModelBackend"
LOOKS = {"light": Look(width=960), "dark": Look(dark=True, width=960)}
HEIGHT = 960


@override_settings(
    AUTHENTICATION_BACKENDS=[BACKEND],
    LOCKOUT_JOURNAL=True,
    STATIC_URL="/static/",
    TIME_ZONE="UTC",
)
class Pictures(StaticLiveServerTestCase):
    """Each is the page of a site that is being guessed at."""

    def test_admin_page(self):
        busy(("ann", "eve", "bob"))
        client = Client()
        client.force_login(User.objects.create_superuser("support"), BACKEND)
        session = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": self.live_server_url}

        def take(page, name):
            page.context.add_cookies([session])
            page.goto(f"{self.live_server_url}/admin/lockouts/?ip={HERE}&username=bob")
            page.set_viewport_size({"width": page.viewport_size["width"], "height": HEIGHT})
            page.screenshot(path=FOLDER / f"admin-page-{name}.png")

        with chromium() as browser:
            for name, look in LOOKS.items():
                browser.run(lambda page, name=name: take(page, name), look)


def write() -> None:
    """All of them."""
    settings.ROOT_URLCONF = "tests.recipes.admin_page"  # before the checks import the tests' own
    if get_runner(settings)(verbosity=1).run_tests([__name__]):
        sys.exit("The pages were not taken.")

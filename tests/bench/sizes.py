"""What a client takes up in each cache, as the soak measures it: entries, and bytes."""

import logging
import os


def show() -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    logging.disable(logging.WARNING)
    from tests import soak

    soak.memory()

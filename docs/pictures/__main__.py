"""Makes the drawings of these pages anew: python -m docs.pictures

What each one shows is asked of the real code. Only what the comparison has measured is read from its figures.json.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from docs.pictures import drawings  # noqa: E402

if __name__ == "__main__":
    drawings.write()

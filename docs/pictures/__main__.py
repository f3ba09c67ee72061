"""Makes the pictures of these pages anew: python -m docs.pictures

What a drawing shows is asked of the real code. Only what the comparison has measured is read from its figures.json.
Pages are taken in a browser: it needs Chromium.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from docs.pictures import drawings, screens  # noqa: E402

if __name__ == "__main__":
    drawings.write()
    screens.write()

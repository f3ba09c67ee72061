"""How much is tried: a sample, or all of it in the one environment of CI that tox.ini names."""

import os

IN_FULL = bool(os.environ.get("IN_FULL"))
EXAMPLES = 60 if IN_FULL else 10  # that hypothesis makes up for a whole request

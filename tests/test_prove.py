"""`manage.py lockout prove` says whether a cache counts exactly."""

import json
import os
import subprocess
import sys
import time
from io import StringIO
from itertools import starmap
from secrets import token_hex

import pytest
from django.core.cache import cache, caches
from django.core.management import CommandError, call_command
from django.db import connections

from lockout_decorators.management import prove
from lockout_decorators.management.prove import costs, crew, guesses, trials
from lockout_decorators.management.prove.guesses import RIGHT, WRONG, Guess
from lockout_decorators.management.prove.trials import Trial, Trials, too_soon
from lockout_decorators.terms.registry import registered
from tests.servers import BACKENDS, DATABASE, free_port, stores
from tests.sizes import IN_FULL

LOCMEM = {"BACKEND": f"{BACKENDS}.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 100_000}}
QUICK = """
from lockout_decorators.management.prove import trials
trials.LONGER = [trial._replace(gap=1, terms={**trial.terms, "window": 2}) for trial in trials.LONGER[:2]]
"""
MANAGE = """
import os, sys
if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
    from django.core.management import execute_from_command_line
"""
SETTINGS = """
print("the settings are read")
SECRET_KEY = "a project's"
INSTALLED_APPS = ["lockout_decorators"]
LOCKOUT_CACHE, LOCKOUT_ENABLED, LOCKOUT_FAIL_OPEN, LOCKOUT_CLIENT_IP = "counting", False, True, "os.path.join"
from lockout_decorators import signals
def hear(signal, **kwargs): print("heard")
for name in ("attempt_failed", "locked_out", "attempt_refused", "lockout_reset", "store_failed"):
    getattr(signals, name).connect(hear)
"""


@pytest.fixture
def project(tmp_path):
    """Runs `manage.py lockout prove` in a clean project, whose own settings would let every guess through."""

    def run(counting, *arguments, quick=not IN_FULL):
        lines = [*MANAGE.splitlines(), *(QUICK.splitlines() if quick else ""), "execute_from_command_line(sys.argv)"]
        (tmp_path / "manage.py").write_text("\n".join([*lines[:5], *[f"    {line}" for line in lines[5:]]]))
        (tmp_path / "site_settings.py").write_text(f"CACHES = {({'default': LOCMEM, 'counting': counting})}{SETTINGS}")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, str(tmp_path / "manage.py"), "lockout", "prove", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)

    return run

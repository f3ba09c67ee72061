"""Runs the suites without the package and with every view decorated: what fails only then is our fault.

    python tests/suites                    all of them, in half an hour
    python tests/suites drf simplejwt      some
    python tests/suites --into FOLDER      where their sources are kept, or are unpacked already

The sources are the sdists of the installed versions, from PyPI.
"""

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
PYTEST = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
REPORT = ("-q", "--tb=no", "--show-capture=no", "-rfE", "-p", "no:cacheprovider")
RUNTESTS = "import runpy; runpy.run_path('runtests.py', run_name='__main__')"
LABELS = (
    "admin_changelist admin_custom_urls admin_default_site admin_docs admin_filters admin_inlines admin_ordering "
    "admin_registration admin_utils admin_views admin_widgets asgi auth_tests csrf_tests decorators flatpages_tests "
    "generic_views handlers messages_tests middleware modeladmin redirects_tests sessions_tests staticfiles_tests "
    "test_client test_client_regress urlpatterns urlpatterns_reverse view_tests"
)
FAILED = re.compile(r"^(?:(?:FAIL|ERROR):|FAILED|ERROR|SUBFAILED)(?! \().*?(?= - |$)", re.MULTILINE)
RAN = re.compile(r"^Ran (\d+) tests|(\d+) passed", re.MULTILINE)
# A view that returns an awaitable without being marked is a TypeError here, and a ValueError of Django's otherwise.
KNOWN = "test_unawaited_response"


class Suite(NamedTuple):
    """A distribution, where in it its tests are run, and how."""

    name: str
    code: str
    arguments: tuple[str, ...]
    folder: str = "."


def allauth(project: str) -> Suite:
    return Suite("django-allauth", PYTEST, (*REPORT, "-o", "addopts=", f"--ds=tests.projects.{project}.settings"))


SUITES = {
    "django": Suite("Django", RUNTESTS, ("--noinput", "--parallel=2", *LABELS.split()), "tests"),
    "drf": Suite("djangorestframework", PYTEST, REPORT),
    "simplejwt": Suite("djangorestframework-simplejwt", PYTEST, REPORT),
    **{f"allauth-{one}": allauth(one) for one in ("regular", "account_only", "headless_only", "login_required_mw")},
}


def source(name: str, into: Path) -> Path:
    """The folder of the sources of the installed version."""
    base = f"{re.sub('[-.]', '_', name).lower()}-{version(name)}"
    if not (into / base).exists():
        wanted = ["--no-deps", "--no-binary", ":all:", "-d", str(into), f"{name}=={version(name)}"]
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", *wanted], check=True)
        with tarfile.open(into / f"{base}.tar.gz") as archive:
            archive.extractall(into, filter="data")
    return into / base


def run(suite: Suite, folder: Path, decorated: bool) -> tuple[int, set[str]]:
    """How many tests ran, or passed, and which failed."""
    code = f"import every_view; {suite.code}" if decorated else suite.code
    paths = [str(HERE), str(HERE.parent.parent)] if decorated else []
    command = [sys.executable, "-W", "ignore", "-c", code, *suite.arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True)
    output = done.stdout + done.stderr
    if (ran := RAN.search(output)) is None:
        sys.exit(output)
    return int(ran[1] or ran[2]), set(FAILED.findall(re.sub("0x[0-9a-f]+", "0x", output)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=", ".join(SUITES))
    parser.add_argument("--into", type=Path, default=Path(tempfile.gettempdir()) / "suites", metavar="FOLDER")
    options = parser.parse_args()
    options.into.mkdir(parents=True, exist_ok=True)
    ours = 0
    for name in options.suites or SUITES:
        suite = SUITES[name]
        folder = source(suite.name, options.into) / suite.folder
        (before, bare), (after, decorated) = [run(suite, folder, decorated) for decorated in (False, True)]
        new = sorted(one for one in decorated - bare if KNOWN not in one)
        ours += bool(new) or before != after
        print(f"{name}: {before} ran, {len(bare)} fail; decorated {after} ran, {len(decorated)} fail", *new, sep="\n  ")
    return int(ours > 0)


sys.exit(main())

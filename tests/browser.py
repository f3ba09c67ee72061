"""A headless Chromium that looks at pages as people do, and axe-core, which finds what keeps people from reading them.

Playwright's loop runs in a thread of its own: Django asks no database in the thread of a loop.
"""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from tests.servers import missing

T = TypeVar("T")

ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage"]  # for root, and for machines with little shared memory
LETTERS = 16  # pixels of the usual letter


class Look(NamedTuple):
    """How somebody looks at a page: dark or light, how wide (in CSS pixels), with letters of how many per cent."""

    dark: bool = False
    width: int = 1280
    letters: int = 100


LOOKS = {
    "light": Look(),
    "dark and narrow": Look(dark=True, width=360),
    "large letters, narrow": Look(width=360, letters=200),
}


class Browser:
    """Runs scripts, functions that are given a fresh page of Playwright's synchronous interface."""

    def __init__(self, chromium: Any, thread: ThreadPoolExecutor) -> None:
        self._chromium, self._thread = chromium, thread

    def run(self, script: Callable[[Any], T], look: Look = LOOKS["light"], **context: Any) -> T:
        """What `script(page)` returns. The page has cookies of its own, and the further options of a context, as
        `locale`."""
        return self._thread.submit(self._run, script, look, context).result()

    def _run(self, script: Callable[[Any], T], look: Look, options: dict[str, Any]) -> T:
        scheme, viewport = "dark" if look.dark else "light", {"width": look.width, "height": 800}
        context = self._chromium.new_context(color_scheme=scheme, viewport=viewport, **options)
        try:
            page = context.new_page()
            sizes = {"standard": LETTERS * look.letters // 100, "fixed": 13 * look.letters // 100}
            context.new_cdp_session(page).send("Page.setFontSizes", {"fontSizes": sizes})
            page.set_default_timeout(5_000)
            return script(page)
        finally:
            context.close()


def faults_of(page: Any) -> list[str]:
    """What axe-core finds on a page, and whether it is wider than its window."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    faults = [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return faults + ([f"{wide} px wider than the window"] if wide > 0 else [])


@contextmanager
def chromium() -> Iterator[Browser]:
    """Skips where there is no Chromium; in CI that is a failure."""
    binary = shutil.which("chromium")
    if binary is None:
        missing("there is no chromium on the PATH")
    with ThreadPoolExecutor(1) as thread:
        started = thread.submit(_start, binary).result()
        try:
            yield Browser(started[1], thread)
        finally:
            thread.submit(_stop, *started).result()


def _start(binary: str) -> tuple[Any, Any]:
    from playwright.sync_api import sync_playwright

    playwright = sync_playwright().start()
    return playwright, playwright.chromium.launch(executable_path=binary, args=ARGUMENTS)


def _stop(playwright: Any, started: Any) -> None:
    started.close()
    playwright.stop()

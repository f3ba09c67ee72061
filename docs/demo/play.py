"""Guess at every door of the demo project, over real HTTP, and compare what happens with what the policies promise.

tox -e demo             play: print the table; exit status 0 only if every number is as promised
tox -e demo -- serve    stay up instead, for a person with a browser, until Ctrl-C
"""

import shlex
import signal
import sys
import time
from pathlib import Path

from guide import CODE, PASSWORD, TRIES, USERS
from server import WORKERS, command_line, folder, free_port, server


def play(port: int, where: Path) -> int:
    from acts import Play  # noqa: PLC0415
    from hashers import runs  # noqa: PLC0415

    began = time.monotonic()
    print(f"{WORKERS} workers, the counts in files that they share. Runs: how often the password hasher has run.\n")
    wrong = Play(port).run()
    by = " and ".join(str(n) for n in runs().values())
    print(f"\nHasher runs by worker: {by}. {time.monotonic() - began:.0f} seconds.")
    print("\n".join(["NOT as promised:", *wrong]) if wrong else "Every number is what the policies promise.")
    return 1 if wrong else 0


def serve(port: int, where: Path) -> int:
    """Says what there is, and stays."""
    site = f"http://127.0.0.1:{port}"
    users = ", ".join(f"{name} (admin)" if staff else name for name, staff in USERS.items())
    print(f"\n  {site}/\n\n  Users: {users}. Password: {PASSWORD}. One-time code: {CODE}.\n")
    for number, (path, name, do, see) in enumerate(TRIES, 1):
        print(f"  {number}. {name}: {site}{path}\n     {do}\n     {see}\n")
    environment = f"LOCKOUT_DEMO_FOLDER={where} LOCKOUT_DEMO_SITE={site}"
    print(f"  The command, in another terminal:\n\n  {environment} \\\n  {shlex.join(command_line('lockout', 'list'))}")
    print("\n  Ctrl-C ends it.\n", flush=True)
    while True:
        time.sleep(3600)


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["serve"]):
        print(__doc__)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with folder(port := free_port()) as where:
        log = where / "server.log"
        try:
            with server(port, log):
                code = (serve if arguments else play)(port, where)
        except KeyboardInterrupt:
            return 0 if arguments else 130
        except Exception as error:  # noqa: BLE001
            print(f"\n{type(error).__name__}: {error}", file=sys.stderr)
            code = 1
        if code and log.exists():
            print("\nThe end of the server's log:", *log.read_text().splitlines()[-60:], sep="\n", file=sys.stderr)
        return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

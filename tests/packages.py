"""Looks into the wheel and the sdist that were built: python tests/packages.py FOLDER

The sdist is unpacked and built once more, in another place and under another umask and time zone: so it is whole, and
what comes out is the same byte by byte.
"""

import os
import re
import subprocess
import sys
import tarfile
from email import message_from_bytes
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

ROOT = Path(__file__).parent.parent
PACKAGE = "lockout_decorators"
FOLDERS = [PACKAGE, "tests", "docs", ".ci"]
FILES = {".gitignore", "LICENSE", "README.md", "pyproject.toml", "tox.ini", "PKG-INFO"}
KINDS = [".py", ".html", ".mo", ".txt", "/py.typed", "/templatetags/lockout.py"]
INFO = {"METADATA", "RECORD", "WHEEL", "licenses/LICENSE"}
LINKS = re.compile(r"\]\(([^)\s]+)\)")


def tree(folder: str) -> set[str]:
    """The files below it, without what Python has compiled."""
    found = [file for file in (ROOT / folder).rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    return {file.relative_to(ROOT).as_posix() for file in found}


def expect(expected: set[str], found: set[str], where: str) -> None:
    if expected != found:
        sys.exit(f"{where}: missing {sorted(expected - found)}, too much {sorted(found - expected)}")


def look_into_wheel(file: Path) -> None:
    """It has the package, all of it, and nothing else; the page on PyPI has no link that leads nowhere."""
    with ZipFile(file) as wheel:
        (info,) = {name.partition("/")[0] for name in wheel.namelist()} - {PACKAGE}
        expect(tree(PACKAGE) | {f"{info}/{name}" for name in INFO}, set(wheel.namelist()), file.name)
        metadata = message_from_bytes(wheel.read(f"{info}/METADATA"))
        kinds = {kind for kind in KINDS if any(name.endswith(kind) for name in wheel.namelist())}
    expect({*KINDS}, kinds, f"{file.name}, kinds of files")
    names = {re.split(r"\W", requirement)[0] for requirement in metadata.get_all("Requires-Dist", [])}
    expect({"django", "wrapt"}, {name.lower() for name in names}, f"{file.name}, dependencies")
    page = metadata.get_payload()
    urls = dict(url.split(", ", 1) for url in metadata.get_all("Project-URL"))
    own = re.compile(re.escape(urls["Documentation"]) + r"(.+)\.html(?:#.+)?")
    links = {*LINKS.findall(page), urls["Changelog"], urls["Security"]}
    pages = {link: found[1] for link in links if (found := own.fullmatch(link))}
    expect(set(), links - {*pages}, f"{file.name}, links that are not to the pages")
    missing = {link for link, name in pages.items() if not (ROOT / "docs" / f"{name}.md").is_file()}
    expect(set(), missing, f"{file.name}, links that lead nowhere")
    expect({"# lockout_decorators"}, {*page.splitlines()[:1]}, f"{file.name}, the page on PyPI")


def look_into_sdist(file: Path) -> None:
    """It has all that the tests and pages need."""
    with tarfile.open(file) as sdist:
        found = {name.partition("/")[2] for name in sdist.getnames()}
    expect(FILES.union(*map(tree, FOLDERS)), found, file.name)


def build_again(sdist: Path, folder: Path) -> None:
    """From what the sdist has, into `folder`."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    os.umask(0o077)
    source = folder / sdist.name.removesuffix(".tar.gz")
    command = [sys.executable, "-m", "build", "--outdir", folder, source]
    subprocess.run(command, check=True, env=os.environ | {"TZ": "Asia/Tokyo"}, stdout=subprocess.DEVNULL)


def main() -> None:
    folder = Path(sys.argv[1])
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    look_into_wheel(wheel)
    look_into_sdist(sdist)
    with TemporaryDirectory() as again:
        build_again(sdist, Path(again))
        for file in (wheel, sdist):
            if file.read_bytes() != (Path(again) / file.name).read_bytes():
                sys.exit(f"{file.name} is another when it is built again")
    print("The wheel and the sdist are whole, and the same when they are built again.")


if __name__ == "__main__":
    main()

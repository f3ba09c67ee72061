"""The pages of the documentation, and their examples."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "lockout_decorators"


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def examples(name):
    return re.findall(r"^```python\n(.*?)^```$", text_of(name), re.MULTILINE | re.DOTALL)


def execute(name):
    """Run the page's examples as one module; its names."""
    module = {"__name__": Path(name).stem.lower()}
    for example in examples(name):
        exec(compile(example, name, "exec"), module)
    return module


class Names:
    def __init__(self, module):
        vars(self).update(module)


def rows(page, heading):
    """The first cells of the table under a heading."""
    section = text_of(page).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [re.findall(r"`(\w+)`", line.split("|")[1])[0] for line in section.splitlines() if line.startswith("| `")]

"""Our own page. The template makes one mould for each shape of it; what differs is poured in."""

import re
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeGuard

from django.http import HttpRequest
from django.template import Context, Engine
from django.template.backends.django import Template

TEMPLATE = "lockout_decorators/locked_out.html"
FILE: str = str(Path(__file__).parent.parent / "templates" / TEMPLATE)
MAY_LACK = ("site_name", "time", "seconds", "reference")


def poured(told: Mapping[str, str]) -> str:
    """The page that tells this, which is HTML already."""
    return _mould(tuple([bool(told[name]) for name in MAY_LACK])) % told


def is_ours(template: Any) -> TypeGuard[Template]:
    """Whether a mould will do; not where somebody listens to templates, as the client of Django's tests does."""
    if not isinstance(template, Template) or template.origin.name != FILE:
        return False
    signals = sys.modules.get("django.test.signals")
    return signals is None or not signals.template_rendered.has_listeners()


def nonce(template: Template, request: HttpRequest) -> str:
    """Of the page's style, by the context processors of a template of Django's."""
    found: Any = None
    for processor in template.backend.engine.template_context_processors:
        found = processor(request).get("csp_nonce", found)
    return "" if found is None else str(found)


@cache
def _mould(shape: tuple[bool, ...]) -> str:
    """For the operator %; a mark stands where `told` will."""
    has = dict(zip(MAY_LACK, shape, strict=True))
    page = Engine().from_string(Path(FILE).read_text(encoding="utf-8")).render(Context(_marked(has)))
    return re.sub(r"\0(\w+)\0", r"%(\1)s", page.replace("%", "%%"))


def _marked(has: Mapping[str, bool]) -> dict[str, Any]:
    def mark(*names: str) -> dict[str, str]:
        return {name: f"\0{name}\0" if has.get(name, True) else "" for name in names}

    words = SimpleNamespace(**mark("over", "code", "back"))
    answer = SimpleNamespace(words=words, **mark("language", "direction", "site_name", "seconds", "time"))
    answer.back = "\0form\0"
    return {"answer": answer, "status": mark("reference"), **mark("title", "advice", "csp_nonce")}

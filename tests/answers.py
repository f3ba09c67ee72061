"""Answers without what is random in them."""

import re
from typing import Any

CODE = re.compile(r"\sreference: [2-9A-HJKMNP-Z]{4}-[2-9A-HJKMNP-Z]{4}[.]", re.IGNORECASE)


def without_code(content: bytes) -> str:
    """The content of an answer but for the code of its lock, which has to be there, once."""
    text, found = CODE.subn("", content.decode())
    assert found == 1, text
    return text


def csp_nonce(request: Any) -> dict[str, str]:
    """A context processor."""
    return {"csp_nonce": "r4nd0m"}


def no_csp_nonce(request: Any) -> dict[str, None]:
    """As Django's context processor without its middleware."""
    return {"csp_nonce": None}

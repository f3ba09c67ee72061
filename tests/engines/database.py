"""Engines: database."""

from collections.abc import Mapping
from typing import Any

ENGINES: Mapping[str, Any] = {}

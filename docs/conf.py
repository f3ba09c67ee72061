"""How Sphinx builds these pages."""

from importlib.metadata import version as version_of

project = "lockout_decorators"
author = "lockout_decorators contributors"
copyright = f"2026, {author}"
release = version = version_of("lockout-decorators")

extensions = ["myst_parser"]
exclude_patterns = ["demo"]
myst_heading_anchors = 3
html_static_path = ["pictures/furo.css"]
html_css_files = ["furo.css"]
html_theme = "furo"

"""How Sphinx builds these pages."""

from importlib.metadata import version as version_of

from django.conf import settings

settings.configure()  # modules are imported for their docstrings

project = "lockout_decorators"
author = "lockout_decorators contributors"
copyright = f"2026, {author}"
release = version = version_of("lockout-decorators")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["demo"]
myst_heading_anchors = 3
html_static_path = ["pictures/furo.css"]
html_css_files = ["furo.css"]
html_theme = "furo"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
nitpick_ignore = [("py:class", "datetime.datetime")]

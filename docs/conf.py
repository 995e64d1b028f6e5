"""Sphinx: pages in Markdown, the reference from the docstrings of the installed package."""

import importlib.metadata

project = "boc"
author = "The boc maintainers"
release = importlib.metadata.version("boc")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["img/**"]
html_theme = "furo"
html_title = f"boc {release}"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
suppress_warnings = ["misc.highlighting_failure"]

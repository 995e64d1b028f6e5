"""The docs are in step with the code: the trace page, the names of the package, the stubs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest
from rules import ROOT, files, name

boc = pytest.importorskip("boc")
PUBLIC = sorted(n for n in getattr(boc, "__all__", ()) if not n.startswith("__"))


def test_the_trace_page():
    done = subprocess.run([sys.executable, ROOT / "tools" / "trace_page.py", "--check"], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("public", PUBLIC)
def test_public_names_say_what_they_are(public):
    thing = getattr(boc, public)
    if callable(thing) or isinstance(thing, type(boc)):
        text = getattr(thing, "__doc__", None)
        assert text and text.strip(), f"boc.{public} has no docstring"


@pytest.mark.parametrize("public", PUBLIC)
def test_public_names_are_in_the_reference(public):
    pages = "\n".join(p.read_text(encoding="utf-8") for p in files("docs/**/*.md", "docs/**/*.rst"))
    assert re.search(rf"\b{re.escape(public)}\b", pages), f"boc.{public} is in no page of docs/"


def stub_names(tree: ast.Module) -> set[str]:
    """Names that a stub defines at its top."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
        elif isinstance(node, ast.Assign):
            found |= {t.id for t in node.targets if isinstance(t, ast.Name)}
        elif isinstance(node, ast.ImportFrom):
            found |= {a.asname for a in node.names if a.asname}
    return found


@pytest.mark.parametrize("stub", files("python/**/*.pyi"), ids=name)
def test_stubs_are_in_step(stub):
    import importlib
    parts = stub.relative_to(ROOT / "python").with_suffix("").parts
    module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
    real = {n for n in vars(module) if not n.startswith("_")}
    stubbed = {n for n in stub_names(ast.parse(stub.read_text())) if not n.startswith("_")}
    aliases = {n for n in stubbed if n not in real and re.fullmatch(r"[A-Z]\w{0,2}|P|R|T\w*", n)}
    assert stubbed - real - aliases == set(), f"{name(stub)} names what the module lacks"
    if parts[-1] != "__init__":
        assert real - stubbed == set(), f"{name(stub)} lacks what the module has"


PAGES = [*files("*.md"), *files("docs/**/*.md")]


def anchors(page):
    """The anchors that the headings of a page make."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in heads}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{name(page)} leads to {link}"
        assert not anchor or anchor in anchors(target), f"{name(page)} leads to {link}"

"""boc.doctor(): where each module can run, learned by trying."""

from __future__ import annotations

import json
import sys

import boc
import pytest
from boc import _doctor
from running import script


def test_it_tries_each_module_once(monkeypatch):
    monkeypatch.setattr(_doctor, "_learned", {})
    found = boc.doctor("json", json, "no_such_module_here")
    assert [m.name for m in found] == ["json", "no_such_module_here"]
    assert found[0] == ("json", "workers", "")
    assert found[1].where == "main (pinned)" and "no_such_module_here" in found[1].why
    assert "json" in repr(found) and "main (pinned)" in repr(found) and "on='main'" in repr(found)
    assert "<table" in found._repr_html_() and "<code>json</code>" in found._repr_html_()
    tried = []
    monkeypatch.setattr(_doctor, "_try", lambda names: tried.append(names) or dict.fromkeys(names, ""))
    assert [m.where for m in boc.doctor("json", "zlib")] == ["workers", "workers"]
    assert tried == [["zlib"]], "what is known is not tried again"


def test_numpy_says_itself_that_it_refuses():
    pytest.importorskip("numpy")
    (found,) = boc.doctor("numpy")
    assert found.where == "main (pinned)" and "numpy" in found.why
    assert not boc._core._running(), "nothing here was started"


def test_a_module_that_ends_the_process(monkeypatch, tmp_path):
    monkeypatch.setattr(_doctor, "_learned", {})
    (tmp_path / "boc_test_ends.py").write_text("import os\nos._exit(3)\n")
    (tmp_path / "boc_test_fine.py").write_text("print('noise')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    first, second = boc.doctor("boc_test_ends", "boc_test_fine")
    assert first.where == "main (pinned)" and "ended the process" in first.why
    assert second.where == "workers"


def test_without_names_it_lists_what_the_program_imported(tmp_path):
    done = script(tmp_path, """
        import json, os.path, textwrap as wrap
        from decimal import Decimal
        import boc
        from boc import Cown
        value = 3
        def mine(): pass
        print([m.name for m in boc.doctor()])
    """, timeout=90)
    assert eval(done.out) == ["json", "os", "textwrap", "decimal"]


def test_wrong_arguments():
    with pytest.raises(TypeError, match="not int"):
        boc.doctor(3)

    @boc.when()
    def body():
        try:
            boc.doctor("json")
        except RuntimeError as e:
            return str(e)

    assert "inside a behavior" in body.result()
    assert sys.modules["json"] is json

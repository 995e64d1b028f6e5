"""An editable install may build what changed when main imports it, and never from inside a worker."""

from __future__ import annotations

import json
import textwrap

import pytest

pytestmark = pytest.mark.timeout(30)

# Stands for the finder of an editable install: site runs it in every interpreter, before boc is imported.
SITE = """
    import os, sys

    def collect(plan):
        return plan

    class MesonpyMetaFinder:
        _build_path = os.path.dirname(__file__)

        def _rebuild(self):
            with open(os.path.join(self._build_path, "builds"), "a") as file:
                file.write(f"{id(sys.modules)} ")

        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == "boc":
                self._rebuild()

    sys.meta_path.insert(0, MesonpyMetaFinder())
"""


def test_workers_do_not_build(script, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(textwrap.dedent(SITE))
    (tmp_path / "meson-info").mkdir()
    (tmp_path / "meson-info" / "intro-install_plan.json").write_text(json.dumps({}))
    done = script("""
        import os, sys
        from boc import gather, start, wait, when
        start(2)
        def body():
            @when()
            def found():
                import sys
                import boc.examples.bank
                return [type(finder).__name__ for finder in sys.meta_path].count("MesonpyMetaFinder")
            return found
        print(gather([body() for _ in range(8)]))
        wait()
        builds = os.path.join(os.path.dirname(sys.modules["sitecustomize"].__file__), "builds")
        print(set(open(builds).read().split()) == {str(id(sys.modules))})
    """, env={"PYTHONPATH": str(tmp_path)})
    assert done.stdout == f"{[1] * 8}\nTrue\n"

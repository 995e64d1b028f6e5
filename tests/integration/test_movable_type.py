"""The template for movable C types builds against the installed package, and its own tests pass."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import boc
import pytest

TEMPLATE = Path(__file__).resolve().parent.parent.parent / "examples" / "movable_type"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wno-unused-function"]


@pytest.mark.parametrize(("compiler", "standard"), [("cc", "c11"), ("c++", "c++11")])
def test_the_header_is_clean(tmp_path, compiler, standard):
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    import sysconfig
    source = tmp_path / ("t.c" if compiler == "cc" else "t.cc")
    source.write_text('#include <boc/boc.h>\n#if BOC_ABI_VERSION < 1\n#error "no version"\n#endif\n')
    command = [compiler, f"-std={standard}", *WARNINGS, f"-I{boc.get_include()}", "-isystem",
    sysconfig.get_path("include"),
               "-c", str(source), "-o", str(tmp_path / "t.o")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_there_is_nothing_to_link():
    assert all(Path(p).exists() for p in boc.get_sources())
    assert (Path(boc.get_include()) / "boc" / "boc.h").exists()


def test_the_template(tmp_path):
    if shutil.which("cc") is None or subprocess.run([sys.executable, "-c", "import mesonpy"],
    capture_output=True).returncode:
        pytest.skip("no C compiler or meson-python")
    source, site = tmp_path / "source", tmp_path / "site"
    shutil.copytree(TEMPLATE, source, ignore=shutil.ignore_patterns("build", "__pycache__"))
    package = str(Path(boc.__file__).resolve().parent.parent)
    bin_folder = str(Path(sys.executable).parent)
    env = os.environ | {"PYTHONPATH": package, "PATH": bin_folder + os.pathsep + os.environ.get("PATH", "")}
    built = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation",
    "--no-index",
                            "--target", str(site), str(source)], capture_output=True, text=True, env=env)
    assert built.returncode == 0, built.stdout + built.stderr
    env["PYTHONPATH"] = os.pathsep.join([str(site), package])
    tested = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(source / "tests")],
                            capture_output=True, text=True, env=env, cwd=tmp_path, timeout=100)
    assert tested.returncode == 0, tested.stdout + tested.stderr

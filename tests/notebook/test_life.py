"""Loading, unloading, interrupts, pinned work, subshells, restart: in real kernels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Kernel, clean_environment


@pytest.fixture
def fresh() -> Iterator[Kernel]:
    started = Kernel()
    yield started
    started.close()


PINNED = """
p, gate = PinnedCown([]), Cown(0)
def later(seconds, action):
    "Runs action on the main thread when a worker has slept: mostly after the cell's end."
    @when(gate)
    def nap(gate):
        time.sleep(seconds)
    @when(p, nap)
    def act(p, nap):
        action()
    return act
"""


# ---- loading --------------------------------------------------------------------
def test_loading_is_fast_and_starts_nothing(fresh: Kernel) -> None:
    fresh.run("import time, sys, threading, os")
    fresh.run(
        "m0, n0 = set(sys.modules), threading.active_count()\n"
        "%load_ext boc\n"
        "m1, n1 = set(sys.modules), threading.active_count()\n"
        "f1 = len(os.listdir('/proc/self/task'))"
    )
    assert fresh.value("n1 - n0") == 0
    assert fresh.value("boc._core._running()" if fresh.run("import boc").ok else "") is False
    heavy = {"numpy", "matplotlib", "PIL", "boc.view", "boc.trace", "cloudpickle"}
    assert heavy & set(fresh.value("sorted(m1 - m0)")) == set()
    assert "Cown" not in fresh.value("sorted(globals())"), "names come from `from boc import ...`"


def test_load_and_unload_may_be_repeated(fresh: Kernel) -> None:
    fresh.run("%load_ext boc\n%load_ext boc\nfrom boc import Cown, when, quiesce\nimport threading\na = Cown(1)")
    fresh.run("%reload_ext boc")
    assert fresh.run("%%when a --wait\nprint('here')").out == "here\n"
    fresh.run("%unload_ext boc")
    gone = fresh.run("%%when a\n1", ok=False)
    assert "not found" in gone.text
    fresh.run("get_ipython().extension_manager.unload_extension('boc')")
    assert fresh.client.complete("%%when ", 7, reply=True, timeout=10)["content"]["matches"] != ["a"]
    assert fresh.run("@when(a)\ndef f(a):\n    return a.value\nf.result()").ok, "the runtime itself is not unloaded"
    assert [n for n in fresh.value("[t.name for t in threading.enumerate()]") if n in ("boc-output", "boc-live")] == []
    fresh.run("%load_ext boc")
    assert fresh.run("%%when a --wait\nprint('again')").out == "again\n"


# ---- interrupt --------------------------------------------------------------------
WAITS = ["quiesce()", "boc.wait()", "slow.result()", "boc.gather([slow])", "list(boc.as_completed([slow]))",
         "await slow", "await boc.quiesced()"]  # fmt: skip


@pytest.mark.parametrize("waiting", WAITS)
def test_an_interrupt_ends_a_wait_at_once_and_the_runtime_goes_on(kernel: Kernel, waiting: str) -> None:
    kernel.run("@when()\ndef warm():\n    return 1\nwarm.result()")
    ran = kernel.submit(
        "import os; r, w = os.pipe()\n@when()\ndef slow():\n    os.read(r, 1)\n    return 'slept'\n"
        f"print('waiting', flush=True)\n{waiting}"
    )
    kernel.until(lambda: "waiting" in ran.out)
    time.sleep(0.1)
    kernel.manager.interrupt_kernel()
    kernel.finish(ran)
    assert ran.reply["ename"] == ("CancelledError" if waiting.startswith("await") else "KeyboardInterrupt")
    kernel.run("os.write(w, b'.')")
    assert kernel.value("slow.result()") == "slept"
    kernel.run("quiesce()")


# ---- modules that are edited ----------------------------------------------------------
def test_bodies_see_what_autoreload_reloaded(fresh: Kernel, tmp_path: Path) -> None:
    body = "@when()\ndef look():\n    return shop.price(), shop.Jar().size\nlook.result()"
    source = tmp_path / "shop.py"
    source.write_text("def price():\n    return 1\nclass Jar:\n    size = 1\n")
    fresh.run("%load_ext boc\n%load_ext autoreload\n%autoreload 2\nfrom boc import when\nimport sys")
    fresh.run(f"sys.dont_write_bytecode = True; sys.path.insert(0, {str(tmp_path)!r})\nimport shop")
    assert fresh.run(body).text == "(1, 1)"
    source.write_text("def price():\n    return 22\nclass Jar:\n    size = 22\n")
    os.utime(source, (time.time() + 5, time.time() + 5))  # a file system may count in whole seconds
    assert fresh.run(body).text == "(22, 22)"
    assert fresh.run(body).text == "(22, 22)"


# ---- pinned work ----------------------------------------------------------------------
def test_pinned_work_runs_while_the_kernel_is_idle_under_its_cell(kernel: Kernel) -> None:
    kernel.run(PINNED)
    ran = kernel.run("r = later(0.2, lambda: (print('pinned', threading.current_thread().name), display('shown')))")
    other = kernel.run("print('other')")
    kernel.until(lambda: "pinned" in ran.out)
    assert ran.out == "pinned MainThread\n"
    kernel.until(lambda: ran.data("display_data"))
    assert kernel.run("quiesce()").out == "" and other.out == "other\n"


def test_an_interrupt_reaches_a_pinned_body_of_the_idle_kernel(kernel: Kernel) -> None:
    kernel.run(PINNED)
    ran = kernel.run("def spin():\n    print('spinning')\n    while True: time.sleep(0.01)\nr = later(0.2, spin)")
    kernel.until(lambda: "spinning" in ran.out)
    kernel.manager.interrupt_kernel()
    kernel.until(lambda: ran.errors)
    assert "KeyboardInterrupt" in ran.errors[0] and "while True" in ran.errors[0]
    assert "boc/kernel" not in ran.errors[0]
    assert kernel.run("1 + 1").ok and kernel.manager.is_alive()


@pytest.mark.parametrize("error", ["SystemExit(3)", "KeyboardInterrupt()", "GeneratorExit()"])
def test_what_escapes_a_pinned_body_does_not_end_the_kernel(kernel: Kernel, error: str) -> None:
    kernel.run(PINNED)
    ran = kernel.run(f"def bad():\n    raise {error}\nr = later(0.1, bad)")
    kernel.until(lambda: ran.errors)
    assert error.split("(")[0] in ran.errors[0]
    assert kernel.run("r.done()").ok and kernel.manager.is_alive()
    kernel.run("quiesce()")
    assert len(ran.errors) == 1


def test_an_exception_of_a_pinned_body_is_said_once_under_its_cell(kernel: Kernel) -> None:
    kernel.run(PINNED)
    ran = kernel.run("def bad():\n    return {}['plate']\nr = later(0.1, bad)")
    kernel.until(lambda: ran.errors)
    kernel.run("quiesce()")
    assert len(ran.errors) == 1 and "KeyError" in ran.errors[0] and "behavior act" in ran.errors[0]


def test_run_all_pumps_between_cells(kernel: Kernel) -> None:
    kernel.run(PINNED)
    cells = ["order = []; log = PinnedCown(order)"]
    for n in range(4):
        cells.append(f"@when(log)\ndef pin{n}(log):\n    log.value.append({n})\norder.append('cell {n}')")
    submitted = [kernel.submit(c) for c in cells]
    for ran in submitted:
        kernel.finish(ran)
    assert kernel.value("order") == ["cell 0", 0, "cell 1", 1, "cell 2", 2, "cell 3", 3]


def test_requests_are_answered_while_much_pinned_work_is_ready(kernel: Kernel) -> None:
    kernel.run(PINNED + "done = []; p = PinnedCown(done)")
    kernel.run(
        "@when(gate)\ndef nap(gate): time.sleep(0.2)\n"
        "for n in range(100):\n    @when(p, nap)\n    def bit(p, nap):\n        time.sleep(0.02); p.value.append(1)"
    )
    time.sleep(0.4)
    assert kernel.value("len(done)") < 100, "this cell had its turn between them"
    kernel.run("quiesce()")
    assert kernel.value("len(done)") == 100


def test_pinned_work_runs_in_an_awaiting_cell(kernel: Kernel) -> None:
    kernel.run(PINNED)
    ran = kernel.run(
        "import asyncio\nr = later(0.1, lambda: print('pinned'))\nfor _ in range(200):\n"
        "    await asyncio.sleep(0.01)\n    if r.done(): break\nprint('awaited', _ < 199)"
    )
    assert ran.out == "pinned\nawaited True\n"
    assert kernel.run("await later(0.1, lambda: 7)").ok


def test_a_figure_of_a_pinned_body_is_shown_under_its_cell(kernel: Kernel) -> None:
    pytest.importorskip("matplotlib")
    kernel.run(PINNED + "import matplotlib.pyplot as plt")
    ran = kernel.run("def draw():\n    plt.plot([1, 2])\nr = later(0.2, draw)")
    other = kernel.run("print('other')")
    kernel.until(
        lambda: any("image/png" in d["data"] for d in ran.data("display_data")),
        10,
        str([m["content"] for m in ran.messages])[:3000],
    )
    kernel.run("quiesce()")
    assert other.data("display_data") == []
    assert kernel.value("plt.get_fignums()") == []


def test_a_figure_in_a_result_is_shown_once(kernel: Kernel) -> None:
    pytest.importorskip("matplotlib")
    kernel.run("import matplotlib.pyplot as plt")
    ran = kernel.run("%%when -> drawn --on main --wait\nplt.plot([1, 2])")
    asked = kernel.run("copy = drawn.result()\ncopy[0].figure.axes[0].lines[0].get_ydata().tolist()")
    assert len([d for d in ran.data("display_data") if "image/png" in d["data"]]) == 1
    assert asked.data("display_data") == [] and "[1, 2]" in asked.text
    assert kernel.value("plt.get_fignums()") == []


# ---- subshells ------------------------------------------------------------------------------
def test_a_cell_in_a_subshell(kernel: Kernel) -> None:
    if "supported_features" not in kernel.client.kernel_info(reply=True, timeout=10)["content"]:
        pytest.skip("this ipykernel has no subshells")
    client = kernel.client
    request = client.session.msg("create_subshell_request")
    client.control_channel.send(request)
    subshell = client.get_control_msg(timeout=10)["content"]["subshell_id"]
    kernel.run("k = Cown(1)")
    busy = kernel.submit("time.sleep(1.0); print('main done')")
    message = client.session.msg(
        "execute_request",
        {"code": "%%when k -> sub\nprint('from the subshell')\nk.value + 1", "silent": False, "store_history": True,
         "user_expressions": {}, "allow_stdin": False, "stop_on_error": True},
    )  # fmt: skip
    message["header"]["subshell_id"] = subshell
    client.shell_channel.send(message)
    msg_id = message["header"]["msg_id"]
    kernel.until(lambda: any(m["msg_type"] == "stream" for m in kernel.outputs(msg_id)))
    assert "main done" not in busy.out, "it did not wait for the main shell"
    kernel.finish(busy)
    assert kernel.value("sub.result()") == 2


# ---- kernel spec, restart ------------------------------------------------------------------------
def test_the_kernel_spec_loads_the_extension(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "boc.kernel", "install", "--prefix", str(tmp_path)],
        capture_output=True, text=True, check=True, env=clean_environment(), stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "Python 3 (boc)" in done.stdout
    spec = json.loads((tmp_path / "share/jupyter/kernels/boc/kernel.json").read_text())
    assert spec["display_name"] == "Python 3 (boc)" and spec["argv"][0] == sys.executable
    kernel = Kernel(argv=spec["argv"])
    try:
        kernel.run("from boc import Cown, PinnedCown\na, p = Cown(2), PinnedCown(5)")
        assert kernel.run("%%when a --wait\nprint(a.value)").out == "2\n"
        ran = kernel.run("%%when a, p\nprint('pinned', p.value)")
        kernel.until(lambda: ran.out == "pinned 5\n")
    finally:
        kernel.close()


def test_a_bad_install_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "boc.kernel", "install", "--prefix", str(tmp_path / "file")],
        capture_output=True, text=True, check=False, env=clean_environment(), stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1


def test_a_restart_leaves_no_process(fresh: Kernel) -> None:
    fresh.run("%load_ext boc\nimport os, time\nfrom boc import Cown, when")
    fresh.run("@when()\ndef busy():\n    while True: pass\n@when(busy)\ndef never(b): pass")
    pid = fresh.value("os.getpid()")
    fresh.manager.restart_kernel(now=False, env=clean_environment())
    end = time.monotonic() + 10
    while time.monotonic() < end and os.path.exists(f"/proc/{pid}"):
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{pid}")


def test_plain_python_and_terminal_ipython_need_no_kernel() -> None:
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "ip = InteractiveShell.instance()\n"
        "ip.run_line_magic('load_ext', 'boc')\n"
        "ip.run_cell('import boc; from boc import Cown; a = Cown(4)')\n"
        "ip.run_cell('%%when a --wait -> r\\nprint(\"said\", a.value)\\na.value * 2')\n"
        "ip.run_cell('print(r.result())')\n"
        "ip.run_cell('%boc status')\n"
        "ip.run_cell('%boc live')\n"
        "ip.run_cell('x = 1\\nprint(boc.whencall(lambda: 1, []).name)', store_history=True)\n"
        "ip.run_line_magic('unload_ext', 'boc')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=clean_environment(), check=False,
        timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "said 4\n8\n" in done.stdout and "2 workers" in done.stdout
    assert "1 behavior" in done.stdout and "worker 0" in done.stdout
    assert "cell 1:2\n" in done.stdout, "a body without a name is called by its place"


def test_a_terminal_pumps_while_its_prompt_waits() -> None:
    pexpect = pytest.importorskip("pexpect")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads: the clients of other tests have some
        child = pexpect.spawn(
            sys.executable, ["-m", "IPython", "--no-banner", "--colors=NoColor"],
            env=clean_environment(), encoding="utf8", timeout=20,
        )  # fmt: skip
    try:
        lines = (
            "%load_ext boc",
            "from boc import Cown, PinnedCown, whencall; import time; a, p = Cown(1), PinnedCown(2)",
            "f = whencall(lambda a: time.sleep(0.3), [a])",
            "g = whencall(lambda p, f: print('PIN' + 'NED', p.value), [p, f])",
        )
        for number, line in enumerate(lines, 1):
            child.expect(rf"In \[{number}\]")
            child.sendline(line)
        child.expect("PINNED 2")
        child.sendline("%unload_ext boc")
        child.expect(r"In \[6\]")
        child.sendline("20 + 22")
        child.expect("42")
        child.sendline("exit()")
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)

"""The cooking notebook in a real JupyterLab and a real browser: a smoke test.

Needs chromium and playwright; without them it says so and is left out.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("jupyterlab", reason="jupyterlab is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None:
    pytest.skip("there is no chromium here", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]
RUN_ALL = "window.jupyterapp.commands.execute('notebook:run-all-cells')"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a JupyterLab over a copy of the notebook, with folders of its own."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "work").mkdir()
    shutil.copy(ROOT / "notebooks" / "cooking.ipynb", folder / "work" / "cooking.ipynb")
    env = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED" and not k.startswith("PYTEST_")}
    for name in (
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR",
        "JUPYTER_RUNTIME_DIR",
        "IPYTHONDIR",
        "JUPYTERLAB_SETTINGS_DIR",
    ):
        env[name] = str(folder / name.lower())
        Path(env[name]).mkdir()
    page = folder / "jupyter_config_dir" / "labconfig"
    page.mkdir()
    (page / "page_config.json").write_text(
        '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}'
    )
    port = free_port()
    command = [
        sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser", f"--ServerApp.port={port}",
        "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={folder / 'work'}",
        "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    log = (folder / "lab.log").open("wb")
    server = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{address}/api/status", timeout=2).close()
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < end, (folder / "lab.log").read_text()
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(20)
        log.close()


@pytest.fixture(scope="module")
def page(lab: str) -> Iterator[Any]:
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        tab = browser.new_page(viewport={"width": 1400, "height": 1000})
        tab.set_default_timeout(60_000)
        tab.goto(f"{lab}/lab/tree/cooking.ipynb?reset")
        tab.wait_for_selector(".jp-Notebook .jp-CodeCell")
        yield tab
        browser.close()


def outputs(page: Any, source: str) -> Any:
    """The output area of the first cell whose text holds `source`."""
    return page.locator(".jp-CodeCell", has_text=source).first.locator(".jp-OutputArea-output")


def test_the_notebook_runs_and_its_pictures_appear(page: Any) -> None:
    page.wait_for_function("window.jupyterapp !== undefined")
    page.wait_for_function(
        "(async () => { const w = window.jupyterapp.shell.currentWidget;"
        " await w.context.sessionContext.ready;"
        " return w.context.sessionContext.session?.kernel?.status === 'idle'; })()"
    )
    page.evaluate(RUN_ALL)
    page.wait_for_function(
        "() => { const c = window.jupyterapp.shell.currentWidget.content.model.cells;"
        " const last = c.get(c.length - 1); return last.executionCount !== null && last.outputs.length > 0; }",
        timeout=90_000,
    )
    state = page.evaluate(
        "() => { const out = []; for (const c of window.jupyterapp.shell.currentWidget.content.model.cells) {"
        " if (c.type !== 'code') continue; const o = []; for (let i = 0; i < c.outputs.length; i++)"
        " o.push(c.outputs.get(i).toJSON()); out.push([c.sharedModel.getSource(), o]); } return out; }"
    )
    shown = dict(state)
    errors = [o for found in shown.values() for o in found if o["output_type"] == "error"]
    assert errors == []
    live = next(found for source, found in shown.items() if source.startswith("%boc live"))
    assert [o["output_type"] for o in live] == ["display_data"], "replaced in place, nothing appended"
    assert "image/png" in live[0]["data"] and "behaviors" in "".join(live[0]["data"]["text/plain"])
    steps = next(found for source, found in shown.items() if source.startswith("@when(knife, onion)"))
    assert "in the pan: omelette" in "".join("".join(o.get("text", "")) for o in steps), (
        "late output stays with its cell"
    )
    sign = next(found for source, found in shown.items() if "sign = PinnedCown" in source)
    assert "still hot" in str(sign) and "the sign at the door has changed" in str(sign)


def test_a_cells_output_follows_its_behavior(page: Any) -> None:
    page.evaluate("window.jupyterapp.commands.execute('notebook:move-cursor-down')")
    page.evaluate(
        "(() => { const n = window.jupyterapp.shell.currentWidget.content;"
        " n.activeCellIndex = n.widgets.length - 1; })()"
    )
    page.evaluate("window.jupyterapp.commands.execute('notebook:insert-cell-below')")
    page.evaluate(
        "window.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.setSource("
        "\"%%when onion\\ntime.sleep(1.5)\\nprint('finished late')\\n6 * 7\")"
    )
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-cell')")
    area = page.locator(".jp-CodeCell").last.locator(".jp-OutputArea-output")
    page.wait_for_function("document.body.innerText.includes('pending')")
    page.wait_for_function("document.body.innerText.includes('finished late')")
    page.wait_for_function("!document.body.innerText.includes('· pending')")
    text = " ".join(area.all_inner_texts())
    assert "value" in text and "42" in text and "finished late" in text
    page.screenshot(
        path=os.environ.get("BOC_SCREENSHOT", os.devnull + ".png") if "BOC_SCREENSHOT" in os.environ else None
    )

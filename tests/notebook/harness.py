"""A real kernel for tests: cells go in, and every output is kept under the cell it was sent to."""

from __future__ import annotations

import ast
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager
from jupyter_core.utils import ensure_event_loop
from traitlets import List

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def clean_environment() -> dict[str, str]:
    """The environment of a user's kernel: nothing that hides buffering or capturing bugs."""
    hidden = ("PYTHONUNBUFFERED", "PYTEST_CURRENT_TEST", "PYTHONDONTWRITEBYTECODE", "IPYKERNEL_CELL_NAME", "MPLBACKEND")
    return {k: v for k, v in os.environ.items() if k not in hidden and not k.startswith("PYTEST_")}


LEFT = """
import gc, sys, time
import boc

boc.stop()
boc.set_pump_watchdog(None)
boc.set_tags([])
boc.reset()
get_ipython().reset()  # the user's names, `_` and `Out`
get_ipython().SyntaxTB.clear_err_state()
get_ipython().InteractiveTB.tb = None
for name in ("last_exc", "last_value", "last_traceback", "last_type"):
    sys.__dict__.pop(name, None)
end = time.monotonic() + 10
while any(boc.debug.live().values()) and time.monotonic() < end:
    gc.collect()
    time.sleep(0.01)  # an abandoned worker lets go of what it has when its body ends
print(boc.debug.live())
"""


@dataclass
class Ran:
    """One executed cell and what was sent to it so far."""

    msg_id: str
    kernel: Kernel
    reply: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def messages(self) -> list[dict[str, Any]]:
        return self.kernel.outputs(self.msg_id)

    def stream(self, name: str = "stdout") -> str:
        return "".join(
            m["content"]["text"] for m in self.messages if m["msg_type"] == "stream" and m["content"]["name"] == name
        )

    @property
    def out(self) -> str:
        return self.stream("stdout")

    @property
    def err(self) -> str:
        return self.stream("stderr")

    @property
    def errors(self) -> list[str]:
        """The tracebacks shown under the cell, without colours."""
        return [_ANSI.sub("", "\n".join(m["content"]["traceback"])) for m in self.messages if m["msg_type"] == "error"]

    @property
    def text(self) -> str:
        """All that a reader sees as text, without colours."""
        parts = []
        for m in self.messages:
            content = m["content"]
            if m["msg_type"] == "stream":
                parts.append(content["text"])
            elif m["msg_type"] == "error":
                parts.append("\n".join(content["traceback"]))
            elif "data" in content:
                parts.append(str(content["data"].get("text/plain", "")))
        return _ANSI.sub("", "\n".join(parts))

    def data(self, kind: str) -> list[dict[str, Any]]:
        """The contents of the messages of one type, like `display_data`."""
        return [m["content"] for m in self.messages if m["msg_type"] == kind]

    @property
    def ok(self) -> bool:
        return self.reply.get("status") == "ok"


class _OneSpec(KernelSpecManager):
    """Knows one kernel: the one to be tested."""

    argv = List()

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(argv=self.argv, display_name=kernel_name, language="python")


class Kernel:
    """A started kernel with its messages sorted by cell."""

    def __init__(self, argv: list[str] | None = None) -> None:
        # The interpreter that runs the tests, whatever kernel spec is installed.
        launch = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        self.manager = KernelManager(kernel_spec_manager=_OneSpec(argv=argv or launch))
        self.manager.start_kernel(env=clean_environment())
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self._by_parent: dict[str, list[dict[str, Any]]] = {}
        self._idle: set[str] = set()
        self._changed = threading.Condition()
        self._stop = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            self._read_all()
        finally:  # jupyter_core gives each thread a loop of its own and leaves it open
            ensure_event_loop().close()

    def _read_all(self) -> None:
        while not self._stop:
            try:
                message = self.client.get_iopub_msg(timeout=0.2)
            except Empty:
                continue
            except Exception:
                return
            parent = message["parent_header"].get("msg_id", "")
            with self._changed:
                if message["msg_type"] == "status":
                    if message["content"]["execution_state"] == "idle":
                        self._idle.add(parent)
                elif message["msg_type"] != "execute_input":
                    message["at"] = time.monotonic()
                    self._by_parent.setdefault(parent, []).append(message)
                self._changed.notify_all()

    def outputs(self, msg_id: str) -> list[dict[str, Any]]:
        with self._changed:
            return list(self._by_parent.get(msg_id, []))

    def submit(self, code: str, **options: Any) -> Ran:
        """Send a cell without waiting for its end."""
        return Ran(self.client.execute(code, **options), self)

    def finish(self, ran: Ran, timeout: float = 60.0) -> Ran:
        """Wait until the cell's reply and its idle status are here."""
        end = time.monotonic() + timeout
        while not ran.reply:
            message = self.client.get_shell_msg(timeout=max(0.01, end - time.monotonic()))
            if message["parent_header"].get("msg_id") == ran.msg_id:
                ran.reply = message["content"]
        self.until(lambda: ran.msg_id in self._idle, timeout, "the cell never became idle")
        return ran

    def run(self, code: str, timeout: float = 60.0, *, ok: bool | None = True, **options: Any) -> Ran:
        """Run a cell to its end. ok: what its status must be; None: either."""
        begin = time.monotonic()
        ran = self.finish(self.submit(code, **options), timeout)
        ran.seconds = time.monotonic() - begin
        if ok is not None:
            assert ran.ok is ok, ran.text or ran.reply
        return ran

    def value(self, expression: str) -> Any:
        """The value of an expression in the kernel, by its repr."""
        reply = self.run("", user_expressions={"v": expression}).reply["user_expressions"]["v"]
        assert reply["status"] == "ok", reply
        return eval(reply["data"]["text/plain"])

    def until(self, true: Callable[[], Any], timeout: float = 10.0, why: str = "") -> Any:
        """Wait for messages until `true()` holds."""
        end = time.monotonic() + timeout
        with self._changed:
            while not (value := true()):
                left = end - time.monotonic()
                assert left > 0, why or "it did not come to pass"
                self._changed.wait(left)
            return value

    def left(self) -> dict[str, int]:
        """What of boc is alive once the runtime ended and the user's names are gone: nothing."""
        text = self.run(f"exec({LEFT!r}, {{'get_ipython': get_ipython}})").out
        return {name: count for name, count in ast.literal_eval(text).items() if count}

    def close(self) -> None:
        self._stop = True
        self._reader.join(2)
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()

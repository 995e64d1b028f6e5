"""The kernel spec "Python 3 (boc)": this interpreter's kernel with the extension loaded.

python -m boc.kernel install [--user | --sys-prefix | --prefix DIR] [--name NAME]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

NAME = "boc"
DISPLAY_NAME = "Python 3 (boc)"


def spec() -> dict[str, object]:
    """What `kernel.json` says."""
    return {
        "argv": [
            sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher",
            "-f", "{connection_file}", "--ext=boc",
        ],
        "display_name": DISPLAY_NAME,
        "language": "python",
        "metadata": {"debugger": True},
        "kernel_protocol_version": "5.5",
    }  # fmt: skip


def install(*, user: bool = False, prefix: str | None = None, name: str = NAME) -> str:
    """Install the spec. Returns the folder it lies in. Raises OSError where it cannot be written."""
    from jupyter_client.kernelspec import KernelSpecManager

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "kernel.json").write_text(json.dumps(spec(), indent=1), encoding="utf-8")
        return str(KernelSpecManager().install_kernel_spec(folder, name, user=user, prefix=prefix))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m boc.kernel", description="The Jupyter kernel with boc loaded.")
    commands = parser.add_subparsers(dest="command", required=True)
    adding = commands.add_parser("install", help=f'add the kernel "{DISPLAY_NAME}"')
    where = adding.add_mutually_exclusive_group()
    where.add_argument("--user", action="store_true", help="for this user alone")
    where.add_argument("--sys-prefix", action="store_true", help="into this Python's environment")
    where.add_argument("--prefix", help="into the environment at this folder")
    adding.add_argument("--name", default=NAME, help="name of the spec (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    prefix = sys.prefix if chosen.sys_prefix else chosen.prefix
    try:
        folder = install(user=chosen.user, prefix=prefix, name=chosen.name)
    except OSError as error:
        print(f"the kernel could not be installed: {error}", file=sys.stderr)
        return 1
    print(f'kernel "{DISPLAY_NAME}" installed in {folder}')
    return 0

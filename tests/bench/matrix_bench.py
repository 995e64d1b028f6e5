"""Every operation of Matrix at five sizes, beside the peer's and numpy's on one thread: a table, and JSON.

    matrix_bench.py [--peer bocpy] [--rounds 3] [--best] [--json FILE] [--markdown FILE]
                    [--sizes 4 16 64 256 tall] [--only sum @ ...]

Each round runs ours, the peer and numpy in turn, each in a process of its own. A figure is the median of the
rounds (--best: the least, for a machine that others use), in microseconds of CPU time a call, so that waiting for a
core does not count; a process takes the best of five runs. `tall` is 1,000,000 x 3.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SIZES = {"4": (4, 4), "16": (16, 16), "64": (64, 64), "256": (256, 256), "tall": (1_000_000, 3)}
SMALL_ONLY = {"pickle", "values"}  # what makes an object for each element

# operation: (ours and the peer's, numpy's or None). a, b, c: matrices; r, k: a row and a column; o: an output;
# m: a mask; q: b turned so that a @ q is defined, in `tall` a 3x3; idx: 100 (or fewer) row indices; v: 3 columns
OPERATIONS: dict[str, tuple[str, str | None]] = {
    "a + b": ("a + b", "a + b"),
    "a - b": ("a - b", "a - b"),
    "a * b": ("a * b", "a * b"),
    "a / b": ("a / b", "a / b"),
    "a + 1": ("a + 1.0", "a + 1.0"),
    "1 / a": ("1.0 / a", "1.0 / a"),
    "a + row": ("a + r", "a + r"),
    "a * column": ("a * k", "a * k"),
    "a += b": ("o += z", "o += z"),
    "add(out)": ("a.add(b, out=o)", "np.add(a, b, out=o)"),
    "-a": ("-a", "-a"),
    "abs": ("abs(a)", "abs(a)"),
    "@": ("a @ q", "a @ q"),
    "T": ("a.T", "a.T.copy()"),
    "copy": ("a.copy()", "a.copy()"),
    "fma": ("a.fma(b, c)", "a * b + c"),
    "scaled_add": ("a.scaled_add(0.5, b)", "a + 0.5 * b"),
    "ceil": ("a.ceil()", "np.ceil(a)"),
    "floor": ("a.floor()", "np.floor(a)"),
    "round": ("a.round()", "np.rint(a)"),
    "sqrt": ("a.sqrt()", "np.sqrt(a)"),
    "reciprocal": ("a.reciprocal()", "1.0 / a"),
    "sign": ("a.sign()", "np.sign(a)"),
    "sin": ("a.sin()", "np.sin(a)"),
    "cos": ("a.cos()", "np.cos(a)"),
    "negate(in_place)": ("o.negate(in_place=True)", "np.negative(o, out=o)"),
    "clip": ("a.clip(0.2, 0.8)", "np.clip(a, 0.2, 0.8)"),
    "bin": ("a.bin(10, bounds=(0.0, 1.0))", None),
    "digitize": ("a.digitize(edges)", "np.digitize(a, edges)"),
    "less": ("a.less(b)", "(a < b).astype(float)"),
    "equal": ("a.equal(b)", "(a == b).astype(float)"),
    "==": ("a == b2", "bool((a == b2).all())"),
    "<": ("a < b2", None),
    "where": ("Matrix.where(m, a, b)", "np.where(m, a, b)"),
    "allclose": ("Matrix.allclose(a, b2)", "np.allclose(a, b2)"),
    **{
        f"{n}{s}": (f"a.{n}({x})", f"a.{n}({'' if s == '' else 'axis=' + x})")
        for n in ("sum", "mean", "min", "max", "argmax")
        for s, x in (("", ""), ("(0)", "0"), ("(1)", "1"))
    },
    "sum(where)": ("a.sum(where=m)", "a.sum(where=mb)"),
    "magnitude": ("a.magnitude()", "np.linalg.norm(a)"),
    "magnitude(1)": ("a.magnitude(1)", "np.linalg.norm(a, axis=1)"),
    "magnitude_squared": ("a.magnitude_squared()", "(a * a).sum()"),
    "topk(3, 1)": ("a.topk(3, 1)", None),
    "vecdot(1)": ("a.vecdot(b, 1)", "np.vecdot(a, b)"),
    "normalize(1)": ("a.normalize(1)", "a / np.linalg.norm(a, axis=1, keepdims=True)"),
    "take": ("a.take(idx)", "a[idx]"),
    "take(1)": ("a.take([0, 2, 1], 1)", "a[:, [0, 2, 1]]"),
    "put": ("o.put(idx, 1.5)", "o.__setitem__(idx, 1.5)"),
    "repeat": ("a.repeat_interleave(2, 0)", "np.repeat(a, 2, 0)"),
    "concat": ("Matrix.concat([a, b])", "np.concatenate([a, b])"),
    "m[i, j]": ("a[1, 2]", "a[1, 2]"),
    "m[i, j] = x": ("o[1, 2] = 0.5", "o[1, 2] = 0.5"),
    "m[i]": ("a[1]", "a[1].copy()"),
    "m[i:j]": ("a[1:3]", "a[1:3].copy()"),
    "row_view": ("a.row_view(1)", "a[1]"),
    "zeros": ("Matrix.zeros(s)", "np.zeros(s)"),
    "full": ("Matrix.full(s, 2.0)", "np.full(s, 2.0)"),
    "normal": ("Matrix.normal(0.0, 1.0, s)", "g.normal(0.0, 1.0, s)"),
    "uniform": ("Matrix.uniform(0.0, 1.0, s)", "g.random(s)"),
    "pickle": ("pickle.loads(pickle.dumps(a))", "pickle.loads(pickle.dumps(a))"),
    "values": ("sum(a.values())", "sum(a.ravel().tolist())"),
}
VECTORS = {
    "cross": ("v.cross(w)", "np.cross(v, w)"),
    "angle": ("p.angle()", "np.arctan2(p[:, 1], p[:, 0])"),
    "perpendicular": ("p.perpendicular()", "np.stack([-p[:, 1], p[:, 0]], 1)"),
}


def names_of(module: str, shape: tuple[int, int]) -> dict[str, Any]:
    """The operands, of the same numbers everywhere."""
    import pickle
    import random

    rows, columns = shape
    rng = random.Random(1)
    pool = [rng.uniform(0.05, 0.95) for _ in range(rows * columns)] if rows < 1000 else None

    def data(r: int, c: int) -> list[float]:
        return (
            [pool[i % len(pool)] for i in range(r * c)]
            if pool
            else [((i * 7919) % 9973) / 9973 for i in range(r * c)]
        )

    if module == "numpy":
        import numpy as np

        def make(r: int, c: int) -> Any:
            return np.array(data(r, c)).reshape(r, c)

        names: dict[str, Any] = {"np": np, "g": np.random.default_rng(1)}
    else:
        imported = __import__(module, fromlist=["Matrix"])

        def make(r: int, c: int) -> Any:
            return imported.Matrix(r, c, data(r, c))

        names = {"Matrix": imported.Matrix}
    a = make(rows, columns)
    names |= {
        "a": a,
        "b": make(rows, columns),
        "c": make(rows, columns),
        "o": make(rows, columns),
        "b2": a.copy(),
        "r": make(1, columns),
        "k": make(rows, 1),
        "z": make(rows, columns) * 1e-9,
        "s": shape,
        "pickle": pickle,
        "q": make(columns, columns if rows != columns else rows),
        "idx": [i * 7 % rows for i in range(min(100, rows))],
        "edges": [0.1, 0.25, 0.5, 0.75, 0.9],
        "v": make(rows, 3),
        "w": make(rows, 3),
        "p": make(rows, 2),
    }
    if module == "numpy":
        names |= {"m": a > 0.5, "mb": a > 0.5}
    else:
        names["m"] = a.greater(0.5)
    return names


def microseconds(statement: str, names: dict[str, Any]) -> float:
    """The best of five runs of about 10 ms, or one call where that takes longer."""
    body = f"def run(n):\n    for _ in range(n):\n        {statement}\n"
    if statement.startswith("o +="):
        body = f"def run(n, o=o):\n    for _ in range(n):\n        {statement}\n"
    scope = dict(names)
    exec(body, scope)
    run, count, best = scope["run"], 1, float("inf")
    clock = time.thread_time
    while True:
        start = clock()
        run(count)
        if clock() - start > 0.005 or count > 1 << 22:
            break
        count *= 3
    for _ in range(5):
        start = clock()
        run(count)
        best = min(best, (clock() - start) / count)
    return best * 1e6


def measure(module: str, sizes: list[str], only: list[str]) -> dict[str, float | None]:
    """operation @ size -> microseconds, None where the module lacks the operation."""
    rows: dict[str, float | None] = {}
    which = 1 if module == "numpy" else 0
    gc.disable()
    for size in sizes:
        names = names_of(module, SIZES[size])
        for name, forms in (OPERATIONS | VECTORS).items():
            if (only and name not in only) or (size in ("256", "tall") and name in SMALL_ONLY):
                continue
            if name == "cross" and SIZES[size][0] == 3:
                continue
            statement = forms[which]
            try:
                rows[f"{name} {size}"] = None if statement is None else microseconds(statement, names)
            except (AttributeError, TypeError, ValueError):
                rows[f"{name} {size}"] = None
    return rows


def sample(module: str, sizes: list[str], only: list[str]) -> dict[str, float | None]:
    """One process."""
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--run", module, "--sizes", *sizes]
    done = subprocess.run(command + (["--only", *only] if only else []), capture_output=True, text=True, env=env)
    if done.returncode:
        raise SystemExit(done.stderr)
    figures: dict[str, float | None] = json.loads(done.stdout)
    return figures


def figure(samples: list[dict[str, float | None]], key: str, best: bool) -> float | None:
    """The median, or the least, over the rounds."""
    values = [v for s in samples if (v := s.get(key)) is not None]
    return (min(values) if best else statistics.median(values)) if values else None


def table(rows: dict[str, dict[str, float | None]], modules: list[str]) -> None:
    """The rows as text, ratios over ours, and what they come to."""
    others = modules[1:]
    print(f"{'':24}" + "".join(f"{m:>12}" for m in modules) + "".join(f"{'x ' + m:>10}" for m in others))
    ratios: dict[str, list[float]] = {m: [] for m in others}
    for key, row in rows.items():
        line = f"{key:24}" + "".join(f"{row[m]:12.3f}" if row[m] is not None else f"{'-':>12}" for m in modules)
        for m in others:
            ours, theirs = row["boc"], row[m]
            ratio = theirs / ours if ours and theirs else None
            line += f"{ratio:10.2f}" if ratio else f"{'-':>10}"
            if ratio:
                ratios[m].append(ratio)
        print(line)
    for m, values in ratios.items():
        if values:
            print(
                f"{m}: median {statistics.median(values):.2f}, least {min(values):.2f}, "
                f"below 1: {sum(v < 1 for v in values)} of {len(values)}"
            )


def three(value: float | None) -> str:
    """Three digits, or a dot for what is not measured."""
    if value is None:
        return "·"
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def markdown(rows: dict[str, dict[str, float | None]], modules: list[str], sizes: list[str]) -> str:
    """One line for each operation, one column for each size: `ours / peer / numpy`."""
    names = list(dict.fromkeys(key.rpartition(" ")[0] for key in rows))
    lines = [
        "| | " + " | ".join("x".join(f"{n:,}" for n in SIZES[s]) for s in sizes) + " |",
        "|---|" + "--:|" * len(sizes),
    ]
    for name in names:
        cells = []
        for size in sizes:
            row = rows.get(f"{name} {size}")
            cells.append(" / ".join(three(row[m]) for m in modules) if row else "")
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="a module with a Matrix of the same surface")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--best", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--no-numpy", action="store_true")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        print(json.dumps(measure(args.run, args.sizes, args.only)))
        return
    modules = ["boc"] + ([args.peer] if args.peer else []) + ([] if args.no_numpy else ["numpy"])
    samples: dict[str, list[dict[str, float | None]]] = {m: [] for m in modules}
    for _ in range(args.rounds):
        for m in modules:
            samples[m].append(sample(m, args.sizes, args.only))
    rows = {key: {m: figure(samples[m], key, args.best) for m in modules} for key in samples["boc"][0]}
    table(rows, modules)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps({"unit": "us", "rounds": args.rounds, "rows": rows}, indent=1))
    if args.markdown:
        args.markdown.write_text(markdown(rows, modules, args.sizes))


if __name__ == "__main__":
    main()

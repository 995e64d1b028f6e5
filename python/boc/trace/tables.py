"""Export as tables: numpy columns, pandas, Arrow, CSV. Times are ns from the first event; -1 or null: unknown."""

from __future__ import annotations

import csv
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .chrome import thread_name
from .columns import NONE, STATES

if TYPE_CHECKING:
    from .model import Trace

TABLES = ("behaviors", "requests", "cowns", "noticeboard")


def columns(trace: Trace, table: str = "behaviors") -> dict[str, Any]:
    """One table as a dict of arrays of one length; texts are lists. ValueError for another table."""
    made = {"behaviors": _behaviors, "requests": _requests, "cowns": _cowns, "noticeboard": _notices}
    if table not in made:
        raise ValueError(f"table is one of {', '.join(TABLES)}, not {table!r}")
    return made[table](trace)


def _since(trace: Trace, times: Any) -> Any:
    return np.where(times >= 0, times - trace.t0, NONE)


def _behaviors(trace: Trace) -> dict[str, Any]:
    rows = np.flatnonzero(trace.mine)
    b = trace.behaviors.take(rows)
    known = (b.sched >= 0) & (b.start >= 0)
    done = (b.start >= 0) & (b.end >= 0)
    threads = {w: thread_name(w) for w in np.unique(b.thread).tolist()}
    return {
        "id": b.id.astype(np.int64),
        "name": [trace.name(i) for i in rows.tolist()],
        "state": [STATES[s] for s in b.state.tolist()],
        "parent": b.parent.astype(np.int64),
        "thread": [threads[w] if s >= 0 else "" for w, s in zip(b.thread.tolist(), b.start.tolist(), strict=True)],
        "schedule_ns": _since(trace, b.sched),
        "ready_ns": _since(trace, b.ready),
        "start_ns": _since(trace, b.start),
        "body_ns": _since(trace, b.body),
        "body_end_ns": _since(trace, b.body_end),
        "end_ns": _since(trace, b.end),
        "waited_ns": np.where(known, b.start - b.sched, NONE),
        "ran_ns": np.where(done, b.end - b.start, NONE),
        "cpu_ns": np.where(b.cpu > 0, b.cpu, NONE),
        "stolen_from": b.stolen.astype(np.int64),
        "pinned": b.pinned,
        "exception": [trace.exceptions.get(i, "") for i in rows.tolist()],
    }


def _requests(trace: Trace) -> dict[str, Any]:
    r = trace.requests
    labels = trace.cown_names()
    before = np.where(r.pred >= 0, trace.behaviors.id[np.maximum(r.pred, 0)].astype(np.int64), NONE)
    return {
        "behavior": trace.behaviors.id[r.behavior].astype(np.int64),
        "name": [trace.name(i) for i in r.behavior.tolist()],
        "cown": [labels[c] for c in r.cown.tolist()],
        "read": r.read,
        "request_ns": _since(trace, r.time),
        "grant_ns": _since(trace, r.grant),
        "release_ns": _since(trace, r.release),
        "waited_ns": np.where((r.time >= 0) & (r.grant >= 0), r.grant - r.time, NONE),
        "predecessor": before,
    }


def _cowns(trace: Trace) -> dict[str, Any]:
    from .ownership import ByCown, caused, use

    index, waited = ByCown(trace), caused(trace)
    found = [use(trace, c, index, int(waited[c])) for c in range(len(trace.cowns))]
    return {
        "id": trace.cowns.id.astype(np.int64),
        "name": trace.cown_names(),
        "grants": np.array([u.grants for u in found], np.int64),
        "held": np.array([u.held for u in found], float),
        "in_use": np.array([u.used for u in found], float),
        "longest_queue": np.array([u.longest for u in found], np.int64),
        "caused_ns": np.array([u.caused for u in found], np.int64),
    }


def _notices(trace: Trace) -> dict[str, Any]:
    n = trace.notices
    keys = [trace.text(k) for k in n.key.tolist()]
    return {
        "time_ns": _since(trace, n.time),
        "key": keys,
        "version": n.version,
        "value": [trace.values.get((k, v), "") for k, v in zip(keys, n.version.tolist(), strict=True)],
        "writer": [trace.name(w) if w >= 0 else "main" for w in n.writer.tolist()],
        "deleted": n.deleted,
    }


def _missing(name: str, values: Any) -> Any:
    """Which entries of a column are unknown; None where the column knows none such."""
    if isinstance(values, list) or not (name.endswith("_ns") or name in ("stolen_from", "predecessor")):
        return None
    return values < 0


def to_pandas(trace: Trace, table: str = "behaviors") -> Any:
    """A DataFrame; unknown times are <NA>. Needs pandas."""
    pd: Any = import_module("pandas")
    found: dict[str, Any] = {}
    for name, values in columns(trace, table).items():
        gone = _missing(name, values)
        found[name] = values if gone is None else pd.arrays.IntegerArray(values.astype(np.int64), gone)
    return pd.DataFrame(found)


def to_arrow(trace: Trace, table: str = "behaviors") -> Any:
    """A pyarrow Table; unknown times are null. ImportError, with the way to get it, without pyarrow."""
    try:
        pa: Any = import_module("pyarrow")
    except ImportError as error:
        raise ImportError("Arrow needs the package pyarrow: pip install 'boc[arrow]'") from error
    texts = {"name", "state", "thread", "cown"}
    found = {}
    for name, values in columns(trace, table).items():
        column = pa.array(values, mask=_missing(name, values))
        found[name] = column.dictionary_encode() if name in texts else column
    return pa.table(found)


def to_csv(trace: Trace, path: str | os.PathLike[str], table: str = "behaviors") -> None:
    """One table as CSV with a header; unknown values are empty."""
    found = columns(trace, table)
    texts: list[list[Any]] = []
    for name, values in found.items():
        gone = _missing(name, values)
        plain = values if isinstance(values, list) else values.tolist()
        texts.append(plain if gone is None else ["" if g else v for v, g in zip(plain, gone.tolist(), strict=True)])
    with Path(path).open("w", newline="", encoding="utf-8", errors="backslashreplace") as f:
        out = csv.writer(f)
        out.writerow(found)
        out.writerows(zip(*texts, strict=True))

"""The history of the noticeboard: a strip a key, a step a version, in the colour of the writer."""

from __future__ import annotations

from functools import partial

from boc.trace import Trace
from boc.trace.times import plural

from .figure import Chart
from .legend import Legend
from .noticeboard import Noticeboard
from .palette import LIGHT, Theme
from .scene import Scene
from .sheet import MARGIN, Sheet, snap

_KEYS = 64


def board(trace: Trace, theme: Theme = LIGHT, width: int = 1000) -> Chart:
    """Draw what the noticeboard held over time."""
    scene = Scene(trace, theme, width)
    axis = snap(MARGIN + 56)
    strips = Noticeboard(scene, snap(axis + 11), _KEYS)
    bottom = max(strips.bottom, axis + 40)
    writers = trace.notices.writer[trace.notices.writer >= 0]
    legend = Legend(scene, set(trace.behaviors.name[writers].tolist()))
    s = Sheet(width, bottom + 26 + legend.height, theme, trace.t0, trace.t1)
    n = trace.notices
    title = f"{plural(len(n), 'change')} of {plural(len(strips.y) + strips.rest, 'key')}"
    if not len(n):
        title, finding = "The noticeboard is empty", "Nothing was written"
        s.text(
            (s.x0 + s.x1) / 2,
            axis + 26,
            "notice_write(key, value) puts a value here",
            11.5,
            theme.muted,
            align="center",
        )
    else:
        often = max(strips.keys, key=lambda k: int((n.key == k).sum()))
        finding = f"Written most: {trace.text(often)}, {plural(int((n.key == often).sum()), 'time')}"
    s.title(title, finding)
    s.axis(axis, bottom, now=trace.pending)
    s.heading(axis, "Noticeboard", "version" if not trace.pending else "")
    strips.draw(s)
    if trace.pending:
        s.now(axis, bottom)
    legend.draw(s, bottom + 16)
    s.chart.describe = partial(_text, trace, title, finding, strips)
    return s.finish()


def _text(trace: Trace, title: str, finding: str, strips: Noticeboard) -> str:
    n = trace.notices
    out = [title, finding]
    for key in strips.keys:
        last = int((n.key == key).nonzero()[0][-1])
        version = int(n.version[last])
        value = "deleted" if n.deleted[last] else trace.values.get((trace.text(key), version), "?")
        writer = int(n.writer[last])
        out.append(f"{trace.text(key)} = {value}  v{version} by {trace.name(writer) if writer >= 0 else 'main'}")
    return "\n".join(out)

"""The summary as a table for a notebook, and as text for a terminal."""

from __future__ import annotations

import html
from typing import Any

from boc.trace import Trace
from boc.trace.summary import Summary, short, text
from boc.trace.times import count, percent, size

from . import palette
from .palette import DARK, LIGHT, Theme, mix

_FONT = 'Inter,"Segoe UI","Helvetica Neue","Liberation Sans",sans-serif'


class Report:
    """What `boc.summary()` gives: text in a terminal, a table in a notebook, numbers in `data`."""

    def __init__(self, trace: Trace, theme: str | Theme | None = None) -> None:
        self.data: Summary = trace.summary()
        self._slots = trace.colours
        self._theme = None if theme is None else palette.theme(theme)

    def __str__(self) -> str:
        return text(self.data)

    __repr__ = __str__

    def as_dict(self) -> dict[str, Any]:
        """Plain values, times in ns."""
        return self.data.as_dict()

    def _repr_html_(self) -> str:
        return self.html()

    def html(self) -> str:
        """A table that carries its own style; it follows the host's theme unless one was asked for."""
        return f'<div class="boc-summary">{_style(self._theme)}{_body(self.data, self._slots)}</div>'


def _vars(th: Theme) -> str:
    pairs = {
        "ink": th.ink,
        "muted": th.muted,
        "rule": th.rule,
        "grid": th.grid,
        "neutral": th.neutral,
        "accent": th.accent,
        "red": th.red,
        "bg": th.background,
    }
    tints = {f"t{k}": mix(c, th.background, 0.5) for k, c in enumerate(palette.PALETTE)}
    return "".join(f"--boc-{k}:{v};" for k, v in {**pairs, **tints}.items())


# & stands for the box; the lines are joined.
_RULES = """
&{font:13px/1.45 FONT;color:var(--boc-ink);background:var(--boc-bg);padding:16px;max-width:928px;
font-variant-numeric:tabular-nums;overflow-x:auto}
& h3{font-size:15px;margin:0 0 2px;color:inherit}
& p{margin:0 0 14px;color:var(--boc-muted)}
& table{border-collapse:collapse;table-layout:auto;width:100%;margin:0 0 18px;border:0}
& tr{background:none!important}
& th{font-weight:600;font-size:11.5px;color:var(--boc-muted);text-align:right;padding:2px 0 4px 14px;
border:0;border-bottom:1px solid var(--boc-rule);white-space:nowrap}
& td{text-align:right;padding:3px 0 3px 14px;border:0;border-bottom:1px solid var(--boc-grid);
white-space:nowrap}
& th:first-child,& td:first-child{text-align:left;padding-left:0}
& .b{text-align:left;width:34%}
& .b span{display:flex;align-items:center;height:12px;gap:1px}
& i{display:block}
& .s{display:inline-block;width:10px;height:10px;margin-right:7px;border-radius:1.5px}
& .z{color:var(--boc-muted)}
& .r{color:var(--boc-red)}
& .k{margin:-12px 0 16px;font-size:11.5px;color:var(--boc-muted)}
& .k i{display:inline-block;width:14px;margin:0 5px 0 12px;vertical-align:middle}
& .two{display:grid;grid-template-columns:1.75fr 1fr;gap:0 36px;align-items:start}
"""
_HOST = """
&{LIGHT}
@media(prefers-color-scheme:dark){body:not([data-jp-theme-light]):not(.vscode-light) &{DARK}}
[data-jp-theme-light=false] &,body.vscode-dark &{DARK}
[data-jp-theme-light] &{--boc-bg:var(--jp-layout-color0);--boc-ink:var(--jp-content-font-color1);
--boc-muted:var(--jp-content-font-color2);--boc-rule:var(--jp-border-color2)}
"""


def _style(th: Theme | None) -> str:
    themes = _HOST if th is None else "&{" + _vars(th) + "}"
    themes = themes.replace("{LIGHT}", "{" + _vars(LIGHT) + "}").replace("{DARK}", "{" + _vars(DARK) + "}")
    rules = (themes + _RULES).replace("\n", "").replace("&", ".boc-summary").replace("FONT", _FONT)
    return f"<style>{rules}</style>"


def _colour(slot: int) -> str:
    if slot == palette.GREY:
        return "var(--boc-neutral)"
    return palette.PALETTE[slot] if slot < 8 else f"var(--boc-t{slot - 8})"


def _body(s: Summary, slots: dict[str, int]) -> str:
    parts = [f"<h3>{html.escape(s.title)}</h3><p>{html.escape(s.finding)}</p>"]
    if s.behaviors:
        parts.append(_names(s, slots))
    parts.append(f'<div class="two">{_cowns(s)}{_workers(s)}</div>')
    return "".join(parts)


def _bar(share: float, colour: str, height: int) -> str:
    return f'<i style="width:{100 * share:.2f}%;background:{colour};height:{height}px"></i>'


def _head(*columns: str) -> str:
    return "<thead><tr>" + "".join(f"<th>{c}</th>" for c in columns) + "</tr></thead>"


def _row(*cells: str) -> str:
    return "<tr>" + "".join(c if c.startswith("<td") else f"<td>{c}</td>" for c in cells) + "</tr>"


def _names(s: Summary, slots: dict[str, int]) -> str:
    longest = max((r.waiting + r.ready + r.moving + r.body for r in s.behaviors), default=0) or 1
    rows = []
    for r in s.behaviors:
        colour = _colour(slots.get(r.name, palette.GREY))
        life = (
            _bar(r.waiting / longest, "var(--boc-neutral)", 4)
            + _bar(r.ready / longest, "var(--boc-accent)", 4)
            + _bar(r.moving / longest, "var(--boc-muted)", 4)
            + _bar(r.body / longest, colour, 12)
        )
        rows.append(
            _row(
                f'<i class="s" style="background:{colour}"></i>{html.escape(r.name)}',
                count(r.runs),
                f'<td class="{"r" if r.raised else "z"}">{count(r.raised) if r.raised else "·"}</td>',
                f'<td class="b"><span>{life}</span></td>',
                *(short(v) for v in (r.wait_p50, r.wait_p99, r.body_p50, r.body_p99, r.cpu)),
            )
        )
    columns = [
        "runs",
        "raised",
        "mean time from schedule to end",
        "wait p50",
        "p99",
        "body p50",
        "p99",
        "CPU",
    ]
    head = _head("behavior", *columns)
    head = head.replace("<th>mean", '<th class="b">mean')
    key = "".join(
        f'<i style="height:{h}px;background:var(--boc-{c})"></i>{t}'
        for h, c, t in (
            (4, "neutral", "waiting for cowns"),
            (4, "accent", "waiting for a worker"),
            (4, "muted", "decode and encode"),
            (12, "muted", "body"),
        )
    )
    return f'<table>{head}<tbody>{"".join(rows)}</tbody></table><div class="k">from the left:{key}</div>'


def _cowns(s: Summary) -> str:
    if not s.cowns:
        return "<div></div>"
    most = max(1, s.cowns[0].caused)
    rows = [
        _row(
            html.escape(c.name),
            count(c.handoffs),
            percent(c.in_use),
            percent(c.held),
            count(c.longest) if c.longest else "·",
            size(c.moved),
            size(c.largest),
            short(c.caused),
            f'<td class="b" style="width:20%"><span>{_bar(c.caused / most, "var(--boc-neutral)", 8)}</span></td>',
        )
        for c in s.cowns
    ]
    head = _head("cown", "hand-offs", "in use", "held", "longest queue", "moved", "largest", "waiting it caused", "")
    return f"<table>{head}<tbody>{''.join(rows)}</tbody></table>"


def _workers(s: Summary) -> str:
    rows = [
        _row(
            w.name,
            count(w.ran),
            percent(w.busy),
            count(w.stolen) if w.stolen else "·",
            percent(w.parked) if w.parked else "·",
        )
        for w in s.workers
    ]
    return f"<table>{_head('worker', 'ran', 'busy', 'stolen', 'asleep')}<tbody>{''.join(rows)}</tbody></table>"

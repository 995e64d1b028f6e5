"""What charts say: titles that are true of every run, idle workers in one row, letters of every script."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from boc.trace import KIND, Trace
from boc.trace.records import RECORD
from boc.view import api, measure
from boc.view.sheet import Sheet
from matplotlib.font_manager import FontEntry, fontManager
from trace_sim import MS, Job, Sim


def trace_of(sim: Sim) -> Trace:
    return Trace.from_records(sim.records(), sim.names, now=sim.now)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All texts that are drawn from now on."""
    texts: list[str] = []
    drawn = Sheet.text

    def text(self: Sheet, x: float, y: float, words: str, *rest: object, **options: object) -> None:
        texts.append(words)
        drawn(self, x, y, words, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Sheet, "text", text)
    return texts


def test_throughput_says_that_none_waited() -> None:
    apart = trace_of(Sim([Job("a", (f"c{k}",), at=k * 5 * MS) for k in range(3)]))
    assert "no behavior waited for cowns" in str(api.throughput(apart))
    assert "up to 2 behaviors waited" in str(api.throughput(trace_of(Sim([Job("a", ("c",)) for _ in range(3)]))))


def test_few_a_second_are_not_none() -> None:
    slow = trace_of(Sim([Job("a", ("c",), body=9000 * MS)]))
    assert ": 0.11/s on" in str(api.summary(slow)) and str(api.throughput(slow)).startswith("0.11 behaviors/s")


def test_throughput_of_nothing_has_words_and_no_scale(said: list[str]) -> None:
    api.throughput(trace_of(Sim([])))
    assert any(text.startswith("No behavior has run yet") for text in said) and "0.5" not in said


def test_who_waited_longest_is_said_of_those_that_ran() -> None:
    served = Sim([Job("first", ("pan",), body=9 * MS), Job("next", ("pan",)), Job("gone", ("pan",), cancel_after=MS)])
    title = str(api.gantt(trace_of(served), by="behavior")).splitlines()[0]
    assert title.startswith("next waited longest: ")
    few = Sim([Job("block", ("x",), body=30 * MS), *(Job("gone", ("x",), cancel_after=5 * MS, at=1) for _ in range(3))])
    title = str(api.gantt(trace_of(few), by="behavior")).splitlines()[0]
    assert title.startswith("block waited longest of those that ran: ")


def test_a_body_that_was_cancelled_while_it_ran_is_cancelled_and_ends_in_a_cross(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As an interrupt of a running body is recorded: a cancel between its start and its end."""
    rows = [
        (0, 1, 0, 1, "schedule", 1), (0, 1, 5, 1, "request", 2), (1 * MS, 1, 0, 1, "start", 0),
        (8 * MS, 1, 0, 0, "cancel", 0), (8 * MS, 1, 0, 0, "body_end", 0), (9 * MS, 1, 0, 0, "end", 0),
    ]  # fmt: skip
    records = np.array([(t, a, b, seq, KIND[kind], flags, 0) for t, a, b, seq, kind, flags in rows], RECORD)
    t = Trace.from_records(records, ["", "stuck"])
    assert t.counts()["cancelled"] == 1 and t.counts()["done"] == 0
    assert "waited" in str(t.explain("stuck")) and t.summary().behaviors[0].cancelled == 1
    cuts: list[float] = []
    monkeypatch.setattr(Sheet, "cross", lambda self, x, y, r=2.6, ink=None: cuts.append(x))
    assert "1 cancelled" in str(api.gantt(t))
    assert len(cuts) == 3, "its worker, its cown, and the key"
    api.gantt(t, by="behavior")
    assert len(cuts) == 4


def test_idle_workers_share_a_row_in_text_and_in_comparisons(said: list[str]) -> None:
    run = trace_of(Sim([Job("a", ("x",), body=MS)], workers=9))
    text = str(api.gantt(run)).splitlines()
    assert sum(line.startswith("worker") for line in text) == 1 and "1 to 8: idle" in text
    said.clear()
    tall = api.compare(run, run).get_figheight()
    assert said.count("1 to 8: idle") == 2 and said.count("worker 0") == 2 and "worker 5" not in said
    few = trace_of(Sim([Job("a", ("x",), body=MS)], workers=2))
    assert tall == api.compare(few, few).get_figheight(), "a row that is shared is as high as any"


def test_letters_that_the_usual_fonts_lack_come_from_others_that_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = pytest.importorskip("fontTools.fontBuilder")
    pens = pytest.importorskip("fontTools.pens.ttGlyphPen")
    pen = pens.TTGlyphPen(None)
    for step, at in (("moveTo", (0, 0)), ("lineTo", (0, 800)), ("lineTo", (900, 800)), ("lineTo", (900, 0))):
        getattr(pen, step)(at)
    pen.closePath()
    font = builder.FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder([".notdef", "egg"])
    font.setupCharacterMap({ord("卵"): "egg"})
    font.setupGlyf({".notdef": pens.TTGlyphPen(None).glyph(), "egg": pen.glyph()})
    font.setupHorizontalMetrics({".notdef": (1000, 0), "egg": (1000, 0)})
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "Noto Sans CJK JP", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    path = tmp_path / "egg.ttf"
    font.save(path)
    entry = FontEntry(
        fname=str(path), name="Noto Sans CJK JP", style="normal", variant="normal", weight=400, stretch="normal",
        size="scalable",
    )  # fmt: skip
    elsewhere = [e for e in fontManager.ttflist if e.name in measure._WISHED]
    caches = (measure.fonts, measure.font, measure._shown, measure._paths, measure.clean)
    caches += (measure._letter, measure.width)

    def forget() -> None:
        for cache in caches:
            cache.cache_clear()
        fontManager._findfont_cached.cache_clear()

    try:
        monkeypatch.setattr(fontManager, "ttflist", elsewhere)
        forget()
        assert measure.clean("卵 a") == "□ a"
        monkeypatch.setattr(fontManager, "ttflist", [*elsewhere, entry])
        forget()
        assert measure.clean("卵 a") == "卵 a" and measure.width("卵", 10) == pytest.approx(10, abs=0.2)
        api.gantt(trace_of(Sim([Job("卵", ("x",), body=9 * MS)]))).png()
    finally:
        monkeypatch.undo()
        forget()

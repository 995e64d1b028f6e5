"""Charts: what is drawn is true, legible and cheap."""

from __future__ import annotations

import io
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from boc.trace import KIND, Trace
from boc.trace.records import RECORD, BoardValue
from boc.view import Chart, api, critical
from boc.view.cowns import Cowns
from boc.view.gantt import finding, gantt, headline
from boc.view.legend import Legend
from boc.view.lod import coverage, mean_depth, stacked
from boc.view.measure import SCALE, fit, font, fonts, ticks, width
from boc.view.palette import DARK, LIGHT, PALETTE, THEMES, rgb
from boc.view.scene import Scene
from boc.view.sheet import MARGIN, Sheet
from boc.view.workers import Workers
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from trace_sim import MS, Job, Sim, cooking, kitchen

MANY = ["01", "02", "04", "b"]


def trace_of(sim: Sim) -> Trace:
    return Trace.from_records(sim.records(), sim.names, board=[BoardValue(*v) for v in sim.values], now=sim.now)


def pixels(chart: Chart) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(chart.png())).convert("RGB"))


def colours(chart: Chart) -> dict[tuple[int, int, int], int]:
    found, count = np.unique(pixels(chart).reshape(-1, 3), axis=0, return_counts=True)
    return {tuple(int(v) for v in c): int(n) for c, n in zip(found, count, strict=True)}


def triple(colour: str) -> tuple[int, int, int]:
    r, g, b = rgb(colour)
    return round(r * 255), round(g * 255), round(b * 255)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("n", [80, 3000])
def test_first_eight_names_have_exactly_a_palette_colour(theme: str, n: int) -> None:
    seen = colours(api.gantt(trace_of(kitchen(n)), theme=theme))
    for colour in PALETTE:
        assert seen.get(triple(colour), 0) > 20, colour
    assert seen[triple(THEMES[theme].background)] > 1000


def test_title_counts_and_subtitle_finds() -> None:
    t = trace_of(cooking())
    s = Scene(t, LIGHT)
    assert headline(t, s) == "13 behaviors  ·  2 workers  ·  161 ms  ·  1 raised  ·  1 cancelled"
    assert finding(t, s) == "Most waited for: pan, held 99% of the time, up to 5 in its queue"
    t = trace_of(cooking(until=72 * MS))
    assert "2 running  ·  6 waiting" in headline(t, Scene(t, DARK))
    t = trace_of(Sim([Job("a")]))
    assert finding(t, Scene(t, LIGHT)) == "No behavior waited for a cown"


def test_chart_shows_itself() -> None:
    chart = api.gantt(trace_of(cooking()))
    data, meta = chart._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG") and meta["image/png"]["width"] == 1000
    assert data["text/plain"].splitlines()[0].startswith("13 behaviors · 2 workers")
    assert "worker 1 ▕" in repr(chart)
    image = Image.open(io.BytesIO(data["image/png"]))
    assert image.width == 1500 and len(data["image/png"]) < 200_000


@pytest.mark.parametrize("by", ["worker", "cown", "behavior"])
@pytest.mark.parametrize("sim", [cooking(), cooking(until=50 * MS), kitchen(300), Sim([])], ids=MANY)
def test_every_way_draws_every_run(by: str, sim: Sim) -> None:
    for theme in ("light", "dark"):
        chart = api.gantt(trace_of(sim), by, theme=theme)
        assert pixels(chart).shape[1] == 1500


def test_bad_arguments_are_refused() -> None:
    t = trace_of(cooking())
    with pytest.raises(ValueError, match="by is"):
        api.gantt(t, by="thread")
    with pytest.raises(ValueError, match="theme is"):
        api.gantt(t, theme="sepia")
    with pytest.raises(ValueError, match="last is"):
        api.gantt(t, last=0)


def test_other_charts_draw() -> None:
    t = trace_of(kitchen(200))
    for chart in (
        api.throughput(t),
        api.board(t),
        api.critical_path(t),
        api.compare(t, trace_of(kitchen(200, 3))),
    ):
        assert pixels(chart).shape[0] > 200 and str(chart)
    assert "behaviors/s" in str(api.throughput(t)) and "orders = " in str(api.board(t))
    for draw in (api.throughput, api.board, api.critical_path):
        assert pixels(draw(trace_of(Sim([])))).size


def test_charts_of_files(tmp_path: Path) -> None:
    t = trace_of(cooking())
    t.save(tmp_path / "a.boctrace")
    assert str(api.gantt(tmp_path / "a.boctrace")) == str(api.gantt(t))
    assert str(api.summary(tmp_path / "a.boctrace")) == str(api.summary(t))


def test_html_summary_escapes_names_and_follows_the_host() -> None:
    t = trace_of(Sim([Job("<b>bold</b>", ("<i>",)), Job("x", ("<i>",))]))
    page = api.summary(t)._repr_html_()
    assert "&lt;b&gt;bold" in page and "<b>bold" not in page and "&lt;i&gt;" in page
    assert "--jp-layout-color0" in page and "prefers-color-scheme" in page
    assert DARK.ink in api.summary(t, theme="dark").html()


def test_html_tables_are_whole() -> None:
    page = api.summary(trace_of(kitchen(100)))._repr_html_()
    for table in page.split("<table>")[1:]:
        heads = table.split("</thead>")[0].count("</th>")
        rows = table.split("<tbody>")[1].split("</tbody>")[0].split("<tr>")[1:]
        assert rows and {row.count("</td>") for row in rows} == {heads}


def test_odd_names_are_drawn_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    names = ["$x^2$", "a_b", "\\frac", "%d", "naïve ☃", "卵を割る 🍳", "a\nb", "x" * 300, "\ud800", "{}"]
    t = trace_of(Sim([Job(n, (n,), body=9 * MS, at=k) for k, n in enumerate(names)]))
    with caplog.at_level(logging.WARNING, "matplotlib.font_manager"):
        for by in ("worker", "behavior"):
            api.gantt(t, by).png()
    assert not caplog.records


def test_pyplot_is_never_imported() -> None:
    code = "import boc.view, sys; boc.view.gantt; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- level of detail ---------------------------------------------------------------------------------


def test_dense_rows_become_shares() -> None:
    few, many = trace_of(kitchen(300)), trace_of(kitchen(3000))
    assert not Scene(few, LIGHT).dense and Scene(many, LIGHT).dense
    assert not Cowns(Scene(few, LIGHT), 0).dense and Cowns(Scene(many, LIGHT), 0).dense


def test_shares_tell_the_busiest_names_apart() -> None:
    jobs = [Job(f"step {k % 12}", (f"pan {k % 4}",), at=k * 20_000, body=30_000) for k in range(4000)]
    t = trace_of(Sim([*jobs, Job("roast", ("oven",), at=MS, body=40 * MS)]))
    scene = Scene(t, LIGHT)
    assert scene.dense and t.text(scene.busiest[0]) == "roast" and len(scene.busiest) == 8
    assert colours(api.gantt(t))[triple(scene.group_colours[0])] > 1500  # a block in a worker's row


def test_coverage_is_exact() -> None:
    rng = np.random.default_rng(1)
    begin = np.sort(rng.integers(0, 10_000, 300))
    end = begin + rng.integers(0, 900, 300)
    row, group = rng.integers(0, 3, 300), rng.integers(0, 4, 300)
    got = coverage(3, 37, 500, 9000, row, begin, end, group, 4)
    fine = np.linspace(500, 9000, 37 + 1)
    for r in range(3):
        for g in range(4):
            m = (row == r) & (group == g)
            for c in range(37):
                inside = np.clip(end[m], fine[c], fine[c + 1]) - np.clip(begin[m], fine[c], fine[c + 1])
                assert got[r, g, c] == pytest.approx(inside.sum() / (fine[1] - fine[0]), abs=1e-6)


def test_height_is_the_share() -> None:
    shares = np.array([[0.25, 1.0, 0.0], [0.25, 0.0, 0.0]])
    image = stacked(shares, ["#3a75bf", "#c78b28"], 40)
    alpha = image[..., 3] / 255
    assert alpha.sum(0) == pytest.approx([20, 40, 0])
    assert tuple(image[-1, 0, :3]) == triple("#3a75bf") and tuple(image[-15, 0, :3]) == triple("#c78b28")


def test_depth_is_time_weighted() -> None:
    edges, mean = mean_depth(np.array([0, 10, 30]), np.array([2, 4, 0]), 0, 40, 4)
    assert mean == pytest.approx([2, 4, 4, 0]) and edges[-1] == 40


def test_every_raise_shows_in_a_dense_row() -> None:
    jobs = [Job("a", ("x",), at=k * 2e5, body=1e5, raises="E" if k % 500 == 250 else "") for k in range(3000)]
    t = trace_of(Sim(jobs, workers=1, wake=0))
    s = Scene(t, LIGHT)
    assert s.dense
    rows = Workers(s, 100)
    image = pixels(gantt(t, LIGHT))
    red = (image == triple(LIGHT.red)).all(-1)
    y = rows.y[0]
    strip = red[int((67 + 16 - 3) * 1.5) : int((67 + 16 + 6) * 1.5)]
    assert y == 100 and strip.any()
    columns = np.flatnonzero(red[100:140, 150:1350].any(0))
    assert np.count_nonzero(np.diff(columns) > 5) + 1 == 6


def test_forty_cowns_have_rows_more_do_not() -> None:
    def rows(n: int) -> tuple[int, int]:
        jobs = [Job("a", (f"c{k}",), at=k) for k in range(n)]
        c = Cowns(Scene(trace_of(Sim(jobs)), LIGHT), 0)
        return len(c.rows), c.rest

    assert rows(40) == (40, 0) and rows(41) == (16, 25)


def test_idle_workers_fold() -> None:
    jobs = [Job("a", ("x",), at=k) for k in range(3)]
    w = Workers(Scene(trace_of(Sim(jobs, workers=12)), LIGHT), 0)
    assert len(w.folded) >= 4 and w.height == 12
    w = Workers(Scene(trace_of(Sim(jobs, workers=3)), LIGHT), 0)
    assert not w.folded and w.height == 20


def test_bars_of_an_earlier_start_with_more_workers_have_rows() -> None:
    from dataclasses import replace

    t = replace(trace_of(kitchen(60, workers=4)), workers=2)
    assert Scene(t, LIGHT).threads[-4:] == [0, 1, 2, 3] and sum(Scene(t, LIGHT).bars_of.values()) == 60
    assert sum(w.ran for w in t.summary().workers) == 60 and "worker 3" in str(gantt(t))


def test_columns_hold_about_sixty_bars() -> None:
    s = Scene(trace_of(kitchen(3000)), LIGHT)
    assert s.columns == int(792 * 1.5 / 4)


# ---- text --------------------------------------------------------------------------------------------


def test_names_fit_or_are_cut_head_and_tail() -> None:
    name = "dice_onion_as_the_recipe_says"
    assert fit(name, width(name, 10.5) + 1) == name
    cut = fit(name, 100)
    head, tail = cut.split("…")
    assert name.startswith(head) and name.endswith(tail) and width(cut, 10.5) <= 100 and len(head) + len(tail) >= 8
    assert fit(name, 36).endswith("…") and fit(name, 20) == "" and fit(name, 5) == ""


@pytest.mark.parametrize("px", [7, 9.5, 10.5, 11, 11.5])
def test_texts_are_as_wide_as_they_are_drawn(px: float) -> None:
    figure = Figure(figsize=(10, 1), dpi=150)
    renderer = FigureCanvasAgg(figure).get_renderer()
    for text in ("cook_omelette" * 6, "i" * 80, "_" * 60, "Wait before start, 3 of 17 (4.12 ms)"):
        drawn = figure.text(0, 0, text, fontproperties=font(px)).get_window_extent(renderer).width / SCALE
        assert drawn == pytest.approx(width(text, px), abs=2)


def test_only_installed_fonts_are_asked_for() -> None:
    from matplotlib.font_manager import fontManager

    assert set(fonts()) <= {e.name for e in fontManager.ttflist}


def test_ticks_are_one_two_five() -> None:
    assert [t[1] for t in ticks(149 * MS, 792)] == [
        "0\u2009ms",
        "20",
        "40",
        "60",
        "80",
        "100",
        "120",
        "140\u2009ms",
    ]
    assert [t[1] for t in ticks(1_520 * MS, 792)][1] == "0.2"
    assert ticks(15 * 10**9, 792)[-1] == (14e9, "14\u2009s")
    assert len(ticks(1, 792)) >= 2


def test_lost_records_are_hatched_and_counted() -> None:
    from boc.trace.records import Gap

    sim = kitchen(200)
    records = sim.records()
    mine = records[(records["thread"] == 0)]
    a, b = int(mine["time"][100]), int(mine["time"][400])
    kept = records[(records["thread"] != 0) | (records["time"] <= a) | (records["time"] >= b)]
    t = Trace.from_records(kept, sim.names, [Gap(0, a, b, 299)], now=sim.now)
    assert "299 records lost" in headline(t, Scene(t, LIGHT))
    assert "not drawn" in finding(t, Scene(t, LIGHT))
    assert colours(gantt(t, LIGHT)).get(triple(LIGHT.red), 0) > 50


def test_who_waited_longest_is_nobody_that_was_dropped() -> None:
    jobs = [Job("first", ("pan",), body=5 * MS), Job("served", ("pan",)), Job("dropped", ("pan",), cancel_after=0)]
    t = trace_of(Sim([*jobs[:2], jobs[2]]))
    assert str(api.gantt(t, by="behavior")).startswith("served waited longest")


def test_who_is_cancelled_in_a_queue_ends_in_a_cross(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the core records it: its turn comes, then it is dropped."""
    ms = 1_000_000
    rows = [
        (0, 1, 0, 1, "schedule", 1), (0, 1, 5, 1, "request", 2), (1 * ms, 1, 0, 1, "start", 0),
        (0, 2, 0, 1, "schedule", 0), (0, 2, 5, 1, "request", 0), (0, 3, 0, 1, "schedule", 0), (0, 3, 5, 2, "request", 0),
        (9 * ms, 1, 0, 0, "end", 0), (9 * ms, 2, 5, 2, "grant", 2), (9 * ms + 7000, 2, 0, 0, "cancel", 0),
        (9 * ms + 7400, 2, 0, 0, "end", 2), (9 * ms + 7400, 3, 5, 3, "grant", 2), (9 * ms + 8000, 3, 0, 1, "start", 0),
        (15 * ms, 3, 0, 0, "end", 0),
    ]  # fmt: skip
    records = np.array([(t, a, b, seq, KIND[kind], flags, 0) for t, a, b, seq, kind, flags in rows], RECORD)
    crosses = []
    monkeypatch.setattr(Sheet, "cross", lambda self, x, y, r=2.6: crosses.append(round((x - self.x0) / self.plot * 15)))
    api.gantt(Trace.from_records(records, ["", "fry"]))
    assert crosses.count(9) == 1


@pytest.fixture
def crossed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """Where crosses of rows without single bars are drawn from now on."""
    found: list[tuple[float, float]] = []
    drawn = Sheet.crosses

    def crosses(self: Sheet, x: np.ndarray, y: float, r: float) -> None:
        found.extend((float(at), y) for at in np.atleast_1d(x))
        drawn(self, x, y, r)

    monkeypatch.setattr(Sheet, "crosses", crosses)
    return found


def test_who_is_cancelled_in_a_deep_queue_leaves_a_cross(crossed: list[tuple[float, float]]) -> None:
    jobs = [Job("a", ("x",), body=MS) for _ in range(80)]
    gone = [Job("gone", ("x",), cancel_after=MS) for _ in range(3)]
    api.gantt(trace_of(Sim(jobs + gone)))
    assert len(crossed) == 3
    t = trace_of(Sim(jobs))
    crossed.clear()
    api.gantt(t)
    assert not crossed


def test_a_body_that_was_cancelled_leaves_a_cross_in_a_dense_row(crossed: list[tuple[float, float]]) -> None:
    sim = Sim([Job("a", ("x",), at=k * 2e5, body=1e5) for k in range(3000)], workers=1, wake=0)
    records = sim.records()
    ends = np.flatnonzero(records["kind"] == KIND["body_end"])
    cut = records[ends[[700, 1500]]].copy()
    cut["kind"] = KIND["cancel"]
    t = Trace.from_records(np.insert(records, ends[[700, 1500]], cut), sim.names, now=sim.now)
    assert t.counts()["cancelled"] == 2 and Scene(t, LIGHT).dense
    chart = gantt(t, LIGHT)
    assert len(crossed) == 4, "the row of its worker and the one of its cown"
    assert len({y for _, y in crossed}) == 2
    dark = (pixels(chart)[100:135, 160:1340] == triple(LIGHT.ink)).all(-1).any(0)
    assert np.count_nonzero(np.diff(np.flatnonzero(dark)) > 20) == 1


def test_names_fill_the_lines_of_the_legend() -> None:
    def legend(n: int) -> Legend:
        jobs = [Job(f"prepare_course_{k:02}", ("x",), body=MS) for k in range(n)]
        return Legend(Scene(trace_of(Sim(jobs)), LIGHT))

    room = 1000 - 2 * MARGIN
    for n in (6, 7, 12, 16, 17, 30):
        made = legend(n)
        ends = [0.0] * 3
        for item in made.items:
            ends[item.line] = item.x + item.wide - 20
        wide = made.items[0].wide
        assert max(ends) <= room and all(end + 20 + wide > room for end in ends[: made.items[-1].line]), n
        assert bool(made.rest) == (n > 16)
        if made.rest:
            x, line = made.rest_at
            assert made.rest == f"+ {n - 16} more {'name' if n == 17 else 'names'}, grey"
            assert x + width(made.rest, 11) <= room and line < 3
    long = [Job(f"a name that is as long as the legend lets it be number {k:02}", ("x",)) for k in range(16)]
    made = Legend(Scene(trace_of(Sim(long)), LIGHT))
    x, line = made.rest_at
    assert made.rest == "+ 5 more names" and line == 2 and x + width(made.rest, 11) <= room


def test_the_last_tick_leaves_the_word_now_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    places: dict[str, tuple[float, float]] = {}
    drawn = Sheet.text

    def text(self: Sheet, x: float, y: float, words: str, px: float = 11, *rest: Any, **options: Any) -> None:
        wide = width(words, px)
        left = x - {"left": 0.0, "center": 0.5, "right": 1.0}[options.get("align", "left")] * wide
        places[words] = (left, left + wide)
        drawn(self, x, y, words, px, *rest, **options)

    monkeypatch.setattr(Sheet, "text", text)
    running = trace_of(Sim([Job("a", ("x",), body=400 * MS)], until=160.5 * MS))
    for by in ("worker", "behavior"):
        places.clear()
        api.gantt(running, by=by)
        assert places["160\u2009ms"][1] < places["now"][0]
    places.clear()
    api.gantt(trace_of(Sim([Job("a", ("x",), body=160.5 * MS)])))
    assert "now" not in places and places["160\u2009ms"][1] > 1000 - 104, "in the middle of its tick"


def test_a_path_of_thousands_is_told_by_its_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(critical, "width", lambda text, size: asked.append(text) or width(text, size))
    t = trace_of(Sim([Job(f"step_{k % 3}", ("x",)) for k in range(3000)]))
    told = api.critical_path(t).describe().splitlines()[1]
    assert told.startswith("step_0  ›  step_1") and told.endswith("step_1  ›  step_2") and re.search("2\u202f9\\d\\d more", told)
    assert len(asked) < 100 and max(map(len, asked)) < 1000

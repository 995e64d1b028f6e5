"""Colours: who gets which, and that they stay apart for every eye."""

from __future__ import annotations

from typing import Any

import pytest
from boc.trace.slots import keep
from boc.view.palette import (
    DARK,
    GREY,
    LIGHT,
    PALETTE,
    assign,
    contrast,
    edge,
    fill,
    fnv1a,
    ink_on,
    least_distance,
    mix,
    theme,
)

# Shared with the live view's tests: the same table must hold in JavaScript.
NAMES = {
    "": 0x811C9DC5,
    "a": 0xE40C292C,
    "foobar": 0xBF9CF968,
    "dice_onion": 0x7AEB3128,
    "pan °C": 0x80C22C9F,
}


@pytest.mark.parametrize("text", list(NAMES))
def test_hash_is_fnv_1a_of_32_bits(text: str) -> None:
    assert fnv1a(text) == NAMES[text]


@pytest.mark.parametrize(("vision", "least"), [("normal", 17.2), ("protan", 12.3), ("deutan", 12.0), ("tritan", 11.9)])
def test_names_stay_apart_for_every_eye(vision: str, least: float) -> None:
    assert least_distance(PALETTE, vision) == pytest.approx(least, abs=0.05)


def test_text_in_a_bar_is_legible() -> None:
    for where in (LIGHT, DARK):
        for slot in [*range(16), GREY]:
            colour = fill(slot, where)
            assert contrast(colour, ink_on(colour)) >= 4.5


def test_full_colours_carry_text_at_4_7() -> None:
    assert round(min(contrast(c, ink_on(c)) for c in PALETTE), 1) >= 4.7


@pytest.mark.parametrize("where", [LIGHT, DARK], ids=["light", "dark"])
def test_words_are_legible_and_edges_hold(where: object) -> None:
    th = theme(where)  # type: ignore[arg-type]
    for colour in (th.ink, th.muted):
        assert contrast(colour, th.background) >= 4.5 and contrast(colour, th.row) >= 4.5
    assert contrast(th.accent, th.background) >= 4.5
    for colour in PALETTE:
        assert contrast(edge(colour, th), th.background) >= 3.0


def test_first_eight_names_have_full_colours() -> None:
    got = assign(f"name {k}" for k in range(40))
    values = list(got.values())
    assert sorted(values[:8]) == list(range(8))
    assert sorted(values[8:16]) == list(range(8, 16))
    assert set(values[16:]) == {GREY}


def test_slot_is_the_hash_then_steps_of_three() -> None:
    got = assign(["x"])
    assert got["x"] == fnv1a("x") % 8
    same = [n for n in (f"n{k}" for k in range(400)) if fnv1a(n) % 8 == got["x"]][:3]
    first = fnv1a("x") % 8
    assert [assign(["x", *same])[n] for n in same] == [(first + 3 * k) % 8 for k in (1, 2, 3)]


def test_first_come_first_served_and_kept() -> None:
    early = assign(["a", "b", "c"])
    late = assign(["a", "b", "c", "d", "a", "e"])
    assert {n: late[n] for n in early} == early


def test_a_name_keeps_its_slot_while_it_is_there() -> None:
    before = assign(["a", "b", "c"])
    after = assign(["c", "x", "b"], before)
    assert (after["c"], after["b"]) == (before["c"], before["b"]) and len(set(after.values())) == 3
    late = assign([f"n{k}" for k in range(20)])
    grey = next(n for n, slot in late.items() if slot == GREY)
    assert assign([grey], late)[grey] == fnv1a(grey) % 8


class Program:
    """Stands for a running program: what colours are kept for."""


def test_a_new_run_has_full_colours_whatever_was_before() -> None:
    program: Any = Program()
    old = [f"n{k}" for k in range(30)]
    before = keep(program, dict.fromkeys(old, True))
    names = dict.fromkeys(old, False) | {"stir": True, "fry": True}
    run = keep(program, names)
    assert {run["stir"], run["fry"]} < set(range(8)) and run["stir"] == fnv1a("stir") % 8
    grown = keep(program, names | {f"m{k}": True for k in range(6)})
    assert {n: grown[n] for n in ("stir", "fry")} == {n: run[n] for n in ("stir", "fry")}
    assert sorted(grown[n] for n in ("stir", "fry", *(f"m{k}" for k in range(6)))) == list(range(8))
    assert [n for n in old if run[n] != before[n]] == [n for n in old if before[n] in (run["stir"], run["fry"])]
    taken = [s for s in grown.values() if s != GREY]
    assert len(taken) == len(set(taken)) == 16


def test_a_new_name_takes_nobodys_colour_while_there_are_others() -> None:
    program: Any = Program()
    first = next(n for n in (f"n{k}" for k in range(99)) if fnv1a(n) % 8 == fnv1a("stir") % 8)
    before = keep(program, {first: True})
    after = keep(program, {first: False, "stir": True})
    assert after[first] == before[first] != after["stir"] < 8


def test_tints_are_half_the_background() -> None:
    assert fill(9, LIGHT) == mix(PALETTE[1], "#ffffff", 0.5)
    assert fill(9, DARK) == mix(PALETTE[1], DARK.background, 0.5)
    assert fill(GREY, DARK) == DARK.neutral


def test_unknown_theme_is_refused() -> None:
    with pytest.raises(ValueError, match="'light' or 'dark'"):
        theme("sepia")

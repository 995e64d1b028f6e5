"""A schedule out of records: the order of starts is one in which the run can have happened, whatever the times say."""

from __future__ import annotations

import pytest

pytest.importorskip("numpy")
from boc.trace.decided import _Found, _Join, _Life, _orders


def life(i, parent, time, start, **more):
    return _Life(i, f"b{i}", parent, time, start=start, ended=True, **more)


def orders(lives, joins):
    return _orders(_Found({x.id: x for x in lives}, {c: [_Join(i, False, 0) for i in who] for c, who in joins.items()}, [], []))


def test_what_main_ran_follows_what_it_had_scheduled_before():
    lives = [
        life(1, 0, 10, 50),  # its time is late
        life(2, 1, 20, 60),
        life(3, 0, 30, 70),  # main schedules it behind the child of the first,
        life(4, -1, 5, 40, on_main=True),  # and then runs this one
    ]
    starts, _ = orders(lives, {7: [2, 3]})
    assert starts.index(1) < starts.index(4)


def test_what_main_schedules_follows_what_it_had_run_before():
    lives = [
        life(1, -1, 5, 100),  # its time is late
        life(2, -1, 6, 80, on_main=True),  # main runs it behind that one,
        life(3, 0, 90, 95),  # and then schedules this one
    ]
    starts, _ = orders(lives, {7: [1, 2]})
    assert starts == [1, 2, 3]

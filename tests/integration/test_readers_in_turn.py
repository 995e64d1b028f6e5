"""C types that cannot be copied: their readers run one after another; what would need a copy is a TransferError.

The types are the template of examples/movable_type without its copy functions, and with only the one for objects.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import boc
import pytest
from boc import Cown, TransferError, cancel, notice_write, quiesce, read, send, when

SOURCE = Path(__file__).resolve().parent.parent.parent / "examples/movable_type/histogram/_histogram.c"
COPY, COPY_PAYLOAD = "    .copy = copy,\n", "    .copy_payload = copy_payload,\n"


def build(folder, package, without):
    """Compiles the template under another name, without these lines."""
    text = SOURCE.read_text()
    for line in without:
        assert line in text
        text = text.replace(line, "")
    (folder / package).mkdir()
    (folder / package / "__init__.py").write_text(f"from {package}._histogram import Histogram\n")
    source = folder / package / "_histogram.c"
    source.write_text(text.replace("histogram._histogram", f"{package}._histogram"))
    target = source.with_name("_histogram" + sysconfig.get_config_var("EXT_SUFFIX"))
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-w", f"-I{boc.get_include()}", f"-I{sysconfig.get_path('include')}",
                    str(source), "-o", str(target)], check=True)


@pytest.fixture(scope="module", autouse=True)
def modules(tmp_path_factory):
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("types")
    build(folder, "onlymoves", [COPY, COPY_PAYLOAD])
    build(folder, "copiesobjects", [COPY_PAYLOAD])
    sys.path.insert(0, str(folder))
    yield
    sys.path.remove(str(folder))


def histogram(module, *values):
    h = __import__(module).Histogram(4, 0, 4)
    for v in values:
        h.add(v)
    return h


@pytest.mark.parametrize("module", ["onlymoves", "copiesobjects"])
def test_readers_run_one_after_another(module):
    boc.start(3)
    c = Cown(histogram(module, 1))
    results = []
    for _ in range(12):
        @when(read(c))
        def look(c):
            import time
            begun = time.monotonic()
            assert c.value is c.value
            while time.monotonic() < begun + 0.002:
                pass
            return c.value.counts(), begun, time.monotonic()
        results.append(look)
    found = [r.result(60) for r in results]
    assert [counts for counts, *_ in found] == [[0, 1, 0, 0]] * 12
    spans = sorted(span for _, *span in found)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


def test_sets_of_them_lock_nobody_out():
    """Readers of several in any order, writers between them, native readers (result) too: all come to their end."""
    boc.start(4)
    cowns = [Cown(histogram("onlymoves")) for _ in range(4)]
    results = []
    for i in range(300):
        a, b, d = cowns[i % 4], cowns[(i * 7 + 1) % 4], cowns[(i // 3 + 2) % 4]

        @when(read(d), read(a), read(b))
        def look(x, y, z):
            return sum(x.value.counts()) + sum(y.value.counts()) + sum(z.value.counts())
        results.append(look)
        if i % 10 == 0:
            @when(a)
            def add(a):
                a.value.add(2)
        if i % 50 == 0:
            results.append(a)
    for r in results:
        if r in cowns:
            with pytest.raises(TransferError):
                r.result(30)
        else:
            assert r.result(30) >= 0
    quiesce(timeout=30)
    assert sum(sum(c.unwrap().counts()) for c in cowns) == 30


def test_cancelled_and_raising_readers_pass_the_turn_on():
    boc.start(2)
    c = Cown(histogram("onlymoves", 3))
    results = []
    for i in range(20):
        @when(read(c))
        def look(c):
            if i % 3 == 0:
                c.value.counts()
                raise ValueError(i)
            return c.value.counts()
        results.append(look)
    cancel(*results[1::2])
    quiesce(timeout=60)
    for i, r in enumerate(results):
        if not r.exception:
            assert r.result() == [0, 0, 0, 1]
        else:
            with pytest.raises(ValueError if i % 2 == 0 else (ValueError, boc.Cancelled)):
                r.result()
    assert c.unwrap().counts() == [0, 0, 0, 1]


def test_what_would_need_a_copy_is_refused():
    c = Cown(histogram("onlymoves", 1), name="bins")
    with pytest.raises(TransferError, match=r"onlymoves.*cannot be copied"):
        c.result(60)
    h = histogram("onlymoves")
    with pytest.raises(TransferError, match=r"cannot be copied"):
        notice_write("h", h)
    with pytest.raises(TransferError, match=r"cannot be copied"):
        send("h", h)
    with pytest.raises(TransferError, match="'h'"):
        @when(c)
        def use(c):
            return h.counts()
    assert h.counts() == [0, 0, 0, 0]
    assert c.unwrap().counts() == [0, 1, 0, 0]


def test_a_type_that_copies_objects_gives_readers_and_results_their_own():
    c = Cown(histogram("copiesobjects", 1))

    @when(read(c))
    def spoil(c):
        c.value.add(0)
        return c.value.counts()
    assert spoil.result(60) == [1, 1, 0, 0]
    assert c.result(60).counts() == [0, 1, 0, 0]

    @when(c)
    def slow(c):
        c.value.add(3)
    assert c.result(60).counts() == [0, 1, 0, 1]  # behind a writer


def test_a_reader_that_moves_it_away_loses_it():
    c = Cown(histogram("onlymoves"), name="bins")

    @when(read(c))
    def steal(c):
        return Cown(c.value)
    stolen = steal.result(60)

    @when(read(c))
    def after(c):
        return c.value
    with pytest.raises(TransferError, match="bins"):
        after.result(60)

    @when(c)
    def mend(c):
        c.value = 3
    assert c.result(60) == 3
    assert stolen.unwrap().counts() == [0, 0, 0, 0]


@pytest.mark.parametrize("module", ["onlymoves", "copiesobjects"])
def test_one_inside_a_value_cannot_be_read_and_nothing_is_lost(module):
    """Readers of a container cannot take turns with its parts: they are told, and whoever owns the cown has it all."""
    boc.start(2)
    c = Cown({}, name="bins")

    @when(c)
    def put(c):
        import importlib
        h = importlib.import_module(module).Histogram(4, 0, 4)
        h.add(1)
        c.value["a"] = [h]
    put.result(60)
    for _ in range(3):
        with pytest.raises(TransferError, match=rf"{module}.*cannot be copied, it can only move.*\['a'\]\[0\].*unwrap") as e:
            c.result(60)
        assert e.value.path == "['a'][0]" and e.value.type_name.startswith(module)

        @when(read(c))
        def look(c):
            return c.value["a"]
        with pytest.raises(TransferError, match="cannot be copied.* at ['a'][0]".replace("[", r"\[")):
            look.result(60)

        @when(c)
        def add(c):
            c.value["a"][0].add(2)
            return c.value["a"][0].counts()
        counts = add.result(60)
    assert counts == [0, 1, 3, 0]
    assert c.unwrap()["a"][0].counts() == counts
    if module == "onlymoves":
        with pytest.raises(TransferError, match=r"\['a'\]\[0\] of the value given to Cown"):
            Cown({"a": [histogram(module)]})

"""Large buffers inside values change hands as a pointer; what is still in use where it was is copied."""

from __future__ import annotations

import array
import mmap
import pickle
import sysconfig

import boc
import pytest
from boc import Cown, Matrix, TransferError, _core, debug, read, when

N = 1 << 20
MOVES = pytest.mark.skipif(bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="free-threaded builds copy buffers: "
                           "each interpreter has its own heap (docs/how-it-works.md)")


class Holder:
    """Pickled with its buffer out of band."""

    def __init__(self, data):
        self.data = data

    def __reduce_ex__(self, protocol):
        return Holder, (pickle.PickleBuffer(self.data),)


class OnlyOnMain:
    """Loads on main alone."""

    def __init__(self, data):
        self.data = data

    def __setstate__(self, state):
        if not _core.is_main():
            raise ValueError("not here")
        self.__dict__.update(state)


KINDS = {
    "bytes": lambda: {"x": bytes(N)},
    "bytearray": lambda: {"x": bytearray(N)},
    "array": lambda: {"x": array.array("d", bytes(N))},
    "array alone": lambda: array.array("B", bytes(N)),
    "view of bytes": lambda: [memoryview(bytes(N))[3:-5]],
    "view of an array": lambda: [memoryview(array.array("i", bytes(N)))[3:-5]],
    "pickle buffer of bytes": lambda: Holder(bytes(N)),
    "pickle buffer of bytearray": lambda: Holder(bytearray(N)),
    "many": lambda: [bytes(N), (bytearray(N), {"y": bytes(N + 1)})],
}


class Counted:
    """Counts the bytes that were passed and copied inside a with block."""

    def __enter__(self):
        self.before = debug.buffers()
        return self

    def __exit__(self, *unused):
        after = debug.buffers()
        self.passed = after["passed_bytes"] - self.before["passed_bytes"]
        self.copied = after["copied_bytes"] - self.before["copied_bytes"]


@pytest.fixture
def always_encoded():
    """Every release encodes, so every behavior is a move."""
    boc.start(2, check=True)


@MOVES
@pytest.mark.parametrize("kind", KINDS)
def test_buffers_are_passed_not_copied(kind, always_encoded):
    c, kinds = Cown(), KINDS

    def look(c):
        return _core.worker_index()
    with Counted() as count:
        @when(c)
        def make(c):
            c.value = kinds[kind]()
        make.result(60)
        for _ in range(5):
            boc.whencall(look, [c]).result(60)

        @when(c)
        def size(c):
            value = c.value
            found = value if isinstance(value, array.array) else getattr(value, "data", None)
            if found is None:
                found = value["x"] if isinstance(value, dict) else value[0]
            return len(memoryview(found).cast("B")), type(found).__name__
        n, name = size.result(60)
    assert N - 40 <= n <= N
    assert name in kind or name == "memoryview" or kind == "many"
    assert count.copied == 0
    assert count.passed >= 7 * (N - 40)


@MOVES
def test_a_hundred_megabytes_in_a_dict_move_as_a_pointer(always_encoded):
    size = 100_000_000
    with Counted() as count:
        @when()
        def make():
            return {"big": bytes(size), "small": [1, 2]}
        encoded = debug.live()["encoded_bytes"]

        @when(make)
        def use(make):
            return len(make.value["big"]), make.value["small"]
        assert use.result(30) == (size, [1, 2])
        with make:
            assert len(make.value["big"]) == size
    assert encoded < 2 * size
    assert count.copied == 0


@MOVES
def test_taking_it_out_copies_nothing():
    with Counted() as count:
        @when()
        def make():
            return {"x": bytearray(N)}
        boc.quiesce(timeout=60)
        value = make.unwrap()
    value["x"].append(1)
    assert len(value["x"]) == N + 1
    assert count.copied == 0


def test_what_is_still_referred_to_is_copied(always_encoded):
    @when()
    def make():
        import sys
        sys.kept = bytearray(N)
        return {"x": sys.kept}
    with Counted() as count:
        assert len(make.result(60)["x"]) == N
    assert count.copied >= N

    mine = {"x": bytearray(b"a" * N)}
    c = Cown(mine)
    mine["x"][0] = 7

    @when(c)
    def spoil(c):
        first = c.value["x"][0]
        c.value["x"][:] = b""
        return first
    assert spoil.result(60) == ord("a")
    assert len(mine["x"]) == N


def test_readers_and_results_have_their_own(always_encoded):
    c = Cown({"x": bytearray(N), "m": [Matrix.zeros((2, 2))]})

    @when(read(c))
    def spoil(c):
        c.value["x"][:] = b"gone"
        c.value["m"][0][0, 0] = 5
        return len(c.value["x"])
    assert spoil.result(60) == 4
    result = c.result(60)
    result["x"].clear()
    assert len(c.result(60)["x"]) == N
    assert c.result(60)["m"][0][0, 0] == 0


def test_shared_buffers_stay_shared(always_encoded):
    c = Cown()

    @when(c)
    def make(c):
        data, items = bytearray(N), array.array("i", bytes(N))
        c.value = {"a": data, "b": [data], "view": memoryview(data)[8:16], "items": items, "ints": memoryview(items)[4:]}

    @when(c)
    def use(c):
        v = c.value
        v["view"][0] = 9
        v["ints"][0] = 1234
        return v["a"] is v["b"][0], v["a"][8], v["items"][4]
    assert use.result(60) == (True, 9, 1234)
    v = c.unwrap()
    assert v["a"] is v["b"][0]
    assert v["view"].obj is v["a"]
    assert v["ints"].format == "i"
    v["view"].release()
    v["a"].append(1)


@pytest.mark.parametrize("make", [
    lambda: memoryview(b"abc"), lambda: memoryview(b""), lambda: memoryview(bytearray(b"abcdef"))[::2],
    lambda: memoryview(bytearray(24)).cast("i", (2, 3)), lambda: memoryview(array.array("d", [1, 2, 3]))[1:],
    lambda: memoryview(bytearray(8)).toreadonly(),
])  # fmt: skip
def test_views(make):
    got = Cown([make()]).result(60)[0]
    want = make()
    assert (got.tobytes(), got.shape, got.format, got.readonly) == (want.tobytes(), want.shape, want.format, want.readonly)


def test_a_released_view_is_refused():
    view = memoryview(b"abc")
    view.release()
    with pytest.raises(TransferError):
        Cown([view])


@pytest.mark.parametrize("code", "bBhHiIlLqQfd")
def test_arrays_of_every_kind(code):
    value = array.array(code, range(100)) * (N // 400)
    got = Cown({"x": value}).result(60)["x"]
    assert got == value
    assert got.typecode == code
    got.append(1)
    del got[5:]
    got.extend(range(10))
    assert list(got) == [*range(5), *range(10)]


def test_what_fails_on_the_way_leaves_the_original_whole():
    import threading
    parts = [bytearray(b"x" * N), array.array("d", bytes(N)), Matrix.ones((3, 3)), threading.Lock()]
    with pytest.raises(TransferError, match=r"\[3\]"):
        Cown(parts)
    assert parts[0] == b"x" * N
    assert len(parts[1]) == N // 8
    assert parts[2][0, 0] == 1


def test_what_a_worker_cannot_load_goes_on_whole():
    c, of = Cown(), OnlyOnMain

    @when(c)
    def make(c):
        c.value = of([bytearray(b"x" * N), array.array("i", bytes(N)), Matrix.ones((3, 3))])
    boc.quiesce(timeout=60)
    with c:
        assert len(c.value.data[0]) == N
    for _ in range(3):
        @when(c)
        def look(c):
            return c.value
        with pytest.raises(TransferError, match="not here"):
            look.result(60)
    with c:
        assert c.value.data[0] == b"x" * N
        assert len(c.value.data[1]) == N // 4
        assert c.value.data[2][2, 2] == 1


def test_counts_come_back_to_where_they_were():
    before = debug.live()["encoded_bytes"]
    for _ in range(20):
        c = Cown([bytearray(N), array.array("d", bytes(N)), bytes(N)])
        del c
        c = Cown([bytearray(N)])

        @when(c)
        def touch(c):
            c.value.append(bytes(N))
        del c, touch
    boc.quiesce(timeout=60)
    boc.wait()
    assert debug.live()["encoded_bytes"] <= before


def test_a_map_says_the_way_out_and_its_view_moves_as_a_copy():
    with mmap.mmap(-1, N) as pages:
        pages[:3] = b"abc"
        with pytest.raises(boc.TransferError, match=r"mmap.mmap.*at \[0\].*map the file inside the behavior"):
            Cown([pages])
        with memoryview(pages) as view:
            c = Cown(view)
        pages[:3] = b"new"

        @when(c)
        def look(c):
            return len(c.value), bytes(c.value[:3])
        assert look.result(60) == (N, b"abc")
        del c, look

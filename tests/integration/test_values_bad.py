"""Values that make trouble on their way: an error that says so, never a crash, and nothing is left behind."""

from __future__ import annotations

import gc
import pickle
import sysconfig

import boc
import fuzz_decoder
import pytest
import running
from boc import Cown, TransferError, _core, debug, quiesce, when


class Raises:
    def __reduce__(self):
        raise ZeroDivisionError("not today")


class Nonsense:
    def __init__(self, what):
        self.what = what

    def __reduce__(self):
        return self.what


class Schedules:
    """Asks for more work while it is encoded, with an encode of its own."""

    def __reduce__(self):
        c = Cown([1, {2: 3}])

        @when(c)
        def f(c):
            c.value.append(4)
        pickle.dumps(self.__class__)
        return Schedules, ()


class Slow:
    def __reduce__(self):
        import time
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            pass
        return Slow, ()


class Grows:
    """Each part of it makes another one."""

    def __reduce__(self):
        return Grows, (Grows(),)


@pytest.mark.parametrize("value", [Raises(), *map(Nonsense, (7, "nothing", (), (1, 2), (len,), (len, 3), (Nonsense, (), 1, 2, 3, 4, 5),
                                                              (list, (), None, 5), None)), Grows()], ids=repr)
def test_bad_reductions_are_refused(value):
    gc.collect()
    before = debug.live()
    for _ in range(3):
        with pytest.raises(TransferError, match=r"it is at \['key'\]\[0\]"):
            Cown({"key": [value]})
    c = Cown(bytearray(100_000))
    with pytest.raises(TransferError):
        Cown([bytearray(100_000), value, c])
    del c
    gc.collect()
    after = debug.live()
    assert after["encoded_bytes"] <= before["encoded_bytes"]
    assert after["cowns"] <= before["cowns"]


def test_a_bad_reduction_in_a_body_is_kept_in_its_cown():
    c = Cown([1])

    @when(c)
    def spoil(c):
        c.value = Raises()
    with pytest.raises(TransferError, match="not today"):
        c.result(60)

    @when(c)
    def mend(c):
        c.value = "again"
    assert c.result(60) == "again"


def test_a_reduction_that_schedules():
    for _ in range(20):
        c = Cown([Schedules(), Schedules()])

        @when(c)
        def f(c):
            return [type(x).__name__ for x in c.value]
        assert f.result(60) == ["Schedules", "Schedules"]
    quiesce(timeout=60)


def test_a_slow_reduction_keeps_only_its_own_cown():
    slow, other = Cown([Slow()]), Cown(0)

    @when(slow)
    def pass_on(slow):
        slow.value.append(Slow())

    @when(other)
    def beside(other):
        return 1
    assert beside.result(60) == 1
    assert [type(x) for x in slow.result(60)] == [Slow, Slow]


def test_cowns_inside_values_live_exactly_as_long_as_these():
    quiesce(timeout=60)
    gc.collect()
    before = debug.live()["cowns"]
    inner = Cown([7])
    outer = Cown({"inner": inner, "again": [inner]})
    del inner
    gc.collect()
    assert debug.live()["cowns"] == before + 2

    @when(outer)
    def put_on(outer):
        outer.value["inner"] = Cown(outer.value["again"])  # a cown that holds a value that holds a cown
    quiesce(timeout=60)
    assert outer.result(60)["inner"].result(60)[0].result(60) == [7]
    del put_on
    del outer  # dies undelivered, or live with a worker
    boc.wait()
    gc.collect()
    assert debug.live()["cowns"] <= before


def test_deep_and_recursive_values():
    ring = []
    ring.append({"ring": ring})
    got = Cown(ring).result(60)
    assert got[0]["ring"] is got
    deep = []
    for _ in range(400):
        deep = [deep]
    assert Cown(deep).result(60) == deep
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(TransferError, match="nested too deeply"):
        Cown(deep)
    while deep:
        deep = deep.pop()


def test_a_handle_of_another_process_is_refused_there(tmp_path):
    data = pickle.dumps(Cown(1))
    ended = running.script(tmp_path, f"""
        import pickle
        import boc
        try:
            pickle.loads({data!r})
        except RuntimeError as e:
            print(type(e).__name__, e)
    """)
    assert "RuntimeError" in ended.out
    assert "another process" in ended.out


def test_corrupt_data_is_an_error():
    """Of plain values the decoder is ours, of others CPython's: there what is ours (places of cowns, parts) is looked at first."""
    good = fuzz_decoder.samples()
    with fuzz_decoder.little_memory():
        refused = sum(fuzz_decoder.feed(seed, 500, good) for seed in range(1, 21))
    assert refused > 5000
    for nonsense in fuzz_decoder.NONSENSE:
        with pytest.raises(Exception):  # noqa: B017
            _core._loads(nonsense)
        with pytest.raises(Exception):  # noqa: B017
            _core._loads((nonsense, (Cown(1),)))


@pytest.mark.skipif(bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="a free-threaded build reserves a gigabyte ahead, "
                    "within which the limit is not felt")
def test_out_of_memory_is_an_error(tmp_path):
    ended = running.script(tmp_path, """
        import resource
        import boc
        from boc import Cown, when
        boc.start(1)
        c = Cown([bytearray(1000)])
        @when(c)
        def warm(c):
            c.value.append(bytes(100_000))
        c.result(60)
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 150_000_000,) * 2)
        mine = [b"x" * 100_000_000]
        for make in (lambda: Cown(mine), lambda: Cown([mine]), lambda: boc.send("t", mine)):
            try:
                make()
                print("no error")
            except MemoryError:
                print("MemoryError")
        assert len(mine[0]) == 100_000_000
        del mine
        @when(c)
        def still(c):
            return len(c.value)
        print(still.result(60))
        @when()
        def big():
            return [bytes(90_000_000)]
        try:
            big.result(60)          # a copy of what the result cown keeps
            print("no error")
        except MemoryError:
            print("MemoryError")
        print(len(big.unwrap()[0]))
    """)
    assert ended.out.split() == ["MemoryError"] * 3 + ["2", "MemoryError", "90000000"]


@pytest.mark.parametrize("moves", [2000, pytest.param(1_000_000, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])])
def test_memory_stays_flat(moves):
    """Refcounts and memory balance: what moved a million times takes no more than what moved a few thousand times."""
    from value_programs import bounce

    def rss():
        with open("/proc/self/statm") as f:
            return int(f.read().split()[1]) * 4096
    boc.start(2, check=True)
    bounce(1000)
    before, counts = rss(), debug.live()
    bounce(moves)
    assert rss() - before < 30_000_000
    after = debug.live()
    assert after["cowns"] <= counts["cowns"]
    boc.wait()
    gc.collect()
    assert debug.live()["live_values"] == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_gigabyte():
    size = 1 << 30

    @when()
    def make():
        return {"x": bytearray(size), "y": [1]}
    before = debug.buffers()["copied_bytes"]

    @when(make)
    def use(make):
        make.value["x"][-1] = 7
        return len(make.value["x"])
    assert use.result(300) == size
    value = make.unwrap()
    assert value["x"][-1] == 7
    assert debug.buffers()["copied_bytes"] == before


class Two(Exception):
    """Its `__init__` takes other things than its `args`."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")
        self.first = first
        self.second = second


class Slotted(OSError):
    __slots__ = ("place",)

    def __init__(self, place):
        super().__init__(2, "gone", "/kitchen")
        self.place = place


class Own(Exception):
    def __init__(self, first, second):
        super().__init__(first)
        self.second = second

    def __reduce__(self):
        return Own, (self.args[0], self.second + 1)


class Several(ExceptionGroup):
    def __new__(cls, members):
        return super().__new__(cls, "several", members)

    def __init__(self, members):
        self.count = len(members)


def looks(error):
    return [(type(e).__name__, str(e), sorted(vars(e).items())) for e in error]


@pytest.mark.parametrize("check", [False, True])
def test_exceptions_in_values_are_rebuilt_without_their_init(check):
    boc.start(2, check=check)
    two = Two(1, [2])
    two.add_note("a note")
    errors = [two, Slotted("oven"), Several([two, KeyError(3)])]
    c = Cown(errors)

    @when(c)
    def body(c):
        first, slotted, several = c.value
        c.value.append(Two(3, first.second))
        same = several.exceptions[0] is first
        return looks(c.value), slotted.place, slotted.errno, slotted.filename, several.count, same

    seen, *rest = body.result()
    assert rest == ["oven", 2, "/kitchen", 2, True]
    assert seen[:3] == looks(errors)
    back = c.result()
    assert looks(back) == seen and [type(e) for e in back] == [Two, Slotted, Several, Two]

    @when()
    def returns():
        return two, Own(1, 2)

    assert returns.result()[0].second == [2] and returns.result()[1].second == 3
    assert not returns.exception
    boc.send("error", two)
    assert boc.receive("error")[1].second == [2]
    boc.notice_write("error", two)
    assert boc.notice_read("error").__notes__ == ["a note"]


def test_what_cannot_be_loaded_on_main_is_named():
    broken = Nonsense((int, ("no number",)))
    c = Cown(broken, name="jar")
    boc.send("tag", broken)
    boc.notice_write("key", broken)

    @when()
    def returns():
        return [Nonsense((int, ("no number",)))]

    def held():
        with c:
            return c.value

    for read, name in [
        (c.result, "'jar'"),
        (held, "'jar'"),
        (c.unwrap, "'jar'"),
        (returns.result, "'returns'"),
        (lambda: boc.receive("tag"), "message"),
        (lambda: boc.notice_read("key"), "'key' on the noticeboard"),
    ]:
        with pytest.raises(TransferError, match=f"{name}.* cannot be loaded here: ValueError: invalid literal") as caught:
            read()
        assert type(caught.value.__cause__) is ValueError

    @when(boc.read(c))
    def reads(c):
        return c.value

    with pytest.raises(TransferError, match="'jar' cannot be loaded here"):
        reads.result()
    with c:
        c.value = 1
    assert c.result() == 1

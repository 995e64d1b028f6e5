"""Several threads and several asyncio tasks of the main interpreter hold cowns and wait beside each other."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading

import boc
import pytest
from boc import Cown, when

pytestmark = pytest.mark.timeout(60)
OWN = "this wait would never end: what is pending queues behind cown 'mine', which this"


@pytest.fixture(autouse=True)
def running():
    boc.start(2)
    yield
    boc.wait()


def together(count, work):
    """`work(i)` on each of so many threads at once; raises the first error."""
    barrier, errors = threading.Barrier(count), []

    def run(i):
        try:
            barrier.wait()
            work(i)
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]


def test_many_threads_hold_and_release():
    shared = Cown(0)

    def work(i):
        mine = [Cown(0) for _ in range(10)]
        for r in range(150):
            c, d = mine[r % 10], mine[(r + 7) % 10]
            with c:
                c.value += 1
                with d:
                    d.value += 1

            @when(c, shared)
            def f(c, shared):
                shared.value += 1
                return r

            if r % 3 == 0:
                assert f.result() == r
        assert sum(boc.gather(mine)) == 300

    together(4, work)
    assert shared.result() == 600


def hold(cown):
    """On a thread of its own until the returned function is called."""
    held, end = threading.Event(), threading.Event()

    def work():
        with cown:
            held.set()
            assert end.wait(60)

    thread = threading.Thread(target=work)
    thread.start()
    held.wait()
    return end.set


WAITS = ["f.result()", "boc.quiesce()", "boc.gather([f])", "list(boc.as_completed([f]))"]


@pytest.mark.parametrize("wait", WAITS)
def test_a_wait_behind_what_another_thread_holds_goes_on(wait):
    mine, other = Cown(1, name="mine"), Cown(2, name="other")
    release = hold(other)
    with mine:

        @when(other)
        def f(other):
            return other.value

        threading.Timer(0.5, release).start()
        eval(wait, {"boc": boc, "f": f})
        assert f.result() == 2


@pytest.mark.parametrize("wait", WAITS)
def test_a_wait_behind_what_only_this_thread_holds_is_an_error(wait):
    mine = Cown(1, name="mine")
    with mine:

        @when(mine)
        def f(mine):
            return mine.value

        with pytest.raises(RuntimeError, match=OWN + " thread holds"):
            eval(wait, {"boc": boc, "f": f})
    assert f.result() == 1


async def behind(cown):
    """Hold it and await what queues behind it."""
    with cown:

        @when(cown)
        def f(c):
            return c.value

        return await f


def test_await_behind_what_only_this_task_holds_is_an_error():
    mine = Cown(1, name="mine")

    async def main():
        other = asyncio.create_task(asyncio.sleep(60))
        with pytest.raises(RuntimeError, match=OWN + " task holds"):
            await behind(mine)
        other.cancel()
        return await mine

    assert asyncio.run(main()) == 1


def test_await_behind_what_another_task_holds_goes_on():
    mine, other = Cown(1, name="mine"), Cown(2, name="other")

    async def holder(held):
        with other:
            held.set()
            await asyncio.sleep(0.5)

    async def main():
        held = asyncio.Event()
        task = asyncio.create_task(holder(held))
        await held.wait()

        @when(other)
        def f(other):
            return other.value

        with mine:
            assert await f == 2
        await task

    asyncio.run(main())


def test_await_in_a_task_whose_context_another_task_shares_goes_on():
    """Which of the two took the cown is not known."""
    mine = Cown(1, name="mine")
    shared = contextvars.copy_context()

    async def main():
        mine.acquire()

        async def waiter():
            @when(mine)
            def f(mine):
                return mine.value

            return await f

        async def releases():
            await asyncio.sleep(0.5)
            mine.release()

        tasks = [asyncio.create_task(work(), context=shared) for work in (waiter, releases)]
        assert (await asyncio.gather(*tasks))[0] == 1

    asyncio.run(main())


def test_threads_read_the_board_while_it_changes():
    """Each interpreter keeps its view and what it decoded of it; without a GIL several threads of main ask for them at once."""
    boc.notice_write("list", [0, "same"])
    boc.notice_sync()

    def work(i):
        for r in range(400):
            if i == 0:
                boc.notice_write("list", [r, "same"])
            assert boc.notice_read("list")[1] == "same"
            assert boc.noticeboard()["list"][1] == "same"

    together(4, work)


BODY = """
from boc import when

def schedule(c, limit=2):
    @when(c)
    def body(c, more=(1, limit)):
        c.value += more[0] + len(NAMES) - len(NAMES)
        return c.value
    return body
"""


def test_threads_schedule_a_body_for_the_first_time():
    """What is known of a body hangs on its code object, from its first schedule on; another thread may be first."""
    for _ in range(40):
        names = {"NAMES": [1, 2]}
        exec(BODY, names)
        cowns = [Cown(0) for _ in range(4)]
        together(4, lambda i, names=names, cowns=cowns: names["schedule"](cowns[i]).result())
        assert boc.gather(cowns) == [1] * 4


def test_threads_rebind_what_another_schedules():
    """The names and cells that a body uses are taken while other threads bind them anew."""
    names = {"NAMES": [0]}
    exec(BODY, names)
    cown = Cown(0)
    cell = [0]

    def capture():
        @when(cown)
        def body(c):
            return len(cell)

        return body

    def work(i):
        nonlocal cell
        for r in range(200):
            if i == 0:
                names["NAMES"] = [r] * 3
                cell = [r]
            else:
                names["schedule"](cown)
                capture()

    together(3, work)
    assert cown.result() == 400


def test_threads_schedule_while_the_path_changes():
    """Each schedule compares sys.path with what workers know of it."""
    cown = Cown(0)

    def work(i):
        for r in range(100):
            if i == 0:
                sys.path.append(f"/nowhere/{r}")
                sys.path.pop()

            @when(cown)
            def body(c):
                c.value += 1

    before = list(sys.path)
    together(4, work)
    assert sys.path == before
    assert cown.result() == 400

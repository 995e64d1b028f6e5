"""What the types of boc say, checked by mypy and pyright in `make lint`; never run."""

from typing import Any, assert_type

import boc
from boc import Cown, Matrix, PinnedCown, PumpResult, read, when, whencall


def values(c: Cown[int], p: PinnedCown[list[str]]) -> None:
    assert_type(c.value, int)
    assert_type(c.result(), int)
    assert_type(c.result(timeout=1.0), int)
    assert_type(c.unwrap(), int)
    assert_type(c.name, str)
    assert_type(c.exception, bool)
    assert_type(p.value, list[str])
    with c as value:
        assert_type(value, int)


def behaviors(c: Cown[int], d: Cown[str]) -> None:
    @when(c, read(d))
    def both(c: Cown[int], d: Cown[str]) -> float:
        return c.value + len(d.value)

    @when([c, c], name="many")
    def many(cs: list[Cown[int]]) -> None: ...

    assert_type(both, Cown[float])
    assert_type(both.result(), float)
    assert_type(many, Cown[None])
    assert_type(whencall(lambda x: str(x), [c]), Cown[str])


def many(ints: list[Cown[int]], p: PinnedCown[bytes], c: Cown[int], d: Cown[str]) -> None:
    assert_type(boc.gather(ints), list[int])
    assert_type(boc.gather(ints, timeout=1.0), list[int])
    assert_type(boc.gather(x for x in ints), list[int])
    assert_type(boc.gather((c, c)), list[int])
    assert_type(boc.gather((c, d)), list[int | str])
    assert_type(boc.gather((c, d, p), 1), list[int | str | bytes])
    assert_type(boc.gather((c, d, p, d)), list[int | str | bytes])
    assert_type(boc.gather((c, d, p, d, c)), list[int | str | bytes])
    assert_type(boc.gather((c, d, p, d, c, p)), list[int | str | bytes])
    assert_type(boc.gather((c, d, p, d, c, p, d)), list[Any])
    assert_type(next(boc.as_completed(ints)), Cown[int])
    assert_type(next(boc.as_completed([p, p])), PinnedCown[bytes])
    boc.gather([1, 2])  # type: ignore[arg-type]  # pyright: ignore
    boc.as_completed([1, 2])  # type: ignore[type-var]  # pyright: ignore


async def waiting(c: Cown[int]) -> None:
    assert_type(await c, int)
    await boc.quiesced()


def rest() -> None:
    assert_type(boc.pump(), PumpResult)
    assert_type(boc.pump().executed, int)
    assert_type(Matrix(2, 2) @ Matrix(2, 2), Matrix)
    assert_type(boc.notice_read("key"), Any)
    assert_type(boc.get_include(), str)

"""W14: operations of Matrix, microseconds each (best of five); products beside numpy where installed."""

import json
import timeit

from boc import Matrix

SIZES = (4, 16, 64, 256)
OPERATIONS = {
    "add": "a + b", "scale": "a * 2.0", "divide": "a / b", "negate": "-a", "row": "a + r", "product": "a @ b",
    "add_out": "a.add(b, out=o)", "sum": "a.sum()", "sum0": "a.sum(axis=0)", "sum1": "a.sum(axis=1)",
    "mean": "a.mean()", "max": "a.max()", "argmax1": "a.argmax(axis=1)", "magnitude1": "a.magnitude(axis=1)",
    "sqrt": "a.sqrt()", "floor": "a.floor()", "clip": "a.clip(0.2, 0.8)", "fma": "a.fma(b, b)",
    "scaled_add": "a.scaled_add(0.5, b)", "transpose": "a.transpose()", "copy": "a.copy()",
    "less": "a.less(b)",
    "where": "Matrix.where(m, a, b)", "vecdot1": "a.vecdot(b, axis=1)", "normalize1": "a.normalize(axis=1)",
    "take": "a.take([0, 1, 2])", "element": "a[1, 2]", "set_element": "a[1, 2] = 0.5", "slice": "a[1:3]",
    "zeros": "Matrix.zeros((n, n))", "allclose": "Matrix.allclose(a, b)", "equal": "a == b",
}


def microseconds(statement, names):
    """Best of five runs of about 20 ms."""
    timer = timeit.Timer(statement, globals=names)
    count = 1
    while timer.timeit(count) < 0.004:
        count *= 4
    return min(timer.repeat(5, count)) * 1e6 / count


def of_numpy():
    """The products of numpy, for the table; nothing where it is not installed."""
    try:
        import numpy
    except ImportError:
        return {}
    rows = {}
    for n in (16, 64, 256, 1024):
        a, b = numpy.random.rand(n, n), numpy.random.rand(n, n)
        rows[f"numpy product {n}"] = microseconds("a @ b", {"a": a, "b": b})
    return rows


def main():
    rows = {}
    for n in SIZES:
        a, b = (Matrix.uniform(0.1, 1.0, (n, n)) for _ in range(2))
        names = {"Matrix": Matrix, "a": a, "b": b, "n": n, "m": a.less(b), "o": Matrix.zeros((n, n)),
                 "r": Matrix.uniform(0.1, 1.0, (1, n))}
        for name, statement in OPERATIONS.items():
            rows[f"{name} {n}"] = microseconds(statement, names)
    n = 1024
    a, b = (Matrix.uniform(0.1, 1.0, (n, n)) for _ in range(2))
    rows["product 1024"] = min(timeit.repeat("a @ b", globals={"a": a, "b": b}, number=1, repeat=2)) * 1e6
    rows |= of_numpy()
    print(json.dumps(rows))


if __name__ == "__main__":
    main()

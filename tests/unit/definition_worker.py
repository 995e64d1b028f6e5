"""A body in a real sub-interpreter, as the C side runs it, for the tests of definitions.

`World` plays the main interpreter: it takes bodies apart with boc._define and sends bytes. `serve` runs in the
sub-interpreter: it decodes everything first, then binds the names, then calls the body.
"""


from __future__ import annotations

import _pickle
import io
import linecache
import os
import pickle
import sys
import traceback
import types
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "python" / "boc"


class _Values(_pickle.Pickler):
    def reducer_override(self, obj):
        from boc import _define

        return _define.reduce_for_pickle(obj)


def dumps(value):
    out = io.BytesIO()
    _Values(out, 5).dump(value)
    return out.getvalue()


def encode(value):
    """One captured value: by id where it has one, else by value."""
    from boc import _define

    key = None
    if issubclass(type(value), (type, types.FunctionType)):
        key = _define.define(value)
    return ("id", key) if key is not None else ("value", dumps(value))


def decode(item):
    from boc import _define

    return _define.load(item[1]) if item[0] == "id" else pickle.loads(item[1])


def pack(func, args):
    """Everything a worker needs to call `func(*args)`."""
    from boc import _define

    cells = [encode_cell(cell) for cell in func.__closure__ or ()] if type(func) is types.FunctionType else []
    values = tuple(c.cell_contents for c in getattr(func, "__closure__", None) or () if c != types.CellType())
    defaults = tuple(getattr(func, "__defaults__", None) or ())
    recipe, entries, hints = _define.analyse(func, values + defaults)
    names, patches = [], []
    for kind, container, key, space in entries:
        if kind == 2:
            if _define.define(container) is not None:
                patches.append(("id", _define.changes(container)))
        elif kind == 3:
            _define.edited()  # the C side looks whether it was
        elif kind == 4:
            names.append(("mod" + space[6:], "not in the module", None))  # brings the module up to date
        elif kind == 5:
            patches.append(("value", dumps(container)))  # decoding it sets them
        elif key in container:
            names.append((space, key, encode(container[key])))
        else:
            names.append((space, key, None))
    whole = None if recipe is not None else encode(func)
    rest = dumps((args, defaults, getattr(func, "__kwdefaults__", None)))
    return pickle.dumps((recipe, whole, cells, names, [p for p in patches if p[1]], rest)), hints


def encode_cell(cell):
    try:
        return encode(cell.cell_contents)
    except ValueError:
        return None


def call(message):
    """Run a packed body in this interpreter; the bytes of its result."""
    from boc import _define

    recipe, whole, cells, names, patches, rest = pickle.loads(message)
    args, defaults, keyword_defaults = pickle.loads(rest)
    held = [None if item is None else decode(item) for item in cells]
    found = [(space, key, None if item is None else decode(item)) for space, key, item in names]
    for patch in patches:
        decode(patch)
    for (space, key, item), (_, _, value) in zip(names, found, strict=True):
        target = _define.namespace_dict(space)
        if item is None:
            target.pop(key, None)
        else:
            target[key] = value
    if recipe is None:
        func = decode(whole)
    else:
        code, globals_ = _define.load_recipe(recipe)
        closure = tuple(types.CellType() if i is None else types.CellType(v) for i, v in zip(cells, held, strict=True))
        func = types.FunctionType(code, globals_, None, defaults or None, closure)
        func.__kwdefaults__ = keyword_defaults
    return dumps(func(*args))


def serve(message, blobs, out):
    """In the sub-interpreter: run one body, write (ok, result, new blobs) to the file `out`."""
    from boc import _store

    _store._blobs.update(pickle.loads(blobs))
    known = set(_store._blobs)
    try:
        answer = (True, call(message))
    except BaseException as error:
        answer = (False, "".join(traceback.format_exception(error)))
    new = {k: v for k, v in _store._blobs.items() if k not in known}
    with open(out, "wb") as file:
        file.write(pickle.dumps((*answer, new)))


class Failed(Exception):
    """The body raised; the text is the worker's traceback."""


class Interpreter:
    """A sub-interpreter with its own GIL."""

    def __init__(self, folder):
        self._out = str(folder / f"answer-{id(self)}")
        setup = f"""
import sys, types
package = types.ModuleType("boc")
package.__path__ = [{str(SOURCE)!r}]
sys.modules["boc"] = package
sys.path[:] = {sys.path!r}
sys.path.append({str(Path(__file__).parent)!r})
import definition_worker
"""
        if sys.version_info >= (3, 13):
            import _interpreters as interpreters

            self._id = interpreters.create("isolated")
        else:
            import _xxsubinterpreters as interpreters

            self._id = interpreters.create()
        self._module = interpreters
        self._run(setup)

    def _run(self, code, shared=None):
        failed = self._module.run_string(self._id, code, shared or {})
        if failed is not None:
            raise RuntimeError(str(failed))

    def execute(self, code):
        self._run(code)

    def serve(self, message, blobs):
        self._run(
            "definition_worker.serve(message, blobs, out)", {"message": message, "blobs": blobs, "out": self._out}
        )
        with open(self._out, "rb") as file:
            answer = pickle.loads(file.read())
        os.unlink(self._out)
        return answer

    def close(self):
        self._module.destroy(self._id)


# One store per process: recipes of library code are made once, whatever the test.
_BLOBS = {}


class World:
    """A notebook: a fresh `__main__`, cells, and workers that run bodies."""

    def __init__(self, monkeypatch, folder):
        from boc import _load, _names, _reach, _store
        from boc._identity import IdentityMap

        self.main = types.ModuleType("__main__")
        self._folder = folder
        self._cells = 0
        self._interpreters = {}
        self.blobs = _BLOBS
        monkeypatch.setitem(sys.modules, "__main__", self.main)
        monkeypatch.setattr(_reach, "sent", {})
        # What bodies of other tests brought into the runtime's own store is not among these blobs.
        monkeypatch.setattr(_load, "recipe_ids", IdentityMap())
        monkeypatch.setattr(_names, "_spaces", {})
        monkeypatch.setattr(_names, "_space_keys", {})
        monkeypatch.setattr(_store, "_blobs", self.blobs)
        real = _store.put

        def put(data):
            # Recipes of library code outlive this test: the runtime's own store must know them too.
            real(data)
            return _store._put(data)

        monkeypatch.setattr(_store, "put", put)
        monkeypatch.setattr(_store, "get", self.blobs.get)

    def cell(self, source, namespace=None):
        """Run a cell; the namespace it ran in."""
        self._cells += 1
        name = f"<cell {id(self)}-{self._cells}>"
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        namespace = self.main.__dict__ if namespace is None else namespace
        exec(compile(source, name, "exec", dont_inherit=True), namespace)
        return namespace

    def run(self, func, *args, worker=0):
        """Call a body (a function, or a name of `__main__`) in a worker and bring the result home."""
        if isinstance(func, str):
            func = getattr(self.main, func)
        message, self.hints = pack(func, args)
        return self.deliver(message, worker)

    def deliver(self, message, worker=0):
        if worker not in self._interpreters:
            self._interpreters[worker] = Interpreter(self._folder)
        good, result, new = self._interpreters[worker].serve(message, pickle.dumps(self.blobs))
        self.blobs.update(new)
        if not good:
            raise Failed(result)
        return pickle.loads(result)

    def close(self):
        for interpreter in self._interpreters.values():
            interpreter.close()

"""The exception classes: names, bases, pickling."""

from __future__ import annotations

import copy
import pickle

import boc
import pytest
from boc import _errors
from boc._errors import BehaviorError, Cancelled, Interrupted, TransferError, WorkerDied

CLASSES = [TransferError, BehaviorError, Cancelled, Interrupted, WorkerDied]


@pytest.mark.parametrize("cls", CLASSES)
def test_named_by_the_package_and_documented(cls):
    assert getattr(boc, cls.__name__) is cls
    assert f"{cls.__module__}.{cls.__qualname__}" == f"boc.{cls.__name__}"
    assert cls.__name__ in _errors.__all__
    assert cls.__doc__


def test_bases():
    assert issubclass(TransferError, RuntimeError)
    assert issubclass(BehaviorError, RuntimeError)
    assert issubclass(WorkerDied, RuntimeError)
    assert issubclass(Cancelled, Exception) and not issubclass(Cancelled, RuntimeError)
    assert not issubclass(Interrupted, Exception)


@pytest.mark.parametrize("move", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_attributes_move(move):
    back = move(TransferError("no", path=".a[1]", type_name="_thread.lock", behavior="cook"))
    assert (str(back), back.path, back.type_name, back.behavior) == ("no", ".a[1]", "_thread.lock", "cook")
    back = move(BehaviorError("X: y", type_name="X", text="y", traceback="T"))
    assert (str(back), back.type_name, back.text, back.traceback) == ("X: y", "X", "y", "T")
    for cls in (Cancelled, Interrupted, WorkerDied):
        assert move(cls("why")).args == ("why",)


def test_attributes_have_defaults():
    assert (TransferError("x").path, BehaviorError("x").traceback) == ("", "")

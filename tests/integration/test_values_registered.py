"""Types registered with CPython's own cross-interpreter data move the way they are registered."""

from __future__ import annotations

import gc
import pickle
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import boc
import pytest
from boc import Cown, debug, notice_read, notice_sync, notice_write, read, receive, send, when


@pytest.fixture(scope="module", autouse=True)
def module(tmp_path_factory):
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("registered")
    source = Path(__file__).with_name("registered.c")
    target = folder / f"registered{sysconfig.get_config_var('EXT_SUFFIX')}"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-w", f"-I{sysconfig.get_path('include')}", str(source), "-o",
                    str(target)], check=True)
    sys.path.insert(0, str(folder))
    yield
    sys.path.remove(str(folder))


def token(n):
    import registered
    return registered.Token(n)


def test_everywhere():
    with pytest.raises(TypeError):
        pickle.dumps(token(1))
    boc.start(2, check=True)
    t = token(10)
    c = Cown({"t": t, "same": [t]})

    @when(c)
    def crossed(c):
        v = c.value
        assert v["t"] is v["same"][0]
        return v["t"].number, v["t"]
    number, back = crossed.result(60)
    assert number == 11
    assert back.number == 12
    assert c.result(60)["same"][0].number == 12

    @when(read(c))
    def look(c):
        return c.value["t"].number, t.number
    assert look.result(60) == (12, 11)
    notice_write("t", t)
    notice_sync(60)
    assert notice_read("t").number == 11
    send("t", [t])
    assert receive("t", 60)[1][0].number == 11


def test_what_dies_on_the_way_is_released_at_home():
    before = debug.live()["encoded_values"]
    for _ in range(50):
        @when()
        def make():
            from registered import Token
            return [Token(1), Token(2)]
        c = Cown(token(3))
        del c
    boc.quiesce(timeout=60)
    del make
    gc.collect()
    boc.wait()
    assert debug.live()["encoded_values"] <= before


def test_queues_and_channels_of_interpreters():
    if sys.version_info >= (3, 14):
        from concurrent import interpreters
        queue = interpreters.create_queue()
    elif sys.version_info >= (3, 13):
        interpreters = pytest.importorskip("test.support.interpreters.queues")
        queue = interpreters.create()
    else:
        channels = pytest.importorskip("_xxinterpchannels")
        made = channels.create()
        c = Cown([made])

        @when(c)
        def speak(c):
            import _xxinterpchannels
            _xxinterpchannels.send(c.value[0], b"through")
        speak.result(60)
        assert channels.recv(made) == b"through"
        channels.destroy(made)
        return
    c, options = Cown([queue]), {} if sys.version_info >= (3, 14) else {"syncobj": False}

    @when(c)
    def put(c):
        c.value[0].put("through", **options)
    put.result(60)
    assert queue.get() == "through"

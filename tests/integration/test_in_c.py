"""A body in C code that does not return: main and the other workers go on, with and without a GIL.

A free-threaded CPython stops every thread of the process for an import of an extension module, for a fork and for a new
interpreter, and waits for one that is in C.
"""

from __future__ import annotations

from programs import run

STUCK = """
boc.start(workers=1)
r, w = os.pipe()
@when(Cown(0))
def stuck(c):
    import re
    os.write(w, b'.')
    re.match("(a+)+$", "a" * 60 + "b")
os.read(r, 1)
time.sleep(0.1)  # until it is inside: what is inside gives no sign
"""


def test_main_imports_extension_modules() -> None:
    done = run(STUCK + "import _decimal, _bz2, _lzma, _sqlite3, _elementtree; print('imported')").clean()
    assert "imported" in done.out


def test_main_forks() -> None:
    done = run(STUCK + """
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        os._exit(5)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
print("forked")
""", "-W", "ignore").clean()
    assert "forked" in done.out


def test_another_worker_begins_works_and_makes_threads() -> None:
    done = run(STUCK.replace("workers=1", "workers=2") + """
for i in range(20):
    @when(Cown(i))
    def other(c):
        import _csv, _json
        threads = [threading.Thread(target=abs, args=(1,)) for _ in range(3)]
        for t in threads: t.start()
        for t in threads: t.join()
        return c.value
    assert other.result(20) == i
print("done")
""").clean()
    assert "done" in done.out


def test_a_body_that_comes_back_goes_on() -> None:
    """Out of the list of interpreters for a while and back in it, again and again, with threads of its own."""
    done = run("""
        boc.start(workers=1)
        r, w = os.pipe()
        c = Cown(0)
        def body(c):
            os.write(w, b'.')
            pow(7, 400_000)
            t = threading.Thread(target=pow, args=(3, 1000))
            t.start(); t.join()
            c.value += 1
        names = iter("_decimal _bz2 _lzma _sqlite3 _elementtree _csv _ctypes _hashlib _ssl _uuid".split())
        for i in range(20):
            when(c)(body)
            os.read(r, 1)
            if i % 2:
                __import__(next(names))
        print("bodies", c.result(30))
    """, timeout=60).clean()
    assert "bodies 20" in done.out

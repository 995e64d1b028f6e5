"""Threads of the main program that schedule callables at once, also without a GIL."""

from __future__ import annotations

from programs import run


def test_threads_schedule_callables_while_what_is_known_of_them_is_forgotten():
    done = run("""
        import functools
        from boc import _core

        def adds(c, n=0): c.value += n

        class Adds:
            def __init__(self, n): self.n = n
            def __call__(self, c): c.value += self.n
            def more(self, c): c.value += self.n

        boc.start(1)
        wrong = []

        def schedules(k):
            for i in range(40):
                c = Cown(0)
                for f in functools.partial(adds, n=i), Adds(1), Adds(2).more:
                    boc.whencall(f, [c])
                if i % 5 == k:
                    _core._forget_definitions()
                if c.result() != i + 3:
                    wrong.append((k, i, c.result()))

        threads = [threading.Thread(target=schedules, args=(k,)) for k in range(4)]
        for t in threads: t.start()
        for t in threads: t.join()
        boc.wait()
        print(wrong)
    """, timeout=100).clean()
    assert done.out.splitlines() == ["begun", "[]"]

#!/usr/bin/env python3
"""Prove that the tests bite: break the core on purpose, one line at a time, and see who notices.

Usage: mutants.py [--seeds N] [NAME ...]

Each mutant replaces one place in one file of a copy of the core. Most must fail in the systematic build within
N seeds (100) of the scenario that is named; what only a weaker memory than x86's shows must be reported by TSan.
Prints a table and exits 1 if any mutant survived.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORE = HERE.parent.parent / "ext" / "core"
CC = os.environ.get("CC", "gcc")


@dataclass(frozen=True)
class Mutant:
    """One broken line: what was there, what stands there now, and who should find it."""

    name: str
    file: str
    old: str
    new: str
    where: str  # a scenario of the systematic build, or a test program that runs under TSan


MUTANTS = [
    Mutant("no wait for the predecessor's phase 2", "queue.c",
           "boc__spin_until((s = boc__load_acq(&pred->state)) & MARKED);", "s = boc__load_acq(&pred->state);", "queue"),
    Mutant("marked before phase 2 is over", "schedule.c",
           "bool writes = splice(t, r, r, &pred);", "bool writes = splice(t, r, r, &pred); boc__queue_mark(r);", "queue"),
    Mutant("no guard against an early start", "schedule.c",
           "boc__store_rlx(&b->count, (int32_t)n + 1);", "boc__store_rlx(&b->count, (int32_t)n);", "queue"),
    Mutant("no wait for the successor's link", "queue.c",
           "boc__spin_until(next_of(s = boc__load_acq(&r->state)) != NULL);",
           "if (next_of(s = boc__load_acq(&r->state)) == NULL) return false;", "queue"),
    Mutant("double grant", "ready.c",
           "bool last = boc__load_acq(&b->count) == 1;", "bool last = boc__load_acq(&b->count) <= 2;", "queue"),
    Mutant("duplicates not merged", "schedule.c",
           "if (b->req[i].cown != b->req[k].cown) {", "if (true) {", "queue"),
    Mutant("lost reader count in a cascade", "queue.c",
           "boc__add(&c->readers, 2); /* before n may leave */", "", "readers"),
    Mutant("lost reader count in a join", "queue.c",
           "boc__add(&c->readers, 2); /* before pred may leave: it waits for NEXT_R */", "", "readers"),
    Mutant("a writer does not wait for readers that left the queue", "queue.c",
           "if (boc__load_acq(&c->readers) == 0) { /* sees all that the last reader did */", "if (true) {", "leaving"),
    Mutant("the last reader wakes no writer", "queue.c",
           "if (left == 1) {", "if (left == 1 && !linked) {", "readers"),
    Mutant("a reader links itself without a look at the grant", "queue.c",
           "if (boc__cas(&pred->state, &s, s | link_to(first))) {",
           "boc__store_rel(&pred->state, s | link_to(first)); {", "readers"),
    Mutant("a batch is marked piece by piece", "schedule.c",
           "bool writes = splice(t, p[i].r, p[j - 1].r, &pred);",
           "bool writes = splice(t, p[i].r, p[j - 1].r, &pred); boc__queue_mark(p[j - 1].r);", "batches"),
    Mutant("sleeps without a second look", "park.c",
           "bool seen = work_somewhere(w);", "bool seen = false;", "parking"),
    Mutant("woken for one thing it forgets the other", "park.c",
           "if (seen && !w->searching) {", "if (false) {", "drowsy"),
    Mutant("no fence between a put and the look for sleepers", "ready.c",
           "boc__fence(); /* the put before the look for sleepers; the other half is in boc__park */", "", "meeting"),
    Mutant("a worker says what it runs only once it has claimed it", "worker.c",
           "boc__store_rel(&w->run_id, b->id);\n    return start;", "return start;", "cancel_race"),
    Mutant("the last searcher wakes nobody in its place", "worker.c",
           "(last || boc__rt.nnarrow != 0)", "(boc__rt.nnarrow != 0)", "meeting"),
    Mutant("nobody looks after a young body", "ready.c",
           "!boc__porter_arm(w)) { /* it looks whether a long body keeps w from it */", "false) {", "meeting"),
    Mutant("nobody looks whether a brisk worker's body is long", "ready.c",
           "!(keeps_up(w) && boc__porter_arm(w))", "!keeps_up(w)", "meeting"),
    Mutant("the porter does not look at what any worker may run", "fetch.c",
           "!(boc__lane_empty(&w->lane[BOC__FREE]) && boc__lane_empty(&w->lane[BOC__BOUND]))",
           "!boc__lane_empty(&w->lane[BOC__BOUND])", "meeting"),
    Mutant("two take the same from a ring", "lane.c",
           "if (boc__cas(&l->head, &head, head + 1)) {", "boc__store_rel(&l->head, head + 1); {", "parking"),
    Mutant("quiescence: scheduled summed before finished", "quiesce.c",
           """        out->finished += boc__load_acq(&t->finished);
    }
    for (boc__thread_t *t = all; t != NULL; t = t->all) {
        out->started += boc__load_acq(&t->started);
    }
""", """        out->scheduled += boc__load_acq(&t->scheduled);
    }
    for (boc__thread_t *t = boc__thread_all(); t != NULL; t = t->all) {
        out->finished += boc__load_acq(&t->finished);
    }
    if (true) {
        return;
    }
""", "parking"),
    Mutant("an event forgets who sleeps", "quiesce.c",
           "uint32_t was = boc__swap(&e->word, SET);",
           "uint32_t was = boc__load_acq(&e->word); boc__store_rel(&e->word, SET);", "parking"),
    Mutant("nobody looks for waiters when idle", "quiesce.c",
           "boc__fence(); /* counts before the look for waiters */", "return;", "parking"),
    Mutant("pinned work wakes no wait", "pinned.c",
           "    boc__pulse();\n", "", "pinned"),
    Mutant("fetch: counted after it is posted", "ready.c",
           "boc__add(&b->count, 1); /* before the post: it may be served at once */", "", "homes"),
    Mutant("fetch: lost between server and poster", "fetch.c",
           "boc__swap(&w->serving, 0); /* a full fence: now look again */", "boc__swap(&w->serving, 0); break;", "fetches"),
    Mutant("fetch: the porter rests without a second look", "fetch.c",
           "if (anything(w)) {", "if (false) {", "meeting"),
    Mutant("a reader gets the live value", "ready.c",
           "if (r->mode == BOC_WRITE && home == b->target) {", "if (home == b->target) {", "homes"),
    Mutant("turns are taken out of order", "turn.c",
           "for (uint32_t i = from; i < b->nreq; i++) {", "for (uint32_t i = b->nreq; i-- > from;) {", "turns"),
    Mutant("a turn is not passed on", "ready.c",
           "    if (next != NULL && boc__turns_take(", "    if (next != NULL && next->index != 1 && boc__turns_take(", "turns"),
    Mutant("a thief keeps the old target", "ready.c",
           "b->target = (uint16_t)(t->worker->index + 1);", "", "homes"),
    Mutant("what was cancelled in a thief's hands stays there", "worker.c",
           "boc__drain(t); /* it may have been cancelled meanwhile */", "", "robbed"),
    Mutant("cancel and start both win", "behavior.c",
           "return boc__cas(&b->state, &pending, BOC_ST_RUNNING);",
           "boc__store_rel(&b->state, BOC_ST_RUNNING); return true;", "cancel_race"),
    Mutant("begins as if nobody could cancel it", "behavior.c",
           "if (cancellable(b)) {", "if (false) {", "cancel_race"),
    Mutant("begins without a look at who cancelled it and left", "behavior.c",
           "if (boc__unlikely(boc__load_rlx(&b->state) != BOC_ST_PENDING)) {", "if (false) {", "cancel_race"),
    Mutant("a thief takes what it may not run", "worker.c",
           "        if (boc__may_take(w, i)) {", "        if (true) {", "kinds"),
    Mutant("the pending slot takes what its worker may not run", "ready.c",
           "(BOC_B_NATIVE | BOC_B_PINNED | BOC_B_NARROW)", "(BOC_B_NATIVE | BOC_B_PINNED)", "kinds"),
    Mutant("live values call their home, whatever its kind", "ready.c",
           "(boc__worker(home - 1u)->host->kind & b->kinds) &&", "true &&", "kinds"),
    Mutant("a worker sleeps over what only its kind may run", "park.c",
           "if (boc__may_take(w, k) && !boc__lane_empty(boc__lane(v, k))) {", "if (false) {", "kinds_meet"),
    Mutant("nobody of its kind is woken for narrow work", "ready.c",
           "    boc__wake_kinds(kinds);\n", "", "kinds_meet"),
    Mutant("a lent cown has no reference in an empty queue", "queue.c",
           "boc_cown_retain(c); /* Q6", "/* Q6", "queue"),
    Mutant("a lent cown's reference is dropped and handed on", "queue.c",
           "bool passed = w->lent;", "bool passed = false;", "queue"),
    Mutant("a lent reader has no reference", "schedule.c",
           "if (r->lent && r->mode == BOC_READ) {", "if (false) {", "readers"),
    Mutant("stop asks without a barrier", "runtime.c",
           "    boc__os_barrier();\n", "", "stuck"),
    Mutant("schedule looks at the state before the epoch", "schedule.c",
           """    b->epoch = (uint16_t)boc__load_acq(&boc__rt.epoch);
    if (boc__unlikely(boc__load_acq(&boc__rt.state) != BOC__RUNNING)) {
        return BOC_ESTATE;
    }
""", """    if (boc__unlikely(boc__load_acq(&boc__rt.state) != BOC__RUNNING)) {
        return BOC_ESTATE;
    }
    b->epoch = (uint16_t)boc__load_acq(&boc__rt.epoch);
""", "stops"),
    Mutant("no look at the state after a push from outside", "ready.c",
           "if (boc__unlikely(boc__load_seq(&boc__rt.state) == BOC__STOPPED)) {", "if (false) {", "stops"),
    Mutant("a ring's tail without release", "lane.c",
           "boc__store_rel(&l->tail, tail + 1);", "boc__store_rlx(&l->tail, tail + 1);", "tsan test_stress"),
    Mutant("the last grant without acquire", "ready.c",
           "boc__load_acq(&b->count) == 1", "boc__load_rlx(&b->count) == 1", "tsan test_readers"),
]

SYSTEMATIC = ["-std=gnu11", "-O1", "-DBOC_SYSTEMATIC", "-DBOC__RING=4u", "-DBOC__TICK=4u", "-DBOC__IN_A_ROW=3u",
              "-DBOC__LONG=2u", "-DBOC__BRISK=4u", "-DBOC__FEW=2u", "-DBOC__NAP_NS=500", "-DBOC__LOOK_NS=3000", "-DBOC__YOUNG_NS=800"]
TSAN = ["-std=c11", "-O1", "-g", "-fsanitize=thread"]


def build(sources: list[Path], include: Path, flags: list[str], out: Path) -> None:
    """Compile one program from a copy of the core."""
    subprocess.run([CC, "-D_GNU_SOURCE", "-w", *flags, f"-I{include}", f"-I{HERE}", *map(str, sources), "-lpthread",
                    "-o", str(out)], check=True)


def systematic(core: Path, scenario: str, seeds: int) -> str | None:
    """Run one scenario; the finding, or None."""
    program = core / "systematic"
    sources = [p for p in core.glob("*.c") if p.name != "platform.c"]
    build(sources + [HERE / n for n in ("fixture.c", "sys.c", "sys_scenarios.c")], core, SYSTEMATIC, program)
    run = subprocess.run([program, "--only", scenario, "--seeds", str(seeds)], capture_output=True, text=True)
    if run.returncode == 0:
        return None
    found = re.search(r"seed (\d+) failed: +(?:\d+ \S+(?: \d+)? +)?(.*)", run.stdout)
    if found is None:
        return f"{scenario}: ended by its time limit"
    return f"{scenario}, seed {found[1]}: {found[2][:70]}"


def threads(core: Path, test: str) -> str | None:
    """Run a test program under TSan, a few times; the finding, or None."""
    program = core / test
    build([*sorted(core.glob("*.c")), HERE / "fixture.c", HERE / f"{test}.c"], core, TSAN, program)
    for _ in range(5):
        run = subprocess.run([program], capture_output=True, text=True, timeout=120)
        found = re.search(r"SUMMARY: ThreadSanitizer: (.*)", run.stderr)
        if found is not None:
            return f"tsan, {test}: {re.sub(r'/[^ ]*/', '', found[1])[:60]}"
        if run.returncode != 0:
            return f"tsan, {test}: failed"
    return None


def check(mutant: Mutant, seeds: int) -> str | None:
    """Break a copy and look for the finding."""
    with tempfile.TemporaryDirectory() as folder:
        core = Path(folder) / "core"
        shutil.copytree(CORE, core)
        text = (core / mutant.file).read_text()
        if mutant.old not in text:
            return None  # tests/house/test_proof.py says so too
        (core / mutant.file).write_text(text.replace(mutant.old, mutant.new, 1))
        if mutant.where.startswith("tsan "):
            return threads(core, mutant.where.split()[1])
        return systematic(core, mutant.where, seeds)


def main() -> int:
    """Check all mutants, or those whose name contains one of the arguments."""
    names = sys.argv[1:]
    seeds = 100
    if "--seeds" in names:
        i = names.index("--seeds")
        seeds = int(names[i + 1])
        del names[i : i + 2]
    survived = 0
    for mutant in MUTANTS:
        if names and not any(n in mutant.name for n in names):
            continue
        finding = check(mutant, seeds)
        survived += finding is None
        print(f"{mutant.file:12} {mutant.name:55} {finding or 'SURVIVED'}", flush=True)
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())

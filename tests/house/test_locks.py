"""Every lock of the process is made anew in the child of a fork: whoever held it is not there."""

from __future__ import annotations

import re

from rules import files, name

LOCK = re.compile(r"static boc__lock_t (\w+);|pthread_(?:mutex|cond)_t (\w+) = PTHREAD_\w+_INITIALIZER")
FIELD = re.compile(r"^}? ?(?:\w+ )?(\w+) = \{(.*PTHREAD_\w+_INITIALIZER.*)\};", re.MULTILINE)


def test_locks_are_made_anew_in_a_child():
    seen = 0
    for path in files("ext/**/*.c"):
        text = path.read_text()
        locks = [next(filter(None, m.groups())) for m in LOCK.finditer(text)]
        for owner, fields in FIELD.findall(text):
            locks += [f"{owner}.{field}" for field in re.findall(r"\.(\w+) = PTHREAD_", fields)]
        assert len(locks) == len(re.findall(r"PTHREAD_\w+_INITIALIZER|static boc__lock_t", text)), name(path)
        for lock in locks:
            seen += 1
            anew = rf"(?:boc__store_rlx\(&{re.escape(lock)}\.word, 0|pthread_(?:mutex|cond)_init\(&{re.escape(lock)}, NULL)"
            assert re.search(anew, text), f"{name(path)}: '{lock}' is not made anew after a fork"
    assert seen > 20

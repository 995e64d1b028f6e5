#!/bin/sh
# Searches every schedule of every program of three behaviors over two cowns, then of those with readers that take
# turns; prints how many states there are. Needs spin and a C compiler. Arguments of -DNAME... go to spin (see queue.pml).
set -e
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for turns in "" -DTURNS; do
    spin -a $turns "$@" "$here/queue.pml"
    ${CC:-cc} -O2 -DSAFETY -DCOLLAPSE -DMEMLIM=4096 -w -o pan pan.c
    ./pan -m100000 >out 2>&1 || true
    grep -E 'errors:|states, stored|invalid end state|assertion violated|max search depth|elapsed time' out || cat out
    grep -q 'errors: 0' out
done

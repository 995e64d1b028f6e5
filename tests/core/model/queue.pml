/* The reader/writer queue of ext/core/queue.c, the two phases of schedule.c and the turns of turn.c, for spin.
 *
 * Three behaviors, two cowns. Which behavior wants which cown, and whether to read, is chosen by spin among all
 * possibilities, so one search covers every program of this size. Each process schedules one behavior, runs it
 * when its count is zero, and releases it. Requests are numbered b * C + c + 1; 0 is none.
 *
 * A cown may hold what only one reader can have at a time: a value that is lent, of a type without a copy. Its readers are
 * granted together, as ever; once a behavior has all its grants it takes the turns of such cowns, in the order of
 * their ids, and may have to wait for each. With -DTURNS every cown with several readers is of that kind, and only programs
 * that have such a cown are searched; without it none is. Both cowns share one line, as those do whose ids meet in one list of turn.c. Buffers of bytes that readers share need no
 * turns: each reader refers to them, and nobody writes there.
 *
 * Checked: a writer is alone, readers only among readers, and one at a time where they take turns; counts never fall below
 * zero; every behavior runs (no deadlock: an end state with a behavior left is invalid); at the end queues and the line are
 * empty and no reader counted.
 */
#define B 3
#define C 2
#define R (B * C + 1)

#define NONE 0
#define WRITE 1
#define READ 2

byte mode[R];         /* of each request: NONE if the behavior does not want that cown */
byte tail[C], readers[C], waiting[C];  /* readers: 2 x active + a writer waits */
bool marked[R], let_in[R], next_r[R];  /* the state word of a request ... */
byte next[R];                          /* ... whose parts change together */
short count[B];
bool alone[C];                         /* readers take turns */
byte line[R], in_line;                 /* of the readers that have or wait for turns; as a list under its lock */
byte turn[C];                          /* the first of each cown in line */
byte inside_w[C], inside_r[C];
byte ended;

#define REQ(b, c) ((b) * C + (c) + 1)
#define BEHAVIOR(r) (((r) - 1) / C)
#define READERS(c) ((mode[REQ(0, c)] == READ) + (mode[REQ(1, c)] == READ) + (mode[REQ(2, c)] == READ))
#define PROGRAM(b) (mode[REQ(b, 0)] * 3 + mode[REQ(b, 1)])

inline grant(r) {
    d_step {
        assert(count[BEHAVIOR(r)] > 0);
        count[BEHAVIOR(r)]--
    }
}

/* Readers: lets r in, and those that wait behind it. Each step of the loop is one exchange on a state word. */
inline open(r0, c) {
    n = r0;
    do
    :: d_step { n != 0 -> let_in[n] = true; m = (next_r[n] -> next[n] : 0) }
        if
        :: m != 0 -> readers[c] = readers[c] + 2
        :: else
        fi;
        d_step {
            assert(count[BEHAVIOR(n)] > 0);
            count[BEHAVIOR(n)]--;
            n = m;
            m = 0
        }
    :: else -> break
    od
}

inline enter(r, c) {
    d_step { pred = tail[c]; tail[c] = r }
    if
    :: pred == 0 && mode[r] == READ ->
        readers[c] = readers[c] + 2;
        open(r, c)
    :: pred == 0 && mode[r] == WRITE ->
        if
        :: readers[c] == 0 -> grant(r)
        :: readers[c] != 0 ->
            waiting[c] = r;
            atomic { before = readers[c]; readers[c] = readers[c] + 1 }
            if
            :: before == 0 -> readers[c] = 0; grant(r)
            :: else
            fi
        fi
    :: pred != 0 ->
        marked[pred];                    /* the wait for the predecessor's phase 2 */
        if
        :: mode[pred] == READ && mode[r] == READ ->
            /* the compare-and-swap: joins an active reader, or links behind a waiting one */
            if
            :: let_in[pred] ->
                readers[c] = readers[c] + 2;
                next_r[pred] = true;
                open(r, c)
            :: atomic { !let_in[pred] -> next[pred] = r; next_r[pred] = true }
            fi
        :: else ->
            atomic { next[pred] = r; next_r[pred] = (mode[r] == READ) }
        fi
    fi;
    pred = 0;
    before = 0
}

inline leave(r, c) {
    if
    :: mode[r] == WRITE ->
        if
        :: next[r] == 0 ->
            atomic {
                if
                :: tail[c] == r -> tail[c] = 0; done = true
                :: else
                fi
            }
        :: else
        fi;
        if
        :: done
        :: else ->
            next[r] != 0;                /* a successor is between its exchange and its link */
            if
            :: next_r[r] -> readers[c] = 2; open(next[r], c)
            :: else -> grant(next[r])
            fi
        fi
    :: mode[r] == READ ->
        if
        :: next[r] == 0 && !next_r[r] ->
            atomic {
                if
                :: tail[c] == r -> tail[c] = 0; done = true
                :: else
                fi
            }
        :: else
        fi;
        if
        :: done
        :: else -> (next[r] != 0 || next_r[r])
        fi;
        if
        :: !done && !next_r[r] ->
            waiting[c] = next[r];
            atomic { readers[c] = readers[c] - 1; before = readers[c] }
        :: else ->
            atomic { readers[c] = readers[c] - 2; before = readers[c] }
        fi;
        if
        :: before == 1 -> readers[c] = 0; grant(waiting[c])
        :: else
        fi
    fi;
    done = false;
    before = 0
}

/* turn.c. Under the lock of the list; a request that is not the first of its cown goes on when it is. */
inline take_turn(r, c) {
    if
    :: mode[r] == READ && alone[c] ->
        d_step {
            line[in_line] = r;
            in_line++;
            if
            :: turn[c] == 0 -> turn[c] = r
            :: else
            fi
        }
        turn[c] == r
    :: else
    fi
}

inline pass_turn(r, c) {
    if
    :: mode[r] == READ && alone[c] ->
        d_step {
            assert(turn[c] == r);
            turn[c] = 0;
            k = 0;
            do
            :: line[k] != r -> k++
            :: else -> break
            od;
            in_line--;
            do
            :: k < in_line ->
                line[k] = line[k + 1];
                if
                :: turn[c] == 0 && (line[k] - 1) % C == c -> turn[c] = line[k]
                :: else
                fi;
                k++
            :: else -> break
            od;
            line[in_line] = 0;
            k = 0
        }
    :: else
    fi
}

proctype behavior(byte b) {
    byte pred, n, m, before, k;
    bool done;
    /* phase 2, in the order of the cowns */
    if
    :: mode[REQ(b, 0)] != NONE -> enter(REQ(b, 0), 0)
    :: else
    fi;
    if
    :: mode[REQ(b, 1)] != NONE -> enter(REQ(b, 1), 1)
    :: else
    fi;
    /* the marks */
    marked[REQ(b, 0)] = true;
    marked[REQ(b, 1)] = true;
    /* the guard */
    d_step { assert(count[b] > 0); count[b]-- }
    count[b] == 0;
#ifdef TURNS
    take_turn(REQ(b, 0), 0);
    take_turn(REQ(b, 1), 1);
#endif
    /* the body: with everything it asked for, and in the right company */
    atomic {
        do
        :: k < C ->
            if
            :: mode[REQ(b, k)] == WRITE -> inside_w[k]++; assert(inside_w[k] == 1 && inside_r[k] == 0)
            :: mode[REQ(b, k)] == READ ->
                inside_r[k]++;
                assert(inside_w[k] == 0 && (inside_r[k] == 1 || !alone[k]))
            :: else
            fi;
            k++
        :: else -> break
        od;
        k = 0
    }
    atomic {
        do
        :: k < C ->
            if
            :: mode[REQ(b, k)] == WRITE -> inside_w[k]--
            :: mode[REQ(b, k)] == READ -> inside_r[k]--
            :: else
            fi;
            k++
        :: else -> break
        od;
        k = 0
    }
#ifdef TURNS
    pass_turn(REQ(b, 0), 0);
#endif
    if
    :: mode[REQ(b, 0)] != NONE -> leave(REQ(b, 0), 0)
    :: else
    fi;
#ifdef TURNS
    pass_turn(REQ(b, 1), 1);
#endif
    if
    :: mode[REQ(b, 1)] != NONE -> leave(REQ(b, 1), 1)
    :: else
    fi;
    ended++
}

init {
    byte i = 1;
    atomic {
        do
        :: i < R ->
            if
            :: mode[i] = NONE
            :: mode[i] = WRITE; count[BEHAVIOR(i)]++
            :: mode[i] = READ; count[BEHAVIOR(i)]++
            fi;
            i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < B -> count[i]++; i++       /* the guard */
        :: else -> break
        od;
        /* each wants something; and behaviors are alike, so of each set of programs that differ in their order
           alone one is enough */
        if
        :: PROGRAM(0) > 0 && PROGRAM(0) <= PROGRAM(1) && PROGRAM(1) <= PROGRAM(2)
        :: else -> goto not_this_one
        fi;
        i = 0;
#ifdef TURNS
        alone[0] = (READERS(0) > 1);
        alone[1] = (READERS(1) > 1);
        if
        :: alone[0] || alone[1]
        :: else -> goto not_this_one
        fi;
#endif
        run behavior(0);
        run behavior(1);
        run behavior(2)
    }
    ended == B;
    assert(tail[0] == 0 && tail[1] == 0);
    assert(readers[0] == 0 && readers[1] == 0);
    assert(in_line == 0 && turn[0] == 0 && turn[1] == 0);
not_this_one:
    skip
}

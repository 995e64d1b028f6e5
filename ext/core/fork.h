/* What each file sets right in the child of a fork. No lock is taken: the other threads are gone, also those that
 * held one. Called by runtime.c alone, in an order that it states; each file includes it to keep its promise. */
#ifndef BOC_FORK_H
#define BOC_FORK_H

void boc__thread_fork_child(void);
void boc__ready_fork_child(void);
void boc__pinned_fork_child(void);
void boc__waits_fork_child(void);
void boc__gate_fork_child(void);
void boc__turns_fork_child(void);
void boc__names_fork_child(void);
void boc__trace_fork_child(void);
void boc__tally_fork_child(void);
void boc__clock_fork_child(void);

#endif

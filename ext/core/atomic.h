/* Atomics by name: each name states the order, and is a point where the systematic build may switch.
 *
 * Plain build: C11 atomics, nothing else. With BOC_SYSTEMATIC every operation that another thread can
 * notice first gives the seeded scheduler of tests/core/sys.c a chance to run somebody else, and stores
 * go through its store buffer, so that a missing fence shows. Relaxed loads are no such points: the code
 * uses them only for values of its own or as hints that are looked at again.
 */
#ifndef BOC_ATOMIC_H
#define BOC_ATOMIC_H

#include <stdatomic.h>
#include <stdint.h>

#define boc__likely(x) __builtin_expect(!!(x), 1)
#define boc__unlikely(x) __builtin_expect(!!(x), 0)

/* Asks for the line at p, to write there soon. No access: nothing happens if there is no such line. */
#define boc__prefetch(p) __builtin_prefetch((p), 1)

/* The longer ways of hot functions, kept apart from them: inside they would cost the short way registers. And one text
   for two ways that differ in a constant. */
#define boc__apart __attribute__((noinline))
#define boc__within inline __attribute__((always_inline))

#if defined(__SANITIZE_THREAD__)
#define BOC__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BOC__TSAN 1
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#define BOC__ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BOC__ASAN 1
#endif
#endif

/* Order for the compiler alone: the other side brings a barrier for both (boc__os_barrier). */
#define boc__compiler_fence() atomic_signal_fence(memory_order_seq_cst)

#ifdef BOC_SYSTEMATIC
#include "sys_hooks.h"
#else

#define boc__load_rlx(p) atomic_load_explicit((p), memory_order_relaxed)
#define boc__load_acq(p) atomic_load_explicit((p), memory_order_acquire)
#define boc__load_seq(p) atomic_load_explicit((p), memory_order_seq_cst)
#define boc__store_rlx(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define boc__store_rel(p, v) atomic_store_explicit((p), (v), memory_order_release)
#define boc__swap(p, v) atomic_exchange_explicit((p), (v), memory_order_seq_cst)
#define boc__add(p, v) atomic_fetch_add_explicit((p), (v), memory_order_seq_cst)
#define boc__sub(p, v) atomic_fetch_sub_explicit((p), (v), memory_order_seq_cst)
#define boc__or(p, v) atomic_fetch_or_explicit((p), (v), memory_order_seq_cst)
#define boc__and(p, v) atomic_fetch_and_explicit((p), (v), memory_order_seq_cst)
#define boc__cas(p, e, v) \
    atomic_compare_exchange_strong_explicit((p), (e), (v), memory_order_seq_cst, memory_order_acquire)
/* A counter that nobody orders anything by (statistics, references taken). */
#define boc__add_rlx(p, v) atomic_fetch_add_explicit((p), (v), memory_order_relaxed)

#ifdef BOC__TSAN
/* TSan knows no fences: an access of both orders to a word of this thread's own stands for one. */
#define boc__fence() ((void)atomic_fetch_add_explicit(&boc__fence_word, 0, memory_order_seq_cst))
#define boc__fence_acq() ((void)atomic_load_explicit(&boc__fence_word, memory_order_acquire))
#define boc__fence_rel() ((void)atomic_store_explicit(&boc__fence_word, 0, memory_order_release))
extern _Thread_local _Atomic uint32_t boc__fence_word;
#else
#define boc__fence() atomic_thread_fence(memory_order_seq_cst)
#define boc__fence_acq() atomic_thread_fence(memory_order_acquire)
#define boc__fence_rel() atomic_thread_fence(memory_order_release)
#endif

/* What must hold here; looked at by the systematic build alone. */
#define boc__check(cond) ((void)0)

/* Wait for another thread that is in the middle of a few instructions; it may have been preempted. */
void boc__spin_slow(uint32_t *turns);
#define boc__spin_until(cond)            \
    do {                                 \
        uint32_t turns_ = 0;             \
        while (!(cond)) {                \
            boc__spin_slow(&turns_);     \
        }                                \
    } while (0)

#endif
#endif

/* The atomics of the systematic build (see sys.c): each is a point where another thread may go on, and stores
 * pass through the thread's store buffer, as on x86: others see them late, in order, or at the next fence. */
#ifndef SYS_HOOKS_H
#define SYS_HOOKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void boc__sys_point(const char *file, int line);
void boc__sys_own(const void *p, void *value, size_t size);    /* *value, or what this thread has yet to store there */
bool boc__sys_delay(void *p, const void *value, size_t size);  /* true: the store is in the buffer */
void boc__sys_fence(void);                                     /* empties this thread's buffer */
void boc__sys_changed(void);                                   /* memory changed: spinning threads may look again */
void boc__sys_spin(void);
void boc__sys_check(bool ok, const char *what, const char *file, int line);
void boc__sys_event(unsigned kind, uint64_t subject, uint64_t other, uint32_t seq, unsigned flags);
void *boc__sys_tls(void);
void boc__sys_tls_set(void *t);
void *boc__sys_alloc(size_t size);
void boc__sys_freed(void *p, size_t size);
int64_t boc__ticks(void);
extern bool boc__tsc;

#define BOC__HERE() boc__sys_point(__FILE__, __LINE__)
#define BOC__VALUE(p) __typeof__(atomic_load_explicit((p), memory_order_relaxed))

#define BOC__SYS_LOAD(p)                                                         \
    ({                                                                           \
        BOC__VALUE(p) v_ = atomic_load_explicit((p), memory_order_relaxed);      \
        boc__sys_own((const void *)(uintptr_t)(p), &v_, sizeof v_);              \
        v_;                                                                      \
    })
#define BOC__SYS_STORE(p, v)                                                     \
    ({                                                                           \
        BOC__VALUE(p) v_ = (v);                                                  \
        if (!boc__sys_delay((void *)(uintptr_t)(p), &v_, sizeof v_)) {           \
            atomic_store_explicit((p), v_, memory_order_relaxed);                \
            boc__sys_changed();                                                  \
        }                                                                        \
    })
#define BOC__SYS_RMW(op)                                                         \
    ({                                                                           \
        BOC__HERE();                                                             \
        boc__sys_fence();                                                        \
        __typeof__(op) r_ = (op);                                                \
        boc__sys_changed();                                                      \
        r_;                                                                      \
    })

#define boc__load_rlx(p) BOC__SYS_LOAD(p)
#define boc__load_acq(p) (BOC__HERE(), BOC__SYS_LOAD(p))
#define boc__load_seq(p) boc__load_acq(p)
#define boc__store_rlx(p, v) BOC__SYS_STORE(p, v)
#define boc__store_rel(p, v) (BOC__HERE(), BOC__SYS_STORE(p, v))
#define boc__swap(p, v) BOC__SYS_RMW(atomic_exchange((p), (v)))
#define boc__add(p, v) BOC__SYS_RMW(atomic_fetch_add((p), (v)))
#define boc__sub(p, v) BOC__SYS_RMW(atomic_fetch_sub((p), (v)))
#define boc__or(p, v) BOC__SYS_RMW(atomic_fetch_or((p), (v)))
#define boc__and(p, v) BOC__SYS_RMW(atomic_fetch_and((p), (v)))
#define boc__cas(p, e, v) BOC__SYS_RMW(atomic_compare_exchange_strong((p), (e), (v)))
#define boc__add_rlx(p, v) BOC__SYS_RMW(atomic_fetch_add((p), (v)))
#define boc__fence() (BOC__HERE(), boc__sys_fence())
#define boc__fence_acq() ((void)0)
#define boc__fence_rel() ((void)0)
#define boc__spin_until(cond)                                                    \
    do {                                                                         \
        while (!(cond)) {                                                        \
            boc__sys_spin();                                                     \
        }                                                                        \
    } while (0)
#define boc__check(cond) boc__sys_check((cond), #cond, __FILE__, __LINE__)

#endif

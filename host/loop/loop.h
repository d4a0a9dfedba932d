/* The process's one libuv loop: deferred calls, the idle hook, stopping. Owned by bind/host.c, used by client
 * and sandbox through this header and its neighbours (timer.h, stream.h, worker.h, poll.h); nobody outside
 * loop/ sees uv.h. */
#ifndef LN_LOOP_LOOP_H
#define LN_LOOP_LOOP_H

#include "base/err.h"
#include "base/slice.h"

struct ln_loop;

int ln_loop_new(struct ln_loop **out);
/* Closes what is left and frees. Not from a callback of the loop. */
void ln_loop_free(struct ln_loop *loop);
/* Entered once; returns after ln_loop_stop. */
void ln_loop_run(struct ln_loop *loop);
void ln_loop_stop(struct ln_loop *loop); /* at the end of this turn */

/* One turn: what was deferred to it, timers due, deferred calls until none is left (at most a few rounds),
 * idle hook where nothing is queued, poll for I/O. */
struct ln_deferred {
  struct ln_deferred *next;
  void (*fn)(struct ln_deferred *self); /* may free or queue itself again */
  bool queued;
};
/* Soon, in the order queued, before the loop polls for I/O. Queued already: nothing. */
void ln_loop_defer(struct ln_loop *loop, struct ln_deferred *d);
/* Not before the next turn, whoever asks: for what must not run in the turn that queued it. */
void ln_loop_defer_turn(struct ln_loop *loop, struct ln_deferred *d);
/* For d->fn while it runs, queued for the next turn already: where that turn has nothing else to do, and
 * needs no poll before it, it begins here and now, and d is in no queue. */
bool ln_loop_go_on(struct ln_loop *loop, struct ln_deferred *d);
/* Counts the times at which the time is taken anew: each turn, and before it polls. */
uint64_t ln_loop_turn(const struct ln_loop *loop);
void ln_loop_undefer(struct ln_loop *loop, struct ln_deferred *d);

/* Called before the loop would block, each time nothing is deferred. True: something was made ready, do not
 * block. */
void ln_loop_set_idle(struct ln_loop *loop, bool (*fn)(void *ctx), void *ctx);

/* Work outside of the loop (thread pool, store commits, a child process): virtual clocks hold still while the
 * count is above 0. */
void ln_loop_hold(struct ln_loop *loop);
void ln_loop_release(struct ln_loop *loop);
int ln_loop_held(const struct ln_loop *loop);

/* From any thread: run fn on the loop's thread, soon. The waker lives until closed. */
struct ln_waker;
int ln_waker_open(struct ln_loop *loop, void (*fn)(void *ctx), void *ctx, struct ln_waker **out);
void ln_waker_wake(struct ln_waker *w);  /* any thread, several may fold into one call */
void ln_waker_close(struct ln_waker *w); /* loop's thread */

/* Signals: fn runs on the loop. One watcher a call; several may watch one number. */
struct ln_signal;
int ln_signal_open(struct ln_loop *loop, int signo, void (*fn)(void *ctx, int signo), void *ctx,
                   struct ln_signal **out);
void ln_signal_close(struct ln_signal *s);

/* The uv_loop_t, for luv alone; whether handles or requests that are not ours are active on it (ours never
 * keep it alive, but for requests under way); and their end, before the owner of their memory goes: false
 * where they did not end in time. */
void *ln_loop_handle(struct ln_loop *loop);
bool ln_loop_foreign(const struct ln_loop *loop);
bool ln_loop_end_foreign(struct ln_loop *loop);

const char *ln_loop_library(void); /* the version of libuv as it was loaded */

#endif

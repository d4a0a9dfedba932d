/* Inside loop/: the loop's own struct and what its files share. Nobody else includes it, so nobody else sees
 * uv.h. */
#ifndef LN_LOOP_INTERNAL_H
#define LN_LOOP_INTERNAL_H

#include <uv.h>

#include "loop/loop.h"
#include "loop/timer.h"

/* Anything open on a loop that ln_loop_free has to close: streams, listeners, wakers, signals, polls. */
struct ln_open {
  struct ln_open *prev, *next;
  struct ln_loop *loop;
  void (*close)(struct ln_open *self);
};
void ln_open_add(struct ln_loop *loop, struct ln_open *o, void (*close)(struct ln_open *self));
void ln_open_remove(struct ln_open *o);

struct ln_clock {
  struct ln_loop *loop;
  bool is_virtual;
  int64_t now;             /* virtual: the time; real: the loop's is used */
  int64_t wall_difference; /* virtual: unix time - now */
  struct ln_timer **heap;  /* 4-ary, by (due, order) */
  size_t n, cap;
  uint32_t order;  /* of the timer started last */
  uint32_t latest; /* while timers run: those after it wait for the next turn */
};

struct ln_deferred_queue {
  struct ln_deferred *first, **end;
};

struct ln_loop {
  uv_loop_t uv;
  uv_prepare_t prepare; /* the turn; referenced, it keeps uv_run going until ln_loop_stop */
  uv_idle_t spin;       /* active: do not block in this turn */
  uv_timer_t alarm;     /* the real clock's first timer */
  bool spinning, armed; /* these two were started */
  struct ln_clock clock;
  bool stop;
  bool stale; /* `now` has to be read anew */
  bool late;  /* the timers wait for a poll */
  int64_t now;
  int64_t polled_at; /* right before the last poll; of use while there are timers */
  uint64_t turn;
  int unpolled; /* turns since the last poll */
  int64_t unpolled_since;
  int held;
  struct ln_deferred_queue queued, batch; /* batch: those of the round under way */
  struct ln_deferred_queue next;          /* for the next turn */
  bool (*idle)(void *ctx);
  void *idle_ctx;
  struct ln_open *opened;
  struct ln_poll *polls; /* whose events have changed since the last poll */
  int n_polled;          /* polls that watch for something */
};

int64_t ln_loop_now(struct ln_loop *loop);
/* Runs the real clock's timers that are due and were started before this call. */
void ln_clock_run(struct ln_clock *c);
/* Sets what ln_poll_set asked for; right before the poll. */
void ln_poll_apply(struct ln_loop *loop);
void ln_clock_deinit(struct ln_clock *c);

/* LN_E_* for a libuv code at an operation that has no error of its own. */
int ln_uv_error(int code);

#endif

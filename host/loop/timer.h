/* Timers on a clock. A clock is a domain of time: the real one follows CLOCK_BOOTTIME and the loop, a virtual
 * one stands still until it is moved: tests jump from timer to timer. All times are µs. A heap of our own,
 * since one uv_timer a sleeper is slow and cannot be made virtual. */
#ifndef LN_LOOP_TIMER_H
#define LN_LOOP_TIMER_H

#include "base/clock.h"
#include "loop/loop.h"

struct ln_clock;

struct ln_timer {                    /* embedded in its owner; zero it before first use */
  void (*fn)(struct ln_timer *self); /* the timer is stopped when it runs; may start or free itself */
  int64_t due;
  struct ln_clock *clock;
  uint32_t order; /* of those with the same due time */
  uint32_t at;    /* place in the heap + 1; 0: not running */
};

struct ln_clock *ln_loop_clock(struct ln_loop *loop); /* the real one */
int ln_clock_new_virtual(struct ln_loop *loop, int64_t wall_us, struct ln_clock **out);
void ln_clock_free(struct ln_clock *c); /* virtual ones; timers left on it never fire */
bool ln_clock_is_virtual(const struct ln_clock *c);

int64_t ln_clock_now(const struct ln_clock *c); /* taken once a turn */
int64_t ln_clock_fresh(struct ln_clock *c);     /* asks the system anew (virtual: the same as now) */
int64_t ln_clock_wall(
    const struct ln_clock *c); /* unix time, now() as base plus a fixed difference for virtual clocks */

/* Starts or moves it. Timers due at one time run in the order in which they were started. LN_E_NOMEM. */
int ln_timer_start(struct ln_clock *c, struct ln_timer *t, int64_t due);
void ln_timer_stop(struct ln_timer *t);
static inline bool ln_timer_running(const struct ln_timer *t)
{
  return t->at != 0;
}

/* Where sleeps end that are as good as endless: a virtual clock that is moved there can still be calculated
 * with. */
#define LN_TIME_END INT64_C(4000000000000000000)

/* So many seconds (not less than 0) after now. */
static inline int64_t ln_time_after(int64_t now, double seconds)
{
  if (seconds < 1e9) return now + (int64_t)(seconds * 1e6);
  if (now >= LN_TIME_END) return now;
  return seconds * 1e6 < (double)(LN_TIME_END - now) ? now + (int64_t)(seconds * 1e6) : LN_TIME_END;
}

/* The first due time of a virtual clock, LN_NEVER where it has no timer. */
int64_t ln_clock_next(const struct ln_clock *c);
/* Moves a virtual clock to `to` (never back) and runs what is due by then, in order. */
void ln_clock_move(struct ln_clock *c, int64_t to);

#endif

/* See loop.h: the turn (timers, deferred calls, idle hook), the count of work outside, and the end of it all.
 */
#include "loop/internal.h"
#include "base/alloc.h"
#include "base/log.h"

#include <signal.h>

/* An alarm counts without the time that the machine sleeps, timers count with it: look at them this often. */
#define ALARM_MAX_MS 60000
#define END_MAX_MS 2000

/* Calls that queue calls: so many rounds in one turn, then I/O gets its turn. */
#define MAX_ROUNDS 8
/* Turns in a row without a poll, where there is more to do at once and nobody watches a descriptor: a poll
 * costs more than a short turn. */
#define MAX_UNPOLLED 64
#define UNPOLLED_US 100
/* So long after the last poll it is known no more what has come in the meantime: timers wait for a look at
 * that, or an answer that is there would be said to be too late. */
#define LATE_US (1 * LN_US_PER_S)

static void run_batch(struct ln_loop *loop)
{
  loop->batch = loop->queued;
  loop->queued.first = NULL;
  loop->queued.end = &loop->queued.first;
  while (loop->batch.first) {
    struct ln_deferred *d = loop->batch.first;
    loop->batch.first = d->next;
    d->next = NULL;
    d->queued = false;
    d->fn(d);
  }
}

static void run_deferred(struct ln_loop *loop)
{
  for (int i = 0; loop->queued.first && i < MAX_ROUNDS; i++) run_batch(loop);
}

static void run_next(struct ln_loop *loop)
{
  struct ln_deferred_queue due = loop->next;
  loop->next.first = NULL;
  loop->next.end = &loop->next.first;
  if (!due.first) return;
  *due.end = loop->queued.first; /* before what is queued already */
  if (loop->queued.first) due.end = loop->queued.end;
  loop->queued = due;
}

static void on_spin(uv_idle_t *h)
{
  (void)h;
}

static void on_alarm(uv_timer_t *h)
{
  (void)h; /* it only ends the poll: the turn runs what is due */
}

static void on_guard(uv_timer_t *h)
{
  uv_stop(h->loop);
}

static bool long_unpolled(struct ln_loop *loop)
{
  return loop->clock.n > 0 && ln_loop_now(loop) - loop->polled_at > LATE_US;
}

/* Never twice in a row: who holds up each turn keeps nobody's timer from coming. */
static bool looks_first(struct ln_loop *loop)
{
  loop->late = !loop->late && long_unpolled(loop);
  return loop->late;
}

static bool may_go_on(struct ln_loop *loop)
{
  if (loop->queued.first || loop->stop || loop->n_polled > 0 || loop->unpolled >= MAX_UNPOLLED) return false;
  if (++loop->unpolled == 1) {
    loop->unpolled_since = ln_loop_now(loop);
    return true;
  }
  return loop->unpolled % 4 != 0 || ln_loop_now(loop) - loop->unpolled_since <= UNPOLLED_US;
}

static bool timer_due(struct ln_loop *loop)
{
  int64_t due = ln_clock_next(&loop->clock);
  return due != LN_NEVER && due <= ln_loop_now(loop);
}

/* There is something for another turn at once, and nobody has to be asked for more in between. */
static bool goes_on(struct ln_loop *loop)
{
  if (!loop->next.first && (!timer_due(loop) || ln_loop_foreign(loop))) return false;
  return may_go_on(loop);
}

static void begin_turn(struct ln_loop *loop)
{
  loop->stale = true;
  loop->turn++;
}

bool ln_loop_go_on(struct ln_loop *loop, struct ln_deferred *d)
{
  if (loop->next.first != d || d->next || loop->batch.first) return false;
  loop->stale = true;
  if (timer_due(loop) || long_unpolled(loop) || !may_go_on(loop)) return false;
  begin_turn(loop);
  loop->next.first = NULL;
  loop->next.end = &loop->next.first;
  d->queued = false;
  return true;
}

static void on_turn(uv_prepare_t *h)
{
  struct ln_loop *loop = h->data;
  loop->unpolled = 0;
  do {
    begin_turn(loop);
    run_next(loop);
    run_deferred(loop);
    if (looks_first(loop)) break;
    ln_clock_run(&loop->clock);
    run_deferred(loop);
  } while (goes_on(loop));
  bool ready = loop->late || loop->queued.first || loop->next.first;
  if (!ready && !loop->stop && loop->idle)
    ready = loop->idle(loop->idle_ctx) || loop->queued.first || loop->next.first;
  ln_poll_apply(loop);
  ready = ready || loop->next.first;
  int64_t due = ln_clock_next(&loop->clock);
  if (due != LN_NEVER) {
    loop->stale = true;
    loop->polled_at = ln_loop_now(loop);
  }
  if (!ready && due != LN_NEVER) {
    int64_t left = due - loop->polled_at;
    if (left <= 0) {
      ready = true;
    } else {
      int64_t ms = left > ALARM_MAX_MS * INT64_C(1000) ? ALARM_MAX_MS : (left + 999) / 1000;
      uv_timer_start(&loop->alarm, on_alarm, (uint64_t)ms, 0);
      loop->armed = true;
    }
  } else if (due == LN_NEVER && loop->armed) {
    uv_timer_stop(&loop->alarm);
    loop->armed = false;
  }
  if (ready != loop->spinning) {
    loop->spinning = ready;
    ready ? uv_idle_start(&loop->spin, on_spin) : uv_idle_stop(&loop->spin);
  }
  if (loop->stop) uv_stop(&loop->uv);
  loop->stale = true; /* who is called by the poll reads the time after it */
  loop->turn++;
}

int ln_loop_new(struct ln_loop **out)
{
  struct ln_loop *loop = ln_calloc(1, sizeof *loop);
  if (!loop) return LN_E_NOMEM;
  int r = uv_loop_init(&loop->uv);
  if (r) {
    ln_free(loop);
    return r == UV_ENOMEM ? LN_E_NOMEM : LN_E_IO;
  }
  struct sigaction old;
  if (sigaction(SIGPIPE, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
    signal(SIGPIPE, SIG_IGN); /* libuv writes to sockets that may be closed by then */
  loop->queued.end = &loop->queued.first;
  loop->batch.end = &loop->batch.first;
  loop->next.end = &loop->next.first;
  loop->stale = true;
  loop->clock.loop = loop;
  uv_prepare_init(&loop->uv, &loop->prepare);
  uv_idle_init(&loop->uv, &loop->spin);
  uv_timer_init(&loop->uv, &loop->alarm);
  uv_unref((uv_handle_t *)&loop->spin);
  uv_unref((uv_handle_t *)&loop->alarm);
  loop->prepare.data = loop;
  uv_prepare_start(&loop->prepare, on_turn);
  *out = loop;
  return LN_OK;
}

static void close_handle(uv_handle_t *h, void *ctx)
{
  (void)ctx;
  if (!uv_is_closing(h)) uv_close(h, NULL);
}

void ln_loop_free(struct ln_loop *loop)
{
  if (!loop) return;
  loop->idle = NULL;
  while (loop->opened) {
    struct ln_open *o = loop->opened;
    void (*shut)(struct ln_open *) = o->close;
    ln_open_remove(o);
    shut(o);
  }
  uv_walk(&loop->uv, close_handle, NULL); /* our three, and what luv left */
  /* Close callbacks, and work of the pool that is still out: a name look-up may take long. */
  uv_timer_t guard;
  uv_timer_init(&loop->uv, &guard);
  uv_unref((uv_handle_t *)&guard);
  uv_timer_start(&guard, on_guard, END_MAX_MS, 0);
  uv_run(&loop->uv, UV_RUN_DEFAULT);
  uv_close((uv_handle_t *)&guard, NULL);
  uv_run(&loop->uv, UV_RUN_NOWAIT);
  if (uv_loop_close(&loop->uv)) {
    ln_log(LN_LOG_WARNING, "loop", "something is still open at the end");
    return; /* leaked: libuv may still hold parts of it */
  }
  ln_clock_deinit(&loop->clock);
  ln_free(loop);
}

void ln_loop_run(struct ln_loop *loop)
{
  loop->stop = false;
  loop->polled_at = ln_clock_mono_us();
  uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void ln_loop_stop(struct ln_loop *loop)
{
  loop->stop = true;
  uv_stop(&loop->uv); /* from a callback of the poll: no further turn */
}

int64_t ln_loop_now(struct ln_loop *loop)
{
  if (loop->stale) {
    loop->now = ln_clock_mono_us();
    loop->stale = false;
  }
  return loop->now;
}

static void queue(struct ln_deferred_queue *q, struct ln_deferred *d)
{
  if (d->queued) return;
  d->queued = true;
  d->next = NULL;
  *q->end = d;
  q->end = &d->next;
}

void ln_loop_defer(struct ln_loop *loop, struct ln_deferred *d)
{
  queue(&loop->queued, d);
}

void ln_loop_defer_turn(struct ln_loop *loop, struct ln_deferred *d)
{
  queue(&loop->next, d);
}

uint64_t ln_loop_turn(const struct ln_loop *loop)
{
  return loop->turn;
}

static bool take_out(struct ln_deferred_queue *q, struct ln_deferred *d)
{
  for (struct ln_deferred **at = &q->first; *at; at = &(*at)->next) {
    if (*at != d) continue;
    *at = d->next;
    if (!d->next) q->end = at;
    return true;
  }
  return false;
}

void ln_loop_undefer(struct ln_loop *loop, struct ln_deferred *d)
{
  if (!d->queued) return;
  if (!take_out(&loop->queued, d) && !take_out(&loop->batch, d)) take_out(&loop->next, d);
  d->queued = false;
  d->next = NULL;
}

void ln_loop_set_idle(struct ln_loop *loop, bool (*fn)(void *ctx), void *ctx)
{
  loop->idle = fn;
  loop->idle_ctx = ctx;
}

void ln_loop_hold(struct ln_loop *loop)
{
  loop->held++;
}

void ln_loop_release(struct ln_loop *loop)
{
  loop->held--;
}

int ln_loop_held(const struct ln_loop *loop)
{
  return loop->held;
}

void *ln_loop_handle(struct ln_loop *loop)
{
  return &loop->uv;
}

const char *ln_loop_library(void)
{
  return uv_version_string();
}

bool ln_loop_foreign(const struct ln_loop *loop)
{
  return loop->uv.active_handles > 1u || loop->uv.active_reqs.count > 0; /* 1: the turn's */
}

bool ln_loop_end_foreign(struct ln_loop *loop)
{
  uv_timer_t guard;
  uv_prepare_stop(&loop->prepare);
  uv_idle_stop(&loop->spin);
  uv_timer_init(&loop->uv, &guard);
  uv_unref((uv_handle_t *)&guard);
  uv_timer_start(&guard, on_guard, END_MAX_MS, 0);
  uv_run(&loop->uv, UV_RUN_DEFAULT);
  bool done = loop->uv.active_handles == 0 && loop->uv.active_reqs.count == 0;
  uv_close((uv_handle_t *)&guard, NULL);
  uv_run(&loop->uv, UV_RUN_NOWAIT);
  return done;
}

void ln_open_add(struct ln_loop *loop, struct ln_open *o, void (*close)(struct ln_open *self))
{
  o->loop = loop;
  o->close = close;
  o->prev = NULL;
  o->next = loop->opened;
  if (o->next) o->next->prev = o;
  loop->opened = o;
}

void ln_open_remove(struct ln_open *o)
{
  if (!o->close) return;
  if (o->prev)
    o->prev->next = o->next;
  else
    o->loop->opened = o->next;
  if (o->next) o->next->prev = o->prev;
  o->close = NULL;
}

int ln_uv_error(int code)
{
  switch (code) {
  case UV_ENOMEM: return LN_E_NOMEM;
  case UV_EINVAL:
  case UV_EBADF: return LN_E_INVAL;
  case UV_EPERM:
  case UV_EACCES: return LN_E_PERMISSION;
  case UV_ETIMEDOUT: return LN_E_TIMEOUT;
  case UV_ECONNRESET:
  case UV_EPIPE: return LN_E_RESET;
  default: return LN_E_IO;
  }
}

/* Ticks and runs: see watch.h. A tick begins in a turn of the loop: what was enabled before becomes active,
 * the defers run, then whatever timers, descriptors and signals bring until the next one begins; between two
 * ticks the ends of runs are looked at. Callbacks are called one after another by a runner, a task that is
 * kept; one that waits keeps its runner for itself, and another goes on. */
#include "bind/watch.h"
#include "bind/lua_alloc.h"
#include "bind/luv.h"
#include "bind/promise.h"

#define MAX_PARKED 8
#define QUIET_TICKS 8

enum { CALLED = 1, REPORTED, PARKED };

static struct {
  struct ln_task *parked[MAX_PARKED];
  int n_parked;
  int outcome_ref; /* function(env, failed, value) */
  int quiet;       /* ticks on end in which nothing was left that the program waits for */
} own = {.outcome_ref = LUA_NOREF};

/* --- the runner --- */

static bool has_due(const struct ln_watch_link *phase)
{
  return phase ? !ln_watch_link_empty(phase) : ln_defer_due();
}

/* What the runner does now is that watcher's. */
static void work_for(struct ln_task *t, const struct ln_watch *w)
{
  t->owner = w->owner;
  t->clock = w->clock;
  ln_lua_alloc_hold(ln_task_is_script(t));
}

/* Pushes callback and arguments of what comes next, and gives their count; 0: there is none. `fresh`: the
 * table of slots at index 2 may be another one by now. */
static int take_due(lua_State *L, struct ln_task *t, bool fresh)
{
  struct ln_watches *m = &ln_watches;
  if (m->abort || !m->driving || !has_due(m->phase)) return 0;
  if (!m->phase) {
    struct ln_watch *w = ln_defer_take(L);
    if (!w) return 0;
    work_for(t, w);
    ln_watch_end(w);
    return 3;
  }
  struct ln_watch *w = (struct ln_watch *)m->phase->next;
  ln_watch_unlink(&w->queue);
  if (w->type == LN_WATCH_SIGNAL && w->hits > 0 && --w->hits > 0) ln_watch_append(m->phase, &w->queue);
  if (fresh) {
    ln_watch_push_slots(L);
    lua_replace(L, 2);
  }
  work_for(t, w);
  return ln_watch_take(L, w, 2);
}

static bool nothing_left(const struct ln_host *h)
{
  return h->refs <= 0 && !h->ready && !h->later && ln_loop_held(h->loop) == 0 && !ln_luv_alive(h);
}

static bool run_ends(const struct ln_host *h)
{
  for (const struct ln_watch_run *run = ln_watches.runs; run; run = run->outer)
    if (run->stopping) return true;
  return nothing_left(h);
}

/* The defers have run: where the next tick has nothing but defers, and nothing else is to be done before it,
 * it begins at once. */
static bool go_on(struct ln_host *h)
{
  struct ln_watches *m = &ln_watches;
  if (m->phase || m->abort || !m->driving || !ln_defer_waiting() || !ln_watch_link_empty(&m->enabling))
    return false;
  if (!ln_watch_link_empty(&m->due_timers) || !ln_watch_link_empty(&m->due_io) ||
      !ln_watch_link_empty(&m->due_signals) || h->ready || ln_watch_has_always() || run_ends(h))
    return false;
  if (!ln_loop_go_on(h->loop, &m->tick)) return false;
  ln_defer_begin();
  return true;
}

static int step(lua_State *L, int status, lua_KContext ctx);

static int park(lua_State *L, struct ln_task *t)
{
  ln_task_renew(t);
  if (own.n_parked == MAX_PARKED) return 0; /* it ends */
  own.parked[own.n_parked++] = t;
  lua_settop(L, 1);
  lua_pushnil(L);
  t->wait_L = L;
  t->wait = &ln_task_parked;
  t->state = LN_TASK_WAITING;
  return lua_yieldk(L, 0, PARKED, step);
}

/* index 1: the message handler, 2: the table of slots, or nil where it may have changed */
static int step(lua_State *L, int status, lua_KContext ctx)
{
  struct ln_host *h = ln_host_get();
  struct ln_task *t = h->current;
  for (;;) {
    if (ctx == CALLED) {
      ln_lua_alloc_hold(false); /* the script's part is over */
      bool failed = status != LUA_OK && status != LUA_YIELD;
      if (failed || !lua_isnil(L, -1)) {
        if (failed || ln_promise_test(L, -1)) {
          lua_rawgeti(L, LUA_REGISTRYINDEX, own.outcome_ref);
          lua_insert(L, -2);
          lua_pushinteger(L, LN_WATCH_ENV(t->owner));
          lua_insert(L, -2);
          lua_pushboolean(L, failed);
          lua_insert(L, -2);
          status = lua_pcallk(L, 3, 0, 0, REPORTED, step);
          ctx = REPORTED;
          continue;
        }
      }
    }
    /* Between two callbacks: what they woke comes first. */
    bool again = ctx && ctx != PARKED;
    lua_settop(L, 2);
    t->wait_L = NULL;
    if (again && h->ready) return park(L, t);
    int n = take_due(L, t, ctx != CALLED || status != LUA_OK); /* it may have waited */
    if (!n && go_on(h)) n = take_due(L, t, false);
    if (!n) return park(L, t);
    if (again) ln_task_renew(t); /* who parks has been renewed */
    status = lua_pcallk(L, n - 1, 1, 1, CALLED, step);
    ctx = CALLED;
  }
}

static int runner(lua_State *L)
{
  lua_settop(L, 0);
  lua_pushcfunction(L, ln_task_annotate);
  lua_pushnil(L);
  return step(L, LUA_OK, 0);
}

static int spawn_runner(lua_State *L)
{
  lua_pushcfunction(L, runner);
  ln_task_spawn_as(L, 0, false, ln_loop_clock(ln_host_get()->loop), 0);
  return 0;
}

static void drive(struct ln_watch_link *queue)
{
  struct ln_host *h = ln_host_get();
  struct ln_watches *m = &ln_watches;
  while (has_due(queue) && !m->abort) {
    m->phase = queue;
    m->driving = true;
    int err = LN_OK;
    if (own.n_parked > 0)
      ln_task_resume(own.parked[--own.n_parked]);
    else
      err = ln_host_protect(h, spawn_runner, NULL);
    m->driving = false;
    if (h->ready) ln_task_drain(h);
    if (err) break;
  }
  m->phase = NULL;
}

/* --- runs --- */

static void unlink_run(struct ln_watch_run *run)
{
  struct ln_watch_run **place = &ln_watches.runs;
  while (*place && *place != run) place = &(*place)->outer;
  if (*place) *place = run->outer;
  if (!ln_watches.runs) ln_watch_hold(false);
}

static void run_cancelled(struct ln_task *t, void *ctx)
{
  (void)t;
  unlink_run(ctx);
}

static const struct ln_wait running = {"loop", run_cancelled};

static void end_run(struct ln_watch_run *run)
{
  unlink_run(run);
  ln_task_wake(run->task, 0, false);
}

int ln_watch_wait_run(lua_State *L)
{
  struct ln_host *h = ln_host_get();
  ln_task_check_wait(L);
  ln_watch_hold(true);
  if (nothing_left(h)) {
    if (!ln_watches.runs) ln_watch_hold(false);
    return 0;
  }
  struct ln_watch_run *run = lua_newuserdatauv(L, sizeof *run, 0); /* stays on the stack while it waits */
  run->outer = ln_watches.runs;
  run->task = h->current;
  run->env = LN_WATCH_ENV(h->current->owner);
  run->stopping = false;
  ln_watches.runs = run;
  return ln_task_wait(L, &running, run);
}

/* Of that environment; the top level of a script (0) runs for all that it made. */
static struct ln_watch_run *innermost(lua_Integer env)
{
  struct ln_watch_run *run = ln_watches.runs;
  while (run && run->env != env && run->env != 0) run = run->outer;
  return run;
}

void ln_watch_stop(lua_Integer env)
{
  struct ln_watch_run *run = innermost(env);
  if (!run) return;
  run->stopping = true;
  ln_watch_wish_tick();
}

bool ln_watch_running(lua_Integer env)
{
  return innermost(env) != NULL;
}

bool ln_watch_fail(lua_State *L, lua_Integer env)
{
  struct ln_watch_run *run = innermost(env);
  if (!run) {
    lua_pop(L, 1);
    return false;
  }
  unlink_run(run);
  lua_xmove(L, run->task->wait_L, 1);
  ln_task_wake(run->task, 1, true);
  ln_watches.abort = ln_watches.driving;
  return true;
}

/* Ends what has come to its end, innermost first; each goes on before the next is looked at. */
static void end_runs(struct ln_host *h)
{
  for (bool again = true; again;) {
    again = false;
    for (struct ln_watch_run *run = ln_watches.runs; run; run = run->outer) {
      if (!run->stopping && !(run == ln_watches.runs && nothing_left(h))) continue;
      end_run(run);
      ln_task_drain(h);
      again = true;
      break;
    }
  }
}

bool ln_watch_idle(struct ln_host *h)
{
  if (!ln_watches.runs || !nothing_left(h)) return false;
  ln_watch_wish_tick();
  return true;
}

/* --- ticks --- */

void ln_watch_due(struct ln_watch_link *queue, struct ln_watch *w)
{
  struct ln_watches *m = &ln_watches;
  if (w->queue.next) return;
  if (queue == &m->due_timers) { /* by time, then by creation; they come nearly sorted */
    struct ln_watch_link *after = queue->prev;
    for (; after != queue; after = after->prev) {
      struct ln_watch *v = (struct ln_watch *)after;
      if (v->clock != w->clock || v->due < w->due || (v->due == w->due && v->seq < w->seq)) break;
    }
    ln_watch_append(after->next, &w->queue);
  } else {
    ln_watch_append(queue, &w->queue);
  }
  ln_loop_defer(ln_host_get()->loop, &m->dispatch);
}

void ln_watch_wish_tick(void)
{
  ln_loop_defer_turn(ln_host_get()->loop, &ln_watches.tick);
}

/* What this tick has brought so far. False: an error ended a run; what is left comes with the next turn. */
static bool dispatch_due(void)
{
  struct ln_watches *m = &ln_watches;
  if (ln_watch_link_empty(&m->due_timers) && ln_watch_link_empty(&m->due_io) &&
      ln_watch_link_empty(&m->due_signals) && !m->abort)
    return true;
  drive(&m->due_timers);
  drive(&m->due_io);
  drive(&m->due_signals);
  if (!m->abort) return true;
  m->abort = false;
  ln_watch_wish_tick();
  return false;
}

static void on_dispatch(struct ln_deferred *d)
{
  (void)d;
  dispatch_due();
}

static void activate(struct ln_watch *w)
{
  if (w->source)
    ln_watch_source_activate(w);
  else if (ln_timer_start(w->clock, &w->timer, w->due))
    ln_watch_append(&ln_watches.enabling, &w->queue); /* no memory: once more with the next tick */
}

/* Watchers that nobody waits for, but which are so busy that the loop never comes to rest, do not keep the
 * program from its end. It is looked at in some ticks on end: what else is on its way in the loop has had its
 * turn by then. */
static void look_for_end(struct ln_host *h)
{
  if (ln_watches.runs || !nothing_left(h))
    own.quiet = 0;
  else if (++own.quiet >= QUIET_TICKS)
    ln_host_nothing_left(h);
}

static void on_tick(struct ln_deferred *d)
{
  (void)d;
  struct ln_host *h = ln_host_get();
  struct ln_watches *m = &ln_watches;
  ln_watch_collect_always();
  if (!dispatch_due()) return;
  end_runs(h);
  ln_defer_begin();
  struct ln_watch_link *last = m->enabling.prev;
  for (bool more = last != &m->enabling; more;) {
    struct ln_watch_link *l = m->enabling.next;
    more = l != last;
    ln_watch_unlink(l);
    activate((struct ln_watch *)l);
  }
  drive(NULL);
  m->abort = false;
  look_for_end(h);
  if (ln_defer_waiting() || !ln_watch_link_empty(&m->enabling) || ln_defer_due() ||
      (m->runs && (m->runs->stopping || nothing_left(h))))
    ln_watch_wish_tick();
}

void ln_watch_set_outcome(lua_State *L, int index)
{
  lua_pushvalue(L, index);
  if (own.outcome_ref != LUA_NOREF) luaL_unref(L, LUA_REGISTRYINDEX, own.outcome_ref);
  own.outcome_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

bool ln_watch_push_outcome(lua_State *L)
{
  if (own.outcome_ref != LUA_NOREF) lua_rawgeti(L, LUA_REGISTRYINDEX, own.outcome_ref);
  return own.outcome_ref != LUA_NOREF;
}

void ln_watch_run_init(void)
{
  memset(&own, 0, sizeof own);
  own.outcome_ref = LUA_NOREF;
  ln_watches.tick.fn = on_tick;
  ln_watches.dispatch.fn = on_dispatch;
}

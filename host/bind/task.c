/* Tasks and the gate: see task.h. A task's thread runs `body`, which calls the script's function protected,
 * so that <close> variables are closed where waiting is still possible, and settles the promise of the
 * result. */
#include "bind/task.h"
#include "bind/lua_alloc.h"
#include "bind/breaks.h"
#include "bind/gc.h"
#include "bind/promise.h"
#include "bind/traceback.h"
#include "bind/watch.h"
#include "base/alloc.h"
#include "base/log.h"

#define MAX_NESTED \
  60 /* resumes inside resumes: beyond it a spawn starts from the loop (LUAI_MAXCCALLS is 200) */
#define MAX_POOL 1024
#define CROWD 1024      /* every so many tasks the collector hears of them */
#define MAX_DRAIN 10000 /* tasks resumed in a row before the loop polls again */
#define SLAB 64

/* Tasks are made in slabs and never freed but reused: handles stay valid, told apart by id. A userdata in the
 * registry anchors their threads, one in each of its user values. */
struct ln_task_slab {
  struct ln_task_slab *next;
  int anchors_ref;
  struct ln_task tasks[SLAB];
};
_Static_assert(sizeof(void *) > 8 || sizeof(struct ln_task) <= 120, "a hundred thousand of them may sleep");

static inline int gate(struct ln_host *h, lua_State *co, lua_State *from, int nargs, int *nres)
{
  if (h->depth++ == 0) ln_watchdog_enter();
  if (ln_breaks_armed) ln_breaks_arm(co);
  ln_watchdog_running(co);
  int status = lua_resume(co, from, nargs, nres);
  ln_watchdog_running(from);
  h->depth--;
  return status;
}

int ln_gate_resume(lua_State *co, lua_State *from, int nargs, int *nres)
{
  return gate(ln_host_get(), co, from, nargs, nres);
}

struct ln_task *ln_task_current(lua_State *L)
{
  struct ln_task *t = ln_host_get()->current;
  if (!t) luaL_error(L, "this needs a task of the host");
  return t;
}

static struct ln_task_slab *slab_of(const struct ln_task *t)
{
  char *first = (char *)(uintptr_t)(t - t->place);
  return (struct ln_task_slab *)(void *)(first - offsetof(struct ln_task_slab, tasks));
}

static void slab_new(lua_State *L)
{
  struct ln_host *h = ln_host_get();
  lua_newuserdatauv(L, 0, SLAB);
  int ref = luaL_ref(L, LUA_REGISTRYINDEX);
  struct ln_task_slab *s = ln_calloc(1, sizeof *s);
  if (!s) {
    luaL_unref(L, LUA_REGISTRYINDEX, ref);
    luaL_error(L, "out of memory");
  }
  s->anchors_ref = ref;
  s->next = h->slabs;
  h->slabs = s;
  for (int i = SLAB - 1; i >= 0; i--) {
    s->tasks[i].place = (uint8_t)i;
    s->tasks[i].cancel_ref = LUA_NOREF;
    s->tasks[i].next = h->pool_bare;
    h->pool_bare = &s->tasks[i];
  }
}

struct ln_task *ln_task_next(const struct ln_host *h, const struct ln_task *t)
{
  struct ln_task_slab *s = t ? slab_of(t) : h->slabs;
  for (int i = t ? t->place + 1 : 0; s; s = s->next, i = 0)
    for (; i < SLAB; i++)
      if (s->tasks[i].id) return &s->tasks[i];
  return NULL;
}

void ln_task_free_all(struct ln_host *h)
{
  while (h->slabs) {
    struct ln_task_slab *s = h->slabs;
    h->slabs = s->next;
    for (int i = 0; i < SLAB; i++) ln_timer_stop(&s->tasks[i].timer);
    ln_free(s);
  }
}

static __attribute__((noinline)) struct ln_task *task_fresh(lua_State *L, struct ln_host *h)
{
  if (!h->pool_bare) slab_new(L);
  if (h->n_live % CROWD == CROWD - 1) ln_gc_crowd(L, h->n_live);
  struct ln_task *t = h->pool_bare;
  lua_rawgeti(L, LUA_REGISTRYINDEX, slab_of(t)->anchors_ref);
  t->L = lua_newthread(L);
  lua_setiuservalue(L, -2, t->place + 1);
  lua_pop(L, 1);
  *(struct ln_task **)lua_getextraspace(t->L) = t;
  h->pool_bare = t->next;
  return t;
}

/* Raises where memory is short. A thread is let go only where the pool is full. */
static inline __attribute__((always_inline)) struct ln_task *task_new(lua_State *L, struct ln_clock *clock,
                                                                      lua_Integer owner)
{
  struct ln_host *h = ln_host_get();
  struct ln_task *t = h->pool;
  if (t) {
    h->pool = t->next;
    h->n_pool--;
  } else {
    t = task_fresh(L, h);
  }
  h->n_live++;
  t->id = ++h->next_task_id;
  t->state = LN_TASK_NEW;
  t->next = NULL;
  t->owner = owner;
  t->clock = clock;
  return t;
}

static void drop_error(lua_State *L, struct ln_task *t)
{
  if (t->cancel_ref != LUA_NOREF) luaL_unref(L, LUA_REGISTRYINDEX, t->cancel_ref);
  t->cancel_ref = LUA_NOREF;
}

static void drop_name(lua_State *L, struct ln_task *t)
{
  if (!t->named) return;
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, t);
  t->named = false;
}

static void task_end(struct ln_task *t)
{
  struct ln_host *h = ln_host_get();
  h->n_live--;
  t->state = LN_TASK_DONE;
  t->id = 0;
  t->wait_L = NULL;
  if (h->main_task == t) h->main_task = NULL;
  drop_error(h->L, t);
  drop_name(h->L, t);
  if (ln_breaks_armed) ln_breaks_forget(t);
  ln_watchdog_leave(t->L);
  if (h->n_pool < MAX_POOL) {
    t->next = h->pool;
    h->pool = t;
    h->n_pool++;
  } else {
    lua_rawgeti(h->L, LUA_REGISTRYINDEX, slab_of(t)->anchors_ref);
    lua_pushnil(h->L);
    lua_setiuservalue(h->L, -2, t->place + 1);
    lua_pop(h->L, 1);
    t->L = NULL;
    t->next = h->pool_bare;
    h->pool_bare = t;
  }
}

/* The traceback is made while the stack still stands. */
int ln_task_annotate(lua_State *L)
{
  ln_traceback(L, L, NULL, 1);
  if (lua_getfield(L, LUA_REGISTRYINDEX, LN_ANNOTATOR) != LUA_TFUNCTION) {
    lua_settop(L, 1);
    return 1;
  }
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  if (lua_pcall(L, 2, 1, 0) != LUA_OK) lua_settop(L, 1);
  return 1;
}

int ln_task_raise(lua_State *L)
{
  if (lua_type(L, -1) == LUA_TTABLE) {
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    lua_pushcfunction(L, ln_task_annotate);
    lua_insert(L, -2);
    lua_call(L, 1, 1);
  }
  return lua_error(L);
}

/* 1 promise, 2 message handler, 3 the function and its arguments; then 3… results or the error */
static int body_done(lua_State *L, int status, lua_KContext ctx)
{
  (void)ctx;
  bool ok = status == LUA_OK || status == LUA_YIELD;
  ln_lua_alloc_hold(false); /* here and below: the script's part is over */
  int n = ok ? lua_gettop(L) - 2 : 1;
  if (n || !ln_promise_done(lua_touserdata(L, 1))) ln_promise_settle(L, 1, n, !ok);
  return 0;
}

static int body(lua_State *L)
{
  return body_done(L, lua_pcallk(L, lua_gettop(L) - 3, LUA_MULTRET, 2, 0, body_done), 0);
}

/* 1 finish, 2 and 3 what it gets, 4 message handler, 5… results or the error */
static int work_done(lua_State *L, int status, lua_KContext ctx)
{
  (void)ctx;
  bool ok = status == LUA_OK || status == LUA_YIELD;
  ln_lua_alloc_hold(false);
  if (ok) {
    lua_settop(L, 3);
    lua_pushnil(L);
  } else {
    lua_remove(L, 4);
  }
  lua_callk(L, 3, 0, 0, NULL);
  return 0;
}

static int work(lua_State *L)
{
  return work_done(L, lua_pcallk(L, lua_gettop(L) - 5, LUA_MULTRET, 4, 0, work_done), 0);
}

/* 1 function(env, failed, value), 2 message handler, 3… results or the error */
static int callback_done(lua_State *L, int status, lua_KContext ctx)
{
  (void)ctx;
  bool ok = status == LUA_OK || status == LUA_YIELD;
  ln_lua_alloc_hold(false);
  lua_settop(L, 3);
  if (ok && !ln_promise_test(L, 3)) return 0;
  lua_pushvalue(L, 1);
  lua_pushinteger(L, LN_WATCH_ENV(ln_host_get()->current->owner));
  lua_pushboolean(L, !ok);
  lua_pushvalue(L, 3);
  lua_callk(L, 3, 0, 0, NULL);
  return 0;
}

static int callback(lua_State *L)
{
  return callback_done(L, lua_pcallk(L, lua_gettop(L) - 3, LUA_MULTRET, 2, 0, callback_done), 0);
}

static int settle_failed(lua_State *L)
{
  struct ln_task *t = lua_touserdata(L, 1);
  lua_xmove(t->L, L, 1);
  lua_pushliteral(L, "not enough memory"); /* Lua has this one made in time */
  ln_promise_settle(L, 2, 1, true);
  return 0;
}

/* Even the result found no memory: whoever waits for it must hear at least that. The promise is the first
 * value of `body`, the outermost frame. */
static void fail_result(struct ln_task *t)
{
  lua_Debug ar, outermost;
  int level = 0;
  while (lua_getstack(t->L, level, &ar)) {
    outermost = ar;
    level++;
  }
  if (!level || !lua_getlocal(t->L, &outermost, 1)) return;
  struct ln_promise *p = ln_promise_test(t->L, -1);
  if (p && ln_host_protect(ln_host_get(), settle_failed, t) == LN_OK) return;
  if (p) p->has_task = false;
  ln_log(LN_LOG_ERROR, "task", "and nobody will hear of it");
}

static void run(struct ln_task *t, lua_State *from, int nargs)
{
  struct ln_host *h = ln_host_get();
  struct ln_task *before = h->current;
  int blocked = h->blocked, nres = 0;
  bool held = ln_lua_alloc_hold(ln_task_is_script(t));
  h->current = t;
  h->blocked = 0;
  t->state = LN_TASK_RUNNING;
  int status = gate(h, t->L, from, nargs, &nres);
  h->current = before;
  h->blocked = blocked;
  ln_lua_alloc_hold(held);
  if (status == LUA_YIELD && (t->state == LN_TASK_WAITING || t->state == LN_TASK_READY)) {
    if (nres) lua_pop(t->L, nres);
    ln_watchdog_leave(t->L);
  } else {
    if (status == LUA_YIELD) ln_log(LN_LOG_ERROR, "task", "a C module yielded out of a task: it was ended");
    if (status != LUA_OK && status != LUA_YIELD) {
      const char *text = lua_tostring(t->L, -1);
      ln_log(LN_LOG_ERROR, "task", "a task ended badly: %s", text ? text : "an error without a text");
      fail_result(t);
    }
    if (status != LUA_OK) {
      lua_resetthread(t->L);
      lua_settop(t->L, 0);
      t->wake_error = false;
    }
    task_end(t);
  }
}

const struct ln_wait ln_task_parked = {.kind = "parked"};

void ln_task_resume(struct ln_task *t)
{
  run(t, NULL, 0);
}

void ln_task_renew(struct ln_task *t)
{
  lua_State *L = ln_host_get()->L;
  t->id = ++ln_host_get()->next_task_id;
  drop_error(L, t);
  drop_name(L, t);
  if (ln_breaks_armed) ln_breaks_forget(t);
  if (lua_gethook(t->L)) ln_watchdog_leave(t->L);
  ln_watchdog_again();
}

static void make_ready(struct ln_task *t)
{
  struct ln_host *h = ln_host_get();
  t->state = LN_TASK_READY;
  t->next = NULL;
  *h->ready_end = t;
  h->ready_end = &t->next;
  if (h->depth == 0) ln_loop_defer(h->loop, &h->drain);
}

void ln_task_drain(struct ln_host *h)
{
  if (h->depth > 0) return;
  for (int i = 0; h->ready; i++) {
    if (i == MAX_DRAIN) {
      ln_loop_defer(h->loop, &h->drain);
      return;
    }
    struct ln_task *t = h->ready;
    h->ready = t->next;
    if (!h->ready) h->ready_end = &h->ready;
    t->next = NULL;
    int nargs = lua_status(t->L) == LUA_YIELD ? (t->wait_L == t->L ? t->wake_n : 0) : lua_gettop(t->L) - 1;
    run(t, NULL, nargs);
  }
}

void ln_task_spawn(lua_State *L, int n, bool later)
{
  struct ln_host *h = ln_host_get();
  if (h->current)
    ln_task_spawn_as(L, n, later, h->current->clock, h->current->owner);
  else
    ln_task_spawn_as(L, n, later, ln_loop_clock(h->loop), 0);
}

/* A task with `function` and room for n arguments on its stack. */
static inline __attribute__((always_inline)) struct ln_task *
begin_task(lua_State *L, lua_CFunction function, int n, struct ln_clock *clock, lua_Integer owner)
{
  struct ln_task *t = task_new(L, clock, owner);
  if (n + 2 > LUA_MINSTACK && !lua_checkstack(t->L, n + 2)) {
    task_end(t);
    luaL_error(L, "too many arguments");
  }
  lua_pushcfunction(t->L, function);
  return t;
}

static void start_task(lua_State *L, struct ln_task *t, int n, bool later)
{
  struct ln_host *h = ln_host_get();
  if (later || h->depth >= MAX_NESTED) {
    t->state = LN_TASK_READY;
    *h->later_end = t;
    h->later_end = &t->next;
    ln_loop_defer_turn(h->loop, &h->begin);
  } else {
    run(t, h->depth ? L : NULL, n);
  }
}

void ln_task_spawn_as(lua_State *L, int n, bool later, struct ln_clock *clock, lua_Integer owner)
{
  struct ln_promise *p = ln_promise_push(L);
  struct ln_task *t = begin_task(L, body, n + 3, clock, owner);
  lua_xmove(L, t->L, 1);
  lua_pushcfunction(t->L, ln_task_annotate);
  lua_xmove(L, t->L, n + 1);
  lua_pushvalue(t->L, -n - 3);
  lua_xmove(t->L, L, 1);
  p->task = t;
  p->has_task = true;
  start_task(L, t, n + 3, later);
}

void ln_task_work(lua_State *L, int n, bool later, struct ln_clock *clock, lua_Integer owner)
{
  struct ln_task *t = begin_task(L, work, n + 5, clock, owner);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_pushvalue(L, -n - 4); /* b */
  lua_pushvalue(L, lua_upvalueindex(3));
  lua_xmove(L, t->L, 4);
  lua_xmove(L, t->L, n + 1); /* the function and its arguments */
  start_task(L, t, n + 5, later);
}

void ln_task_callback(lua_State *L, int n)
{
  luaL_checkstack(L, 4, NULL);
  if (!ln_watch_push_outcome(L)) { /* nobody has asked for them */
    ln_task_spawn(L, n, false);
    lua_pop(L, 1);
    return;
  }
  const struct ln_task *now = ln_host_get()->current;
  struct ln_task *t = begin_task(L, callback, n + 3, now ? now->clock : ln_loop_clock(ln_host_get()->loop),
                                 now ? now->owner : 0);
  lua_xmove(L, t->L, 1);
  lua_pushcfunction(t->L, ln_task_annotate);
  lua_xmove(L, t->L, n + 1);
  start_task(L, t, n + 3, false);
}

/* The name of the C function that stands in the way, for the message. */
static void push_blocker(lua_State *L)
{
  lua_Debug ar;
  int top = lua_gettop(L);
  for (int level = 1; lua_getstack(L, level, &ar); level++) {
    lua_settop(L, top);
    if (!lua_getinfo(L, "Snf", &ar)) break;
    if (*ar.what == 'C') {
      if (ar.name && (strcmp(ar.name, "pcall") == 0 || strcmp(ar.name, "xpcall") == 0))
        continue; /* let waits through */
      lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
      static const char *const libs[] = {"table", "string", "_G", "math", "os", "io", "debug", "utf8"};
      for (size_t i = 0; i < sizeof libs / sizeof *libs; i++) {
        if (lua_getfield(L, -1, libs[i]) == LUA_TTABLE) {
          for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
            if (lua_rawequal(L, -1, -5) && lua_type(L, -2) == LUA_TSTRING) {
              lua_pushfstring(L, "%s%s%s", strcmp(libs[i], "_G") ? libs[i] : "",
                              strcmp(libs[i], "_G") ? "." : "", lua_tostring(L, -2));
              return;
            }
          }
        }
        lua_pop(L, 1);
      }
      lua_pop(L, 2);
      if (ar.name) { /* of Lua's iterators ipairs' alone calls what a script wrote */
        lua_pushstring(L, strcmp(ar.name, "for iterator") ? ar.name : "ipairs");
        return;
      }
      continue;
    }
    lua_pop(L, 1);
    if (ar.namewhat && strcmp(ar.namewhat, "metamethod") == 0 && ar.name) {
      lua_pushfstring(L, "%s%s", strncmp(ar.name, "__", 2) == 0 ? "" : "__", ar.name);
      return;
    }
  }
  lua_pushstring(L, "a C function");
}

/* t: its error is what stands in the way of the wait; NULL: a C function. */
static __attribute__((noinline)) void refuse_wait(lua_State *L, struct ln_task *t)
{
  if (!t) {
    /* That error is given to the handler, which waits again, two hundred levels deep. */
    if (lua_getfield(L, LUA_REGISTRYINDEX, LN_REFUSED) == LUA_TSTRING) lua_error(L);
    lua_pop(L, 1);
    if (ln_coroutine_in_handler(L)) {
      lua_pushliteral(L, "cannot wait inside the message handler of xpcall");
      lua_concat(L, 2);
      lua_pushvalue(L, -1);
      lua_setfield(L, LUA_REGISTRYINDEX, LN_REFUSED);
      lua_error(L);
    }
    push_blocker(L);
    luaL_error(L, "cannot wait inside %s", lua_tostring(L, -1));
    return;
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, t->cancel_ref);
  drop_error(L, t);
  lua_error(L);
}

void ln_task_check_wait(lua_State *L)
{
  struct ln_host *h = ln_host_get();
  struct ln_task *t = h->current;
  bool can = t && !h->blocked && lua_isyieldable(L);
  if (!can || t->cancel_ref != LUA_NOREF) refuse_wait(L, can ? t : NULL);
}

int ln_task_woken(lua_State *L)
{
  struct ln_task *t = ln_host_get()->current;
  int n = t->wake_n;
  t->wake_n = 0;
  t->wait_L = NULL;
  if (t->wake_error) {
    t->wake_error = false;
    return ln_task_raise(L);
  }
  return n;
}

static int wait_done(lua_State *L, int status, lua_KContext ctx)
{
  (void)status;
  (void)ctx;
  return ln_task_woken(L);
}

int ln_task_wait(lua_State *L, const struct ln_wait *wait, void *ctx)
{
  return ln_task_wait_then(L, wait, ctx, wait_done);
}

int ln_task_wait_then(lua_State *L, const struct ln_wait *wait, void *ctx, lua_KFunction then)
{
  struct ln_task *t = ln_host_get()->current;
  t->wait_L = L;
  t->wait = wait;
  t->ctx = ctx;
  t->wait_since = ln_clock_now(ln_loop_clock(ln_host_get()->loop));
  t->wake_error = false;
  t->state = LN_TASK_WAITING;
  return lua_yieldk(L, 0, 0, then);
}

void ln_task_wake(struct ln_task *t, int n, bool is_error)
{
  if (t->state != LN_TASK_WAITING) return;
  t->wake_n = n;
  t->wake_error = is_error;
  make_ready(t);
}

void ln_task_cancel(struct ln_task *t, lua_State *L)
{
  if (ln_breaks_holds(t)) {
    ln_breaks_raise(t, L);
  } else if (t->state == LN_TASK_WAITING) {
    if (t->wait->cancel) t->wait->cancel(t, t->ctx);
    lua_xmove(L, t->wait_L, 1);
    ln_task_wake(t, 1, true);
  } else if (t->state == LN_TASK_DONE || (t->state == LN_TASK_READY && t->wake_error)) {
    lua_pop(L, 1); /* over, or an error is on its way to it already */
  } else {
    drop_error(L, t);
    t->cancel_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  }
}

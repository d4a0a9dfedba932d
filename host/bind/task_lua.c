/* _luna.task: tasks for lua/luna/. */
#include "bind/task.h"
#include "bind/lua_alloc.h"
#include "bind/promise.h"
#include "bind/traceback.h"

#include <stdio.h>
#include <unistd.h>

#define HANDLE "luna.Task"
#define ON_EXIT "luna.onExit"

struct handle {
  struct ln_task *task;
  uint64_t id;
};

void ln_task_push(lua_State *L, struct ln_task *t)
{
  struct handle *h = lua_newuserdatauv(L, sizeof *h, 0);
  h->task = t;
  h->id = t->id;
  luaL_setmetatable(L, HANDLE);
}

static struct handle *check(lua_State *L)
{
  return luaL_checkudata(L, 1, HANDLE);
}

static struct ln_task *live(lua_State *L)
{
  return ln_task_check(L, 1);
}

struct ln_task *ln_task_check(lua_State *L, int index)
{
  struct handle *h = luaL_checkudata(L, index, HANDLE);
  return h->task->id == h->id ? h->task : NULL;
}

static int f_spawn(lua_State *L)
{
  if (!lua_isfunction(L, 1)) luaL_checktype(L, 1, LUA_TFUNCTION);
  ln_task_spawn(L, lua_gettop(L) - 1, false);
  return 1;
}

static int f_defer(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  ln_task_spawn(L, lua_gettop(L) - 1, true);
  return 1;
}

/* upvalues: finish, a, handler */
static int f_work(lua_State *L)
{
  lua_Integer owner = luaL_checkinteger(L, 1);
  struct ln_host *h = ln_host_get();
  luaL_checktype(L, 4, LUA_TFUNCTION);
  ln_task_work(L, lua_gettop(L) - 4, lua_toboolean(L, 2),
               h->current ? h->current->clock : ln_loop_clock(h->loop), owner);
  return 0;
}

/* worker(finish, a, handler) → work(owner, later, b, fn, …): fn(…) in a task of that owner, without a
 * promise; when it has ended, finish(a, b, error | nil) in that task. handler: xpcall's. */
static int f_worker(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_settop(L, 3);
  lua_pushcclosure(L, f_work, 3);
  return 1;
}

static int f_current(lua_State *L)
{
  struct ln_task *t = ln_host_get()->current;
  if (t)
    ln_task_push(L, t);
  else
    lua_pushnil(L);
  return 1;
}

static int f_all(lua_State *L)
{
  int n = 0;
  lua_newtable(L);
  struct ln_host *h = ln_host_get();
  for (struct ln_task *t = ln_task_next(h, NULL); t; t = ln_task_next(h, t)) {
    if (t->state == LN_TASK_WAITING && t->wait == &ln_task_parked) continue;
    ln_task_push(L, t);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

static int f_owner(lua_State *L)
{
  struct ln_task *t = ln_task_current(L);
  lua_pushinteger(L, t->owner);
  if (lua_isnoneornil(L, 1)) return 1;
  t->owner = luaL_checkinteger(L, 1);
  ln_lua_alloc_hold(ln_task_is_script(t));
  return 1;
}

/* Raises where the running task cannot wait. */
static int f_check_wait(lua_State *L)
{
  ln_task_check_wait(L);
  return 0;
}

static int f_is_yieldable(lua_State *L)
{
  struct ln_host *h = ln_host_get();
  lua_pushboolean(L, h->current && !h->blocked && lua_isyieldable(L));
  return 1;
}

static int f_set_budget(lua_State *L)
{
  ln_watchdog_set_budget(luaL_checknumber(L, 1));
  return 0;
}

static int f_set_slow(lua_State *L)
{
  ln_watchdog_set_slow(luaL_checknumber(L, 1));
  lua_settop(L, 2);
  lua_setfield(L, LUA_REGISTRYINDEX, "luna.onSlow");
  return 0;
}

static int f_set_annotator(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, LN_ANNOTATOR);
  return 0;
}

static int f_ref(lua_State *L)
{
  (void)L;
  ln_host_ref(ln_host_get());
  return 0;
}

static int f_unref(lua_State *L)
{
  (void)L;
  ln_host_unref(ln_host_get());
  return 0;
}

static int f_on_exit(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, ON_EXIT);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  return 0;
}

static const struct ln_wait exiting = {.kind = "exit"};

/* exit(code, now): the loop ends after the exit functions; the calling task never goes on. With `now` the
 * process ends here. */
static int f_exit(lua_State *L)
{
  struct ln_host *h = ln_host_get();
  int code = 0;
  if (lua_isboolean(L, 1))
    code = lua_toboolean(L, 1) ? 0 : 1;
  else
    code = (int)luaL_optinteger(L, 1, 0);
  if (lua_toboolean(L, 2)) {
    fflush(stdout);
    _exit(code);
  }
  ln_host_exit(h, code);
  if (h->current && !h->blocked && lua_isyieldable(L)) return ln_task_wait(L, &exiting, NULL);
  return luaL_error(L, "the program is ending");
}

static void sleep_over(struct ln_timer *timer)
{
  struct ln_task *t = (struct ln_task *)((char *)timer - offsetof(struct ln_task, timer));
  ln_host_unref(ln_host_get());
  lua_pushvalue(t->wait_L, -1);
  ln_task_wake(t, 1, false);
}

static void sleep_cancel(struct ln_task *t, void *ctx)
{
  (void)ctx;
  ln_timer_stop(&t->timer);
  ln_host_unref(ln_host_get());
}

static const struct ln_wait sleeping = {"sleep", sleep_cancel};

int ln_task_sleep_then(lua_State *L, struct ln_clock *clock, lua_KFunction then)
{
  struct ln_host *h = ln_host_get();
  double seconds = lua_tonumber(L, -1);
  if (seconds != seconds) return luaL_error(L, "not a number of seconds");
  if (seconds < 0) {
    seconds = 0;
    lua_pushnumber(L, 0);
  }
  ln_task_check_wait(L);
  struct ln_task *t = h->current;
  int64_t due = ln_time_after(ln_clock_fresh(clock), seconds);
  t->timer.fn = sleep_over;
  if (ln_timer_start(clock, &t->timer, due)) return luaL_error(L, "out of memory");
  ln_host_ref(h);
  return then ? ln_task_wait_then(L, &sleeping, NULL, then) : ln_task_wait(L, &sleeping, NULL);
}

int ln_task_sleep(lua_State *L, struct ln_clock *clock)
{
  return ln_task_sleep_then(L, clock, NULL);
}

static int f_sleep(lua_State *L)
{
  luaL_checknumber(L, 1);
  lua_settop(L, 1);
  return ln_task_sleep(L, ln_task_current(L)->clock);
}

static char patience[1]; /* registry: function() */

static int f_set_patience(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, patience);
  return 0;
}

/* The running task is about to wait for time or for a person: told to whom setPatience has named, where it is
 * an update's handler (luna.scope: the lower half of its owner is below the marks of versions). */
static int f_patience(lua_State *L)
{
  uint32_t serial = (uint32_t)ln_task_current(L)->owner;
  if (serial == 0 || serial > INT32_MAX) return 0;
  lua_rawgetp(L, LUA_REGISTRYINDEX, patience);
  if (lua_isnil(L, -1))
    lua_pop(L, 1);
  else
    lua_call(L, 0, 0);
  return 0;
}

/* luna.sleep: in C, so that a sleeper's stack is no deeper than its function. */
static int f_rest(lua_State *L)
{
  int type = lua_type(L, 1);
  if (type != LUA_TNUMBER)
    return luaL_error(L, "sleep wants a number of seconds, got a %s",
                      lua_typename(L, type == LUA_TNONE ? LUA_TNIL : type));
  lua_settop(L, 1);
  ln_task_check_wait(L);
  f_patience(L);
  return ln_task_sleep(L, ln_task_current(L)->clock);
}

static int h_status(lua_State *L)
{
  static const char *const names[] = {"new", "running", "waiting", "ready", "done"};
  struct ln_task *t = live(L);
  lua_pushstring(L, names[t ? t->state : LN_TASK_DONE]);
  if (!t || t->state != LN_TASK_WAITING) return 1;
  lua_pushstring(L, t->wait->kind);
  return 2;
}

/* waits() → the kind, since how many seconds, in how many it is over (nil: nobody knows), the number of the
 * task whose promise it waits for (or nil); nil where it does not wait. */
static int h_waits(lua_State *L)
{
  struct ln_task *t = live(L);
  if (!t || t->state != LN_TASK_WAITING) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushstring(L, t->wait->kind);
  lua_pushnumber(L, (lua_Number)(ln_clock_now(ln_loop_clock(ln_host_get()->loop)) - t->wait_since) / 1e6);
  if (ln_timer_running(&t->timer))
    lua_pushnumber(L, (lua_Number)(t->timer.due - ln_clock_now(t->timer.clock)) / 1e6);
  else
    lua_pushnil(L);
  const struct ln_promise *p = strcmp(t->wait->kind, "promise") == 0 ? t->promise : NULL;
  if (p && p->has_task)
    lua_pushinteger(L, (lua_Integer)p->task->id);
  else
    lua_pushnil(L);
  return 4;
}

static int h_where(lua_State *L)
{
  struct ln_task *t = live(L);
  if (!t) {
    lua_pushnil(L);
    return 1;
  }
  ln_traceback(L, t->L, NULL, 0);
  return 1;
}

static int h_cancel(lua_State *L)
{
  struct ln_task *t = live(L);
  lua_settop(L, 2);
  if (t) ln_task_cancel(t, L);
  lua_pushboolean(L, t != NULL);
  return 1;
}

static int h_is_done(lua_State *L)
{
  lua_pushboolean(L, live(L) == NULL);
  return 1;
}

static int h_eq(lua_State *L)
{
  struct handle *a = luaL_testudata(L, 1, HANDLE), *b = luaL_testudata(L, 2, HANDLE);
  lua_pushboolean(L, a && b && a->id == b->id);
  return 1;
}

static int h_index(lua_State *L)
{
  struct handle *h = check(L);
  const char *key = luaL_checkstring(L, 2);
  struct ln_task *t = live(L);
  if (strcmp(key, "id") == 0) {
    lua_pushinteger(L, (lua_Integer)h->id);
  } else if (strcmp(key, "owner") == 0) {
    lua_pushinteger(L, t ? t->owner : 0);
  } else if (strcmp(key, "name") == 0) {
    if (t && t->named)
      lua_rawgetp(L, LUA_REGISTRYINDEX, t);
    else
      lua_pushnil(L);
  } else {
    lua_getmetatable(L, 1);
    lua_getfield(L, -1, key);
  }
  return 1;
}

static int h_newindex(lua_State *L)
{
  const char *key = luaL_checkstring(L, 2);
  struct ln_task *t = live(L);
  if (!t) return 0;
  if (strcmp(key, "owner") == 0) {
    t->owner = luaL_checkinteger(L, 3);
  } else if (strcmp(key, "name") == 0) {
    luaL_checkstring(L, 3);
    lua_settop(L, 3);
    lua_rawsetp(L, LUA_REGISTRYINDEX, t);
    t->named = true;
  } else {
    return luaL_error(L, "a task has no field \"%s\" that can be set", key);
  }
  return 0;
}

int luaopen__luna_task(lua_State *L)
{
  static const luaL_Reg methods[] = {{"status", h_status}, {"waits", h_waits},         {"where", h_where},
                                     {"cancel", h_cancel}, {"isDone", h_is_done},      {"__eq", h_eq},
                                     {"__index", h_index}, {"__newindex", h_newindex}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"spawn", f_spawn},
                                       {"worker", f_worker},
                                       {"defer", f_defer},
                                       {"current", f_current},
                                       {"all", f_all},
                                       {"owner", f_owner},
                                       {"checkWait", f_check_wait},
                                       {"isYieldable", f_is_yieldable},
                                       {"setBudget", f_set_budget},
                                       {"setSlow", f_set_slow},
                                       {"setErrorAnnotator", f_set_annotator},
                                       {"ref", f_ref},
                                       {"unref", f_unref},
                                       {"onExit", f_on_exit},
                                       {"exit", f_exit},
                                       {"sleep", f_sleep},
                                       {"rest", f_rest},
                                       {"patience", f_patience},
                                       {"setPatience", f_set_patience},
                                       {NULL, NULL}};
  luaL_newmetatable(L, HANDLE);
  luaL_setfuncs(L, methods, 0);
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  luaL_requiref(L, "_luna.promise", luaopen__luna_promise, 0); /* setUnhandled belongs to both */
  lua_getfield(L, -1, "setUnhandled");
  lua_setfield(L, -3, "setUnhandled");
  lua_pop(L, 1);
  return 1;
}

/* Promises: see promise.h; what one does as a value (fields, operators) is in promise_meta.c, all that
 * scripts do with promises otherwise goes through functions of luna. Tasks that wait are linked in the
 * struct, callbacks run as tasks. */
#include "bind/promise.h"
#include "bind/join.h"
#include "base/log.h"

#define ALL "luna.awaitAll"               /* registry: function(list) → promise */
#define INVALID_YIELD "luna.invalidYield" /* registry: function(value) → error */
#define ON_UNHANDLED "luna.onUnhandled"   /* registry: function(err, owner) */

static int meta_ref = LUA_NOREF; /* the metatable: by number it is found sooner than by name */
static const char mark[1];

static struct ln_promise *push_new(lua_State *L, int user_values)
{
  struct ln_promise *p = lua_newuserdatauv(L, sizeof *p, user_values);
  memset(p, 0, sizeof *p);
  p->mark = mark;
  lua_rawgeti(L, LUA_REGISTRYINDEX, meta_ref);
  lua_setmetatable(L, -2);
  return p;
}

struct ln_promise *ln_promise_push(lua_State *L)
{
  return push_new(L, 1);
}

struct ln_promise *ln_promise_push_cancellable(lua_State *L)
{
  return push_new(L, 2);
}

struct ln_promise *ln_promise_test(lua_State *L, int index)
{
  struct ln_promise *p = lua_touserdata(L, index);
  return p && lua_rawlen(L, index) == sizeof *p && p->mark == mark ? p : NULL;
}

static struct ln_promise *check(lua_State *L, int index)
{
  struct ln_promise *p = ln_promise_test(L, index);
  if (!p) luaL_typeerror(L, index, "promise");
  return p;
}

/* Pushes the values of a settled promise; gives their count. index: from the bottom, here as in what follows.
 */
static int push_values(lua_State *L, int index, const struct ln_promise *p)
{
  if (p->n == 0) return 0;
  lua_getiuservalue(L, index, 1);
  if (p->n == 1) return 1;
  int table = lua_gettop(L);
  luaL_checkstack(L, p->n + 1, "too many values");
  for (int i = 1; i <= p->n; i++) lua_rawgeti(L, table, i);
  lua_remove(L, table);
  return p->n;
}

static char unhandled[1];  /* registry: set of failed promises nobody has looked at */
static bool any_unhandled; /* it is not empty, for who asks each turn */

/* Pushes the set; false and nothing pushed where there is none yet. Without an allocation. */
static bool push_unhandled(lua_State *L)
{
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, unhandled) == LUA_TTABLE) return true;
  lua_pop(L, 1);
  return false;
}

static void waiter_link(struct ln_promise *p, struct ln_task *t)
{
  struct ln_task *first = p->waiters;
  if (!first) {
    p->waiters = t->next = t->prev = t;
    return;
  }
  t->next = first;
  t->prev = first->prev;
  first->prev->next = t;
  first->prev = t;
}

static void waiter_unlink(struct ln_task *t)
{
  struct ln_promise *p = t->promise;
  t->prev->next = t->next;
  t->next->prev = t->prev;
  if (p->waiters == t) p->waiters = t->next == t ? NULL : t->next;
}

static void waiter_cancel(struct ln_task *t, void *ctx)
{
  (void)ctx;
  if (ln_timer_running(&t->timer)) {
    ln_timer_stop(&t->timer);
    ln_host_unref(ln_host_get());
  }
  waiter_unlink(t);
}

/* callbacks get (err, values…): the function on top of L (popped) is started as a task. index: the promise.
 */
static void start_callback(lua_State *L, int index, struct ln_promise *p)
{
  int n;
  if (p->state == LN_PROMISE_FAILED) {
    n = push_values(L, index, p);
    if (n == 0) {
      lua_pushnil(L);
      n = 1;
    }
  } else {
    lua_pushnil(L);
    n = push_values(L, index, p) + 1;
  }
  ln_task_callback(L, n);
}

static void wake_waiters(lua_State *L, int index, struct ln_promise *p)
{
  while (p->waiters) {
    struct ln_task *t = p->waiters;
    waiter_unlink(t);
    if (ln_timer_running(&t->timer)) {
      ln_timer_stop(&t->timer);
      ln_host_unref(ln_host_get());
    }
    bool failed = p->state == LN_PROMISE_FAILED;
    int n = 0;
    if (p->n > 8) luaL_checkstack(L, p->n + 2, NULL); /* as in ln_promise_settle */
    if (t->timed && !failed) {
      lua_pushboolean(L, 1);
      n = 1;
    }
    n += push_values(L, index, p);
    if (failed && n == 0) {
      lua_pushnil(L);
      n = 1;
    }
    if (n > 8 && !lua_checkstack(t->wait_L, n + 1))
      luaL_error(L, "too many values"); /* as in limit_reached */
    lua_xmove(L, t->wait_L, n);
    ln_task_wake(t, n, failed);
  }
}

/* The task behind it has ended. */
static void disown(struct ln_promise *p)
{
  if (!p->has_task) return;
  p->has_task = false;
  p->owner = p->task->owner;
}

/* What waited by callbacks is on top of L (popped): a function, a join or a list of functions. */
static void tell(lua_State *L, int index, struct ln_promise *p, int type, int key, bool failed)
{
  if (type == LUA_TFUNCTION) {
    p->handled = true;
    start_callback(L, index, p);
  } else if (type == LUA_TUSERDATA) {
    p->handled = true;
    luaL_checkstack(L, p->n + 4, "too many values");
    if (push_values(L, index, p) == 0) lua_pushnil(L);
    if (p->n > 1) lua_settop(L, lua_gettop(L) - p->n + 1);
    ln_join_settled(L, key, failed);
  } else {
    int list = lua_gettop(L);
    lua_Integer count = (lua_Integer)lua_rawlen(L, list);
    if (count > 0) p->handled = true;
    for (lua_Integer i = 1; i <= count; i++) {
      lua_rawgeti(L, list, i);
      start_callback(L, index, p);
    }
    lua_pop(L, 1);
  }
}

/* onResolve's function of the other one: upvalue 1 is the promise. */
static int adopted(lua_State *L)
{
  bool failed = !lua_isnil(L, 1);
  struct ln_promise *p = lua_touserdata(L, lua_upvalueindex(1));
  if (failed)
    lua_settop(L, 1);
  else
    lua_remove(L, 1);
  p->adopts = false;
  ln_promise_settle(L, lua_upvalueindex(1), lua_gettop(L), failed);
  return 0;
}

#define CIRCLE_OF_ONE "a promise cannot resolve to itself"
#define CIRCLE "a promise cannot resolve to one that waits for it: neither would ever be done"

/* Why p cannot take the outcome of the promise at `index`: that one is p, or takes p's, by way of however
 * many; or NULL. */
static const char *circle(lua_State *L, int index, const struct ln_promise *p)
{
  const struct ln_promise *other = lua_touserdata(L, index);
  if (other == p) return CIRCLE_OF_ONE;
  int top = lua_gettop(L);
  lua_pushvalue(L, index);
  while (other != p && other->state == LN_PROMISE_PENDING && other->adopts) {
    lua_getiuservalue(L, -1, 1);
    lua_getfield(L, -1, "of");
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
    other = lua_touserdata(L, -1);
  }
  lua_settop(L, top);
  return other == p ? CIRCLE : NULL;
}

/* The promise takes the outcome of `other`, which is on top of L (popped). While that pends, the list of its
 * callbacks holds the other one under "of", so that cancelling finds it. */
static void adopt(lua_State *L, int index, struct ln_promise *p, struct ln_promise *other)
{
  luaL_checkstack(L, other->n + 6, "too many values");
  int at = lua_gettop(L);
  const char *why = circle(L, at, p);
  if (why) {
    lua_pushstring(L, why);
    ln_promise_settle(L, index, 1, true);
  } else if (other->state != LN_PROMISE_PENDING) {
    other->handled = true;
    ln_promise_settle(L, index, push_values(L, at, other), other->state == LN_PROMISE_FAILED);
  } else {
    int type = lua_getiuservalue(L, index, 1);
    if (type != LUA_TTABLE) {
      if (type == LUA_TUSERDATA) ln_join_callback(L, p->key);
      lua_createtable(L, 1, 1);
      lua_insert(L, -2);
      if (type == LUA_TNIL)
        lua_pop(L, 1);
      else
        lua_rawseti(L, -2, 1);
    }
    lua_pushvalue(L, at);
    lua_setfield(L, -2, "of");
    lua_setiuservalue(L, index, 1);
    p->carries = true;
    disown(p);
    p->adopts = true;
    lua_pushcfunction(L, ln_promise_on_resolve);
    lua_pushvalue(L, at);
    lua_pushvalue(L, index);
    lua_pushcclosure(L, adopted, 1);
    lua_call(L, 2, 0);
  }
  lua_settop(L, at - 1);
}

bool ln_promise_settle(lua_State *L, int index, int n, bool failed)
{
  index = lua_absindex(L, index);
  struct ln_promise *p = lua_touserdata(L, index), *other;
  if (p->state != LN_PROMISE_PENDING || p->adopts) {
    lua_pop(L, n);
    return false;
  }
  if (n == 1 && !failed && (other = ln_promise_test(L, -1))) {
    adopt(L, index, p, other);
    return true;
  }
  if (failed && lua_isnil(L, -1)) { /* of error(nil); whoever is told takes nil for no failure */
    lua_pop(L, 1);
    lua_pushliteral(L, "failed without a reason");
  }
  if (n > 8) luaL_checkstack(L, 2, "too many values"); /* else a C function's stack has room */
  if (n > 1) {
    lua_createtable(L, n, 0);
    lua_insert(L, -n - 1);
    for (int i = n; i >= 1; i--) lua_rawseti(L, -i - 1, i);
  }
  bool carried = p->carries;
  int type = LUA_TNIL, key = p->key;
  if (carried) {
    type = lua_getiuservalue(L, index, 1);
    if (n > 0)
      lua_insert(L, -2);
    else
      lua_pushnil(L);
  }
  if (n > 0 || carried) lua_setiuservalue(L, index, 1);
  p->n = n;
  p->state = failed ? LN_PROMISE_FAILED : LN_PROMISE_RESOLVED;
  disown(p);
  if (carried) tell(L, index, p, type, key, failed);
  if (p->waiters) {
    p->handled = true;
    wake_waiters(L, index, p);
  }
  if (failed && !p->handled) {
    if (!push_unhandled(L)) {
      lua_newtable(L);
      lua_pushvalue(L, -1);
      lua_rawsetp(L, LUA_REGISTRYINDEX, unhandled);
    }
    any_unhandled = true;
    lua_pushvalue(L, index);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
  }
  return true;
}

static int report_step(lua_State *L)
{
  if (!push_unhandled(L)) return 0;
  int set = lua_gettop(L);
  lua_pushnil(L);
  if (!lua_next(L, set)) return 0;
  lua_pop(L, 1);
  struct ln_promise *p = lua_touserdata(L, -1);
  lua_pushvalue(L, -1);
  lua_pushnil(L);
  lua_rawset(L, set);
  lua_pushboolean(L, 1);
  if (p->handled) return 1;
  p->handled = true;
  if (lua_getfield(L, LUA_REGISTRYINDEX, ON_UNHANDLED) == LUA_TFUNCTION) {
    if (push_values(L, set + 1, p) == 0) lua_pushnil(L);
    lua_pushinteger(L, p->owner);
    ln_task_spawn(L, 2, false);
  } else {
    push_values(L, set + 1, p);
    ln_log(LN_LOG_ERROR, "task", "%s", luaL_tolstring(L, -1, NULL));
  }
  return 1;
}

bool ln_promise_report_unhandled(struct ln_host *h)
{
  bool any = false;
  lua_State *L = h->L;
  while (any_unhandled) {
    if (!push_unhandled(L)) return any;
    lua_pushnil(L);
    bool more = lua_next(L, -2);
    lua_pop(L, more ? 3 : 1);
    any_unhandled = more;
    if (!more) return any;
    any = true;
    if (ln_host_protect(h, report_step, NULL)) return any;
  }
  return any;
}

static void limit_reached(struct ln_timer *timer)
{
  struct ln_task *t = (struct ln_task *)((char *)timer - offsetof(struct ln_task, timer));
  ln_host_unref(ln_host_get());
  waiter_unlink(t);
  lua_pushboolean(t->wait_L, 0); /* a suspended C call has LUA_MINSTACK slots */
  ln_task_wake(t, 1, false);
}

static const struct ln_wait waiting = {"promise", waiter_cancel};

/* Waits for the promise; for `return` from a C function. seconds < 0: no limit. */
static int await(lua_State *L, int index, struct ln_promise *p, double seconds)
{
  p->handled = true;
  if (p->state == LN_PROMISE_FAILED) {
    if (push_values(L, index, p) == 0) lua_pushnil(L);
    return ln_task_raise(L);
  }
  if (p->state == LN_PROMISE_RESOLVED) {
    if (seconds < 0) return push_values(L, index, p);
    lua_pushboolean(L, 1);
    return push_values(L, index, p) + 1;
  }
  ln_task_check_wait(L);
  struct ln_host *h = ln_host_get();
  struct ln_task *t = h->current;
  t->timed = seconds >= 0;
  if (t->timed) {
    t->timer.fn = limit_reached;
    int64_t due = ln_time_after(ln_clock_fresh(t->clock), seconds);
    if (ln_timer_start(t->clock, &t->timer, due)) return luaL_error(L, "out of memory");
    ln_host_ref(h);
  }
  waiter_link(p, t);
  return ln_task_wait(L, &waiting, p);
}

static bool is_promise_list(lua_State *L, int index)
{
  if (lua_type(L, index) != LUA_TTABLE || lua_getmetatable(L, index)) return false;
  bool any = false;
  index = lua_absindex(L, index);
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    any = true;
    if (!ln_promise_test(L, -1)) {
      lua_pop(L, 2);
      return false;
    }
  }
  return any;
}

static int list_ready(lua_State *L, int status, lua_KContext ctx)
{
  (void)status;
  (void)ctx;
  int top = lua_gettop(L);
  return await(L, top, lua_touserdata(L, top), -1);
}

int ln_promise_await_any(lua_State *L)
{
  struct ln_promise *p = ln_promise_test(L, 1);
  if (p) return await(L, 1, p, -1);
  if (is_promise_list(L, 1) && lua_getfield(L, LUA_REGISTRYINDEX, ALL) == LUA_TFUNCTION) {
    lua_pushvalue(L, 1);
    lua_callk(L, 1, 1, 0, list_ready);
    return list_ready(L, LUA_OK, 0);
  }
  lua_settop(L, 1);
  if (lua_getfield(L, LUA_REGISTRYINDEX, INVALID_YIELD) == LUA_TFUNCTION) {
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    return lua_error(L);
  }
  return luaL_error(L, "only a promise or a list of promises can be yielded here");
}

/* --- the Lua side --- */

/* new(canceller?): cancel(p, err) calls it with the error. */
static int p_new(lua_State *L)
{
  if (lua_isnoneornil(L, 1)) {
    ln_promise_push(L);
    return 1;
  }
  luaL_checktype(L, 1, LUA_TFUNCTION);
  ln_promise_push_cancellable(L);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 2);
  return 1;
}

static int p_resolve(lua_State *L)
{
  check(L, 1);
  if (!ln_promise_settle(L, 1, lua_gettop(L) - 1, false)) return luaL_error(L, "promise already resolved");
  return 0;
}

static int p_fail(lua_State *L)
{
  check(L, 1);
  lua_settop(L, 2);
  if (!ln_promise_settle(L, 1, 1, true)) return luaL_error(L, "promise already resolved");
  return 0;
}

static int p_success(lua_State *L)
{
  int n = lua_gettop(L);
  if (n == 1 && ln_promise_test(L, 1)) return luaL_error(L, "a promise cannot be the value of luna.Success");
  ln_promise_push(L);
  lua_insert(L, 1);
  ln_promise_settle(L, 1, n, false);
  return 1;
}

static int p_failure(lua_State *L)
{
  lua_settop(L, 1);
  ln_promise_push(L);
  lua_insert(L, 1);
  ln_promise_settle(L, 1, 1, true);
  return 1;
}

static int p_await(lua_State *L)
{
  struct ln_promise *p = ln_promise_test(L, 1);
  if (p) return await(L, 1, p, -1);
  if (is_promise_list(L, 1)) {
    lua_settop(L, 1);
    return ln_promise_await_any(L);
  }
  lua_settop(L, 1);
  return 1;
}

static int p_await_timeout(lua_State *L)
{
  struct ln_promise *p = check(L, 1);
  double seconds = luaL_checknumber(L, 2);
  return await(L, 1, p, seconds > 0 ? seconds : 0);
}

/* state(p) → "pending" | "resolved" | "failed", whether it was resolved with another promise that pends */
static int p_state(lua_State *L)
{
  static const char *const names[] = {"pending", "resolved", "failed"};
  const struct ln_promise *p = check(L, 1);
  lua_pushstring(L, names[p->state]);
  lua_pushboolean(L, p->adopts);
  return 2;
}

/* circle(p, value) → why p cannot resolve to that promise, or nil */
static int p_circle(lua_State *L)
{
  const struct ln_promise *p = check(L, 1);
  const char *why = ln_promise_test(L, 2) ? circle(L, 2, p) : NULL;
  lua_pushstring(L, why); /* nil for NULL */
  return 1;
}

static int p_values(lua_State *L)
{
  return push_values(L, 1, check(L, 1));
}

int ln_promise_on_resolve(lua_State *L)
{
  struct ln_promise *p = check(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  if (p->state != LN_PROMISE_PENDING) {
    p->handled = true;
    start_callback(L, 1, p);
    return 0;
  }
  int type = lua_getiuservalue(L, 1, 1);
  if (type == LUA_TUSERDATA) {
    ln_join_callback(L, p->key);
    type = LUA_TFUNCTION;
  }
  if (type == LUA_TTABLE) {
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  } else if (type == LUA_TFUNCTION) {
    lua_createtable(L, 2, 0);
    lua_insert(L, -2);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, 2);
    lua_setiuservalue(L, 1, 1);
  } else {
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 1, 1);
    p->carries = true;
  }
  return 0;
}

/* forget(p, fn): undoes onResolve, while p pends. A failure of p counts as seen. */
static int p_forget(lua_State *L)
{
  struct ln_promise *p = check(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  p->handled = true;
  if (p->state != LN_PROMISE_PENDING) return 0;
  int type = lua_getiuservalue(L, 1, 1);
  if (type == LUA_TFUNCTION && lua_rawequal(L, 2, 3)) {
    lua_pushnil(L);
    lua_setiuservalue(L, 1, 1);
    p->carries = false;
  } else if (type == LUA_TTABLE) {
    lua_Integer n = (lua_Integer)lua_rawlen(L, 3), kept = 0;
    for (lua_Integer i = 1; i <= n; i++) {
      lua_rawgeti(L, 3, i);
      if (lua_rawequal(L, 2, -1))
        lua_pop(L, 1);
      else
        lua_rawseti(L, 3, ++kept);
    }
    for (; kept < n; n--) {
      lua_pushnil(L);
      lua_rawseti(L, 3, n);
    }
  }
  return 0;
}

void ln_promise_join(lua_State *L, int index, int join, lua_Integer key)
{
  index = lua_absindex(L, index);
  struct ln_promise *p = lua_touserdata(L, index);
  if (p->state != LN_PROMISE_PENDING) {
    p->handled = true;
    luaL_checkstack(L, p->n + 4, "too many values");
    lua_pushvalue(L, join);
    if (push_values(L, index, p) == 0) lua_pushnil(L);
    if (p->n > 1) lua_settop(L, lua_gettop(L) - p->n + 1);
    ln_join_settled(L, key, p->state == LN_PROMISE_FAILED);
    return;
  }
  if (!p->carries && key <= INT32_MAX) {
    p->key = (int)key;
    lua_pushvalue(L, join);
    lua_setiuservalue(L, index, 1);
    p->carries = true;
    return;
  }
  lua_pushcfunction(L, ln_promise_on_resolve);
  lua_pushvalue(L, index);
  lua_pushvalue(L, join);
  ln_join_callback(L, key);
  lua_call(L, 2, 0);
}

/* callback(fn, …): fn(…) as onResolve's functions are called: in a task, whose failure is luna.loop's. */
static int p_callback(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  ln_task_callback(L, lua_gettop(L) - 1);
  return 0;
}

static int p_is(lua_State *L)
{
  lua_pushboolean(L, ln_promise_test(L, 1) != NULL);
  return 1;
}

static int p_mark_handled(lua_State *L)
{
  check(L, 1)->handled = true;
  return 0;
}

static int p_is_handled(lua_State *L)
{
  lua_pushboolean(L, check(L, 1)->handled);
  return 1;
}

/* cancel(p, err): the canceller gets the error; a task behind it is cancelled with it. True where there was
 * something to cancel. */
static int p_cancel(lua_State *L)
{
  struct ln_promise *p = check(L, 1);
  lua_settop(L, 2);
  bool did = false;
  if (p->state == LN_PROMISE_PENDING && p->adopts) {
    lua_pushcfunction(L, p_cancel);
    lua_getiuservalue(L, 1, 1);
    lua_getfield(L, -1, "of");
    lua_replace(L, -2);
    lua_pushvalue(L, 2);
    lua_call(L, 2, 1);
    did = lua_toboolean(L, -1);
  } else if (p->state == LN_PROMISE_PENDING) {
    if (lua_getiuservalue(L, 1, 2) == LUA_TFUNCTION) {
      lua_pushvalue(L, 2);
      lua_call(L, 1, 0);
      did = true;
    } else if (p->has_task) {
      lua_pushvalue(L, 2);
      ln_task_cancel(p->task, L);
      did = true;
    }
  }
  lua_pushboolean(L, did);
  return 1;
}

static int set_hook(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, lua_tostring(L, lua_upvalueindex(1)));
  return 0;
}

int luaopen__luna_promise(lua_State *L)
{
  static const luaL_Reg functions[] = {{"new", p_new},
                                       {"resolve", p_resolve},
                                       {"fail", p_fail},
                                       {"success", p_success},
                                       {"failure", p_failure},
                                       {"await", p_await},
                                       {"awaitTimeout", p_await_timeout},
                                       {"state", p_state},
                                       {"circle", p_circle},
                                       {"values", p_values},
                                       {"onResolve", ln_promise_on_resolve},
                                       {"forget", p_forget},
                                       {"callback", p_callback},
                                       {"join", ln_join},
                                       {"is", p_is},
                                       {"markHandled", p_mark_handled},
                                       {"isHandled", p_is_handled},
                                       {"cancel", p_cancel},
                                       {NULL, NULL}};
  if (luaL_newmetatable(L, LN_PROMISE_NAME)) {
    ln_promise_fill_meta(L);
    meta_ref = LUA_NOREF;
  }
  if (meta_ref == LUA_NOREF)
    meta_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  else
    lua_pop(L, 1);
  luaL_newlib(L, functions);
  static const struct {
    const char *name, *key;
  } hooks[] = {{"setAll", ALL}, {"setInvalidYield", INVALID_YIELD}, {"setUnhandled", ON_UNHANDLED}};
  for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++) {
    lua_pushstring(L, hooks[i].key);
    lua_pushcclosure(L, set_hook, 1);
    lua_setfield(L, -2, hooks[i].name);
  }
  return 1;
}

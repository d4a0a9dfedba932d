/* _luna.timer: timers and clocks for lua/luna/. A timer's userdata is anchored in the registry while it runs.
 */
#include "bind/task.h"
#include "bind/modules.h"
#include "bind/watch.h"

#define TIMER "luna.Timer"
#define CLOCK "luna.Clock"

struct timer { /* user value 1: table { fn, args… } */
  struct ln_timer timer;
  double every; /* seconds; < 0: once */
  bool referenced;
  struct ln_clock *clock;
  lua_Integer owner;
  int64_t due;
};

struct clock {
  struct ln_clock *clock; /* NULL once freed */
};

static void timer_release(lua_State *L, struct timer *t)
{
  if (t->referenced) ln_host_unref(ln_host_get());
  t->referenced = false;
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, t);
}

static int fire(lua_State *L)
{
  struct timer *t = lua_touserdata(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, t);
  if (lua_getiuservalue(L, -1, 1) != LUA_TTABLE) return 0;
  int table = lua_gettop(L);
  if (t->every >= 0) {
    t->due += (int64_t)(t->every * 1e6);
    int64_t now = ln_clock_now(t->clock);
    if (t->due < now) t->due = now;
    ln_timer_start(t->clock, &t->timer, t->due);
  } else {
    timer_release(L, t);
  }
  lua_getfield(L, table, "n");
  int count = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  luaL_checkstack(L, count + 4, NULL);
  for (int i = 1; i <= count; i++) lua_rawgeti(L, table, i);
  ln_task_spawn_as(L, count - 1, true, t->clock, t->owner);
  return 0;
}

static void timer_fired(struct ln_timer *timer)
{
  struct timer *t = (struct timer *)((char *)timer - offsetof(struct timer, timer));
  ln_host_protect(ln_host_get(), fire, t);
}

static int start(lua_State *L, bool repeat)
{
  double seconds = luaL_checknumber(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  struct ln_host *h = ln_host_get();
  struct ln_clock *clock = h->current ? h->current->clock : ln_loop_clock(h->loop);
  int n = lua_gettop(L) - 1;
  if (!(seconds >= 0)) seconds = 0;
  if (seconds > 1e9) seconds = 1e9;
  struct timer *t = lua_newuserdatauv(L, sizeof *t, 1);
  memset(t, 0, sizeof *t);
  luaL_setmetatable(L, TIMER);
  lua_insert(L, 2);
  lua_createtable(L, n, 1);
  lua_insert(L, 3);
  for (int i = n; i >= 1; i--) lua_rawseti(L, 3, i);
  lua_pushinteger(L, n);
  lua_setfield(L, 3, "n");
  lua_settop(L, 3);
  lua_setiuservalue(L, 2, 1);
  lua_pushvalue(L, 2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, t);
  t->timer.fn = timer_fired;
  t->every = repeat ? seconds : -1;
  t->clock = clock;
  t->owner = h->current ? h->current->owner : 0;
  t->due = ln_clock_fresh(clock) + (int64_t)(seconds * 1e6);
  if (ln_timer_start(clock, &t->timer, t->due)) {
    timer_release(L, t);
    return luaL_error(L, "out of memory");
  }
  t->referenced = true;
  ln_host_ref(h);
  return 1;
}

static int f_after(lua_State *L)
{
  return start(L, false);
}

static int f_every(lua_State *L)
{
  return start(L, true);
}

/* left(timer) → the seconds until it fires, or nil where it does not run. */
static int f_left(lua_State *L)
{
  struct timer *t = luaL_checkudata(L, 1, TIMER);
  if (ln_timer_running(&t->timer))
    lua_pushnumber(L, (lua_Number)(t->due - ln_clock_now(t->clock)) / 1e6);
  else
    lua_pushnil(L);
  return 1;
}

static int f_cancel(lua_State *L)
{
  struct timer *t = luaL_checkudata(L, 1, TIMER);
  bool ran = ln_timer_running(&t->timer);
  if (ran) {
    ln_timer_stop(&t->timer);
    timer_release(L, t);
  }
  t->every = -1;
  lua_pushboolean(L, ran);
  return 1;
}

/* When the state closes, timers that still run must leave the clock's heap before their memory goes. */
static int timer_gc(lua_State *L)
{
  struct timer *t = lua_touserdata(L, 1);
  ln_timer_stop(&t->timer);
  return 0;
}

static int f_unref(lua_State *L)
{
  struct timer *t = luaL_checkudata(L, 1, TIMER);
  if (t->referenced) ln_host_unref(ln_host_get());
  t->referenced = false;
  lua_settop(L, 1);
  return 1;
}

static struct ln_clock *current_clock(void)
{
  struct ln_host *h = ln_host_get();
  return h->current ? h->current->clock : ln_loop_clock(h->loop);
}

static int f_now(lua_State *L)
{
  lua_pushnumber(L, (lua_Number)ln_clock_fresh(current_clock()) / 1e6);
  return 1;
}

static int f_wall(lua_State *L)
{
  struct ln_clock *c = current_clock();
  lua_pushnumber(L, (lua_Number)(ln_clock_is_virtual(c) ? ln_clock_wall(c) : ln_clock_wall_us()) / 1e6);
  return 1;
}

static struct clock *check_clock(lua_State *L, int index)
{
  struct clock *c = luaL_checkudata(L, index, CLOCK);
  if (!c->clock) luaL_argerror(L, index, "this clock has been freed");
  return c;
}

static int f_new_virtual(lua_State *L)
{
  double wall = luaL_optnumber(L, 1, 1767225600); /* 2026-01-01: the same in every run */
  struct clock *c = lua_newuserdatauv(L, sizeof *c, 0);
  c->clock = NULL;
  luaL_setmetatable(L, CLOCK);
  if (ln_clock_new_virtual(ln_host_get()->loop, (int64_t)(wall * 1e6), &c->clock))
    return luaL_error(L, "out of memory");
  if (ln_host_add_clock(ln_host_get(), c->clock)) {
    ln_clock_free(c->clock);
    c->clock = NULL;
    return luaL_error(L, "too many virtual clocks: free those that are no longer used");
  }
  return 1;
}

static int f_use_clock(lua_State *L)
{
  struct ln_task *t = ln_task_current(L);
  t->clock = lua_isnoneornil(L, 1) ? ln_loop_clock(ln_host_get()->loop) : check_clock(L, 1)->clock;
  return 0;
}

static int c_now(lua_State *L)
{
  lua_pushnumber(L, (lua_Number)ln_clock_now(check_clock(L, 1)->clock) / 1e6);
  return 1;
}

static int c_wall(lua_State *L)
{
  lua_pushnumber(L, (lua_Number)ln_clock_wall(check_clock(L, 1)->clock) / 1e6);
  return 1;
}

/* The time has come, and with it what else was due then: once more, so that this has run too. */
static int settle(lua_State *L, int status, lua_KContext ctx)
{
  (void)status;
  (void)ctx;
  ln_task_woken(L);
  const struct clock *c = luaL_checkudata(L, 1, CLOCK);
  if (!c->clock) return 0;
  lua_settop(L, 1);
  lua_pushinteger(L, 0);
  return ln_task_sleep(L, c->clock);
}

/* advance(s): sleeps on that clock, whatever the task's own is; the host moves the clock while it waits. */
static int c_advance(lua_State *L)
{
  struct clock *c = check_clock(L, 1);
  if (!(luaL_checknumber(L, 2) >= 0)) return luaL_argerror(L, 2, "a clock goes forward only");
  lua_settop(L, 2);
  return ln_task_sleep_then(L, c->clock, settle);
}

static int c_free(lua_State *L)
{
  struct clock *c = luaL_checkudata(L, 1, CLOCK);
  struct ln_host *h = ln_host_get();
  if (!c->clock) return 0;
  if (h) {
    for (struct ln_task *t = ln_task_next(h, NULL); t; t = ln_task_next(h, t))
      if (t->clock == c->clock) t->clock = ln_loop_clock(h->loop);
    ln_watch_forget_clock(L, c->clock);
    ln_host_retire_clock(h, c->clock); /* connections and timers may still be on it */
  } else {
    ln_clock_free(c->clock);
  }
  c->clock = NULL;
  return 0;
}

int luaopen__luna_timer(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"after", f_after},        {"every", f_every}, {"cancel", f_cancel}, {"unref", f_unref},
      {"left", f_left},          {"now", f_now},     {"wall", f_wall},     {"newVirtual", f_new_virtual},
      {"useClock", f_use_clock}, {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"now", c_now}, {"wall", c_wall}, {"advance", c_advance}, {"free", c_free}, {NULL, NULL}};
  luaL_newmetatable(L, TIMER);
  lua_pushcfunction(L, timer_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newmetatable(L, CLOCK);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_setfuncs(L, methods, 0);
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}

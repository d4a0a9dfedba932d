/* What scripts get instead of the standard os.exit, os.time and os.date: an exit that ends the program
 * cleanly, and a time that is the task's own, which in a test is the world's. */
#include "bind/host.h"
#include "bind/modules.h"
#include "bind/task.h"

static bool virtual_wall(lua_Integer *seconds)
{
  struct ln_host *h = ln_host_get();
  if (!h->current || !ln_clock_is_virtual(h->current->clock)) return false;
  *seconds = ln_clock_wall(h->current->clock) / LN_US_PER_S;
  return true;
}

/* upvalue 1: the standard function */
static int os_time(lua_State *L)
{
  lua_Integer now;
  if (lua_isnoneornil(L, 1) && virtual_wall(&now)) {
    lua_pushinteger(L, now);
    return 1;
  }
  int n = lua_gettop(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, n, 1);
  return 1;
}

static int os_date(lua_State *L)
{
  lua_Integer now;
  if (lua_gettop(L) == 0) lua_pushliteral(L, "%c");
  if (lua_isnoneornil(L, 2) && virtual_wall(&now)) {
    lua_settop(L, 1);
    lua_pushinteger(L, now);
  }
  int n = lua_gettop(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, n, 1);
  return 1;
}

/* The caller never goes on; a continuation is what lets it wait for the end rather than raise. */
static int never_back(lua_State *L, int status, lua_KContext ctx)
{
  (void)L;
  (void)status;
  (void)ctx;
  return 0;
}

/* os.exit(code, close): through _luna.task.exit, so that calls end and the session is saved. */
static int os_exit(lua_State *L)
{
  lua_settop(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, "_luna.task") != LUA_TTABLE) return luaL_error(L, "the host is not up yet");
  lua_getfield(L, -1, "exit");
  lua_pushvalue(L, 1);
  lua_callk(L, 1, 0, 0, never_back);
  return 0;
}

static void wrap(lua_State *L, const char *name, lua_CFunction fn)
{
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, fn, 1);
  lua_setfield(L, -2, name);
}

void ln_os_install(lua_State *L)
{
  lua_getglobal(L, "os");
  wrap(L, "time", os_time);
  wrap(L, "date", os_date);
  wrap(L, "exit", os_exit);
  lua_pop(L, 1);
}

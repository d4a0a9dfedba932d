/* See traceback.h. */
#include "bind/traceback.h"

#include <lauxlib.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

void ln_traceback(lua_State *L, lua_State *of, const char *message, int level)
{
  luaL_traceback(L, of, NULL, level);
  const char *line = lua_tostring(L, -1);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  if (message) {
    luaL_addstring(&b, message);
    luaL_addchar(&b, '\n');
  }
  for (bool first = true;; first = false) {
    const char *end = strchr(line, '\n');
    size_t n = end ? (size_t)(end - line) : strlen(line);
    if (n < 4 || memcmp(line, "\t?: ", 4) != 0) {
      if (!first) luaL_addchar(&b, '\n');
      luaL_addlstring(&b, line, n);
    }
    if (!end) break;
    line = end + 1;
  }
  luaL_pushresult(&b);
  lua_remove(L, -2);
}

/* debug.traceback([thread,] [message [, level]]) */
static int traceback(lua_State *L)
{
  int arg = lua_isthread(L, 1) ? 1 : 0;
  lua_State *of = arg ? lua_tothread(L, 1) : L;
  const char *message = lua_tostring(L, arg + 1);
  if (!message && !lua_isnoneornil(L, arg + 1)) {
    lua_pushvalue(L, arg + 1);
    return 1;
  }
  ln_traceback(L, of, message, (int)luaL_optinteger(L, arg + 2, of == L ? 1 : 0));
  return 1;
}

static lua_CFunction original_getinfo;

/* debug.getinfo([thread,] f [, what]): Lua 5.4.4 crashes where a function without lines, as the library's
 * are, is asked for its active ones ("L"): then it is not asked. */
static int getinfo(lua_State *L)
{
  int arg = lua_isthread(L, 1) ? 1 : 0;
  lua_State *of = arg ? lua_tothread(L, 1) : L;
  const char *what = lua_tostring(L, arg + 2);
  const char *lines = what ? strchr(what, 'L') : NULL;
  lua_Debug ar = {0};
  bool found = false;
  if (lines && lua_isfunction(L, arg + 1)) {
    lua_pushvalue(L, arg + 1);
    found = lua_getinfo(L, ">S", &ar);
  } else if (lines && lua_isinteger(L, arg + 1) && lua_tointeger(L, arg + 1) >= 0 &&
             lua_tointeger(L, arg + 1) < INT_MAX) {
    found = lua_getstack(of, (int)lua_tointeger(L, arg + 1), &ar) && lua_getinfo(of, "S", &ar);
  }
  if (found && ar.source && strcmp(ar.source, "=?") == 0) {
    luaL_gsub(L, what, "L", "");
    lua_replace(L, arg + 2);
  }
  return original_getinfo(L);
}

void ln_traceback_install(lua_State *L)
{
  lua_getglobal(L, "debug");
  if (lua_getfield(L, -1, "getinfo") == LUA_TFUNCTION && lua_tocfunction(L, -1) != getinfo) {
    original_getinfo = lua_tocfunction(L, -1);
    lua_pushcfunction(L, getinfo);
    lua_setfield(L, -3, "getinfo");
  }
  lua_pop(L, 1);
  lua_pushcfunction(L, traceback);
  lua_setfield(L, -2, "traceback");
  lua_pop(L, 1);
}

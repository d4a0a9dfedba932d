/* See traceback.h. */
#include "bind/traceback.h"

#include <lauxlib.h>
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

void ln_traceback_install(lua_State *L)
{
  lua_getglobal(L, "debug");
  lua_pushcfunction(L, traceback);
  lua_setfield(L, -2, "traceback");
  lua_pop(L, 1);
}

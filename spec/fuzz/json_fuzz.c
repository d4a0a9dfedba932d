/* JSON from strangers: what is decoded can be encoded, and that text gives the same text again. Where it is
 * refused, the place lies inside the text. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "bind/modules.h"

#include <lauxlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static lua_State *L;

static void check(bool holds)
{
  if (!holds) abort();
}

/* json.<name>(value on top) → its results, the value is popped. */
static int call(const char *name, int results)
{
  lua_getfield(L, 1, name);
  lua_insert(L, -2);
  return lua_pcall(L, 1, results, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (!L) {
    L = luaL_newstate();
    luaopen__luna_json(L);
  }
  lua_settop(L, 1);
  lua_pushlstring(L, (const char *)data, size);
  check(call("decode", 5) == LUA_OK);
  if (!lua_toboolean(L, 2)) {
    check(lua_tointeger(L, 4) >= 1 && lua_tointeger(L, 4) <= (lua_Integer)size + 1);
    return 0;
  }
  lua_settop(L, 3);
  check(call("encode", 1) == LUA_OK); /* 3: text */
  lua_pushvalue(L, 3);
  check(call("decode", 5) == LUA_OK);
  check(lua_toboolean(L, 4));
  lua_settop(L, 5);
  check(call("encode", 1) == LUA_OK);
  check(lua_rawequal(L, 3, 5));
  return 0;
}

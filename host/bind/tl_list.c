/* What a script may give for a vector: a table with the keys 1…n and no others. A hole, or a key beside them,
 * is a mistake: what stands there would be left out without a word. */
#include "bind/tl.h"

#include <lauxlib.h>
#include <string.h>

static bool is_place(lua_State *L, int index)
{
  return lua_isinteger(L, index) && lua_tointeger(L, index) >= 1;
}

/* Pushes a sentence about the table at `index`, which has n places, the last of them at `last`. */
static void push_mistake(lua_State *L, int index, lua_Integer n, lua_Integer last)
{
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    if (is_place(L, -2)) continue;
    bool is_string = lua_type(L, -2) == LUA_TSTRING;
    if (is_string && strcmp(lua_tostring(L, -2), "n") == 0 && lua_isinteger(L, -1)) continue;
    luaL_tolstring(L, -2, NULL);
    lua_pushfstring(L, "a list has the keys 1, 2, 3, … alone, this one has %s%s%s too", is_string ? "\"" : "",
                    lua_tostring(L, -1), is_string ? "\"" : "");
    return;
  }
  lua_Integer hole = 1;
  while (lua_rawgeti(L, index, hole) != LUA_TNIL) {
    lua_pop(L, 1);
    hole++;
  }
  if (n == last)
    lua_pushfstring(L, "the list has %I items, though its \"n\" says otherwise", n);
  else
    lua_pushfstring(L, "the list has a hole: there is nothing at %I, but something at %I", hole, last);
}

bool ln_bind_tl_list(lua_State *L, int index, lua_Integer *n)
{
  lua_Integer last = 0, counted = -1;
  bool known = true;
  luaL_checkstack(L, 5, "too deep");
  index = lua_absindex(L, index);
  *n = 0;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    if (is_place(L, -2)) {
      if (lua_tointeger(L, -2) > last) last = lua_tointeger(L, -2);
      ++*n;
    } else if (lua_type(L, -2) == LUA_TSTRING && strcmp(lua_tostring(L, -2), "n") == 0 &&
               lua_isinteger(L, -1)) {
      counted = lua_tointeger(L, -1); /* by table.pack */
    } else {
      known = false;
    }
  }
  if (known && last == *n && (counted < 0 || counted == *n)) return true;
  push_mistake(L, index, *n, last);
  return false;
}

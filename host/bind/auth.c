/* An auth key with its salts as a Lua table, { key, salt, offset, salts = { { salt, since, until }, … } },
 * and back. For client.c, store.c and server.c. */
#include "bind/client.h"

void ln_bind_push_auth(lua_State *L, const uint8_t key[256], uint64_t salt, double offset)
{
  lua_createtable(L, 0, 4);
  lua_pushlstring(L, (const char *)key, 256);
  lua_setfield(L, -2, "key");
  lua_pushinteger(L, (lua_Integer)salt);
  lua_setfield(L, -2, "salt");
  lua_pushnumber(L, offset);
  lua_setfield(L, -2, "offset");
}

void ln_bind_push_salts(lua_State *L, const struct ln_salt *salts, size_t n)
{
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    lua_createtable(L, 3, 0);
    lua_pushinteger(L, (lua_Integer)salts[i].salt);
    lua_rawseti(L, -2, 1);
    lua_pushinteger(L, salts[i].valid_since);
    lua_rawseti(L, -2, 2);
    lua_pushinteger(L, salts[i].valid_until);
    lua_rawseti(L, -2, 3);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, -2, "salts");
}

size_t ln_bind_read_salts(lua_State *L, int auth, struct ln_salt *out, size_t max)
{
  size_t n = 0;
  if (lua_getfield(L, auth, "salts") == LUA_TTABLE) {
    for (lua_Integer i = 1; n < max && lua_rawgeti(L, -1, i) == LUA_TTABLE; i++, n++) {
      lua_rawgeti(L, -1, 1);
      lua_rawgeti(L, -2, 2);
      lua_rawgeti(L, -3, 3);
      out[n].salt = (uint64_t)lua_tointeger(L, -3);
      out[n].valid_since = lua_tointeger(L, -2);
      out[n].valid_until = lua_tointeger(L, -1);
      lua_pop(L, 4);
    }
    if (n < max) lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return n;
}

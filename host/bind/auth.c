/* What a connection is told from Lua and tells it, in bytes: the prefix of its first call; and an auth key
 * with its salts as a Lua table, { key, salt, offset, salts = { { salt, since, until }, … } }, and back. For
 * client.c, store.c and server.c. */
#include "bind/client.h"

#include <lauxlib.h>

#include "tl/schema.h"
#include "tl/writer.h"

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

static lua_Integer integer(lua_State *L, const char *name, lua_Integer otherwise)
{
  lua_getfield(L, 1, name);
  lua_Integer v = luaL_optinteger(L, -1, otherwise);
  lua_pop(L, 1);
  return v;
}

/* https://core.telegram.org/method/invokeWithLayer, https://core.telegram.org/method/initConnection */
int ln_bind_encode_prefix(lua_State *L)
{
  static const char *const texts[] = {"device_model",     "system_version", "app_version",
                                      "system_lang_code", "lang_pack",      "lang_code"};
  uint8_t room[4096];
  luaL_checktype(L, 1, LUA_TTABLE);
  struct ln_buf out = {.base = room,
                       .cap = sizeof room,
                       .max = sizeof room}; /* never grows: nothing to free where this throws */
  struct ln_writer w;
  ln_writer_init(&w, &out);
  ln_write_u32(&w, LN_ID_invokeWithLayer);
  ln_write_i32(&w, (int32_t)integer(L, "layer", LN_TL_LAYER));
  ln_write_u32(&w, LN_ID_initConnection);
  ln_write_u32(&w, 0);
  ln_write_i32(&w, (int32_t)integer(L, "api_id", 0));
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct ln_slice s = {NULL, 0};
    if (lua_getfield(L, 1, texts[i]) == LUA_TSTRING) s.p = (const uint8_t *)lua_tolstring(L, -1, &s.n);
    lua_pop(L, 1); /* the table keeps the string alive */
    if (s.n > 400) return luaL_error(L, "%s is longer than 400 bytes", texts[i]);
    ln_write_bytes(&w, s);
  }
  if (w.err) return luaL_error(L, "%s", ln_err_text(w.err));
  lua_pushlstring(L, (char *)ln_buf_data(&out), out.len);
  return 1;
}

/* _luna.json: JSON text and Lua values, both ways, for lua/luna/json.lua. The work is in json_encode.c and
 * json_decode.c. */
#include "bind/json.h"
#include "bind/modules.h"

#define BUFFER "luna.JsonBuffer"
#define BYTES_MAX ((size_t)1 << 30)

struct ln_buf *ln_json_push_buffer(lua_State *L)
{
  struct ln_buf *b = lua_newuserdatauv(L, sizeof *b, 0);
  ln_buf_init(b, BYTES_MAX);
  luaL_setmetatable(L, BUFFER);
  return b;
}

static int buffer_gc(lua_State *L)
{
  ln_buf_deinit(luaL_checkudata(L, 1, BUFFER));
  return 0;
}

/* The length of the UTF-8 sequence at p, 0 where it is none. */
size_t ln_json_utf8(const uint8_t *p, size_t n)
{
  if (p[0] < 0x80) return 1;
  size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
  if (p[0] < 0xc2 || p[0] > 0xf4 || len > n) return 0;
  for (size_t i = 1; i < len; i++)
    if (p[i] >> 6 != 2) return 0;
  if (p[0] == 0xe0 && p[1] < 0xa0) return 0;
  if (p[0] == 0xed && p[1] > 0x9f) return 0; /* surrogates */
  if (p[0] == 0xf0 && p[1] < 0x90) return 0;
  if (p[0] == 0xf4 && p[1] > 0x8f) return 0;
  return len;
}

static int null_tostring(lua_State *L)
{
  lua_pushliteral(L, "null");
  return 1;
}

int luaopen__luna_json(lua_State *L)
{
  static const luaL_Reg functions[] = {{"encode", ln_json_encode}, {"decode", ln_json_decode}, {NULL, NULL}};
  luaL_newmetatable(L, BUFFER);
  lua_pushcfunction(L, buffer_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  lua_createtable(L, 0, 5);
  lua_newtable(L); /* null */
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, null_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pushliteral(L, "null");
  lua_setfield(L, -2, "__name");
  lua_setmetatable(L, -2);
  lua_createtable(L, 0, 1); /* metatable of arrays */
  lua_pushliteral(L, "array");
  lua_setfield(L, -2, "__name");
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "object");
  lua_setfield(L, -2, "__name");
  lua_pushvalue(L, -3);
  lua_setfield(L, -5, "null");
  lua_pushvalue(L, -2);
  lua_setfield(L, -5, "arrays");
  lua_pushvalue(L, -1);
  lua_setfield(L, -5, "objects");
  luaL_setfuncs(L, functions, 3);
  return 1;
}

/* The host's require: yieldable (a module's top level may wait), finds luna.* inside the program (or in the
 * source tree, in development) and the rest along package.path and package.cpath, text only. Bots get one
 * with a cache of their own from lua/luna/environment.lua, built on `_luna.host.searchModule`. */
#include "bind/modules.h"
#include "bind/embedded.h"
#include "bind/host.h"

#include <string.h>

static int find_embedded(const char *name)
{
  static size_t count;
  while (ln_embedded_modules[count].name) count++;
  size_t low = 0, high = count;
  while (low < high) {
    size_t mid = (low + high) / 2;
    int order = strcmp(name, ln_embedded_modules[mid].name);
    if (order == 0) return (int)mid;
    if (order < 0)
      high = mid;
    else
      low = mid + 1;
  }
  return -1;
}

int ln_embedded_load(lua_State *L, const char *name)
{
  int at = find_embedded(name);
  if (at >= 0) {
    const struct ln_embedded *m = &ln_embedded_modules[at];
    lua_pushfstring(L, "@%s", name);
    int status = luaL_loadbufferx(L, (const char *)m->bytes, m->size, lua_tostring(L, -1), "bt");
    lua_remove(L, -2);
    if (status != LUA_OK) lua_error(L);
    return 1;
  }
  if (!*ln_embedded_root || strncmp(name, "luna", 4) != 0 || strstr(name, "..")) return 0;
  const char *suffixes[] = {".lua", "/init.lua"};
  luaL_gsub(L, name, ".", "/");
  for (int i = 0; i < 2; i++) {
    lua_pushfstring(L, "%s/lua/%s%s", ln_embedded_root, lua_tostring(L, -1), suffixes[i]);
    int status = luaL_loadfilex(L, lua_tostring(L, -1), "t");
    lua_remove(L, -2);
    if (status == LUA_OK) {
      lua_remove(L, -2);
      return 1;
    }
    if (status != LUA_ERRFILE) lua_error(L);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return 0;
}

/* searcher: name → loader, where. */
static int search_embedded(lua_State *L)
{
  const char *name = luaL_checkstring(L, 1);
  if (!ln_embedded_load(L, name)) {
    lua_pushfstring(L, "no module '%s' in the program", name);
    return 1;
  }
  lua_pushliteral(L, ":luna:");
  return 2;
}

static int required(lua_State *L, int status, lua_KContext ctx)
{
  (void)status;
  (void)ctx; /* 1 name, 2 loaded, 3 loader data, 4 result */
  if (!lua_isnil(L, 4)) {
    lua_pushvalue(L, 4);
    lua_setfield(L, 2, lua_tostring(L, 1));
  }
  if (lua_getfield(L, 2, lua_tostring(L, 1)) == LUA_TNIL) {
    lua_pushboolean(L, 1);
    lua_copy(L, -1, -2);
    lua_setfield(L, 2, lua_tostring(L, 1));
  }
  lua_pushvalue(L, 3);
  return 2;
}

static int host_require(lua_State *L)
{
  const char *name = luaL_checkstring(L, 1);
  lua_settop(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, 2, name) != LUA_TNIL) return 1;
  lua_pop(L, 1);
  lua_getglobal(L, "package");
  if (lua_getfield(L, -1, "searchers") != LUA_TTABLE)
    return luaL_error(L, "'package.searchers' must be a table");
  lua_remove(L, 3);
  lua_pushliteral(L, ""); /* 4: what the searchers said */
  for (int i = 1;; i++) {
    if (lua_rawgeti(L, 3, i) == LUA_TNIL)
      return luaL_error(L, "module '%s' not found:%s", name, lua_tostring(L, 4));
    lua_pushvalue(L, 1);
    lua_call(L, 1, 2);
    if (lua_isfunction(L, -2)) break;
    if (lua_isstring(L, -2)) {
      lua_pushfstring(L, "%s\n\t%s", lua_tostring(L, 4), lua_tostring(L, -2));
      lua_replace(L, 4);
    }
    lua_settop(L, 4);
  }
  lua_replace(L, 3); /* data */
  lua_replace(L, 4); /* loader */
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 3);
  lua_callk(L, 2, 1, 0, required);
  return required(L, LUA_OK, 0);
}

void ln_require_install(lua_State *L)
{
  lua_pushcfunction(L, host_require);
  lua_setglobal(L, "require");
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "searchers");
  for (lua_Integer i = luaL_len(L, -1); i >= 2; i--) {
    lua_rawgeti(L, -1, i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushcfunction(L, search_embedded);
  lua_rawseti(L, -2, 2);
  lua_pop(L, 2);
}

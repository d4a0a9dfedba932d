/* What a promise does as a value. Indexing one gives a promise of the field, so every name but `onResolve`
 * belongs to what it resolves to; setting a field sets it there; all else says that it was not awaited.
 * Called by promise.c. */
#include "bind/promise.h"

/* Raises where the value at `index` has no fields; the key is at `key`. */
static void check_fields(lua_State *L, int index, int key, const char *event)
{
  if (lua_type(L, index) == LUA_TTABLE) return;
  index = lua_absindex(L, index);
  int type = luaL_getmetafield(L, index, event);
  if (type != LUA_TNIL) {
    lua_pop(L, 1);
    return;
  }
  const char *name = luaL_tolstring(L, key, NULL);
  luaL_error(L, "the promise resolved to a %s value, which has no field '%s'", luaL_typename(L, index), name);
}

/* upvalues: new promise, key [, value] */
static int field_ready(lua_State *L)
{
  bool set = lua_type(L, lua_upvalueindex(3)) != LUA_TNONE;
  if (!lua_isnil(L, 1)) {
    if (!set) {
      lua_settop(L, 1);
      ln_promise_settle(L, lua_upvalueindex(1), 1, true);
    }
    return 0;
  }
  lua_settop(L, 2);
  check_fields(L, 2, lua_upvalueindex(2), set ? "__newindex" : "__index");
  lua_pushvalue(L, lua_upvalueindex(2));
  if (set) {
    lua_pushvalue(L, lua_upvalueindex(3));
    lua_settable(L, 2);
    return 0;
  }
  lua_gettable(L, 2);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, -2);
  ln_promise_settle(L, -2, 1, false);
  return 0;
}

static int field_guard(lua_State *L)
{
  int n = lua_gettop(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_pushcclosure(L, field_ready, 2);
  lua_insert(L, 1);
  if (lua_pcall(L, n, 0, 0) != LUA_OK) { /* the value cannot be indexed: so the field's promise fails */
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, -2);
    ln_promise_settle(L, -2, 1, true);
  }
  return 0;
}

static int m_index(lua_State *L)
{
  luaL_checkudata(L, 1, LN_PROMISE_NAME);
  if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "onResolve") == 0) {
    lua_pushcfunction(L, ln_promise_on_resolve);
    return 1;
  }
  ln_promise_push(L);
  lua_pushcfunction(L, ln_promise_on_resolve);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, -3);
  lua_pushvalue(L, 2);
  lua_pushcclosure(L, field_guard, 2);
  lua_call(L, 2, 0);
  return 1;
}

static int m_newindex(lua_State *L)
{
  struct ln_promise *p = luaL_checkudata(L, 1, LN_PROMISE_NAME);
  lua_settop(L, 3);
  if (p->state == LN_PROMISE_RESOLVED) {
    lua_getiuservalue(L, 1, 1);
    if (p->n == 0) lua_pushnil(L);
    if (p->n > 1) lua_rawgeti(L, 4, 1);
    check_fields(L, -1, 2, "__newindex");
    if (lua_isnil(L, 2)) return luaL_error(L, "the name of a field is nil");
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    lua_settable(L, -3);
    return 0;
  }
  bool handled = p->handled;
  lua_pushcfunction(L, ln_promise_on_resolve);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 3);
  lua_pushcclosure(L, field_ready, 3);
  lua_call(L, 2, 0);
  p->handled = handled;
  return 0;
}

static int m_refuse(lua_State *L)
{
  return luaL_error(L, "promise not awaited");
}

static int m_tostring(lua_State *L)
{
  static const char *const names[] = {"pending", "resolved", "failed"};
  const struct ln_promise *p = luaL_checkudata(L, 1, LN_PROMISE_NAME);
  lua_pushfstring(L, "promise (%s): %p", names[p->state], lua_topointer(L, 1));
  return 1;
}

void ln_promise_fill_meta(lua_State *L)
{
  static const char *const refused[] = {"__len", "__pairs", "__concat", "__add", "__sub",  "__mul",
                                        "__div", "__mod",   "__pow",    "__unm", "__idiv", "__band",
                                        "__bor", "__bxor",  "__shl",    "__shr", "__bnot", "__lt",
                                        "__le",  "__call",  NULL};
  lua_pushcfunction(L, m_index);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, m_newindex);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, m_tostring);
  lua_setfield(L, -2, "__tostring");
  for (int i = 0; refused[i]; i++) {
    lua_pushcfunction(L, m_refuse);
    lua_setfield(L, -2, refused[i]);
  }
  lua_pushliteral(L, "luna.Promise");
  lua_setfield(L, -2, "__metatable");
}

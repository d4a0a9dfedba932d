/* See traceback.h. */
#include "bind/traceback.h"
#include "bind/host.h"

#include <lauxlib.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

enum { FIRST = 10, LAST = 11 }; /* of a deep stack as many levels are shown from each end */

static char names_key;

/* Enters the names of the C functions of all modules into the table at `names`, where modules have come since
 * it was last done (1: how many there were). Of several names the shortest. */
static void learn_names(lua_State *L, int names)
{
  lua_Integer n = 0;
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) n++;
  lua_rawgeti(L, names, 1);
  bool same = lua_tointeger(L, -1) == n;
  lua_pop(L, 1);
  lua_pushinteger(L, n);
  lua_rawseti(L, names, 1);
  if (same) {
    lua_pop(L, 1);
    return;
  }
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TTABLE) continue;
    const char *module = lua_tostring(L, -2);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
      if (lua_type(L, -2) != LUA_TSTRING || !lua_iscfunction(L, -1)) continue;
      lua_pushvalue(L, -1);
      if (strcmp(module, LUA_GNAME) == 0)
        lua_pushvalue(L, -3);
      else
        lua_pushfstring(L, "%s.%s", module, lua_tostring(L, -3));
      lua_pushvalue(L, -2);
      bool better = lua_rawget(L, names) != LUA_TSTRING || lua_rawlen(L, -1) > lua_rawlen(L, -2);
      lua_pop(L, 1);
      if (better)
        lua_rawset(L, names);
      else
        lua_pop(L, 2);
    }
  }
  lua_pop(L, 1);
}

/* The name of the C function on top, which is popped: pushed, or false. */
static void name_of(lua_State *L, int names)
{
  lua_pushvalue(L, -1);
  if (lua_rawget(L, names) == LUA_TNIL) {
    lua_pop(L, 1);
    learn_names(L, names);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, names) == LUA_TNIL) {
      lua_pop(L, 1);
      lua_pushvalue(L, -1);
      lua_pushboolean(L, 0);
      lua_rawset(L, names);
      lua_pushboolean(L, 0);
    }
  }
  lua_remove(L, -2);
}

/* Pushes what a level is: "function 'string.gsub'", "local 'f'", "function <bot.lua:3>". */
static void push_function(lua_State *L, lua_State *of, lua_Debug *ar, int names)
{
  if (*ar->what == 'C' && lua_checkstack(of, 1) && lua_getinfo(of, "f", ar)) {
    lua_xmove(of, L, 1);
    name_of(L, names);
    if (lua_isstring(L, -1)) {
      lua_pushfstring(L, "function '%s'", lua_tostring(L, -1));
      lua_remove(L, -2);
      return;
    }
    lua_pop(L, 1);
  }
  if (*ar->namewhat)
    lua_pushfstring(L, "%s '%s'", ar->namewhat, ar->name);
  else if (*ar->what == 'm')
    lua_pushliteral(L, "main chunk");
  else if (*ar->what == 'C')
    lua_pushliteral(L, "?");
  else
    lua_pushfstring(L, "function <%s:%d>", ar->short_src, ar->linedefined);
}

static int last_level(lua_State *L)
{
  lua_Debug ar;
  int there = 0, gone = 1;
  while (lua_getstack(L, gone, &ar)) {
    there = gone;
    gone *= 2;
  }
  while (gone - there > 1) {
    int middle = there + (gone - there) / 2;
    if (lua_getstack(L, middle, &ar))
      there = middle;
    else
      gone = middle;
  }
  return there;
}

void ln_traceback(lua_State *L, lua_State *of, const char *message, int level)
{
  lua_Debug ar;
  luaL_Buffer b;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  ln_host_weak_table(L, &names_key);
  int names = lua_gettop(L);
  int last = last_level(of), head = level + FIRST, tail = last - LAST + 1;
  luaL_buffinit(L, &b);
  if (message) {
    luaL_addstring(&b, message);
    luaL_addchar(&b, '\n');
  }
  luaL_addstring(&b, "stack traceback:");
  for (; lua_getstack(of, level, &ar); level++) {
    if (level == head && tail > head) {
      lua_pushfstring(L, "\n\t...\t(skipping %d levels)", tail - head);
      luaL_addvalue(&b);
      level = tail - 1;
      continue;
    }
    lua_getinfo(of, "Slnt", &ar);
    if (strcmp(ar.short_src, "?") != 0) {
      lua_pushfstring(L, ar.currentline > 0 ? "\n\t%s:%d: in " : "\n\t%s: in ", ar.short_src, ar.currentline);
      luaL_addvalue(&b);
      push_function(L, of, &ar, names);
      luaL_addvalue(&b);
    }
    if (ar.istailcall) luaL_addstring(&b, "\n\t(...tail calls...)");
  }
  luaL_pushresult(&b);
  lua_remove(L, names);
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

/* Waiting for many promises at once: what luna.all stands on. A promise that only a join waits for carries it
 * in the place of its callbacks, so that each of a hundred thousand costs neither a closure nor a task. */
#include "bind/join.h"

#define MAX_DEPTH 40 /* joins of joins of …: beyond it the next one is told from the loop */

struct join { /* user values: 1 the table of results, 2 the promise of them */
  lua_Integer left;
  bool over;
};

static int depth;

/* join and, above it, one value or the error on top of L (both popped). */
static void step(lua_State *L, lua_Integer key, bool failed)
{
  struct join *j = lua_touserdata(L, -2);
  if (j->over) {
    lua_pop(L, 2);
    return;
  }
  if (failed) {
    j->over = true;
    lua_getiuservalue(L, -2, 2);
    lua_insert(L, -2);
  } else {
    lua_getiuservalue(L, -2, 1);
    lua_insert(L, -2);
    lua_rawseti(L, -2, key);
    if (--j->left > 0) {
      lua_pop(L, 2);
      return;
    }
    j->over = true;
    lua_getiuservalue(L, -2, 2);
    lua_insert(L, -2);
  }
  depth++;
  ln_promise_settle(L, -2, 1, failed);
  depth--;
  lua_pop(L, 2);
}

static int step_later(lua_State *L)
{
  step(L, lua_tointeger(L, lua_upvalueindex(1)), lua_toboolean(L, lua_upvalueindex(2)));
  return 0;
}

/* onResolve's function, where the promise has other callbacks too: upvalues join, key. */
static int callback(lua_State *L)
{
  bool failed = !lua_isnil(L, 1);
  lua_settop(L, failed ? 1 : 2);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, -2);
  step(L, lua_tointeger(L, lua_upvalueindex(2)), failed);
  return 0;
}

void ln_join_callback(lua_State *L, lua_Integer key)
{
  lua_pushinteger(L, key);
  lua_pushcclosure(L, callback, 2);
}

void ln_join_settled(lua_State *L, lua_Integer key, bool failed)
{
  luaL_checkstack(L, 12, NULL); /* one join's step settles the next one's promise on the same stack */
  if (depth < MAX_DEPTH) {
    step(L, key, failed);
    return;
  }
  lua_pushinteger(L, key);
  lua_pushboolean(L, failed);
  lua_pushcclosure(L, step_later, 2);
  lua_insert(L, -3);
  ln_task_spawn(L, 2, true);
  lua_pop(L, 1);
}

/* join(list) → promise, results, n: of a table with nothing but promises under the keys 1…n (holes allowed);
 * nothing for any other table, or an empty one. The first failure fails it. */
int ln_join(lua_State *L)
{
  lua_Integer n = 0, count = 0;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
    if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) < 1 || !ln_promise_test(L, -1)) return 0;
    if (lua_tointeger(L, -2) > n) n = lua_tointeger(L, -2);
    count++;
  }
  if (count == 0) return 0;
  lua_createtable(L, n <= 2 * count && n < INT32_MAX ? (int)n : 0, 0); /* 2 */
  ln_promise_push(L);                                                  /* 3 */
  struct join *j = lua_newuserdatauv(L, sizeof *j, 2);                 /* 4 */
  j->left = count;
  j->over = false;
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, 4, 1);
  lua_pushvalue(L, 3);
  lua_setiuservalue(L, 4, 2);
  for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) ln_promise_join(L, -1, 4, lua_tointeger(L, -2));
  lua_pushvalue(L, 3);
  lua_pushvalue(L, 2);
  lua_pushinteger(L, n);
  return 3;
}

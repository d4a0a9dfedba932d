/* The coroutine library of scripts. A user's coroutine may call what waits: the wait goes outward through
 * resume/wrap to the task and the wake comes back in the same way, so that generators may use the API. Their
 * own yields are untouched. */
#include "bind/task.h"
#include "bind/promise.h"

/* In the extra space of a user's coroutine while a wait of the host passes through it. */
static char waiting_mark;

static void **mark_of(lua_State *co)
{
  return (void **)lua_getextraspace(co);
}

static int resume_done(lua_State *L, int status, lua_KContext ctx);

/* Resumes co (index 1 of L) with nargs values already on its stack; gives the count of values on L (first:
 * true/false), or yields outward. */
static int resume_step(lua_State *L, lua_State *co, int nargs)
{
  struct ln_host *h = ln_host_get();
  int nres, blocked = h->blocked;
  if (!lua_isyieldable(L)) h->blocked++;
  int status = ln_gate_resume(co, L, nargs, &nres);
  h->blocked = blocked;
  if (status == LUA_YIELD && h->current && h->current->state != LN_TASK_RUNNING) {
    *mark_of(co) = &waiting_mark;
    lua_pop(co, nres);
    return lua_yieldk(L, 0, (lua_KContext)(intptr_t)co, resume_done);
  }
  if (status == LUA_OK || status == LUA_YIELD) {
    if (!lua_checkstack(L, nres + 1)) {
      lua_pop(co, nres);
      lua_pushboolean(L, 0);
      lua_pushliteral(L, "too many results to resume");
      return 2;
    }
    lua_pushboolean(L, 1);
    lua_xmove(co, L, nres);
    return nres + 1;
  }
  lua_pushboolean(L, 0);
  lua_xmove(co, L, 1);
  return 2;
}

static int deliver(lua_State *L, int n, bool wrap)
{
  if (!wrap) return n;
  if (lua_toboolean(L, -n)) return n - 1;
  lua_State *co = lua_tothread(L, lua_upvalueindex(1));
  int status = lua_status(co);
  if (status != LUA_OK &&
      status != LUA_YIELD) { /* it failed: its <close> variables, as the standard wrap does */
    lua_pushvalue(L, -1);
    lua_xmove(L, co, 1);
    if (lua_resetthread(co) != LUA_OK) {
      lua_xmove(co, L, 1);
      lua_replace(L, -2);
    }
  }
  if (lua_type(L, -1) == LUA_TSTRING) { /* as the standard wrap does: where it happened */
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static bool is_wrap(lua_State *L)
{
  return lua_type(L, lua_upvalueindex(1)) == LUA_TTHREAD;
}

static int resume_done(lua_State *L, int status, lua_KContext ctx)
{
  lua_State *co = (lua_State *)(intptr_t)ctx;
  struct ln_task *t = ln_host_get()->current;
  (void)status;
  *mark_of(co) = NULL;
  return deliver(L, resume_step(L, co, t->wait_L == co ? t->wake_n : 0), is_wrap(L));
}

static int co_resume(lua_State *L)
{
  bool wrap = is_wrap(L);
  if (!wrap) luaL_checktype(L, 1, LUA_TTHREAD);
  lua_State *co = lua_tothread(L, wrap ? lua_upvalueindex(1) : 1);
  int nargs = lua_gettop(L) - (wrap ? 0 : 1);
  const char *why = NULL;
  lua_Debug ar;
  if (*mark_of(co) != NULL)
    why = *mark_of(co) == &waiting_mark ? "cannot resume a coroutine that waits for the host"
                                        : "cannot resume a task of the host";
  else if (lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar))
    why = "cannot resume non-suspended coroutine";
  else if (lua_status(co) == LUA_OK && lua_gettop(co) == 0)
    why = "cannot resume dead coroutine";
  else if (lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD)
    why = "cannot resume dead coroutine";
  else if (!lua_checkstack(co, nargs))
    why = "too many arguments to resume";
  if (why) {
    lua_pushboolean(L, 0);
    lua_pushstring(L, why);
    return deliver(L, 2, wrap);
  }
  lua_xmove(L, co, nargs);
  return deliver(L, resume_step(L, co, nargs), wrap);
}

static int co_create(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *co = lua_newthread(L);
  *mark_of(co) = NULL;
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  return 1;
}

static int co_wrap(lua_State *L)
{
  co_create(L);
  lua_pushcclosure(L, co_resume, 1);
  return 1;
}

static int co_yield(lua_State *L)
{
  struct ln_task *t = ln_host_get()->current;
  if (t && t->L == L) {
    lua_settop(L, 1);
    return ln_promise_await_any(L);
  }
  return lua_yield(L, lua_gettop(L));
}

/* ipairs(promise): its fields are promises too, without end. Upvalue 1: Lua's own ipairs. */
static int values_ipairs(lua_State *L)
{
  luaL_checkany(L, 1);
  if (ln_promise_test(L, 1)) return luaL_error(L, "promise not awaited");
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, 3);
  return 3;
}

static int xpcall_done(lua_State *L, int status, lua_KContext ctx)
{
  (void)ctx;
  if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L) - 2;
  lua_pushboolean(L, 0);
  if (lua_getfield(L, LUA_REGISTRYINDEX, LN_REFUSED) == LUA_TSTRING) {
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, LN_REFUSED);
    if (status == LUA_ERRERR) return 2;
  }
  lua_pop(L, 1);
  lua_pushvalue(L, -2);
  return 2;
}

/* xpcall, which tells a message handler that waits that it cannot. Its error calls the handler anew, until
 * Lua gives up with "error in error handling", which says nothing. */
static int values_xpcall(lua_State *L)
{
  int n = lua_gettop(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_pushboolean(L, 1);
  lua_pushvalue(L, 1);
  lua_rotate(L, 3, 2);
  return xpcall_done(L, lua_pcallk(L, n - 2, LUA_MULTRET, 2, 2, xpcall_done), 2);
}

/* Whether the functions from level 1 on are a message handler's. Then pushes where it waits. */
bool ln_coroutine_in_handler(lua_State *L)
{
  lua_Debug ar, in;
  for (int level = 2; lua_getstack(L, level, &ar); level++) {
    if (!lua_getinfo(L, "f", &ar)) return false;
    bool found = lua_tocfunction(L, -1) == values_xpcall && lua_getlocal(L, &ar, 2) != NULL;
    for (int inner = level - 1; found && inner > 0 && lua_getstack(L, inner, &in); inner--) {
      lua_getinfo(L, "Slf", &in);
      bool same = lua_rawequal(L, -1, -2);
      lua_pop(L, 1);
      if (!same) continue;
      lua_pop(L, 2);
      lua_pushfstring(L, "%s:%d: ", in.short_src, in.currentline);
      return true;
    }
    lua_pop(L, found ? 2 : 1);
  }
  return false;
}

void ln_coroutine_install(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"create", co_create}, {"resume", co_resume}, {"yield", co_yield}, {"wrap", co_wrap}, {NULL, NULL}};
  lua_getglobal(L, "coroutine");
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
  lua_getglobal(L, "ipairs");
  lua_pushcclosure(L, values_ipairs, 1);
  lua_setglobal(L, "ipairs");
  lua_pushcfunction(L, values_xpcall);
  lua_setglobal(L, "xpcall");
}

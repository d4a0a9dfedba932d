/* `require "luv"`: the library of that name, where it is installed, on the host's own loop. Its callbacks run
 * as tasks through the one gate, so they may wait, and their errors are the script's, not the end of the
 * process. What would take the loop away from the host (run, stop, walk, loop_close) lua/luna/luv.lua
 * replaces. */
#include "bind/luv.h"
#include "bind/modules.h"
#include "bind/task.h"
#include "base/log.h"

#include <dlfcn.h>
#include <string.h>

typedef int (*set_loop_fn)(lua_State *L, void *loop);
typedef int (*callback_fn)(lua_State *L, int nargs, int nresult, int flags);
typedef void (*set_callback_fn)(lua_State *L, callback_fn fn);

static struct {
  set_loop_fn set_loop;
  set_callback_fn set_callback;
  bool loaded, closing;
  lua_Integer owner; /* of who required it */
} luv;

/* 1 function, 2… arguments */
static int begin(lua_State *L)
{
  ln_task_spawn_as(L, lua_gettop(L) - 1, false, ln_loop_clock(ln_host_get()->loop), luv.owner);
  return 0;
}

/* luv calls this for each callback: the function and its arguments on top of the main state's stack. */
static int call(lua_State *L, int nargs, int nresult, int flags)
{
  struct ln_host *h = ln_host_get();
  (void)flags;
  if (luv.closing || !lua_checkstack(L, 4)) {
    lua_pop(L, nargs + 1);
    return 0;
  }
  lua_pushcfunction(L, begin);
  lua_insert(L, -nargs - 2);
  if (lua_pcall(L, nargs + 1, 0, 0) != LUA_OK) {
    ln_log(LN_LOG_ERROR, "luv", "a callback could not begin: %s", lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  for (int i = 0; i < nresult; i++) lua_pushnil(L);
  ln_task_drain(h);
  return nresult > 0 ? nresult : 0;
}

static int set_up(lua_State *L)
{
  luv.set_loop(L, ln_loop_handle(ln_host_get()->loop));
  luv.set_callback(L, call);
  return 0;
}

/* The functions of the shared object; raises what is wrong with it. */
static lua_CFunction load(lua_State *L, const char *path)
{
  void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL); /* stays open: its functions are in use to the end */
  if (!object) luaL_error(L, "luv cannot be loaded: %s", dlerror());
  lua_CFunction open = NULL;
  *(void **)&open = dlsym(object, "luaopen_luv");
  *(void **)&luv.set_loop = dlsym(object, "luv_set_loop");
  *(void **)&luv.set_callback = dlsym(object, "luv_set_callback");
  if (!open || !luv.set_loop || !luv.set_callback)
    luaL_error(L, "%s cannot share a loop: a luv of version 1.32 or newer is needed (Debian: lua-luv)", path);
  if (dlsym(object, "uv_run") != dlsym(RTLD_DEFAULT, "uv_run"))
    luaL_error(L,
               "%s brings a libuv of its own and cannot share the loop: install one that uses the system's "
               "(Debian: lua-luv)",
               path);
  return open;
}

int luaopen__luna_luv(lua_State *L)
{
  struct ln_host *h = ln_host_get();
  lua_settop(L, 0);
  lua_getglobal(L, "package");
  lua_getfield(L, 1, "searchpath");
  lua_pushliteral(L, "luv");
  lua_getfield(L, 1, "cpath");
  lua_call(L, 2, 1);
  if (lua_isnil(L, -1)) return luaL_error(L, "module 'luv' is not installed (Debian: lua-luv)");
  lua_CFunction open = load(L, lua_tostring(L, -1));
  luv.owner = h->current ? h->current->owner : 0;
  if (ln_host_protect(h, set_up, NULL)) return luaL_error(L, "luv cannot be set up: out of memory");
  luv.loaded = true;
  lua_settop(L, 0);
  lua_pushcfunction(L, open);
  lua_call(L, 0, 1);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "luna.luv");
  lua_call(L, 1, 1);
  lua_pushvalue(L, 1);
  lua_call(L, 1, 0);
  return 1;
}

bool ln_luv_alive(const struct ln_host *h)
{
  return luv.loaded && ln_loop_foreign(h->loop);
}

/* Its handles stand in the registry; each has a finalizer that closes it. */
static int finalize_all(lua_State *L)
{
  lua_newtable(L);
  int list = lua_gettop(L), n = 0;
  for (lua_pushnil(L); lua_next(L, LUA_REGISTRYINDEX); lua_pop(L, 1)) {
    if (lua_type(L, -1) != LUA_TUSERDATA || luaL_getmetafield(L, -1, "__name") == LUA_TNIL) continue;
    bool is = lua_type(L, -1) == LUA_TSTRING && strncmp(lua_tostring(L, -1), "uv_", 3) == 0;
    lua_pop(L, 1);
    if (!is) continue;
    lua_pushvalue(L, -1);
    lua_rawseti(L, list, ++n);
  }
  for (int i = 1; i <= n; i++) {
    lua_settop(L, list);
    lua_rawgeti(L, list, i);
    if (lua_getfield(L, -1, "is_closing") != LUA_TFUNCTION) continue; /* a request */
    lua_pushvalue(L, -2);
    lua_call(L, 1, 1);
    if (lua_toboolean(L, -1)) continue;
    lua_pop(L, 1);
    if (luaL_getmetafield(L, -1, "__gc") == LUA_TNIL) continue;
    lua_pushvalue(L, -2);
    lua_call(L, 1, 0);
  }
  return 0;
}

bool ln_luv_close(struct ln_host *h)
{
  if (!luv.loaded) return true;
  luv.closing = true;
  ln_host_protect(h, finalize_all, NULL);
  h->closing = true; /* nothing else gets to Lua while its handles close */
  bool done = ln_loop_end_foreign(h->loop);
  memset(&luv, 0, sizeof luv);
  return done;
}

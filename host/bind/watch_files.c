/* _luna.host.watchFiles: files whose changes Lua is told of. The watch's userdata is anchored in the registry
 * until it is closed; it holds the function. */
#include "bind/modules.h"
#include "bind/task.h"
#include "base/alloc.h"
#include "loop/watch_file.h"

#define WATCH "luna.FileWatch"
#define MAX_PATHS 4096

struct files { /* user value 1: the function */
  struct ln_file_watch *watch;
  lua_Integer owner;
};

static int call(lua_State *L)
{
  struct files *f = lua_touserdata(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, f);
  if (lua_getiuservalue(L, -1, 1) != LUA_TFUNCTION) return 0;
  ln_task_spawn_as(L, 0, false, ln_loop_clock(ln_host_get()->loop), f->owner);
  return 0;
}

static void changed(void *ctx)
{
  ln_host_protect(ln_host_get(), call, ctx);
}

/* close(): no more calls. Twice is nothing. */
static int w_close(lua_State *L)
{
  struct files *f = luaL_checkudata(L, 1, WATCH);
  ln_file_watch_close(f->watch);
  f->watch = NULL;
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, f);
  return 0;
}

/* watchFiles(paths, fn) → watch, a list of the paths that were left out. fn() once for a burst of changes to
 * any of them (made, written, replaced, removed), in a task of its own; the folders of the paths have to be
 * there, the files need not, and a star for a file's name is any. Does not keep the program alive. */
static int f_watch_files(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  struct ln_host *h = ln_host_get();
  lua_Integer n = luaL_len(L, 1);
  luaL_argcheck(L, n <= MAX_PATHS, 1, "too many files");
  const char **paths = lua_newuserdatauv(L, (size_t)(n ? n : 1) * sizeof *paths, 0);
  lua_createtable(L, (int)n, 0); /* 4: the strings */
  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, 1, i);
    luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 1, "paths are strings");
    paths[i - 1] = lua_tostring(L, -1);
    lua_rawseti(L, 4, i);
  }
  bool *left = lua_newuserdatauv(L, (size_t)(n ? n : 1) * sizeof *left, 0); /* 5 */
  struct files *f = lua_newuserdatauv(L, sizeof *f, 1);                     /* 6 */
  f->watch = NULL;
  f->owner = h->current ? h->current->owner : 0;
  luaL_setmetatable(L, WATCH);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, 6, 1);
  lua_pushvalue(L, 6);
  lua_rawsetp(L, LUA_REGISTRYINDEX, f);
  if (ln_file_watch_open(h->loop, paths, (size_t)n, changed, f, &f->watch, left)) {
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, f);
    return luaL_error(L, "out of memory");
  }
  lua_newtable(L);
  lua_Integer count = 0;
  for (lua_Integer i = 0; i < n; i++) {
    if (!left[i]) continue;
    lua_geti(L, 4, i + 1);
    lua_rawseti(L, -2, ++count);
  }
  return 2;
}

void ln_watch_files_add(lua_State *L)
{
  static const luaL_Reg methods[] = {{"close", w_close}, {"__gc", w_close}, {NULL, NULL}};
  luaL_newmetatable(L, WATCH);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_setfuncs(L, methods, 0);
  lua_pop(L, 1);
  lua_pushcfunction(L, f_watch_files);
  lua_setfield(L, -2, "watchFiles");
}

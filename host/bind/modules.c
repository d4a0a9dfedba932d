/* The table of C modules, see modules.h. */
#include "bind/modules.h"
#include "bind/traceback.h"

#include <lauxlib.h>

void ln_modules_open(lua_State *L)
{
  static const luaL_Reg modules[] = {{"_luna.task", luaopen__luna_task},
                                     {"_luna.promise", luaopen__luna_promise},
                                     {"_luna.timer", luaopen__luna_timer},
                                     {"_luna.tl", luaopen__luna_tl},
                                     {"_luna.client", luaopen__luna_client},
                                     {"_luna.server", luaopen__luna_server},
                                     {"_luna.store", luaopen__luna_store},
                                     {"_luna.host", luaopen__luna_host},
                                     {"_luna.crypto", luaopen__luna_crypto},
                                     {"_luna.http", luaopen__luna_http},
                                     {"_luna.socket", luaopen__luna_socket},
                                     {"_luna.files", luaopen__luna_files},
                                     {"_luna.json", luaopen__luna_json},
                                     {"_luna.loop", luaopen__luna_loop},
                                     {"luv", luaopen__luna_luv},
                                     {"_luna.repl", luaopen__luna_repl},
                                     {"_luna.breaks", luaopen__luna_breaks},
                                     {"_luna.system", luaopen__luna_system},
                                     {"_luna.record", luaopen__luna_record},
                                     {NULL, NULL}};
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  for (const luaL_Reg *m = modules; m->name; m++) {
    lua_pushcfunction(L, m->func);
    lua_setfield(L, -2, m->name);
  }
  lua_pop(L, 1);
  luaL_requiref(L, "_luna.task", luaopen__luna_task, 0);
  lua_pop(L, 1);
  ln_require_install(L);
  ln_os_install(L);
  ln_traceback_install(L);
}

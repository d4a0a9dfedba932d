/* The C modules of Lua: one line each in modules.c, one file each beside it. */
#ifndef LN_BIND_MODULES_H
#define LN_BIND_MODULES_H

#include <lua.h>

/* Preloads the _luna.* modules, puts the host's require, print, os.exit and os.time in place. */
void ln_modules_open(lua_State *L);

int luaopen__luna_task(lua_State *L);
int luaopen__luna_promise(lua_State *L);
int luaopen__luna_timer(lua_State *L);
int luaopen__luna_tl(lua_State *L);
int luaopen__luna_client(lua_State *L);
int luaopen__luna_server(lua_State *L);
int luaopen__luna_store(lua_State *L);
int luaopen__luna_host(lua_State *L);
int luaopen__luna_crypto(lua_State *L);
int luaopen__luna_http(lua_State *L);
int luaopen__luna_files(lua_State *L);
int luaopen__luna_json(lua_State *L);
int luaopen__luna_loop(lua_State *L);
int luaopen__luna_repl(lua_State *L);
int luaopen__luna_breaks(lua_State *L);
int luaopen__luna_system(lua_State *L);
int luaopen__luna_record(lua_State *L);
int luaopen__luna_socket(lua_State *L);
int luaopen__luna_luv(lua_State *L); /* `require "luv"` (luv.c) */

/* A Lua module that is part of the program, as a loaded chunk on L (true), or nothing. See require.c. */
int ln_embedded_load(lua_State *L, const char *name);
void ln_require_install(lua_State *L);
void ln_os_install(lua_State *L);
void ln_watch_files_add(lua_State *L); /* adds watchFiles to the table on top (watch_files.c) */
/* The number of a signal given by number or name at `index`; raises (hostmod.c). */
int ln_signal_number(lua_State *L, int index);

#endif

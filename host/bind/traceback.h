/* Tracebacks for people. The library inside the program carries no line numbers, so its frames would read "?:
 * in ?": they are left out. */
#ifndef LN_BIND_TRACEBACK_H
#define LN_BIND_TRACEBACK_H

#include <lua.h>

/* As luaL_traceback; pushes the text on L. */
void ln_traceback(lua_State *L, lua_State *of, const char *message, int level);
/* Puts it in the place of debug.traceback. */
void ln_traceback_install(lua_State *L);

#endif

/* Standard input and output for _luna.host: lines as they come, whole writes, and a line editor on a terminal
 * (libedit). */
#ifndef LN_BIND_STDIO_H
#define LN_BIND_STDIO_H

#include <lua.h>

void ln_stdio_add(lua_State *L); /* adds readLines, write, edit to the table on top */
int ln_stdio_usage(lua_State *L);
struct ln_host;
void ln_stdio_close(struct ln_host *h);
void ln_logs_close(struct ln_host *h);

#endif

/* What server.c lends to client.c: a dialer that opens in-memory connections to a sandbox of this process. */
#ifndef LN_BIND_SERVER_H
#define LN_BIND_SERVER_H

#include <lua.h>

#include "client/connection.h"

/* Pushes the value that keeps the dialer and its server alive: whoever may dial holds it. Raises where the
 * value is no open server. */
void ln_bind_server_dialer(lua_State *L, int index, int dc, struct ln_dialer *out);

/* A seed for how long the client's end of such a connection waits before it dials anew, another one for each:
 * so a test's faults make the same run each time. */
uint64_t ln_bind_server_next_seed(lua_State *L, int index);

#endif

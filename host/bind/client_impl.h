/* Inside the binding of connections: what client.c (connect and close), client_call.c (calls and their
 * answers) and client_event.c (what a connection reports) share. */
#ifndef LN_BIND_CLIENT_IMPL_H
#define LN_BIND_CLIENT_IMPL_H

#include "bind/task.h"
#include "bind/tl.h"
#include "base/map.h"
#include "client/connection.h"

#define CONNECTION "luna.Connection"
#define MAX_KEYS 32

/* A connection as Lua holds it. User values: 1 the table of functions `on`, 2 what keeps the sandbox that it
 * dials. */
struct ln_bind_connection {
  struct ln_connection *connection; /* NULL once closed */
  struct ln_rsa *keys[MAX_KEYS];
  const struct ln_rsa *keys_const[MAX_KEYS];
  size_t n_keys;
  struct ln_rsa *loopback_key;
  struct ln_clock *clock;
  struct ln_rng_seeded seeded; /* jitter of an in-memory connection */
  struct ln_map calls;         /* by id */
  uint64_t last_id;
  lua_Integer owner;
  int dc;
};

extern const struct ln_connection_ops ln_bind_connection_ops; /* ctx: the struct ln_bind_connection */

struct ln_bind_connection *ln_bind_check_connection(lua_State *L);      /* at index 1 */
struct ln_bind_connection *ln_bind_check_open_connection(lua_State *L); /* raises where it is closed */

/* client_call.c */
void ln_bind_on_result(void *ctx, void *tag, struct ln_slice result);
void ln_bind_on_error(void *ctx, void *tag, int err, int code, struct ln_slice text);
int ln_bind_call(lua_State *L);
int ln_bind_call_async(lua_State *L);
int ln_bind_calls(lua_State *L);
int ln_bind_set_error_factory(lua_State *L);
void ln_bind_calls_open(lua_State *L); /* what calls need in the registry */

#endif

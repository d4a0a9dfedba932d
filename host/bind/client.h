/* What client.c lends to its neighbours: auth keys and salts as Lua tables { key =, salt =, offset =, salts =
 * { { salt, since, until }, … } }. */
#ifndef LN_BIND_CLIENT_H
#define LN_BIND_CLIENT_H

#include <lua.h>

#include "mtproto/session.h"

void ln_bind_push_auth(lua_State *L, const uint8_t key[256], uint64_t salt, double offset);
void ln_bind_push_salts(lua_State *L, const struct ln_salt *salts,
                        size_t n); /* sets .salts of the table on top */
size_t ln_bind_read_salts(lua_State *L, int auth, struct ln_salt *out, size_t max);

/* encodePrefix{ api_id =, device_model =, … } → the bytes of invokeWithLayer(initConnection(… up to the query
 */
int ln_bind_encode_prefix(lua_State *L);

#endif

/* _luna.client: connections for lua/luna/: making and closing them. Calls are in client_call.c, what a
 * connection reports in client_event.c. */
#include "bind/client.h"
#include "bind/client_impl.h"
#include "bind/modules.h"
#include "bind/server.h"
#include "base/alloc.h"
#include "crypto/hash.h"

/* --- connect --- */

static const void
    *connections; /* their metatable: told by its address, which takes a tenth of luaL_checkudata's time */

struct ln_bind_connection *ln_bind_check_connection(lua_State *L)
{
  void *b = lua_touserdata(L, 1);
  bool is_one = b && lua_getmetatable(L, 1) && lua_topointer(L, -1) == connections;
  if (!is_one) return luaL_checkudata(L, 1, CONNECTION);
  lua_pop(L, 1);
  return b;
}

struct ln_bind_connection *ln_bind_check_open_connection(lua_State *L)
{
  struct ln_bind_connection *b = ln_bind_check_connection(L);
  if (!b->connection) luaL_error(L, "this connection is closed");
  return b;
}

static void release(struct ln_bind_connection *b)
{
  if (b->connection) {
    struct ln_connection *c = b->connection;
    b->connection = NULL;
    ln_connection_close(c);
  }
  ln_map_deinit(&b->calls);
  for (size_t i = 0; i < b->n_keys; i++) ln_rsa_free(b->keys[i]);
  b->n_keys = 0;
  ln_rsa_free(b->loopback_key);
  b->loopback_key = NULL;
}

static int f_gc(lua_State *L)
{
  release(ln_bind_check_connection(L));
  return 0;
}

static struct ln_slice field_bytes(lua_State *L, int table, const char *name)
{
  struct ln_slice s = {NULL, 0};
  if (lua_getfield(L, table, name) == LUA_TSTRING) s.p = (const uint8_t *)lua_tolstring(L, -1, &s.n);
  lua_pop(L, 1); /* the table keeps the string alive */
  return s;
}

static lua_Number field_number(lua_State *L, int table, const char *name, lua_Number otherwise)
{
  lua_getfield(L, table, name);
  lua_Number v = lua_isnil(L, -1) ? otherwise : luaL_checknumber(L, -1);
  lua_pop(L, 1);
  return v;
}

static void read_keys(lua_State *L, struct ln_bind_connection *b, int options)
{
  if (lua_getfield(L, options, "keys") == LUA_TTABLE) {
    for (lua_Integer i = 1; lua_rawgeti(L, -1, i) == LUA_TSTRING; i++) {
      struct ln_slice pem;
      size_t used;
      pem.p = (const uint8_t *)lua_tolstring(L, -1, &pem.n);
      while (b->n_keys < MAX_KEYS && ln_rsa_parse_public(pem, &b->keys[b->n_keys], &used) == LN_OK) {
        b->keys_const[b->n_keys] = b->keys[b->n_keys];
        b->n_keys++;
        pem = ln_slice_from(pem, used);
      }
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  struct ln_slice own = field_bytes(L, options, "loopbackKey");
  if (own.n) ln_rsa_parse_public(own, &b->loopback_key, NULL);
}

static int f_connect(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  struct ln_host *h = ln_host_get();
  struct ln_bind_connection *b = lua_newuserdatauv(L, sizeof *b, 2);
  memset(b, 0, sizeof *b);
  ln_map_init(&b->calls);
  luaL_setmetatable(L, CONNECTION);
  b->clock = h->current ? h->current->clock : ln_loop_clock(h->loop);
  b->owner = h->current ? h->current->owner : 0;
  lua_getfield(L, 1, "on");
  luaL_checktype(L, -1, LUA_TTABLE);
  lua_setiuservalue(L, 2, 1);

  struct ln_connection_config config = {
      .loop = h->loop, .clock = b->clock, .rng = ln_rng_system(), .ops = &ln_bind_connection_ops, .ctx = b};
  config.dc = b->dc = (int)field_number(L, 1, "dc", 2);
  lua_getfield(L, 1, "transport");
  const char *transport = luaL_optstring(L, -1, "intermediate");
  if (ln_frame_config_parse(transport, &config.frame))
    return luaL_error(L,
                      "unknown transport \"%s\": abridged, intermediate, padded or full, with obfuscated- "
                      "before it if wanted",
                      transport);
  lua_pop(L, 1);
  config.frame.dc = config.dc;
  read_keys(L, b, 1);
  config.keys = b->keys_const;
  config.n_keys = b->n_keys;
  config.loopback_key = b->loopback_key;
  config.prefix = field_bytes(L, 1, "prefix");
  config.dial_timeout_us = (int64_t)(field_number(L, 1, "timeout", 10) * 1e6);
  config.temp_key_s = (int32_t)field_number(L, 1, "temporaryKey", 0);
  config.ping_every_us = (int64_t)(field_number(L, 1, "pingEvery", 0) * 1e6);

  struct ln_address addresses[16];
  size_t n = 0;
  if (lua_getfield(L, 1, "addresses") == LUA_TTABLE) {
    for (lua_Integer i = 1; n < 16 && lua_rawgeti(L, -1, i) == LUA_TTABLE; i++) {
      lua_rawgeti(L, -1, 1);
      lua_rawgeti(L, -2, 2);
      addresses[n].host = luaL_checkstring(L, -2); /* anchored by the caller's table */
      addresses[n].port = (int)luaL_checkinteger(L, -1);
      n++;
      lua_pop(L, 3);
    }
    if (n < 16) lua_pop(L, 1);
  }
  lua_pop(L, 1);
  config.addresses = addresses;
  config.n_addresses = n;
  struct ln_dialer dialer;
  struct ln_rng jitter;
  if (lua_getfield(L, 1, "sandbox") == LUA_TUSERDATA) {
    jitter = ln_rng_seeded(&b->seeded, ln_bind_server_next_seed(L, -1));
    config.jitter = &jitter;
    ln_bind_server_dialer(L, -1, config.dc, &dialer);
    config.dialer = &dialer;
    lua_setiuservalue(L, 2, 2);
    lua_pop(L, 1);
  } else {
    lua_pop(L, 1);
    if (n == 0) return luaL_error(L, "no address to connect to");
  }
  struct ln_auth_key key;
  struct ln_salt salts[64];
  if (lua_getfield(L, 1, "auth") == LUA_TTABLE) {
    int auth = lua_gettop(L);
    struct ln_slice bytes = field_bytes(L, auth, "key");
    if (bytes.n != 256) return luaL_error(L, "an auth key has 256 bytes");
    ln_auth_key_init(&key, bytes.p);
    config.key = &key;
    lua_getfield(L, auth, "salt");
    config.salt = (uint64_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
    lua_getfield(L, auth, "offset");
    config.synchronised = lua_isnumber(L, -1);
    config.offset_us = (int64_t)(lua_tonumber(L, -1) * 1e6);
    lua_pop(L, 1);
    config.n_salts = ln_bind_read_salts(L, auth, salts, 64);
    config.salts = salts;
  }
  lua_pop(L, 1);
  int err = ln_connection_new(&config, &b->connection);
  ln_cleanse(&key, sizeof key);
  if (err) return luaL_error(L, "%s", ln_err_text(err));
  lua_pushvalue(L, 2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, b); /* anchored until close */
  lua_settop(L, 2);
  return 1;
}

static int f_close(lua_State *L)
{
  struct ln_bind_connection *b = ln_bind_check_connection(L);
  if (!b->connection) return 0;
  release(b);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, b);
  return 0;
}

static int f_last_request(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)ln_bind_check_connection(L)->last_id);
  return 1;
}

static int f_ack(lua_State *L)
{
  struct ln_bind_connection *b = ln_bind_check_connection(L);
  for (int i = 2, n = lua_gettop(L); b->connection && i <= n; i++)
    ln_connection_ack(b->connection, (uint64_t)luaL_checkinteger(L, i));
  return 0;
}

static int f_state(lua_State *L)
{
  static const char *const names[] = {"down", "dialling", "exchange", "up"};
  struct ln_bind_connection *b = ln_bind_check_connection(L);
  lua_pushstring(L, b->connection ? names[ln_connection_get_state(b->connection)] : "closed");
  return 1;
}

static int f_in_flight(lua_State *L)
{
  struct ln_bind_connection *b = ln_bind_check_connection(L);
  lua_pushinteger(L, b->connection ? (lua_Integer)ln_connection_in_flight(b->connection) : 0);
  return 1;
}

/* temporaryKey() → seconds that it is still good for, or nil: the permanent key is in use */
static int f_temporary_key(lua_State *L)
{
  struct ln_bind_connection *b = ln_bind_check_connection(L);
  int64_t left = b->connection ? ln_connection_temp_key_left(b->connection) : 0;
  if (left)
    lua_pushinteger(L, left);
  else
    lua_pushnil(L);
  return 1;
}

static int f_server_time(lua_State *L)
{
  lua_pushinteger(L, ln_connection_server_time(ln_bind_check_open_connection(L)->connection));
  return 1;
}

int luaopen__luna_client(lua_State *L)
{
  static const luaL_Reg functions[] = {{"connect", f_connect},
                                       {"encodePrefix", ln_bind_encode_prefix},
                                       {"setErrorFactory", ln_bind_set_error_factory},
                                       {NULL, NULL}};
  static const luaL_Reg methods[] = {{"call", ln_bind_call},
                                     {"callAsync", ln_bind_call_async},
                                     {"calls", ln_bind_calls},
                                     {"lastRequest", f_last_request},
                                     {"ack", f_ack},
                                     {"close", f_close},
                                     {"state", f_state},
                                     {"inFlight", f_in_flight},
                                     {"temporaryKey", f_temporary_key},
                                     {"serverTime", f_server_time},
                                     {"__gc", f_gc},
                                     {NULL, NULL}};
  ln_bind_calls_open(L);
  luaL_newmetatable(L, CONNECTION);
  connections = lua_topointer(L, -1);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_setfuncs(L, methods, 0);
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}

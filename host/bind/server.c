/* _luna.server: the sandbox's wire for lua/luna/sandbox. A server anchors itself in the registry until
 * closed; a session is one userdata for as long as the server knows it. */
#include "bind/server.h"
#include "bind/client.h"
#include "bind/modules.h"
#include "bind/task.h"
#include "bind/tl.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "mtproto/binding.h"
#include "sandbox/server.h"

#define SERVER "luna.SandboxServer"
#define SESSION "luna.SandboxSession"

struct bind_server {          /* user value 1: the table `on` */
  struct ln_sandbox *sandbox; /* NULL once closed */
  struct ln_rsa *key;
  struct ln_clock *clock;
  struct ln_loop *loop;
  lua_Integer owner;
  struct ln_rng_seeded seeded; /* faults: the same for the same seed */
  struct ln_rng rng;
  uint64_t dialled; /* in-memory connections so far */
  double drop, delay, corrupt;
};

struct bind_session {                 /* user value 1: `data` */
  struct ln_sandbox_session *session; /* NULL once gone */
  struct bind_server *server;
  int layer;
};

static struct ln_buf scratch;

/* --- events --- */

struct event {
  struct bind_server *b;
  struct ln_sandbox_session *session;
  const char *name;
  struct ln_slice body;
  uint64_t id;
  const struct ln_auth_key *key;
  uint64_t salt;
  int dc;
};

/* Pushes the session's userdata, making it at first sight. */
static struct bind_session *push_session(lua_State *L, struct bind_server *b, struct ln_sandbox_session *s)
{
  struct bind_session *known = ln_sandbox_session_get_user(s);
  if (known) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, known);
    return known;
  }
  struct bind_session *u = lua_newuserdatauv(L, sizeof *u, 1);
  u->session = s;
  u->server = b;
  u->layer = LN_TL_LAYER;
  luaL_setmetatable(L, SESSION);
  lua_newtable(L);
  lua_setiuservalue(L, -2, 1);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, u);
  ln_sandbox_session_set_user(s, u);
  return u;
}

static int run_event(lua_State *L)
{
  const struct event *e = lua_touserdata(L, 1);
  int n = 0;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, e->b) != LUA_TUSERDATA || lua_getiuservalue(L, -1, 1) != LUA_TTABLE)
    return 0;
  bool wanted = lua_getfield(L, -1, e->name) == LUA_TFUNCTION;
  struct bind_session *s = NULL;
  if (e->session) {
    s = push_session(L, e->b, e->session);
    n++;
  }
  if (strcmp(e->name, "request") == 0) {
    lua_pushinteger(L, (lua_Integer)e->id);
    n++;
    int err = ln_bind_tl_decode_method(L, e->body);
    if (err) {
      lua_pushnil(L);
      lua_pushstring(L, ln_err_name(err));
      lua_pushinteger(L, e->body.n >= 4 ? ln_le32(e->body.p) : 0);
      n += 2;
    }
    n++;
  } else if (strcmp(e->name, "drop") == 0) {
    lua_pushinteger(L, (lua_Integer)e->id);
    n++;
  } else if (strcmp(e->name, "authKey") == 0) {
    ln_bind_push_auth(L, e->key->key, e->salt, 0);
    lua_pushinteger(L, (lua_Integer)e->key->id);
    lua_setfield(L, -2, "id");
    lua_pushinteger(L, e->dc);
    n += 2;
  }
  if (wanted) ln_task_spawn_as(L, n, false, e->b->clock, e->b->owner);
  if (s && strcmp(e->name, "gone") == 0) {
    s->session = NULL;
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, s);
  }
  return 0;
}

static void emit(struct event *e)
{
  ln_host_protect(ln_host_get(), run_event, e);
}

static void on_request(void *ctx, struct ln_sandbox_session *s, uint64_t req_msg_id, struct ln_slice body)
{
  struct event e = {.b = ctx, .session = s, .name = "request", .id = req_msg_id, .body = body};
  emit(&e);
}

static bool on_drop(void *ctx, struct ln_sandbox_session *s, uint64_t req_msg_id)
{
  struct event e = {.b = ctx, .session = s, .name = "drop", .id = req_msg_id};
  emit(&e);
  return true;
}

static void on_up(void *ctx, struct ln_sandbox_session *s)
{
  struct event e = {.b = ctx, .session = s, .name = "up"};
  emit(&e);
}

static void on_down(void *ctx, struct ln_sandbox_session *s)
{
  struct event e = {.b = ctx, .session = s, .name = "down"};
  emit(&e);
}

static void on_gone(void *ctx, struct ln_sandbox_session *s)
{
  struct event e = {.b = ctx, .session = s, .name = "gone"};
  emit(&e);
}

static void on_auth_key(void *ctx, const struct ln_auth_key *key, uint64_t salt, int dc)
{
  struct event e = {.b = ctx, .name = "authKey", .key = key, .salt = salt, .dc = dc};
  emit(&e);
}

static const struct ln_sandbox_ops ops = {
    .on_request = on_request,
    .on_drop = on_drop,
    .on_session_up = on_up,
    .on_session_down = on_down,
    .on_session_gone = on_gone,
    .on_auth_key = on_auth_key,
};

/* --- the server --- */

static struct bind_server *check(lua_State *L, int index)
{
  struct bind_server *b = luaL_checkudata(L, index, SERVER);
  if (!b->sandbox) luaL_error(L, "this server is closed");
  return b;
}

/* new{ key = private PEM, on = {…} }; without a key one has to be made first (_luna.crypto.generateRsa) */
static int f_new(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  struct ln_host *h = ln_host_get();
  struct bind_server *b = lua_newuserdatauv(L, sizeof *b, 1);
  memset(b, 0, sizeof *b);
  luaL_setmetatable(L, SERVER);
  b->clock = h->current ? h->current->clock : ln_loop_clock(h->loop);
  b->loop = h->loop;
  b->owner = h->current ? h->current->owner : 0;
  lua_getfield(L, 1, "on");
  luaL_checktype(L, -1, LUA_TTABLE);
  lua_setiuservalue(L, 2, 1);
  lua_getfield(L, 1, "key");
  struct ln_slice pem;
  pem.p = (const uint8_t *)luaL_checklstring(L, -1, &pem.n);
  if (ln_rsa_parse_private(pem, &b->key))
    return luaL_error(L, "the server's key is no private RSA key of 2048 bits in PEM");
  struct ln_sandbox_config config = {
      .loop = h->loop, .clock = b->clock, .key = b->key, .rng = ln_rng_system(), .ops = &ops, .ctx = b};
  int err = ln_sandbox_new(&config, &b->sandbox);
  if (err) return luaL_error(L, "%s", ln_err_text(err));
  lua_pushvalue(L, 2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, b);
  lua_settop(L, 2);
  return 1;
}

static void release(struct bind_server *b)
{
  struct ln_sandbox *s = b->sandbox;
  b->sandbox = NULL;
  if (s) ln_sandbox_free(s);
  ln_rsa_free(b->key);
  b->key = NULL;
}

static int s_close(lua_State *L)
{
  struct bind_server *b = luaL_checkudata(L, 1, SERVER);
  if (!b->sandbox) return 0;
  release(b);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, b);
  return 0;
}

static int s_gc(lua_State *L)
{
  release(luaL_checkudata(L, 1, SERVER));
  return 0;
}

/* listen(host, port, dc) → port | nil, why */
static int s_listen(lua_State *L)
{
  struct bind_server *b = check(L, 1);
  int port = 0;
  int err = ln_sandbox_listen(b->sandbox, luaL_checkstring(L, 2), (int)luaL_checkinteger(L, 3),
                              (int)luaL_checkinteger(L, 4), &port);
  if (err) {
    lua_pushnil(L);
    lua_pushstring(L, err == LN_E_PERMISSION ? "the sandbox listens on loopback addresses alone"
                                             : ln_err_text(err));
    return 2;
  }
  lua_pushinteger(L, port);
  return 1;
}

static int push_pem(lua_State *L, int err, struct ln_buf *b)
{
  char text[8192];
  size_t n = b->len < sizeof text ? b->len : sizeof text;
  if (!err) memcpy(text, ln_buf_data(b), n);
  ln_buf_deinit_secret(b);
  if (err) return luaL_error(L, "%s", ln_err_text(err));
  lua_pushlstring(L, text, n);
  return 1;
}

static int s_public_key(lua_State *L)
{
  struct bind_server *b = check(L, 1);
  struct ln_buf pem;
  ln_buf_init(&pem, 8192);
  int err = ln_rsa_write_public(b->key, &pem);
  return push_pem(L, err, &pem);
}

static int s_private_key(lua_State *L)
{
  struct bind_server *b = check(L, 1);
  struct ln_buf pem;
  ln_buf_init(&pem, 8192);
  int err = ln_rsa_write_private(b->key, &pem);
  return push_pem(L, err, &pem);
}

/* addAuthKey({ key =, salt = }, dc) */
static int s_add_auth_key(lua_State *L)
{
  struct bind_server *b = check(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  size_t n;
  lua_getfield(L, 2, "key");
  const char *bytes = luaL_checklstring(L, -1, &n);
  if (n != 256) return luaL_error(L, "an auth key has 256 bytes");
  lua_getfield(L, 2, "salt");
  struct ln_auth_key key;
  ln_auth_key_init(&key, (const uint8_t *)bytes);
  int err = ln_sandbox_add_auth_key(b->sandbox, &key, (uint64_t)lua_tointeger(L, -1),
                                    (int)luaL_optinteger(L, 3, 1));
  if (err) return luaL_error(L, "%s", ln_err_text(err));
  return 0;
}

/* readBinding(bytes, key) → { msgId, seqno, nonce, temp, perm, session, expires }, or nil where it is not
 * sealed by that permanent key */
static int f_read_binding(lua_State *L)
{
  struct ln_slice sealed, key;
  struct ln_auth_key perm;
  struct ln_binding b;
  sealed.p = (const uint8_t *)luaL_checklstring(L, 1, &sealed.n);
  key.p = (const uint8_t *)luaL_checklstring(L, 2, &key.n);
  if (key.n != 256) return luaL_error(L, "an auth key has 256 bytes");
  ln_auth_key_init(&perm, key.p);
  int err = ln_binding_open(&perm, sealed, &b);
  ln_cleanse(&perm, sizeof perm);
  if (err) return 0;
  const struct {
    const char *name;
    uint64_t value;
  } fields[] = {{"msgId", b.msg_id},
                {"seqno", b.seqno},
                {"nonce", b.nonce},
                {"temp", b.temp_key_id},
                {"perm", b.perm_key_id},
                {"session", b.session_id},
                {"expires", (uint64_t)(int64_t)b.expires_at}};
  lua_createtable(L, 0, 7);
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    lua_pushinteger(L, (lua_Integer)fields[i].value);
    lua_setfield(L, -2, fields[i].name);
  }
  return 1;
}

static int s_cut(lua_State *L)
{
  ln_sandbox_cut(check(L, 1)->sandbox);
  return 0;
}

static int s_drop_temporary_keys(lua_State *L)
{
  ln_sandbox_drop_temporary_keys(check(L, 1)->sandbox);
  return 0;
}

static int s_forget(lua_State *L)
{
  ln_sandbox_forget(check(L, 1)->sandbox);
  return 0;
}

static int s_new_salts(lua_State *L)
{
  int err = ln_sandbox_new_salts(check(L, 1)->sandbox);
  if (err) return luaL_error(L, "new salts: %s", ln_err_text(err));
  return 0;
}

static int s_transport_error(lua_State *L)
{
  ln_sandbox_transport_error(check(L, 1)->sandbox, (int)luaL_checkinteger(L, 2));
  return 0;
}

static double chance(struct bind_server *b)
{
  uint32_t v = 0;
  ln_rng_fill(&b->rng, &v, sizeof v);
  return (double)v / 4294967296.0;
}

static enum ln_pipe_verdict fault(void *ctx, bool from_a, struct ln_buf *bytes, int64_t *delay_us)
{
  struct bind_server *b = ctx;
  (void)from_a;
  if (b->drop > 0 && chance(b) < b->drop) return LN_PIPE_DROP_CONNECTION;
  if (b->corrupt > 0 && bytes->len && chance(b) < b->corrupt)
    ln_buf_data(bytes)[(size_t)(chance(b) * (double)bytes->len)] ^= 1;
  if (b->delay > 0) {
    *delay_us = (int64_t)(chance(b) * b->delay * 1e6);
    return LN_PIPE_HOLD;
  }
  return LN_PIPE_PASS;
}

/* faults{ drop = chance of a cut for each piece, corrupt = chance, delay = seconds at most, seed = n }:
 * in-memory connections; none given: off. */
static int s_faults(lua_State *L)
{
  struct bind_server *b = check(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_getfield(L, 2, "drop");
  lua_getfield(L, 2, "corrupt");
  lua_getfield(L, 2, "delay");
  lua_getfield(L, 2, "seed");
  b->drop = luaL_optnumber(L, 3, 0);
  b->corrupt = luaL_optnumber(L, 4, 0);
  b->delay = luaL_optnumber(L, 5, 0);
  b->rng = ln_rng_seeded(&b->seeded, (uint64_t)luaL_optinteger(L, 6, 1));
  bool on = b->drop > 0 || b->corrupt > 0 || b->delay > 0;
  ln_sandbox_set_filter(b->sandbox, on ? fault : NULL, b);
  return 0;
}

struct dial_target { /* user value 1: the server, so that it outlives whoever may dial */
  struct bind_server *server;
  int dc;
};

static int dial(void *ctx, const struct ln_stream_ops *stream_ops, void *ops_ctx, struct ln_stream **out)
{
  const struct dial_target *t = ctx;
  if (!t->server->sandbox) return LN_E_CONNECT;
  return ln_sandbox_dial(t->server->sandbox, t->dc, stream_ops, ops_ctx, out);
}

void ln_bind_server_dialer(lua_State *L, int index, int dc, struct ln_dialer *out)
{
  index = lua_absindex(L, index);
  struct bind_server *b = check(L, index);
  struct dial_target *t = lua_newuserdatauv(L, sizeof *t, 1);
  t->server = b;
  t->dc = dc;
  lua_pushvalue(L, index);
  lua_setiuservalue(L, -2, 1);
  out->dial = dial;
  out->ctx = t;
}

uint64_t ln_bind_server_next_seed(lua_State *L, int index)
{
  return ++check(L, index)->dialled;
}

/* --- sessions --- */

static struct bind_session *check_session(lua_State *L)
{
  return luaL_checkudata(L, 1, SESSION);
}

static struct ln_buf *fresh_scratch(void)
{
  if (!scratch.max) ln_buf_init(&scratch, (size_t)16 << 20);
  ln_buf_clear(&scratch);
  return &scratch;
}

/* result(req, value, method): at the session's layer. False where the session is gone. */
static int n_result(lua_State *L)
{
  struct bind_session *s = check_session(L);
  const struct ln_tl_method *m = ln_tl_method_by_name(luaL_checkstring(L, 4));
  luaL_argcheck(L, m, 4, "no method of this name");
  struct ln_buf *b = fresh_scratch();
  if (ln_bind_tl_encode_result(L, 3, m, b, s->layer))
    return luaL_error(L, "%s answers: %s", ln_tl_method_name(m), lua_tostring(L, -1));
  if (s->session) ln_sandbox_result(s->session, (uint64_t)luaL_checkinteger(L, 2), ln_buf_slice(b));
  ln_buf_trim(b, 1 << 16);
  lua_pushboolean(L, s->session != NULL);
  return 1;
}

static int n_error(lua_State *L)
{
  struct bind_session *s = check_session(L);
  uint64_t req = (uint64_t)luaL_checkinteger(L, 2);
  int code = (int)luaL_checkinteger(L, 3);
  const char *text = luaL_checkstring(L, 4);
  if (s->session) ln_sandbox_error(s->session, req, code, text);
  lua_pushboolean(L, s->session != NULL);
  return 1;
}

/* push(updates) → id */
static int n_push(lua_State *L)
{
  struct bind_session *s = check_session(L);
  struct ln_buf *b = fresh_scratch();
  uint64_t id = 0;
  if (ln_bind_tl_encode_object(L, 2, ln_tl_type_by_name("Updates"), b, s->layer))
    return luaL_error(L, "updates for a session: %s", lua_tostring(L, -1));
  if (!s->session) return 0;
  int err = ln_sandbox_push(s->session, ln_buf_slice(b), &id);
  ln_buf_trim(b, 1 << 16);
  if (err) {
    lua_pushnil(L);
    lua_pushstring(L, ln_err_name(err));
    return 2;
  }
  lua_pushinteger(L, (lua_Integer)id);
  return 1;
}

/* takeOver(other): the same session by another temporary key */
static int n_take_over(lua_State *L)
{
  struct bind_session *s = check_session(L), *other = luaL_checkudata(L, 2, SESSION);
  s->layer = other->layer;
  if (s->session && other->session) ln_sandbox_take_over(s->session, other->session);
  return 0;
}

static int n_set_layer(lua_State *L)
{
  struct bind_session *s = check_session(L);
  lua_Integer layer = luaL_checkinteger(L, 2);
  luaL_argcheck(L, layer >= LN_TL_FIRST_LAYER, 2, "a layer below the first that is supported");
  s->layer = layer > LN_TL_LAYER ? LN_TL_LAYER : (int)layer;
  return 0;
}

static int n_layer(lua_State *L)
{
  lua_pushinteger(L, check_session(L)->layer);
  return 1;
}

static int n_index(lua_State *L)
{
  struct bind_session *s = check_session(L);
  const char *key = luaL_checkstring(L, 2);
  if (strcmp(key, "data") == 0)
    lua_getiuservalue(L, 1, 1);
  else if (strcmp(key, "id") == 0)
    lua_pushinteger(L, s->session ? (lua_Integer)ln_sandbox_session_id(s->session) : 0);
  else if (strcmp(key, "authKeyId") == 0)
    lua_pushinteger(L, s->session ? (lua_Integer)ln_sandbox_session_auth_key_id(s->session) : 0);
  else if (strcmp(key, "dc") == 0)
    lua_pushinteger(L, s->session ? ln_sandbox_session_dc(s->session) : 0);
  else if (strcmp(key, "up") == 0)
    lua_pushboolean(L, s->session && ln_sandbox_session_is_up(s->session));
  else if (luaL_getmetafield(L, 1, key) == LUA_TNIL)
    lua_pushnil(L);
  return 1;
}

int luaopen__luna_server(lua_State *L)
{
  static const luaL_Reg functions[] = {{"new", f_new}, {"readBinding", f_read_binding}, {NULL, NULL}};
  static const luaL_Reg server[] = {{"listen", s_listen},
                                    {"publicKey", s_public_key},
                                    {"privateKey", s_private_key},
                                    {"addAuthKey", s_add_auth_key},
                                    {"cut", s_cut},
                                    {"dropTemporaryKeys", s_drop_temporary_keys},
                                    {"forget", s_forget},
                                    {"newSalts", s_new_salts},
                                    {"transportError", s_transport_error},
                                    {"faults", s_faults},
                                    {"close", s_close},
                                    {"__gc", s_gc},
                                    {NULL, NULL}};
  static const luaL_Reg session[] = {
      {"takeOver", n_take_over}, {"result", n_result}, {"error", n_error},   {"push", n_push},
      {"setLayer", n_set_layer}, {"layer", n_layer},   {"__index", n_index}, {NULL, NULL}};
  luaL_newmetatable(L, SERVER);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_setfuncs(L, server, 0);
  lua_pop(L, 1);
  luaL_newmetatable(L, SESSION);
  luaL_setfuncs(L, session, 0);
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}

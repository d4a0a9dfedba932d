/* _luna.client: connections for lua/luna/. A call encodes its table, joins the session's queue and suspends
 * the task; the answer is decoded straight onto the waiting thread. What the connection reports (updates,
 * keys, state) starts tasks with the functions of `on`. */
#include "bind/client.h"
#include "bind/modules.h"
#include "bind/promise.h"
#include "bind/server.h"
#include "bind/tl.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "client/connection.h"
#include "crypto/hash.h"
#include "tl/schema.h"

#define CONNECTION "luna.Connection"
#define ERROR_FACTORY "luna.errorFactory"
#define MAX_KEYS 32
#define BODY_MAX ((size_t)16 << 20)

struct bind_connection { /* user values: 1 the table of functions `on`, 2 what keeps the sandbox that it dials
                          */
  struct ln_connection *connection; /* NULL once closed */
  struct ln_rsa *keys[MAX_KEYS];
  const struct ln_rsa *keys_const[MAX_KEYS];
  size_t n_keys;
  struct ln_rsa *loopback_key;
  struct ln_clock *clock;
  struct ln_map calls; /* by id */
  uint64_t last_id;
  lua_Integer owner;
  int dc;
};

struct call {
  struct bind_connection *owner;
  struct ln_request *request;
  const struct ln_tl_method *method; /* NULL: raw bytes, the answer comes as bytes */
  uint64_t id;
  struct ln_task *task; /* that waits, or */
  int promise_ref;      /* the promise to settle */
  struct call *next_free;
};

static struct call *free_calls; /* a few, reused */
static struct ln_buf scratch;   /* encoding */

static struct call *call_new(struct bind_connection *b)
{
  struct call *c = free_calls;
  if (c)
    free_calls = c->next_free;
  else if (!(c = ln_malloc(sizeof *c)))
    return NULL;
  memset(c, 0, sizeof *c);
  c->owner = b;
  c->id = ++b->last_id;
  c->promise_ref = LUA_NOREF;
  if (ln_map_set(&b->calls, c->id, c)) {
    c->next_free = free_calls;
    free_calls = c;
    return NULL;
  }
  ln_host_ref(ln_host_get());
  return c;
}

/* From here on the connection's value may be collected: what an answer starts may close it. */
static void call_detach(struct call *c)
{
  if (c->owner) ln_map_remove(&c->owner->calls, c->id);
  c->owner = NULL;
}

static void call_end(struct call *c)
{
  call_detach(c);
  ln_host_unref(ln_host_get());
  c->next_free = free_calls;
  free_calls = c;
}

/* --- answers --- */

struct answer {
  struct call *call;
  struct ln_slice bytes; /* result or error text */
  int err, code;
  bool failed;
};

static void stop_limit(struct ln_task *t)
{
  if (ln_timer_running(&t->timer)) {
    ln_timer_stop(&t->timer);
    ln_host_unref(ln_host_get());
  }
}

static void push_failure(lua_State *L, int code, const char *name, struct ln_slice detail)
{
  lua_pushnil(L);
  lua_pushinteger(L, code);
  if (code)
    lua_pushlstring(L, (const char *)detail.p, detail.n);
  else
    lua_pushstring(L, name);
  lua_pushlstring(L, (const char *)detail.p, code ? 0 : detail.n);
}

/* Pushes the answer: one value, or nil, code, text, detail. */
static int push_answer(lua_State *L, const struct answer *a)
{
  if (a->failed) {
    push_failure(L, a->code, ln_err_name(a->err), a->bytes);
    return 4;
  }
  if (!a->call->method) {
    lua_pushlstring(L, (const char *)a->bytes.p, a->bytes.n);
    return 1;
  }
  int err = ln_bind_tl_decode_result(L, a->bytes, a->call->method);
  if (!err) return 1;
  push_failure(L, 0, ln_err_name(err), ln_slice_str("the answer does not fit the schema"));
  return 4;
}

static int deliver(lua_State *L)
{
  struct answer *a = lua_touserdata(L, 1);
  struct call *c = a->call;
  int n = push_answer(L, a);
  if (c->task) {
    struct ln_task *t = c->task;
    stop_limit(t);
    if (!lua_checkstack(t->wait_L, n)) return luaL_error(L, "out of memory");
    lua_xmove(L, t->wait_L, n);
    ln_task_wake(t, n, false);
  } else if (c->promise_ref != LUA_NOREF) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->promise_ref);
    lua_insert(L, -n - 1);
    int at = lua_gettop(L) - n;
    if (n == 1) {
      ln_promise_settle(L, at, 1, false);
    } else {
      if (lua_getfield(L, LUA_REGISTRYINDEX, ERROR_FACTORY) == LUA_TFUNCTION) {
        lua_pushvalue(L, at + 2);
        lua_pushvalue(L, at + 3);
        lua_pushvalue(L, at + 4);
        lua_pushstring(L, c->method ? ln_tl_method_name(c->method) : "");
        lua_call(L, 4, 1);
      } else {
        lua_pop(L, 1);
        lua_pushvalue(L, at + 3);
      }
      ln_promise_settle(L, at, 1, true);
    }
    luaL_unref(L, LUA_REGISTRYINDEX, c->promise_ref);
    c->promise_ref = LUA_NOREF;
  }
  return 0;
}

/* The failures that must be told without an allocation; their names are strings in the registry. */
static char timeout_name[1], nomem_name[1];

static void wake_failed(struct ln_task *t, const char *name)
{
  lua_pushnil(t->wait_L); /* a suspended C call has LUA_MINSTACK slots */
  lua_pushinteger(t->wait_L, 0);
  lua_rawgetp(t->wait_L, LUA_REGISTRYINDEX, name);
  ln_task_wake(t, 3, false);
}

static void finish(struct answer *a)
{
  struct ln_host *h = ln_host_get();
  if (h->closing) return; /* lua_close: nobody is there to hear it */
  if (ln_host_protect(h, deliver, a) == LN_OK) return;
  struct ln_task *t = a->call->task;
  a->failed = true; /* too little memory for the answer: at least that can be told */
  a->err = LN_E_NOMEM;
  a->code = 0;
  a->bytes = ln_slice(NULL, 0);
  if (!t) {
    ln_host_protect(h, deliver, a);
  } else if (t->state == LN_TASK_WAITING && t->cancel_ctx == a->call) {
    stop_limit(t);
    wake_failed(t, nomem_name);
    ln_task_drain(h);
  }
}

static void on_result(void *ctx, void *tag, struct ln_slice result)
{
  struct answer a = {.call = tag, .bytes = result};
  (void)ctx;
  struct call *c = tag;
  call_detach(c);
  finish(&a);
  call_end(c);
}

static void on_error(void *ctx, void *tag, int err, int code, struct ln_slice text)
{
  struct answer a = {.call = tag, .bytes = text, .err = err, .code = code, .failed = true};
  (void)ctx;
  struct call *c = tag;
  call_detach(c);
  finish(&a);
  call_end(c);
}

/* --- events --- */

struct event {
  struct bind_connection *b;
  const char *name;
  enum ln_connection_state state;
  int err;
  const char *why;
  int64_t retry_us;
  struct ln_slice bytes;
  uint64_t msg_id;
  const struct ln_auth_key *key;
  uint64_t salt;
  const struct ln_salt *salts;
  size_t n_salts;
  int64_t offset_us;
};

/* Pushes on[name]; false (and nothing pushed) where there is none. */
static bool push_function(lua_State *L, struct bind_connection *b, const char *name)
{
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, b) == LUA_TUSERDATA && lua_getiuservalue(L, -1, 1) == LUA_TTABLE &&
      lua_getfield(L, -1, name) == LUA_TFUNCTION)
    return true;
  return false;
}

static int push_event(lua_State *L, const struct event *e)
{
  static const char *const states[] = {"down", "dialling", "exchange", "up"};
  if (strcmp(e->name, "status") == 0) {
    lua_pushstring(L, states[e->state]);
    if (e->err)
      lua_pushstring(L, ln_err_name(e->err));
    else
      lua_pushnil(L);
    lua_pushstring(L, e->why);
    lua_pushnumber(L, e->retry_us < 0 ? -1 : (lua_Number)e->retry_us / 1e6);
    return 4;
  }
  if (strcmp(e->name, "key") == 0 || strcmp(e->name, "salts") == 0) {
    ln_bind_push_auth(L, e->key->key, e->salt, (double)e->offset_us / 1e6);
    ln_bind_push_salts(L, e->salts, e->n_salts);
    return 1;
  }
  if (strcmp(e->name, "update") == 0) {
    int err = ln_bind_tl_decode(L, e->bytes, ln_tl_type_by_name("Updates"));
    if (err) lua_pushnil(L);
    lua_pushinteger(L, (lua_Integer)e->msg_id);
    lua_pushlstring(L, (const char *)e->bytes.p, e->bytes.n);
    if (!err) return 3;
    lua_pushstring(L, ln_err_name(err));
    return 4;
  }
  if (strcmp(e->name, "fatal") == 0) {
    lua_pushstring(L, ln_err_name(e->err));
    lua_pushstring(L, e->why);
    return 2;
  }
  return 0;
}

static int run_event(lua_State *L)
{
  const struct event *e = lua_touserdata(L, 1);
  if (!push_function(L, e->b, e->name)) return 0;
  int n = push_event(L, e);
  ln_task_spawn_as(L, n, false, e->b->clock, e->b->owner);
  return 0;
}

static void emit(struct event *e)
{
  ln_host_protect(ln_host_get(), run_event, e);
}

static void on_update(void *ctx, struct ln_slice update, uint64_t msg_id)
{
  struct event e = {.b = ctx, .name = "update", .bytes = update, .msg_id = msg_id};
  emit(&e);
}

static void on_new_session(void *ctx)
{
  struct event e = {.b = ctx, .name = "session"};
  emit(&e);
}

static void on_status(void *ctx, enum ln_connection_state state, int err, const char *why, int64_t retry_us)
{
  struct event e = {.b = ctx, .name = "status", .state = state, .err = err, .why = why, .retry_us = retry_us};
  emit(&e);
}

static void on_save(void *ctx, const struct ln_auth_key *key, uint64_t salt, const struct ln_salt *salts,
                    size_t n_salts, int64_t offset_us, bool fresh_key)
{
  struct event e = {.b = ctx,
                    .name = fresh_key ? "key" : "salts",
                    .key = key,
                    .salt = salt,
                    .salts = salts,
                    .n_salts = n_salts,
                    .offset_us = offset_us};
  emit(&e);
}

static void on_fatal(void *ctx, int err, const char *why)
{
  struct event e = {.b = ctx, .name = "fatal", .err = err, .why = why};
  emit(&e);
}

static const struct ln_connection_ops ops = {
    .session = {.on_result = on_result,
                .on_error = on_error,
                .on_update = on_update,
                .on_new_session = on_new_session},
    .on_status = on_status,
    .on_save = on_save,
    .on_fatal = on_fatal,
};

/* --- connect --- */

static struct bind_connection *check(lua_State *L)
{
  return luaL_checkudata(L, 1, CONNECTION);
}

static struct bind_connection *check_open(lua_State *L)
{
  struct bind_connection *b = check(L);
  if (!b->connection) luaL_error(L, "this connection is closed");
  return b;
}

static void release(struct bind_connection *b)
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
  release(check(L));
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

static void read_keys(lua_State *L, struct bind_connection *b, int options)
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
  struct bind_connection *b = lua_newuserdatauv(L, sizeof *b, 2);
  memset(b, 0, sizeof *b);
  ln_map_init(&b->calls);
  luaL_setmetatable(L, CONNECTION);
  b->clock = h->current ? h->current->clock : ln_loop_clock(h->loop);
  b->owner = h->current ? h->current->owner : 0;
  lua_getfield(L, 1, "on");
  luaL_checktype(L, -1, LUA_TTABLE);
  lua_setiuservalue(L, 2, 1);

  struct ln_connection_config config = {
      .loop = h->loop, .clock = b->clock, .rng = ln_rng_system(), .ops = &ops, .ctx = b};
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
  if (lua_getfield(L, 1, "sandbox") == LUA_TUSERDATA) {
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
  struct bind_connection *b = check(L);
  if (!b->connection) return 0;
  release(b);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, b);
  return 0;
}

/* --- calls --- */

static void limit_reached(struct ln_timer *timer)
{
  struct ln_task *t = (struct ln_task *)((char *)timer - offsetof(struct ln_task, timer));
  struct call *c = t->cancel_ctx;
  ln_host_unref(ln_host_get());
  if (c->owner->connection) ln_connection_cancel(c->owner->connection, c->request);
  call_end(c);
  wake_failed(t, timeout_name);
}

static void call_cancelled(struct ln_task *t, void *ctx)
{
  struct call *c = ctx;
  stop_limit(t);
  if (c->owner->connection) ln_connection_cancel(c->owner->connection, c->request);
  call_end(c);
}

struct call_options {
  double timeout;
  struct ln_request *after;
  unsigned flags;
};

/* The id that keeps a handler which runs again from sending twice: HMAC(key, text + the call's bytes without
 * an id + count of the same before), into the bytes at `at` and q.random_id. Stack: 3 the parameters, 5 key,
 * 6 text, 7 table of counts. */
static void key_random_id(lua_State *L, size_t at)
{
  struct ln_slice key, text;
  uint8_t digest[32], count[8];
  key.p = (const uint8_t *)luaL_checklstring(L, 5, &key.n);
  text.p = (const uint8_t *)luaL_checklstring(L, 6, &text.n);
  luaL_checktype(L, 7, LUA_TTABLE);
  uint8_t *id = ln_buf_data(&scratch) + at;
  memset(id, 0, 8);
  if (ln_buf_append(&scratch, text.p, text.n)) luaL_error(L, "the call is larger than 16 MiB");
  ln_hmac_sha256(key, ln_buf_slice(&scratch), digest);
  lua_Integer same = (lua_Integer)ln_le64(digest);
  lua_rawgeti(L, 7, same);
  lua_Integer before = lua_tointeger(L, -1);
  lua_pop(L, 1);
  lua_pushinteger(L, before + 1);
  lua_rawseti(L, 7, same);
  if (before) {
    ln_put_le64(count, (uint64_t)before);
    if (ln_buf_append(&scratch, count, sizeof count)) luaL_error(L, "the call is larger than 16 MiB");
    ln_hmac_sha256(key, ln_buf_slice(&scratch), digest);
    ln_buf_truncate(&scratch, scratch.len - sizeof count);
  }
  ln_buf_truncate(&scratch, scratch.len - text.n);
  uint64_t value = ln_le64(digest);
  if (value == 0) value = 1;
  ln_put_le64(ln_buf_data(&scratch) + at, value);
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, 3, "random_id");
}

/* Encodes into the scratch buffer; raises where the parameters do not fit. */
static const struct ln_tl_method *encode(lua_State *L, struct bind_connection *b, struct call_options *o)
{
  const struct ln_tl_method *method = NULL;
  if (!scratch.max) ln_buf_init(&scratch, BODY_MAX);
  ln_buf_clear(&scratch);
  memset(o, 0, sizeof *o);
  o->timeout = -1;
  lua_settop(L, 7);
  if (lua_type(L, 4) == LUA_TTABLE) {
    if (lua_getfield(L, 4, "timeout") == LUA_TNUMBER) o->timeout = lua_tonumber(L, -1);
    if (lua_getfield(L, 4, "after") == LUA_TNUMBER) {
      struct call *earlier = ln_map_get(&b->calls, (uint64_t)lua_tointeger(L, -1));
      if (earlier) o->after = earlier->request;
    }
    lua_getfield(L, 4, "noResponse");
    if (lua_toboolean(L, -1)) o->flags |= LN_REQUEST_NO_RESPONSE;
    lua_getfield(L, 4, "noPrefix");
    if (lua_toboolean(L, -1)) o->flags |= LN_REQUEST_NO_PREFIX;
    lua_settop(L, 7);
  }
  if (lua_type(L, 3) == LUA_TSTRING) { /* encoded already */
    size_t n;
    const char *bytes = lua_tolstring(L, 3, &n);
    if (n < 4 || n % 4) luaL_error(L, "not the bytes of a method");
    if (lua_type(L, 2) == LUA_TSTRING) method = ln_tl_method_by_name(lua_tostring(L, 2));
    if (ln_buf_append(&scratch, bytes, n)) luaL_error(L, "the call is larger than 16 MiB");
    return method;
  }
  const char *name = luaL_checkstring(L, 2);
  method = ln_tl_method_by_name(name);
  if (!method) luaL_error(L, "no method %s in layer %d", name, LN_TL_LAYER);
  if (lua_isnil(L, 3)) {
    lua_newtable(L);
    lua_replace(L, 3);
  }
  if (lua_isnil(L, 5)) {
    if (ln_bind_tl_encode_method(L, 3, method, &scratch, LN_TL_LAYER)) lua_error(L);
    return method;
  }
  static int random_id = -1;
  size_t at;
  if (random_id < 0) random_id = ln_tl_name_number("random_id");
  lua_pushinteger(L, 0);
  lua_setfield(L, 3, "random_id");
  if (ln_bind_tl_encode_marked(L, 3, method, &scratch, LN_TL_LAYER, random_id, &at)) lua_error(L);
  if (at != SIZE_MAX) key_random_id(L, at);
  return method;
}

static struct call *send(lua_State *L, struct bind_connection *b, const struct ln_tl_method *method,
                         const struct call_options *o)
{
  struct call *c = call_new(b);
  if (!c) luaL_error(L, "out of memory");
  c->method = method;
  int err = ln_connection_request(b->connection, ln_buf_slice(&scratch), c, o->after, o->flags, &c->request);
  ln_buf_trim(&scratch, 1 << 16);
  if (err) {
    call_end(c);
    luaL_error(L, err == LN_E_FULL ? "too many calls in flight" : "%s", ln_err_text(err));
  }
  if (o->flags & LN_REQUEST_NO_RESPONSE) {
    call_end(c);
    return NULL;
  }
  return c;
}

/* call(name, params | bytes, opts, idKey, idText, idCounts) → result | nil, code, text, detail. With an idKey
 * random_id is made here, and put into params, see key_random_id. */
static int f_call(lua_State *L)
{
  struct bind_connection *b = check_open(L);
  struct call_options o;
  struct ln_host *h = ln_host_get();
  const struct ln_tl_method *method = encode(L, b, &o);
  if (o.flags & LN_REQUEST_NO_RESPONSE) {
    send(L, b, method, &o);
    lua_pushboolean(L, 1);
    return 1;
  }
  ln_task_check_wait(L);
  struct call *c = send(L, b, method, &o);
  struct ln_task *t = h->current;
  c->task = t;
  if (o.timeout >= 0) {
    t->timer.fn = limit_reached;
    if (ln_timer_start(b->clock, &t->timer, ln_clock_now(b->clock) + (int64_t)(o.timeout * 1e6)) == LN_OK)
      ln_host_ref(h);
  }
  return ln_task_wait(L, "rpc", call_cancelled, c);
}

/* upvalues: connection, call id */
static int cancel_async(lua_State *L)
{
  struct bind_connection *b = lua_touserdata(L, lua_upvalueindex(1));
  struct call *c = ln_map_get(&b->calls, (uint64_t)lua_tointeger(L, lua_upvalueindex(2)));
  if (!c || c->promise_ref == LUA_NOREF) return 0;
  lua_settop(L, 1);
  if (b->connection) ln_connection_cancel(b->connection, c->request);
  lua_rawgeti(L, LUA_REGISTRYINDEX, c->promise_ref);
  luaL_unref(L, LUA_REGISTRYINDEX, c->promise_ref);
  call_end(c);
  lua_insert(L, 1);
  ln_promise_settle(L, 1, 1, true);
  return 0;
}

/* callAsync(name, params | bytes, opts) → promise */
static int f_call_async(lua_State *L)
{
  struct bind_connection *b = check_open(L);
  struct call_options o;
  const struct ln_tl_method *method = encode(L, b, &o);
  ln_promise_push(L);
  int promise = lua_gettop(L);
  if (o.flags & LN_REQUEST_NO_RESPONSE) {
    send(L, b, method, &o);
    lua_pushboolean(L, 1);
    ln_promise_settle(L, promise, 1, false);
    return 1;
  }
  struct call *c = send(L, b, method, &o);
  lua_pushvalue(L, promise);
  c->promise_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_pushvalue(L, 1);
  lua_pushinteger(L, (lua_Integer)c->id);
  lua_pushcclosure(L, cancel_async, 2);
  lua_setiuservalue(L, promise, 3);
  lua_settop(L, promise);
  return 1;
}

static int f_last_request(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)check(L)->last_id);
  return 1;
}

static int f_ack(lua_State *L)
{
  struct bind_connection *b = check(L);
  if (b->connection) ln_connection_ack(b->connection, (uint64_t)luaL_checkinteger(L, 2));
  return 0;
}

static int f_state(lua_State *L)
{
  static const char *const names[] = {"down", "dialling", "exchange", "up"};
  struct bind_connection *b = check(L);
  lua_pushstring(L, b->connection ? names[ln_connection_get_state(b->connection)] : "closed");
  return 1;
}

static int f_in_flight(lua_State *L)
{
  struct bind_connection *b = check(L);
  lua_pushinteger(L, b->connection ? (lua_Integer)ln_connection_in_flight(b->connection) : 0);
  return 1;
}

static int f_server_time(lua_State *L)
{
  lua_pushinteger(L, ln_connection_server_time(check_open(L)->connection));
  return 1;
}

static int f_retry_now(lua_State *L)
{
  struct bind_connection *b = check(L);
  if (b->connection) ln_connection_retry_now(b->connection);
  return 0;
}

static int f_set_error_factory(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, ERROR_FACTORY);
  return 0;
}

int luaopen__luna_client(lua_State *L)
{
  static const luaL_Reg functions[] = {{"connect", f_connect},
                                       {"encodePrefix", ln_bind_encode_prefix},
                                       {"setErrorFactory", f_set_error_factory},
                                       {NULL, NULL}};
  static const luaL_Reg methods[] = {{"call", f_call},
                                     {"callAsync", f_call_async},
                                     {"lastRequest", f_last_request},
                                     {"ack", f_ack},
                                     {"close", f_close},
                                     {"state", f_state},
                                     {"inFlight", f_in_flight},
                                     {"serverTime", f_server_time},
                                     {"retryNow", f_retry_now},
                                     {"__gc", f_gc},
                                     {NULL, NULL}};
  lua_pushliteral(L, "TIMEOUT");
  lua_rawsetp(L, LUA_REGISTRYINDEX, timeout_name);
  lua_pushliteral(L, "NOMEM");
  lua_rawsetp(L, LUA_REGISTRYINDEX, nomem_name);
  luaL_newmetatable(L, CONNECTION);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_setfuncs(L, methods, 0);
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}

/* Calls of _luna.client: a call encodes its table, joins the session's queue and suspends the task; the
 * answer is decoded straight onto the waiting thread. Owns the structs of calls; the connection they go
 * through is client.c's. */
#include "bind/client_impl.h"
#include "bind/promise.h"
#include "base/alloc.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "tl/schema.h"

#define ERROR_FACTORY "luna.errorFactory"
#define BODY_MAX ((size_t)16 << 20)

struct ln_bind_call {
  struct ln_bind_connection *owner;
  struct ln_request *request;
  const struct ln_tl_method *method; /* NULL: raw bytes, the answer comes as bytes */
  uint64_t id;
  int64_t since;        /* µs of the loop's clock */
  struct ln_task *task; /* that waits, or */
  int promise_ref;      /* the promise to settle */
  struct ln_bind_call *next_free;
};

static struct ln_bind_call *free_calls; /* a few, reused */
static struct ln_buf scratch;           /* encoding */

static struct ln_bind_call *call_new(struct ln_bind_connection *b)
{
  struct ln_bind_call *c = free_calls;
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
static void call_detach(struct ln_bind_call *c)
{
  if (c->owner) ln_map_remove(&c->owner->calls, c->id);
  c->owner = NULL;
}

static void call_end(struct ln_bind_call *c)
{
  call_detach(c);
  ln_host_unref(ln_host_get());
  c->next_free = free_calls;
  free_calls = c;
}

/* --- answers --- */

struct answer {
  struct ln_bind_call *call;
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
  struct ln_bind_call *c = a->call;
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
  } else if (t->state == LN_TASK_WAITING && t->ctx == a->call) {
    stop_limit(t);
    wake_failed(t, nomem_name);
    ln_task_drain(h);
  }
}

void ln_bind_on_result(void *ctx, void *tag, struct ln_slice result)
{
  struct answer a = {.call = tag, .bytes = result};
  (void)ctx;
  struct ln_bind_call *c = tag;
  call_detach(c);
  finish(&a);
  call_end(c);
}

void ln_bind_on_error(void *ctx, void *tag, int err, int code, struct ln_slice text)
{
  struct answer a = {.call = tag, .bytes = text, .err = err, .code = code, .failed = true};
  (void)ctx;
  struct ln_bind_call *c = tag;
  call_detach(c);
  finish(&a);
  call_end(c);
}

/* --- calls --- */

static void limit_reached(struct ln_timer *timer)
{
  struct ln_task *t = (struct ln_task *)((char *)timer - offsetof(struct ln_task, timer));
  struct ln_bind_call *c = t->ctx;
  ln_host_unref(ln_host_get());
  if (c->owner->connection) ln_connection_cancel(c->owner->connection, c->request);
  call_end(c);
  wake_failed(t, timeout_name);
}

static void call_cancelled(struct ln_task *t, void *ctx)
{
  struct ln_bind_call *c = ctx;
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
static const struct ln_tl_method *encode(lua_State *L, struct ln_bind_connection *b, struct call_options *o)
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
      struct ln_bind_call *earlier = ln_map_get(&b->calls, (uint64_t)lua_tointeger(L, -1));
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

static struct ln_bind_call *send(lua_State *L, struct ln_bind_connection *b,
                                 const struct ln_tl_method *method, const struct call_options *o)
{
  struct ln_bind_call *c = call_new(b);
  if (!c) luaL_error(L, "out of memory");
  c->method = method;
  c->since = ln_clock_now(ln_loop_clock(ln_host_get()->loop));
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

static const struct ln_wait answering = {"rpc", call_cancelled};

/* call(name, params | bytes, opts, idKey, idText, idCounts) → result | nil, code, text, detail. With an idKey
 * random_id is made here, and put into params, see key_random_id. */
int ln_bind_call(lua_State *L)
{
  struct ln_bind_connection *b = ln_bind_check_open_connection(L);
  struct call_options o;
  struct ln_host *h = ln_host_get();
  const struct ln_tl_method *method = encode(L, b, &o);
  if (o.flags & LN_REQUEST_NO_RESPONSE) {
    send(L, b, method, &o);
    lua_pushboolean(L, 1);
    return 1;
  }
  ln_task_check_wait(L);
  struct ln_bind_call *c = send(L, b, method, &o);
  struct ln_task *t = h->current;
  c->task = t;
  if (o.timeout >= 0) {
    t->timer.fn = limit_reached;
    if (ln_timer_start(b->clock, &t->timer, ln_clock_fresh(b->clock) + (int64_t)(o.timeout * 1e6)) == LN_OK)
      ln_host_ref(h);
  }
  return ln_task_wait(L, &answering, c);
}

/* upvalues: connection, call id */
static int cancel_async(lua_State *L)
{
  struct ln_bind_connection *b = lua_touserdata(L, lua_upvalueindex(1));
  struct ln_bind_call *c = ln_map_get(&b->calls, (uint64_t)lua_tointeger(L, lua_upvalueindex(2)));
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
int ln_bind_call_async(lua_State *L)
{
  struct ln_bind_connection *b = ln_bind_check_open_connection(L);
  struct call_options o;
  const struct ln_tl_method *method = encode(L, b, &o);
  ln_promise_push_cancellable(L);
  int promise = lua_gettop(L);
  if (o.flags & LN_REQUEST_NO_RESPONSE) {
    send(L, b, method, &o);
    lua_pushboolean(L, 1);
    ln_promise_settle(L, promise, 1, false);
    return 1;
  }
  struct ln_bind_call *c = send(L, b, method, &o);
  lua_pushvalue(L, promise);
  c->promise_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_pushvalue(L, 1);
  lua_pushinteger(L, (lua_Integer)c->id);
  lua_pushcclosure(L, cancel_async, 2);
  lua_setiuservalue(L, promise, 2);
  lua_settop(L, promise);
  return 1;
}

/* calls() → { { method = name | nil, seconds = since it was sent, task = number of the task that waits | nil
 * }, … }: those without an answer yet, in no order. */
int ln_bind_calls(lua_State *L)
{
  struct ln_bind_connection *b = ln_bind_check_connection(L);
  int64_t now = ln_clock_now(ln_loop_clock(ln_host_get()->loop));
  size_t at = 0;
  uint64_t key;
  void *value;
  lua_Integer n = 0;
  lua_newtable(L);
  while (ln_map_next(&b->calls, &at, &key, &value)) {
    const struct ln_bind_call *c = value;
    lua_createtable(L, 0, 3);
    if (c->method) {
      lua_pushstring(L, ln_tl_method_name(c->method));
      lua_setfield(L, -2, "method");
    }
    lua_pushnumber(L, (lua_Number)(now - c->since) / 1e6);
    lua_setfield(L, -2, "seconds");
    if (c->task) {
      lua_pushinteger(L, (lua_Integer)c->task->id);
      lua_setfield(L, -2, "task");
    }
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

int ln_bind_set_error_factory(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, ERROR_FACTORY);
  return 0;
}

void ln_bind_calls_open(lua_State *L)
{
  lua_pushliteral(L, "TIMEOUT");
  lua_rawsetp(L, LUA_REGISTRYINDEX, timeout_name);
  lua_pushliteral(L, "NOMEM");
  lua_rawsetp(L, LUA_REGISTRYINDEX, nomem_name);
}

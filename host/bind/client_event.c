/* What a connection reports (updates, keys, state) starts tasks with the functions of its table `on`. */
#include "bind/client.h"
#include "bind/client_impl.h"

/* --- events --- */

struct event {
  struct ln_bind_connection *b;
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
static bool push_function(lua_State *L, struct ln_bind_connection *b, const char *name)
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
    static const struct ln_tl_type *updates;
    if (!updates) updates = ln_tl_type_by_name("Updates");
    int err = ln_bind_tl_decode(L, e->bytes, updates);
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

const struct ln_connection_ops ln_bind_connection_ops = {
    .session = {.on_result = ln_bind_on_result,
                .on_error = ln_bind_on_error,
                .on_update = on_update,
                .on_new_session = on_new_session},
    .on_status = on_status,
    .on_save = on_save,
    .on_fatal = on_fatal,
};

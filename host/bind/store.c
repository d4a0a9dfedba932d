/* _luna.store: the session file for lua/luna/. Writes of one commit share a group; what is durable is told in
 * a task of its own. */
#include "bind/client.h"
#include "bind/modules.h"
#include "bind/task.h"
#include "base/alloc.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "store/store.h"

#define STORE "luna.Store"
#define ACCOUNT "luna.Account"

struct bind_store {
  struct ln_store *store; /* NULL once closed */
  struct ln_waker *waker;
  struct ln_deferred poll; /* memory: no thread that could wake us */
  bool memory;
};

struct account { /* user value 1: the store's userdata */
  struct bind_store *store;
  int32_t id;
};

struct done { /* a function to call once a group is durable */
  int ref;
  struct ln_clock *clock;
  lua_Integer owner;
  int err;
};

static void poll_deferred(struct ln_deferred *d)
{
  struct bind_store *b = (struct bind_store *)((char *)d - offsetof(struct bind_store, poll));
  if (b->store) ln_store_poll(b->store);
}

static void poll_woken(void *ctx)
{
  struct bind_store *b = ctx;
  if (b->store) ln_store_poll(b->store);
}

static void notify(void *ctx)
{
  struct bind_store *b = ctx;
  if (b->memory)
    ln_loop_defer(ln_host_get()->loop, &b->poll);
  else
    ln_waker_wake(b->waker);
}

static void on_status(void *ctx, int err, const char *why)
{
  (void)ctx;
  ln_log(err ? LN_LOG_ERROR : LN_LOG_NOTICE, "store", "%s", why);
}

static int done_call(lua_State *L)
{
  struct done *d = lua_touserdata(L, 1);
  lua_pushstring(L, d->err ? ln_err_name(d->err) : NULL);
  ln_host_spawn_ref(ln_host_get(), d->ref, 1, d->clock, d->owner);
  luaL_unref(L, LUA_REGISTRYINDEX, d->ref);
  return 0;
}

static void group_done(void *ctx, uint64_t tag, int err)
{
  struct ln_host *h = ln_host_get();
  struct done *d = ctx;
  (void)tag;
  ln_loop_release(h->loop);
  if (!d) return;
  d->err = err;
  ln_host_protect(h, done_call, d);
  ln_free(d);
}

/* --- the file --- */

static void release(struct bind_store *b)
{
  struct ln_store *s = b->store;
  struct ln_host *h = ln_host_get();
  if (!s) return;
  ln_store_close(s); /* runs what callbacks are left */
  b->store = NULL;
  if (h) ln_loop_undefer(h->loop, &b->poll);
  if (b->waker) ln_waker_close(b->waker);
  b->waker = NULL;
}

/* open(path | nil, "normal" | "full" | "off") → store | nil, errname, text */
static int f_open(lua_State *L)
{
  static const char *const names[] = {"off", "normal", "full", NULL};
  const char *path = luaL_optstring(L, 1, NULL);
  int durability = luaL_checkoption(L, 2, "normal", names);
  char text[LN_STORE_ERRTEXT] = "";
  struct bind_store *b = lua_newuserdatauv(L, sizeof *b, 0);
  memset(b, 0, sizeof *b);
  luaL_setmetatable(L, STORE);
  b->memory = !path;
  b->poll.fn = poll_deferred;
  if (path && ln_waker_open(ln_host_get()->loop, poll_woken, b, &b->waker))
    return luaL_error(L, "out of memory");
  struct ln_store_config config = {.path = path,
                                   .durability = (enum ln_durability)durability,
                                   .notify = notify,
                                   .on_status = on_status,
                                   .ctx = b};
  int err = ln_store_open(&config, &b->store, text);
  if (!err) return 1;
  if (b->waker) ln_waker_close(b->waker);
  b->waker = NULL;
  lua_pushnil(L);
  lua_pushstring(L, ln_err_name(err));
  lua_pushstring(L, *text ? text : ln_err_text(err));
  return 3;
}

static struct bind_store *check_store(lua_State *L)
{
  struct bind_store *b = luaL_checkudata(L, 1, STORE);
  if (!b->store) luaL_error(L, "this session is closed");
  return b;
}

static int s_close(lua_State *L)
{
  release(luaL_checkudata(L, 1, STORE));
  return 0;
}

static int s_flush(lua_State *L)
{
  int err = ln_store_flush(check_store(L)->store);
  lua_pushboolean(L, err == LN_OK);
  if (!err) return 1;
  lua_pushstring(L, ln_err_name(err));
  return 2;
}

static int s_account(lua_State *L)
{
  struct bind_store *b = check_store(L);
  int32_t id;
  int err = ln_store_account(b->store, luaL_checkstring(L, 2), &id);
  if (err) return luaL_error(L, "account: %s", ln_err_text(err));
  struct account *a = lua_newuserdatauv(L, sizeof *a, 1);
  a->store = b;
  a->id = id;
  luaL_setmetatable(L, ACCOUNT);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

static int s_accounts(lua_State *L)
{
  struct bind_store *b = check_store(L);
  int32_t ids[256];
  size_t n = ln_store_accounts(b->store, ids, 256);
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n && i < 256; i++) {
    lua_pushstring(L, ln_store_account_name(b->store, ids[i]));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* --- accounts --- */

static struct account *check(lua_State *L)
{
  struct account *a = luaL_checkudata(L, 1, ACCOUNT);
  if (!a->store->store) luaL_error(L, "this session is closed");
  return a;
}

/* An explicit nil, so that the result can be handed on as an argument. */
static int nothing(lua_State *L)
{
  lua_pushnil(L);
  return 1;
}

static int done_or_raise(lua_State *L, int err)
{
  if (err) return luaL_error(L, "session: %s", ln_err_text(err));
  return 0;
}

/* A buffer whose bytes outlive no throw: small values are copied to Lua at once. */
static int a_get(lua_State *L)
{
  struct account *a = check(L);
  const char *key = luaL_checkstring(L, 2);
  struct ln_buf *b = lua_newuserdatauv(L, sizeof *b, 0);
  ln_buf_init(b, (size_t)16 << 20);
  luaL_setmetatable(L, "luna.Buffer");
  int err = ln_store_get(a->store->store, a->id, key, b);
  if (err == LN_E_NOT_FOUND) return nothing(L);
  if (err) return done_or_raise(L, err);
  lua_pushlstring(L, b->len ? (const char *)ln_buf_data(b) : "", b->len);
  return 1;
}

static int a_set(lua_State *L)
{
  struct account *a = check(L);
  const char *key = luaL_checkstring(L, 2);
  if (lua_isnoneornil(L, 3)) return done_or_raise(L, ln_store_delete(a->store->store, a->id, key));
  size_t n;
  const char *value = luaL_checklstring(L, 3, &n);
  return done_or_raise(L, ln_store_set(a->store->store, a->id, key, ln_slice(value, n)));
}

static int a_forget(lua_State *L)
{
  struct account *a = check(L);
  return done_or_raise(L, ln_store_account_forget(a->store->store, a->id));
}

static int a_auth_key(lua_State *L)
{
  struct account *a = check(L);
  struct ln_store_auth auth;
  struct ln_salt salts[LN_STORE_SALTS];
  int err = ln_store_auth_get(a->store->store, a->id, (int32_t)luaL_checkinteger(L, 2), LN_AUTH_MAIN, &auth);
  if (err == LN_E_NOT_FOUND) return nothing(L);
  if (err) return done_or_raise(L, err);
  for (size_t i = 0; i < auth.n_salts && i < LN_STORE_SALTS; i++)
    salts[i] = (struct ln_salt){auth.salts[i].salt, auth.salts[i].valid_since, auth.salts[i].valid_until};
  ln_bind_push_auth(L, auth.key, auth.salt, (double)auth.offset_us / 1e6);
  ln_bind_push_salts(L, salts, auth.n_salts);
  ln_cleanse(&auth, sizeof auth);
  return 1;
}

static int a_set_auth_key(lua_State *L)
{
  struct account *a = check(L);
  int32_t dc = (int32_t)luaL_checkinteger(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  struct ln_store_auth auth;
  struct ln_salt salts[LN_STORE_SALTS];
  size_t n;
  memset(&auth, 0, sizeof auth);
  lua_getfield(L, 3, "key");
  const char *key = luaL_checklstring(L, -1, &n);
  luaL_argcheck(L, n == 256, 3, "an auth key has 256 bytes");
  memcpy(auth.key, key, 256);
  lua_getfield(L, 3, "salt");
  auth.salt = (uint64_t)lua_tointeger(L, -1);
  lua_getfield(L, 3, "offset");
  auth.offset_us = (int64_t)(lua_tonumber(L, -1) * 1e6);
  auth.created = ln_clock_wall_us() / LN_US_PER_S;
  auth.n_salts = ln_bind_read_salts(L, 3, salts, LN_STORE_SALTS);
  for (size_t i = 0; i < auth.n_salts; i++)
    auth.salts[i] = (struct ln_store_salt){salts[i].salt, salts[i].valid_since, salts[i].valid_until};
  int err = ln_store_auth_set(a->store->store, a->id, dc, LN_AUTH_MAIN, &auth);
  ln_cleanse(&auth, sizeof auth);
  return done_or_raise(L, err);
}

static int a_delete_auth_key(lua_State *L)
{
  struct account *a = check(L);
  int err = ln_store_auth_delete(a->store->store, a->id, (int32_t)luaL_checkinteger(L, 2), LN_AUTH_MAIN);
  return done_or_raise(L, err == LN_E_NOT_FOUND ? LN_OK : err);
}

static const char *const peer_types[] = {"", "user", "chat", "channel", NULL};

static int push_peer(lua_State *L, int err, const struct ln_store_peer *p)
{
  if (err == LN_E_NOT_FOUND) return nothing(L);
  if (err) return done_or_raise(L, err);
  lua_createtable(L, 0, 7);
  lua_pushinteger(L, p->id);
  lua_setfield(L, -2, "id");
  lua_pushstring(L, peer_types[p->type]);
  lua_setfield(L, -2, "type");
  if (p->has_hash) {
    lua_pushinteger(L, p->access_hash);
    lua_setfield(L, -2, "hash");
  }
  if (p->min) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "min");
  }
  const struct {
    const char *name;
    struct ln_slice text;
  } texts[] = {{"username", p->username}, {"phone", p->phone}, {"name", p->name}};
  for (size_t i = 0; i < 3; i++) {
    if (!texts[i].text.n) continue;
    lua_pushlstring(L, (const char *)texts[i].text.p, texts[i].text.n);
    lua_setfield(L, -2, texts[i].name);
  }
  return 1;
}

static int a_peer(lua_State *L)
{
  struct account *a = check(L);
  struct ln_store_peer p;
  int err = ln_store_peer_get(a->store->store, a->id, luaL_checkinteger(L, 2), &p);
  return push_peer(L, err, &p);
}

static int a_peer_by_username(lua_State *L)
{
  struct account *a = check(L);
  struct ln_store_peer p;
  size_t n;
  const char *name = luaL_checklstring(L, 2, &n);
  int err = ln_store_peer_by_username(a->store->store, a->id, ln_slice(name, n), &p);
  return push_peer(L, err, &p);
}

static struct ln_slice text_field(lua_State *L, int table, const char *name, size_t max)
{
  struct ln_slice s = {NULL, 0};
  if (lua_getfield(L, table, name) == LUA_TSTRING) s.p = (const uint8_t *)lua_tolstring(L, -1, &s.n);
  lua_pop(L, 1); /* the table keeps it */
  if (s.n > max) {
    s.n = max;
    while (s.n && (s.p[s.n] & 0xc0) == 0x80) s.n--; /* whole UTF-8 characters */
  }
  return s;
}

/* putPeers{ { id =, type =, hash =, username =, phone =, name =, min = }, … } */
static int a_put_peers(lua_State *L)
{
  struct account *a = check(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_Integer n = luaL_len(L, 2);
  int err = LN_OK;
  for (lua_Integer i = 1; i <= n && !err; i++) {
    lua_rawgeti(L, 2, i);
    int at = lua_gettop(L);
    luaL_checktype(L, at, LUA_TTABLE);
    struct ln_store_peer p = {0};
    lua_getfield(L, at, "id");
    p.id = luaL_checkinteger(L, -1);
    lua_getfield(L, at, "type");
    p.type = (enum ln_peer_type)luaL_checkoption(L, -1, NULL, peer_types);
    lua_getfield(L, at, "hash");
    p.has_hash = lua_isinteger(L, -1);
    p.access_hash = lua_tointeger(L, -1);
    lua_getfield(L, at, "min");
    p.min = lua_toboolean(L, -1);
    p.username = text_field(L, at, "username", 64);
    p.phone = text_field(L, at, "phone", 32);
    p.name = text_field(L, at, "name", 512);
    err = ln_store_peer_put(a->store->store, a->id, &p);
    lua_settop(L, at - 1);
  }
  return done_or_raise(L, err);
}

static int a_channel_pts(lua_State *L)
{
  struct account *a = check(L);
  int32_t pts;
  int err = ln_store_pts_get(a->store->store, a->id, luaL_checkinteger(L, 2), &pts);
  if (err == LN_E_NOT_FOUND) return nothing(L);
  if (err) return done_or_raise(L, err);
  lua_pushinteger(L, pts);
  return 1;
}

static int a_set_channel_pts(lua_State *L)
{
  struct account *a = check(L);
  lua_Integer id = luaL_checkinteger(L, 2);
  if (lua_isnoneornil(L, 3)) return done_or_raise(L, ln_store_pts_delete(a->store->store, a->id, id));
  return done_or_raise(L, ln_store_pts_set(a->store->store, a->id, id, (int32_t)luaL_checkinteger(L, 3)));
}

struct each {
  lua_State *L;
  int n;
};

static void each_pts(void *ctx, int64_t box, int32_t pts)
{
  struct each *e = ctx;
  lua_pushinteger(e->L, pts);
  lua_rawseti(e->L, -2, box);
}

/* channels() → { [id] = pts } */
static int a_channels(lua_State *L)
{
  struct account *a = check(L);
  struct each e = {L, 0};
  lua_newtable(L);
  return ln_store_pts_each(a->store->store, a->id, each_pts, &e) ? done_or_raise(L, LN_E_IO) : 1;
}

static const char *const state_fields[] = {"pts", "qts", "date", "seq"};

static int a_state(lua_State *L)
{
  struct account *a = check(L);
  uint8_t bytes[16];
  struct ln_buf b = {.base = bytes, .cap = sizeof bytes, .max = sizeof bytes};
  int err = ln_store_get(a->store->store, a->id, "state", &b);
  if (err == LN_E_NOT_FOUND) return nothing(L);
  if (err || b.len != 16) return done_or_raise(L, err ? err : LN_E_CORRUPT);
  lua_createtable(L, 0, 4);
  for (int i = 0; i < 4; i++) {
    lua_pushinteger(L, (int32_t)ln_le32(bytes + 4 * i));
    lua_setfield(L, -2, state_fields[i]);
  }
  return 1;
}

/* The parts of commit{…}; each gives an error code and leaves the stack as it was. The lists are at indices
 * that stay. */
static int write_state(lua_State *L, struct account *a, int table)
{
  uint8_t bytes[16];
  for (int i = 0; i < 4; i++) {
    lua_getfield(L, table, state_fields[i]);
    ln_put_le32(bytes + 4 * i, (uint32_t)lua_tointeger(L, -1));
    lua_pop(L, 1);
  }
  return ln_store_set(a->store->store, a->id, "state", ln_slice(bytes, sizeof bytes));
}

static int write_adds(lua_State *L, struct account *a, int list, int out)
{
  int err = LN_OK;
  lua_Integer n = (lua_Integer)lua_rawlen(L, list);
  for (lua_Integer i = 1; i <= n && !err; i++) {
    struct ln_store_update u = {0};
    uint64_t seq = 0;
    lua_rawgeti(L, list, i);
    lua_getfield(L, -1, "box");
    lua_getfield(L, -2, "pts");
    lua_getfield(L, -3, "layer");
    u.box = lua_tointeger(L, -3);
    u.pts = (int32_t)lua_tointeger(L, -2);
    u.layer = (int32_t)lua_tointeger(L, -1);
    lua_getfield(L, -4, "raw");
    u.body.p = (const uint8_t *)lua_tolstring(L, -1, &u.body.n);
    err = u.body.p ? ln_store_inbox_add(a->store->store, a->id, &u, &seq) : LN_E_INVAL;
    lua_pop(L, 5);
    lua_pushinteger(L, (lua_Integer)seq);
    lua_rawseti(L, out, i);
  }
  return err;
}

static int write_done(lua_State *L, struct account *a, int list)
{
  int err = LN_OK;
  lua_Integer n = (lua_Integer)lua_rawlen(L, list);
  for (lua_Integer i = 1; i <= n && !err; i++) {
    lua_rawgeti(L, list, i);
    err = ln_store_inbox_done(a->store->store, (uint64_t)lua_tointeger(L, -1));
    lua_pop(L, 1);
  }
  return err;
}

static int write_channels(lua_State *L, struct account *a, int table)
{
  int err = LN_OK;
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
    if (!err)
      err = ln_store_pts_set(a->store->store, a->id, lua_tointeger(L, -2), (int32_t)lua_tointeger(L, -1));
  return err;
}

static int write_persist(lua_State *L, struct account *a, int table)
{
  int err = LN_OK;
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    char key[200];
    size_t n;
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING) continue;
    snprintf(key, sizeof key, "persist.%s", lua_tostring(L, -2));
    const char *value = lua_tolstring(L, -1, &n);
    if (!err) err = ln_store_set(a->store->store, a->id, key, ln_slice(value, n));
  }
  return err;
}

/* What a group is made of: 1 the account, 2 the numbers, 3 … 7 add, done, channels, persist, state. Gives an
 * error code. */
static int write_group(lua_State *L)
{
  struct account *a = lua_touserdata(L, 1);
  int err = LN_OK;
  if (lua_istable(L, 3)) err = write_adds(L, a, 3, 2);
  if (!err && lua_istable(L, 4)) err = write_done(L, a, 4);
  if (!err && lua_istable(L, 5)) err = write_channels(L, a, 5);
  if (!err && lua_istable(L, 6)) err = write_persist(L, a, 6);
  if (!err && lua_istable(L, 7)) err = write_state(L, a, 7);
  lua_pushinteger(L, err);
  return 1;
}

/* commit({ state =, channels =, add =, done =, persist = }, fn) → the inbox numbers of `add`. One group;
 * fn(errname | nil) once it is durable. */
static int a_commit(lua_State *L)
{
  struct account *a = check(L);
  struct ln_host *h = ln_host_get();
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 3);
  luaL_checkstack(L, 16, NULL);
  lua_newtable(L); /* 4: the numbers */
  lua_pushcfunction(L, write_group);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 4);
  static const char *const parts[] = {"add", "done", "channels", "persist", "state"};
  for (int i = 0; i < 5; i++) lua_getfield(L, 2, parts[i]);
  struct done *d = NULL;
  if (lua_isfunction(L, 3)) {
    lua_pushvalue(L, 3);
    int ref = luaL_ref(L, LUA_REGISTRYINDEX);
    if (!(d = ln_calloc(1, sizeof *d))) {
      luaL_unref(L, LUA_REGISTRYINDEX, ref);
      return luaL_error(L, "out of memory");
    }
    d->ref = ref;
    d->clock = h->current ? h->current->clock : ln_loop_clock(h->loop);
    d->owner = h->current ? h->current->owner : 0;
  }
  int err = ln_store_begin(a->store->store);
  if (!err) {
    err = lua_pcall(L, 7, 1, 0) == LUA_OK ? (int)lua_tointeger(L, -1) : LN_E_NOMEM;
    /* A group that is not whole must not be kept: a wrong write of its own makes the commit drop it. */
    if (err) (void)ln_store_set(a->store->store, a->id, "", ln_slice(NULL, 0));
    ln_loop_hold(h->loop);
    int committed = ln_store_commit(a->store->store, group_done, d, 0);
    if (committed) ln_loop_release(h->loop);
    if (!err) err = committed;
    if (!committed) d = NULL;
  }
  if (d) {
    luaL_unref(L, LUA_REGISTRYINDEX, d->ref);
    ln_free(d);
  }
  if (err) return done_or_raise(L, err);
  lua_settop(L, 4);
  return 1;
}

static int each_update(void *ctx, const struct ln_store_update *u)
{
  struct each *e = ctx;
  lua_State *L = e->L;
  lua_createtable(L, 0, 5);
  lua_pushinteger(L, (lua_Integer)u->seq);
  lua_setfield(L, -2, "seq");
  lua_pushinteger(L, u->box);
  lua_setfield(L, -2, "box");
  lua_pushinteger(L, u->pts);
  lua_setfield(L, -2, "pts");
  lua_pushinteger(L, u->layer);
  lua_setfield(L, -2, "layer");
  lua_pushlstring(L, (const char *)u->body.p, u->body.n);
  lua_setfield(L, -2, "raw");
  lua_rawseti(L, -2, ++e->n);
  return 0;
}

/* inbox(after = 0, max = 0) → list in order */
static int a_inbox(lua_State *L)
{
  struct account *a = check(L);
  struct each e = {L, 0};
  uint64_t after = (uint64_t)luaL_optinteger(L, 2, 0);
  size_t max = (size_t)luaL_optinteger(L, 3, 0);
  lua_newtable(L);
  int err = ln_store_inbox_each(a->store->store, a->id, after, max, each_update, &e);
  return err ? done_or_raise(L, err) : 1;
}

int luaopen__luna_store(lua_State *L)
{
  static const luaL_Reg functions[] = {{"open", f_open}, {NULL, NULL}};
  static const luaL_Reg store[] = {{"account", s_account}, {"accounts", s_accounts}, {"flush", s_flush},
                                   {"close", s_close},     {"__gc", s_close},        {NULL, NULL}};
  static const luaL_Reg account[] = {{"get", a_get},
                                     {"set", a_set},
                                     {"forget", a_forget},
                                     {"authKey", a_auth_key},
                                     {"setAuthKey", a_set_auth_key},
                                     {"deleteAuthKey", a_delete_auth_key},
                                     {"peer", a_peer},
                                     {"peerByUsername", a_peer_by_username},
                                     {"putPeers", a_put_peers},
                                     {"channelPts", a_channel_pts},
                                     {"setChannelPts", a_set_channel_pts},
                                     {"channels", a_channels},
                                     {"state", a_state},
                                     {"commit", a_commit},
                                     {"inbox", a_inbox},
                                     {NULL, NULL}};
  luaL_newmetatable(L, STORE);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_setfuncs(L, store, 0);
  luaL_newmetatable(L, ACCOUNT);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_setfuncs(L, account, 0);
  lua_pop(L, 2);
  luaL_requiref(L, "_luna.tl", luaopen__luna_tl, 0); /* "luna.Buffer" is its */
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}

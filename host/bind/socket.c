/* Reading and writing of luna.socket's sockets: see socket.h. What comes lies in the stream's buffer until it
 * is read; what is written goes to the kernel at once, and what does not fit stays in the script's own
 * string, which is held until it has gone. */
#include "bind/socket.h"
#include "bind/modules.h"
#include "bind/watch.h"
#include "base/alloc.h"

#define FULL ((size_t)64 << 10)   /* unread bytes, above which no more are taken from the kernel */
#define PIECE ((size_t)256 << 10) /* handed to the stream at a time */

static char hooks[1]; /* registry: { options = fn, raise = fn } of lua/luna/socket.lua */

enum outcome { DONE, TIMED_OUT, FAILED };

static const char
    mark; /* its address is in each socket, which is sooner told by that than by its metatable */

static struct ln_socket *check(lua_State *L)
{
  struct ln_socket *s = lua_touserdata(L, 1);
  if (s && lua_rawlen(L, 1) == sizeof *s && s->link.mark == &mark) return s; /* light ones have no length */
  return luaL_checkudata(L, 1, LN_SOCKET_NAME);
}

int ln_socket_raise(lua_State *L, const char *op, int err, const char *why, const char *address)
{
  lua_rawgetp(L, LUA_REGISTRYINDEX, hooks);
  lua_getfield(L, -1, "raise");
  lua_pushstring(L, op);
  lua_pushstring(L, ln_err_name(err));
  lua_pushstring(L, why);
  lua_pushstring(L, address);
  lua_call(L, 4, 0);
  return luaL_error(L, "%s", why);
}

static int fail(lua_State *L, const struct ln_socket *s, const char *op, int err, const char *why)
{
  return ln_socket_raise(L, op, err, why, s->stream ? ln_stream_peer(s->stream) : s->address);
}

static int options_done(lua_State *L, int status, lua_KContext base)
{
  (void)status;
  return lua_gettop(L) - (int)base;
}

int ln_socket_with_options(lua_State *L, lua_CFunction method, int index)
{
  lua_settop(L, index);
  lua_rawgetp(L, LUA_REGISTRYINDEX, hooks);
  lua_getfield(L, -1, "options");
  lua_pushcfunction(L, method);
  lua_pushvalue(L, index);
  lua_pushvalue(L, 1);
  if (index > 2)
    lua_pushvalue(L, 2);
  else
    lua_pushnil(L);
  lua_callk(L, 4, LUA_MULTRET, index + 1, options_done);
  return options_done(L, LUA_OK, index + 1);
}

/* Most calls have no more than the socket: the count of arguments is sooner had than the type of one. */
static bool absent(lua_State *L, int index)
{
  return lua_gettop(L) < index || lua_isnil(L, index);
}

double ln_socket_seconds(lua_State *L, int index)
{
  if (absent(L, index)) return -1;
  double s = luaL_checknumber(L, index);
  return s > 1e9 ? 1e9 : s;
}

/* --- waiting --- */

static void wait_over(struct ln_socket_link *link, struct ln_task *t)
{
  ln_timer_stop(&t->timer);
  link->waits--;
  if (!link->unreferenced) ln_host_unref(ln_host_get());
}

/* The clock is the real one, whatever the task's: so is the other end. */
static void limit_reached(struct ln_timer *timer)
{
  struct ln_task *t = (struct ln_task *)((char *)timer - offsetof(struct ln_task, timer));
  t->wait->cancel(t, t->ctx);
  lua_pushinteger(t->wait_L, TIMED_OUT); /* a suspended C call has LUA_MINSTACK slots */
  ln_task_wake(t, 1, false);
}

int ln_socket_wait(lua_State *L, struct ln_socket_link *link, struct ln_task **slot, double seconds,
                   const struct ln_wait *wait, lua_KFunction then)
{
  struct ln_host *h = ln_host_get();
  struct ln_task *t = h->current;
  if (seconds >= 0) {
    struct ln_clock *clock = ln_loop_clock(h->loop);
    t->timer.fn = limit_reached;
    if (ln_timer_start(clock, &t->timer, ln_clock_fresh(clock) + (int64_t)(seconds * 1e6)))
      return luaL_error(L, "out of memory");
  }
  *slot = t;
  link->waits++;
  if (!link->unreferenced) ln_host_ref(h);
  return ln_task_wait_then(L, wait, link, then);
}

void ln_socket_wake(struct ln_socket_link *link, struct ln_task **slot)
{
  struct ln_task *t = *slot;
  if (!t) return;
  *slot = NULL;
  wait_over(link, t);
  ln_task_wake(t, 0, false);
}

bool ln_socket_forget(struct ln_socket_link *link, struct ln_task **slot, struct ln_task *t)
{
  if (*slot != t) return false;
  *slot = NULL;
  wait_over(link, t);
  return true;
}

bool ln_socket_timed_out(lua_State *L)
{
  if (ln_task_woken(L) == 0) return false;
  bool is = lua_tointeger(L, -1) == TIMED_OUT;
  lua_pop(L, 1);
  return is;
}

void ln_socket_reference(struct ln_socket_link *link, bool referenced)
{
  struct ln_host *h = ln_host_get();
  if (link->unreferenced != referenced) return;
  link->unreferenced = !referenced;
  for (int i = 0; i < link->waits; i++) referenced ? ln_host_ref(h) : ln_host_unref(h);
}

/* --- reading --- */

static struct ln_buf *arrived(struct ln_socket *s)
{
  return s->stream ? ln_stream_in(s->stream) : &s->rest;
}

static int take(lua_State *L, struct ln_socket *s, struct ln_buf *in)
{
  size_t wanted = absent(L, 2) ? SIZE_MAX : (size_t)lua_tointeger(L, 2);
  size_t n = wanted < in->len ? wanted : in->len;
  lua_pushlstring(L, (const char *)ln_buf_data(in), n);
  ln_buf_consume(in, n);
  s->taken += n;
  if (s->full && in->len < FULL) {
    s->full = false;
    if (s->stream) ln_stream_pause(s->stream, false);
  }
  return 1;
}

static int read_done(lua_State *L, int status, lua_KContext ctx);

static void read_cancel(struct ln_task *t, void *ctx)
{
  struct ln_socket *s = ctx;
  ln_socket_forget(&s->link, &s->reader, t);
}

static const struct ln_wait reading = {"socket", read_cancel};

static int read_on(lua_State *L, struct ln_socket *s)
{
  struct ln_buf *in = arrived(s);
  if (s->reader) return luaL_error(L, "another task reads from this socket already: one at a time can");
  if (in->len) return take(L, s, in);
  if (s->err) return fail(L, s, "read", s->err, s->why);
  if (!s->stream || s->ended) {
    lua_pushnil(L);
    return 1;
  }
  if (!s->reads) {
    s->reads = true;
    ln_stream_pause(s->stream, false);
  }
  return ln_socket_wait(L, &s->link, &s->reader, ln_socket_seconds(L, 3), &reading, read_done);
}

static int read_done(lua_State *L, int status, lua_KContext ctx)
{
  struct ln_socket *s = lua_touserdata(L, 1);
  (void)status;
  (void)ctx;
  if (ln_socket_timed_out(L)) return fail(L, s, "read", LN_E_TIMEOUT, ln_err_text(LN_E_TIMEOUT));
  return read_on(L, s);
}

/* read(n = all that is there, options) → bytes | nil at the end */
static int s_read(lua_State *L)
{
  struct ln_socket *s = check(L);
  if (lua_gettop(L) > 1) {
    if (lua_istable(L, 2)) return ln_socket_with_options(L, s_read, 2);
    if (lua_istable(L, 3)) return ln_socket_with_options(L, s_read, 3);
    if (!lua_isnil(L, 2) && !(lua_isinteger(L, 2) && lua_tointeger(L, 2) > 0))
      return luaL_error(L, "socket:read(n) wants a whole number of bytes above 0, got %s",
                        luaL_tolstring(L, 2, NULL));
  }
  ln_task_check_wait(L);
  return read_on(L, s);
}

/* for bytes in socket do */
static int s_call(lua_State *L)
{
  lua_settop(L, 1);
  return s_read(L);
}

/* --- writing --- */

static void drop_write(struct ln_socket *s, enum outcome outcome)
{
  struct ln_socket_write *w = s->first;
  struct ln_task *t = w->task;
  s->first = w->next;
  if (!s->first) s->last = &s->first;
  if (t && outcome != DONE) lua_pushinteger(t->wait_L, outcome);
  if (t) {
    wait_over(&s->link, t);
    ln_task_wake(t, outcome != DONE, false);
  }
  luaL_unref(ln_host_get()->L, LUA_REGISTRYINDEX, w->ref);
  ln_free(w);
}

/* Hands on what waits, as far as the kernel takes it. */
static int pump(struct ln_socket *s)
{
  struct ln_buf *out = ln_stream_out(s->stream);
  int err = LN_OK;
  while (!err && ln_stream_unsent(s->stream) == 0) {
    while (s->first && s->first->at == s->first->n) drop_write(s, DONE);
    if (!s->first) break;
    for (struct ln_socket_write *w = s->first; w && !err && out->len < PIECE; w = w->next) {
      size_t room = PIECE - out->len, left = w->n - w->at, n = left < room ? left : room;
      err = ln_buf_append(out, w->bytes + w->at, n);
      if (err) break;
      w->at += n;
      s->sent += n;
    }
    int failed = ln_stream_send(s->stream);
    if (failed) err = failed;
  }
  if (!err && s->finishing && !s->finished && !s->first && ln_stream_unsent(s->stream) == 0) {
    s->finished = true;
    ln_stream_finish(s->stream);
  }
  return err;
}

static void write_cancel(struct ln_task *t, void *ctx)
{
  struct ln_socket *s = ctx;
  for (struct ln_socket_write *w = s->first; w; w = w->next)
    if (ln_socket_forget(&s->link, &w->task, t)) return; /* its bytes go on their way */
}

static const struct ln_wait writing = {"socket", write_cancel};

static int broken(lua_State *L, struct ln_socket *s)
{
  if (s->err) return fail(L, s, "write", s->err, s->why);
  return fail(L, s, "write", LN_E_CLOSED, "the socket is closed");
}

static int write_done(lua_State *L, int status, lua_KContext ctx)
{
  struct ln_socket *s = lua_touserdata(L, 1);
  (void)status;
  (void)ctx;
  if (ln_task_woken(L) == 0) return 0;
  if (lua_tointeger(L, -1) == TIMED_OUT) return fail(L, s, "write", LN_E_TIMEOUT, ln_err_text(LN_E_TIMEOUT));
  return broken(L, s);
}

/* The string at index 2 (NULL: nothing) goes out behind what is under way. */
static int send_bytes(lua_State *L, struct ln_socket *s, const char *bytes, size_t n)
{
  size_t at = 0;
  int err = LN_OK;
  if (!s->first) at = ln_stream_write(s->stream, ln_slice(bytes, n), &err);
  if (err) return fail(L, s, "write", err, ln_err_text(err));
  s->sent += at;
  if (at == n && n) {
    if (s->finishing) pump(s);
    return 0;
  }
  int ref = LUA_NOREF;
  if (n) {
    lua_pushvalue(L, 2);
    ref = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  struct ln_socket_write *w = ln_calloc(1, sizeof *w);
  if (!w) {
    luaL_unref(L, LUA_REGISTRYINDEX, ref);
    return luaL_error(L, "out of memory");
  }
  w->ref = ref;
  w->bytes = bytes;
  w->n = n;
  w->at = at;
  *s->last = w;
  s->last = &w->next;
  err = pump(s);
  if (err) { /* on_close tells the others */
    return fail(L, s, "write", err, ln_err_text(err));
  }
  for (struct ln_socket_write *x = s->first; x; x = x->next)
    if (x == w) return ln_socket_wait(L, &s->link, &w->task, ln_socket_seconds(L, 3), &writing, write_done);
  return 0; /* it has gone already */
}

static struct ln_socket *writable(lua_State *L)
{
  struct ln_socket *s = check(L);
  ln_task_check_wait(L);
  if (!s->stream) broken(L, s);
  if (s->finishing) fail(L, s, "write", LN_E_CLOSED, "the socket's writing side is finished");
  return s;
}

/* write(bytes, options): when the kernel has taken them all. */
static int s_write(lua_State *L)
{
  if (!absent(L, 3) && lua_istable(L, 3)) return ln_socket_with_options(L, s_write, 3);
  struct ln_socket *s = writable(L);
  size_t n;
  if (lua_type(L, 2) != LUA_TSTRING)
    return luaL_error(L, "socket:write wants a string, got a %s",
                      lua_isnone(L, 2) ? "nil" : luaL_typename(L, 2));
  const char *bytes = lua_tolstring(L, 2, &n);
  return n ? send_bytes(L, s, bytes, n) : 0;
}

/* finish(bytes = "", options): the last ones; the peer sees the end behind them. */
static int s_finish(lua_State *L)
{
  if (lua_istable(L, 2)) return ln_socket_with_options(L, s_finish, 2);
  if (lua_istable(L, 3)) return ln_socket_with_options(L, s_finish, 3);
  struct ln_socket *s = writable(L);
  size_t n = 0;
  if (!lua_isnoneornil(L, 2) && lua_type(L, 2) != LUA_TSTRING)
    return luaL_error(L, "socket:finish wants a string or nothing, got a %s", luaL_typename(L, 2));
  const char *bytes = lua_isnoneornil(L, 2) ? "" : lua_tolstring(L, 2, &n);
  s->finishing = true;
  return send_bytes(L, s, bytes, n);
}

/* --- what the stream says --- */

static void on_open(void *ctx)
{
  struct ln_socket *s = ctx;
  ln_socket_opened(s);
  ln_socket_wake(&s->link, &s->opener);
}

static void on_data(void *ctx, struct ln_buf *in)
{
  struct ln_socket *s = ctx;
  if (in->len >= FULL && !s->full) {
    s->full = true;
    ln_stream_pause(s->stream, true);
  }
  ln_socket_wake(&s->link, &s->reader);
}

static void on_end(void *ctx)
{
  struct ln_socket *s = ctx;
  s->ended = true;
  ln_socket_wake(&s->link, &s->reader);
}

static void on_drain(void *ctx)
{
  if (pump(ctx) == LN_E_NOMEM) ln_socket_close(ctx);
}

/* Everybody who waits hears of it. */
static void tell_all(struct ln_socket *s)
{
  if (ln_host_get()->closing) { /* nobody waits any more; the state is being closed */
    while (s->first) {
      struct ln_socket_write *w = s->first;
      s->first = w->next;
      ln_free(w);
    }
    return;
  }
  ln_socket_wake(&s->link, &s->opener);
  ln_socket_wake(&s->link, &s->reader);
  while (s->first) drop_write(s, FAILED);
}

static void on_close(void *ctx, int err, const char *why)
{
  struct ln_socket *s = ctx;
  struct ln_buf *in = ln_stream_in(s->stream), was = s->rest;
  s->rest = *in; /* what came before is read before the error */
  *in = was;
  ln_socket_unlink(&s->link);
  ln_watch_forget_fd(ln_stream_fd(s->stream));
  snprintf(s->address, sizeof s->address, "%s", ln_stream_peer(s->stream));
  s->stream = NULL;
  s->err = err;
  snprintf(s->why, sizeof s->why, "%s", why);
  tell_all(s);
}

const struct ln_stream_ops ln_socket_ops = {
    .on_open = on_open, .on_data = on_data, .on_drain = on_drain, .on_close = on_close, .on_end = on_end};

/* --- life --- */

struct ln_socket *ln_socket_push(lua_State *L)
{
  struct ln_socket *s = lua_newuserdatauv(L, sizeof *s, 0);
  memset(s, 0, sizeof *s);
  s->last = &s->first;
  s->link.mark = &mark;
  ln_buf_init(&s->rest, 0);
  luaL_setmetatable(L, LN_SOCKET_NAME);
  return s;
}

void ln_socket_opened(struct ln_socket *s)
{
  ln_stream_patient(s->stream);
}

void ln_socket_close(struct ln_socket *s)
{
  struct ln_stream *stream = s->stream;
  if (!stream) {
    ln_buf_clear(&s->rest);
    s->err = LN_OK;
    return;
  }
  ln_socket_unlink(&s->link);
  ln_watch_forget_fd(ln_stream_fd(stream));
  s->stream = NULL;
  ln_stream_close(stream);
  tell_all(s);
}

static int s_close(lua_State *L)
{
  struct ln_socket *s = check(L);
  if (s->stream) ln_watch_closed(L, ln_stream_fd(s->stream));
  ln_socket_close(s);
  return 0;
}

static int s_gc(lua_State *L)
{
  struct ln_socket *s = check(L);
  ln_socket_close(s);
  ln_buf_deinit(&s->rest);
  return 0;
}

static int push_address(lua_State *L, const struct ln_socket *s, bool peer)
{
  char text[128];
  size_t n = s->stream ? ln_stream_address(s->stream, peer, text, sizeof text) : 0;
  if (n)
    lua_pushlstring(L, text, n);
  else
    lua_pushnil(L);
  return 1;
}

/* The metatable's __index, for what is no method. */
static int s_get(lua_State *L)
{
  struct ln_socket *s = check(L);
  const char *key = lua_tostring(L, 2);
  if (key && strcmp(key, "localAddress") == 0) return push_address(L, s, false);
  if (key && strcmp(key, "remoteAddress") == 0) return push_address(L, s, true);
  return 0;
}

static int s_tostring(lua_State *L)
{
  struct ln_socket *s = check(L);
  char text[128];
  if (!s->stream)
    lua_pushliteral(L, "socket (closed)");
  else if (ln_stream_address(s->stream, true, text, sizeof text))
    lua_pushfstring(L, "socket (%s)", text);
  else
    lua_pushfstring(L, "socket (%p)", (void *)s);
  return 1;
}

static int s_fd(lua_State *L)
{
  struct ln_socket *s = check(L);
  lua_pushinteger(L, s->stream ? ln_stream_fd(s->stream) : -1);
  return 1;
}

/* --- of sockets and servers --- */

static struct ln_socket_link *check_link(lua_State *L)
{
  void *server = luaL_testudata(L, 1, LN_SERVER_NAME);
  return server ? &((struct ln_socket_server *)server)->link : &check(L)->link;
}

static int m_reference(lua_State *L)
{
  ln_socket_reference(check_link(L), true);
  return 0;
}

static int m_unreference(lua_State *L)
{
  ln_socket_reference(check_link(L), false);
  return 0;
}

static int m_is_closed(lua_State *L)
{
  lua_pushboolean(L, !check_link(L)->linked);
  return 1;
}

static int index_of(lua_State *L)
{
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  return lua_tocfunction(L, lua_upvalueindex(2))(L);
}

void ln_socket_metatable(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *meta,
                         lua_CFunction get)
{
  static const luaL_Reg common[] = {
      {"isClosed", m_is_closed}, {"reference", m_reference}, {"unreference", m_unreference}, {NULL, NULL}};
  luaL_newmetatable(L, name);
  luaL_setfuncs(L, meta, 0);
  lua_newtable(L);
  luaL_setfuncs(L, common, 0);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "methods");
  lua_pushcfunction(L, get);
  lua_pushcclosure(L, index_of, 2);
  lua_setfield(L, -2, "__index");
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}

/* setHooks(options, raise): see lua/luna/socket.lua. */
static int f_set_hooks(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_createtable(L, 0, 2);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "options");
  lua_pushvalue(L, 2);
  lua_setfield(L, -2, "raise");
  lua_rawsetp(L, LUA_REGISTRYINDEX, hooks);
  return 0;
}

int luaopen__luna_socket(lua_State *L)
{
  static const luaL_Reg functions[] = {{"connect", ln_socket_connect}, {"listen", ln_socket_listen},
                                       {"list", ln_socket_list},       {"endOwned", ln_socket_end_owned},
                                       {"setHooks", f_set_hooks},      {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"read", s_read}, {"write", s_write}, {"finish", s_finish}, {"close", s_close}, {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__gc", s_gc},     {"__close", s_close}, {"__tostring", s_tostring},
                                  {"__call", s_call}, {"__fd", s_fd},       {NULL, NULL}};
  ln_socket_metatable(L, LN_SOCKET_NAME, methods, meta, s_get);
  ln_socket_server_open(L);
  luaL_newlib(L, functions);
  return 1;
}

/* Where sockets come from: connect, and servers that accept. See socket.h. */
#include "bind/socket.h"
#include "bind/modules.h"
#include "loop/unix.h"

static struct ln_socket_server *check(lua_State *L)
{
  return luaL_checkudata(L, 1, LN_SERVER_NAME);
}

/* --- connecting --- */

/* 1 host or path, 2 port | nil, 3 seconds, 4 the socket */
static int connect_done(lua_State *L, int status, lua_KContext ctx)
{
  struct ln_socket *s = lua_touserdata(L, 4);
  (void)status;
  (void)ctx;
  ln_task_woken(L);
  if (s->err) return ln_socket_raise(L, "connect", s->err, s->why, s->address);
  if (!s->stream) return ln_socket_raise(L, "connect", LN_E_CLOSED, "closed meanwhile", lua_tostring(L, 1));
  lua_settop(L, 4);
  return 1;
}

static void connect_cancel(struct ln_task *t, void *ctx)
{
  struct ln_socket *s = ctx;
  if (ln_socket_forget(&s->link, &s->opener, t)) ln_socket_close(s);
}

static const struct ln_wait connecting = {"socket", connect_cancel};

/* connect(host or path, port | nil, seconds) → socket */
int ln_socket_connect(lua_State *L)
{
  const char *host = luaL_checkstring(L, 1);
  int port = (int)luaL_optinteger(L, 2, 0);
  int64_t us = (int64_t)(luaL_checknumber(L, 3) * 1e6);
  struct ln_loop *loop = ln_host_get()->loop;
  ln_task_check_wait(L);
  lua_settop(L, 3);
  struct ln_socket *s = ln_socket_push(L);
  int err = lua_isnil(L, 2) ? ln_unix_connect(loop, host, us, &ln_socket_ops, s, &s->stream)
                            : ln_tcp_dial(loop, host, port, us, &ln_socket_ops, s, &s->stream);
  if (err) {
    s->stream = NULL;
    return ln_socket_raise(L, "connect", err, ln_err_text(err), host);
  }
  s->dialled = true;
  ln_socket_link(&s->link);
  ln_stream_pause(s->stream, true); /* until somebody reads */
  return ln_socket_wait(L, &s->link, &s->opener, -1, &connecting, connect_done);
}

/* --- accepting --- */

/* One that nobody has asked for yet: it is paused, so nothing comes of it. */
static void on_data(void *ctx, struct ln_buf *in)
{
  (void)ctx;
  (void)in;
}

static void on_close(void *ctx, int err, const char *why)
{
  (void)ctx;
  (void)err;
  (void)why;
}

static const struct ln_stream_ops queued_ops = {.on_data = on_data, .on_close = on_close};

static void on_accept(void *ctx, struct ln_stream *stream)
{
  struct ln_socket_server *s = ctx;
  if (s->n == LN_SOCKET_QUEUE) return; /* it is paused then; closed by who calls us */
  ln_stream_pause(stream, true);
  ln_stream_adopt(stream, &queued_ops, s);
  s->queue[(s->first + s->n++) % LN_SOCKET_QUEUE] = stream;
  if (s->n == LN_SOCKET_QUEUE) ln_listener_pause(s->listener, true);
  ln_socket_wake(&s->link, &s->acceptor);
}

static struct ln_stream *next_in_queue(struct ln_socket_server *s)
{
  struct ln_stream *stream = s->queue[s->first];
  s->first = (s->first + 1) % LN_SOCKET_QUEUE;
  s->n--;
  return stream;
}

static int accept_done(lua_State *L, int status, lua_KContext ctx);

static void accept_cancel(struct ln_task *t, void *ctx)
{
  struct ln_socket_server *s = ctx;
  ln_socket_forget(&s->link, &s->acceptor, t);
}

static const struct ln_wait accepting = {"socket", accept_cancel};

static int accept_on(lua_State *L, struct ln_socket_server *s)
{
  if (!s->listener) {
    lua_pushnil(L);
    return 1;
  }
  if (!s->n) {
    if (s->acceptor) return luaL_error(L, "another task waits in accept() of this server already");
    return ln_socket_wait(L, &s->link, &s->acceptor, ln_socket_seconds(L, 3), &accepting, accept_done);
  }
  struct ln_socket *socket = ln_socket_push(L);
  bool was_full = s->n == LN_SOCKET_QUEUE;
  socket->stream = next_in_queue(s);
  ln_socket_link(&socket->link);
  ln_stream_adopt(socket->stream, &ln_socket_ops, socket);
  ln_socket_opened(socket);
  if (was_full) ln_listener_pause(s->listener, false);
  return 1;
}

static int accept_done(lua_State *L, int status, lua_KContext ctx)
{
  struct ln_socket_server *s = lua_touserdata(L, 1);
  (void)status;
  (void)ctx;
  if (ln_socket_timed_out(L)) {
    char address[128];
    if (!s->listener || !ln_listener_address(s->listener, address, sizeof address)) *address = 0;
    return ln_socket_raise(L, "accept", LN_E_TIMEOUT, ln_err_text(LN_E_TIMEOUT), address);
  }
  return accept_on(L, s);
}

/* accept(options) → socket | nil once the server is closed */
static int s_accept(lua_State *L)
{
  struct ln_socket_server *s = check(L);
  if (lua_istable(L, 2)) return ln_socket_with_options(L, s_accept, 2);
  ln_task_check_wait(L);
  return accept_on(L, s);
}

/* for socket in server do */
static int s_call(lua_State *L)
{
  lua_settop(L, 1);
  return s_accept(L);
}

/* listen(host or path, port | nil) → server */
int ln_socket_listen(lua_State *L)
{
  const char *host = luaL_checkstring(L, 1), *why;
  int port = (int)luaL_optinteger(L, 2, 0);
  struct ln_loop *loop = ln_host_get()->loop;
  struct ln_socket_server *s = lua_newuserdatauv(L, sizeof *s, 0);
  memset(s, 0, sizeof *s);
  s->link.is_server = true;
  luaL_setmetatable(L, LN_SERVER_NAME);
  int err = lua_isnoneornil(L, 2) ? ln_unix_listen(loop, host, false, on_accept, s, &s->listener, &why)
                                  : ln_tcp_listen(loop, host, port, on_accept, s, &s->listener, &why);
  if (err) {
    s->listener = NULL;
    return ln_socket_raise(L, "listen", err, why, host);
  }
  ln_socket_link(&s->link);
  return 1;
}

void ln_socket_server_close(struct ln_socket_server *s)
{
  struct ln_listener *listener = s->listener;
  if (!listener) return;
  ln_socket_unlink(&s->link);
  s->listener = NULL;
  ln_listener_close(listener);
  while (s->n) ln_stream_close(next_in_queue(s));
  if (!ln_host_get()->closing) ln_socket_wake(&s->link, &s->acceptor);
}

static int s_close(lua_State *L)
{
  ln_socket_server_close(check(L));
  return 0;
}

static int s_get(lua_State *L)
{
  struct ln_socket_server *s = check(L);
  const char *key = lua_tostring(L, 2);
  char text[128];
  if (!key || strcmp(key, "localAddress") != 0) return 0;
  size_t n = s->listener ? ln_listener_address(s->listener, text, sizeof text) : 0;
  if (!n) return 0;
  lua_pushlstring(L, text, n);
  return 1;
}

static int s_tostring(lua_State *L)
{
  struct ln_socket_server *s = check(L);
  char text[128];
  if (s->listener && ln_listener_address(s->listener, text, sizeof text))
    lua_pushfstring(L, "socket server (%s)", text);
  else
    lua_pushliteral(L, "socket server (closed)");
  return 1;
}

void ln_socket_server_open(lua_State *L)
{
  static const luaL_Reg methods[] = {{"accept", s_accept}, {"close", s_close}, {NULL, NULL}};
  static const luaL_Reg meta[] = {
      {"__gc", s_close}, {"__close", s_close}, {"__tostring", s_tostring}, {"__call", s_call}, {NULL, NULL}};
  ln_socket_metatable(L, LN_SERVER_NAME, methods, meta, s_get);
}

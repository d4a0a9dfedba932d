/* _luna.repl: lines over a Unix socket, for both ends of the REPL. A connection is anchored in the registry
 * from its beginning to its end; the stream under it belongs to it. */
#include "bind/host.h"
#include "bind/modules.h"
#include "bind/task.h"
#include "loop/unix.h"

#include <signal.h>

#define CONNECTION "luna.ReplConnection"
#define LISTENER "luna.ReplListener"
#define LINE_MAX_BYTES ((size_t)4 << 20)
#define ANSWER_MAX ((size_t)64 << 10)
#define INTERRUPT 3 /* Ctrl-C: the byte cannot be in a line of JSON */

struct connection {
  struct ln_stream *stream; /* NULL: closed */
  int ref;                  /* function(line | nil) */
  bool keeps;               /* the program goes on while it is open */
  uint64_t task;            /* whose computing an interrupt ends; 0: nobody's */
  struct connection *next;
};

struct listener {
  struct ln_listener *listener;
  int ref; /* function(connection) */
};

static struct connection *connections;

static struct {  /* the REPL of this very process */
  uint64_t task; /* whose computing Ctrl-C ends; 0: nobody's */
  struct sigaction before;
  volatile sig_atomic_t pressed;
} local;

static bool wants_interrupt(void)
{
  struct ln_task *t = ln_host_get()->current;
  if (!t) return false;
  if (local.pressed && local.task == t->id) {
    local.pressed = 0;
    return true;
  }
  for (struct connection *c = connections; c; c = c->next)
    if (c->stream && c->task == t->id && ln_unix_peek(c->stream, INTERRUPT)) return true;
  return false;
}

/* It is closed: nobody calls it any more. The stream has gone already. */
static void over(lua_State *L, struct connection *c)
{
  for (struct connection **at = &connections; *at; at = &(*at)->next) {
    if (*at != c) continue;
    *at = c->next;
    break;
  }
  if (!connections && !local.task) ln_watchdog_set_interrupt(NULL);
  luaL_unref(L, LUA_REGISTRYINDEX, c->ref);
  c->ref = LUA_NOREF;
  if (c->keeps) ln_host_unref(ln_host_get());
  c->keeps = false;
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, c);
}

static void tell_end(lua_State *L, struct connection *c)
{
  lua_rawgetp(L, LUA_REGISTRYINDEX, c);
  int ref = c->ref;
  c->ref = LUA_NOREF;
  over(L, c);
  if (ref == LUA_NOREF) return;
  lua_pushnil(L);
  ln_host_spawn_ref(ln_host_get(), ref, 1, ln_loop_clock(ln_host_get()->loop), 0);
  luaL_unref(L, LUA_REGISTRYINDEX, ref);
}

static int call_end(lua_State *L)
{
  tell_end(L, lua_touserdata(L, 1));
  return 0;
}

struct arrival {
  struct connection *c;
  struct ln_buf *in;
};

static int call_lines(lua_State *L)
{
  struct connection *c = ((struct arrival *)lua_touserdata(L, 1))->c;
  struct ln_buf *in = ((struct arrival *)lua_touserdata(L, 1))->in;
  lua_rawgetp(L, LUA_REGISTRYINDEX, c); /* stays on the stack, as c has to */
  while (c->stream && c->ref != LUA_NOREF) {
    uint8_t *start = ln_buf_data(in), *end = in->len ? memchr(start, '\n', in->len) : NULL;
    if (!end && in->len < LINE_MAX_BYTES) return 0;
    if (!end) { /* a line without an end */
      ln_stream_close(c->stream);
      c->stream = NULL;
      tell_end(L, c);
      return 0;
    }
    lua_pushlstring(L, (const char *)start, (size_t)(end - start));
    ln_buf_consume(in, (size_t)(end - start) + 1);
    ln_host_spawn_ref(ln_host_get(), c->ref, 1, ln_loop_clock(ln_host_get()->loop), 0);
  }
  return 0;
}

static void on_close(void *ctx, int err, const char *why)
{
  struct connection *c = ctx;
  (void)err;
  (void)why;
  c->stream = NULL;
  ln_host_protect(ln_host_get(), call_end, c);
}

static void on_data(void *ctx, struct ln_buf *in)
{
  struct connection *c = ctx;
  struct arrival a = {c, in};
  ln_host_protect(ln_host_get(), call_lines, &a);
}

static const struct ln_stream_ops ops = {.on_data = on_data, .on_close = on_close};

/* Pushes the connection of a stream. */
static struct connection *push(lua_State *L)
{
  struct connection *c = lua_newuserdatauv(L, sizeof *c, 0);
  memset(c, 0, sizeof *c);
  c->ref = LUA_NOREF;
  luaL_setmetatable(L, CONNECTION);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, c);
  return c;
}

static void take(struct connection *c, struct ln_stream *s)
{
  c->stream = s;
  c->next = connections;
  connections = c;
  ln_watchdog_set_interrupt(wants_interrupt);
  ln_stream_pause(s, true); /* until somebody listens */
  ln_stream_adopt(s, &ops, c);
}

struct acceptance {
  struct listener *l;
  struct ln_stream *s;
};

static int call_accept(lua_State *L)
{
  struct acceptance *a = lua_touserdata(L, 1);
  take(push(L), a->s);
  ln_host_spawn_ref(ln_host_get(), a->l->ref, 1, ln_loop_clock(ln_host_get()->loop), 0);
  return 0;
}

static void on_accept(void *ctx, struct ln_stream *s)
{
  struct acceptance a = {ctx, s};
  ln_host_protect(ln_host_get(), call_accept, &a);
}

static int refused(lua_State *L, int err, const char *why)
{
  lua_pushnil(L);
  lua_pushstring(L, ln_err_name(err));
  lua_pushstring(L, why);
  return 3;
}

/* listen(path, fn(connection)) → listener | nil, name of the error, why. Does not keep the program alive. */
static int f_listen(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1), *why;
  luaL_checktype(L, 2, LUA_TFUNCTION);
  struct listener *l = lua_newuserdatauv(L, sizeof *l, 0);
  l->listener = NULL;
  l->ref = LUA_NOREF;
  luaL_setmetatable(L, LISTENER);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, l);
  lua_pushvalue(L, 2);
  l->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  int err = ln_unix_listen(ln_host_get()->loop, path, true, on_accept, l, &l->listener, &why);
  if (!err) return 1;
  luaL_unref(L, LUA_REGISTRYINDEX, l->ref);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, l);
  return refused(L, err, why);
}

static int l_close(lua_State *L)
{
  struct listener *l = luaL_checkudata(L, 1, LISTENER);
  if (!l->listener) return 0;
  ln_listener_close(l->listener);
  l->listener = NULL;
  luaL_unref(L, LUA_REGISTRYINDEX, l->ref);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, l);
  return 0;
}

/* connect(path) → connection | nil, name of the error, why. Keeps the program alive until it is closed. */
static int f_connect(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1), *why;
  struct ln_stream *s;
  struct connection *c = push(L);
  int err = ln_unix_dial(ln_host_get()->loop, path, &s, &why);
  if (err) {
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, c);
    return refused(L, err, why);
  }
  take(c, s);
  c->keeps = true;
  ln_host_ref(ln_host_get());
  return 1;
}

static struct connection *check(lua_State *L)
{
  return luaL_checkudata(L, 1, CONNECTION);
}

/* onLine(fn): from now on fn(line) for each line, in order, each in a task of its own; fn(nil) at the end. */
static int c_on_line(lua_State *L)
{
  struct connection *c = check(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  if (!c->stream) return luaL_error(L, "the connection is closed");
  lua_settop(L, 2);
  luaL_unref(L, LUA_REGISTRYINDEX, c->ref);
  c->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  ln_stream_pause(c->stream, false);
  return 0;
}

/* send(line) → whether it could: false where it is closed or the peer does not read. */
static int c_send(lua_State *L)
{
  struct connection *c = check(L);
  size_t n;
  const char *line = luaL_checklstring(L, 2, &n);
  bool ok = c->stream && n < LINE_MAX_BYTES && ln_stream_unsent(c->stream) < 4 * LINE_MAX_BYTES;
  if (ok) {
    struct ln_buf *out = ln_stream_out(c->stream);
    ok = !ln_buf_append(out, line, n) && !ln_buf_append(out, "\n", 1);
    if (ok) ln_stream_send(c->stream);
  }
  lua_pushboolean(L, ok);
  return 1;
}

/* evaluating(on): an interrupt that comes while the running task computes ends it. */
static int c_evaluating(lua_State *L)
{
  struct connection *c = check(L);
  struct ln_task *t = ln_host_get()->current;
  c->task = lua_toboolean(L, 2) && t ? t->id : 0;
  return 0;
}

/* The loop hears of the signal as before, but not while Lua computes. */
static void on_interrupt(int signo)
{
  local.pressed = 1;
  void (*before)(int) = local.before.sa_handler;
  if (!(local.before.sa_flags & SA_SIGINFO) && before != SIG_DFL && before != SIG_IGN) before(signo);
}

/* interruptible(on): Ctrl-C ends the running task, also while it computes. */
static int f_interruptible(lua_State *L)
{
  struct ln_task *t = ln_host_get()->current;
  bool on = lua_toboolean(L, 1) && t;
  if (on && !local.task) {
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    local.pressed = 0;
    sigaction(SIGINT, &action, &local.before);
  } else if (!on && local.task) {
    sigaction(SIGINT, &local.before, NULL);
  }
  local.task = on ? t->id : 0;
  ln_watchdog_set_interrupt(on || connections ? wants_interrupt : NULL);
  return 0;
}

/* ask(path, question, skip, milliseconds) → the line that answers it, after so many others; or nil. The
 * program stands still meanwhile. */
static int f_ask(lua_State *L)
{
  size_t n;
  const char *path = luaL_checkstring(L, 1), *question = luaL_checklstring(L, 2, &n);
  int skip = (int)luaL_checkinteger(L, 3), milliseconds = (int)luaL_checkinteger(L, 4);
  char *room = lua_newuserdatauv(L, ANSWER_MAX, 0);
  struct ln_buf answer;
  ln_buf_init(&answer, ANSWER_MAX);
  int err = ln_unix_ask(path, ln_slice((const uint8_t *)question, n), skip, milliseconds, &answer);
  size_t len = err ? 0 : answer.len;
  if (len) memcpy(room, ln_buf_data(&answer), len);
  ln_buf_deinit(&answer);
  if (err)
    lua_pushnil(L);
  else
    lua_pushlstring(L, room, len);
  return 1;
}

static int c_close(lua_State *L)
{
  struct connection *c = check(L);
  if (!c->stream) return 0;
  ln_stream_close(c->stream);
  c->stream = NULL;
  over(L, c);
  return 0;
}

int luaopen__luna_repl(lua_State *L)
{
  static const luaL_Reg functions[] = {{"listen", f_listen},
                                       {"connect", f_connect},
                                       {"ask", f_ask},
                                       {"interruptible", f_interruptible},
                                       {NULL, NULL}};
  static const luaL_Reg methods[] = {{"onLine", c_on_line},
                                     {"send", c_send},
                                     {"evaluating", c_evaluating},
                                     {"close", c_close},
                                     {NULL, NULL}};
  connections = NULL; /* a new host: those of one before it are gone */
  local.task = 0;
  ln_watchdog_set_interrupt(NULL);
  luaL_newmetatable(L, LISTENER);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, l_close);
  lua_setfield(L, -2, "close");
  lua_pop(L, 1);
  luaL_newmetatable(L, CONNECTION);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_setfuncs(L, methods, 0);
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}

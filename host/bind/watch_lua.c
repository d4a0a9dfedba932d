/* _luna.loop: the watchers for lua/luna/loop.lua, which adds what needs no C: error handlers, the registry of
 * states, the words about wrong names. Its functions are luna.loop's own: they name the caller's line. */
#include "bind/modules.h"
#include "bind/socket.h"
#include "bind/watch.h"
#include "bind/luv.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <lualib.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_DEFAULT 8192
#define READ_MAX (16 << 20)
#define WRITE_PIECE 4096 /* what a blocking pipe takes without blocking once it is writable */
#define MS_MAX 1e12

static void check_callback(lua_State *L, int index)
{
  if (lua_type(L, index) == LUA_TFUNCTION) return;
  if (lua_type(L, index) == LUA_TTABLE && luaL_getmetafield(L, index, "__call") != LUA_TNIL) {
    lua_pop(L, 1);
    return;
  }
  luaL_typeerror(L, index, "function");
}

static int f_defer(lua_State *L)
{
  check_callback(L, 1);
  lua_settop(L, 2);
  ln_watch_defer(L, 1, 2);
  return 1;
}

static int timed(lua_State *L, enum ln_watch_type type, const char *what)
{
  double ms = luaL_checknumber(L, 1);
  if (!(ms >= 0)) return luaL_error(L, "bad argument #1: %s must be greater than or equal to zero", what);
  check_callback(L, 2);
  lua_settop(L, 3);
  struct ln_watch *w = ln_watch_new(L, type, 2, 3, 0);
  w->interval = (int64_t)((ms > MS_MAX ? MS_MAX : ms) * 1000);
  ln_watch_enable(L, w);
  return 1;
}

static int f_delay(lua_State *L)
{
  return timed(L, LN_WATCH_DELAY, "the delay");
}

static int f_every(lua_State *L)
{
  return timed(L, LN_WATCH_REPEAT, "the interval");
}

/* The source is found before the watcher is made, and has no user until then. */
static int sourced(lua_State *L, enum ln_watch_type type)
{
  check_callback(L, 2);
  lua_settop(L, 3);
  struct ln_watch_source *s = type == LN_WATCH_SIGNAL ? ln_watch_signal(L, 1) : ln_watch_stream(L, 1);
  struct ln_watch *w = ln_watch_new(L, type, 2, 3, type == LN_WATCH_SIGNAL ? 0 : 1);
  w->source = s;
  s->users++;
  ln_watch_enable(L, w);
  return 1;
}

static int f_on_readable(lua_State *L)
{
  return sourced(L, LN_WATCH_READABLE);
}

static int f_on_writable(lua_State *L)
{
  return sourced(L, LN_WATCH_WRITABLE);
}

static int f_on_signal(lua_State *L)
{
  return sourced(L, LN_WATCH_SIGNAL);
}

static struct ln_watch *known(lua_State *L)
{
  size_t n;
  luaL_checktype(L, 1, LUA_TSTRING);
  const char *id = lua_tolstring(L, 1, &n);
  return ln_watch_find(id, n);
}

/* enable(id), reference(id): false where the id is unknown, which luna.loop turns into its error. */
static int f_enable(lua_State *L)
{
  struct ln_watch *w = known(L);
  if (w) ln_watch_enable(L, w);
  lua_pushboolean(L, w != NULL);
  return 1;
}

static int f_reference(lua_State *L)
{
  struct ln_watch *w = known(L);
  if (w) ln_watch_reference(w, true);
  lua_pushboolean(L, w != NULL);
  return 1;
}

static int f_disable(lua_State *L)
{
  struct ln_watch *w = known(L);
  if (w) ln_watch_disable(L, w);
  return 0;
}

static int f_cancel(lua_State *L)
{
  struct ln_watch *w = known(L);
  if (w) ln_watch_cancel(L, w);
  return 0;
}

struct owned {
  lua_State *L;
  lua_Integer owner, mask;
};

static void cancel_owned(struct ln_watch *w, void *ctx)
{
  struct owned *o = ctx;
  if ((w->owner & o->mask) == o->owner) ln_watch_cancel(o->L, w);
}

/* cancelOwned(owner, mask): all watchers whose owner is that in the bits of mask: those of one version of a
 * script, or of one client. */
static int f_cancel_owned(lua_State *L)
{
  struct owned o = {L, luaL_checkinteger(L, 1), luaL_checkinteger(L, 2)};
  luaL_checkstack(L, 4, NULL);
  ln_watch_each(cancel_owned, &o);
  return 0;
}

static int f_unreference(lua_State *L)
{
  struct ln_watch *w = known(L);
  if (w) ln_watch_reference(w, false);
  return 0;
}

static lua_Integer current_env(void)
{
  struct ln_task *t = ln_host_get()->current;
  return LN_WATCH_ENV(t ? t->owner : 0);
}

static int f_run(lua_State *L)
{
  ln_task_check_wait(L);
  if (!lua_isnoneornil(L, 1)) {
    check_callback(L, 1);
    lua_settop(L, 1);
    lua_pushnil(L);
    ln_watch_defer(L, 1, 2);
  }
  lua_settop(L, 0);
  return ln_watch_wait_run(L);
}

static int f_stop(lua_State *L)
{
  (void)L;
  ln_watch_stop(current_env());
  return 0;
}

/* Milliseconds, taken once a turn of the loop; of the task's clock. */
static int f_now(lua_State *L)
{
  static uint64_t turn;
  static int64_t now;
  struct ln_host *h = ln_host_get();
  struct ln_clock *c = h->current ? h->current->clock : ln_loop_clock(h->loop);
  int64_t us;
  if (ln_clock_is_virtual(c)) {
    us = ln_clock_now(c);
  } else {
    if (turn != ln_loop_turn(h->loop)) {
      turn = ln_loop_turn(h->loop);
      now = ln_clock_now(c);
    }
    us = now;
  }
  lua_pushinteger(L, us / 1000);
  return 1;
}

struct counts {
  lua_Integer env, enabled[LN_WATCH_TYPES], disabled[LN_WATCH_TYPES], referenced, unreferenced;
};

static void count(struct ln_watch *w, void *ctx)
{
  struct counts *c = ctx;
  if (LN_WATCH_ENV(w->owner) != c->env) return;
  if (!w->enabled)
    c->disabled[w->type]++;
  else
    c->enabled[w->type]++;
  if (w->enabled && w->referenced) c->referenced++;
  if (w->enabled && !w->referenced) c->unreferenced++;
}

static const char *const names[LN_WATCH_TYPES] = {NULL,          "defer",       "delay",    "repeat",
                                                  "on_readable", "on_writable", "on_signal"};

static int f_info(lua_State *L)
{
  struct counts c;
  struct ln_socket_counts s = {0};
  memset(&c, 0, sizeof c);
  c.env = current_env();
  ln_watch_each(count, &c);
  ln_socket_count(c.env, &s);
  c.enabled[LN_WATCH_READABLE] += s.reads[1];
  c.disabled[LN_WATCH_READABLE] += s.reads[0];
  c.enabled[LN_WATCH_WRITABLE] += s.writes[1];
  c.disabled[LN_WATCH_WRITABLE] += s.writes[0];
  c.referenced += s.referenced;
  c.unreferenced += s.unreferenced;
  lua_createtable(L, 0, 8);
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, c.referenced);
  lua_setfield(L, -2, "referenced");
  lua_pushinteger(L, c.unreferenced);
  lua_setfield(L, -2, "unreferenced");
  lua_setfield(L, -2, "enabled_watchers");
  for (int i = LN_WATCH_DEFER; i < LN_WATCH_TYPES; i++) {
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, c.enabled[i]);
    lua_setfield(L, -2, "enabled");
    lua_pushinteger(L, c.disabled[i]);
    lua_setfield(L, -2, "disabled");
    lua_setfield(L, -2, names[i]);
  }
  lua_pushboolean(L, ln_watch_running(current_env()));
  lua_setfield(L, -2, "running");
  return 1;
}

static void list_one(struct ln_watch *w, void *ctx)
{
  lua_State *L = ctx;
  lua_createtable(L, 0, 8);
  ln_watch_push_id(L, w);
  lua_setfield(L, -2, "id");
  lua_pushstring(L, names[w->type]);
  lua_setfield(L, -2, "type");
  lua_pushboolean(L, w->enabled);
  lua_setfield(L, -2, "enabled");
  lua_pushboolean(L, w->referenced);
  lua_setfield(L, -2, "referenced");
  lua_pushinteger(L, w->owner);
  lua_setfield(L, -2, "owner");
  if (w->type == LN_WATCH_DELAY || w->type == LN_WATCH_REPEAT) {
    lua_pushnumber(L, (lua_Number)w->interval / 1e6);
    lua_setfield(L, -2, "interval");
  }
  if (ln_timer_running(&w->timer)) {
    lua_pushnumber(L, (lua_Number)(w->timer.due - ln_clock_now(w->timer.clock)) / 1e6);
    lua_setfield(L, -2, "due");
  }
  if (w->source) {
    lua_pushinteger(L, w->source->number);
    lua_setfield(L, -2, "number");
  }
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

/* list() → { { id, type, enabled, referenced, owner, interval and due (seconds, from now) | nil, number of
 * the descriptor or signal | nil }, … }: all there are, in no order. */
static int f_list(lua_State *L)
{
  luaL_checkstack(L, 4, NULL);
  lua_newtable(L);
  ln_watch_each(list_one, L);
  return 1;
}

/* fail(env, err): ends the innermost run of that environment by the error; false where none runs. */
static int f_fail(lua_State *L)
{
  lua_Integer env = luaL_checkinteger(L, 1);
  lua_settop(L, 2);
  lua_pushboolean(L, ln_watch_fail(L, env));
  return 1;
}

static int f_set_outcome(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  ln_watch_set_outcome(L, 1);
  return 0;
}

static int f_handle(lua_State *L)
{
  lua_pushlightuserdata(L, ln_loop_handle(ln_host_get()->loop));
  return 1;
}

static int f_luv_alive(lua_State *L)
{
  lua_pushboolean(L, ln_luv_alive(ln_host_get()));
  return 1;
}

/* --- streams --- */

static bool ready(int fd, short events)
{
  struct pollfd p = {.fd = fd, .events = events};
  return poll(&p, 1, 0) != 0;
}

static bool blocks(int fd)
{
  int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && !(flags & O_NONBLOCK);
}

static bool later(int error)
{
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* read(stream, n = 8192): what is there, "" where nothing is yet, nil at the end. Never blocks. */
static int f_read(lua_State *L)
{
  int fd = ln_watch_fd(L, 1);
  lua_Integer n = luaL_optinteger(L, 2, READ_DEFAULT);
  luaL_argcheck(L, n >= 1, 2, "a number of bytes above 0 is expected");
  if (n > READ_MAX) n = READ_MAX;
  luaL_Buffer b;
  char *to = luaL_buffinitsize(L, &b, (size_t)n);
  ssize_t got = recv(fd, to, (size_t)n, MSG_DONTWAIT);
  if (got < 0 && errno == ENOTSOCK) {
    if (blocks(fd) && !ready(fd, POLLIN)) {
      got = -1;
      errno = EAGAIN;
    } else {
      got = read(fd, to, (size_t)n);
    }
  }
  if (got < 0 && !later(errno)) return luaL_error(L, "cannot read: %s", strerror(errno));
  luaL_pushresultsize(&b, got > 0 ? (size_t)got : 0);
  if (got == 0) lua_pushnil(L);
  return 1;
}

/* write(stream, bytes): how many went out. Never blocks. */
static int f_write(lua_State *L)
{
  size_t n;
  int fd = ln_watch_fd(L, 1);
  const char *bytes = luaL_checklstring(L, 2, &n);
  luaL_Stream *file = luaL_testudata(L, 1, LUA_FILEHANDLE);
  if (file) fflush(file->f); /* what the script wrote before in Lua's way comes first */
  ssize_t sent = send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno == ENOTSOCK) {
    if (blocks(fd) && !ready(fd, POLLOUT)) {
      sent = -1;
      errno = EAGAIN;
    } else {
      sent = write(fd, bytes, blocks(fd) && n > WRITE_PIECE ? WRITE_PIECE : n);
    }
  }
  if (sent < 0 && !later(errno)) return luaL_error(L, "cannot write: %s", strerror(errno));
  lua_pushinteger(L, sent > 0 ? (lua_Integer)sent : 0);
  return 1;
}

int luaopen__luna_loop(lua_State *L)
{
  static const luaL_Reg functions[] = {{"defer", f_defer},
                                       {"delay", f_delay},
                                       {"every", f_every},
                                       {"onReadable", f_on_readable},
                                       {"onWritable", f_on_writable},
                                       {"onSignal", f_on_signal},
                                       {"enable", f_enable},
                                       {"disable", f_disable},
                                       {"cancel", f_cancel},
                                       {"reference", f_reference},
                                       {"unreference", f_unreference},
                                       {"run", f_run},
                                       {"stop", f_stop},
                                       {"now", f_now},
                                       {"getInfo", f_info},
                                       {"list", f_list},
                                       {"getHandle", f_handle},
                                       {"luvAlive", f_luv_alive},
                                       {"read", f_read},
                                       {"write", f_write},
                                       {"fail", f_fail},
                                       {"cancelOwned", f_cancel_owned},
                                       {"setOutcome", f_set_outcome},
                                       {NULL, NULL}};
  ln_watch_open(L);
  luaL_newlib(L, functions);
  return 1;
}

/* Descriptors and signals that watchers are tied to: one poll a descriptor and one handler a signal, whatever
 * the number of watchers; both end with the last of them. */
#include "bind/modules.h"
#include "bind/watch.h"
#include "base/alloc.h"
#include "base/map.h"
#include "loop/poll.h"

#include <lualib.h>
#include <signal.h>

#define SIGNALS 65

static struct ln_map by_fd;
static struct ln_watch_source *by_signal[SIGNALS];
static struct ln_watch_source *always; /* active, of those that are always ready */

static bool is_signal(const struct ln_watch_source *s)
{
  return s->poll == NULL;
}

/* What is ready now becomes due; a watcher that stands there already, stays where it is. */
static void due(struct ln_watch_link *head)
{
  for (struct ln_watch_link *l = head->next; l != head; l = l->next)
    ln_watch_due(&ln_watches.due_io, LN_WATCH_OF_PEER(l));
}

static void on_ready(void *ctx, int events)
{
  struct ln_watch_source *s = ctx;
  if (events & LN_POLL_READABLE) due(&s->readers);
  if (events & LN_POLL_WRITABLE) due(&s->writers);
}

static void on_signal(void *ctx, int signo)
{
  struct ln_watch_source *s = ctx;
  (void)signo;
  for (struct ln_watch_link *l = s->readers.next; l != &s->readers; l = l->next) {
    struct ln_watch *w = LN_WATCH_OF_PEER(l);
    w->hits++;
    ln_watch_due(&ln_watches.due_signals, w);
  }
}

int ln_watch_fd(lua_State *L, int index)
{
  luaL_Stream *file = luaL_testudata(L, index, LUA_FILEHANDLE);
  int fd = -1;
  if (file) {
    if (!file->closef) luaL_argerror(L, index, "attempt to use a closed file");
    fd = fileno(file->f);
  } else if (lua_type(L, index) == LUA_TNUMBER) {
    lua_Integer n = luaL_checkinteger(L, index);
    fd = n >= 0 && n <= INT32_MAX ? (int)n : -1;
  } else if (luaL_getmetafield(L, index, "__fd") != LUA_TNIL) {
    lua_pushvalue(L, index);
    lua_call(L, 1, 1);
    fd = lua_isinteger(L, -1) ? (int)lua_tointeger(L, -1) : -1;
    lua_pop(L, 1);
    if (fd < 0) luaL_argerror(L, index, "attempt to use a closed stream");
  } else {
    luaL_typeerror(L, index, "file, socket or descriptor");
  }
  return fd;
}

/* --- streams that are closed while they are watched --- */

struct closed {
  lua_State *L;
  const struct ln_watch_source *source;
};

static void cancel_closed(struct ln_watch *w, void *ctx)
{
  struct closed *c = ctx;
  if (w->source == c->source) ln_watch_cancel(c->L, w);
}

void ln_watch_closed(lua_State *L, int fd)
{
  struct closed c = {L, fd < 0 ? NULL : ln_map_get(&by_fd, (uint64_t)fd)};
  if (!c.source) return;
  luaL_checkstack(L, 4, NULL);
  ln_watch_each(cancel_closed, &c);
}

void ln_watch_forget_fd(int fd)
{
  if (fd >= 0) ln_map_remove(&by_fd, (uint64_t)fd);
}

static char closers; /* registry: { [file] = the function that closes it }, weak keys */

/* In the place of that function, in a file that is or was watched. */
static int close_watched(lua_State *L)
{
  luaL_Stream *file = luaL_checkudata(L, 1, LUA_FILEHANDLE);
  int fd = fileno(file->f);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &closers);
  lua_pushvalue(L, 1);
  lua_rawget(L, -2);
  lua_CFunction close = lua_tocfunction(L, -1);
  lua_settop(L, 1);
  int n = close(L);
  if (!file->closef) ln_watch_closed(L, fd); /* else it cannot be closed: a standard file */
  return n;
}

static void notice_close(lua_State *L, int index)
{
  luaL_Stream *file = luaL_testudata(L, index, LUA_FILEHANDLE);
  if (!file || file->closef == close_watched) return;
  ln_host_weak_table(L, &closers);
  lua_pushvalue(L, index);
  lua_pushcfunction(L, file->closef);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  file->closef = close_watched;
}

struct ln_watch_source *ln_watch_stream(lua_State *L, int index)
{
  int fd = ln_watch_fd(L, index);
  notice_close(L, index);
  struct ln_watch_source *s = fd < 0 ? NULL : ln_map_get(&by_fd, (uint64_t)fd);
  if (s) return s;
  s = ln_calloc(1, sizeof *s);
  if (!s) luaL_error(L, "out of memory");
  s->number = fd;
  ln_watch_link_init(&s->readers);
  ln_watch_link_init(&s->writers);
  int err = fd < 0 ? LN_E_INVAL : ln_poll_open(ln_host_get()->loop, fd, on_ready, s, &s->poll);
  if (!err && (err = ln_map_set(&by_fd, (uint64_t)fd, s))) ln_poll_close(s->poll);
  if (err) {
    ln_free(s);
    luaL_argerror(L, index,
                  err == LN_E_INVAL ? "this descriptor is not open" : "this descriptor cannot be watched");
  }
  s->always = ln_poll_is_always(s->poll);
  return s;
}

/* Those that nobody can catch, those of an instruction that would be run again at once, and the watchdog's.
 */
static bool cannot_watch(int signo)
{
  static const int signals[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS,   SIGFPE,
                                SIGILL,  SIGABRT, SIGTRAP, SIGVTALRM};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    if (signo == signals[i]) return true;
  return signo < 1 || signo >= SIGNALS || (signo > SIGSYS && signo < SIGRTMIN); /* libc has those */
}

struct ln_watch_source *ln_watch_signal(lua_State *L, int index)
{
  int signo = ln_signal_number(L, index);
  if (cannot_watch(signo)) luaL_argerror(L, index, "this signal cannot be watched");
  struct ln_watch_source *s = by_signal[signo];
  if (s) return s;
  s = ln_calloc(1, sizeof *s);
  if (!s) luaL_error(L, "out of memory");
  s->number = signo;
  ln_watch_link_init(&s->readers);
  ln_watch_link_init(&s->writers);
  by_signal[signo] = s;
  return s;
}

static void link_always(struct ln_watch_source *s, bool on)
{
  struct ln_watch_source **place = &always;
  while (*place && *place != s) place = &(*place)->next_ready;
  if (on && !*place) *place = s;
  if (!on && *place) {
    *place = s->next_ready;
    s->next_ready = NULL;
  }
}

static void update(struct ln_watch_source *s)
{
  bool reads = !ln_watch_link_empty(&s->readers), writes = !ln_watch_link_empty(&s->writers);
  if (is_signal(s)) {
    if (reads && !s->signal) {
      if (ln_signal_open(ln_host_get()->loop, s->number, on_signal, s, &s->signal)) s->signal = NULL;
    } else if (!reads && s->signal) {
      ln_signal_close(s->signal);
      s->signal = NULL;
    }
  } else if (s->always) {
    link_always(s, reads || writes);
    if (reads || writes) ln_watch_wish_tick();
  } else {
    ln_poll_set(s->poll, (reads ? LN_POLL_READABLE : 0) | (writes ? LN_POLL_WRITABLE : 0));
  }
}

void ln_watch_source_activate(struct ln_watch *w)
{
  struct ln_watch_source *s = w->source;
  ln_watch_append(w->type == LN_WATCH_WRITABLE ? &s->writers : &s->readers, &w->peer);
  update(s);
}

void ln_watch_source_deactivate(struct ln_watch *w)
{
  if (!w->peer.next) return;
  ln_watch_unlink(&w->peer);
  update(w->source);
}

void ln_watch_source_release(struct ln_watch_source *s)
{
  if (--s->users > 0) return;
  if (is_signal(s)) {
    by_signal[s->number] = NULL;
  } else {
    if (ln_map_get(&by_fd, (uint64_t)s->number) == s) ln_map_remove(&by_fd, (uint64_t)s->number);
    if (by_fd.len == 0) ln_map_deinit(&by_fd);
    ln_poll_close(s->poll);
  }
  ln_free(s);
}

void ln_watch_collect_always(void)
{
  for (struct ln_watch_source *s = always; s; s = s->next_ready) {
    on_ready(s, LN_POLL_READABLE | LN_POLL_WRITABLE);
    ln_watch_wish_tick(); /* as long as one is active, there is no end of ticks */
  }
}

bool ln_watch_has_always(void)
{
  return always != NULL;
}

bool ln_watch_has_signal(int signo)
{
  return signo > 0 && signo < SIGNALS && by_signal[signo] && by_signal[signo]->signal;
}

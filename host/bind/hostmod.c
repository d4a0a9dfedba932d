/* _luna.host: the process as Lua sees it: arguments, environment, files, signals, standard input and output,
 * the log. */
#include "bind/embedded.h"
#include "bind/lua_alloc.h"
#include "bind/modules.h"
#include "bind/stdio.h"
#include "bind/task.h"
#include "bind/watch.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/trim.h"
#include "loop/poll.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIGNAL "luna.Signal"
#define READ_FILE_MAX ((size_t)64 << 20)

/* --- files --- */

static int fail_errno(lua_State *L, const char *what)
{
  int e = errno;
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", what, strerror(e));
  lua_pushinteger(L, e);
  return 3;
}

/* readFile(path) → bytes | nil, why */
static int f_read_file(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail_errno(L, path);
  if (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
    if (S_ISDIR(st.st_mode)) errno = EISDIR;
    int e = errno;
    close(fd);
    errno = e;
    return fail_errno(L, path);
  }
  struct ln_buf b;
  ln_buf_init(&b, READ_FILE_MAX);
  int err = LN_OK;
  ssize_t n = 1;
  while (!err && n != 0) {
    uint8_t *to;
    if ((err = ln_buf_extend(&b, 65536, &to))) break;
    n = read(fd, to, 65536);
    ln_buf_truncate(&b, b.len - 65536 + (n > 0 ? (size_t)n : 0));
    if (n < 0 && errno != EINTR) err = LN_E_IO;
  }
  close(fd);
  if (err) {
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", path, ln_err_text(err));
    ln_buf_deinit(&b);
    return 2;
  }
  lua_pushlstring(L, (char *)ln_buf_data(&b),
                  b.len); /* a throw here leaks once, when memory is gone anyway */
  ln_buf_deinit(&b);
  return 1;
}

/* writeFile(path, bytes, mode = 0600): atomically, by a temporary file beside it. A mode that is given holds
 * as far as the person's umask lets it; the program's own is stricter. */
static int f_write_file(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  size_t n;
  const char *bytes = luaL_checklstring(L, 2, &n);
  mode_t mode = (mode_t)luaL_optinteger(L, 3, 0600) & ~ln_host_get()->umask;
  const char *temporary = lua_pushfstring(L, "%s.%d.new", path, (int)getpid());
  int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
  if (fd < 0) return fail_errno(L, path);
  while (n > 0) {
    ssize_t w = write(fd, bytes, n);
    if (w < 0 && errno == EINTR) continue;
    if (w < 0) break;
    bytes += w;
    n -= (size_t)w;
  }
  int bad = n > 0 || fchmod(fd, mode) != 0 || fsync(fd) != 0;
  int e = errno;
  close(fd);
  errno = e;
  if (bad || rename(temporary, path) != 0) {
    e = errno;
    unlink(temporary);
    errno = e;
    return fail_errno(L, path);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* mkdirs(path, mode = 0700): with that mode where it has to make them, as far as the person's umask lets it.
 */
static int f_mkdirs(lua_State *L)
{
  char path[4096];
  const char *given = luaL_checkstring(L, 1);
  mode_t mode = (mode_t)luaL_optinteger(L, 2, 0700) & ~ln_host_get()->umask;
  if (strlen(given) >= sizeof path) return luaL_argerror(L, 1, "too long");
  strcpy(path, given);
  for (char *at = path + 1;; at++) {
    if (*at != '/' && *at) continue;
    char keep = *at;
    *at = 0;
    if (mkdir(path, 0700) != 0) {
      if (errno != EEXIST) return fail_errno(L, path);
    } else if (mode != 0700 && chmod(path, mode) != 0) {
      return fail_errno(L, path);
    }
    *at = keep;
    if (!keep) break;
  }
  lua_pushboolean(L, 1);
  return 1;
}

static int f_stat(lua_State *L)
{
  struct stat st;
  const char *path = luaL_checkstring(L, 1);
  if (stat(path, &st) != 0) return fail_errno(L, path);
  lua_createtable(L, 0, 6);
  lua_pushstring(L, S_ISDIR(st.st_mode) ? "directory" : S_ISREG(st.st_mode) ? "file" : "other");
  lua_setfield(L, -2, "type");
  lua_pushinteger(L, st.st_size);
  lua_setfield(L, -2, "size");
  lua_pushinteger(L, (lua_Integer)st.st_ino);
  lua_setfield(L, -2, "ino");
  lua_pushnumber(L, (lua_Number)st.st_mtim.tv_sec + (lua_Number)st.st_mtim.tv_nsec / 1e9);
  lua_setfield(L, -2, "mtime");
  lua_pushinteger(L, st.st_mode & 07777);
  lua_setfield(L, -2, "mode");
  lua_pushboolean(L, st.st_uid == geteuid());
  lua_setfield(L, -2, "own");
  return 1;
}

static int f_realpath(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  char *real = realpath(path, NULL);
  if (!real) return fail_errno(L, path);
  lua_pushstring(L, real);
  free(real);
  return 1;
}

/* readlink(path) → where a symbolic link leads; nil, why: it is none. */
static int f_readlink(lua_State *L)
{
  char target[4096];
  const char *path = luaL_checkstring(L, 1);
  ssize_t n = readlink(path, target, sizeof target);
  if (n < 0) return fail_errno(L, path);
  lua_pushlstring(L, target, (size_t)n);
  return 1;
}

static int f_remove(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  if (unlink(path) != 0) return fail_errno(L, path);
  lua_pushboolean(L, 1);
  return 1;
}

/* --- code --- */

/* loadText(code, chunkname, env) → function | nil, why. Text only. */
static int f_load_text(lua_State *L)
{
  size_t n;
  const char *code = luaL_checklstring(L, 1, &n);
  const char *name = luaL_checkstring(L, 2);
  lua_settop(L, 3);
  if (luaL_loadbufferx(L, code, n, name, "t") != LUA_OK) {
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
  }
  if (!lua_isnil(L, 3)) {
    lua_pushvalue(L, 3);
    if (!lua_setupvalue(L, -2, 1)) lua_pop(L, 1);
  }
  return 1;
}

static int f_load_module(lua_State *L)
{
  return ln_embedded_load(L, luaL_checkstring(L, 1));
}

/* --- process --- */

static int f_env(lua_State *L)
{
  const char *v = getenv(luaL_checkstring(L, 1));
  lua_pushstring(L, v); /* NULL: nil */
  return 1;
}

static int f_isatty(lua_State *L)
{
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
  return 1;
}

static int f_pid(lua_State *L)
{
  lua_pushinteger(L, getpid());
  return 1;
}

static int f_hostname(lua_State *L)
{
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  lua_pushstring(L, name);
  return 1;
}

/* usage() → CPU seconds (user + system), resident KiB at its highest */
static int f_usage(lua_State *L)
{
  return ln_stdio_usage(L);
}

struct signal {
  struct ln_signal *signal;
  int ref;
  struct ln_clock *clock;
  lua_Integer owner;
};

static int signal_call(lua_State *L)
{
  struct signal *s = lua_touserdata(L, 1);
  ln_host_spawn_ref(ln_host_get(), s->ref, 0, s->clock, s->owner);
  return 0;
}

static void on_signal(void *ctx, int signo)
{
  if (ln_watch_has_signal(signo)) return;
  ln_host_protect(ln_host_get(), signal_call, ctx);
}

int ln_signal_number(lua_State *L, int index)
{
  static const struct {
    const char *name;
    int number;
  } names[] = {{"SIGINT", SIGINT},   {"SIGTERM", SIGTERM}, {"SIGHUP", SIGHUP},   {"SIGUSR1", SIGUSR1},
               {"SIGUSR2", SIGUSR2}, {"SIGQUIT", SIGQUIT}, {"SIGCHLD", SIGCHLD}, {"SIGWINCH", SIGWINCH},
               {"SIGALRM", SIGALRM}, {"SIGCONT", SIGCONT}, {"SIGPIPE", SIGPIPE}, {"SIGTSTP", SIGTSTP},
               {"SIGTTIN", SIGTTIN}, {"SIGTTOU", SIGTTOU}, {"SIGURG", SIGURG},   {"SIGIO", SIGIO},
               {"SIGKILL", SIGKILL}, {"SIGSTOP", SIGSTOP}, {"SIGSEGV", SIGSEGV}, {"SIGBUS", SIGBUS},
               {"SIGFPE", SIGFPE},   {"SIGILL", SIGILL},   {"SIGABRT", SIGABRT}, {"SIGVTALRM", SIGVTALRM}};
  lua_Integer number = 0;
  if (lua_type(L, index) == LUA_TSTRING) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
      if (strcmp(lua_tostring(L, index), names[i].name) == 0) number = names[i].number;
    if (!number)
      luaL_argerror(L, index, "no signal of this name: a number, or a name as \"SIGINT\", is expected");
  } else if (lua_type(L, index) == LUA_TNUMBER) {
    number = luaL_checkinteger(L, index);
  } else {
    luaL_typeerror(L, index, "number or name of a signal");
  }
  return number < 0 || number > INT_MAX ? 0 : (int)number;
}

/* onSignal(number or name, fn) → handle for offSignal. Does not keep the program alive. Silent while a script
 * watches the signal through luna.loop. */
static int f_on_signal(lua_State *L)
{
  int number = ln_signal_number(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  struct ln_host *h = ln_host_get();
  struct signal *s = lua_newuserdatauv(L, sizeof *s, 0);
  memset(s, 0, sizeof *s);
  luaL_setmetatable(L, SIGNAL);
  lua_pushvalue(L, 2);
  s->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  s->clock = ln_loop_clock(h->loop);
  s->owner = h->current ? h->current->owner : 0;
  if (ln_signal_open(h->loop, number, on_signal, s, &s->signal)) {
    luaL_unref(L, LUA_REGISTRYINDEX, s->ref);
    return luaL_error(L, "signal %d cannot be watched", number);
  }
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, s);
  return 1;
}

static int f_off_signal(lua_State *L)
{
  struct signal *s = luaL_checkudata(L, 1, SIGNAL);
  if (!s->signal) return 0;
  ln_signal_close(s->signal);
  s->signal = NULL;
  luaL_unref(L, LUA_REGISTRYINDEX, s->ref);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, s);
  return 0;
}

/* --- log --- */

static int f_log(lua_State *L)
{
  int level = (int)luaL_checkinteger(L, 1);
  ln_log((enum ln_log_level)level, luaL_checkstring(L, 2), "%s", luaL_checkstring(L, 3));
  return 0;
}

static int f_set_log_level(lua_State *L)
{
  ln_log_set_level((enum ln_log_level)luaL_checkinteger(L, 1));
  return 0;
}

static int f_secret(lua_State *L)
{
  size_t n;
  const char *s = luaL_checklstring(L, 1, &n);
  ln_log_secret(ln_slice(s, n));
  return 0;
}

static int f_redact(lua_State *L)
{
  size_t n;
  const char *s = luaL_checklstring(L, 1, &n);
  char *copy = lua_newuserdatauv(L, n + 1, 0);
  memcpy(copy, s, n + 1);
  ln_log_redact(copy);
  lua_pushstring(L, copy);
  return 1;
}

/* Lines of C's log for Lua's logger: kept until the loop's next turn, since the log may be written from
 * anywhere. */
struct log_line {
  struct log_line *next;
  enum ln_log_level level;
  char room[16];
  char text[];
};

static struct {
  pthread_mutex_t lock;
  struct log_line *first, **end;
  struct ln_deferred deferred;
  struct ln_waker *waker;
  int ref;
} logs = {.lock = PTHREAD_MUTEX_INITIALIZER, .end = &logs.first, .ref = LUA_NOREF};

static int deliver_logs(lua_State *L)
{
  for (;;) {
    pthread_mutex_lock(&logs.lock);
    struct log_line *line = logs.first;
    if (line) {
      logs.first = line->next;
      if (!logs.first) logs.end = &logs.first;
    }
    pthread_mutex_unlock(&logs.lock);
    if (!line) return 0;
    lua_rawgeti(L, LUA_REGISTRYINDEX, logs.ref);
    lua_pushinteger(L, line->level);
    lua_pushstring(L, line->room);
    lua_pushstring(L, line->text);
    ln_free(line);
    if (lua_pcall(L, 3, 0, 0) != LUA_OK) {
      fprintf(stderr, "luna: the log's function failed: %s\n", lua_tostring(L, -1));
      lua_pop(L, 1);
    }
  }
}

static void logs_awake(void *ctx)
{
  (void)ctx;
  ln_host_protect(ln_host_get(), deliver_logs, NULL);
}

static void log_sink(void *ctx, enum ln_log_level level, const char *room, const char *text)
{
  (void)ctx;
  size_t n = strlen(text) + 1;
  struct log_line *line = ln_malloc(sizeof *line + n);
  if (!line) return;
  line->next = NULL;
  line->level = level;
  snprintf(line->room, sizeof line->room, "%s", room);
  memcpy(line->text, text, n);
  pthread_mutex_lock(&logs.lock);
  *logs.end = line;
  logs.end = &line->next;
  pthread_mutex_unlock(&logs.lock);
  ln_waker_wake(logs.waker);
}

static int f_set_log_sink(lua_State *L)
{
  struct ln_host *h = ln_host_get();
  luaL_unref(L, LUA_REGISTRYINDEX, logs.ref);
  logs.ref = LUA_NOREF;
  if (lua_isnoneornil(L, 1)) {
    ln_log_set_sink(NULL, NULL);
    return 0;
  }
  luaL_checktype(L, 1, LUA_TFUNCTION);
  if (!logs.waker && ln_waker_open(h->loop, logs_awake, NULL, &logs.waker))
    return luaL_error(L, "out of memory");
  lua_settop(L, 1);
  logs.ref = luaL_ref(L, LUA_REGISTRYINDEX);
  ln_log_set_sink(log_sink, NULL);
  return 0;
}

void ln_logs_close(struct ln_host *h)
{
  ln_log_set_sink(NULL, NULL);
  if (logs.ref != LUA_NOREF) ln_host_protect(h, deliver_logs, NULL);
  logs.ref = LUA_NOREF;
  if (logs.waker) ln_waker_close(logs.waker);
  logs.waker = NULL;
}

static int f_trim(lua_State *L)
{
  lua_gc(L, LUA_GCCOLLECT);
  ln_trim();
  return 0;
}

/* memoryLimit(bytes?) → the bytes that Lua may hold from now on while a script runs, 0: as many as there are
 */
static int f_memory_limit(lua_State *L)
{
  if (!lua_isnoneornil(L, 1)) {
    lua_Integer bytes = luaL_checkinteger(L, 1);
    luaL_argcheck(L, bytes >= 0, 1, "a number of bytes");
    ln_lua_alloc_set_limit((size_t)bytes);
  }
  lua_pushinteger(L, (lua_Integer)ln_lua_alloc_limit());
  return 1;
}

int luaopen__luna_host(lua_State *L)
{
  static const luaL_Reg functions[] = {{"readFile", f_read_file},
                                       {"writeFile", f_write_file},
                                       {"mkdirs", f_mkdirs},
                                       {"stat", f_stat},
                                       {"realpath", f_realpath},
                                       {"readlink", f_readlink},
                                       {"remove", f_remove},
                                       {"loadText", f_load_text},
                                       {"loadModule", f_load_module},
                                       {"env", f_env},
                                       {"isatty", f_isatty},
                                       {"pid", f_pid},
                                       {"hostname", f_hostname},
                                       {"usage", f_usage},
                                       {"trim", f_trim},
                                       {"memoryLimit", f_memory_limit},
                                       {"onSignal", f_on_signal},
                                       {"offSignal", f_off_signal},
                                       {"log", f_log},
                                       {"setLogLevel", f_set_log_level},
                                       {"setLogSink", f_set_log_sink},
                                       {"secret", f_secret},
                                       {"redact", f_redact},
                                       {NULL, NULL}};
  struct ln_host *h = ln_host_get();
  luaL_newmetatable(L, SIGNAL);
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  ln_stdio_add(L);
  ln_watch_files_add(L);
  lua_createtable(L, h->argc, 0);
  for (int i = 0; i < h->argc; i++) {
    lua_pushstring(L, h->argv[i]);
    lua_rawseti(L, -2, i);
  }
  lua_setfield(L, -2, "argv");
  lua_pushliteral(L, LN_VERSION);
  lua_setfield(L, -2, "version");
  if (*ln_embedded_root) {
    lua_pushstring(L, ln_embedded_root);
    lua_setfield(L, -2, "root");
  }
  return 1;
}

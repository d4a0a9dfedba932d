/* _luna.files: locks between processes, the log's file and syslog, and new files whose names come from
 * strangers. All of it is one system call each, none waits: who wants a lock that is taken asks again after a
 * pause (lua/luna/flock.lua). */
#include "bind/modules.h"
#include "bind/task.h"
#include "base/filename.h"

#include <lauxlib.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define LOCK "luna.Lock"
#define LOG_FILE "luna.LogFile"
#define NEW_FILE "luna.NewFile"

static int fail_errno(lua_State *L, const char *what)
{
  int e = errno;
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", what, strerror(e));
  return 2;
}

static bool write_all(int fd, const char *p, size_t n)
{
  while (n > 0) {
    ssize_t w = write(fd, p, n);
    if (w < 0 && errno == EINTR) continue;
    if (w < 0) return false;
    p += w;
    n -= (size_t)w;
  }
  return true;
}

/* --- locks --- */

struct lock {
  int fd; /* -1: let go */
  dev_t device;
  ino_t file;
  struct lock *next; /* of those that are held */
};

static struct lock *held;

static void let_go(struct lock *k)
{
  struct lock **place = &held;
  while (*place && *place != k) place = &(*place)->next;
  if (*place) *place = k->next;
  if (k->fd >= 0) close(k->fd);
  k->fd = -1;
}

/* Whether a lock of this program's own is among those in the way. */
static bool is_ours(const struct lock *wanted)
{
  const struct lock *k = held;
  while (k && (k->device != wanted->device || k->file != wanted->file)) k = k->next;
  return k != NULL;
}

/* lock(path, exclusive) → lock | false (taken), whether by this program | nil, why. Makes the file. Whoever
 * closes its last descriptor lets go, so a lock ends with its process. */
static int f_lock(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  int mode = lua_toboolean(L, 2) ? LOCK_EX : LOCK_SH;
  struct lock *k = lua_newuserdatauv(L, sizeof *k, 0);
  memset(k, 0, sizeof *k);
  k->fd = -1;
  luaL_setmetatable(L, LOCK);
  k->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (k->fd < 0 && (errno == EACCES || errno == EROFS)) {
    int why = errno;
    k->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (k->fd < 0 && errno == ENOENT) errno = why; /* it may not be made */
  }
  if (k->fd < 0) return fail_errno(L, path);
  int r;
  do r = flock(k->fd, mode | LOCK_NB);
  while (r != 0 && errno == EINTR);
  int e = errno;
  struct stat st;
  if (fstat(k->fd, &st) == 0) {
    k->device = st.st_dev;
    k->file = st.st_ino;
  }
  if (r == 0) {
    k->next = held;
    held = k;
    return 1;
  }
  let_go(k);
  errno = e;
  if (e != EWOULDBLOCK) return fail_errno(L, path);
  lua_pushboolean(L, 0);
  lua_pushboolean(L, is_ours(k));
  return 2;
}

/* The lock itself is what unlocks: unlock(), unlock:unlock(), <close>, and its end. The second time is
 * nothing. */
static int lock_release(lua_State *L)
{
  let_go(luaL_checkudata(L, 1, LOCK));
  return 0;
}

static void pause_end(void)
{
  ln_loop_release(ln_host_get()->loop);
  ln_host_unref(ln_host_get());
}

static void pause_over(struct ln_timer *timer)
{
  pause_end();
  ln_task_wake((struct ln_task *)((char *)timer - offsetof(struct ln_task, timer)), 0, false);
}

static void pause_cancel(struct ln_task *t, void *ctx)
{
  (void)ctx;
  ln_timer_stop(&t->timer);
  pause_end();
}

static const struct ln_wait pausing = {"flock", pause_cancel};

/* pause(seconds): of the real clock, for what another program has to do; virtual ones stand still. */
static int f_pause(lua_State *L)
{
  struct ln_host *h = ln_host_get();
  struct ln_clock *real = ln_loop_clock(h->loop);
  double seconds = luaL_checknumber(L, 1);
  ln_task_check_wait(L);
  struct ln_task *t = h->current;
  t->timer.fn = pause_over;
  if (!(seconds < 1e9)) seconds = 1e9;
  if (ln_timer_start(real, &t->timer, ln_clock_fresh(real) + (int64_t)(seconds * 1e6)))
    return luaL_error(L, "out of memory");
  ln_host_ref(h);
  ln_loop_hold(h->loop);
  return ln_task_wait(L, &pausing, NULL);
}

static int lock_tostring(lua_State *L)
{
  struct lock *k = luaL_checkudata(L, 1, LOCK);
  lua_pushstring(L, k->fd >= 0 ? "lock (held)" : "lock (released)");
  return 1;
}

/* --- the log's file --- */

struct log_file {
  int fd;
  dev_t dev;
  ino_t ino;
};

static bool open_log(struct log_file *f, const char *path)
{
  struct stat st;
  if (f->fd >= 0) close(f->fd);
  f->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
  if (f->fd < 0 || fstat(f->fd, &st) != 0) return false;
  f->dev = st.st_dev;
  f->ino = st.st_ino;
  return true;
}

/* openLog(path) → file | nil, why */
static int f_open_log(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  struct log_file *f = lua_newuserdatauv(L, sizeof *f, 1);
  f->fd = -1;
  luaL_setmetatable(L, LOG_FILE);
  if (!open_log(f, path)) return fail_errno(L, path);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

/* file:write(text) → true | nil, why. A file that was moved away (logrotate) is made anew. */
static int log_write(lua_State *L)
{
  struct log_file *f = luaL_checkudata(L, 1, LOG_FILE);
  size_t n;
  const char *text = luaL_checklstring(L, 2, &n);
  lua_getiuservalue(L, 1, 1);
  const char *path = lua_tostring(L, -1);
  struct stat st;
  if ((f->fd < 0 || stat(path, &st) != 0 || st.st_ino != f->ino || st.st_dev != f->dev) && !open_log(f, path))
    return fail_errno(L, path);
  if (!write_all(f->fd, text, n)) return fail_errno(L, path);
  lua_pushboolean(L, 1);
  return 1;
}

static int log_close(lua_State *L)
{
  struct log_file *f = luaL_checkudata(L, 1, LOG_FILE);
  if (f->fd >= 0) close(f->fd);
  f->fd = -1;
  return 0;
}

/* syslog(level 0 … 5 as luna.Logger's, text) */
static int f_syslog(lua_State *L)
{
  static const int priorities[] = {LOG_CRIT, LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG};
  static bool opened;
  lua_Integer level = luaL_checkinteger(L, 1);
  luaL_argcheck(L, level >= 0 && level <= 5, 1, "from 0 to 5");
  if (!opened) openlog("luna", LOG_PID, LOG_USER);
  opened = true;
  syslog(priorities[level], "%s", luaL_checkstring(L, 2));
  return 0;
}

/* --- new files --- */

struct new_file { /* user value 1: its directory's path */
  int dir, fd;
  char temporary[32];
  char name[LN_FILENAME_MAX + 1];
};

static void new_close(struct new_file *f, bool forget)
{
  if (f->fd >= 0) close(f->fd);
  if (f->fd >= 0 && forget) unlinkat(f->dir, f->temporary, 0);
  if (f->dir >= 0) close(f->dir);
  f->fd = f->dir = -1;
}

/* create(directory, name) → file | nil, why. The name is cleaned; the file appears under it at commit, and
 * never takes the place of another. */
static int f_create(lua_State *L)
{
  const char *dir = luaL_checkstring(L, 1);
  size_t n;
  const char *name = luaL_checklstring(L, 2, &n);
  static unsigned count;
  struct new_file *f = lua_newuserdatauv(L, sizeof *f, 1);
  f->dir = f->fd = -1;
  luaL_setmetatable(L, NEW_FILE);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  ln_filename_clean(ln_slice(name, n), f->name);
  f->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (f->dir < 0) return fail_errno(L, dir);
  for (int i = 0; i < 100 && f->fd < 0; i++) {
    snprintf(f->temporary, sizeof f->temporary, ".part-%x-%x", (unsigned)getpid(), ++count);
    f->fd = openat(f->dir, f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (f->fd < 0 && errno != EEXIST) break;
  }
  return f->fd < 0 ? fail_errno(L, dir) : 1;
}

static struct new_file *check_new(lua_State *L)
{
  struct new_file *f = luaL_checkudata(L, 1, NEW_FILE);
  if (f->fd < 0) luaL_error(L, "the file is closed");
  return f;
}

static int new_write(lua_State *L)
{
  struct new_file *f = check_new(L);
  size_t n;
  const char *p = luaL_checklstring(L, 2, &n);
  if (!write_all(f->fd, p, n)) return fail_errno(L, f->name);
  lua_pushboolean(L, 1);
  return 1;
}

/* The temporary file gets a name that nobody has: 0, or -1 and errno. */
static int give_name(const struct new_file *f, const char *name)
{
  if (linkat(f->dir, f->temporary, f->dir, name, 0) == 0) {
    unlinkat(f->dir, f->temporary, 0);
    return 0;
  }
  if (errno == EEXIST) return -1;
  /* A file system without hard links: take the name first, then put the file in its place. */
  int fd = openat(f->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  close(fd);
  return renameat(f->dir, f->temporary, f->dir, name);
}

/* commit() → path | nil, why: "name.ext", or "name (2).ext" where that is taken */
static int new_commit(lua_State *L)
{
  struct new_file *f = check_new(L);
  char name[LN_FILENAME_MAX + 16];
  const char *dot = strrchr(f->name, '.');
  size_t stem = dot && dot != f->name ? (size_t)(dot - f->name) : strlen(f->name);
  int r = -1;
  for (int i = 1; r != 0 && i < 10000; i++) {
    if (i == 1)
      snprintf(name, sizeof name, "%s", f->name);
    else
      snprintf(name, sizeof name, "%.*s (%d)%s", (int)stem, f->name, i, f->name + stem);
    r = give_name(f, name);
    if (r != 0 && errno != EEXIST) break;
  }
  if (r != 0) {
    int e = errno;
    new_close(f, true);
    errno = e;
    return fail_errno(L, name);
  }
  new_close(f, false);
  lua_getiuservalue(L, 1, 1);
  const char *dir = lua_tostring(L, -1);
  size_t n = strlen(dir);
  lua_pushfstring(L, "%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/", name);
  return 1;
}

static int new_gc(lua_State *L)
{
  new_close(luaL_checkudata(L, 1, NEW_FILE), true);
  return 0;
}

/* cleanName(name) → what create would call it */
static int f_clean_name(lua_State *L)
{
  size_t n;
  const char *name = luaL_checklstring(L, 1, &n);
  char clean[LN_FILENAME_MAX + 1];
  ln_filename_clean(ln_slice(name, n), clean);
  lua_pushstring(L, clean);
  return 1;
}

static void metatable(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc)
{
  luaL_newmetatable(L, name);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_setfuncs(L, methods, 0);
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
}

int luaopen__luna_files(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"lock", f_lock},     {"pause", f_pause},   {"openLog", f_open_log},
      {"syslog", f_syslog}, {"create", f_create}, {"cleanName", f_clean_name},
      {NULL, NULL}};
  static const luaL_Reg lock[] = {
      {"unlock", lock_release}, {"__call", lock_release}, {"__tostring", lock_tostring}, {NULL, NULL}};
  static const luaL_Reg log[] = {{"write", log_write}, {"close", log_close}, {NULL, NULL}};
  static const luaL_Reg new[] = {
      {"write", new_write}, {"commit", new_commit}, {"discard", new_gc}, {NULL, NULL}};
  metatable(L, LOCK, lock, lock_release);
  metatable(L, LOG_FILE, log, log_close);
  metatable(L, NEW_FILE, new, new_gc);
  luaL_newlib(L, functions);
  return 1;
}

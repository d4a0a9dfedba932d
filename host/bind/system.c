/* _luna.system: what the operator's side of the program asks the system: messages to the service manager,
 * what memory it takes now, limits, versions of libraries, whether the journal reads standard error. Called
 * by lua/luna/{notify,status,logger}.lua and cli/doctor.lua. Nothing here waits. */
#include "bind/modules.h"
#include "crypto/init.h"
#include "loop/loop.h"
#include "mtproto/gzip.h"
#include "store/store.h"

#include <lauxlib.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#ifdef __linux__
#include <sys/vfs.h>
#endif
#include <time.h>
#include <unistd.h>

extern const char lua_ident[]; /* of the library as it was loaded: "$LuaVersion: Lua 5.4.4  Copyright …" */

static int refused(lua_State *L, const char *why)
{
  lua_pushnil(L);
  lua_pushstring(L, why);
  return 2;
}

/* notify(text) → true | nil, why. One datagram to $NOTIFY_SOCKET: a path, or an abstract name after "@". A
 * manager that does not read loses it: the program must not stand still for that. */
static int f_notify(lua_State *L)
{
  size_t n;
  const char *text = luaL_checklstring(L, 1, &n);
  const char *name = getenv("NOTIFY_SOCKET");
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  if (!name || !*name) return refused(L, "NOTIFY_SOCKET is not set");
  size_t len = strlen(name);
  if ((*name != '/' && *name != '@') || len < 2) return refused(L, "NOTIFY_SOCKET names no Unix socket");
  if (len >= sizeof to.sun_path) return refused(L, "NOTIFY_SOCKET is too long");
  memcpy(to.sun_path, name, len);
  if (*name == '@') to.sun_path[0] = 0;
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (fd < 0) return refused(L, strerror(errno));
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (*name == '/'));
  ssize_t sent = sendto(fd, text, n, 0, (struct sockaddr *)&to, size);
  int e = errno;
  close(fd);
  if (sent < 0) return refused(L, strerror(e));
  lua_pushboolean(L, 1);
  return 1;
}

/* monotonic() → microseconds of CLOCK_MONOTONIC, by which the service manager tells a reload's begin */
static int f_monotonic(lua_State *L)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  lua_pushinteger(L, (lua_Integer)t.tv_sec * 1000000 + t.tv_nsec / 1000);
  return 1;
}

/* memory() → KiB resident now, and at most; the first is nil where the system does not say */
static int f_memory(lua_State *L)
{
  struct rusage u;
  long pages;
  FILE *f = fopen("/proc/self/statm", "re");
  if (f && fscanf(f, "%*s %ld", &pages) == 1)
    lua_pushinteger(L, (lua_Integer)pages * (sysconf(_SC_PAGESIZE) / 1024));
  else
    lua_pushnil(L);
  if (f) fclose(f);
  getrusage(RUSAGE_SELF, &u);
  lua_pushinteger(L, u.ru_maxrss);
  return 2;
}

/* limits() → how many files may be open (nil: without a limit), how high that may be set */
static int f_limits(lua_State *L)
{
  struct rlimit r;
  if (getrlimit(RLIMIT_NOFILE, &r) != 0) return 0;
  rlim_t both[] = {r.rlim_cur, r.rlim_max};
  for (int i = 0; i < 2; i++) {
    if (both[i] == RLIM_INFINITY)
      lua_pushnil(L);
    else
      lua_pushinteger(L, (lua_Integer)both[i]);
  }
  return 2;
}

/* journal() → whether standard error goes to systemd's journal: $JOURNAL_STREAM names the file it should be
 */
static int f_journal(lua_State *L)
{
  struct stat st;
  uintmax_t dev, ino;
  const char *stream = getenv("JOURNAL_STREAM");
  lua_pushboolean(L, stream && sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &dev, &ino) == 2 &&
                         fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino);
  return 1;
}

/* remote(path) → the name of the file system, where it is one whose files change without the kernel's knowing
 * (another machine's, another system's of this one); nil elsewhere, and where it cannot be told. */
static int f_remote(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1), *name = NULL;
#ifdef __linux__
  static const struct {
    unsigned long magic;
    const char *name;
  } known[] = {{0x6969, "NFS"},      {0xff534d42, "CIFS"},  {0xfe534d42, "SMB"},    {0x517b, "SMB"},
               {0x65735546, "FUSE"}, {0x01021997, "9P"},    {0x786f4256, "vboxsf"}, {0xc36400, "Ceph"},
               {0x5346414f, "AFS"},  {0x0bd00bd0, "Lustre"}};
  struct statfs fs;
  if (statfs(path, &fs) == 0)
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
      if (known[i].magic == ((unsigned long)fs.f_type & 0xffffffff)) name = known[i].name;
#endif
  lua_pushstring(L, name); /* nil for NULL */
  return 1;
}

#define FOLDER "luna.Folder"

static int folder_close(lua_State *L)
{
  DIR **dir = luaL_checkudata(L, 1, FOLDER);
  if (*dir) closedir(*dir);
  *dir = NULL;
  return 0;
}

/* names(folder, all) → the names in it, in no order, without those that begin with a dot, but where all are
 * wanted; nil, why */
static int f_names(lua_State *L)
{
  const char *folder = luaL_checkstring(L, 1);
  bool all = lua_toboolean(L, 2);
  DIR **dir = lua_newuserdatauv(L, sizeof *dir, 0); /* closed too where memory runs out */
  struct dirent *entry;
  lua_Integer n = 0;
  *dir = NULL;
  luaL_setmetatable(L, FOLDER);
  *dir = opendir(folder);
  if (!*dir) return refused(L, strerror(errno));
  lua_newtable(L);
  while ((entry = readdir(*dir)) != NULL) {
    const char *name = entry->d_name;
    if (name[0] == '.' && (!all || !name[1] || (name[1] == '.' && !name[2]))) continue;
    lua_pushstring(L, name);
    lua_rawseti(L, -2, ++n);
  }
  closedir(*dir);
  *dir = NULL;
  return 1;
}

/* libraries() → { [name] = version }, as they were loaded; curl is missing where it cannot be opened */
static int f_libraries(lua_State *L)
{
  const struct {
    const char *name, *version;
  } all[] = {{"openssl", ln_crypto_library()},
             {"libuv", ln_loop_library()},
             {"sqlite", ln_store_library()},
             {"zlib", ln_gzip_library()}};
  lua_createtable(L, 0, 6);
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    lua_pushstring(L, all[i].version);
    lua_setfield(L, -2, all[i].name);
  }
  const char *at = strstr(lua_ident, "Lua "), *end = at ? strstr(at, "  ") : NULL;
  if (end) {
    lua_pushlstring(L, at + 4, (size_t)(end - at - 4));
    lua_setfield(L, -2, "lua");
  }
  return 1;
}

int luaopen__luna_system(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"notify", f_notify}, {"monotonic", f_monotonic}, {"memory", f_memory},
      {"limits", f_limits}, {"journal", f_journal},     {"libraries", f_libraries},
      {"names", f_names},   {"remote", f_remote},       {NULL, NULL}};
  luaL_newmetatable(L, FOLDER);
  lua_pushcfunction(L, folder_close);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}

/* See file.h. The lock is flock on the file itself: SQLite's own locks are of another kind (fcntl) and only
 * held within transactions, so that they would let two processes share one session, and the server would end
 * both.
 */
#include "store/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>
#include "base/alloc.h"

static int fail(char errtext[LN_STORE_ERRTEXT], int err, const char *path, const char *what)
{
  snprintf(errtext, LN_STORE_ERRTEXT, "session %s: %s", path, what);
  return err;
}

static int fail_errno(char errtext[LN_STORE_ERRTEXT], const char *path, int error)
{
  int err = error == ENOENT || error == ENOTDIR ? LN_E_NOT_FOUND
            : error == ENOMEM                   ? LN_E_NOMEM
            : error == EACCES || error == EPERM || error == EROFS || error == EISDIR || error == ELOOP
                ? LN_E_PERMISSION
                : LN_E_IO;
  if (error == ELOOP) return fail(errtext, err, path, "is a symbolic link");
  if (error == ENOENT) return fail(errtext, err, path, "the folder does not exist");
  return fail(errtext, err, path, strerror(error));
}

/* The process that holds the lock, by the kernel's list; 0 where that does not tell. */
static long holder(const struct stat *st)
{
  FILE *f = fopen("/proc/locks", "re");
  char line[256];
  long found = 0;
  if (!f) return 0;
  while (!found && fgets(line, sizeof line, f)) {
    long pid;
    unsigned major_, minor_;
    unsigned long inode;
    if (sscanf(line, "%*d: FLOCK %*s WRITE %ld %x:%x:%lu", &pid, &major_, &minor_, &inode) == 4 &&
        inode == st->st_ino && major_ == major(st->st_dev) && minor_ == minor(st->st_dev) && pid > 0)
      found = pid;
  }
  fclose(f);
  return found;
}

/* The folder with its links resolved, so that SQLite may be told to follow none. */
static char *absolute(const char *path, int *error)
{
  const char *slash = strrchr(path, '/');
  const char *base = slash ? slash + 1 : path;
  char *folder = NULL, *real = NULL, *out = NULL;
  *error = EISDIR;
  if (*base == 0 || strcmp(base, ".") == 0 || strcmp(base, "..") == 0) return NULL;
  *error = ENOMEM;
  if (!slash)
    folder = strdup(".");
  else if (slash == path)
    folder = strdup("/");
  else
    folder = strndup(path, (size_t)(slash - path));
  if (!folder) return NULL;
  real = realpath(folder, NULL);
  if (!real) {
    *error = errno;
  } else {
    size_t n = strlen(real) + strlen(base) + 2;
    out = ln_malloc(n);
    if (out) snprintf(out, n, "%s/%s", strcmp(real, "/") == 0 ? "" : real, base);
  }
  free(folder);
  free(real);
  return out;
}

/* What SQLite keeps beside the file has the same secrets in it. */
static int check_sibling(const char *path, const char *suffix, off_t *size)
{
  char name[PATH_MAX + 16];
  struct stat st;
  *size = -1;
  if (snprintf(name, sizeof name, "%s%s", path, suffix) >= (int)sizeof name) return ENAMETOOLONG;
  int fd = open(name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return errno == ENOENT ? 0 : errno;
  int error = 0;
  if (fstat(fd, &st) != 0)
    error = errno;
  else if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
    error = EPERM;
  else if (st.st_mode & 077 && fchmod(fd, 0600) != 0)
    error = errno;
  else
    *size = st.st_size;
  close(fd);
  return error;
}

/* Whether a process goes on: one that was killed keeps its lock until the last of its threads is gone, for
 * which the kernel takes its time, while its first is a zombie already or out of every list. */
static bool lives(long pid)
{
  char name[48], text[256];
  snprintf(name, sizeof name, "/proc/%ld/stat", pid);
  FILE *f = fopen(name, "re");
  if (!f) return false;
  size_t n = fread(text, 1, sizeof text - 1, f);
  fclose(f);
  text[n] = 0;
  const char *end = strrchr(text, ')'); /* pid (name) state */
  return end && end[1] == ' ' && !strchr("ZXx", end[2]);
}

/* Who starts the program anew right after it was killed is not refused for the rest of the old one: it is
 * waited for. */
static int lock(struct ln_store_file *f, struct stat *st, char errtext[LN_STORE_ERRTEXT])
{
  enum { PATIENCE_MS = 1000, STEP_MS = 5 };
  long pid = 0;
  for (int waited = 0;; waited += STEP_MS) {
    if (flock(f->fd, LOCK_EX | LOCK_NB) == 0) return LN_OK;
    if (errno != EWOULDBLOCK) return fail_errno(errtext, f->path, errno);
    pid = holder(st);
    if ((pid && lives(pid)) || waited >= PATIENCE_MS) break;
    nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
  }
  char what[96] = "is in use by another process";
  if (pid) snprintf(what, sizeof what, "is in use by process %ld", pid);
  return fail(errtext, LN_E_BUSY, f->path, what);
}

int ln_store_file_open(const char *path, struct ln_store_file *f, char errtext[LN_STORE_ERRTEXT])
{
  struct stat st, now;
  int error = 0, err;
  memset(f, 0, sizeof *f);
  f->fd = -1;
  f->path = absolute(path, &error);
  if (!f->path) return fail_errno(errtext, path, error);
  f->fd = open(f->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
  if (f->fd < 0 || fstat(f->fd, &st) != 0) {
    err = fail_errno(errtext, path, errno);
    goto failed;
  }
  err = LN_E_PERMISSION;
  if (!S_ISREG(st.st_mode)) {
    fail(errtext, err, path, "is not a regular file");
    goto failed;
  }
  if (st.st_uid != geteuid()) {
    fail(errtext, err, path, "belongs to another user");
    goto failed;
  }
  err = lock(f, &st, errtext);
  if (err) goto failed;
  /* Somebody may have put another file there between open and lock. */
  if (lstat(f->path, &now) != 0 || now.st_ino != st.st_ino || now.st_dev != st.st_dev) {
    err = fail(errtext, LN_E_BUSY, path, "was replaced while it was opened");
    goto failed;
  }
  if (st.st_mode & 077 && fchmod(f->fd, 0600) != 0) {
    err = fail_errno(errtext, path, errno);
    goto failed;
  }
  off_t wal, shm, journal;
  error = check_sibling(f->path, "-wal", &wal);
  if (!error) error = check_sibling(f->path, "-shm", &shm);
  if (!error) error = check_sibling(f->path, "-journal", &journal);
  if (error) {
    err = fail(errtext, LN_E_PERMISSION, path, "a file beside it (-wal, -shm or -journal) is not ours");
    goto failed;
  }
  f->size = now.st_size;
  f->unclean = wal > 0;
  f->journal = journal > 0;
  return LN_OK;
failed:
  ln_store_file_close(f);
  return err;
}

void ln_store_file_close(struct ln_store_file *f)
{
  if (f->fd >= 0) close(f->fd);
  f->fd = -1;
  ln_free(f->path);
  f->path = NULL;
}

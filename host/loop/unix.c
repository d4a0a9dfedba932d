/* See unix.h. The sockets are made by hand, so that modes and users are checked before anybody can connect;
 * then they are libuv pipes and go the way of TCP streams (tcp.c). */
#include "loop/unix.h"
#include "loop/tcp.h"
#include "base/alloc.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 511
#define PEEK_MAX 4096

static bool same_user(int fd)
{
#ifdef SO_PEERCRED
  struct ucred cred;
  socklen_t len = sizeof cred;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.uid == geteuid();
#else
  uid_t uid;
  gid_t gid;
  return getpeereid(fd, &uid, &gid) == 0 && uid == geteuid();
#endif
}

static int address(const char *path, struct sockaddr_un *out, const char **why)
{
  memset(out, 0, sizeof *out);
  out->sun_family = AF_UNIX;
  if (strlen(path) >= sizeof out->sun_path || *path != '/') {
    *why = *path == '/' ? "the path is too long for a socket" : "the path has to be absolute";
    return LN_E_IO;
  }
  strcpy(out->sun_path, path);
  return LN_OK;
}

static int check_folder(const char *path, const char **why)
{
  char folder[sizeof((struct sockaddr_un *)0)->sun_path];
  struct stat st;
  strcpy(folder, path);
  char *slash = strrchr(folder, '/');
  *(slash == folder ? slash + 1 : slash) = 0;
  *why = NULL;
  if (lstat(folder, &st) != 0)
    *why = "there is no such folder";
  else if (!S_ISDIR(st.st_mode))
    *why = "its folder is a link or no folder";
  else if (st.st_uid != geteuid())
    *why = "its folder is another user's";
  else if (st.st_mode & 077)
    *why = "others may enter its folder (chmod 700)";
  return *why ? LN_E_PERMISSION : LN_OK;
}

/* What lies at the path: nothing (*there is false), a socket of ours, or something that is none. */
static int check_path(const char *path, bool *there, const char **why)
{
  struct stat st;
  *there = lstat(path, &st) == 0;
  if (!*there) return LN_OK;
  *why = !S_ISSOCK(st.st_mode) ? "what lies there is no socket" : "what lies there is another user's";
  return S_ISSOCK(st.st_mode) && st.st_uid == geteuid() ? LN_OK : LN_E_PERMISSION;
}

static int new_socket(void)
{
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd >= 0) fcntl(fd, F_SETFD, FD_CLOEXEC);
  return fd;
}

static int replace_stale(const struct sockaddr_un *to, const char **why)
{
  int fd = new_socket();
  if (fd < 0) return LN_E_IO;
  fcntl(fd, F_SETFL, O_NONBLOCK);
  int r = connect(fd, (const struct sockaddr *)to, sizeof *to);
  int e = errno;
  close(fd);
  *why = "somebody listens there";
  if (r == 0 || e != ECONNREFUSED) return LN_E_BUSY;
  return unlink(to->sun_path) == 0 || errno == ENOENT ? LN_OK : LN_E_IO;
}

/* A listening socket, 0600 from its first moment where it is ours alone. */
static int bound(const struct sockaddr_un *at, bool ours, int *out, const char **why)
{
  int fd = new_socket();
  if (fd < 0) return LN_E_IO;
  mode_t before = ours ? umask(0177) : 0;
  int r = bind(fd, (const struct sockaddr *)at, sizeof *at);
  if (ours) umask(before);
  if (r == 0) r = listen(fd, BACKLOG);
  if (r != 0) {
    *why = strerror(errno);
    close(fd);
    return LN_E_IO;
  }
  *out = fd;
  return LN_OK;
}

static void freed(uv_handle_t *h)
{
  ln_free(h->data);
}

static void remove_file(struct ln_listener *l)
{
  struct stat st;
  if (lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino) unlink(l->path);
}

static bool is_ours(const struct ln_listener *l, int fd)
{
  if (same_user(fd)) return true;
  ln_log(LN_LOG_WARNING, "loop", "%s: another user's connection was refused", l->path);
  return false;
}

int ln_unix_listen(struct ln_loop *loop, const char *path, bool ours,
                   void (*on_accept)(void *ctx, struct ln_stream *s), void *ctx, struct ln_listener **out,
                   const char **why)
{
  struct sockaddr_un at;
  struct stat st;
  bool there;
  int fd = -1;
  *why = "the system refuses";
  int err = address(path, &at, why);
  if (!err && ours) err = check_folder(path, why);
  if (!err) err = check_path(path, &there, why);
  if (!err && there) err = replace_stale(&at, why);
  if (!err) err = bound(&at, ours, &fd, why);
  if (err) return err;
  struct ln_listener *l = ln_calloc(1, sizeof *l);
  if (!l || lstat(path, &st) != 0 || uv_pipe_init(&loop->uv, &l->local, 0)) {
    unlink(path);
    close(fd);
    ln_free(l);
    return LN_E_IO;
  }
  l->local.data = l;
  l->is_local = true;
  l->dev = st.st_dev;
  l->ino = st.st_ino;
  l->admits = ours ? is_ours : NULL;
  l->on_closing = remove_file;
  strcpy(l->path, path);
  int r = uv_pipe_open(&l->local, fd);
  if (r) close(fd);
  if (!r) r = ln_listener_start(l, loop, BACKLOG, on_accept, ctx);
  if (r) {
    *why = uv_strerror(r);
    remove_file(l);
    uv_close((uv_handle_t *)&l->local, freed);
    return LN_E_IO;
  }
  *out = l;
  return LN_OK;
}

void ln_tcp_attach_local(struct ln_tcp *t, struct ln_stream *s)
{
  ln_tcp_attach_any(t, s);
  s->loopback = true;
  memcpy(s->peer, "unix", 5);
}

/* The socket that somebody of ours listens on, or an error. */
static int dial(const char *path, int *out, const char **why)
{
  struct sockaddr_un to;
  bool there = false;
  *why = "the system refuses";
  int err = address(path, &to, why);
  if (!err) err = check_path(path, &there, why);
  if (err) return err;
  *why = "nobody listens there";
  if (!there) return LN_E_CONNECT;
  int fd = new_socket();
  if (fd < 0) return LN_E_IO;
  if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
    err = errno == ECONNREFUSED || errno == ENOENT ? LN_E_CONNECT : LN_E_IO;
    if (err == LN_E_IO) *why = strerror(errno);
  } else if (!same_user(fd)) {
    *why = "another user listens there";
    err = LN_E_PERMISSION;
  }
  if (err)
    close(fd);
  else
    *out = fd;
  return err;
}

int ln_unix_dial(struct ln_loop *loop, const char *path, struct ln_stream **out, const char **why)
{
  struct ln_tcp *t;
  int fd = -1;
  int err = dial(path, &fd, why);
  if (err) return err;
  *why = "the system refuses";
  err = ln_tcp_new_local(loop, &t);
  if (err) {
    close(fd);
    return err;
  }
  if (uv_pipe_open(&t->local, fd)) {
    close(fd);
    ln_tcp_close(t);
    return LN_E_IO;
  }
  err = ln_stream_new(loop, &ln_tcp_kind, NULL, NULL, out);
  if (err) {
    ln_tcp_close(t);
    return err;
  }
  ln_tcp_attach_local(t, *out);
  (*out)->connected = true;
  return LN_OK;
}

static int64_t milliseconds_left(int64_t until)
{
  int64_t left = (until - ln_clock_mono_us()) / 1000;
  return left > 0 ? left : 0;
}

int ln_unix_ask(const char *path, struct ln_slice question, int skip, int milliseconds, struct ln_buf *answer)
{
  const char *why;
  int fd = -1, err = dial(path, &fd, &why);
  if (err) return err;
  int64_t until = ln_clock_mono_us() + (int64_t)milliseconds * 1000;
  err =
      send(fd, question.p, question.n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)question.n ? LN_OK : LN_E_IO;
  ln_buf_clear(answer);
  while (!err) {
    uint8_t *line = ln_buf_data(answer), *end = answer->len ? memchr(line, '\n', answer->len) : NULL;
    if (end && skip-- > 0) {
      ln_buf_consume(answer, (size_t)(end - line) + 1);
      continue;
    }
    if (end) {
      ln_buf_truncate(answer, (size_t)(end - line));
      break;
    }
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint8_t *to;
    if (poll(&p, 1, (int)milliseconds_left(until)) <= 0) {
      err = LN_E_TIMEOUT;
    } else if ((err = ln_buf_extend(answer, PEEK_MAX, &to)) == LN_OK) {
      ssize_t n = recv(fd, to, PEEK_MAX, MSG_DONTWAIT);
      ln_buf_truncate(answer, answer->len - PEEK_MAX + (n > 0 ? (size_t)n : 0));
      if (n <= 0) err = LN_E_IO;
    }
  }
  close(fd);
  return err;
}

bool ln_unix_peek(const struct ln_stream *s, uint8_t byte)
{
  const struct ln_tcp *t = s->impl;
  uint8_t bytes[PEEK_MAX];
  uv_os_fd_t fd;
  if (s->in.len && memchr(ln_buf_data(&s->in), byte, s->in.len)) return true;
  if (!t || s->kind != &ln_tcp_kind || uv_fileno((const uv_handle_t *)&t->local, &fd)) return false;
  ssize_t n = recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
  return n > 0 && memchr(bytes, byte, (size_t)n);
}

/* TCP streams once they are connected; see stream.h for the contract. How they come to be is in tcp_dial.c
 * and tcp_listen.c. */
#include "loop/tcp.h"
#include "base/alloc.h"

#include <errno.h>
#include <netinet/tcp.h>

#define READ_MIN ((size_t)8 << 10)
#define READ_MAX ((size_t)256 << 10)
#define KEEP_BUFFER ((size_t)64 << 10)
#define USER_TIMEOUT_MS 30000
#define KEEPALIVE_S 60
#define LINGER_US LN_US_PER_S

static void freed(uv_handle_t *h)
{
  struct ln_tcp *t = h->data;
  ln_buf_deinit(&t->sending);
  ln_buf_deinit(&t->queued);
  ln_free(t);
}

static int make(struct ln_loop *loop, bool local, struct ln_tcp **out)
{
  struct ln_tcp *t = ln_calloc(1, sizeof *t);
  if (!t) return LN_E_NOMEM;
  int r = local ? uv_pipe_init(&loop->uv, &t->local, 0) : uv_tcp_init(&loop->uv, &t->handle);
  if (r) {
    ln_free(t);
    return ln_uv_error(r);
  }
  uv_unref((uv_handle_t *)&t->handle);
  t->handle.data = t;
  t->loop = loop;
  t->in_size = READ_MIN;
  ln_buf_init(&t->sending, LN_STREAM_OUT_MAX);
  ln_buf_init(&t->queued, LN_STREAM_OUT_MAX);
  *out = t;
  return LN_OK;
}

int ln_tcp_new(struct ln_loop *loop, struct ln_tcp **out)
{
  return make(loop, false, out);
}

int ln_tcp_new_local(struct ln_loop *loop, struct ln_tcp **out)
{
  return make(loop, true, out);
}

void ln_tcp_close(struct ln_tcp *t)
{
  if (t->closing) return;
  t->closing = true;
  t->stream = NULL;
  t->dial = NULL;
  ln_timer_stop(&t->linger);
  ln_open_remove(&t->open);
  uv_close((uv_handle_t *)&t->handle, freed);
}

/* --- reading --- */

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
  struct ln_tcp *t = h->data;
  (void)suggested;
  buf->base = NULL;
  buf->len = 0; /* libuv reports ENOBUFS then */
  if (!t->stream) return;
  struct ln_buf *in = &t->stream->in;
  size_t left = in->len < in->max ? in->max - in->len : 0;
  size_t want = t->in_size < left ? t->in_size : left;
  if (!want || ln_buf_reserve(in, want)) return;
  size_t room = in->cap - in->start - in->len;
  buf->base = (char *)in->base + in->start + in->len;
  buf->len = room < left ? room : left;
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
  struct ln_tcp *t = h->data;
  struct ln_stream *s = t->stream;
  if (!s || n == 0) return;
  if (n > 0) {
    s->in.len += (size_t)n;
    if ((size_t)n == buf->len && t->in_size < READ_MAX) t->in_size *= 2;
    ln_stream_arrived(s);
    return;
  }
  switch (n) {
  case UV_EOF:
    t->reading = false; /* libuv has stopped by itself */
    ln_stream_end(s);
    break;
  case UV_ENOBUFS:
    if (s->in.len >= s->in.max)
      ln_stream_fail(s, LN_E_TOOBIG, "too much came in that nobody took");
    else
      ln_stream_fail(s, LN_E_NOMEM, NULL);
    break;
  default: ln_stream_fail(s, ln_uv_error((int)n), uv_strerror((int)n)); break;
  }
}

static void tcp_pause(struct ln_stream *s)
{
  if (!s->connected || !s->impl) return; /* impl is the dialling still */
  struct ln_tcp *t = s->impl;
  bool read = s->ops && !s->paused && !s->ended;
  if (t->closing) return;
  if (read == t->reading) return;
  t->reading = read;
  if (!read) {
    uv_read_stop((uv_stream_t *)&t->handle);
    return;
  }
  int r = uv_read_start((uv_stream_t *)&t->handle, on_alloc, on_read);
  if (r) ln_stream_fail_later(s, ln_uv_error(r), "cannot read from the socket");
}

/* --- writing --- */

static void write_on(struct ln_tcp *t);

/* libuv has nothing left to write: the kernel does the rest at once. A socket that has failed says so when it
 * is read. */
static void shut_down(struct ln_tcp *t)
{
  shutdown(t->fd, SHUT_WR);
}

static void tcp_finish(struct ln_stream *s)
{
  struct ln_tcp *t = s->impl;
  if (!t->sending.len) shut_down(t);
}

static void on_written(uv_write_t *req, int status)
{
  struct ln_tcp *t = req->data;
  struct ln_stream *s = t->stream;
  ln_buf_clear(&t->sending);
  if (t->closing) return;
  if (status) {
    if (s)
      ln_stream_fail(s, ln_uv_error(status), uv_strerror(status));
    else
      ln_tcp_close(t);
    return;
  }
  if (s) ln_stream_set_unsent(s, t->queued.len);
  if (t->queued.len) {
    write_on(t);
    return;
  }
  ln_buf_trim(&t->sending, KEEP_BUFFER);
  ln_buf_trim(&t->queued, KEEP_BUFFER);
  if (s && s->finished) shut_down(t);
  if (s)
    ln_stream_drained(s);
  else
    ln_tcp_close(t); /* it lingered for this */
}

static void swap(struct ln_buf *a, struct ln_buf *b)
{
  struct ln_buf was = *a;
  *a = *b;
  *b = was;
}

/* Hands `queued` to the kernel: at once as far as it goes, the rest through the loop. Nothing is under way.
 */
static void write_on(struct ln_tcp *t)
{
  swap(&t->queued, &t->sending);
  uv_buf_t buf = uv_buf_init((char *)ln_buf_data(&t->sending), (unsigned)t->sending.len);
  t->write.data = t;
  int r = uv_write(&t->write, (uv_stream_t *)&t->handle, &buf, 1, on_written);
  if (!r) return;
  ln_buf_clear(&t->sending);
  if (t->stream)
    ln_stream_fail_later(t->stream, ln_uv_error(r), uv_strerror(r));
  else
    ln_tcp_close(t);
}

/* What the kernel takes at once, or a libuv code. */
static ssize_t hand_over(const struct ln_tcp *t, struct ln_slice bytes)
{
  ssize_t n = send(t->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
  if (n >= 0) return n;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
}

static void tcp_send(struct ln_stream *s)
{
  struct ln_tcp *t = s->impl;
  if (t->sending.len) { /* in order: behind what is under way */
    if (!t->queued.len) {
      size_t max = s->out.max;
      swap(&s->out, &t->queued);
      s->out.max = max;
      t->queued.max = LN_STREAM_OUT_MAX;
    } else if (ln_buf_append(&t->queued, ln_buf_data(&s->out), s->out.len)) {
      ln_stream_fail_later(s, LN_E_NOMEM, NULL);
    }
    ln_buf_clear(&s->out);
    ln_stream_set_unsent(s, t->sending.len + t->queued.len);
    return;
  }
  ssize_t n = hand_over(t, ln_buf_slice(&s->out));
  if (n == (ssize_t)s->out.len) {
    ln_buf_clear(&s->out);
    return;
  }
  if (n < 0) {
    ln_buf_clear(&s->out);
    ln_stream_fail_later(s, ln_uv_error((int)n), uv_strerror((int)n));
    return;
  }
  if (n > 0) ln_buf_consume(&s->out, (size_t)n);
  swap(&s->out, &t->queued);
  t->queued.max = LN_STREAM_OUT_MAX;
  ln_buf_clear(&s->out);
  size_t unsent = t->queued.len;
  write_on(t);
  ln_stream_set_unsent(s, unsent);
}

static size_t tcp_write(struct ln_stream *s, struct ln_slice bytes, int *err)
{
  struct ln_tcp *t = s->impl;
  if (t->sending.len) return 0;
  ssize_t n = hand_over(t, bytes);
  if (n >= 0) return (size_t)n;
  *err = ln_uv_error((int)n);
  ln_stream_fail_later(s, *err, uv_strerror((int)n));
  return 0;
}

/* --- the end --- */

static void on_linger(struct ln_timer *timer)
{
  struct ln_tcp *t = (struct ln_tcp *)((char *)timer - offsetof(struct ln_tcp, linger));
  ln_tcp_close(t);
}

static void linger_cut(struct ln_open *o)
{
  struct ln_tcp *t = (struct ln_tcp *)((char *)o - offsetof(struct ln_tcp, open));
  ln_tcp_close(t);
}

static void tcp_close(struct ln_stream *s, bool now)
{
  struct ln_tcp *t = s->impl;
  if (s->connected && t) {
    t->stream = NULL;
    if (!now && t->sending.len && !t->closing) {
      struct ln_clock *clock = ln_loop_clock(t->loop);
      uv_read_stop((uv_stream_t *)&t->handle);
      t->linger.fn = on_linger;
      ln_open_add(t->loop, &t->open, linger_cut);
      if (ln_timer_start(clock, &t->linger, ln_clock_now(clock) + LINGER_US)) ln_tcp_close(t);
    } else {
      ln_tcp_close(t);
    }
  } else if (s->impl) {
    ln_dial_abandon(s->impl);
  }
  s->impl = NULL;
}

static void tcp_free(struct ln_stream *s)
{
  (void)s;
}

/* libuv counts down as the kernel takes it; s->unsent changes when a whole write is done. */
static size_t tcp_unsent(const struct ln_stream *s)
{
  const struct ln_tcp *t = s->impl;
  if (!s->connected || !t) return s->unsent;
  return uv_stream_get_write_queue_size((const uv_stream_t *)&t->handle) + t->queued.len;
}

const struct ln_stream_kind ln_tcp_kind = {tcp_send,  tcp_pause,  tcp_close, tcp_free,
                                           tcp_write, tcp_finish, tcp_unsent};

int ln_stream_fd(const struct ln_stream *s)
{
  const struct ln_tcp *t = s->impl;
  return s->kind == &ln_tcp_kind && s->connected && t ? t->fd : -1;
}

size_t ln_stream_address(const struct ln_stream *s, bool peer, char *out, size_t size)
{
  return ln_fd_address(ln_stream_fd(s), peer, out, size);
}

void ln_stream_patient(struct ln_stream *s)
{
  unsigned never = 0;
  int fd = ln_stream_fd(s);
  if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &never, sizeof never); /* none on Unix sockets */
}

bool ln_sockaddr_is_loopback(const struct sockaddr *a)
{
  if (a->sa_family == AF_INET)
    return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
  if (a->sa_family != AF_INET6) return false;
  const struct in6_addr *in6 = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(in6) || (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127);
}

void ln_tcp_attach_any(struct ln_tcp *t, struct ln_stream *s)
{
  t->stream = s;
  t->dial = NULL;
  s->impl = t;
  if (uv_fileno((uv_handle_t *)&t->handle, &t->fd)) t->fd = -1;
}

void ln_tcp_attach(struct ln_tcp *t, struct ln_stream *s)
{
  struct sockaddr_storage addr;
  int len = sizeof addr;
  ln_tcp_attach_any(t, s);
  uv_tcp_nodelay(&t->handle, 1);
  uv_tcp_keepalive(&t->handle, 1, KEEPALIVE_S);
  unsigned ms = USER_TIMEOUT_MS;
  setsockopt(t->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
  if (uv_tcp_getpeername(&t->handle, (struct sockaddr *)&addr, &len)) return;
  s->loopback = ln_sockaddr_is_loopback((struct sockaddr *)&addr);
  ln_fd_address(t->fd, true, s->peer, sizeof s->peer);
}

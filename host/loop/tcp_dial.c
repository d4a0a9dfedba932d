/* ln_tcp_dial of stream.h: the name look-up, then one address after the other until one answers, all within
 * one time limit; and ln_unix_connect of unix.h. A struct ln_dial lives until libuv has given back everything
 * it was handed. */
#include "loop/tcp.h"
#include "loop/unix.h"
#include "base/alloc.h"

#include <errno.h>
#include <unistd.h>

#define CROWDED_US 5000                    /* a Unix socket's queue is full: until it is asked again */
#define FIRST_TRY_MIN_US (LN_US_PER_S / 2) /* an address gets at least this, however many there are */

struct ln_dial {
  struct ln_loop *loop;
  struct ln_stream *stream; /* NULL: abandoned */
  uv_getaddrinfo_t lookup;
  bool looking_up;
  struct addrinfo *list, *next; /* of the look-up */
  struct sockaddr_storage literal;
  bool is_literal;
  bool is_local;      /* `literal` is a Unix socket's */
  struct ln_tcp *tcp; /* the try under way */
  struct ln_timer timer;
  int64_t deadline;
  int last_error; /* libuv's, of the address tried last */
  char service[8];
  char why[96];
  char host[];
};

static void done(struct ln_dial *d)
{
  ln_timer_stop(&d->timer);
  if (d->tcp) ln_tcp_close(d->tcp);
  d->tcp = NULL;
  if (d->stream) d->stream->impl = NULL;
  d->stream = NULL;
  if (d->looking_up) { /* freed when it comes back */
    uv_cancel((uv_req_t *)&d->lookup);
    return;
  }
  if (d->list) uv_freeaddrinfo(d->list);
  ln_free(d);
}

void ln_dial_abandon(struct ln_dial *d)
{
  d->stream = NULL;
  done(d);
}

static void failed(struct ln_dial *d, int err, int uv)
{
  struct ln_stream *s = d->stream;
  char why[sizeof d->why];
  snprintf(why, sizeof why, "%.48s%s%s: %s", d->host, d->is_local ? "" : ":", d->service,
           uv ? uv_strerror(uv) : ln_err_text(err));
  done(d);
  ln_stream_fail(s, err, why);
}

static void try_next(struct ln_dial *d);

static void connected(struct ln_dial *d, struct ln_tcp *t)
{
  struct ln_stream *s = d->stream;
  bool is_local = d->is_local;
  d->tcp = NULL;
  done(d);
  if (is_local)
    ln_tcp_attach_local(t, s);
  else
    ln_tcp_attach(t, s);
  s->connected = true;
  ln_tcp_kind.pause(s);
  ln_stream_opened(s);
}

static void on_connect(uv_connect_t *req, int status)
{
  struct ln_tcp *t = req->data;
  struct ln_dial *d = t->dial;
  if (t->closing || !d) return;
  if (status) {
    d->last_error = status;
    ln_tcp_close(t);
    d->tcp = NULL;
    try_next(d);
    return;
  }
  connected(d, t);
}

/* What a Unix socket is called by its peer, so that the two ends of one can be told to belong together. Where
 * the system has no such names it stays without. */
static void name_itself(int fd)
{
#ifdef __linux__
  sa_family_t family = AF_UNIX;
  if (bind(fd, (struct sockaddr *)&family, sizeof family) != 0) return;
#else
  (void)fd;
#endif
}

static void try_local(struct ln_dial *d)
{
  struct ln_clock *clock = ln_loop_clock(d->loop);
  struct ln_tcp *t;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0) name_itself(fd);
  int r = fd < 0 || connect(fd, (struct sockaddr *)&d->literal, sizeof(struct sockaddr_un)) != 0 ? -errno : 0;
  if (!r && ln_tcp_new_local(d->loop, &t)) r = UV_ENOMEM;
  if (!r && (r = uv_pipe_open(&t->local, fd))) ln_tcp_close(t);
  if (!r) {
    connected(d, t);
    return;
  }
  if (fd >= 0) close(fd);
  if (r == UV_EAGAIN && ln_timer_start(clock, &d->timer, ln_clock_now(clock) + CROWDED_US) == LN_OK) return;
  failed(d, r == UV_ECONNREFUSED || r == UV_ENOENT ? LN_E_CONNECT : ln_uv_error(r), r);
}

static int connect_to(struct ln_dial *d, const struct sockaddr *addr)
{
  struct ln_tcp *t;
  if (ln_tcp_new(d->loop, &t)) return UV_ENOMEM;
  t->dial = d;
  t->connecting.data = t;
  int r = uv_tcp_connect(&t->connecting, &t->handle, addr, on_connect);
  if (r) {
    ln_tcp_close(t);
    return r;
  }
  d->tcp = t;
  return 0;
}

static void try_next(struct ln_dial *d)
{
  struct ln_clock *clock = ln_loop_clock(d->loop);
  int64_t now = ln_clock_now(clock);
  for (;;) {
    const struct sockaddr *addr;
    size_t left = 1;
    if (d->is_literal) {
      addr = (const struct sockaddr *)&d->literal;
      d->is_literal = false;
    } else if (d->next) {
      addr = d->next->ai_addr;
      for (struct addrinfo *a = d->next->ai_next; a; a = a->ai_next) left++;
      d->next = d->next->ai_next;
    } else {
      failed(d, d->last_error == UV_ETIMEDOUT ? LN_E_TIMEOUT : LN_E_CONNECT, d->last_error);
      return;
    }
    int64_t share = (d->deadline - now) / (int64_t)left;
    if (share < FIRST_TRY_MIN_US) share = FIRST_TRY_MIN_US;
    int64_t due = now + share < d->deadline ? now + share : d->deadline;
    int r = connect_to(d, addr);
    if (!r && ln_timer_start(clock, &d->timer, due) == LN_OK) return;
    d->last_error = r ? r : UV_ENOMEM;
    if (d->tcp) ln_tcp_close(d->tcp);
    d->tcp = NULL;
  }
}

static void on_timer(struct ln_timer *timer)
{
  struct ln_dial *d = (struct ln_dial *)((char *)timer - offsetof(struct ln_dial, timer));
  if (d->tcp) ln_tcp_close(d->tcp);
  d->tcp = NULL;
  d->last_error = UV_ETIMEDOUT;
  if (d->is_local && ln_clock_now(ln_loop_clock(d->loop)) < d->deadline)
    try_local(d);
  else if (d->looking_up || ln_clock_now(ln_loop_clock(d->loop)) >= d->deadline)
    failed(d, LN_E_TIMEOUT, UV_ETIMEDOUT);
  else
    try_next(d);
}

static void on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
  struct ln_dial *d = req->data;
  d->looking_up = false;
  d->list = list;
  if (!d->stream) {
    done(d);
    return;
  }
  d->next = list;
  if (status || !list)
    failed(d, LN_E_DNS, status);
  else
    try_next(d);
}

/* A literal address: connecting begins in a later turn, since its failure must not come inside the call. */
static void on_begin(struct ln_timer *timer)
{
  struct ln_dial *d = (struct ln_dial *)((char *)timer - offsetof(struct ln_dial, timer));
  d->timer.fn = on_timer;
  if (d->is_local)
    try_local(d);
  else
    try_next(d);
}

static int begin(struct ln_dial *d, int port, int64_t timeout_us)
{
  struct ln_clock *clock = ln_loop_clock(d->loop);
  int64_t now = ln_clock_fresh(clock);
  d->deadline = now + timeout_us;
  if (uv_ip4_addr(d->host, port, (struct sockaddr_in *)&d->literal) == 0 ||
      uv_ip6_addr(d->host, port, (struct sockaddr_in6 *)&d->literal) == 0) {
    d->is_literal = true;
    d->timer.fn = on_begin;
    return ln_timer_start(clock, &d->timer, now);
  }
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
  d->timer.fn = on_timer;
  int err = ln_timer_start(clock, &d->timer, d->deadline);
  if (err) return err;
  d->lookup.data = d;
  int r = uv_getaddrinfo(&d->loop->uv, &d->lookup, on_lookup, d->host, d->service, &hints);
  if (r) return r == UV_ENOMEM ? LN_E_NOMEM : LN_E_DNS;
  d->looking_up = true;
  return LN_OK;
}

static int new_dial(struct ln_loop *loop, const char *host, size_t n, const struct ln_stream_ops *ops,
                    void *ctx, struct ln_dial **out)
{
  struct ln_stream *s;
  struct ln_dial *d = ln_calloc(1, sizeof *d + n + 1);
  if (!d) return LN_E_NOMEM;
  int err = ln_stream_new(loop, &ln_tcp_kind, ops, ctx, &s);
  if (err) {
    ln_free(d);
    return err;
  }
  memcpy(d->host, host, n + 1);
  d->loop = loop;
  d->stream = s;
  s->impl = d;
  *out = d;
  return LN_OK;
}

static int begun(struct ln_dial *d, int err, struct ln_stream **out)
{
  *out = d->stream;
  if (err) ln_stream_close(d->stream); /* abandons and frees the dial */
  return err;
}

int ln_tcp_dial(struct ln_loop *loop, const char *host, int port, int64_t timeout_us,
                const struct ln_stream_ops *ops, void *ctx, struct ln_stream **out)
{
  struct ln_dial *d;
  size_t n = strlen(host);
  if (n == 0 || n > 255 || port < 1 || port > 65535) return LN_E_INVAL;
  int err = new_dial(loop, host, n, ops, ctx, &d);
  if (err) return err;
  snprintf(d->service, sizeof d->service, "%d", port);
  snprintf(d->stream->peer, sizeof d->stream->peer, "%.48s:%d", host, port);
  return begun(d, begin(d, port, timeout_us), out);
}

int ln_unix_connect(struct ln_loop *loop, const char *path, int64_t timeout_us,
                    const struct ln_stream_ops *ops, void *ctx, struct ln_stream **out)
{
  struct ln_clock *clock = ln_loop_clock(loop);
  struct ln_dial *d;
  size_t n = strlen(path);
  if (*path != '/' || n >= sizeof((struct sockaddr_un *)0)->sun_path) return LN_E_INVAL;
  int err = new_dial(loop, path, n, ops, ctx, &d);
  if (err) return err;
  struct sockaddr_un *to = (struct sockaddr_un *)&d->literal;
  to->sun_family = AF_UNIX;
  memcpy(to->sun_path, path, n + 1);
  d->is_local = true;
  d->deadline = ln_clock_fresh(clock) + timeout_us;
  d->timer.fn = on_begin;
  return begun(d, ln_timer_start(clock, &d->timer, ln_clock_now(clock)), out);
}

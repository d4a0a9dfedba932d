/* ln_tcp_dial of stream.h: the name look-up, then one address after the other until one answers, all within
 * one time limit. A struct ln_dial lives until libuv has given back everything it was handed. */
#include "loop/tcp.h"
#include "base/alloc.h"

#define FIRST_TRY_MIN_US (LN_US_PER_S / 2) /* an address gets at least this, however many there are */

struct ln_dial {
  struct ln_loop *loop;
  struct ln_stream *stream; /* NULL: abandoned */
  uv_getaddrinfo_t lookup;
  bool looking_up;
  struct addrinfo *list, *next; /* of the look-up */
  struct sockaddr_storage literal;
  bool is_literal;
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
  snprintf(why, sizeof why, "%.48s:%s: %s", d->host, d->service, uv ? uv_strerror(uv) : ln_err_text(err));
  done(d);
  ln_stream_fail(s, err, why);
}

static void try_next(struct ln_dial *d);

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
  struct ln_stream *s = d->stream;
  d->tcp = NULL;
  done(d);
  ln_tcp_attach(t, s);
  s->connected = true;
  ln_tcp_kind.pause(s);
  ln_stream_opened(s);
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
  if (d->looking_up || ln_clock_now(ln_loop_clock(d->loop)) >= d->deadline)
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
  try_next(d);
}

static int begin(struct ln_dial *d, int port, int64_t timeout_us)
{
  struct ln_clock *clock = ln_loop_clock(d->loop);
  int64_t now = ln_clock_now(clock);
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

int ln_tcp_dial(struct ln_loop *loop, const char *host, int port, int64_t timeout_us,
                const struct ln_stream_ops *ops, void *ctx, struct ln_stream **out)
{
  struct ln_stream *s;
  size_t n = strlen(host);
  if (n == 0 || n > 255 || port < 1 || port > 65535) return LN_E_INVAL;
  struct ln_dial *d = ln_calloc(1, sizeof *d + n + 1);
  if (!d) return LN_E_NOMEM;
  int err = ln_stream_new(loop, &ln_tcp_kind, ops, ctx, &s);
  if (err) {
    ln_free(d);
    return err;
  }
  memcpy(d->host, host, n + 1);
  snprintf(d->service, sizeof d->service, "%d", port);
  snprintf(s->peer, sizeof s->peer, "%.48s:%d", host, port);
  d->loop = loop;
  d->stream = s;
  s->impl = d;
  err = begin(d, port, timeout_us);
  if (err) {
    ln_stream_close(s); /* abandons and frees the dial */
    return err;
  }
  *out = s;
  return LN_OK;
}

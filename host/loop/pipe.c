/* In-memory pipes of stream.h: two streams that hand each other what they send, through the loop's deferred
 * calls, so that nobody is called inside of a call of his own. Each end keeps what travels towards it. */
#include "loop/stream_impl.h"
#include "base/alloc.h"

struct piece { /* one send, on its way */
  struct piece *next;
  struct ln_buf bytes;
  int64_t due; /* held by a filter until then; 0: not held */
};

/* Both ends, until both are gone. */
struct pipe;
struct pipe_end {
  struct pipe *pipe;
  struct ln_stream *stream; /* NULL: closed */
  struct piece *first, **last;
  size_t bytes; /* of all pieces */
  bool peer_closed;
  struct ln_deferred deliver;
  struct ln_timer timer;
  struct ln_clock *held_by;
};

struct pipe {
  struct ln_loop *loop;
  struct pipe_end ends[2]; /* a, b */
  struct ln_clock *clock;
  ln_pipe_filter filter;
  void *filter_ctx;
  int busy;
};

static struct pipe_end *other(struct pipe_end *e)
{
  return e == &e->pipe->ends[0] ? &e->pipe->ends[1] : &e->pipe->ends[0];
}

static void drop_first(struct pipe_end *e)
{
  struct piece *p = e->first;
  e->first = p->next;
  if (!e->first) e->last = &e->first;
  e->bytes -= p->bytes.len;
  ln_buf_deinit(&p->bytes);
  ln_free(p);
}

static void forget(struct pipe_end *e)
{
  while (e->first) drop_first(e);
  ln_loop_undefer(e->pipe->loop, &e->deliver);
  ln_timer_stop(&e->timer);
}

static void release(struct pipe *p)
{
  if (p->busy || p->ends[0].stream || p->ends[1].stream) return;
  forget(&p->ends[0]);
  forget(&p->ends[1]);
  ln_free(p);
}

static void told_unsent(struct pipe_end *to)
{
  struct ln_stream *from = other(to)->stream;
  if (!from) return;
  bool had = from->unsent > 0;
  ln_stream_set_unsent(from, to->bytes);
  if (had && !to->bytes && from->ops && from->ops->on_drain) {
    from->late_drain = true;
    ln_stream_late(from);
  }
}

/* What has arrived goes into the in buffer, in order, up to the first piece that is held. */
static bool take_in(struct pipe_end *e, int *err)
{
  struct ln_stream *s = e->stream;
  bool any = false;
  while (e->first && !*err) {
    struct piece *p = e->first;
    if (p->due && e->held_by && p->due > ln_clock_now(e->held_by)) {
      *err = ln_timer_start(e->held_by, &e->timer, p->due);
      break;
    }
    size_t room = s->in.max - s->in.len, n = p->bytes.len < room ? p->bytes.len : room;
    if (n == 0) { /* the owner has to consume first; one that never does would wait for ever */
      if (!any) *err = LN_E_TOOBIG;
      break;
    }
    if (n == p->bytes.len && s->in.len == 0 && n > s->in.cap) { /* no copy of large ones */
      struct ln_buf was = s->in;
      s->in = p->bytes;
      s->in.max = was.max;
      p->bytes = was;
    } else {
      *err = ln_buf_append(&s->in, ln_buf_data(&p->bytes), n);
      if (*err) break;
      ln_buf_consume(&p->bytes, n);
    }
    e->bytes -= n;
    any = true;
    if (p->bytes.len == 0) drop_first(e);
  }
  return any;
}

static void on_deliver(struct ln_deferred *d)
{
  struct pipe_end *e = (struct pipe_end *)((char *)d - offsetof(struct pipe_end, deliver));
  struct pipe *p = e->pipe;
  struct ln_stream *s = e->stream;
  int err = LN_OK;
  if (!s || s->paused || !s->ops) return;
  if (s->late_data) { /* the owner first sees again what it left in the buffer */
    ln_loop_defer(p->loop, d);
    return;
  }
  p->busy++;
  bool any = take_in(e, &err);
  if (any) told_unsent(e);
  if (err) {
    ln_stream_fail(s, err, "too much came in that nobody took");
  } else if ((!any || ln_stream_arrived(s)) && e->stream && !s->paused) {
    if (e->first && !ln_timer_running(&e->timer))
      ln_loop_defer(p->loop, &e->deliver);
    else if (!e->first && e->peer_closed)
      ln_stream_fail(s, LN_E_CLOSED, "closed by the peer");
  }
  p->busy--;
  release(p);
}

static void on_timer(struct ln_timer *t)
{
  struct pipe_end *e = (struct pipe_end *)((char *)t - offsetof(struct pipe_end, timer));
  ln_loop_defer(e->pipe->loop, &e->deliver);
}

static void break_down(struct pipe *p)
{
  for (int i = 0; i < 2; i++) {
    forget(&p->ends[i]);
    if (p->ends[i].stream) ln_stream_fail_later(p->ends[i].stream, LN_E_IO, "the connection was dropped");
  }
}

static void pipe_send(struct ln_stream *s)
{
  struct pipe_end *from = s->impl, *to = other(from);
  struct pipe *p = from->pipe;
  int64_t delay = 0;
  if (!to->stream) {
    ln_buf_clear(&s->out); /* on_close is on its way */
    return;
  }
  enum ln_pipe_verdict verdict = LN_PIPE_PASS;
  if (p->filter) verdict = p->filter(p->filter_ctx, from == &p->ends[0], &s->out, &delay);
  if (verdict == LN_PIPE_DROP_CONNECTION) {
    ln_buf_clear(&s->out);
    break_down(p);
    return;
  }
  if (s->out.len == 0) return; /* the filter ate it */
  struct piece *piece = ln_calloc(1, sizeof *piece);
  if (!piece) {
    ln_buf_clear(&s->out);
    ln_stream_fail_later(s, LN_E_NOMEM, NULL);
    return;
  }
  piece->bytes = s->out;
  ln_buf_init(&s->out, LN_STREAM_OUT_MAX);
  if (verdict == LN_PIPE_HOLD && p->clock) {
    piece->due = ln_clock_now(p->clock) + (delay > 0 ? delay : 0);
    to->held_by = p->clock;
  }
  *to->last = piece;
  to->last = &piece->next;
  to->bytes += piece->bytes.len;
  ln_stream_set_unsent(s, to->bytes);
  ln_loop_defer(p->loop, &to->deliver);
}

static void pipe_pause(struct ln_stream *s)
{
  struct pipe_end *e = s->impl;
  if (e && !s->paused && (e->first || e->peer_closed)) ln_loop_defer(e->pipe->loop, &e->deliver);
}

static void pipe_close(struct ln_stream *s, bool now)
{
  struct pipe_end *e = s->impl, *peer = other(e);
  (void)now; /* what was sent is with the peer already */
  e->stream = NULL;
  s->impl = NULL;
  forget(e);
  if (peer->stream) {
    peer->peer_closed = true;
    ln_loop_defer(e->pipe->loop, &peer->deliver);
  }
  release(e->pipe);
}

static void pipe_free(struct ln_stream *s)
{
  (void)s;
}

static const struct ln_stream_kind pipe_kind = {pipe_send, pipe_pause, pipe_close, pipe_free,
                                                NULL,      NULL,       NULL};

int ln_pipe_pair(struct ln_loop *loop, const struct ln_stream_ops *ops_a, void *ctx_a, struct ln_stream **a,
                 struct ln_stream **b)
{
  struct ln_stream *s[2] = {NULL, NULL};
  struct pipe *p = ln_calloc(1, sizeof *p);
  if (!p) return LN_E_NOMEM;
  p->loop = loop;
  p->busy = 1;
  for (int i = 0; i < 2; i++) {
    struct pipe_end *e = &p->ends[i];
    e->pipe = p;
    e->last = &e->first;
    e->deliver.fn = on_deliver;
    e->timer.fn = on_timer;
    if (ln_stream_new(loop, &pipe_kind, i ? NULL : ops_a, i ? NULL : ctx_a, &s[i])) {
      if (i) ln_stream_close(s[0]);
      ln_free(p);
      return LN_E_NOMEM;
    }
    s[i]->impl = e;
    s[i]->loopback = true;
    e->stream = s[i];
    memcpy(s[i]->peer, "pipe", 5);
  }
  p->busy = 0;
  s[1]->connected = true;
  s[0]->late_open = true;
  ln_stream_late(s[0]);
  *a = s[0];
  *b = s[1];
  return LN_OK;
}

void ln_pipe_set_filter(struct ln_stream *end, struct ln_clock *clock, ln_pipe_filter filter, void *ctx)
{
  if (end->kind != &pipe_kind || !end->impl) return;
  struct pipe_end *e = end->impl;
  e->pipe->clock = clock;
  e->pipe->filter = filter;
  e->pipe->filter_ctx = ctx;
}

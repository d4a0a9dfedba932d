/* See stream.h: what all streams share. The one place that calls an owner back and that frees a stream. */
#include "loop/stream_impl.h"
#include "base/alloc.h"

#define KEEP_BUFFER ((size_t)64 << 10) /* of an empty buffer, larger ones are given back */

static void release(struct ln_stream *s)
{
  if (!s->dead || s->busy) return;
  s->kind->free(s);
  ln_buf_deinit(&s->in);
  ln_buf_deinit(&s->out);
  ln_free(s);
}

void ln_stream_enter(struct ln_stream *s)
{
  s->busy++;
}

bool ln_stream_leave(struct ln_stream *s)
{
  bool alive = !s->dead;
  s->busy--;
  release(s);
  return alive;
}

static void end(struct ln_stream *s, bool now)
{
  s->dead = true;
  ln_loop_undefer(s->open.loop, &s->late);
  ln_open_remove(&s->open);
  s->kind->close(s, now);
}

static void close_open(struct ln_open *o)
{
  struct ln_stream *s = (struct ln_stream *)o;
  end(s, true);
  release(s);
}

static void on_late(struct ln_deferred *d)
{
  struct ln_stream *s = (struct ln_stream *)((char *)d - offsetof(struct ln_stream, late));
  ln_stream_enter(s);
  if (s->late_close) {
    ln_stream_fail(s, s->late_close, s->late_why);
  } else {
    if (s->late_open) {
      s->late_open = false;
      ln_stream_opened(s);
    }
    if (!s->dead && s->late_data && s->ops) {
      s->late_data = false;
      if (s->in.len && !s->paused) ln_stream_arrived(s);
    }
    if (!s->dead && s->late_drain) {
      s->late_drain = false;
      if (!s->unsent) ln_stream_drained(s);
    }
  }
  ln_stream_leave(s);
}

int ln_stream_new(struct ln_loop *loop, const struct ln_stream_kind *kind, const struct ln_stream_ops *ops,
                  void *ctx, struct ln_stream **out)
{
  struct ln_stream *s = ln_calloc(1, sizeof *s);
  if (!s) return LN_E_NOMEM;
  s->kind = kind;
  s->ops = ops;
  s->ctx = ctx;
  s->late.fn = on_late;
  ln_buf_init(&s->in, LN_STREAM_IN_MAX);
  ln_buf_init(&s->out, LN_STREAM_OUT_MAX);
  ln_open_add(loop, &s->open, close_open);
  *out = s;
  return LN_OK;
}

bool ln_stream_opened(struct ln_stream *s)
{
  ln_stream_enter(s);
  s->connected = true;
  if (s->ops && s->ops->on_open) s->ops->on_open(s->ctx);
  if (!s->dead && s->sent_before_open) {
    s->sent_before_open = false;
    ln_stream_send(s);
  }
  return ln_stream_leave(s);
}

bool ln_stream_arrived(struct ln_stream *s)
{
  if (!s->ops) { /* not adopted: it hears of it then */
    s->late_data = true;
    return true;
  }
  ln_stream_enter(s);
  s->ops->on_data(s->ctx, &s->in);
  ln_buf_trim(&s->in, KEEP_BUFFER);
  return ln_stream_leave(s);
}

bool ln_stream_drained(struct ln_stream *s)
{
  if (!s->ops || !s->ops->on_drain) return true;
  ln_stream_enter(s);
  s->ops->on_drain(s->ctx);
  return ln_stream_leave(s);
}

void ln_stream_end(struct ln_stream *s)
{
  if (!s->ops || !s->ops->on_end) {
    ln_stream_fail(s, LN_E_CLOSED, "closed by the peer");
    return;
  }
  s->ended = true;
  ln_stream_enter(s);
  s->ops->on_end(s->ctx);
  ln_stream_leave(s);
}

void ln_stream_fail(struct ln_stream *s, int err, const char *why)
{
  if (s->dead) return;
  ln_stream_enter(s);
  end(s, true);
  if (s->ops && s->ops->on_close) s->ops->on_close(s->ctx, err, why ? why : ln_err_text(err));
  ln_stream_leave(s);
}

void ln_stream_fail_later(struct ln_stream *s, int err, const char *why)
{
  if (s->dead || s->late_close) return;
  s->late_close = err;
  s->late_why = why;
  ln_stream_late(s);
}

void ln_stream_late(struct ln_stream *s)
{
  ln_loop_defer(s->open.loop, &s->late);
}

void ln_stream_set_unsent(struct ln_stream *s, size_t unsent)
{
  s->unsent = unsent;
  s->out.max = unsent < LN_STREAM_OUT_MAX ? LN_STREAM_OUT_MAX - unsent : 0;
}

void ln_stream_adopt(struct ln_stream *s, const struct ln_stream_ops *ops, void *ctx)
{
  s->ops = ops;
  s->ctx = ctx;
  if (s->late_data || s->late_close || s->late_open) ln_stream_late(s);
  s->kind->pause(s); /* begins to read */
}

struct ln_buf *ln_stream_out(struct ln_stream *s)
{
  return &s->out;
}

int ln_stream_send(struct ln_stream *s)
{
  if (s->dead || !s->out.len) return LN_OK;
  if (!s->connected) {
    s->sent_before_open = true;
    return LN_OK;
  }
  if (s->late_close || s->finished) {
    ln_buf_clear(&s->out);
    return s->late_close ? s->late_close : LN_E_CLOSED;
  }
  s->kind->send(s);
  ln_buf_trim(&s->out, KEEP_BUFFER);
  if (!s->unsent && s->ops && s->ops->on_drain) {
    s->late_drain = true;
    ln_stream_late(s);
  }
  return s->late_close;
}

size_t ln_stream_write(struct ln_stream *s, struct ln_slice bytes, int *err)
{
  *err = s->late_close;
  if (s->dead || s->late_close || s->unsent || !s->connected || s->finished || !s->kind->write) return 0;
  return s->kind->write(s, bytes, err);
}

void ln_stream_finish(struct ln_stream *s)
{
  if (s->dead || s->finished || !s->connected || !s->kind->finish) return;
  s->finished = true;
  s->kind->finish(s);
}

size_t ln_stream_unsent(const struct ln_stream *s)
{
  return s->unsent && s->kind->unsent ? s->kind->unsent(s) : s->unsent;
}

void ln_stream_pause(struct ln_stream *s, bool paused)
{
  if (s->dead || s->paused == paused) return;
  s->paused = paused;
  s->kind->pause(s);
  if (!paused && s->in.len) { /* what came before the pause may wait for more that never comes */
    s->late_data = true;
    ln_stream_late(s);
  }
}

void ln_stream_close(struct ln_stream *s)
{
  if (!s || s->dead) return;
  end(s, false);
  release(s);
}

struct ln_buf *ln_stream_in(struct ln_stream *s)
{
  return &s->in;
}

const char *ln_stream_peer(const struct ln_stream *s)
{
  return s->peer;
}

bool ln_stream_peer_is_loopback(const struct ln_stream *s)
{
  return s->loopback;
}

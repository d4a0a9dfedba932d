/* One socket of the sandbox: frames in, to a key exchange or to the session of their auth key; what the
 * session says goes out once a turn. */
#include "sandbox/internal.h"
#include "base/alloc.h"
#include "base/log.h"

#define UNSENT_MAX ((size_t)4 << 20) /* beyond it nothing more is read from the peer, nor written to it */
#define NOT_FOUND 404

static void on_flush(struct ln_deferred *d)
{
  struct ln_sandbox_connection *c =
      (struct ln_sandbox_connection *)((char *)d - offsetof(struct ln_sandbox_connection, flush));
  struct ln_sandbox *s = c->sandbox;
  ln_sandbox_enter(s);
  ln_sandbox_write(c);
  ln_sandbox_leave(s);
}

void ln_sandbox_set_reading(struct ln_sandbox_connection *c)
{
  ln_stream_pause(c->stream, c->work || c->throttled);
}

void ln_sandbox_write(struct ln_sandbox_connection *c)
{
  struct ln_sandbox *s = c->sandbox;
  if (!c->stream) return;
  struct ln_buf *out = ln_stream_out(c->stream);
  int64_t wall = ln_clock_wall(s->clock);
  bool full = false;
  while (c->session && ln_server_session_pending(c->session->wire)) {
    full = out->len + ln_stream_unsent(c->stream) > UNSENT_MAX;
    if (full) break;
    if (ln_server_session_flush(c->session->wire, c->frame, out, wall)) {
      ln_sandbox_disconnect(c);
      return;
    }
  }
  ln_stream_send(c->stream);
  size_t unsent = ln_stream_unsent(c->stream);
  if (full && unsent == 0) ln_loop_defer(s->loop, &c->flush);
  c->throttled = unsent > UNSENT_MAX;
  ln_sandbox_set_reading(c);
  ln_sandbox_rearm(c);
}

void ln_sandbox_rearm(struct ln_sandbox_connection *c)
{
  struct ln_sandbox *s = c->sandbox;
  if (!c->stream) return;
  int64_t due = c->session ? LN_NEVER : c->lone_until;
  if (c->session) {
    int64_t wall = ln_server_session_deadline(c->session->wire);
    if (wall != LN_NEVER) due = ln_clock_now(s->clock) + (wall - ln_clock_wall(s->clock));
  }
  if (c->exchange) {
    int64_t step = ln_exchange_deadline(c->exchange);
    if (step < due) due = step;
  }
  if (due == LN_NEVER)
    ln_timer_stop(&c->timer);
  else if (ln_timer_start(s->clock, &c->timer, due))
    ln_sandbox_disconnect(c);
}

static void on_timer(struct ln_timer *t)
{
  struct ln_sandbox_connection *c =
      (struct ln_sandbox_connection *)((char *)t - offsetof(struct ln_sandbox_connection, timer));
  struct ln_sandbox *s = c->sandbox;
  ln_sandbox_enter(s);
  if (!c->session && ln_clock_now(s->clock) >= c->lone_until) ln_sandbox_disconnect(c);
  if (c->stream && c->exchange) ln_sandbox_exchange_time(c);
  if (c->stream && c->session && ln_server_session_tick(c->session->wire, ln_clock_wall(s->clock)))
    ln_sandbox_disconnect(c);
  if (c->stream && c->end_wanted) ln_sandbox_disconnect(c);
  if (c->stream) ln_sandbox_write(c);
  ln_sandbox_leave(s);
}

/* The one answer to everything that is not as it should be, and the end. */
static void refuse(struct ln_sandbox_connection *c)
{
  if (ln_frame_error(c->frame, ln_stream_out(c->stream), NOT_FOUND) == LN_OK) ln_stream_send(c->stream);
  ln_sandbox_disconnect(c);
}

static void on_encrypted(struct ln_sandbox_connection *c, uint64_t key_id, uint8_t *payload, size_t len)
{
  struct ln_sandbox *s = c->sandbox;
  struct ln_sandbox_key *key = ln_sandbox_find_key(s, key_id, c->dc);
  uint64_t session_id;
  struct ln_slice plain;
  if (!key || ln_server_open(&key->key, payload, len, &session_id, &plain)) {
    refuse(c);
    return;
  }
  if (key_id == c->made && !c->work) ln_sandbox_exchange_end(c); /* it has what it came for */
  struct ln_sandbox_session *n = ln_sandbox_find_session(s, key, session_id, c->dc);
  if (!n) {
    ln_sandbox_disconnect(c);
    return;
  }
  if (n->connection != c) ln_sandbox_attach(n, c);
  if (c->stream && ln_server_session_input(n->wire, plain, ln_clock_wall(s->clock))) c->end_wanted = true;
}

static void on_payload(struct ln_sandbox_connection *c, struct ln_frame_event *ev)
{
  uint64_t key_id = ev->len >= 8 ? ln_le64(ev->payload) : 0;
  if (key_id)
    on_encrypted(c, key_id, ev->payload, ev->len);
  else
    ln_sandbox_exchange(c, ln_slice(ev->payload, ev->len));
}

static void on_data(void *ctx, struct ln_buf *in)
{
  struct ln_sandbox_connection *c = ctx;
  struct ln_sandbox *s = c->sandbox;
  ln_sandbox_enter(s);
  while (c->stream && !c->work && !c->end_wanted) {
    struct ln_frame_event ev;
    int err = ln_frame_next(c->frame, in, &ev);
    if (err == LN_E_AGAIN) break;
    if (err)
      ln_sandbox_disconnect(c);
    else if (ev.kind == LN_FRAME_PAYLOAD)
      on_payload(c, &ev);
  }
  if (c->stream && c->end_wanted) ln_sandbox_disconnect(c);
  if (c->stream && c->session && ln_server_session_pending(c->session->wire))
    ln_loop_defer(s->loop, &c->flush);
  else if (c->stream)
    ln_sandbox_rearm(c);
  ln_sandbox_leave(s);
}

static void on_drain(void *ctx)
{
  struct ln_sandbox_connection *c = ctx;
  struct ln_sandbox *s = c->sandbox;
  if (!c->throttled && !(c->session && ln_server_session_pending(c->session->wire))) return;
  ln_sandbox_enter(s);
  ln_sandbox_write(c);
  ln_sandbox_leave(s);
}

static void on_close(void *ctx, int err, const char *why)
{
  struct ln_sandbox_connection *c = ctx;
  struct ln_sandbox *s = c->sandbox;
  ln_log(LN_LOG_VERBOSE, "sandbox", "connection to DC %d ended: %s (%s)", c->dc, why, ln_err_name(err));
  ln_sandbox_enter(s);
  ln_sandbox_disconnect(c);
  ln_sandbox_leave(s);
}

static const struct ln_stream_ops stream_ops = {
    .on_data = on_data, .on_drain = on_drain, .on_close = on_close};

void ln_sandbox_connected(struct ln_sandbox *s, struct ln_stream *stream, int dc)
{
  struct ln_sandbox_connection *c = NULL;
  if (!s->closed && s->n_connections < LN_SANDBOX_MAX_CONNECTIONS) c = ln_calloc(1, sizeof *c);
  if (!c || ln_frame_server_new(&s->rng, &c->frame)) {
    ln_free(c);
    ln_stream_close(stream);
    return;
  }
  c->sandbox = s;
  c->dc = dc;
  c->stream = stream;
  c->flush.fn = on_flush;
  c->timer.fn = on_timer;
  c->lone_until = ln_clock_now(s->clock) + LN_SANDBOX_LONE_US;
  c->next = s->connections;
  if (c->next) c->next->prev = c;
  s->connections = c;
  s->n_connections++;
  ln_stream_adopt(stream, &stream_ops, c);
  ln_sandbox_enter(s);
  ln_sandbox_rearm(c);
  ln_sandbox_leave(s);
}

void ln_sandbox_disconnect(struct ln_sandbox_connection *c)
{
  struct ln_sandbox *s = c->sandbox;
  if (!c->stream) return;
  ln_stream_close(c->stream);
  c->stream = NULL;
  ln_sandbox_exchange_end(c);
  ln_loop_undefer(s->loop, &c->flush);
  ln_timer_stop(&c->timer);
  if (c->prev)
    c->prev->next = c->next;
  else
    s->connections = c->next;
  if (c->next) c->next->prev = c->prev;
  s->n_connections--;
  c->prev = NULL;
  c->next = s->dead_connections;
  s->dead_connections = c;
  ln_sandbox_detach(c);
}

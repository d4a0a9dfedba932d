/* The key exchange on a link, which is fresh, or (for the next temporary key) in use: its payloads through
 * the frame, its jobs through the worker. A job may outlive the link and the connection: what it needs is in
 * a struct of its own. */
#include "client/internal.h"
#include "base/alloc.h"
#include "crypto/hash.h"
#include "loop/worker.h"

struct ln_exchange_work {
  struct ln_connection *c; /* NULL: the link is gone */
  struct ln_exchange *x;
  struct ln_exchange_job *job;
};

static void step(struct ln_connection *c);

static void failed(struct ln_connection *c, int err)
{
  if (c->state == LN_CONN_UP) { /* the link goes on, by the key that it has */
    ln_exchange_end(c);
    ln_stream_pause(c->stream, false);
    ln_pfs_renewal_failed(c);
  } else if (err == LN_E_NO_KEY)
    ln_link_fatal(c, err, ln_err_text(err));
  else
    ln_link_lost(c, err, ln_err_text(err));
}

void ln_exchange_begin(struct ln_connection *c, bool temporary)
{
  struct ln_exchange_client_config config = {.dc = c->dc,
                                             .keys = c->keys,
                                             .n_keys = c->n_keys,
                                             .rng = c->rng,
                                             .expires_in = temporary ? c->temp.lifetime_s : 0};
  if (c->loopback_key && ln_stream_peer_is_loopback(c->stream)) {
    bool known = false;
    for (size_t i = 0; i < c->n_keys; i++) known = known || c->keys[i] == c->loopback_key;
    if (!known) c->keys[config.n_keys++] = c->loopback_key; /* there is room for it, and n_keys hides it */
  }
  struct ln_stream *s = c->stream;
  c->makes_temporary = temporary;
  c->exchange_since = ln_clock_now(c->clock);
  if (c->state != LN_CONN_EXCHANGE && c->state != LN_CONN_UP) {
    c->state = LN_CONN_EXCHANGE;
    if (c->ops->on_status) c->ops->on_status(c->ctx, c->state, LN_OK, ln_stream_peer(s), 0);
    if (c->closed || c->stream != s) return;
  }
  int err = config.n_keys ? ln_exchange_client_new(&config, &c->exchange) : LN_E_NO_KEY;
  if (!err) err = ln_exchange_start(c->exchange, ln_clock_now(c->clock));
  if (err)
    failed(c, err);
  else
    step(c);
}

void ln_exchange_end(struct ln_connection *c)
{
  ln_exchange_abandon(c->exchange);
  c->exchange = NULL;
  if (c->work) c->work->c = NULL; /* frees itself, and through job_done the exchange */
  c->work = NULL;
}

static void run(void *ctx)
{
  struct ln_exchange_work *w = ctx;
  ln_exchange_job_run(w->job);
}

static void done(void *ctx)
{
  struct ln_exchange_work *w = ctx;
  struct ln_connection *c = w->c;
  int64_t now = c ? ln_clock_now(c->clock) : 0, wall = c ? ln_clock_wall(c->clock) : 0;
  int err = ln_exchange_job_done(w->x, now, wall);
  ln_free(w);
  if (!c) return;
  ln_connection_enter(c);
  struct ln_stream *s = c->stream;
  c->work = NULL;
  if (err)
    failed(c, err);
  else
    step(c);
  /* What came meanwhile is read now. */
  if (!c->closed && c->stream == s && !c->work) ln_stream_pause(s, false);
  ln_connection_leave(c);
}

static void start_job(struct ln_connection *c)
{
  struct ln_exchange_work *w = ln_calloc(1, sizeof *w);
  if (!w) {
    failed(c, LN_E_NOMEM);
    return;
  }
  w->job = ln_exchange_job(c->exchange);
  if (!w->job) {
    ln_free(w);
    return;
  }
  w->c = c;
  w->x = c->exchange;
  c->work = w;
  ln_stream_pause(c->stream, true);
  int err = ln_worker_run(c->loop, run, done, w);
  if (!err) return;
  ln_exchange_end(c);
  ln_exchange_job_done(w->x, 0, 0); /* frees it: the job was handed out */
  ln_free(w);
  failed(c, err);
}

static void finish(struct ln_connection *c, struct ln_exchange_result *result)
{
  bool temporary = c->makes_temporary;
  struct ln_stream *s = c->stream;
  ln_exchange_end(c);
  if (temporary) {
    ln_pfs_made(c, result);
    return;
  }
  c->key = result->key;
  c->has_key = true;
  c->salt = result->salt;
  c->n_salts = 0;
  if (c->temp.lifetime_s) {
    ln_temp_keys_permanent(&c->temp, ln_clock_now(c->clock));
    ln_connection_save(c, true);
    if (!c->closed && c->stream == s) ln_exchange_begin(c, true);
    return;
  }
  if (!c->session) {
    int err = ln_connection_make_session(c, result->salt, result->server_offset_us, true);
    if (c->closed) return;
    if (err) {
      c->has_key = false;
      failed(c, err);
      return;
    }
  }
  ln_connection_save(c, true);
  if (!c->closed && c->stream == s) ln_link_up(c);
}

static void step(struct ln_connection *c)
{
  struct ln_slice payload;
  struct ln_buf *out = ln_stream_out(c->stream);
  while (ln_exchange_output(c->exchange, ln_clock_wall(c->clock), &payload)) {
    uint8_t *to;
    int err = ln_frame_begin(c->frame, out, payload.n, &to);
    if (!err) {
      memcpy(to, payload.p, payload.n);
      err = ln_frame_end(c->frame, out);
    }
    if (err) {
      failed(c, err);
      return;
    }
  }
  ln_stream_send(c->stream);
  struct ln_exchange_result result;
  if (ln_exchange_finished(c->exchange, &result)) {
    finish(c, &result);
    ln_cleanse(&result, sizeof result);
    return;
  }
  struct ln_stream *s = c->stream;
  if (!c->work) start_job(c);
  if (c->closed || c->stream != s) return;
  int64_t due = ln_exchange_deadline(c->exchange);
  if (c->state == LN_CONN_UP)
    ln_link_rearm(c);
  else if (due == LN_NEVER)
    ln_timer_stop(&c->timer);
  else if (ln_timer_start(c->clock, &c->timer, due))
    failed(c, LN_E_NOMEM);
}

void ln_exchange_payload(struct ln_connection *c, struct ln_slice payload)
{
  int err = ln_exchange_input(c->exchange, payload, ln_clock_now(c->clock), ln_clock_wall(c->clock));
  if (err == LN_E_DISCARD) return;
  if (err)
    failed(c, err);
  else
    step(c);
}

void ln_exchange_time(struct ln_connection *c)
{
  int err = ln_exchange_tick(c->exchange, ln_clock_now(c->clock));
  if (err)
    failed(c, err);
  else
    step(c);
}

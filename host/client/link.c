/* The socket under a connection: dialled, lost, dialled again. What comes in goes to the exchange or to the
 * session, what the session has to say is written once a turn. */
#include "client/internal.h"
#include "base/log.h"

#include <stdio.h>

#define UNSENT_MAX ((size_t)8 << 20) /* more than this is not written before some of it has left */
#define BLOCKED_LOOK_US (LN_US_PER_S / 10)
#define STALL_US (30 * LN_US_PER_S)

static void status(struct ln_connection *c, enum ln_connection_state state, int err, const char *why,
                   int64_t retry_us)
{
  c->state = state;
  if (c->ops->on_status) c->ops->on_status(c->ctx, state, err, why, retry_us);
}

void ln_link_close(struct ln_connection *c)
{
  ln_exchange_end(c);
  if (c->stream) ln_stream_close(c->stream);
  c->stream = NULL;
  ln_frame_free(c->frame);
  c->frame = NULL;
  ln_timer_stop(&c->timer);
  if (c->session && ln_connection_talks(c)) ln_session_disconnected(c->session, ln_clock_now(c->clock));
  c->binding = c->refused = false;
  c->turn_due = c->hold_due = LN_NEVER;
}

/* After ln_link_close. delay_us < 0: no more. */
static void down(struct ln_connection *c, int err, const char *why, int64_t delay_us)
{
  c->state = LN_CONN_DOWN;
  if (delay_us >= 0 && ln_timer_start(c->clock, &c->timer, ln_clock_now(c->clock) + delay_us)) {
    ln_log(LN_LOG_ERROR, "client", "out of memory: no further try to connect");
    delay_us = -1;
    err = LN_E_NOMEM;
    c->fatal = true;
  }
  status(c, LN_CONN_DOWN, err, why, delay_us);
  if (c->fatal && !c->closed && c->ops->on_fatal) c->ops->on_fatal(c->ctx, err, why);
}

void ln_link_lost(struct ln_connection *c, int err, const char *why)
{
  bool worked = c->state == LN_CONN_UP && c->heard;
  int64_t delay;
  if (worked && ln_clock_now(c->clock) - c->up_since >= LN_BACKOFF_GOOD_US)
    delay = ln_backoff_after_good(&c->backoff);
  else if (worked)
    delay = ln_backoff_after_cut(&c->backoff, &c->jitter);
  else
    delay = ln_backoff_after_failure(&c->backoff, &c->jitter);
  ln_link_close(c);
  down(c, err, why, delay);
}

void ln_link_fatal(struct ln_connection *c, int err, const char *why)
{
  ln_link_close(c);
  c->fatal = true;
  down(c, err, why, -1);
}

/* T1: nobody vouches for these codes. They delay, and -404 costs a temporary key, never the permanent one.
 * -444 stops. */
static void on_code(struct ln_connection *c, int code)
{
  char why[64];
  snprintf(why, sizeof why, "transport error %d", code);
  if (code == 444 || (code == 404 && ln_temp_keys_not_found(&c->temp) == LN_PERM_KEY_DEAD)) {
    ln_link_fatal(c, LN_E_HALT, why);
    return;
  }
  ln_link_close(c);
  down(c, LN_E_RECONNECT, why,
       code == 429 ? ln_backoff_after_flood(&c->backoff, &c->jitter)
                   : ln_backoff_after_failure(&c->backoff, &c->jitter));
}

/* --- the stream's callbacks --- */

static void open_link(struct ln_connection *c)
{
  ln_temp_keys_turn(&c->temp);
  int err = ln_frame_client_new(&c->frame_config, &c->rng, &c->frame);
  if (!err) err = ln_frame_hello(c->frame, ln_stream_out(c->stream));
  if (err)
    ln_link_lost(c, err, ln_err_text(err));
  else if (!c->has_key)
    ln_exchange_begin(c, false);
  else if (c->temp.lifetime_s && !ln_temp_keys_good(&c->temp, ln_clock_now(c->clock)))
    ln_exchange_begin(c, true);
  else
    ln_link_up(c);
}

static void on_open(void *ctx)
{
  struct ln_connection *c = ctx;
  ln_connection_enter(c);
  ln_timer_stop(&c->timer);
  open_link(c);
  ln_connection_leave(c);
}

static void on_payload(struct ln_connection *c, struct ln_frame_event *ev)
{
  bool plain = ev->len < 8 || ln_le64(ev->payload) == 0;
  if (c->exchange && (plain || c->state == LN_CONN_EXCHANGE)) {
    ln_exchange_payload(c, ln_slice(ev->payload, ev->len));
    return;
  }
  int err = ln_session_input(c->session, ev->payload, ev->len, ln_clock_now(c->clock));
  if (c->closed) return;
  if (c->refused) {
    ln_pfs_refused(c);
    return;
  }
  if (!err)
    c->heard = true;
  else if (err == LN_E_HALT)
    ln_link_fatal(c, err, ln_err_text(err));
  else
    ln_link_lost(c, err, ln_err_text(err));
}

static void on_data(void *ctx, struct ln_buf *in)
{
  struct ln_connection *c = ctx;
  struct ln_stream *s = c->stream;
  ln_connection_enter(c);
  /* Each event may end this link, or the connection with it. A job of the exchange stops the reading. */
  while (!c->closed && c->stream == s && !c->work) {
    struct ln_frame_event ev;
    int err = ln_frame_next(c->frame, in, &ev);
    if (err == LN_E_AGAIN) break;
    if (err)
      ln_link_lost(c, err, ln_err_text(err));
    else if (ev.kind == LN_FRAME_ERROR_CODE)
      on_code(c, ev.code);
    else if (ev.kind == LN_FRAME_PAYLOAD)
      on_payload(c, &ev);
  }
  if (!c->closed && c->stream == s && ln_connection_talks(c)) {
    if (c->turn_due != LN_NEVER) ln_pfs_look(c);
    if (c->stream != s || c->closed)
      ; /* it has ended there */
    else if (ln_session_pending(c->session, ln_clock_now(c->clock)))
      ln_loop_defer(c->loop, &c->flush);
    else
      ln_link_rearm(c);
  }
  ln_connection_leave(c);
}

static void on_drain(void *ctx)
{
  struct ln_connection *c = ctx;
  if (!c->blocked) return;
  ln_connection_enter(c);
  ln_link_flush(c);
  ln_connection_leave(c);
}

static void on_close(void *ctx, int err, const char *why)
{
  struct ln_connection *c = ctx;
  ln_connection_enter(c);
  c->stream = NULL; /* dead by itself */
  ln_link_lost(c, err, why);
  ln_connection_leave(c);
}

static const struct ln_stream_ops stream_ops = {
    .on_open = on_open, .on_data = on_data, .on_drain = on_drain, .on_close = on_close};

void ln_link_dial(struct ln_connection *c)
{
  if (c->closed || c->fatal || c->stream || c->state != LN_CONN_DOWN) return;
  int err;
  ln_timer_stop(&c->timer);
  c->heard = c->blocked = false;
  status(c, LN_CONN_DIALLING, LN_OK, "", 0);
  if (c->closed) return;
  if (c->dialer.dial) {
    err = c->dialer.dial(c->dialer.ctx, &stream_ops, c, &c->stream);
    if (!err) err = ln_timer_start(c->clock, &c->timer, ln_clock_fresh(c->clock) + c->dial_timeout_us);
  } else {
    const struct ln_address *a = &c->addresses[c->next_address];
    c->next_address = (c->next_address + 1) % c->n_addresses;
    err = ln_tcp_dial(c->loop, a->host, a->port, c->dial_timeout_us, &stream_ops, c, &c->stream);
  }
  if (err) ln_link_lost(c, err, ln_err_text(err));
}

void ln_link_up(struct ln_connection *c)
{
  int64_t now = ln_clock_now(c->clock);
  struct ln_temp_key *temp = c->temp.lifetime_s ? &c->temp.now : NULL;
  int err = LN_OK;
  if (!c->session)
    err = ln_connection_make_session(c, temp ? temp->salt : c->salt,
                                     c->offset_us + (ln_clock_wall(c->clock) - now), c->synchronised);
  else if (temp && ln_session_key_id(c->session) != temp->key.id)
    err = ln_session_rekey(c->session, &temp->key, temp->salt, temp->expires, false, now);
  if (!err && !c->closed && c->holding) ln_connection_give_waiting(c);
  if (c->closed) return;
  if (err) {
    ln_link_lost(c, err, ln_err_text(err));
    return;
  }
  ln_session_connected(c->session, now);
  if (ln_session_is_bound(c->session)) {
    ln_link_working(c);
    return;
  }
  c->state = LN_CONN_EXCHANGE;
  c->binding = true;
  ln_loop_defer(c->loop, &c->flush);
  ln_link_rearm(c);
}

void ln_link_working(struct ln_connection *c)
{
  c->up_since = ln_clock_now(c->clock);
  c->binding = false;
  struct ln_stream *s = c->stream;
  status(c, LN_CONN_UP, LN_OK, ln_stream_peer(s), 0);
  if (c->closed || c->stream != s) return;
  ln_loop_defer(c->loop, &c->flush);
  ln_link_rearm(c);
  if (c->temp.lifetime_s) ln_pfs_rearm(c);
}

/* --- the session's time and output --- */

/* While it is blocked: has nothing left for too long? */
static bool stalled(struct ln_connection *c, int64_t now)
{
  size_t unsent = ln_stream_unsent(c->stream);
  if (unsent >= c->blocked_with) return now >= c->stall_due;
  c->blocked_with = unsent;
  c->stall_due = now + STALL_US;
  return false;
}

void ln_link_rearm(struct ln_connection *c)
{
  int64_t due = ln_session_deadline(c->session);
  if (c->blocked) {
    int64_t soon = ln_clock_now(c->clock) + BLOCKED_LOOK_US;
    if (due < soon) due = soon;
    if (due > c->stall_due) due = c->stall_due;
  }
  if (c->exchange && ln_exchange_deadline(c->exchange) < due) due = ln_exchange_deadline(c->exchange);
  if (due == LN_NEVER)
    ln_timer_stop(&c->timer);
  else if ((!ln_timer_running(&c->timer) || c->timer.due != due) && ln_timer_start(c->clock, &c->timer, due))
    ln_link_lost(c, LN_E_NOMEM, ln_err_text(LN_E_NOMEM));
}

void ln_link_flush(struct ln_connection *c)
{
  if (c->closed || !ln_connection_talks(c)) return;
  int64_t now = ln_clock_fresh(c->clock); /* a pong's time counts from here, after whatever ran before */
  struct ln_buf *out = ln_stream_out(c->stream);
  bool was_blocked = c->blocked;
  if (was_blocked) (void)stalled(c, now);
  c->blocked = false;
  while (ln_session_pending(c->session, now)) {
    size_t before = out->len;
    if (before + ln_stream_unsent(c->stream) > UNSENT_MAX) {
      c->blocked = true;
      break;
    }
    int err = ln_session_flush(c->session, c->frame, out, now);
    if (c->closed) return;
    if (err == LN_E_HALT) {
      ln_link_fatal(c, err, ln_err_text(err));
      return;
    }
    if (err) {
      ln_link_lost(c, err, ln_err_text(err));
      return;
    }
    if (out->len == before) break;
  }
  ln_stream_send(c->stream);
  size_t unsent = ln_stream_unsent(c->stream);
  if (c->blocked && !unsent) ln_loop_defer(c->loop, &c->flush); /* it has all left at once */
  if (c->blocked) {
    c->blocked_with = unsent;
    if (!was_blocked) c->stall_due = now + STALL_US;
  }
  ln_link_rearm(c);
}

void ln_link_timer(struct ln_timer *t)
{
  struct ln_connection *c = (struct ln_connection *)((char *)t - offsetof(struct ln_connection, timer));
  struct ln_stream *stream = c->stream;
  ln_connection_enter(c);
  if (c->exchange &&
      (c->state == LN_CONN_EXCHANGE || ln_exchange_deadline(c->exchange) <= ln_clock_now(c->clock)))
    ln_exchange_time(c);
  switch (c->closed || c->stream != stream ? LN_CONN_EXCHANGE : c->state) {
  case LN_CONN_DOWN: ln_link_dial(c); break;
  case LN_CONN_DIALLING: ln_link_lost(c, LN_E_TIMEOUT, "nothing answers in time"); break;
  case LN_CONN_EXCHANGE:
    if (!c->binding) break;
    /* fall through */
  case LN_CONN_UP: {
    if (c->blocked && stalled(c, ln_clock_now(c->clock))) { /* not even a ping finds room (T5) */
      ln_link_lost(c, LN_E_TIMEOUT, "nothing leaves any more");
      break;
    }
    int err = ln_session_tick(c->session, ln_clock_now(c->clock));
    if (c->closed) break;
    if (err)
      ln_link_lost(c, err == LN_E_RECONNECT ? LN_E_TIMEOUT : err, "the server does not answer");
    else
      ln_link_flush(c);
    break;
  }
  }
  ln_connection_leave(c);
}

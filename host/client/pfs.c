/* Temporary keys on a connection: the next one is made on the link in use, and takes over in a moment when no
 * request is under way, so that nothing has to be sent twice; where there is no such moment, requests wait
 * for one, and what is then still without an answer goes out again by the new key. The rules are those of
 * mtproto/temp_key.c. Called by link.c and exchange_run.c. */
#include "client/internal.h"
#include "base/log.h"

#include <stdio.h>

#define HOLD_AFTER_US (60 * LN_US_PER_S) /* without a quiet moment, requests wait, */
#define HOLD_US (5 * LN_US_PER_S)        /* at most so long */

void ln_pfs_rearm(struct ln_connection *c)
{
  bool renewable = c->state == LN_CONN_UP && !c->exchange && ln_session_is_bound(c->session);
  int64_t due = LN_NEVER;
  if (c->turn_due != LN_NEVER)
    due = c->holding ? c->turn_due : c->hold_due;
  else if (c->temp.now.expires)
    due = renewable ? ln_temp_keys_due(&c->temp) : c->temp.now.expires;
  if (due == LN_NEVER || c->closed || c->fatal)
    ln_timer_stop(&c->keys_timer);
  else if (ln_timer_start(c->clock, &c->keys_timer, due))
    ln_log(LN_LOG_ERROR, "client", "out of memory: the temporary key is not renewed");
}

static void turn(struct ln_connection *c)
{
  int64_t now = ln_clock_now(c->clock);
  c->turn_due = c->hold_due = LN_NEVER;
  ln_temp_keys_turn(&c->temp);
  const struct ln_temp_key *temp = &c->temp.now;
  int err = ln_session_rekey(c->session, &temp->key, temp->salt, temp->expires, true, now);
  if (err) {
    ln_link_lost(c, err, ln_err_text(err)); /* the next link does it */
    return;
  }
  ln_connection_give_waiting(c);
  if (c->closed) return;
  ln_loop_defer(c->loop, &c->flush);
  ln_link_rearm(c);
  ln_pfs_rearm(c);
}

void ln_pfs_look(struct ln_connection *c)
{
  if (c->turn_due == LN_NEVER || c->state != LN_CONN_UP) return;
  if (ln_session_in_flight(c->session) == 0 || (c->holding && c->turn_due <= ln_clock_now(c->clock))) turn(c);
}

void ln_pfs_made(struct ln_connection *c, const struct ln_exchange_result *made)
{
  int64_t now = ln_clock_now(c->clock);
  ln_temp_keys_made(&c->temp, made, c->exchange_since);
  if (c->state == LN_CONN_UP) {
    c->hold_due = now + HOLD_AFTER_US;
    c->turn_due = c->hold_due + HOLD_US;
    ln_pfs_rearm(c);
    ln_pfs_look(c);
    return;
  }
  c->offset_us = made->server_offset_us - (ln_clock_wall(c->clock) - now);
  c->synchronised = true;
  ln_link_up(c);
}

void ln_pfs_renewal_failed(struct ln_connection *c)
{
  ln_log(LN_LOG_NOTICE, "client", "DC %d: the next temporary key could not be made", c->dc);
  ln_temp_keys_renewal_failed(&c->temp, ln_clock_now(c->clock));
  ln_pfs_rearm(c);
  ln_link_rearm(c);
}

void ln_pfs_on_bound(void *ctx, int code, struct ln_slice text)
{
  struct ln_connection *c = ctx;
  if (c->closed) return;
  if (code) { /* inside of the session's input: the link cannot end here */
    c->refused = true;
    snprintf(c->refused_why, sizeof c->refused_why, "%.*s", (int)(text.n < 60 ? text.n : 60),
             (const char *)text.p);
    return;
  }
  ln_temp_keys_bound(&c->temp);
  ln_log(LN_LOG_VERBOSE, "client", "DC %d: a temporary key is bound", c->dc);
  if (c->binding)
    ln_link_working(c);
  else
    ln_pfs_rearm(c);
  if (c->closed || !c->stream) return;
  c->ops->session.on_new_session(
      c->ctx); /* what came for the one before, and did not reach us, is to be fetched */
}

void ln_pfs_refused(struct ln_connection *c)
{
  char why[128];
  snprintf(why, sizeof why, "the temporary key is not bound: %s", c->refused_why);
  enum ln_temp_key_verdict verdict =
      ln_temp_keys_refused(&c->temp, ln_slice_str(c->refused_why), ln_clock_now(c->clock));
  c->heard = false; /* not a link that worked: the next try waits */
  if (verdict == LN_PERM_KEY_DEAD)
    ln_link_fatal(c, LN_E_HALT,
                  "the server does not know the session's key any more: log in anew, with another --session");
  else
    ln_link_lost(c, LN_E_RECONNECT, why);
}

void ln_pfs_timer(struct ln_timer *t)
{
  struct ln_connection *c = (struct ln_connection *)((char *)t - offsetof(struct ln_connection, keys_timer));
  int64_t now = ln_clock_now(c->clock);
  ln_connection_enter(c);
  if (c->temp.now.expires && c->temp.now.expires <= now) {
    ln_temp_keys_drop(&c->temp);
    if (c->stream) ln_link_lost(c, LN_E_RECONNECT, "the temporary key has run out");
  } else if (c->turn_due != LN_NEVER) {
    c->holding = c->hold_due <= now;
    ln_pfs_look(c);
  } else if (c->state == LN_CONN_UP && !c->exchange && ln_session_is_bound(c->session) &&
             ln_temp_keys_due(&c->temp) <= now) {
    ln_exchange_begin(c, true);
  }
  if (!c->closed) ln_pfs_rearm(c);
  ln_connection_leave(c);
}

/* See session.h: making, ending, requests, the clock, and what happens when a connection goes or a session is
 * renewed. What leaves is in session_send.c, what comes in in dispatch.c. */
#include "mtproto/session_internal.h"
#include "base/alloc.h"
#include "base/log.h"
#include "crypto/hash.h"

#define MAX_REQUEST (LN_FRAME_MAX - 4096)
#define GZIP_FROM 1024 /* smaller bodies are not worth a try; above the limit it is file parts, as a rule */
#define GZIP_TO 65536

static int random_u64(struct ln_session *s, uint64_t *out)
{
  do {
    int err = ln_rng_fill(&s->rng, out, sizeof *out);
    if (err) return err;
  } while (*out == 0);
  return LN_OK;
}

int ln_session_new(const struct ln_session_config *config, int64_t now, struct ln_session **out)
{
  struct ln_session *s = ln_malloc(sizeof *s);
  if (!s) return LN_E_NOMEM;
  memset(s, 0, LN_SESSION_ZEROED);
  s->key = *config->key;
  s->rng = config->rng;
  s->ops = config->ops;
  s->ctx = config->ctx;
  s->now = now;
  s->offset_us = config->server_offset_us;
  s->ping_every_us = config->ping_every_us ? config->ping_every_us : 60 * LN_US_PER_S;
  s->salt = config->salt;
  for (size_t i = 0; i < config->n_salts && s->n_salts < LN_MAX_SALTS; i++)
    s->salts[s->n_salts++] = config->salts[i];
  ln_buf_init(&s->prefix, 65536);
  ln_buf_init(&s->control, 1 << 20);
  ln_buf_init(&s->replies, 1 << 18);
  ln_buf_init(&s->unpacked, 2 * LN_GZIP_MAX_FRAME);
  ln_buf_init(&s->packed, 2 * GZIP_TO);
  ln_map_init(&s->by_id);
  ln_window_init(&s->seen);
  s->connected = true;
  s->acks_due = s->check_due = s->pong_due = s->binding_due = s->old_key_until = LN_NEVER;
  s->ping_due = now + s->ping_every_us;
  int err = ln_gzip_new(&s->gzip);
  if (!err) err = ln_buf_append(&s->prefix, config->prefix.p, config->prefix.n);
  if (!err) err = random_u64(s, &s->session_id);
  if (config->bind_to) {
    s->temporary = true;
    s->perm = *config->bind_to;
    s->expires = config->expires;
    if (!err) err = ln_binding_queue(s);
  }
  if (err) {
    ln_session_free(s);
    return err;
  }
  *out = s;
  return LN_OK;
}

static void end_request(struct ln_session *s, struct ln_request *r, int err)
{
  void *tag = r->tag;
  bool silent = r->no_response;
  ln_request_detach(s, r);
  ln_free(r);
  if (!silent) s->ops->on_error(s->ctx, tag, err, 0, ln_slice_str(ln_err_text(err)));
}

void ln_session_free(struct ln_session *s)
{
  if (!s) return;
  s->connected = false;
  while (s->flight.first) end_request(s, s->flight.first, LN_E_CLOSED);
  while (s->queue.first) end_request(s, s->queue.first, LN_E_CLOSED);
  for (size_t i = 0; i < LN_MAX_QUERIES; i++) ln_free(s->queries[i]);
  ln_gzip_free(s->gzip);
  ln_buf_deinit_secret(&s->prefix);
  ln_buf_deinit(&s->control);
  ln_buf_deinit(&s->replies);
  ln_buf_deinit(&s->unpacked);
  ln_buf_deinit(&s->packed);
  ln_map_deinit(&s->by_id);
  ln_free(s->acks.at);
  ln_free(s->drops.at);
  ln_free(s->wanted.at);
  ln_cleanse(s, LN_SESSION_ZEROED);
  ln_free(s);
}

int ln_session_request(struct ln_session *s, struct ln_slice body, void *tag, const struct ln_request *after,
                       unsigned flags, struct ln_request **out)
{
  if (body.n < 4 || body.n % 4) return LN_E_INVAL;
  if (body.n > MAX_REQUEST) return LN_E_TOOBIG;
  if (s->n_pending >= LN_MAX_PENDING) return LN_E_FULL;
  ln_buf_clear(&s->packed);
  if (body.n >= GZIP_FROM && body.n <= GZIP_TO && ln_gzip_pack(s->gzip, body, &s->packed) == LN_OK)
    body = ln_buf_slice(&s->packed);
  struct ln_request *r = ln_malloc(sizeof *r + body.n);
  if (!r) return LN_E_NOMEM;
  memset(r, 0, sizeof *r);
  memcpy(r->body, body.p, body.n);
  r->len = (uint32_t)body.n;
  r->tag = tag;
  r->no_prefix = flags & LN_REQUEST_NO_PREFIX;
  r->no_response = flags & LN_REQUEST_NO_RESPONSE;
  r->order = ++s->next_order;
  if (after) {
    struct ln_request *before = (struct ln_request *)(uintptr_t)after;
    r->after = before;
    r->next_dependent = before->dependents;
    before->dependents = r;
  }
  ln_request_list_add(&s->queue, r);
  s->n_pending++;
  if (out) *out = r;
  return LN_OK;
}

void ln_session_cancel(struct ln_session *s, struct ln_request *r)
{
  if (r->state != LN_REQUEST_QUEUED) ln_ids_add(&s->drops, r->msg_id, 1024); /* full: its answer is ignored */
  ln_request_detach(s, r);
  ln_free(r);
}

int ln_ids_add(struct ln_ids *l, uint64_t id, size_t max)
{
  if (l->n >= max) return LN_E_FULL;
  if (l->n == l->cap) {
    size_t cap = l->cap ? l->cap * 2 : 32;
    uint64_t *at = ln_realloc(l->at, cap * sizeof *at);
    if (!at) return LN_E_NOMEM;
    l->at = at;
    l->cap = cap;
  }
  l->at[l->n++] = id;
  return LN_OK;
}

void ln_ids_drop(struct ln_ids *l, size_t n)
{
  l->n -= n;
  if (l->n) memmove(l->at, l->at + n, l->n * sizeof *l->at);
}

void ln_session_queue_ack(struct ln_session *s, uint64_t msg_id)
{
  /* One that does not fit comes back: the server sends again what is not acknowledged. */
  if (ln_ids_add(&s->acks, msg_id, LN_MAX_ACKS)) return;
  if (s->acks_due == LN_NEVER) s->acks_due = s->now + LN_ACK_WAIT_US;
}

void ln_session_ack(struct ln_session *s, uint64_t msg_id)
{
  uint8_t *flags = ln_window_flags(&s->seen, msg_id);
  if (flags) {
    if (*flags & LN_SEEN_ACK) return;
    *flags |= LN_SEEN_ACK;
  } else if (msg_id > s->seen.floor) {
    return; /* of a session before this one */
  }
  ln_session_queue_ack(s, msg_id);
}

int64_t ln_session_server_us(const struct ln_session *s)
{
  return s->now + s->offset_us;
}

int64_t ln_session_msgid_offset(const struct ln_session *s, uint64_t msg_id)
{
  return ln_msgid_time(msg_id) - s->now;
}

bool ln_session_sent_recently(const struct ln_session *s, uint64_t msg_id)
{
  if (!msg_id) return false;
  if (ln_map_get(&s->by_id, msg_id)) return true;
  uint32_t n = s->sent_n < LN_SENT_RING ? s->sent_n : LN_SENT_RING;
  for (uint32_t i = 0; i < n; i++)
    if (s->sent[i] == msg_id) return true;
  return false;
}

static void drop_service_state(struct ln_session *s)
{
  s->acks.n = s->drops.n = s->wanted.n = 0;
  s->acks_due = LN_NEVER;
  s->n_asking = 0;
  ln_buf_clear(&s->replies);
  for (size_t i = 0; i < LN_MAX_QUERIES; i++)
    if (s->queries[i]) s->queries[i]->msg_id = 0;
  s->salts_query = 0;
  s->salts_ask_at = s->now;
  if (s->pong_due != LN_NEVER) s->ping_due = s->now; /* a pong for the old session is not heard */
  s->pong_due = LN_NEVER;
}

void ln_session_renew(struct ln_session *s)
{
  uint64_t fresh;
  if (random_u64(s, &fresh)) {
    s->broken = true;
    return;
  }
  ln_log(LN_LOG_NOTICE, "mtproto", "the session is renewed; %zu requests are sent again", s->n_pending);
  s->old_session_id = s->session_id; /* what is still on its way for it is no attack */
  s->old_session_until = s->now + LN_OLD_SESSION_US;
  s->session_id = fresh;
  s->content_sent = 0;
  s->msgid.last = 0;
  s->sent_n = 0;
  s->prefix_done = false;
  ln_request_all_again(s, NULL, 0);
  ln_map_deinit(&s->by_id); /* no answer to an id of the old session can come any more */
  for (struct ln_request *r = s->queue.first; r; r = r->next) r->msg_id = r->old_id = 0;
  drop_service_state(s);
  ln_window_init(&s->seen);
  s->synchronised = false;
  s->newest_id = 0;
  s->newest_seqno = s->foreign = s->ahead = s->regressions = s->n_unique = 0;
  s->ops->on_new_session(s->ctx);
}

void ln_session_disconnected(struct ln_session *s, int64_t now)
{
  s->now = now;
  s->connected = false;
  s->pong_due = s->binding_due = LN_NEVER;
}

void ln_session_connected(struct ln_session *s, int64_t now)
{
  s->now = now;
  s->connected = true;
  s->broken = false;
  s->foreign = s->ahead = 0;
  s->pong_due = LN_NEVER;
  s->ping_due = now; /* the server has to hear which session this connection is for: pushes wait for it */
  s->n_asking = 0;
  s->salts_query = 0;
  for (struct ln_request *r = s->flight.first, *next; r; r = next) {
    next = r->next;
    if (ln_request_find(s, r->msg_id) == r && !r->binding)
      ln_request_check(s, r, now);
    else
      ln_request_again(s, r); /* a binding; or it left without a place in the map: memory was short */
  }
}

bool ln_session_pending(const struct ln_session *s, int64_t now)
{
  if (!s->connected) return false;
  return (s->queue.first && ln_binding_lets(s, s->queue.first)) || s->n_asking || s->drops.n || s->wanted.n ||
         s->replies.len || s->acks.n > LN_ACKS_AT_ONCE || s->acks_due <= now || s->check_due <= now ||
         (s->ping_due <= now && s->pong_due == LN_NEVER);
}

int64_t ln_session_deadline(const struct ln_session *s)
{
  if (!s->connected) return LN_NEVER;
  int64_t due = s->pong_due == LN_NEVER ? s->ping_due : s->pong_due;
  if (s->acks_due < due) due = s->acks_due;
  if (s->check_due < due) due = s->check_due;
  if (s->binding_due < due) due = s->binding_due;
  if (s->old_key_until < due) due = s->old_key_until;
  return due;
}

int ln_session_tick(struct ln_session *s, int64_t now)
{
  s->now = now;
  if (s->broken) return LN_E_RECONNECT;
  if (s->old_key_until <= now) ln_binding_forget_old(s);
  if (!s->connected) return LN_OK;
  if (s->binding_due <= now) {
    ln_log(LN_LOG_NOTICE, "mtproto", "the temporary key is not bound in time");
    return LN_E_RECONNECT;
  }
  if (s->pong_due <= now) {
    ln_log(LN_LOG_NOTICE, "mtproto", "no pong in time");
    return LN_E_RECONNECT;
  }
  return LN_OK;
}

size_t ln_session_salts(const struct ln_session *s, struct ln_salt *out, size_t max)
{
  size_t n = 0;
  if (max) out[n++] = (struct ln_salt){.salt = s->salt};
  for (size_t i = 0; i < s->n_salts && n < max; i++) {
    if (s->salts[i].salt == s->salt)
      out[0] = s->salts[i];
    else
      out[n++] = s->salts[i];
  }
  return n;
}

int64_t ln_session_offset_us(const struct ln_session *s)
{
  return s->offset_us;
}

size_t ln_session_in_flight(const struct ln_session *s)
{
  return s->n_pending;
}

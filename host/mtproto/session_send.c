/* What leaves a client's session: service messages and requests, gathered into one container, written
 * straight into the frame's payload and encrypted there. Nothing is taken off a list before the frame has
 * room. Called by the owner at the end of a turn. M9, M19, M21, M22. */
#include "mtproto/session_internal.h"
#include "base/alloc.h"
#include "base/log.h"

enum control_kind { ACKS, PING, STATE_REQ, SALTS, DROP, WANTED, REPLY };

struct control { /* stands before each body in s->control */
  uint32_t kind, len;
};

struct plan {
  size_t bytes; /* of bodies */
  size_t n;     /* messages */
  size_t acks, drops, wanted, asking, replies;
  bool ping, salts;
  struct ln_request *end; /* the first request that stays */
};

static int random_u32(struct ln_session *s, uint32_t *out)
{
  return ln_rng_fill(&s->rng, out, sizeof *out);
}

/* The next msg_id, remembered as sent. Without randomness it is still increasing and right. */
static uint64_t next_id(struct ln_session *s)
{
  uint32_t noise = 0;
  if (random_u32(s, &noise)) s->broken = true;
  uint64_t id = ln_msgid_next(&s->msgid, ln_session_server_us(s), LN_MSGID_CLIENT, noise);
  s->sent[s->sent_n % LN_SENT_RING] = id;
  /* The ring's fill and place in one number: wraps to "full, from the start". */
  if (++s->sent_n == UINT32_MAX) s->sent_n = LN_SENT_RING;
  return id;
}

static uint32_t next_seqno(struct ln_session *s, bool content)
{
  uint32_t seqno = s->content_sent * 2;
  if (!content) return seqno;
  s->content_sent++;
  return seqno + 1;
}

static void begin_control(struct ln_writer *w, enum control_kind kind, size_t len, struct plan *p)
{
  ln_write_u32(w, kind);
  ln_write_u32(w, (uint32_t)len);
  p->bytes += len;
  p->n++;
}

static void write_ids(struct ln_writer *w, enum control_kind kind, uint32_t id, const uint64_t *ids, size_t n,
                      struct plan *p)
{
  begin_control(w, kind, 12 + 8 * n, p);
  ln_write_u32(w, id);
  ln_write_vector(w, true, (uint32_t)n);
  for (size_t i = 0; i < n; i++) ln_write_u64(w, ids[i]);
}

/* Encodes the service messages that are due into s->control; takes nothing off its list yet. */
static int plan_control(struct ln_session *s, struct plan *p)
{
  struct ln_writer w;
  ln_writer_init(&w, &s->control);
  p->acks = s->acks.n < LN_MAX_ACKS ? s->acks.n : LN_MAX_ACKS;
  if (p->acks) write_ids(&w, ACKS, LN_ID_msgs_ack, s->acks.at, p->acks, p);
  if (s->ping_due <= s->now && s->pong_due == LN_NEVER) {
    p->ping = true;
    begin_control(&w, PING, 16, p);
    ln_write_u32(&w, LN_ID_ping_delay_disconnect);
    ln_write_u64(&w, s->ping_id + 1);
    ln_write_u32(&w, (uint32_t)((s->ping_every_us + LN_PONG_US) / LN_US_PER_S));
  }
  p->asking = s->n_asking;
  if (p->asking) write_ids(&w, STATE_REQ, LN_ID_msgs_state_req, s->asking, p->asking, p);
  p->wanted = s->wanted.n < 1024 ? s->wanted.n : 1024;
  if (p->wanted) write_ids(&w, WANTED, LN_ID_msg_resend_req, s->wanted.at, p->wanted, p);
  for (p->drops = 0; p->drops < s->drops.n && p->drops < 64; p->drops++) {
    begin_control(&w, DROP, 12, p);
    ln_write_u32(&w, LN_ID_rpc_drop_answer);
    ln_write_u64(&w, s->drops.at[p->drops]);
  }
  while (p->replies < s->replies.len && p->n < 512) { /* each with its length before it */
    const uint8_t *reply = ln_buf_data(&s->replies) + p->replies;
    size_t len = ln_le32(reply);
    begin_control(&w, REPLY, len, p);
    ln_write_raw(&w, reply + 4, len);
    p->replies += 4 + len;
  }
  return w.err;
}

static void plan_salts(struct ln_session *s, struct plan *p)
{
  if (s->now < s->salts_ask_at || !s->prefix_done) return;
  struct ln_writer w;
  ln_writer_init(&w, &s->control);
  begin_control(&w, SALTS, 8, p);
  ln_write_u32(&w, LN_ID_get_future_salts);
  ln_write_u32(&w, LN_MAX_SALTS);
  p->salts = !w.err;
}

static void plan_requests(struct ln_session *s, struct plan *p)
{
  struct ln_request *r = s->queue.first;
  for (; r && p->n < LN_CONTAINER_MAX; r = r->next) {
    if (!ln_binding_lets(s, r)) break;
    size_t size = ln_request_wire_size(s, r);
    if (p->n && p->bytes + size + (p->n + 1) * LN_MESSAGE_HEAD > LN_CONTAINER_MAX_BYTES) break;
    p->bytes += size;
    p->n++;
  }
  p->end = r;
}

static void remember_query(struct ln_session *s, uint64_t msg_id)
{
  struct ln_state_query **q = &s->queries[s->next_query];
  s->next_query = (s->next_query + 1) % LN_MAX_QUERIES;
  if (!*q && !(*q = ln_malloc(sizeof **q))) return; /* the answer is dropped then, and it is asked again */
  (*q)->msg_id = msg_id;
  (*q)->n = s->n_asking;
  memcpy((*q)->ids, s->asking, s->n_asking * sizeof s->asking[0]);
}

/* One message into the payload; `wrap`: with its head. Gives the place after it. */
static uint8_t *put(uint8_t *to, bool wrap, uint64_t msg_id, uint32_t seqno, size_t len, uint8_t **body)
{
  if (wrap) {
    ln_message_head(to, msg_id, seqno, len);
    to += LN_MESSAGE_HEAD;
  }
  *body = to;
  return to + len;
}

static uint8_t *put_control(struct ln_session *s, uint8_t *to, bool wrap, struct ln_plain *plain)
{
  for (size_t at = 0; at < s->control.len;) {
    const uint8_t *rec = ln_buf_data(&s->control) + at;
    uint32_t kind = ln_le32(rec), len = ln_le32(rec + 4);
    uint8_t *body;
    plain->msg_id = next_id(s);
    plain->seqno = next_seqno(s, kind == STATE_REQ || kind == DROP || kind == WANTED);
    to = put(to, wrap, plain->msg_id, plain->seqno, len, &body);
    memcpy(body, rec + 8, len);
    if (kind == STATE_REQ) remember_query(s, plain->msg_id);
    if (kind == SALTS) {
      s->salts_query = plain->msg_id;
      s->salts_ask_at = s->now + LN_SALTS_AGAIN_US;
    }
    at += 8 + len;
  }
  return to;
}

static uint8_t *put_request(struct ln_session *s, struct ln_request *r, uint8_t *to, bool wrap,
                            struct ln_plain *plain)
{
  uint8_t *body = wrap ? to + LN_MESSAGE_HEAD : to;
  /* M21: what left once never leaves again under its id; a body that is the same byte for byte under the
   * same id and another padding would tell an eavesdropper so. */
  bool reuse = LN_CHECK(M21, false) && r->old_id;
  plain->msg_id = reuse ? r->old_id : next_id(s);
  plain->seqno = next_seqno(s, true);
  r->msg_id = plain->msg_id;
  if (r->binding && ln_binding_compose(s, r)) s->broken = true;
  ln_request_list_remove(&s->queue, r);
  size_t len = ln_request_write(s, r, body);
  r->state = LN_REQUEST_SENT; /* after the write: "sent" is what a dependent looks at */
  ln_request_list_add(&s->flight, r);
  ln_request_check(s, r, s->now + LN_UNACKED_US);
  if (ln_map_set(&s->by_id, r->msg_id, r)) s->broken = true;
  return put(to, wrap, plain->msg_id, plain->seqno, len, &body);
}

static void take_control(struct ln_session *s, const struct plan *p)
{
  ln_ids_drop(&s->acks, p->acks);
  s->acks_due = s->acks.n ? s->now : LN_NEVER;
  ln_ids_drop(&s->drops, p->drops);
  ln_ids_drop(&s->wanted, p->wanted);
  s->n_asking = 0;
  ln_buf_consume(&s->replies, p->replies);
  if (p->ping) {
    s->ping_id++;
    s->ping_due = s->now + s->ping_every_us;
    s->pong_due = s->now + LN_PONG_US;
  }
}

int ln_session_flush(struct ln_session *s, struct ln_frame *frame, struct ln_buf *out, int64_t now)
{
  s->now = now;
  if (s->broken) return LN_E_RECONNECT;
  if (!s->connected) return LN_OK;
  struct plan p = {0};
  ln_request_collect(s);
  ln_salts_update(s);
  ln_buf_clear(&s->control);
  bool binds = s->queue.first && s->queue.first->binding; /* that leaves alone, and all else after it */
  int err = binds ? LN_OK : plan_control(s, &p);
  if (err) return err;
  plan_requests(s, &p);
  if (p.n == 0) return LN_OK;
  if (p.n < LN_CONTAINER_MAX && !binds) plan_salts(s, &p);

  bool wrap = p.n > 1;
  size_t size = p.bytes + (wrap ? LN_CONTAINER_HEAD + p.n * LN_MESSAGE_HEAD : 0);
  uint8_t *payload;
  err = ln_frame_begin(frame, out, ln_envelope_size(size), &payload);
  if (err) return err;

  struct ln_plain plain = {.salt = s->salt, .session_id = s->session_id};
  uint8_t *to = payload + LN_ENVELOPE_BODY;
  if (wrap) {
    ln_container_head(to, (uint32_t)p.n);
    to += LN_CONTAINER_HEAD;
  }
  to = put_control(s, to, wrap, &plain);
  struct ln_request *newest = s->flight.last;
  while (s->queue.first != p.end) to = put_request(s, s->queue.first, to, wrap, &plain);
  if (wrap) {
    plain.msg_id = next_id(s);
    plain.seqno = next_seqno(s, false);
    for (struct ln_request *r = newest ? newest->next : s->flight.first; r; r = r->next)
      r->container_id = plain.msg_id;
  }
  if (!binds) take_control(s, &p);
  size_t made = (size_t)(to - payload) - LN_ENVELOPE_BODY;
  if (made != size) { /* the two passes disagree: a mistake of ours, and nothing that could be sent */
    ln_log(LN_LOG_ERROR, "mtproto", "a container came out as %zu bytes instead of %zu", made, size);
    s->broken = true;
    return LN_E_HALT;
  }
  err = ln_envelope_seal(&s->key, LN_TO_SERVER, &s->rng, &plain, payload, ln_envelope_size(size), size);
  return err ? err : ln_frame_end(frame, out);
}

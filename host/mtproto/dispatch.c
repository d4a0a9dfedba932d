/* What comes into a client's session: the payload is opened, judged as a whole (M5–M9, M11, M12), and only
 * then are its messages handed to on_*.c, one after the other. Service messages end here; results and updates
 * go up. */
#include "mtproto/session_internal.h"
#include "base/log.h"

#define IN_A_ROW 3

int ln_session_unpack(struct ln_session *s, struct ln_slice packed, struct ln_slice *out)
{
  struct ln_reader r;
  ln_reader_init(&r, packed);
  ln_read_u32(&r);
  struct ln_slice stream = ln_read_bytes(&r);
  if (ln_reader_finish(&r)) return LN_E_CORRUPT;
  size_t left = LN_GZIP_MAX_FRAME - s->unpacked_in_frame;
  int err =
      ln_gzip_unpack(s->gzip, stream, &s->unpacked, left < LN_GZIP_MAX_OBJECT ? left : LN_GZIP_MAX_OBJECT);
  if (err) return err;
  if (s->unpacked.len < 4 || s->unpacked.len % 4) return LN_E_CORRUPT;
  /* With M13 switched off more than a frame's worth can have come out. */
  s->unpacked_in_frame = s->unpacked.len < left ? s->unpacked_in_frame + s->unpacked.len : LN_GZIP_MAX_FRAME;
  *out = ln_buf_slice(&s->unpacked);
  return LN_OK;
}

static int update(struct ln_session *s, const struct ln_message *m)
{
  uint8_t *flags = ln_window_flags(&s->seen, m->msg_id);
  if (flags) *flags |= LN_SEEN_CONTENT;
  s->ops->on_update(s->ctx, m->body, m->msg_id);
  if (LN_CHECK(M19, false)) ln_session_ack(s, m->msg_id); /* else its owner does, once it is on disk */
  return LN_OK;
}

static int by_constructor(struct ln_session *s, const struct ln_message *m, int depth, bool *acked_by_owner);

static int packed(struct ln_session *s, const struct ln_message *m, int depth, bool *acked_by_owner)
{
  if (depth > 0) return LN_E_DISCARD; /* M13: and s->unpacked is what is being read */
  struct ln_message plain = *m;
  int err = ln_session_unpack(s, m->body, &plain.body);
  if (err) return err == LN_E_NOMEM ? LN_E_RECONNECT : LN_E_DISCARD;
  return by_constructor(s, &plain, 1, acked_by_owner);
}

static int by_constructor(struct ln_session *s, const struct ln_message *m, int depth, bool *acked_by_owner)
{
  switch (ln_le32(m->body.p)) {
  case LN_ID_rpc_result: return ln_on_rpc_result(s, m, depth);
  case LN_ID_pong: return ln_on_pong(s, m);
  case LN_ID_new_session_created: return ln_on_new_session(s, m);
  case LN_ID_future_salts: return ln_on_future_salts(s, m);
  case LN_ID_bad_server_salt:
  case LN_ID_bad_msg_notification: return ln_on_bad_msg(s, m);
  case LN_ID_msgs_ack: return ln_on_msgs_ack(s, m);
  case LN_ID_msgs_state_req: return ln_on_state_req(s, m);
  case LN_ID_msgs_state_info: return ln_on_state_info(s, m);
  case LN_ID_msgs_all_info: return ln_on_all_info(s, m);
  case LN_ID_msg_detailed_info:
  case LN_ID_msg_new_detailed_info: return ln_on_detailed_info(s, m);
  case LN_ID_msg_resend_req: return ln_on_resend_req(s, m);
  case LN_ID_destroy_session_ok:
  case LN_ID_destroy_session_none:
  case LN_ID_destroy_auth_key_ok:
  case LN_ID_destroy_auth_key_none:
  case LN_ID_destroy_auth_key_fail: return ln_on_destroy(s, m);
  case LN_ID_msg_container: return LN_E_RECONNECT; /* nested, or inside gzip_packed (M12) */
  case LN_ID_gzip_packed: return packed(s, m, depth, acked_by_owner);
  default: *acked_by_owner = true; return update(s, m);
  }
}

/* M7, for one content message. */
static bool fresh(struct ln_session *s, uint64_t msg_id)
{
  enum ln_seen seen = ln_window_look(&s->seen, msg_id);
  if (LN_CHECK(M7, seen == LN_SEEN_NEVER)) return true;
  const uint8_t *flags = ln_window_flags(&s->seen, msg_id);
  if (flags && *flags & LN_SEEN_ACK) ln_session_queue_ack(s, msg_id); /* our ack got lost */
  return false;
}

static int one(struct ln_session *s, const struct ln_message *m)
{
  bool acked_by_owner = false;
  if (!fresh(s, m->msg_id)) return LN_OK;
  ln_window_add(&s->seen, m->msg_id, 0);
  int err = by_constructor(s, m, 0, &acked_by_owner);
  if (err == LN_E_DISCARD) {
    ln_log(LN_LOG_VERBOSE, "mtproto", "a message of type %08x was discarded", ln_le32(m->body.p));
    return LN_OK;
  }
  if (err == LN_OK && !acked_by_owner && m->seqno & 1) ln_session_ack(s, m->msg_id);
  return err;
}

/* Three within a minute: now and then two of a server's threads overtake each other, which harms nobody. */
static void regressed(struct ln_session *s)
{
  if (s->now - s->regressed_at > 60 * LN_US_PER_S) s->regressions = 0;
  s->regressed_at = s->now;
  s->regressions++;
}

/* M9. Only a decrease among newer messages counts; a server whose seqno is always 0 never decreases. */
static void count_seqno(struct ln_session *s, const struct ln_message *m)
{
  if (m->msg_id <= s->newest_id) return;
  if (m->seqno / 2 < s->newest_seqno / 2) regressed(s);
  s->newest_id = m->msg_id;
  s->newest_seqno = m->seqno;
}

/* The inner messages must be older than their container in seqno, too. */
static void judge_seqnos(struct ln_session *s, const struct ln_plain *outer, const struct ln_message *m,
                         size_t n, bool wrapped)
{
  bool container = false;
  for (size_t i = 0; i < n; i++) {
    if (ln_le32(m[i].body.p) == LN_ID_new_session_created) s->newest_seqno = s->regressions = 0;
    if (ln_window_look(&s->seen, m[i].msg_id) != LN_SEEN_NEVER) continue; /* sent again, with its old seqno */
    count_seqno(s, &m[i]);
    if (wrapped && m[i].seqno / 2 > outer->seqno / 2 && outer->seqno) container = true;
  }
  if (container) regressed(s);
}

static int dispatch(struct ln_session *s, const struct ln_message *m, size_t n, bool only_corrections)
{
  for (size_t i = 0; i < n; i++) {
    uint64_t named = only_corrections ? ln_bad_msg_names(m[i].body) : 0;
    if (only_corrections && !ln_session_sent_recently(s, named)) continue;
    int err = one(s, &m[i]);
    if (err) return err;
  }
  return LN_OK;
}

static bool any_correction(const struct ln_session *s, const struct ln_message *m, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (ln_session_sent_recently(s, ln_bad_msg_names(m[i].body))) return true;
  return false;
}

/* The first message of a session sets the clock: it cannot be a replay, the session id is as fresh as it. A
 * later one can only move it forward, since a message is never younger than the server's present. */
static void hear_clock(struct ln_session *s, uint64_t msg_id)
{
  int64_t offset = ln_session_msgid_offset(s, msg_id);
  if (s->synchronised && offset <= s->offset_us) return;
  int64_t step = offset - s->offset_us;
  bool first = !s->synchronised;
  s->offset_us = offset;
  s->synchronised = true;
  if (first && (step > LN_US_PER_S || step < -LN_US_PER_S)) s->ops->on_state(s->ctx);
}

static int input(struct ln_session *s, const struct ln_plain *p)
{
  if (!LN_CHECK(M5, p->session_id == s->session_id)) {
    if (p->session_id == s->old_session_id && s->now < s->old_session_until) return LN_E_DISCARD;
    return ++s->foreign >= IN_A_ROW ? LN_E_RECONNECT : LN_E_DISCARD;
  }
  s->foreign = 0;
  if (!LN_CHECK(M6, p->msg_id & 1)) return LN_E_DISCARD;
  if (p->body.n < 4) return LN_E_DISCARD;
  if (LN_CHECK(M10, false)) s->salt = p->salt; /* a header's salt says nothing: bad_server_salt does */

  struct ln_message messages[LN_CONTAINER_MAX_IN];
  size_t n = 1;
  bool wrapped = ln_le32(p->body.p) == LN_ID_msg_container;
  if (wrapped) {
    if (ln_container_parse(p->body, p->msg_id, messages, &n)) return LN_E_RECONNECT;
    for (size_t i = 0; i < n; i++)
      if (!LN_CHECK(M6, messages[i].msg_id & 1)) return LN_E_DISCARD;
    if (!LN_CHECK(M7, ln_window_look(&s->seen, p->msg_id) == LN_SEEN_NEVER)) return LN_E_DISCARD;
  } else {
    messages[0] = (struct ln_message){p->msg_id, p->seqno, p->body};
    if (!fresh(s, p->msg_id)) return LN_E_DISCARD;
  }

  bool only_corrections = false;
  if (s->synchronised && !LN_CHECK(M8, ln_msgid_in_time(p->msg_id, ln_session_server_us(s)))) {
    bool from_ahead = ln_msgid_time(p->msg_id) > ln_session_server_us(s);
    only_corrections = any_correction(s, messages, n);
    if (from_ahead && ++s->ahead >= IN_A_ROW)
      s->synchronised = false; /* not a replay, which is old: our idea of the time is wrong */
    if (!only_corrections && s->synchronised) return LN_E_DISCARD;
  }
  if (!only_corrections) {
    s->ahead = 0;
    hear_clock(s, p->msg_id);
    judge_seqnos(s, p, messages, n, wrapped);
    if (!LN_CHECK(M9, s->regressions < IN_A_ROW)) return LN_E_NEW_SESSION;
  }
  if (wrapped) ln_window_add(&s->seen, p->msg_id, 0);
  return dispatch(s, messages, n, only_corrections);
}

int ln_session_input(struct ln_session *s, uint8_t *payload, size_t len, int64_t now)
{
  struct ln_plain p;
  s->now = now;
  s->unpacked_in_frame = 0;
  /* The exchange is over: nothing in plain text has any business here. */
  if (len >= 8 && ln_le64(payload) == 0) return LN_CHECK(M11, false) ? LN_OK : LN_E_RECONNECT;
  int err = ln_envelope_open(ln_binding_key(s, payload, len), LN_TO_CLIENT, payload, len, &p);
  if (err) return LN_E_RECONNECT;
  err = input(s, &p);
  ln_buf_clear(&s->unpacked);
  ln_buf_trim(&s->unpacked, 65536);
  if (err == LN_E_DISCARD) return LN_OK;
  if (err == LN_E_NEW_SESSION) {
    ln_session_renew(s);
    return LN_OK;
  }
  return err;
}

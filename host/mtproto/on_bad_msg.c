/* bad_msg_notification and bad_server_salt: the server refuses a message; by its code the clock, the salt or
 * the session is put right and the requests go out again (M16).
 * https://core.telegram.org/mtproto/service_messages_about_messages#notice-of-ignored-error-message */
#include "mtproto/session_internal.h"
#include "base/log.h"

#define FIXES_A_MINUTE 5
#define BUGS 3
#define BUGS_WITHIN_US (600 * LN_US_PER_S)

uint64_t ln_bad_msg_names(struct ln_slice body)
{
  if (body.n < 12) return 0;
  uint32_t id = ln_le32(body.p);
  return id == LN_ID_bad_msg_notification || id == LN_ID_bad_server_salt ? ln_le64(body.p + 4) : 0;
}

static bool named(const struct ln_request *r, uint64_t id)
{
  return r->msg_id == id || r->container_id == id;
}

static int count_fix(struct ln_session *s)
{
  if (s->now - s->fixes_since > 60 * LN_US_PER_S) {
    s->fixes_since = s->now;
    s->fixes = 0;
  }
  return ++s->fixes > FIXES_A_MINUTE ? LN_E_RECONNECT : LN_OK;
}

static int count_bug(struct ln_session *s, int32_t code)
{
  ln_log(LN_LOG_ERROR, "mtproto", "the server calls a message of ours malformed (code %d)", (int)code);
  if (s->now - s->bugs_since > BUGS_WITHIN_US) {
    s->bugs_since = s->now;
    s->bugs = 0;
  }
  return ++s->bugs > BUGS ? LN_E_HALT : LN_E_NEW_SESSION;
}

static void set_clock(struct ln_session *s, uint64_t by_msg_id)
{
  s->offset_us = ln_session_msgid_offset(s, by_msg_id);
  s->synchronised = true;
  s->ops->on_state(s->ctx);
}

/* What was refused may have held the ping: its pong will not come, and yet the server lives. */
static void ping_again(struct ln_session *s)
{
  if (s->pong_due == LN_NEVER) return;
  s->pong_due = LN_NEVER;
  s->ping_due = s->now;
}

static int bad_salt(struct ln_session *s, uint64_t bad_id, uint64_t salt)
{
  /* What left before the last change of salt is refused too, by and by: that is one correction, not many. */
  int err = LN_OK;
  if (salt != s->salt || bad_id > s->salt_since) err = count_fix(s);
  if (salt != s->salt) {
    ln_salts_set(s, salt);
    s->n_salts = 0; /* the list was wrong */
    s->salts_ask_at = s->now;
    s->ops->on_state(s->ctx);
  }
  ln_request_all_again(s, named, bad_id);
  ping_again(s);
  return err;
}

static void ask_about(struct ln_session *s, uint64_t bad_id)
{
  for (struct ln_request *r = s->flight.first; r; r = r->next)
    if (named(r, bad_id)) ln_request_check(s, r, s->now);
}

int ln_on_bad_msg(struct ln_session *s, const struct ln_message *m)
{
  struct ln_reader r;
  ln_reader_init(&r, m->body);
  uint32_t id = ln_read_u32(&r);
  uint64_t bad_id = ln_read_u64(&r);
  ln_read_u32(&r); /* its seqno */
  int32_t code = ln_read_i32(&r);
  uint64_t salt = id == LN_ID_bad_server_salt ? ln_read_u64(&r) : 0;
  if (!ln_read_whole(&r)) return LN_E_DISCARD;
  if (!LN_CHECK(M16, ln_session_sent_recently(s, bad_id))) return LN_E_DISCARD;
  if (id == LN_ID_bad_server_salt) return bad_salt(s, bad_id, salt);

  int err = LN_OK;
  switch (code) {
  case 16: /* our ids are too low: the clock was behind */
    set_clock(s, m->msg_id);
    ln_request_all_again(s, named, bad_id);
    ping_again(s);
    return count_fix(s);
  case 17: /* too high; only a new session may start lower */
    set_clock(s, m->msg_id);
    err = count_fix(s);
    return err ? err : LN_E_NEW_SESSION;
  case 20: /* too old to say whether it was received */ ask_about(s, bad_id); return count_fix(s);
  case 32:
  case 33: err = count_fix(s); return err ? err : LN_E_NEW_SESSION;
  default: return count_bug(s, code);
  }
}

/* Service messages as a server answers them: always with their own answer or with silence, never with an
 * rpc_error. https://core.telegram.org/mtproto/service_messages, /mtproto/service_messages_about_messages */
#include "mtproto/server_internal.h"

#define MAX_IDS 8192

static void reply_words(struct ln_server_session *s, enum ln_out_kind kind, uint64_t req, const uint8_t *p,
                        size_t n)
{
  /* Out of memory or too many of them: the client asks again. */
  (void)ln_server_reply(s, kind, req, ln_slice(p, n));
}

int ln_server_bad_msg(struct ln_server_session *s, uint64_t bad_id, uint32_t bad_seqno, int code)
{
  uint8_t b[20];
  ln_put_le32(b, LN_ID_bad_msg_notification);
  ln_put_le64(b + 4, bad_id);
  ln_put_le32(b + 12, bad_seqno);
  ln_put_le32(b + 16, (uint32_t)code);
  return ln_server_reply(s, LN_OUT_SERVICE, bad_id, ln_slice(b, sizeof b));
}

int ln_server_bad_salt(struct ln_server_session *s, uint64_t bad_id, uint32_t bad_seqno)
{
  uint8_t b[28];
  ln_put_le32(b, LN_ID_bad_server_salt);
  ln_put_le64(b + 4, bad_id);
  ln_put_le32(b + 12, bad_seqno);
  ln_put_le32(b + 16, 48);
  ln_put_le64(b + 20, ln_server_salt_now(s));
  return ln_server_reply(s, LN_OUT_SERVICE, bad_id, ln_slice(b, sizeof b));
}

/* Reads a Vector<long> that ends its message. */
static bool read_ids(struct ln_reader *r, struct ln_slice *ids)
{
  uint32_t n = ln_read_vector(r, true, 8);
  if (n > MAX_IDS) ln_reader_fail(r, LN_E_TOOBIG);
  *ids = ln_read_raw(r, r->err ? 0 : (size_t)n * 8);
  return ln_reader_finish(r) == LN_OK;
}

static void on_acks(struct ln_server_session *s, struct ln_reader *r)
{
  struct ln_slice ids;
  if (!read_ids(r, &ids)) return;
  for (size_t i = 0; i < ids.n; i += 8) {
    uint64_t id = ln_le64(ids.p + i);
    struct ln_out *o = ln_map_get(&s->outs, id);
    if (!o) continue;
    bool push = o->kind == LN_OUT_PUSH;
    ln_out_free(s, o);
    if (push) s->ops->on_ack(s->ctx, id);
  }
}

static void pong(struct ln_server_session *s, uint64_t msg_id, uint64_t ping_id)
{
  uint8_t b[20];
  ln_put_le32(b, LN_ID_pong);
  ln_put_le64(b + 4, msg_id);
  ln_put_le64(b + 12, ping_id);
  reply_words(s, LN_OUT_SERVICE, msg_id, b, sizeof b);
}

static uint8_t state_of(struct ln_server_session *s, uint64_t id)
{
  if (!ln_window_flags(&s->seen, id)) {
    if (id <= s->seen.floor) return 1;
    return id > ln_window_newest(&s->seen) ? 3 : 2;
  }
  void *call = ln_map_get(&s->calls, id);
  if (call == ln_call_running) return 4 | 32;
  if (!call) return 4;
  ln_out_again(s, call); /* whoever asks has not got it */
  return 4 | 64;
}

static void on_state_req(struct ln_server_session *s, const struct ln_message *m, struct ln_reader *r)
{
  struct ln_slice ids;
  uint8_t info[MAX_IDS];
  if (!read_ids(r, &ids)) return;
  for (size_t i = 0; i < ids.n; i += 8) info[i / 8] = state_of(s, ln_le64(ids.p + i));
  struct ln_writer w;
  ln_buf_clear(&s->packed);
  ln_writer_init(&w, &s->packed);
  ln_write_u32(&w, LN_ID_msgs_state_info);
  ln_write_u64(&w, m->msg_id);
  ln_write_bytes(&w, ln_slice(info, ids.n / 8));
  if (!w.err) reply_words(s, LN_OUT_SERVICE, m->msg_id, ln_buf_data(&s->packed), s->packed.len);
}

static void on_resend_req(struct ln_server_session *s, struct ln_reader *r)
{
  struct ln_slice ids;
  if (!read_ids(r, &ids)) return;
  for (size_t i = 0; i < ids.n; i += 8) {
    struct ln_out *o = ln_map_get(&s->outs, ln_le64(ids.p + i));
    if (o) ln_out_again(s, o);
  }
}

static void on_future_salts(struct ln_server_session *s, const struct ln_message *m, uint32_t num)
{
  struct ln_writer w;
  ln_buf_clear(&s->packed);
  ln_writer_init(&w, &s->packed);
  ln_server_future_salts(s, m->msg_id, num, &w);
  if (!w.err) reply_words(s, LN_OUT_SERVICE, m->msg_id, ln_buf_data(&s->packed), s->packed.len);
}

/* The answer to this one is an rpc_result, and is kept like any other's. */
static void on_drop(struct ln_server_session *s, const struct ln_message *m, uint64_t req)
{
  uint8_t b[28];
  size_t n = 16;
  void *call = ln_map_get(&s->calls, req);
  ln_put_le32(b, LN_ID_rpc_result);
  ln_put_le64(b + 4, m->msg_id);
  ln_put_le32(b + 12, LN_ID_rpc_answer_unknown);
  if (call == ln_call_running) {
    if (s->ops->on_drop(s->ctx, req)) {
      ln_map_remove(&s->calls, req);
      ln_put_le32(b + 12, LN_ID_rpc_answer_dropped_running);
    }
  } else if (call) {
    struct ln_out *o = call;
    ln_put_le32(b + 12, LN_ID_rpc_answer_dropped);
    ln_put_le64(b + 16, o->msg_id);
    ln_put_le32(b + 24, o->seqno);
    n = 32;
    uint8_t more[32];
    memcpy(more, b, sizeof b);
    ln_put_le32(more + 28, o->len);
    ln_out_free(s, o);
    reply_words(s, LN_OUT_NOTICE, m->msg_id, more, n);
    return;
  }
  reply_words(s, LN_OUT_NOTICE, m->msg_id, b, n);
}

static void on_destroy_session(struct ln_server_session *s, const struct ln_message *m, uint64_t session_id)
{
  uint8_t b[12];
  bool ours = session_id == s->session_id;
  ln_put_le32(b, ours ? LN_ID_destroy_session_ok : LN_ID_destroy_session_none);
  ln_put_le64(b + 4, session_id);
  reply_words(s, LN_OUT_SERVICE, m->msg_id, b, sizeof b);
  if (ours) s->disconnect_at = s->wall;
}

static bool acks_itself(uint32_t id)
{
  return id == LN_ID_msgs_ack || id == LN_ID_msgs_state_info || id == LN_ID_msgs_all_info ||
         id == LN_ID_http_wait;
}

bool ln_server_service(struct ln_server_session *s, const struct ln_message *m)
{
  struct ln_reader r;
  uint64_t a;
  int32_t d;
  ln_reader_init(&r, m->body);
  uint32_t id = ln_read_u32(&r);
  switch (id) {
  case LN_ID_msgs_ack: on_acks(s, &r); break;
  case LN_ID_ping:
    a = ln_read_u64(&r);
    if (!ln_reader_finish(&r)) pong(s, m->msg_id, a);
    break;
  case LN_ID_ping_delay_disconnect:
    a = ln_read_u64(&r);
    d = ln_read_i32(&r);
    if (ln_reader_finish(&r)) break;
    pong(s, m->msg_id, a);
    if (d > 0) s->disconnect_at = s->wall + d * LN_US_PER_S;
    break;
  case LN_ID_get_future_salts:
    d = ln_read_i32(&r);
    if (!ln_reader_finish(&r)) on_future_salts(s, m, d > 0 ? (uint32_t)d : 1);
    break;
  case LN_ID_msgs_state_req: on_state_req(s, m, &r); break;
  case LN_ID_msg_resend_req: on_resend_req(s, &r); break;
  case LN_ID_rpc_drop_answer:
    a = ln_read_u64(&r);
    if (!ln_reader_finish(&r)) on_drop(s, m, a);
    break;
  case LN_ID_destroy_session:
    a = ln_read_u64(&r);
    if (!ln_reader_finish(&r)) on_destroy_session(s, m, a);
    break;
  case LN_ID_destroy_auth_key: { /* keys are the owner's, and it has none to spare */
    uint8_t fail[4];
    ln_put_le32(fail, LN_ID_destroy_auth_key_fail);
    reply_words(s, LN_OUT_SERVICE, m->msg_id, fail, 4);
    break;
  }
  case LN_ID_msgs_state_info:
  case LN_ID_msgs_all_info:
  case LN_ID_http_wait: break;
  default: return false;
  }
  if (m->seqno & 1 && !acks_itself(id)) ln_server_queue_ack(s, m->msg_id);
  return true;
}

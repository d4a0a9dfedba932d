/* Who has received what: msgs_ack, msgs_state_req and its answers, msg_detailed_info, msg_resend_req (M17).
 * https://core.telegram.org/mtproto/service_messages_about_messages */
#include "mtproto/session_internal.h"
#include "base/log.h"

#define MAX_WANTED 1024

int ln_on_msgs_ack(struct ln_session *s, const struct ln_message *m)
{
  struct ln_reader r;
  ln_reader_init(&r, m->body);
  ln_read_u32(&r);
  uint32_t n = ln_read_ids(&r);
  struct ln_reader ids = r;
  ln_read_raw(&r, (size_t)n * 8);
  if (!ln_read_whole(&r)) return LN_E_DISCARD;
  for (uint32_t i = 0; i < n; i++) {
    struct ln_request *q = ln_request_find(s, ln_read_u64(&ids));
    if (q) ln_request_acked(s, q);
  }
  return LN_OK;
}

/* One byte of state about a message of ours. */
static void learn(struct ln_session *s, uint64_t id, uint8_t state)
{
  struct ln_request *q = ln_request_find(s, id);
  if (!q || q->msg_id != id || q->state == LN_REQUEST_QUEUED) return;
  switch (state & 7) {
  case 1: /* it does not know, */
  case 2: /* did not get it, */
  case 3: /* cannot have got it yet */ ln_request_again(s, q); break;
  case 4:
    q->state = LN_REQUEST_ACKED;
    ln_request_check(s, q, s->now + LN_UNANSWERED_US);
    break;
  default: break;
  }
}

int ln_on_state_info(struct ln_session *s, const struct ln_message *m)
{
  struct ln_reader r;
  ln_reader_init(&r, m->body);
  ln_read_u32(&r);
  uint64_t req = ln_read_u64(&r);
  struct ln_slice info = ln_read_bytes(&r);
  if (!ln_read_whole(&r)) return LN_E_DISCARD;
  struct ln_state_query *q = NULL, *any = NULL;
  for (size_t i = 0; i < LN_MAX_QUERIES; i++) {
    if (!s->queries[i] || !s->queries[i]->msg_id) continue;
    any = s->queries[i];
    if (any->msg_id == req) q = any;
  }
  if (!LN_CHECK(M17, q && q->n == info.n)) return LN_E_DISCARD;
  if (!q && !(q = any)) return LN_E_DISCARD;
  for (size_t i = 0; i < q->n && i < info.n; i++) learn(s, q->ids[i], info.p[i]);
  q->msg_id = 0;
  return LN_OK;
}

int ln_on_all_info(struct ln_session *s, const struct ln_message *m)
{
  struct ln_reader r;
  ln_reader_init(&r, m->body);
  ln_read_u32(&r);
  uint32_t n = ln_read_ids(&r);
  struct ln_slice ids = ln_read_raw(&r, (size_t)n * 8);
  struct ln_slice info = ln_read_bytes(&r);
  if (!ln_read_whole(&r) || info.n != n) return LN_E_DISCARD;
  for (uint32_t i = 0; i < n; i++) learn(s, ln_le64(ids.p + 8 * i), info.p[i]);
  return LN_OK;
}

int ln_on_detailed_info(struct ln_session *s, const struct ln_message *m)
{
  struct ln_reader r;
  ln_reader_init(&r, m->body);
  bool of_request = ln_read_u32(&r) == LN_ID_msg_detailed_info;
  uint64_t request = of_request ? ln_read_u64(&r) : 0;
  uint64_t answer = ln_read_u64(&r);
  ln_read_u32(&r); /* size */
  ln_read_u32(&r); /* status: reserved */
  if (!ln_read_whole(&r)) return LN_E_DISCARD;
  struct ln_request *q = ln_request_find(s, request);
  if (q) ln_request_acked(s, q);
  const uint8_t *flags = ln_window_flags(&s->seen, answer);
  if (flags) {
    if (*flags & LN_SEEN_ACK) ln_session_queue_ack(s, answer);
  } else if (answer > s->seen.floor) {
    ln_ids_add(&s->wanted, answer, MAX_WANTED); /* full: the server offers it again */
  }
  return LN_OK;
}

int ln_on_state_req(struct ln_session *s, const struct ln_message *m)
{
  struct ln_reader r;
  ln_reader_init(&r, m->body);
  ln_read_u32(&r);
  uint32_t n = ln_read_ids(&r);
  struct ln_slice ids = ln_read_raw(&r, (size_t)n * 8);
  if (!ln_read_whole(&r)) return LN_E_DISCARD;
  uint8_t info[8192];
  for (uint32_t i = 0; i < n; i++) {
    uint64_t id = ln_le64(ids.p + 8 * i);
    const uint8_t *flags = ln_window_flags(&s->seen, id);
    if (flags)
      info[i] = *flags & LN_SEEN_ACK ? 4 | 8 : 4;
    else if (id <= s->seen.floor)
      info[i] = 1;
    else
      info[i] = id > ln_window_newest(&s->seen) ? 3 : 2;
  }
  struct ln_writer w;
  size_t had = s->replies.len;
  ln_writer_init(&w, &s->replies);
  ln_write_u32(&w, 0); /* its length, below */
  ln_write_u32(&w, LN_ID_msgs_state_info);
  ln_write_u64(&w, m->msg_id);
  ln_write_bytes(&w, ln_slice(info, n));
  if (w.err) {
    ln_buf_truncate(&s->replies, had);
    return LN_E_DISCARD; /* too many of them wait already */
  }
  ln_put_le32(ln_buf_data(&s->replies) + had, (uint32_t)(s->replies.len - had - 4));
  return LN_OK;
}

int ln_on_resend_req(struct ln_session *s, const struct ln_message *m)
{
  struct ln_reader r;
  ln_reader_init(&r, m->body);
  ln_read_u32(&r);
  uint32_t n = ln_read_ids(&r);
  struct ln_slice ids = ln_read_raw(&r, (size_t)n * 8);
  if (!ln_read_whole(&r)) return LN_E_DISCARD;
  for (uint32_t i = 0; i < n; i++) {
    struct ln_request *q = ln_request_find(s, ln_le64(ids.p + 8 * i));
    if (q) ln_request_again(s, q);
  }
  return LN_OK;
}

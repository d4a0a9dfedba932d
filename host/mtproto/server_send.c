/* What leaves a server's session: answers, pushes, service messages, acks; what wants an ack is kept until it
 * comes. A message that leaves again keeps its msg_id (the client knows it by that) and goes inside a
 * container, whose id is fresh, so that no two plaintexts are equal. */
#include "mtproto/server_internal.h"
#include "base/alloc.h"

char ln_call_running[1];

static void list_add(struct ln_out_list *l, struct ln_out *o)
{
  o->next = NULL;
  o->prev = l->last;
  if (l->last)
    l->last->next = o;
  else
    l->first = o;
  l->last = o;
}

static void list_remove(struct ln_out_list *l, struct ln_out *o)
{
  if (o->prev)
    o->prev->next = o->next;
  else
    l->first = o->next;
  if (o->next)
    o->next->prev = o->prev;
  else
    l->last = o->prev;
}

struct ln_out *ln_out_new(enum ln_out_kind kind, size_t len)
{
  struct ln_out *o = ln_malloc(sizeof *o + len);
  if (!o) return NULL;
  memset(o, 0, sizeof *o);
  o->kind = (uint8_t)kind;
  o->len = (uint32_t)len;
  return o;
}

void ln_out_free(struct ln_server_session *s, struct ln_out *o)
{
  list_remove(o->queued ? &s->queue : &s->kept, o);
  if (o->msg_id && ln_map_get(&s->outs, o->msg_id) == o) ln_map_remove(&s->outs, o->msg_id);
  if (o->kind == LN_OUT_ANSWER) {
    if (ln_map_get(&s->calls, o->req_msg_id) == o) ln_map_remove(&s->calls, o->req_msg_id);
    s->n_answers--;
    s->answer_bytes -= o->len;
  }
  s->n_pushes -= o->kind == LN_OUT_PUSH;
  s->n_service -= o->kind == LN_OUT_SERVICE;
  ln_free(o);
}

/* The oldest of a kind makes room: its client does not acknowledge. */
static void drop_oldest(struct ln_server_session *s, enum ln_out_kind kind)
{
  struct ln_out_list *lists[] = {&s->kept, &s->queue};
  for (int i = 0; i < 2; i++)
    for (struct ln_out *o = lists[i]->first; o; o = o->next)
      if (o->kind == kind) {
        ln_out_free(s, o);
        return;
      }
}

int ln_out_queue(struct ln_server_session *s, struct ln_out *o)
{
  if (o->kind == LN_OUT_SERVICE && s->n_service >= LN_SERVER_MAX_SERVICE) {
    ln_free(o);
    return LN_E_FULL;
  }
  if (o->kind == LN_OUT_PUSH && s->n_pushes >= LN_SERVER_MAX_PUSHES) drop_oldest(s, LN_OUT_PUSH);
  while (o->kind == LN_OUT_ANSWER && s->n_answers &&
         (s->n_answers >= LN_SERVER_MAX_ANSWERS || s->answer_bytes + o->len > LN_SERVER_MAX_KEPT))
    drop_oldest(s, LN_OUT_ANSWER);
  if (o->kind == LN_OUT_ANSWER) {
    s->n_answers++;
    s->answer_bytes += o->len;
  }
  s->n_pushes += o->kind == LN_OUT_PUSH;
  s->n_service += o->kind == LN_OUT_SERVICE;
  o->queued = true;
  list_add(&s->queue, o);
  return LN_OK;
}

void ln_out_again(struct ln_server_session *s, struct ln_out *o)
{
  if (o->queued) return;
  list_remove(&s->kept, o);
  o->queued = true;
  list_add(&s->queue, o);
}

int ln_server_reply(struct ln_server_session *s, enum ln_out_kind kind, uint64_t req_msg_id,
                    struct ln_slice body)
{
  struct ln_out *o = ln_out_new(kind, body.n);
  if (!o) return LN_E_NOMEM;
  memcpy(o->body, body.p, body.n);
  o->req_msg_id = req_msg_id;
  return ln_out_queue(s, o);
}

static uint64_t next_id(struct ln_server_session *s, bool response)
{
  uint32_t noise = 0;
  ln_rng_fill(&s->rng, &noise, sizeof noise); /* without it the id is still increasing */
  return ln_msgid_next(&s->msgid, s->wall, response ? LN_MSGID_RESPONSE : LN_MSGID_NOTIFICATION, noise);
}

void ln_out_number(struct ln_server_session *s, struct ln_out *o)
{
  if (o->msg_id) return;
  o->msg_id = next_id(s, o->req_msg_id != 0);
  o->seqno = s->content_sent * 2;
  if (o->kind == LN_OUT_SERVICE) return;
  o->seqno++;
  s->content_sent++;
}

void ln_server_queue_ack(struct ln_server_session *s, uint64_t msg_id)
{
  if (s->n_acks == s->acks_cap) {
    size_t cap = s->acks_cap ? s->acks_cap * 2 : 64;
    if (cap > 8192) return; /* the client asks again */
    uint64_t *more = ln_realloc(s->acks, cap * sizeof *more);
    if (!more) return;
    s->acks = more;
    s->acks_cap = cap;
  }
  if (s->n_acks == 0) s->acks_due = s->wall + LN_SERVER_ACK_WAIT_US;
  s->acks[s->n_acks++] = msg_id;
}

void ln_server_unqueue_ack(struct ln_server_session *s, uint64_t msg_id)
{
  for (size_t i = 0; i < s->n_acks; i++) {
    if (s->acks[i] != msg_id) continue;
    memmove(s->acks + i, s->acks + i + 1, (--s->n_acks - i) * sizeof *s->acks);
    break;
  }
  if (s->n_acks) return;
  s->acks_due = LN_NEVER;
  s->acks_now = false;
}

/* Where a message that has left waits for its ack, or ends. */
static void left(struct ln_server_session *s, struct ln_out *o)
{
  if (o->kind == LN_OUT_SERVICE || ln_map_set(&s->outs, o->msg_id, o)) {
    ln_out_free(s, o);
    return;
  }
  list_remove(&s->queue, o);
  o->sent = true;
  o->queued = false;
  list_add(&s->kept, o);
}

void ln_server_session_take_over(struct ln_server_session *s, struct ln_server_session *from)
{
  struct ln_out_list *lists[] = {&from->kept, &from->queue};
  for (int i = 0; i < 2; i++)
    for (struct ln_out *o = lists[i]->first, *next; o; o = next) {
      next = o->next;
      if (o->kind != LN_OUT_PUSH) continue;
      list_remove(lists[i], o);
      if (ln_map_get(&from->outs, o->msg_id) == o) ln_map_remove(&from->outs, o->msg_id);
      from->n_pushes--;
      s->n_pushes++;
      o->queued = true;
      list_add(&s->queue, o);
    }
  if (s->msgid.last < from->msgid.last) s->msgid.last = from->msgid.last;
}

bool ln_server_session_pending(const struct ln_server_session *s)
{
  return s->connected && (s->queue.first || (s->acks_now && s->n_acks) || s->n_acks > LN_SERVER_ACKS_AT_ONCE);
}

int ln_server_session_flush(struct ln_server_session *s, struct ln_frame *frame, struct ln_buf *out,
                            int64_t wall)
{
  s->wall = wall;
  if (!ln_server_session_pending(s)) return LN_OK;
  size_t acks = s->n_acks, n = acks ? 1 : 0, bytes = acks ? 12 + 8 * acks : 0;
  bool again = false;
  struct ln_out *o = s->queue.first;
  for (; o && n < LN_CONTAINER_MAX; o = o->next) {
    if (n && bytes + o->len + (n + 1) * LN_MESSAGE_HEAD > LN_CONTAINER_MAX_BYTES) break;
    bytes += o->len;
    n++;
    again |= o->sent;
  }
  struct ln_out *end = o;
  bool wrap = n > 1 || again;
  size_t size = bytes + (wrap ? LN_CONTAINER_HEAD + n * LN_MESSAGE_HEAD : 0);
  uint8_t *payload;
  int err = ln_frame_begin(frame, out, ln_envelope_size(size), &payload);
  if (err) return err;

  uint8_t *to = payload + LN_ENVELOPE_BODY;
  struct ln_plain plain = {.salt = ln_server_salt_now(s), .session_id = s->session_id};
  if (wrap) {
    ln_container_head(to, (uint32_t)n);
    to += LN_CONTAINER_HEAD;
  }
  if (acks) {
    plain.msg_id = next_id(s, false);
    plain.seqno = s->content_sent * 2;
    if (wrap) {
      ln_message_head(to, plain.msg_id, plain.seqno, 12 + 8 * acks);
      to += LN_MESSAGE_HEAD;
    }
    ln_put_le32(to, LN_ID_msgs_ack);
    ln_put_le32(to + 4, LN_TL_VECTOR);
    ln_put_le32(to + 8, (uint32_t)acks);
    for (size_t i = 0; i < acks; i++) ln_put_le64(to + 12 + 8 * i, s->acks[i]);
    to += 12 + 8 * acks;
    s->n_acks = 0;
    s->acks_due = LN_NEVER;
    s->acks_now = false;
  }
  while ((o = s->queue.first) != end) {
    ln_out_number(s, o);
    plain.msg_id = o->msg_id;
    plain.seqno = o->seqno;
    if (wrap) {
      ln_message_head(to, o->msg_id, o->seqno, o->len);
      to += LN_MESSAGE_HEAD;
    }
    memcpy(to, o->body, o->len);
    to += o->len;
    left(s, o);
  }
  if (wrap) {
    plain.msg_id = next_id(s, false);
    plain.seqno = s->content_sent * 2;
  }
  err = ln_envelope_seal(&s->key, LN_TO_CLIENT, &s->rng, &plain, payload, ln_envelope_size(size), size);
  return err ? err : ln_frame_end(frame, out);
}

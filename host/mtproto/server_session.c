/* See server_session.h: making, ending, and what comes in. A message is judged (salt, clock, numbers,
 * container) before anything in it counts; a client that is wrong is told so by bad_server_salt or
 * bad_msg_notification. */
#include "mtproto/server_internal.h"
#include "base/alloc.h"
#include "crypto/hash.h"

#define GZIP_FROM 512
#define SEQNO_SLACK 128 /* clients number messages on several threads; a gap below this is no mistake */

int ln_server_open(const struct ln_auth_key *key, uint8_t *payload, size_t len, uint64_t *session_id,
                   struct ln_slice *plain)
{
  struct ln_plain p;
  int err = ln_envelope_open(key, LN_TO_SERVER, payload, len, &p);
  if (err) return err;
  *session_id = p.session_id;
  *plain = ln_slice(payload + LN_ENVELOPE_OUTER, LN_ENVELOPE_INNER + p.body.n);
  return LN_OK;
}

int ln_server_session_new(const struct ln_server_session_config *config, int64_t wall,
                          struct ln_server_session **out)
{
  struct ln_server_session *s = ln_calloc(1, sizeof *s);
  if (!s) return LN_E_NOMEM;
  s->key = *config->key;
  s->session_id = config->session_id;
  s->rng = config->rng;
  s->ops = config->ops;
  s->ctx = config->ctx;
  memcpy(s->salt_secret, config->salt_secret, sizeof s->salt_secret);
  s->first_salt = config->first_salt;
  s->salt_period = -1;
  s->wall = s->created = wall;
  s->connected = s->fresh = true;
  s->acks_due = s->disconnect_at = LN_NEVER;
  ln_buf_init(&s->unpacked, 2 * LN_GZIP_MAX_FRAME);
  ln_buf_init(&s->packed, LN_FRAME_MAX);
  ln_window_init(&s->seen);
  ln_map_init(&s->outs);
  ln_map_init(&s->calls);
  if (ln_gzip_new(&s->gzip)) {
    ln_server_session_free(s);
    return LN_E_NOMEM;
  }
  *out = s;
  return LN_OK;
}

static void drop_all(struct ln_server_session *s)
{
  while (s->queue.first) ln_out_free(s, s->queue.first);
  while (s->kept.first) ln_out_free(s, s->kept.first);
  ln_map_deinit(&s->calls);
  ln_map_deinit(&s->outs);
}

void ln_server_session_free(struct ln_server_session *s)
{
  if (!s) return;
  drop_all(s);
  ln_gzip_free(s->gzip);
  ln_buf_deinit(&s->unpacked);
  ln_buf_deinit(&s->packed);
  ln_free(s->acks);
  ln_cleanse(s, sizeof *s);
  ln_free(s);
}

void ln_server_session_forget(struct ln_server_session *s)
{
  drop_all(s);
  ln_window_init(&s->seen);
  s->n_acks = 0;
  s->acks_due = s->disconnect_at = LN_NEVER;
  s->acks_now = false;
  s->newest_id = s->newest_seqno = 0;
  s->content_sent = 0;
  s->fresh = true;
}

void ln_server_session_disconnected(struct ln_server_session *s)
{
  s->connected = false;
  s->disconnect_at = LN_NEVER;
}

void ln_server_session_connected(struct ln_server_session *s)
{
  s->connected = true;
  s->disconnect_at = LN_NEVER;
  /* What was not acknowledged may be lost: all of it again, before what is new. */
  if (!s->kept.first) return;
  for (struct ln_out *o = s->kept.first; o; o = o->next) o->queued = true;
  s->kept.last->next = s->queue.first;
  if (s->queue.first)
    s->queue.first->prev = s->kept.last;
  else
    s->queue.last = s->kept.last;
  s->queue.first = s->kept.first;
  s->kept.first = s->kept.last = NULL;
}

int ln_server_session_result(struct ln_server_session *s, uint64_t req_msg_id, struct ln_slice result)
{
  if (ln_map_get(&s->calls, req_msg_id) != ln_call_running) return LN_E_NOT_FOUND;
  if (result.n > LN_FRAME_MAX - 4096) return LN_E_TOOBIG;
  if (result.n < 4 || result.n % 4) return LN_E_INVAL;
  ln_buf_clear(&s->packed);
  if (result.n > GZIP_FROM && ln_gzip_pack(s->gzip, result, &s->packed) == LN_OK)
    result = ln_buf_slice(&s->packed);
  struct ln_out *o = ln_out_new(LN_OUT_ANSWER, 12 + result.n);
  if (!o) return LN_E_NOMEM;
  ln_put_le32(o->body, LN_ID_rpc_result);
  ln_put_le64(o->body + 4, req_msg_id);
  memcpy(o->body + 12, result.p, result.n);
  o->req_msg_id = req_msg_id;
  ln_buf_clear(&s->packed);
  ln_buf_trim(&s->packed, 65536);
  if (ln_map_set(&s->calls, req_msg_id, o)) {
    ln_free(o);
    return LN_E_NOMEM;
  }
  ln_server_unqueue_ack(s, req_msg_id); /* the answer says that it was received */
  return ln_out_queue(s, o);
}

int ln_server_session_error(struct ln_server_session *s, uint64_t req_msg_id, int code, const char *text)
{
  uint8_t bytes[512];
  size_t n = strlen(text);
  if (n > 250) n = 250;
  memset(bytes, 0, sizeof bytes);
  ln_put_le32(bytes, LN_ID_rpc_error);
  ln_put_le32(bytes + 4, (uint32_t)code);
  bytes[8] = (uint8_t)n;
  memcpy(bytes + 9, text, n);
  return ln_server_session_result(s, req_msg_id, ln_slice(bytes, 8 + ((1 + n + 3) & ~(size_t)3)));
}

int ln_server_session_push(struct ln_server_session *s, struct ln_slice updates, int64_t wall,
                           uint64_t *msg_id)
{
  s->wall = wall;
  if (updates.n < 4 || updates.n % 4) return LN_E_INVAL;
  if (updates.n > LN_FRAME_MAX - 4096) return LN_E_TOOBIG;
  struct ln_out *o = ln_out_new(LN_OUT_PUSH, updates.n);
  if (!o) return LN_E_NOMEM;
  memcpy(o->body, updates.p, updates.n);
  ln_out_number(s, o);
  if (msg_id) *msg_id = o->msg_id;
  return ln_out_queue(s, o);
}

static void request(struct ln_server_session *s, const struct ln_message *m)
{
  if (s->calls.len >= LN_SERVER_MAX_CALLS || ln_map_set(&s->calls, m->msg_id, ln_call_running)) {
    ln_window_remove(&s->seen, m->msg_id); /* "not received": the client will send it again */
    return;
  }
  ln_server_queue_ack(s, m->msg_id);
  s->ops->on_request(s->ctx, m->msg_id, m->body);
}

static void refuse(struct ln_server_session *s, const struct ln_message *m)
{
  if (ln_map_set(&s->calls, m->msg_id, ln_call_running)) {
    ln_window_remove(&s->seen, m->msg_id);
    return;
  }
  (void)ln_server_session_error(s, m->msg_id, 400, "INPUT_FETCH_ERROR");
}

/* M13: one object inside, which is neither packed again nor a container. */
static void packed(struct ln_server_session *s, const struct ln_message *m)
{
  struct ln_message plain = *m;
  struct ln_reader r;
  ln_reader_init(&r, m->body);
  ln_read_u32(&r);
  struct ln_slice stream = ln_read_bytes(&r);
  int err = ln_reader_finish(&r);
  if (!err) err = ln_gzip_unpack(s->gzip, stream, &s->unpacked, LN_GZIP_MAX_OBJECT);
  plain.body = ln_buf_slice(&s->unpacked);
  uint32_t id = !err && plain.body.n >= 4 && plain.body.n % 4 == 0 ? ln_le32(plain.body.p) : 0;
  if (err == LN_E_NOMEM)
    ln_window_remove(&s->seen, m->msg_id);
  else if (err || !id || id == LN_ID_gzip_packed || id == LN_ID_msg_container)
    refuse(s, m);
  else if (!ln_server_service(s, &plain))
    request(s, &plain);
  ln_buf_clear(&s->unpacked);
  ln_buf_trim(&s->unpacked, 65536);
}

/* It came before: the client has not got what it wants. */
static void duplicate(struct ln_server_session *s, const struct ln_message *m)
{
  void *call = ln_map_get(&s->calls, m->msg_id);
  if (call && call != ln_call_running)
    ln_out_again(s, call);
  else if (m->seqno & 1)
    ln_server_queue_ack(s, m->msg_id);
}

static int check_seqno(struct ln_server_session *s, uint64_t msg_id, uint32_t seqno, uint32_t id)
{
  if (id == LN_ID_msg_container && seqno & 1)
    return 34; /* acks with an odd one are let pass: mtcute counts them */
  bool newer = msg_id > s->newest_id;
  uint32_t newest = s->newest_seqno;
  if (s->newest_id && newer && (uint64_t)seqno + SEQNO_SLACK < newest) return 32;
  if (s->newest_id && !newer && seqno > (uint64_t)newest + SEQNO_SLACK) return 33;
  if (newer) {
    s->newest_id = msg_id;
    s->newest_seqno = seqno;
  }
  return 0;
}

static void one(struct ln_server_session *s, const struct ln_message *m)
{
  enum ln_seen seen = ln_window_look(&s->seen, m->msg_id);
  if (seen == LN_SEEN_BEFORE) {
    duplicate(s, m);
    return;
  }
  if (seen == LN_SEEN_BELOW_FLOOR) {
    (void)ln_server_bad_msg(s, m->msg_id, m->seqno, 20);
    return;
  }
  int code = m->msg_id & 3 ? 18 : check_seqno(s, m->msg_id, m->seqno, ln_le32(m->body.p));
  if (code) {
    (void)ln_server_bad_msg(s, m->msg_id, m->seqno, code);
    return;
  }
  ln_window_add(&s->seen, m->msg_id, m->seqno & 1 ? LN_SEEN_CONTENT : 0);
  if (ln_server_service(s, m)) return;
  if (ln_le32(m->body.p) != LN_ID_gzip_packed) {
    if (m->seqno & 1)
      request(s, m);
    else
      (void)ln_server_bad_msg(s, m->msg_id, m->seqno, 35);
    return;
  }
  packed(s, m);
}

static int created(struct ln_server_session *s, uint64_t outer, const struct ln_message *m, size_t n)
{
  uint8_t b[28];
  uint64_t first = outer;
  for (size_t i = 0; i < n; i++)
    if (m[i].msg_id < first) first = m[i].msg_id;
  ln_put_le32(b, LN_ID_new_session_created);
  ln_put_le64(b + 4, first);
  int err = ln_rng_fill(&s->rng, b + 12, 8);
  if (err) return err;
  ln_put_le64(b + 20, ln_server_salt_now(s));
  err = ln_server_reply(s, LN_OUT_NOTICE, 0, ln_slice(b, sizeof b));
  s->fresh = err != LN_OK;
  return err;
}

int ln_server_session_input(struct ln_server_session *s, struct ln_slice bytes, int64_t wall)
{
  struct ln_plain p;
  s->wall = wall;
  if (ln_plain_parse(bytes, &p) || p.session_id != s->session_id) return LN_E_RECONNECT;
  if (p.body.n < 4) return LN_OK;
  if (p.msg_id & 3) return ln_server_bad_msg(s, p.msg_id, p.seqno, 18);
  if (!ln_msgid_in_time(p.msg_id, wall)) {
    int code = ln_msgid_time(p.msg_id) < wall ? 16 : 17;
    return ln_server_bad_msg(s, p.msg_id, p.seqno, code);
  }
  if (!ln_server_salt_good(s, p.salt)) return ln_server_bad_salt(s, p.msg_id, p.seqno);

  struct ln_message messages[LN_CONTAINER_MAX_IN];
  size_t n = 1;
  if (ln_le32(p.body.p) == LN_ID_msg_container) {
    int code = check_seqno(s, p.msg_id, p.seqno, LN_ID_msg_container);
    if (!code && ln_container_parse(p.body, p.msg_id, messages, &n)) code = 64;
    if (code) return ln_server_bad_msg(s, p.msg_id, p.seqno, code);
    if (ln_window_look(&s->seen, p.msg_id) == LN_SEEN_NEVER) ln_window_add(&s->seen, p.msg_id, 0);
  } else {
    messages[0] = (struct ln_message){p.msg_id, p.seqno, p.body};
  }
  if (s->fresh) {
    int err = created(s, p.msg_id, messages, n);
    if (err) return err;
  }
  for (size_t i = 0; i < n; i++) one(s, &messages[i]);
  return LN_OK;
}

int64_t ln_server_session_deadline(const struct ln_server_session *s)
{
  if (!s->connected) return LN_NEVER;
  return s->acks_due < s->disconnect_at ? s->acks_due : s->disconnect_at;
}

int ln_server_session_tick(struct ln_server_session *s, int64_t wall)
{
  s->wall = wall;
  if (s->acks_due <= wall) {
    s->acks_now = s->n_acks > 0;
    s->acks_due = LN_NEVER;
  }
  if (s->connected && s->disconnect_at <= wall) {
    s->disconnect_at = LN_NEVER;
    s->ops->on_close(s->ctx);
  }
  return LN_OK;
}

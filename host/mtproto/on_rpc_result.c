/* rpc_result: the answer finds its request by req_msg_id, and by nothing else (M15); it may be packed (M13)
 * or an rpc_error. https://core.telegram.org/mtproto/service_messages#response-to-an-rpc-query */
#include "mtproto/session_internal.h"
#include "base/alloc.h"
#include "base/log.h"

#define MAX_TRIES 3 /* of a request that the server refuses for what lies in the session, not in it */

static bool starts_with(struct ln_slice text, const char *with)
{
  size_t n = strlen(with);
  return text.n >= n && memcmp(text.p, with, n) == 0;
}

/* Errors that say something about how we wrapped the request. True: it goes out again. */
static bool try_again(struct ln_session *s, struct ln_request *r, struct ln_slice text)
{
  if (r->tries >= MAX_TRIES) return false;
  if (starts_with(text, "CONNECTION_NOT_INITED") && s->prefix.len && !r->no_prefix) {
    s->prefix_done = false;
  } else if (starts_with(text, "AUTH_KEY_PERM_EMPTY") &&
             s->temporary) {                              /* the server has forgotten the binding */
    if (!s->binding && ln_binding_queue(s)) return false; /* else it is bound anew already */
  } else if (!starts_with(text, "MSG_WAIT_FAILED") || !r->after) {
    return false; /* of the latter: where the one before it goes out anew, and not where it was refused */
  }
  r->tries++;
  ln_request_again(s, r);
  return true;
}

static void finish(struct ln_session *s, struct ln_request *r, int err, int code, struct ln_slice bytes)
{
  void *tag = r->tag;
  bool silent = r->no_response;
  ln_request_detach(s, r);
  ln_free(r);
  if (silent) return;
  if (err || code)
    s->ops->on_error(s->ctx, tag, err, code, bytes);
  else
    s->ops->on_result(s->ctx, tag, bytes);
}

static void finish_error(struct ln_session *s, struct ln_request *r, struct ln_slice body)
{
  struct ln_reader in;
  ln_reader_init(&in, body);
  ln_read_u32(&in);
  int32_t code = ln_read_i32(&in);
  struct ln_slice text = ln_read_bytes(&in);
  if (!ln_read_whole(&in)) {
    finish(s, r, LN_E_PROTOCOL, 0, ln_slice_str("the server's error cannot be read"));
    return;
  }
  if (try_again(s, r, text)) return;
  if ((r->prefixed || !s->prefix.len) && !starts_with(text, "CONNECTION_")) s->prefix_done = true;
  finish(s, r, LN_OK, code ? code : 500, text);
}

int ln_on_rpc_result(struct ln_session *s, const struct ln_message *m, int depth)
{
  if (m->body.n < 16) return LN_E_DISCARD;
  uint64_t req = ln_le64(m->body.p + 4);
  struct ln_slice result = ln_slice_from(m->body, 12);
  /* It is acknowledged also where nobody waits for it any more, or it would come again and again. */
  ln_session_ack(s, m->msg_id);
  struct ln_request *r = ln_request_find(s, req);
  if (!r && LN_CHECK(M15, false)) r = s->flight.first; /* as a client would that goes by order or type */
  if (!r) {
    if (s->salts_query && req == s->salts_query && ln_le32(result.p) == LN_ID_future_salts) {
      struct ln_message inner = {m->msg_id, m->seqno, result}; /* some servers wrap it */
      return ln_on_future_salts(s, &inner);
    }
    return LN_E_DISCARD;
  }
  if (ln_le32(result.p) == LN_ID_gzip_packed) {
    int err = depth == 0 ? ln_session_unpack(s, result, &result) : LN_E_CORRUPT;
    if (err) {
      finish(s, r, err, 0, ln_slice_str(ln_err_text(err)));
      return LN_OK;
    }
  }
  if (r->binding) {
    ln_binding_answer(s, r, result);
    return LN_OK;
  }
  if (ln_le32(result.p) == LN_ID_rpc_error) {
    finish_error(s, r, result);
    return LN_OK;
  }
  if (r->prefixed || !s->prefix.len) s->prefix_done = true;
  finish(s, r, LN_OK, 0, result);
  return LN_OK;
}

/* Perfect forward secrecy in a client's session: a temporary key is bound to the permanent one by
 * auth.bindTempAuthKey, and before that nothing else leaves by it (P1). The message names the msg_id that it
 * goes out under (P2), so it is made anew each time it leaves; once bound, the server is told anew who we are
 * (P3). https://core.telegram.org/api/pfs Called by the other files of the session alone. */
#include "mtproto/session_internal.h"
#include "mtproto/binding.h"
#include "mtproto/temp_key.h"
#include "base/alloc.h"
#include "crypto/hash.h"

#define BODY (4 + 8 + 8 + 4 + 1 + LN_BINDING_SIZE + 3) /* the length of `bytes` before, zeros after them */

int ln_binding_queue(struct ln_session *s)
{
  s->bound = s->prefix_done = false;
  if (s->binding) {
    ln_request_again(s, s->binding);
    return LN_OK;
  }
  struct ln_request *r = ln_calloc(1, sizeof *r + BODY);
  if (!r) return LN_E_NOMEM;
  r->binding = r->no_prefix = r->no_response = true;
  r->len = BODY;
  r->next = s->queue.first; /* order 0: before all others, also when it is sent again */
  if (r->next)
    r->next->prev = r;
  else
    s->queue.last = r;
  s->queue.first = r;
  s->n_pending++;
  s->binding = r;
  return LN_OK;
}

void ln_binding_forget_old(struct ln_session *s)
{
  ln_cleanse(&s->old_key, sizeof s->old_key);
  s->old_key_until = LN_NEVER;
}

const struct ln_auth_key *ln_binding_key(const struct ln_session *s, const uint8_t *payload, size_t len)
{
  if (s->old_key_until == LN_NEVER || len < 8 || ln_le64(payload) != s->old_key.id) return &s->key;
  return LN_CHECK(M2, s->now < s->old_key_until) ? &s->old_key : &s->key;
}

/* The session keeps its id, its numbers and what it has seen: to a server it may be the same, by whatever
 * temporary key of one permanent key it speaks. */
int ln_session_rekey(struct ln_session *s, const struct ln_auth_key *key, uint64_t salt, int64_t expires,
                     bool keep, int64_t now)
{
  s->now = now;
  int err = ln_binding_queue(s);
  if (err) return err;
  ln_binding_forget_old(s);
  if (keep) {
    s->old_key = s->key;
    s->old_key_until = now + LN_PREVIOUS_KEY_US;
  }
  s->key = *key;
  s->expires = expires;
  ln_salts_set(s, salt);
  s->n_salts = 0;
  s->salts_query = 0;
  s->salts_ask_at = now;
  s->salts_until = INT64_MIN;
  ln_request_all_again(s, NULL, 0);
  s->n_asking = 0;
  s->binding_due = s->pong_due = LN_NEVER;
  s->ping_due = now;
  return LN_OK;
}

uint64_t ln_session_key_id(const struct ln_session *s)
{
  return s->key.id;
}

bool ln_session_is_bound(const struct ln_session *s)
{
  return !s->temporary || s->bound;
}

int ln_binding_compose(struct ln_session *s, struct ln_request *r)
{
  struct ln_binding b = {
      .msg_id = r->msg_id,
      .temp_key_id = s->key.id,
      .perm_key_id = s->perm.id,
      .session_id = s->session_id,
      .expires_at = (int32_t)((s->expires + s->offset_us) / LN_US_PER_S),
  };
  if (LN_CHECK(P2, false)) b.msg_id += 4;
  int err = ln_rng_fill(&s->rng, &b.nonce, sizeof b.nonce);
  uint8_t *to = r->body;
  memset(to, 0, BODY);
  ln_put_le32(to, LN_ID_auth_bindTempAuthKey);
  ln_put_le64(to + 4, b.perm_key_id);
  ln_put_le64(to + 12, b.nonce);
  ln_put_le32(to + 20, (uint32_t)b.expires_at);
  to[24] = LN_BINDING_SIZE;
  if (!err) err = ln_binding_seal(&s->perm, &s->rng, &b, to + 25);
  s->binding_due = s->now + LN_BINDING_US;
  return err;
}

void ln_binding_answer(struct ln_session *s, struct ln_request *r, struct ln_slice result)
{
  struct ln_slice text = ln_slice_str("the server's answer cannot be read");
  int code = 500;
  ln_request_detach(s, r);
  ln_free(r);
  s->binding = NULL;
  s->binding_due = LN_NEVER;
  if (ln_le32(result.p) == LN_ID_boolTrue) {
    code = 0;
    text = ln_slice_str("");
    s->bound = true;
    if (LN_CHECK(P3, false)) s->prefix_done = true; /* else the next request goes under initConnection */
  } else if (ln_le32(result.p) == LN_ID_rpc_error) {
    struct ln_reader in;
    ln_reader_init(&in, result);
    ln_read_u32(&in);
    int32_t said = ln_read_i32(&in);
    struct ln_slice words = ln_read_bytes(&in);
    if (ln_read_whole(&in) && said) {
      code = said;
      text = words;
    }
  }
  s->ops->on_bound(s->ctx, code, text);
}

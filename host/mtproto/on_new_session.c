/* new_session_created: the server knows nothing of what was sent before first_msg_id; updates may be missing
 * (M18). https://core.telegram.org/mtproto/service_messages#new-session-creation-notification */
#include "mtproto/session_internal.h"
#include "base/log.h"

#define REMEMBERED (sizeof((struct ln_session *)0)->unique_ids / sizeof(uint64_t))

/* By the container's id where there is one: servers differ in whether first_msg_id is the outer or an inner
 * id of what made the session, and a request must not run twice. */
static bool older(const struct ln_request *r, uint64_t first)
{
  return (r->container_id ? r->container_id : r->msg_id) < first;
}

static bool known(struct ln_session *s, uint64_t unique_id)
{
  unsigned n = s->n_unique < REMEMBERED ? s->n_unique : REMEMBERED;
  for (unsigned i = 0; i < n; i++)
    if (s->unique_ids[i] == unique_id) return true;
  return false;
}

int ln_on_new_session(struct ln_session *s, const struct ln_message *m)
{
  struct ln_reader r;
  ln_reader_init(&r, m->body);
  ln_read_u32(&r);
  uint64_t first = ln_read_u64(&r), unique_id = ln_read_u64(&r), salt = ln_read_u64(&r);
  if (!ln_read_whole(&r)) return LN_E_DISCARD;
  if (!LN_CHECK(M18, !known(s, unique_id))) return LN_OK; /* acknowledged again, and nothing more */
  s->unique_ids[s->n_unique++ % REMEMBERED] = unique_id;
  if (s->n_unique == 2 * REMEMBERED) s->n_unique = REMEMBERED;
  if (salt != s->salt) {
    ln_salts_set(s, salt);
    s->ops->on_state(s->ctx);
  }
  s->prefix_done = false; /* it has forgotten the layer, too */
  ln_request_all_again(s, older, first);
  ln_log(LN_LOG_VERBOSE, "mtproto", "the server made a new session");
  s->ops->on_new_session(s->ctx);
  return LN_OK;
}

/* Answers about destroyed sessions and keys. A key is only ever destroyed because we asked for it (M23).
 * https://core.telegram.org/mtproto/service_messages#request-to-destroy-session */
#include "mtproto/session_internal.h"
#include "base/log.h"

int ln_on_destroy(struct ln_session *s, const struct ln_message *m)
{
  uint32_t id = ln_le32(m->body.p);
  if (id == LN_ID_destroy_session_ok || id == LN_ID_destroy_session_none) return LN_OK;
  if (!LN_CHECK(M23, s->destroy_asked)) {
    ln_log(LN_LOG_WARNING, "mtproto", "an answer about the auth key's end that nobody asked for");
    return LN_E_DISCARD;
  }
  return id == LN_ID_destroy_auth_key_fail ? LN_OK : LN_E_HALT;
}

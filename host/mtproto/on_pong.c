/* pong: the connection lives. https://core.telegram.org/mtproto/service_messages#ping-messages-pong */
#include "mtproto/session_internal.h"

int ln_on_pong(struct ln_session *s, const struct ln_message *m)
{
  struct ln_reader r;
  ln_reader_init(&r, m->body);
  ln_read_u32(&r);
  uint64_t msg_id = ln_read_u64(&r), ping_id = ln_read_u64(&r);
  if (!ln_read_whole(&r)) return LN_E_DISCARD;
  if (ping_id != s->ping_id || !ln_session_sent_recently(s, msg_id)) return LN_E_DISCARD;
  s->pong_due = LN_NEVER;
  return LN_OK;
}

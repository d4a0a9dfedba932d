/* See container.h. */
#include "mtproto/container.h"
#include "mtproto/check.h"
#include "tl/reader.h"
#include "tl_ids.h"

#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static bool all_different(const struct ln_message *m, size_t n)
{
  size_t i = 1;
  while (i < n && m[i - 1].msg_id < m[i].msg_id) i++;
  if (i >= n) return true; /* as a rule they come in order */
  uint64_t ids[LN_CONTAINER_MAX_IN];
  for (i = 0; i < n; i++) ids[i] = m[i].msg_id;
  qsort(ids, n, sizeof ids[0], by_value);
  for (i = 1; i < n; i++)
    if (ids[i] == ids[i - 1]) return false;
  return true;
}

int ln_container_parse(struct ln_slice body, uint64_t outer, struct ln_message *out, size_t *n)
{
  struct ln_reader r;
  *n = 0;
  ln_reader_init(&r, body);
  if (ln_read_u32(&r) != LN_ID_msg_container) return LN_E_PROTOCOL;
  uint32_t count = ln_read_u32(&r);
  if (r.err || count > LN_CONTAINER_MAX_IN) return LN_E_PROTOCOL; /* out has no room for more */
  for (uint32_t i = 0; i < count; i++) {
    struct ln_message *m = &out[i];
    m->msg_id = ln_read_u64(&r);
    m->seqno = ln_read_u32(&r);
    uint32_t len = ln_read_u32(&r);
    if (len % 4 || len < 4) return LN_E_PROTOCOL;
    m->body = ln_read_raw(&r, len);
    if (r.err) return LN_E_PROTOCOL;
    if (!LN_CHECK(M12, m->msg_id < outer && ln_le32(m->body.p) != LN_ID_msg_container)) return LN_E_PROTOCOL;
  }
  if (!LN_CHECK(M12, ln_reader_finish(&r) == LN_OK && all_different(out, count))) return LN_E_PROTOCOL;
  *n = count;
  return LN_OK;
}

void ln_container_head(uint8_t *to, uint32_t n)
{
  ln_put_le32(to, LN_ID_msg_container);
  ln_put_le32(to + 4, n);
}

void ln_message_head(uint8_t *to, uint64_t msg_id, uint32_t seqno, size_t len)
{
  ln_put_le64(to, msg_id);
  ln_put_le32(to + 8, seqno);
  ln_put_le32(to + 12, (uint32_t)len);
}

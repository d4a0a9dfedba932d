/* See msgid.h. */
#include "mtproto/msgid.h"
#include "mtproto/check.h"
#include "base/clock.h"

uint64_t ln_msgid_next(struct ln_msgid *m, int64_t unix_us, enum ln_msgid_kind kind, uint32_t random)
{
  if (unix_us < 0) unix_us = 0;
  uint64_t s = (uint64_t)(unix_us / LN_US_PER_S), us = (uint64_t)(unix_us % LN_US_PER_S);
  /* A microsecond is 4294.97 units: what is below it is random, so that ids tell no more of the clock. */
  uint64_t id = (s << 32 | (us << 32) / LN_US_PER_S) + random % 4294;
  id = (id & ~UINT64_C(3)) | (uint64_t)kind;
  if (!LN_CHECK(M22, id > m->last))
    id = ((m->last & ~UINT64_C(3)) + 4 + (random >> 16 & 0xfc)) | (uint64_t)kind;
  m->last = id;
  return id;
}

int64_t ln_msgid_time(uint64_t id)
{
  uint64_t us = ((id & UINT32_MAX) * LN_US_PER_S) >> 32;
  return (int64_t)((id >> 32) * LN_US_PER_S + us);
}

bool ln_msgid_in_time(uint64_t id, int64_t unix_us)
{
  int64_t age = unix_us - ln_msgid_time(id);
  return age <= 300 * LN_US_PER_S && age >= -30 * LN_US_PER_S;
}

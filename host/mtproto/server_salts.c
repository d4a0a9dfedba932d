/* A server's salts: one for each half hour, good for an hour, so that two overlap; made from a secret, so
 * that nothing has to be kept. A client that asks gets many, staggered in time.
 * https://core.telegram.org/mtproto/service_messages#request-for-several-future-salts */
#include "mtproto/server_internal.h"
#include "crypto/hash.h"

#define MAX_GIVEN 64

static uint64_t salt_of(const struct ln_server_session *s, int64_t period)
{
  uint8_t data[16], mac[32];
  ln_put_le64(data, s->key.id);
  ln_put_le64(data + 8, (uint64_t)period);
  ln_hmac_sha256(ln_slice(s->salt_secret, sizeof s->salt_secret), ln_slice(data, sizeof data), mac);
  return ln_le64(mac);
}

static void refresh(struct ln_server_session *s)
{
  int64_t period = s->wall / LN_US_PER_S / LN_SALT_PERIOD_S;
  if (period == s->salt_period) return;
  for (int i = 0; i < 3; i++) s->salts[i] = salt_of(s, period - i);
  s->salt_period = period;
}

void ln_server_session_new_salts(struct ln_server_session *s, const uint8_t secret[32])
{
  memcpy(s->salt_secret, secret, sizeof s->salt_secret);
  s->salt_period = -1;
  refresh(s);
  s->first_salt = s->salts[0];
}

uint64_t ln_server_salt_now(struct ln_server_session *s)
{
  refresh(s);
  return s->salts[0];
}

bool ln_server_salt_good(struct ln_server_session *s, uint64_t salt)
{
  refresh(s);
  /* The third is over for less than half an hour: a message may have been on its way. */
  if (salt == s->salts[0] || salt == s->salts[1] || salt == s->salts[2]) return true;
  return salt == s->first_salt && s->wall - s->created <= 3600 * LN_US_PER_S;
}

void ln_server_future_salts(struct ln_server_session *s, uint64_t req_msg_id, uint32_t num,
                            struct ln_writer *w)
{
  refresh(s);
  if (num < 1) num = 1;
  if (num > MAX_GIVEN) num = MAX_GIVEN;
  ln_write_u32(w, LN_ID_future_salts);
  ln_write_u64(w, req_msg_id);
  ln_write_u32(w, (uint32_t)(s->wall / LN_US_PER_S));
  ln_write_u32(w, num); /* a bare vector of bare future_salt */
  for (uint32_t i = 0; i < num; i++) {
    int64_t since = (s->salt_period + i) * LN_SALT_PERIOD_S;
    ln_write_u32(w, (uint32_t)since);
    ln_write_u32(w, (uint32_t)(since + 2 * LN_SALT_PERIOD_S));
    ln_write_u64(w, salt_of(s, s->salt_period + i));
  }
}

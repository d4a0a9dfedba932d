/* See envelope.h. Nothing of the plaintext is looked at before msg_key has been compared, and the comparison
 * takes the same time wherever the difference is. */
#include "mtproto/envelope.h"
#include "mtproto/check.h"
#include "mtproto/frame.h"
#include "crypto/aes.h"
#include "crypto/hash.h"

int ln_envelope_seal(const struct ln_auth_key *key, enum ln_direction x, const struct ln_rng *rng,
                     const struct ln_plain *plain, uint8_t *payload, size_t size, size_t n)
{
  if (size < ln_envelope_size(n) || (size - LN_ENVELOPE_OUTER) % 16 || n % 4) return LN_E_INVAL;
  size_t padding = size - LN_ENVELOPE_BODY - n;
  if (padding > LN_ENVELOPE_MAX_PADDING) return LN_E_INVAL;
  uint8_t *p = payload + LN_ENVELOPE_OUTER;
  ln_put_le64(p, plain->salt);
  ln_put_le64(p + 8, plain->session_id);
  ln_put_le64(p + 16, plain->msg_id);
  ln_put_le32(p + 24, plain->seqno);
  ln_put_le32(p + 28, (uint32_t)n);
  int err = ln_rng_fill(rng, p + LN_ENVELOPE_INNER + n, padding);
  if (err) return err;
  uint8_t aes_key[32], aes_iv[32];
  size_t inner = size - LN_ENVELOPE_OUTER;
  ln_put_le64(payload, key->id);
  ln_msg_key(key, x, ln_slice(p, inner), payload + 8);
  ln_kdf(key, payload + 8, x, aes_key, aes_iv);
  ln_aes_ige_encrypt(aes_key, aes_iv, p, p, inner);
  ln_cleanse(aes_key, sizeof aes_key);
  ln_cleanse(aes_iv, sizeof aes_iv);
  return LN_OK;
}

int ln_plain_parse(struct ln_slice plain, struct ln_plain *out)
{
  if (plain.n < LN_ENVELOPE_INNER) return LN_E_TRUNCATED;
  out->salt = ln_le64(plain.p);
  out->session_id = ln_le64(plain.p + 8);
  out->msg_id = ln_le64(plain.p + 16);
  out->seqno = ln_le32(plain.p + 24);
  uint32_t n = ln_le32(plain.p + 28);
  if (n > plain.n - LN_ENVELOPE_INNER) return LN_E_TRUNCATED;
  out->body = ln_slice(plain.p + LN_ENVELOPE_INNER, n);
  return LN_OK;
}

int ln_envelope_open(const struct ln_auth_key *key, enum ln_direction x, uint8_t *payload, size_t len,
                     struct ln_plain *out)
{
  if (len < LN_ENVELOPE_BODY) return LN_E_DECRYPT; /* nothing to decrypt; the length is public anyway */
  uint8_t aes_key[32], aes_iv[32], expected[16];
  uint8_t *p = payload + LN_ENVELOPE_OUTER;
  size_t inner = (len - LN_ENVELOPE_OUTER) & ~(size_t)15;
  bool sized = LN_CHECK(M1, inner >= 48 && LN_ENVELOPE_OUTER + inner <= LN_FRAME_MAX);
  if (!sized) return LN_E_DECRYPT;

  ln_kdf(key, payload + 8, x, aes_key, aes_iv);
  ln_aes_ige_decrypt(aes_key, aes_iv, p, p, inner);
  ln_msg_key(key, x, ln_slice(p, inner), expected);
  ln_cleanse(aes_key, sizeof aes_key);
  ln_cleanse(aes_iv, sizeof aes_iv);
  uint8_t id[8];
  ln_put_le64(id, key->id);
  /* Both comparisons always run: which of them failed must not show. */
  bool our_key = LN_CHECK(M2, ln_ct_equal(id, payload, 8));
  bool verified = LN_CHECK(M3, ln_ct_equal(expected, payload + 8, 16));
  if (!(our_key & verified)) return LN_E_DECRYPT;

  if (ln_plain_parse(ln_slice(p, inner), out)) return LN_E_DECRYPT;
  size_t padding = inner - LN_ENVELOPE_INNER - out->body.n;
  if (!LN_CHECK(M4, out->body.n % 4 == 0 && padding >= LN_ENVELOPE_MIN_PADDING &&
                        padding <= LN_ENVELOPE_MAX_PADDING))
    return LN_E_DECRYPT;
  return LN_OK;
}

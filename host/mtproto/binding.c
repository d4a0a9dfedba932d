/* See binding.h. */
#include "mtproto/binding.h"
#include "crypto/aes.h"
#include "crypto/hash.h"
#include "tl_ids.h"

#define OUTER 24
#define HEAD 32 /* random, msg_id, seqno, length */
#define INNER 40
#define MAX_PLAIN (HEAD + INNER + 15)

int ln_binding_seal(const struct ln_auth_key *perm, const struct ln_rng *rng, const struct ln_binding *b,
                    uint8_t out[LN_BINDING_SIZE])
{
  uint8_t sha[20], aes_key[32], aes_iv[32], *p = out + OUTER;
  size_t n = LN_BINDING_SIZE - OUTER;
  int err = ln_rng_fill(rng, p, 16);
  if (!err) err = ln_rng_fill(rng, p + HEAD + INNER, n - HEAD - INNER);
  if (err) return err;
  ln_put_le64(p + 16, b->msg_id);
  ln_put_le32(p + 24, b->seqno);
  ln_put_le32(p + 28, INNER);
  ln_put_le32(p + 32, LN_ID_bind_auth_key_inner);
  ln_put_le64(p + 36, b->nonce);
  ln_put_le64(p + 44, b->temp_key_id);
  ln_put_le64(p + 52, b->perm_key_id);
  ln_put_le64(p + 60, b->session_id);
  ln_put_le32(p + 68, (uint32_t)b->expires_at);
  ln_sha1(ln_slice(p, HEAD + INNER), sha);
  ln_put_le64(out, perm->id);
  memcpy(out + 8, sha + 4, 16);
  ln_kdf_old(perm, out + 8, LN_TO_SERVER, aes_key, aes_iv);
  ln_aes_ige_encrypt(aes_key, aes_iv, p, p, n);
  ln_cleanse(aes_key, sizeof aes_key);
  ln_cleanse(aes_iv, sizeof aes_iv);
  return LN_OK;
}

/* The length is read before the hash is compared, since that covers no padding: nothing else is, and both
 * failures are one. */
static bool verify(struct ln_slice plain, const uint8_t msg_key[16])
{
  uint8_t sha[20];
  size_t n = ln_le32(plain.p + 28), left = plain.n - HEAD;
  bool sized = n <= left && left - n <= 15;
  ln_sha1(ln_slice(plain.p, sized ? HEAD + n : plain.n), sha);
  return ln_ct_equal(sha + 4, msg_key, 16) & (sized && n == INNER);
}

int ln_binding_open(const struct ln_auth_key *perm, struct ln_slice sealed, struct ln_binding *out)
{
  uint8_t aes_key[32], aes_iv[32], p[MAX_PLAIN];
  size_t n = sealed.n - OUTER;
  if (sealed.n < OUTER + HEAD || n % 16 || n > sizeof p || ln_le64(sealed.p) != perm->id) return LN_E_DECRYPT;
  ln_kdf_old(perm, sealed.p + 8, LN_TO_SERVER, aes_key, aes_iv);
  ln_aes_ige_decrypt(aes_key, aes_iv, sealed.p + OUTER, p, n);
  ln_cleanse(aes_key, sizeof aes_key);
  ln_cleanse(aes_iv, sizeof aes_iv);
  if (!verify(ln_slice(p, n), sealed.p + 8) || ln_le32(p + 32) != LN_ID_bind_auth_key_inner)
    return LN_E_DECRYPT;
  out->msg_id = ln_le64(p + 16);
  out->seqno = ln_le32(p + 24);
  out->nonce = ln_le64(p + 36);
  out->temp_key_id = ln_le64(p + 44);
  out->perm_key_id = ln_le64(p + 52);
  out->session_id = ln_le64(p + 60);
  out->expires_at = (int32_t)ln_le32(p + 68);
  return LN_OK;
}

/* Keys derived from the auth key (MTProto 2.0; 1.0 for one message) and from the nonces of the key exchange.
 */
#include "crypto/kdf.h"

#include "crypto/hash.h"

void ln_auth_key_init(struct ln_auth_key *k, const uint8_t key[256])
{
  uint8_t sha[20];
  if (k->key != key) memmove(k->key, key, sizeof k->key);
  ln_sha1(ln_slice(k->key, sizeof k->key), sha);
  k->aux_hash = ln_le64(sha);
  k->id = ln_le64(sha + 12);
}

void ln_msg_key(const struct ln_auth_key *k, enum ln_direction x, struct ln_slice plaintext,
                uint8_t msg_key[16])
{
  uint8_t large[32];
  struct ln_slice parts[2] = {ln_slice(k->key + 88 + x, 32), plaintext};
  ln_sha256_parts(parts, 2, large);
  memcpy(msg_key, large + 8, 16);
}

void ln_kdf(const struct ln_auth_key *k, const uint8_t msg_key[16], enum ln_direction x, uint8_t aes_key[32],
            uint8_t aes_iv[32])
{
  uint8_t a[32], b[32];
  struct ln_slice pa[2] = {ln_slice(msg_key, 16), ln_slice(k->key + x, 36)};
  struct ln_slice pb[2] = {ln_slice(k->key + 40 + x, 36), ln_slice(msg_key, 16)};
  ln_sha256_parts(pa, 2, a);
  ln_sha256_parts(pb, 2, b);
  memcpy(aes_key, a, 8);
  memcpy(aes_key + 8, b + 8, 16);
  memcpy(aes_key + 24, a + 24, 8);
  memcpy(aes_iv, b, 8);
  memcpy(aes_iv + 8, a + 8, 16);
  memcpy(aes_iv + 24, b + 24, 8);
  ln_cleanse(a, sizeof a);
  ln_cleanse(b, sizeof b);
}

void ln_kdf_old(const struct ln_auth_key *k, const uint8_t msg_key[16], enum ln_direction x,
                uint8_t aes_key[32], uint8_t aes_iv[32])
{
  uint8_t a[20], b[20], c[20], d[20];
  const uint8_t *key = k->key + x;
  struct ln_slice m = ln_slice(msg_key, 16);
  ln_sha1_parts((struct ln_slice[]){m, ln_slice(key, 32)}, 2, a);
  ln_sha1_parts((struct ln_slice[]){ln_slice(key + 32, 16), m, ln_slice(key + 48, 16)}, 3, b);
  ln_sha1_parts((struct ln_slice[]){ln_slice(key + 64, 32), m}, 2, c);
  ln_sha1_parts((struct ln_slice[]){m, ln_slice(key + 96, 32)}, 2, d);
  memcpy(aes_key, a, 8);
  memcpy(aes_key + 8, b + 8, 12);
  memcpy(aes_key + 20, c + 4, 12);
  memcpy(aes_iv, a + 8, 12);
  memcpy(aes_iv + 12, b, 8);
  memcpy(aes_iv + 20, c + 16, 4);
  memcpy(aes_iv + 24, d, 8);
  ln_cleanse(a, sizeof a);
  ln_cleanse(b, sizeof b);
  ln_cleanse(c, sizeof c);
  ln_cleanse(d, sizeof d);
}

void ln_kdf_exchange(const uint8_t new_nonce[32], const uint8_t server_nonce[16], uint8_t aes_key[32],
                     uint8_t aes_iv[32])
{
  struct ln_slice n = ln_slice(new_nonce, 32), s = ln_slice(server_nonce, 16);
  uint8_t ns[20], sn[20], nn[20];
  ln_sha1_parts((struct ln_slice[]){n, s}, 2, ns);
  ln_sha1_parts((struct ln_slice[]){s, n}, 2, sn);
  ln_sha1_parts((struct ln_slice[]){n, n}, 2, nn);
  memcpy(aes_key, ns, 20);
  memcpy(aes_key + 20, sn, 12);
  memcpy(aes_iv, sn + 12, 8);
  memcpy(aes_iv + 8, nn, 20);
  memcpy(aes_iv + 28, new_nonce, 4);
  ln_cleanse(ns, sizeof ns);
  ln_cleanse(sn, sizeof sn);
  ln_cleanse(nn, sizeof nn);
}

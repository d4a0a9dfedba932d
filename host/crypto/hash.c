/* SHA-1 and SHA-256 by OpenSSL's own block functions. The low-level calls are used on purpose: they cannot
 * fail, allocate nothing, fetch nothing, and take two thirds of EVP's time for the small pieces that a
 * message is made of. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/hash.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

void ln_sha1_parts(const struct ln_slice *parts, size_t n, uint8_t out[20])
{
  SHA_CTX c;
  SHA1_Init(&c);
  for (size_t i = 0; i < n; i++) SHA1_Update(&c, parts[i].p, parts[i].n);
  SHA1_Final(out, &c);
  OPENSSL_cleanse(&c, sizeof c);
}

void ln_sha256_parts(const struct ln_slice *parts, size_t n, uint8_t out[32])
{
  SHA256_CTX c;
  SHA256_Init(&c);
  for (size_t i = 0; i < n; i++) SHA256_Update(&c, parts[i].p, parts[i].n);
  SHA256_Final(out, &c);
  OPENSSL_cleanse(&c, sizeof c); /* the last block may hold a piece of the auth key */
}

void ln_sha1(struct ln_slice data, uint8_t out[20])
{
  ln_sha1_parts(&data, 1, out);
}

void ln_sha256(struct ln_slice data, uint8_t out[32])
{
  ln_sha256_parts(&data, 1, out);
}

void ln_hmac_sha256(struct ln_slice key, struct ln_slice data, uint8_t out[32])
{
  uint8_t k[64] = {0}, pad[64], inner[32];
  if (key.n > sizeof k) {
    ln_sha256(key, k);
  } else if (key.n) {
    memcpy(k, key.p, key.n);
  }
  for (size_t i = 0; i < sizeof k; i++) pad[i] = k[i] ^ 0x36;
  struct ln_slice first[2] = {ln_slice(pad, sizeof pad), data};
  ln_sha256_parts(first, 2, inner);
  for (size_t i = 0; i < sizeof k; i++) pad[i] = k[i] ^ 0x5c;
  struct ln_slice second[2] = {ln_slice(pad, sizeof pad), ln_slice(inner, sizeof inner)};
  ln_sha256_parts(second, 2, out);
  OPENSSL_cleanse(k, sizeof k);
  OPENSSL_cleanse(pad, sizeof pad);
  OPENSSL_cleanse(inner, sizeof inner);
}

bool ln_ct_equal(const void *a, const void *b, size_t n)
{
  return CRYPTO_memcmp(a, b, n) == 0;
}

void ln_cleanse(void *p, size_t n)
{
  OPENSSL_cleanse(p, n);
}

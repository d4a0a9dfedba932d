/* SHA-1 and SHA-256 by OpenSSL's own block functions. The low-level calls are used on purpose: they cannot
 * fail, allocate nothing, fetch nothing, and take two thirds of EVP's time for the small pieces that a
 * message is made of. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/hash.h"

#include <endian.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#define ONE_BLOCK 55 /* bytes; nine of the 64 say where it ends and how long it is */

void ln_sha1_parts(const struct ln_slice *parts, size_t n, uint8_t out[20])
{
  SHA_CTX c;
  SHA1_Init(&c);
  for (size_t i = 0; i < n; i++) SHA1_Update(&c, parts[i].p, parts[i].n);
  SHA1_Final(out, &c);
  ln_cleanse(&c, sizeof c);
}

/* What fits into one block, as a message's keys do, is padded here: OpenSSL would put it together twice. */
static void one_block(const struct ln_slice *parts, size_t n, size_t total, uint8_t out[32])
{
  SHA256_CTX c;
  uint8_t block[64] = {0};
  size_t at = 0;
  for (size_t i = 0; i < n; i++) {
    if (parts[i].n) memcpy(block + at, parts[i].p, parts[i].n);
    at += parts[i].n;
  }
  block[total] = 0x80;
  block[62] = (uint8_t)(total >> 5); /* its length in bits */
  block[63] = (uint8_t)(total << 3);
  SHA256_Init(&c);
  SHA256_Transform(&c, block);
  for (int i = 0; i < 8; i++) {
    uint32_t word = htobe32(c.h[i]);
    memcpy(out + 4 * i, &word, sizeof word);
  }
  ln_cleanse(block, sizeof block);
  ln_cleanse(c.h, sizeof c.h);
}

void ln_sha256_parts(const struct ln_slice *parts, size_t n, uint8_t out[32])
{
  SHA256_CTX c;
  size_t total = 0;
  for (size_t i = 0; i < n; i++) total += parts[i].n;
  if (total <= ONE_BLOCK) {
    one_block(parts, n, total, out);
    return;
  }
  SHA256_Init(&c);
  for (size_t i = 0; i < n; i++) SHA256_Update(&c, parts[i].p, parts[i].n);
  SHA256_Final(out, &c);
  ln_cleanse(&c, sizeof c); /* the last block may hold a piece of the auth key */
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
  ln_cleanse(k, sizeof k);
  ln_cleanse(pad, sizeof pad);
  ln_cleanse(inner, sizeof inner);
}

bool ln_ct_equal(const void *a, const void *b, size_t n)
{
  return CRYPTO_memcmp(a, b, n) == 0;
}

void ln_cleanse(void *p, size_t n)
{
  explicit_bzero(p, n);
}

/* 2048-bit Diffie-Hellman: the checks of a group and of a public value, and the two powers. The primes that
 * passed the slow check are remembered for the life of the process. */
#include "crypto/dh.h"

#include <pthread.h>
#include "crypto/hash.h"
#include "crypto/openssl.h"

#define PRIME_BYTES 256
#define MARGIN_BITS 1984 /* 2048 - 64: public values keep this far from both ends */

const uint8_t ln_dh_telegram_prime[PRIME_BYTES] = {
    0xc7, 0x1c, 0xae, 0xb9, 0xc6, 0xb1, 0xc9, 0x04, 0x8e, 0x6c, 0x52, 0x2f, 0x70, 0xf1, 0x3f, 0x73,
    0x98, 0x0d, 0x40, 0x23, 0x8e, 0x3e, 0x21, 0xc1, 0x49, 0x34, 0xd0, 0x37, 0x56, 0x3d, 0x93, 0x0f,
    0x48, 0x19, 0x8a, 0x0a, 0xa7, 0xc1, 0x40, 0x58, 0x22, 0x94, 0x93, 0xd2, 0x25, 0x30, 0xf4, 0xdb,
    0xfa, 0x33, 0x6f, 0x6e, 0x0a, 0xc9, 0x25, 0x13, 0x95, 0x43, 0xae, 0xd4, 0x4c, 0xce, 0x7c, 0x37,
    0x20, 0xfd, 0x51, 0xf6, 0x94, 0x58, 0x70, 0x5a, 0xc6, 0x8c, 0xd4, 0xfe, 0x6b, 0x6b, 0x13, 0xab,
    0xdc, 0x97, 0x46, 0x51, 0x29, 0x69, 0x32, 0x84, 0x54, 0xf1, 0x8f, 0xaf, 0x8c, 0x59, 0x5f, 0x64,
    0x24, 0x77, 0xfe, 0x96, 0xbb, 0x2a, 0x94, 0x1d, 0x5b, 0xcd, 0x1d, 0x4a, 0xc8, 0xcc, 0x49, 0x88,
    0x07, 0x08, 0xfa, 0x9b, 0x37, 0x8e, 0x3c, 0x4f, 0x3a, 0x90, 0x60, 0xbe, 0xe6, 0x7c, 0xf9, 0xa4,
    0xa4, 0xa6, 0x95, 0x81, 0x10, 0x51, 0x90, 0x7e, 0x16, 0x27, 0x53, 0xb5, 0x6b, 0x0f, 0x6b, 0x41,
    0x0d, 0xba, 0x74, 0xd8, 0xa8, 0x4b, 0x2a, 0x14, 0xb3, 0x14, 0x4e, 0x0e, 0xf1, 0x28, 0x47, 0x54,
    0xfd, 0x17, 0xed, 0x95, 0x0d, 0x59, 0x65, 0xb4, 0xb9, 0xdd, 0x46, 0x58, 0x2d, 0xb1, 0x17, 0x8d,
    0x16, 0x9c, 0x6b, 0xc4, 0x65, 0xb0, 0xd6, 0xff, 0x9c, 0xa3, 0x92, 0x8f, 0xef, 0x5b, 0x9a, 0xe4,
    0xe4, 0x18, 0xfc, 0x15, 0xe8, 0x3e, 0xbe, 0xa0, 0xf8, 0x7f, 0xa9, 0xff, 0x5e, 0xed, 0x70, 0x05,
    0x0d, 0xed, 0x28, 0x49, 0xf4, 0x7b, 0xf9, 0x59, 0xd9, 0x56, 0x85, 0x0c, 0xe9, 0x29, 0x85, 0x1f,
    0x0d, 0x81, 0x15, 0xf6, 0x35, 0xb1, 0x05, 0xee, 0x2e, 0x4e, 0x15, 0xd0, 0x4b, 0x24, 0x54, 0xbf,
    0x6f, 0x4f, 0xad, 0xf0, 0x34, 0xb1, 0x04, 0x03, 0x11, 0x9c, 0xd8, 0xe3, 0xb9, 0x2f, 0xcc, 0x5b,
};

/* Hashes of primes that passed. A peer cannot fill this with junk, since each entry cost it a safe prime;
 * eight are plenty, and the oldest leaves first. */
#define KNOWN 8
static struct {
  pthread_mutex_t lock;
  uint8_t hash[KNOWN][32];
  unsigned count;
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool is_known(const uint8_t hash[32])
{
  bool found = false;
  pthread_mutex_lock(&known.lock);
  unsigned n = known.count < KNOWN ? known.count : KNOWN;
  for (unsigned i = 0; i < n && !found; i++) found = memcmp(known.hash[i], hash, 32) == 0;
  pthread_mutex_unlock(&known.lock);
  return found;
}

static void remember(const uint8_t hash[32])
{
  pthread_mutex_lock(&known.lock);
  memcpy(known.hash[known.count++ % KNOWN], hash, 32);
  pthread_mutex_unlock(&known.lock);
}

int ln_dh_prove_safe_prime(struct ln_slice prime)
{
  const struct ln_openssl *o = ln_openssl();
  if (prime.n != PRIME_BYTES) return LN_E_BAD_VALUE;
  if (!o) return LN_E_CRYPTO;
  int err = LN_E_NOMEM, verdict = 0;
  BIGNUM *p = o->BN_bin2bn(prime.p, PRIME_BYTES, NULL), *half = o->BN_new();
  BN_CTX *ctx = o->BN_CTX_new();
  /* Trial division comes first in BN_check_prime: most composites cost next to nothing. 64 rounds each. */
  if (p && half && ctx && o->BN_rshift1(half, p)) {
    verdict = o->BN_num_bits(p) == 2048 ? o->BN_check_prime(p, ctx, NULL) : 0;
    if (verdict == 1) verdict = o->BN_check_prime(half, ctx, NULL);
    err = verdict == 1 ? LN_OK : verdict == 0 ? LN_E_BAD_VALUE : LN_E_CRYPTO;
  }
  o->BN_free(p);
  o->BN_free(half);
  o->BN_CTX_free(ctx);
  return err;
}

static uint32_t modulo(struct ln_slice number, uint32_t divisor)
{
  uint32_t r = 0;
  for (size_t i = 0; i < number.n; i++) r = (r << 8 | number.p[i]) % divisor;
  return r;
}

/* g generates the subgroup of order (p-1)/2 exactly where it is a quadratic residue; by the law of
 * reciprocity a remainder of p tells. */
bool ln_dh_generator_fits(struct ln_slice p, int32_t g)
{
  uint32_t r;
  switch (g) {
  case 2: return modulo(p, 8) == 7;
  case 3: return modulo(p, 3) == 2;
  case 4: return true;
  case 5: r = modulo(p, 5); return r == 1 || r == 4;
  case 6: r = modulo(p, 24); return r == 19 || r == 23;
  case 7: r = modulo(p, 7); return r == 3 || r == 5 || r == 6;
  default: return false;
  }
}

int ln_dh_check_group(struct ln_slice prime, int32_t g)
{
  if (prime.n != PRIME_BYTES || !(prime.p[0] & 0x80) || !ln_dh_generator_fits(prime, g))
    return LN_E_BAD_VALUE;
  if (memcmp(prime.p, ln_dh_telegram_prime, PRIME_BYTES) == 0) return LN_OK;
  uint8_t hash[32];
  ln_sha256(prime, hash);
  if (is_known(hash)) return LN_OK;
  int err = ln_dh_prove_safe_prime(prime);
  if (!err) remember(hash);
  return err;
}

int ln_dh_check_public(struct ln_slice prime, struct ln_slice value)
{
  const struct ln_openssl *o = ln_openssl();
  if (prime.n != PRIME_BYTES || value.n == 0 || value.n > PRIME_BYTES) return LN_E_BAD_VALUE;
  if (!o) return LN_E_CRYPTO;
  int err = LN_E_NOMEM;
  BIGNUM *p = o->BN_bin2bn(prime.p, PRIME_BYTES, NULL), *v = o->BN_bin2bn(value.p, (int)value.n, NULL);
  BIGNUM *margin = o->BN_new();
  if (p && v && margin && o->BN_set_bit(margin, MARGIN_BITS) && o->BN_sub(p, p, margin))
    err = o->BN_cmp(v, margin) >= 0 && o->BN_cmp(v, p) <= 0 ? LN_OK : LN_E_BAD_VALUE;
  o->BN_free(p);
  o->BN_free(v);
  o->BN_free(margin);
  return err;
}

static int power(struct ln_slice prime, struct ln_slice base_bytes, const uint8_t secret[256],
                 uint8_t out[256])
{
  int err = LN_E_NOMEM;
  const struct ln_openssl *o = ln_openssl();
  if (!o) return LN_E_CRYPTO;
  BIGNUM *base = o->BN_bin2bn(base_bytes.p, (int)base_bytes.n, NULL);
  BIGNUM *p = o->BN_bin2bn(prime.p, PRIME_BYTES, NULL), *r = o->BN_new(), *s = o->BN_secure_new();
  BN_CTX *ctx = o->BN_CTX_secure_new();
  if (base && p && r && s && ctx && o->BN_bin2bn(secret, 256, s)) {
    err = LN_E_CRYPTO;
    o->BN_set_flags(s, BN_FLG_CONSTTIME);
    if (o->BN_mod_exp_mont_consttime(r, base, s, p, ctx, NULL) == 1 && o->BN_bn2binpad(r, out, 256) == 256)
      err = LN_OK;
  }
  o->BN_free(p);
  o->BN_clear_free(base);
  o->BN_clear_free(r);
  o->BN_clear_free(s);
  o->BN_CTX_free(ctx);
  return err;
}

static bool usable(struct ln_slice prime)
{
  return prime.n == PRIME_BYTES && prime.p[0] & 0x80 && prime.p[PRIME_BYTES - 1] & 1;
}

int ln_dh_public(struct ln_slice prime, int32_t g, const uint8_t secret[256], uint8_t out[256])
{
  if (!usable(prime) || g < 2 || g > 7) return LN_E_BAD_VALUE;
  return power(prime, ln_slice((uint8_t[]){(uint8_t)g}, 1), secret, out);
}

int ln_dh_shared(struct ln_slice prime, struct ln_slice peer, const uint8_t secret[256], uint8_t out[256])
{
  if (!usable(prime) || peer.n == 0 || peer.n > PRIME_BYTES) return LN_E_BAD_VALUE;
  return power(prime, peer, secret, out);
}

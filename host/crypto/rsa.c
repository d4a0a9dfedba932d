/* RSA with raw numbers, and the two paddings of the key exchange around it. The client encrypts with RSA_PAD;
 * the sandbox's server decrypts both. */
#include "crypto/rsa_key.h"

#include <openssl/core_names.h>
#include "base/alloc.h"
#include "crypto/aes.h"
#include "crypto/hash.h"
#include "crypto/openssl.h"

void ln_rsa_free(struct ln_rsa *k)
{
  if (!k) return;
  OPENSSL_cleanse(k, sizeof *k);
  ln_free(k);
}

struct ln_slice ln_rsa_part(const struct ln_rsa *k, int part)
{
  size_t zeros = 0;
  while (zeros < LN_RSA_BYTES && !k->part[part][zeros]) zeros++;
  return ln_slice(k->part[part] + zeros, LN_RSA_BYTES - zeros);
}

/* Lower 64 bits of SHA1 over n and e, each as a TL string (https://core.telegram.org/mtproto/auth_key). */
static uint64_t fingerprint(const struct ln_rsa *k)
{
  uint8_t tl[260 + 4] = {0xfe, 0x00, 0x01, 0x00}, sha[20]; /* long form: 256 bytes follow */
  struct ln_slice e = ln_rsa_part(k, LN_RSA_E);            /* 1 or 3 bytes */
  memcpy(tl + 4, k->part[LN_RSA_N], LN_RSA_BYTES);
  tl[260] = (uint8_t)e.n;
  memcpy(tl + 261, e.p, e.n);
  ln_sha1(ln_slice(tl, sizeof tl), sha);
  return ln_le64(sha + 12);
}

/* out = in^part mod n; in constant time where the exponent is the private one. */
static int power(const struct ln_rsa *k, enum ln_rsa_part part, const uint8_t in[256], uint8_t out[256])
{
  const struct ln_openssl *o = ln_openssl();
  if (!o) return LN_E_CRYPTO;
  int err = LN_E_NOMEM;
  BN_CTX *ctx = o->BN_CTX_secure_new();
  BIGNUM *n = o->BN_bin2bn(k->part[LN_RSA_N], LN_RSA_BYTES, NULL), *exponent = o->BN_secure_new();
  BIGNUM *m = o->BN_bin2bn(in, LN_RSA_BYTES, NULL), *r = o->BN_new();
  if (ctx && n && m && r && exponent && o->BN_bin2bn(k->part[part], LN_RSA_BYTES, exponent)) {
    if (part == LN_RSA_D) o->BN_set_flags(exponent, BN_FLG_CONSTTIME);
    int fine = part == LN_RSA_D ? o->BN_mod_exp_mont_consttime(r, m, exponent, n, ctx, NULL)
                                : o->BN_mod_exp_mont(r, m, exponent, n, ctx, NULL);
    err = fine == 1 && o->BN_bn2binpad(r, out, LN_RSA_BYTES) == LN_RSA_BYTES ? LN_OK : LN_E_CRYPTO;
  }
  o->BN_free(n);
  o->BN_clear_free(exponent);
  o->BN_clear_free(m);
  o->BN_clear_free(r);
  o->BN_CTX_free(ctx);
  return err;
}

static bool below_n(const struct ln_rsa *k, const uint8_t number[256])
{
  return memcmp(number, k->part[LN_RSA_N], LN_RSA_BYTES) < 0;
}

int ln_rsa_key_finish(struct ln_rsa *k)
{
  struct ln_slice e = ln_rsa_part(k, LN_RSA_E);
  const uint8_t *n = k->part[LN_RSA_N];
  if (!(n[0] & 0x80) || !(n[LN_RSA_BYTES - 1] & 1)) return LN_E_BAD_KEY;
  if (!(e.n == 3 && memcmp(e.p, "\1\0\1", 3) == 0) && !(e.n == 1 && e.p[0] == 17)) return LN_E_BAD_KEY;
  k->fingerprint = fingerprint(k);
  if (!k->private) return LN_OK;
  /* A private half that belongs to another key would only show as failed handshakes. */
  uint8_t two[256] = {0}, there[256], back[256];
  two[255] = 2;
  if (ln_rsa_part(k, LN_RSA_D).n == 0) return LN_E_BAD_KEY;
  int err = power(k, LN_RSA_E, two, there);
  if (!err) err = power(k, LN_RSA_D, there, back);
  if (err) return err;
  return memcmp(two, back, sizeof two) == 0 ? LN_OK : LN_E_BAD_KEY;
}

int ln_rsa_generate(struct ln_rsa **out)
{
  static const char *const names[LN_RSA_PARTS] = {
      OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
      OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
      OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
      OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
  };
  *out = NULL;
  const struct ln_openssl *o = ln_openssl();
  if (!o) return LN_E_CRYPTO;
  struct ln_rsa *k = ln_calloc(1, sizeof *k);
  if (!k) return LN_E_NOMEM;
  k->private = true;
  EVP_PKEY *pair = o->EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
  int err = pair ? LN_OK : LN_E_CRYPTO;
  for (int i = 0; i < LN_RSA_PARTS && !err; i++) {
    BIGNUM *part = NULL;
    if (o->EVP_PKEY_get_bn_param(pair, names[i], &part) != 1 ||
        o->BN_bn2binpad(part, k->part[i], LN_RSA_BYTES) != LN_RSA_BYTES)
      err = LN_E_CRYPTO;
    o->BN_clear_free(part);
  }
  o->EVP_PKEY_free(pair);
  if (!err) err = ln_rsa_key_finish(k);
  if (err) {
    ln_rsa_free(k);
    return err;
  }
  *out = k;
  return LN_OK;
}

uint64_t ln_rsa_fingerprint(const struct ln_rsa *k)
{
  return k->fingerprint;
}

int ln_rsa_pad_encrypt(const struct ln_rsa *k, const struct ln_rng *rng, struct ln_slice data,
                       uint8_t out[256])
{
  static const uint8_t zero_iv[32];
  uint8_t padded[192], key[32], block[256], sha[32];
  if (data.n > 144) return LN_E_TOOBIG;
  if (data.n) memcpy(padded, data.p, data.n);
  int err = ln_rng_fill(rng, padded + data.n, sizeof padded - data.n);
  /* A number is at or above n with a chance of at most one half; a generator that always fails the test is
   * broken. */
  for (int tries = 0; !err; tries++) {
    if (tries == 256) {
      err = LN_E_CRYPTO;
      break;
    }
    err = ln_rng_fill(rng, key, sizeof key);
    if (err) break;
    uint8_t *body = block + 32; /* data reversed, then the hash, encrypted where they stand */
    for (size_t i = 0; i < sizeof padded; i++) body[i] = padded[sizeof padded - 1 - i];
    ln_sha256_parts((struct ln_slice[]){ln_slice(key, 32), ln_slice(padded, sizeof padded)}, 2, body + 192);
    ln_aes_ige_encrypt(key, zero_iv, body, body, 224);
    ln_sha256(ln_slice(body, 224), sha);
    for (int i = 0; i < 32; i++) block[i] = key[i] ^ sha[i];
    if (!below_n(k, block)) continue;
    err = power(k, LN_RSA_E, block, out);
    break;
  }
  OPENSSL_cleanse(padded, sizeof padded);
  OPENSSL_cleanse(key, sizeof key);
  OPENSSL_cleanse(block, sizeof block);
  return err;
}

static int decrypt(const struct ln_rsa *k, const uint8_t in[256], uint8_t out[256])
{
  if (!k->private) return LN_E_INVAL;
  if (!below_n(k, in)) return LN_E_DECRYPT;
  return power(k, LN_RSA_D, in, out);
}

int ln_rsa_pad_decrypt(const struct ln_rsa *k, const uint8_t in[256], uint8_t out[192])
{
  static const uint8_t zero_iv[32];
  uint8_t block[256], key[32], sha[32], padded[192], *body = block + 32;
  int err = decrypt(k, in, block);
  if (err) return err;
  ln_sha256(ln_slice(body, 224), sha);
  for (int i = 0; i < 32; i++) key[i] = block[i] ^ sha[i];
  ln_aes_ige_decrypt(key, zero_iv, body, body, 224);
  for (size_t i = 0; i < sizeof padded; i++) padded[i] = body[sizeof padded - 1 - i];
  ln_sha256_parts((struct ln_slice[]){ln_slice(key, 32), ln_slice(padded, sizeof padded)}, 2, sha);
  if (ln_ct_equal(sha, body + 192, 32))
    memcpy(out, padded, sizeof padded);
  else
    err = LN_E_DECRYPT;
  OPENSSL_cleanse(block, sizeof block);
  OPENSSL_cleanse(key, sizeof key);
  OPENSSL_cleanse(padded, sizeof padded);
  return err;
}

int ln_rsa_old_decrypt(const struct ln_rsa *k, const uint8_t in[256], uint8_t hash[20], uint8_t out[235])
{
  uint8_t block[256];
  int err = decrypt(k, in, block);
  if (!err && block[0] != 0) err = LN_E_DECRYPT;
  if (!err) {
    memcpy(hash, block + 1, 20);
    memcpy(out, block + 21, 235);
  }
  OPENSSL_cleanse(block, sizeof block);
  return err;
}

int ln_rsa_old_encrypt(const struct ln_rsa *k, const struct ln_rng *rng, struct ln_slice data,
                       uint8_t out[256])
{
  uint8_t block[256] = {0};
  if (data.n > 235) return LN_E_TOOBIG;
  ln_sha1(data, block + 1);
  if (data.n) memcpy(block + 21, data.p, data.n);
  int err = ln_rng_fill(rng, block + 21 + data.n, 235 - data.n);
  if (!err) err = power(k, LN_RSA_E, block, out);
  OPENSSL_cleanse(block, sizeof block);
  return err;
}

/* RSA with raw numbers, and the two paddings of the key exchange around it. The client encrypts with RSA_PAD;
 * the sandbox's server decrypts both. */
#include "crypto/rsa_key.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/core_names.h>
#include "base/alloc.h"
#include "crypto/aes.h"
#include "crypto/hash.h"
#include "crypto/init.h"

void ln_rsa_free(struct ln_rsa *k)
{
  if (!k) return;
  for (int i = 0; i < LN_RSA_PARTS; i++) BN_clear_free(k->part[i]);
  ln_free(k);
}

/* Lower 64 bits of SHA1 over n and e, each as a TL string (https://core.telegram.org/mtproto/auth_key). */
static uint64_t fingerprint(const struct ln_rsa *k)
{
  uint8_t tl[260 + 4] = {0xfe, 0x00, 0x01, 0x00}, sha[20]; /* long form: 256 bytes follow */
  BN_bn2binpad(k->part[LN_RSA_N], tl + 4, 256);
  int n = BN_num_bytes(k->part[LN_RSA_E]); /* 1 or 3 */
  tl[260] = (uint8_t)n;
  BN_bn2binpad(k->part[LN_RSA_E], tl + 261, n);
  ln_sha1(ln_slice(tl, sizeof tl), sha);
  return ln_le64(sha + 12);
}

static int power(const BIGNUM *n, const BIGNUM *exponent, bool secret, const uint8_t in[256],
                 uint8_t out[256])
{
  int err = LN_E_NOMEM;
  BN_CTX *ctx = BN_CTX_secure_new();
  BIGNUM *m = BN_bin2bn(in, 256, NULL), *r = BN_new();
  if (ctx && m && r) {
    int fine = secret ? BN_mod_exp_mont_consttime(r, m, exponent, n, ctx, NULL)
                      : BN_mod_exp_mont(r, m, exponent, n, ctx, NULL);
    err = fine == 1 && BN_bn2binpad(r, out, 256) == 256 ? LN_OK : LN_E_CRYPTO;
  }
  BN_clear_free(m);
  BN_clear_free(r);
  BN_CTX_free(ctx);
  return err;
}

static bool below_n(const struct ln_rsa *k, const uint8_t number[256])
{
  uint8_t n[256];
  BN_bn2binpad(k->part[LN_RSA_N], n, sizeof n);
  return memcmp(number, n, sizeof n) < 0;
}

int ln_rsa_key_finish(struct ln_rsa *k)
{
  const BIGNUM *n = k->part[LN_RSA_N], *e = k->part[LN_RSA_E], *d = k->part[LN_RSA_D];
  ln_crypto_init();
  if (BN_num_bits(n) != 2048 || !BN_is_odd(n)) return LN_E_BAD_KEY;
  if (!BN_is_word(e, 65537) && !BN_is_word(e, 17)) return LN_E_BAD_KEY;
  k->fingerprint = fingerprint(k);
  if (!d) return LN_OK;
  /* A private half that belongs to another key would only show as failed handshakes. */
  uint8_t two[256] = {0}, there[256], back[256];
  two[255] = 2;
  if (BN_is_zero(d) || BN_num_bits(d) > 2048) return LN_E_BAD_KEY;
  for (int i = LN_RSA_P; i < LN_RSA_PARTS; i++)
    if (BN_num_bits(k->part[i]) > 2048) return LN_E_BAD_KEY;
  BN_set_flags(k->part[LN_RSA_D], BN_FLG_CONSTTIME);
  int err = power(n, e, false, two, there);
  if (!err) err = power(n, d, true, there, back);
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
  ln_crypto_init();
  struct ln_rsa *k = ln_calloc(1, sizeof *k);
  if (!k) return LN_E_NOMEM;
  EVP_PKEY *pair = EVP_RSA_gen(2048);
  int err = pair ? LN_OK : LN_E_CRYPTO;
  for (int i = 0; i < LN_RSA_PARTS && !err; i++)
    if (EVP_PKEY_get_bn_param(pair, names[i], &k->part[i]) != 1) err = LN_E_CRYPTO;
  EVP_PKEY_free(pair);
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
    err = power(k->part[LN_RSA_N], k->part[LN_RSA_E], false, block, out);
    break;
  }
  OPENSSL_cleanse(padded, sizeof padded);
  OPENSSL_cleanse(key, sizeof key);
  OPENSSL_cleanse(block, sizeof block);
  return err;
}

static int decrypt(const struct ln_rsa *k, const uint8_t in[256], uint8_t out[256])
{
  if (!k->part[LN_RSA_D]) return LN_E_INVAL;
  if (!below_n(k, in)) return LN_E_DECRYPT;
  return power(k->part[LN_RSA_N], k->part[LN_RSA_D], true, in, out);
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
  if (!err) err = power(k->part[LN_RSA_N], k->part[LN_RSA_E], false, block, out);
  OPENSSL_cleanse(block, sizeof block);
  return err;
}

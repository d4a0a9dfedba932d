/* AES-256-IGE: the choice between the processor's instructions and OpenSSL, and the way through OpenSSL. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/aes_ige.h"

#include <pthread.h>
#include <openssl/aes.h>
#include "crypto/openssl.h"

void ln_aes_ige_encrypt(const uint8_t key[32], const uint8_t iv[32], const uint8_t *in, uint8_t *out,
                        size_t n)
{
  if (ln_aes_ige_ni_usable())
    ln_aes_ige_encrypt_ni(key, iv, in, out, n);
  else
    ln_aes_ige_encrypt_portable(key, iv, in, out, n);
}

void ln_aes_ige_decrypt(const uint8_t key[32], const uint8_t iv[32], const uint8_t *in, uint8_t *out,
                        size_t n)
{
  if (ln_aes_ige_ni_usable())
    ln_aes_ige_decrypt_ni(key, iv, in, out, n);
  else
    ln_aes_ige_decrypt_portable(key, iv, in, out, n);
}

static const struct ln_openssl *lib;
static EVP_CIPHER *ecb; /* fetched once; NULL where that failed */
static pthread_once_t ecb_once = PTHREAD_ONCE_INIT;

static void fetch_ecb(void)
{
  lib = ln_openssl();
  if (lib) ecb = lib->EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
}

/* One block at a time through EVP, which has constant-time code for most processors. Where EVP has no memory
 * left for a context, or is missing, the low-level functions do it: encryption has no way to report an error,
 * and sending unencrypted bytes must not be one. */
struct block {
  EVP_CIPHER_CTX *ctx;
  AES_KEY low;
  bool encrypt;
};

static void block_init(struct block *b, const uint8_t key[32], bool encrypt)
{
  pthread_once(&ecb_once, fetch_ecb);
  b->encrypt = encrypt;
  b->ctx = ecb ? lib->EVP_CIPHER_CTX_new() : NULL;
  if (b->ctx && (lib->EVP_CipherInit_ex2(b->ctx, ecb, key, NULL, encrypt, NULL) != 1 ||
                 lib->EVP_CIPHER_CTX_set_padding(b->ctx, 0) != 1)) {
    lib->EVP_CIPHER_CTX_free(b->ctx);
    b->ctx = NULL;
  }
  if (encrypt)
    AES_set_encrypt_key(key, 256, &b->low);
  else
    AES_set_decrypt_key(key, 256, &b->low);
}

static void block_apply(struct block *b, const uint8_t in[16], uint8_t out[16])
{
  int n = 0;
  if (b->ctx && lib->EVP_CipherUpdate(b->ctx, out, &n, in, 16) == 1 && n == 16) return;
  if (b->encrypt)
    AES_encrypt(in, out, &b->low);
  else
    AES_decrypt(in, out, &b->low);
}

static void block_deinit(struct block *b)
{
  if (b->ctx) lib->EVP_CIPHER_CTX_free(b->ctx);
  OPENSSL_cleanse(&b->low, sizeof b->low);
}

static void xor16(uint8_t out[16], const uint8_t a[16], const uint8_t b[16])
{
  uint64_t x[2], y[2];
  memcpy(x, a, 16);
  memcpy(y, b, 16);
  x[0] ^= y[0];
  x[1] ^= y[1];
  memcpy(out, x, 16);
}

/* Encryption and decryption differ in the block function and in which half of the iv meets the input:
 * out = F(in ^ before) ^ after, where `before` is the previous output and `after` the previous input. */
static void ige(const uint8_t key[32], const uint8_t *before, const uint8_t *after, const uint8_t *in,
                uint8_t *out, size_t n, bool encrypt)
{
  struct block b;
  uint8_t prev_out[16], prev_in[16], now[16], x[16];
  block_init(&b, key, encrypt);
  memcpy(prev_out, before, 16);
  memcpy(prev_in, after, 16);
  for (; n >= 16; n -= 16, in += 16, out += 16) {
    memcpy(now, in, 16);
    xor16(x, now, prev_out);
    block_apply(&b, x, x);
    xor16(prev_out, x, prev_in);
    memcpy(out, prev_out, 16);
    memcpy(prev_in, now, 16);
  }
  block_deinit(&b);
  OPENSSL_cleanse(prev_out, sizeof prev_out);
  OPENSSL_cleanse(prev_in, sizeof prev_in);
  OPENSSL_cleanse(now, sizeof now);
  OPENSSL_cleanse(x, sizeof x);
}

void ln_aes_ige_encrypt_portable(const uint8_t key[32], const uint8_t iv[32], const uint8_t *in, uint8_t *out,
                                 size_t n)
{
  ige(key, iv, iv + 16, in, out, n, true);
}

void ln_aes_ige_decrypt_portable(const uint8_t key[32], const uint8_t iv[32], const uint8_t *in, uint8_t *out,
                                 size_t n)
{
  ige(key, iv + 16, iv, in, out, n, false);
}

/* AES-256-CTR streams by EVP, for obfuscated transports and CDN files. */
#include "crypto/aes.h"

#include <limits.h>
#include <pthread.h>
#include "crypto/openssl.h"

static const struct ln_openssl *lib;
static EVP_CIPHER *ctr;
static pthread_once_t ctr_once = PTHREAD_ONCE_INIT;

static void fetch_ctr(void)
{
  lib = ln_openssl();
  if (lib) ctr = lib->EVP_CIPHER_fetch(NULL, "AES-256-CTR", NULL);
}

int ln_aes_ctr_init(struct ln_aes_ctr *c, const uint8_t key[32], const uint8_t iv[16])
{
  pthread_once(&ctr_once, fetch_ctr);
  c->ctx = NULL;
  if (!ctr) return LN_E_CRYPTO;
  EVP_CIPHER_CTX *ctx = lib->EVP_CIPHER_CTX_new();
  if (!ctx) return LN_E_NOMEM;
  if (lib->EVP_EncryptInit_ex2(ctx, ctr, key, iv, NULL) != 1) {
    lib->EVP_CIPHER_CTX_free(ctx);
    return LN_E_CRYPTO;
  }
  c->ctx = ctx;
  return LN_OK;
}

void ln_aes_ctr_apply(struct ln_aes_ctr *c, uint8_t *data, size_t n)
{
  while (n > 0) {
    /* A multiple of the block below INT_MAX. */
    int step = n > INT_MAX - 15 ? INT_MAX - 15 : (int)n, done = 0;
    if (lib->EVP_EncryptUpdate(c->ctx, data, &done, data, step) != 1 || done != step) {
      /* Not seen to happen; bytes that were not encrypted must not go out. */
      OPENSSL_cleanse(data, n);
      return;
    }
    data += step;
    n -= (size_t)step;
  }
}

void ln_aes_ctr_deinit(struct ln_aes_ctr *c)
{
  if (c->ctx) lib->EVP_CIPHER_CTX_free(c->ctx);
  c->ctx = NULL;
}

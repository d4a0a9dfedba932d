/* AES-256 in the two modes that MTProto uses: IGE for messages, CTR for obfuscated transports and CDN files.
 * https://core.telegram.org/mtproto/description, https://core.telegram.org/mtproto/mtproto-transports */
#ifndef LN_CRYPTO_AES_H
#define LN_CRYPTO_AES_H

#include "base/err.h"
#include "base/slice.h"

/* n is a multiple of 16; in == out is allowed; iv is not changed. Uses AES-NI where the processor has it,
 * else EVP. They cannot fail. */
void ln_aes_ige_encrypt(const uint8_t key[32], const uint8_t iv[32], const uint8_t *in, uint8_t *out,
                        size_t n);
void ln_aes_ige_decrypt(const uint8_t key[32], const uint8_t iv[32], const uint8_t *in, uint8_t *out,
                        size_t n);
/* The same by EVP alone, for tests against the fast path. */
void ln_aes_ige_encrypt_portable(const uint8_t key[32], const uint8_t iv[32], const uint8_t *in, uint8_t *out,
                                 size_t n);
void ln_aes_ige_decrypt_portable(const uint8_t key[32], const uint8_t iv[32], const uint8_t *in, uint8_t *out,
                                 size_t n);

/* A CTR stream; encryption and decryption are the same operation. */
struct ln_aes_ctr {
  void *ctx; /* EVP_CIPHER_CTX */
};
int ln_aes_ctr_init(struct ln_aes_ctr *c, const uint8_t key[32], const uint8_t iv[16]);
void ln_aes_ctr_apply(struct ln_aes_ctr *c, uint8_t *data, size_t n); /* in place */
void ln_aes_ctr_deinit(struct ln_aes_ctr *c);

#endif

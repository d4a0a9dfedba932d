/* Inside crypto/: the two makers of AES-IGE that aes.h chooses from. Nothing outside this folder includes it.
 */
#ifndef LN_CRYPTO_AES_IGE_H
#define LN_CRYPTO_AES_IGE_H

#include "crypto/aes.h"

/* True where this build and this processor have the AES instructions; the functions below may be called then.
 */
bool ln_aes_ige_ni_usable(void);
void ln_aes_ige_encrypt_ni(const uint8_t key[32], const uint8_t iv[32], const uint8_t *in, uint8_t *out,
                           size_t n);
void ln_aes_ige_decrypt_ni(const uint8_t key[32], const uint8_t iv[32], const uint8_t *in, uint8_t *out,
                           size_t n);

#endif

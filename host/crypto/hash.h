/* SHA-1 and SHA-256 of one or several pieces; constant-time comparison; wiping. Called by mtproto and bind.
 */
#ifndef LN_CRYPTO_HASH_H
#define LN_CRYPTO_HASH_H

#include "base/err.h"
#include "base/slice.h"

void ln_sha1(struct ln_slice data, uint8_t out[20]);
void ln_sha256(struct ln_slice data, uint8_t out[32]);
/* The hash of the pieces one after the other. */
void ln_sha1_parts(const struct ln_slice *parts, size_t n, uint8_t out[20]);
void ln_sha256_parts(const struct ln_slice *parts, size_t n, uint8_t out[32]);
/* HMAC-SHA256, for keyed ids that are made here (random_id) and for tests. */
void ln_hmac_sha256(struct ln_slice key, struct ln_slice data, uint8_t out[32]);
/* Time depends on n alone. */
bool ln_ct_equal(const void *a, const void *b, size_t n);
/* Overwrites, and is not optimised away. */
void ln_cleanse(void *p, size_t n);

#endif

/* 2048-bit Diffie-Hellman with every check that the protocol asks for. All calls are slow (2 ms a power, 300
 * ms a first prime check): run them in the thread pool. https://core.telegram.org/mtproto/auth_key, /api/srp,
 * /api/end-to-end */
#ifndef LN_CRYPTO_DH_H
#define LN_CRYPTO_DH_H

#include "base/err.h"
#include "base/slice.h"
#include "crypto/rand.h"

/* Prime of exactly 256 bytes, top bit set, p and (p-1)/2 prime (64 rounds), g in 2..7 with its residue rule.
 * Known good primes are remembered by SHA-256 (thread safe), the rule on g is checked every time.
 * LN_E_BAD_VALUE. */
int ln_dh_check_group(struct ln_slice prime, int32_t g);
/* The rule on g alone: 2..7, and a quadratic residue modulo the safe prime. */
bool ln_dh_generator_fits(struct ln_slice prime, int32_t g);
/* 2^1984 <= value <= p - 2^1984, at most 256 bytes. */
int ln_dh_check_public(struct ln_slice prime, struct ln_slice value);
/* out = g^secret mod p, left-padded to 256 bytes; constant time in the secret. */
int ln_dh_public(struct ln_slice prime, int32_t g, const uint8_t secret[256], uint8_t out[256]);
/* out = peer^secret mod p, left-padded to 256 bytes; constant time in the secret. */
int ln_dh_shared(struct ln_slice prime, struct ln_slice peer, const uint8_t secret[256], uint8_t out[256]);
/* The prime that Telegram's servers send, 256 bytes; the sandbox sends it too. ln_dh_check_group knows it
 * without the slow part of the check (dh_spec proves it), so that a first start does not pay for it. */
extern const uint8_t ln_dh_telegram_prime[256];
/* The slow part alone, whatever is remembered: 256 bytes, top bit set, p and (p-1)/2 prime. LN_E_BAD_VALUE.
 */
int ln_dh_prove_safe_prime(struct ln_slice prime);

#endif

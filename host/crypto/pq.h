/* pq = p * q of the key exchange: checked and factored.
 * https://core.telegram.org/mtproto/auth_key#dh-exchange-initiation */
#ifndef LN_CRYPTO_PQ_H
#define LN_CRYPTO_PQ_H

#include "base/err.h"
#include "base/slice.h"

/* Is v prime? Deterministic for all 64-bit numbers. */
bool ln_is_prime_u64(uint64_t v);
/* 3 < pq < 2^63, odd, composite, exactly two prime factors p < q, both of at most 32 bits. LN_E_BAD_VALUE
 * otherwise, LN_E_TIMEOUT after 2^22 steps. Brent with Montgomery arithmetic; deterministic. Takes 0.5 ms as
 * a rule: call it off the loop. */
int ln_pq_factor(uint64_t pq, uint32_t *p, uint32_t *q);
/* A random pq of two primes below 2^31, for the server. rand: 16 random bytes. */
uint64_t ln_pq_make(const uint8_t rand[16], uint32_t *p, uint32_t *q);

#endif

/* Randomness. Sans-I/O code takes a struct ln_rng, so that a test can hand it a fixed stream. */
#ifndef LN_CRYPTO_RAND_H
#define LN_CRYPTO_RAND_H

#include "base/err.h"
#include "base/slice.h"

struct ln_rng {
  int (*fill)(void *ctx, void *out, size_t n); /* LN_OK or LN_E_CRYPTO */
  void *ctx;
};

/* The kernel's CSPRNG; small requests are served from a pool that a fork empties. */
struct ln_rng ln_rng_system(void);
/* Deterministic stream from a seed (ChaCha20). For specs, simulation and faults alone. */
struct ln_rng_seeded {
  uint8_t state[64];
};
struct ln_rng ln_rng_seeded(struct ln_rng_seeded *s, uint64_t seed);
static inline int ln_rng_fill(const struct ln_rng *r, void *out, size_t n)
{
  return r->fill(r->ctx, out, n);
}

#endif

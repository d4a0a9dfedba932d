/* See backoff.h. */
#include "client/backoff.h"

/* 0 ≤ x < range; the middle where there is no randomness. */
static int64_t jitter(const struct ln_rng *rng, int64_t range)
{
  uint32_t r = UINT32_MAX / 2;
  if (ln_rng_fill(rng, &r, sizeof r)) r = UINT32_MAX / 2;
  return (int64_t)((uint64_t)range * r >> 32);
}

static int64_t doubled(int64_t first, unsigned times, int64_t most)
{
  int64_t us = first;
  while (times-- && us < most) us *= 2;
  return us < most ? us : most;
}

int64_t ln_backoff_after_good(struct ln_backoff *b)
{
  b->failures = b->floods = 0;
  return 0;
}

static int64_t again(struct ln_backoff *b, const struct ln_rng *rng, int64_t most)
{
  int64_t us = doubled(LN_US_PER_S, b->failures, most);
  if (us < most) b->failures++;
  return us - jitter(rng, us / 2);
}

int64_t ln_backoff_after_failure(struct ln_backoff *b, const struct ln_rng *rng)
{
  return again(b, rng, LN_BACKOFF_MAX_US);
}

int64_t ln_backoff_after_cut(struct ln_backoff *b, const struct ln_rng *rng)
{
  while (b->failures && LN_US_PER_S << b->failures > LN_BACKOFF_CUT_MAX_US) b->failures--;
  return again(b, rng, LN_BACKOFF_CUT_MAX_US);
}

int64_t ln_backoff_after_flood(struct ln_backoff *b, const struct ln_rng *rng)
{
  int64_t us = doubled(LN_BACKOFF_FLOOD_MIN_US, b->floods, LN_BACKOFF_FLOOD_MAX_US);
  if (b->floods < 30) b->floods++;
  us += jitter(rng, us / 2);
  return us < LN_BACKOFF_FLOOD_MAX_US ? us : LN_BACKOFF_FLOOD_MAX_US;
}

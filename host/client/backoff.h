/* How long to wait before the next try. Without I/O; used by link.c, one for each connection. */
#ifndef LN_CLIENT_BACKOFF_H
#define LN_CLIENT_BACKOFF_H

#include "base/clock.h"
#include "crypto/rand.h"

#define LN_BACKOFF_GOOD_US (10 * LN_US_PER_S) /* a connection that lived this long was a good one */
#define LN_BACKOFF_MAX_US (60 * LN_US_PER_S)
#define LN_BACKOFF_CUT_MAX_US (8 * LN_US_PER_S)
#define LN_BACKOFF_FLOOD_MIN_US (3 * LN_US_PER_S)
#define LN_BACKOFF_FLOOD_MAX_US (300 * LN_US_PER_S)

struct ln_backoff {
  unsigned failures, floods; /* in a row */
};

/* The connection had been good: what went wrong before no longer counts, and the first retry comes at once.
 */
int64_t ln_backoff_after_good(struct ln_backoff *b);
/* A failure: 1, 2, 4 … 60 s, of which a random half is taken off. */
int64_t ln_backoff_after_failure(struct ln_backoff *b, const struct ln_rng *rng);
/* A link that worked, though not for long: 1, 2, 4, 8 s, of which a random half is taken off. Updates pile up
 * meanwhile, and a line that breaks often is not mended by staying away for a minute. */
int64_t ln_backoff_after_cut(struct ln_backoff *b, const struct ln_rng *rng);
/* -429: 3, 6, 12 … 300 s, and up to half of it more. */
int64_t ln_backoff_after_flood(struct ln_backoff *b, const struct ln_rng *rng);

#endif

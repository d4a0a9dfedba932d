/* Inside store/: the peers used last, in memory. It answers most lookups without SQLite, tells that a peer
 * has not changed, and keeps those whose write is not committed yet. The owner's thread alone. */
#ifndef LN_STORE_PEER_CACHE_H
#define LN_STORE_PEER_CACHE_H

#include "store/op.h"

#define LN_PEER_CACHE_MOST 4096
#define LN_PEER_CACHE_BUCKETS 1024

struct ln_cached_peer {
  struct ln_cached_peer *id_next, *name_next; /* chains of the two indexes */
  struct ln_cached_peer *newer, *older;       /* by last use */
  int32_t account;
  bool unsaved;              /* differs from the file, and no write of it is under way */
  const struct ln_op *op;    /* the latest write under way: it stays in the cache meanwhile */
  struct ln_store_peer peer; /* its slices point into text */
  uint8_t *text;             /* owned */
};

struct ln_peer_cache {
  struct ln_cached_peer **by_id, **by_name; /* made at first use */
  struct ln_cached_peer *newest, *oldest;
  size_t n;
};

void ln_peer_cache_deinit(struct ln_peer_cache *c);
/* NULL: not here (it may be in the file). */
struct ln_cached_peer *ln_peer_cache_find(struct ln_peer_cache *c, int32_t account, int64_t id);
struct ln_cached_peer *ln_peer_cache_by_username(struct ln_peer_cache *c, int32_t account,
                                                 struct ln_slice username);
/* Adds the peer or replaces what is here of it. The texts are copied; they may be those of the entry itself.
 * NULL: no memory, nothing has changed. */
struct ln_cached_peer *ln_peer_cache_put(struct ln_peer_cache *c, int32_t account,
                                         const struct ln_store_peer *peer);
/* A write has ended; saved: it is in the file. */
void ln_peer_cache_settle(struct ln_peer_cache *c, const struct ln_op *op, bool saved);
void ln_peer_cache_forget(struct ln_peer_cache *c, int32_t account);

#endif

/* One write that waits for its commit, and the two ways in which it is found: by the queue (in order) and by
 * the overlay (by what it writes, so that reads see it). */
#ifndef LN_STORE_OP_H
#define LN_STORE_OP_H

#include "store/store.h"

/* Two neighbours (2k, 2k+1) write the same thing: the later one wins. */
enum ln_op_kind {
  LN_OP_NONE = 0, /* carries a callback only */
  LN_OP_SET = 2,
  LN_OP_DELETE = 3,
  LN_OP_AUTH_SET = 4,
  LN_OP_AUTH_DELETE = 5,
  LN_OP_PTS_SET = 6,
  LN_OP_PTS_DELETE = 7,
  LN_OP_PEER_SET = 8,
  LN_OP_INBOX_ADD = 10,
  LN_OP_INBOX_DONE = 11,
  LN_OP_ACCOUNT_ADD = 12,
  LN_OP_ACCOUNT_FORGET = 13,
};

struct ln_op {
  struct ln_op *next;         /* in its list */
  struct ln_op *overlay_next; /* owner alone */
  uint32_t hash;              /* of what it writes */
  uint8_t kind;
  bool in_overlay; /* owner alone */
  bool urgent;
  bool skip; /* writer alone: another op of the batch makes it void */
  int32_t account;
  int64_t id; /* DC and kind, box, peer, seq: by kind */
  int64_t box;
  int32_t pts, layer;
  int32_t inbox_account;     /* not in `account`: an update is found by its seq alone */
  struct ln_store_peer peer; /* its slices point into bytes */
  int err;
  ln_store_done done; /* on the last op of a group */
  void *ctx;
  uint64_t tag;
  size_t key_n, body_n;
  uint8_t bytes[]; /* key, then body */
};

/* Copies key and body. NULL: no memory. */
struct ln_op *ln_op_new(enum ln_op_kind kind, int32_t account, int64_t id, struct ln_slice key,
                        struct ln_slice body);
void ln_op_free(struct ln_op *op); /* wipes it */
bool ln_op_same(const struct ln_op *a, const struct ln_op *b);
uint32_t ln_op_hash(unsigned kind, int32_t account, int64_t id, struct ln_slice key);

static inline size_t ln_op_size(const struct ln_op *op)
{
  return sizeof *op + op->key_n + op->body_n;
}

static inline struct ln_slice ln_op_key(const struct ln_op *op)
{
  return ln_slice(op->bytes, op->key_n);
}

static inline struct ln_slice ln_op_body(const struct ln_op *op)
{
  return ln_slice(op->bytes + op->key_n, op->body_n);
}

struct ln_op_list {
  struct ln_op *first, *last;
  size_t n;
};

void ln_op_list_push(struct ln_op_list *l, struct ln_op *op);
/* Moves all of `from` to the end of `to`. */
void ln_op_list_append(struct ln_op_list *to, struct ln_op_list *from);
struct ln_op *ln_op_list_pop(struct ln_op_list *l);

/* The latest op for each thing that is written and not yet polled. */
#define LN_OVERLAY_BUCKETS 256
struct ln_overlay {
  struct ln_op *bucket[LN_OVERLAY_BUCKETS];
};

void ln_overlay_add(struct ln_overlay *o, struct ln_op *op); /* replaces the op for the same thing */
void ln_overlay_remove(struct ln_overlay *o, struct ln_op *op);
void ln_overlay_forget(struct ln_overlay *o, int32_t account);
/* kind: either of the pair. NULL: nothing waits. */
const struct ln_op *ln_overlay_find(const struct ln_overlay *o, unsigned kind, int32_t account, int64_t id,
                                    struct ln_slice key);

#endif

/* See op.h. */
#include "store/op.h"

#include "base/alloc.h"

uint32_t ln_op_hash(unsigned kind, int32_t account, int64_t id, struct ln_slice key)
{
  uint64_t h = UINT64_C(0xcbf29ce484222325) ^ (kind / 2);
  h = (h ^ (uint32_t)account) * UINT64_C(0x100000001b3);
  h = (h ^ (uint64_t)id) * UINT64_C(0x9e3779b97f4a7c15);
  for (size_t i = 0; i < key.n; i++) h = (h ^ key.p[i]) * UINT64_C(0x100000001b3);
  return (uint32_t)(h ^ h >> 32);
}

struct ln_op *ln_op_new(enum ln_op_kind kind, int32_t account, int64_t id, struct ln_slice key,
                        struct ln_slice body)
{
  struct ln_op *op = ln_malloc(sizeof *op + key.n + body.n);
  if (!op) return NULL;
  memset(op, 0, sizeof *op);
  op->kind = (uint8_t)kind;
  op->account = account;
  op->id = id;
  op->key_n = key.n;
  op->body_n = body.n;
  if (key.n) memcpy(op->bytes, key.p, key.n);
  if (body.n) memcpy(op->bytes + key.n, body.p, body.n);
  op->hash = ln_op_hash(kind, account, id, key);
  return op;
}

void ln_op_free(struct ln_op *op)
{
  if (!op) return;
  if (op->kind == LN_OP_AUTH_SET || op->kind == LN_OP_SET) explicit_bzero(op->bytes, op->key_n + op->body_n);
  ln_free(op);
}

bool ln_op_same(const struct ln_op *a, const struct ln_op *b)
{
  return a->hash == b->hash && a->kind / 2 == b->kind / 2 && a->account == b->account && a->id == b->id &&
         ln_slice_equal(ln_op_key(a), ln_op_key(b));
}

void ln_op_list_push(struct ln_op_list *l, struct ln_op *op)
{
  op->next = NULL;
  if (l->last)
    l->last->next = op;
  else
    l->first = op;
  l->last = op;
  l->n++;
}

void ln_op_list_append(struct ln_op_list *to, struct ln_op_list *from)
{
  if (!from->first) return;
  if (to->last)
    to->last->next = from->first;
  else
    to->first = from->first;
  to->last = from->last;
  to->n += from->n;
  memset(from, 0, sizeof *from);
}

struct ln_op *ln_op_list_pop(struct ln_op_list *l)
{
  struct ln_op *op = l->first;
  if (!op) return NULL;
  l->first = op->next;
  if (!l->first) l->last = NULL;
  l->n--;
  op->next = NULL;
  return op;
}

void ln_overlay_add(struct ln_overlay *o, struct ln_op *op)
{
  struct ln_op **at = &o->bucket[op->hash % LN_OVERLAY_BUCKETS];
  for (struct ln_op **p = at; *p; p = &(*p)->overlay_next) {
    if (!ln_op_same(*p, op)) continue;
    struct ln_op *old = *p;
    *p = old->overlay_next;
    old->in_overlay = false;
    break;
  }
  op->overlay_next = *at;
  op->in_overlay = true;
  *at = op;
}

void ln_overlay_remove(struct ln_overlay *o, struct ln_op *op)
{
  if (!op->in_overlay) return;
  for (struct ln_op **p = &o->bucket[op->hash % LN_OVERLAY_BUCKETS]; *p; p = &(*p)->overlay_next) {
    if (*p != op) continue;
    *p = op->overlay_next;
    break;
  }
  op->in_overlay = false;
}

void ln_overlay_forget(struct ln_overlay *o, int32_t account)
{
  for (size_t i = 0; i < LN_OVERLAY_BUCKETS; i++) {
    struct ln_op **p = &o->bucket[i];
    while (*p) {
      struct ln_op *op = *p;
      if (op->account == account) {
        *p = op->overlay_next;
        op->in_overlay = false;
      } else {
        p = &op->overlay_next;
      }
    }
  }
}

const struct ln_op *ln_overlay_find(const struct ln_overlay *o, unsigned kind, int32_t account, int64_t id,
                                    struct ln_slice key)
{
  uint32_t hash = ln_op_hash(kind, account, id, key);
  for (const struct ln_op *op = o->bucket[hash % LN_OVERLAY_BUCKETS]; op; op = op->overlay_next)
    if (op->hash == hash && op->kind / 2 == kind / 2 && op->account == account && op->id == id &&
        ln_slice_equal(ln_op_key(op), key))
      return op;
  return NULL;
}

/* See peer_cache.h. */
#include "store/peer_cache.h"

#include "base/alloc.h"

static size_t id_bucket(int32_t account, int64_t id)
{
  return ln_op_hash(LN_OP_PEER_SET, account, id, ln_slice(NULL, 0)) % LN_PEER_CACHE_BUCKETS;
}

static uint8_t lower(uint8_t c)
{
  return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static size_t name_bucket(int32_t account, struct ln_slice name)
{
  uint32_t h = 2166136261u ^ (uint32_t)account;
  for (size_t i = 0; i < name.n; i++) h = (h ^ lower(name.p[i])) * 16777619u;
  return (h ^ h >> 16) % LN_PEER_CACHE_BUCKETS;
}

static bool same_name(struct ln_slice a, struct ln_slice b)
{
  if (a.n != b.n) return false;
  for (size_t i = 0; i < a.n; i++)
    if (lower(a.p[i]) != lower(b.p[i])) return false;
  return true;
}

static void name_link(struct ln_peer_cache *c, struct ln_cached_peer *e)
{
  if (!e->peer.username.n) return;
  struct ln_cached_peer **at = &c->by_name[name_bucket(e->account, e->peer.username)];
  e->name_next = *at;
  *at = e;
}

static void name_unlink(struct ln_peer_cache *c, struct ln_cached_peer *e)
{
  if (!e->peer.username.n) return;
  struct ln_cached_peer **p = &c->by_name[name_bucket(e->account, e->peer.username)];
  while (*p != e) p = &(*p)->name_next;
  *p = e->name_next;
}

static void use_unlink(struct ln_peer_cache *c, struct ln_cached_peer *e)
{
  *(e->newer ? &e->newer->older : &c->newest) = e->older;
  *(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void use_link(struct ln_peer_cache *c, struct ln_cached_peer *e)
{
  e->newer = NULL;
  e->older = c->newest;
  *(e->older ? &e->older->newer : &c->oldest) = e;
  c->newest = e;
}

static void take_out(struct ln_peer_cache *c, struct ln_cached_peer *e)
{
  struct ln_cached_peer **p = &c->by_id[id_bucket(e->account, e->peer.id)];
  while (*p != e) p = &(*p)->id_next;
  *p = e->id_next;
  name_unlink(c, e);
  use_unlink(c, e);
  c->n--;
  ln_free(e->text);
  ln_free(e);
}

void ln_peer_cache_deinit(struct ln_peer_cache *c)
{
  while (c->newest) take_out(c, c->newest);
  ln_free(c->by_id);
  ln_free(c->by_name);
  memset(c, 0, sizeof *c);
}

struct ln_cached_peer *ln_peer_cache_find(struct ln_peer_cache *c, int32_t account, int64_t id)
{
  if (!c->by_id) return NULL;
  for (struct ln_cached_peer *e = c->by_id[id_bucket(account, id)]; e; e = e->id_next) {
    if (e->peer.id != id || e->account != account) continue;
    use_unlink(c, e);
    use_link(c, e);
    return e;
  }
  return NULL;
}

struct ln_cached_peer *ln_peer_cache_by_username(struct ln_peer_cache *c, int32_t account,
                                                 struct ln_slice username)
{
  if (!c->by_name || !username.n) return NULL;
  for (struct ln_cached_peer *e = c->by_name[name_bucket(account, username)]; e; e = e->name_next)
    if (e->account == account && same_name(e->peer.username, username)) return e;
  return NULL;
}

/* Entries whose write is under way stay; there are never more of them than the queue holds. */
static void make_room(struct ln_peer_cache *c)
{
  struct ln_cached_peer *e = c->oldest, *newer;
  for (int i = 0; i < 32 && e && c->n >= LN_PEER_CACHE_MOST; i++, e = newer) {
    newer = e->newer;
    if (!e->op) take_out(c, e);
  }
}

struct ln_cached_peer *ln_peer_cache_put(struct ln_peer_cache *c, int32_t account,
                                         const struct ln_store_peer *peer)
{
  if (!c->by_id) {
    struct ln_cached_peer **ids = ln_calloc(LN_PEER_CACHE_BUCKETS, sizeof(void *));
    struct ln_cached_peer **names = ln_calloc(LN_PEER_CACHE_BUCKETS, sizeof(void *));
    if (!ids || !names) {
      ln_free(ids);
      ln_free(names);
      return NULL;
    }
    c->by_id = ids;
    c->by_name = names;
  }
  struct ln_store_peer p = *peer;
  struct ln_slice *fields[3] = {&p.username, &p.phone, &p.name};
  size_t n = p.username.n + p.phone.n + p.name.n;
  uint8_t *text = ln_malloc(n ? n : 1), *t = text;
  if (!text) return NULL;
  for (int i = 0; i < 3; i++) {
    if (fields[i]->n) memcpy(t, fields[i]->p, fields[i]->n);
    *fields[i] = ln_slice(t, fields[i]->n);
    t += fields[i]->n;
  }
  struct ln_cached_peer *e = ln_peer_cache_find(c, account, p.id);
  if (e) {
    name_unlink(c, e);
    ln_free(e->text);
  } else {
    make_room(c);
    e = ln_calloc(1, sizeof *e);
    if (!e) {
      ln_free(text);
      return NULL;
    }
    e->account = account;
    struct ln_cached_peer **at = &c->by_id[id_bucket(account, p.id)];
    e->id_next = *at;
    *at = e;
    use_link(c, e);
    c->n++;
  }
  e->peer = p;
  e->text = text;
  name_link(c, e);
  return e;
}

void ln_peer_cache_settle(struct ln_peer_cache *c, const struct ln_op *op, bool saved)
{
  if (!c->by_id) return;
  /* Not by ln_peer_cache_find: this is no use of the peer. */
  for (struct ln_cached_peer *e = c->by_id[id_bucket(op->account, op->id)]; e; e = e->id_next) {
    if (e->op != op) continue;
    e->op = NULL;
    e->unsaved = !saved;
    return;
  }
}

void ln_peer_cache_forget(struct ln_peer_cache *c, int32_t account)
{
  struct ln_cached_peer *e = c->newest, *older;
  for (; e; e = older) {
    older = e->older;
    if (e->account == account) take_out(c, e);
  }
}

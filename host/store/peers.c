/* Peers: what is known of users, chats and channels, merged from every update and answer that names them. */
#include "store/internal.h"

#define MAX_USERNAME 64
#define MAX_PHONE 32
#define MAX_PEER_NAME 512

static int from_row(struct ln_store *s, int32_t account, sqlite3_stmt *st, struct ln_cached_peer **out)
{
  struct ln_store_peer p = {
      .id = sqlite3_column_int64(st, 0),
      .type = (enum ln_peer_type)sqlite3_column_int(st, 1),
      .min = sqlite3_column_int(st, 2) != 0,
      .has_hash = sqlite3_column_type(st, 3) != SQLITE_NULL,
      .access_hash = sqlite3_column_int64(st, 3),
  };
  struct ln_slice *fields[3] = {&p.username, &p.phone, &p.name};
  for (int i = 0; i < 3; i++) {
    const unsigned char *text = sqlite3_column_text(st, 4 + i);
    *fields[i] = ln_slice(text, text ? (size_t)sqlite3_column_bytes(st, 4 + i) : 0);
  }
  /* What is in the cache is newer than the file, or the same. */
  *out = ln_peer_cache_find(&s->peers, account, p.id);
  if (!*out) *out = ln_peer_cache_put(&s->peers, account, &p);
  return *out ? LN_OK : LN_E_NOMEM;
}

static int read_peer(struct ln_store *s, int32_t account, sqlite3_stmt *st, struct ln_cached_peer **out)
{
  int code = sqlite3_step(st), err;
  if (code == SQLITE_ROW)
    err = from_row(s, account, st, out);
  else
    err = code == SQLITE_DONE ? LN_E_NOT_FOUND : ln_store_read_failed(s, code);
  sqlite3_reset(st);
  return err;
}

static int by_id(struct ln_store *s, int32_t account, int64_t id, struct ln_cached_peer **out)
{
  *out = ln_peer_cache_find(&s->peers, account, id);
  if (*out) return LN_OK;
  struct ln_db *db = ln_store_reader(s);
  sqlite3_stmt *st = ln_db_use(db, LN_DB_PEER_GET);
  if (!st) return ln_store_read_failed(s, sqlite3_extended_errcode(db->db));
  sqlite3_bind_int(st, 1, account);
  sqlite3_bind_int64(st, 2, id);
  return read_peer(s, account, st, out);
}

static int by_username(struct ln_store *s, int32_t account, struct ln_slice username,
                       struct ln_cached_peer **out)
{
  *out = ln_peer_cache_by_username(&s->peers, account, username);
  if (*out) return LN_OK;
  if (username.n == 0 || username.n > MAX_USERNAME) return LN_E_NOT_FOUND;
  struct ln_db *db = ln_store_reader(s);
  sqlite3_stmt *st = ln_db_use(db, LN_DB_PEER_BY_USERNAME);
  if (!st) return ln_store_read_failed(s, sqlite3_extended_errcode(db->db));
  sqlite3_bind_int(st, 1, account);
  sqlite3_bind_text(st, 2, (const char *)username.p, (int)username.n, SQLITE_TRANSIENT);
  int err = read_peer(s, account, st, out);
  if (err) return err;
  /* The file may be behind: the peer may have another name by now. */
  return *out == ln_peer_cache_by_username(&s->peers, account, username) ? LN_OK : LN_E_NOT_FOUND;
}

/* Makes the peer known and queues its row. */
static int save(struct ln_store *s, int32_t account, const struct ln_store_peer *peer)
{
  uint8_t text[MAX_USERNAME + MAX_PHONE + MAX_PEER_NAME], *t = text;
  struct ln_store_peer p = *peer;
  struct ln_slice *fields[3] = {&p.username, &p.phone, &p.name};
  for (int i = 0; i < 3; i++) {
    if (fields[i]->n) memcpy(t, fields[i]->p, fields[i]->n);
    t += fields[i]->n;
  }
  struct ln_op *op =
      ln_op_new(LN_OP_PEER_SET, account, p.id, ln_slice(NULL, 0), ln_slice(text, (size_t)(t - text)));
  if (!op) return ln_store_refuse(s, LN_E_NOMEM);
  const uint8_t *at = op->bytes;
  op->peer = p;
  op->peer.username = ln_slice(at, p.username.n);
  op->peer.phone = ln_slice(at + p.username.n, p.phone.n);
  op->peer.name = ln_slice(at + p.username.n + p.phone.n, p.name.n);
  struct ln_cached_peer *e = ln_peer_cache_put(&s->peers, account, &op->peer);
  if (!e) {
    ln_op_free(op);
    return ln_store_refuse(s, LN_E_NOMEM);
  }
  e->op = op;
  return ln_store_submit(s, op); /* where it fails it settles the entry */
}

static bool equal(const struct ln_store_peer *a, const struct ln_store_peer *b)
{
  return a->type == b->type && a->min == b->min && a->has_hash == b->has_hash &&
         (!a->has_hash || a->access_hash == b->access_hash) && ln_slice_equal(a->username, b->username) &&
         ln_slice_equal(a->phone, b->phone) && ln_slice_equal(a->name, b->name);
}

static struct ln_store_peer merge(const struct ln_store_peer *old, const struct ln_store_peer *new)
{
  struct ln_store_peer p = *new;
  if (new->min && !old->min) {
    p = *old;
    if (new->name.n) p.name = new->name;
    return p;
  }
  if (!p.has_hash && !(old->min && !new->min)) {
    /* A hash that came with `min` is no hash for a full record. */
    p.has_hash = old->has_hash;
    p.access_hash = old->access_hash;
  }
  if (!p.phone.n) p.phone = old->phone;
  return p;
}

int ln_store_peer_put(struct ln_store *s, int32_t account, const struct ln_store_peer *peer)
{
  struct ln_cached_peer *e, *other;
  struct ln_store_peer p = *peer;
  if (!ln_store_has_account(s, account) || p.type < LN_PEER_USER || p.type > LN_PEER_CHANNEL)
    return ln_store_refuse(s, LN_E_INVAL);
  if (p.username.n > MAX_USERNAME || p.phone.n > MAX_PHONE || p.name.n > MAX_PEER_NAME)
    return ln_store_refuse(s, LN_E_TOOBIG);
  int err = by_id(s, account, p.id, &e);
  if (err && err != LN_E_NOT_FOUND) return ln_store_refuse(s, err);
  if (!err) {
    p = merge(&e->peer, &p);
    if (equal(&p, &e->peer) && !e->unsaved) return LN_OK;
  }
  /* The merged texts may point into the entry; looking for the name's holder can evict it. */
  uint8_t text[MAX_USERNAME + MAX_PHONE + MAX_PEER_NAME], *t = text;
  struct ln_slice *fields[3] = {&p.username, &p.phone, &p.name};
  for (int i = 0; i < 3; i++) {
    if (fields[i]->n) memcpy(t, fields[i]->p, fields[i]->n);
    fields[i]->p = t;
    t += fields[i]->n;
  }
  if (p.username.n) {
    err = by_username(s, account, p.username, &other);
    if (err && err != LN_E_NOT_FOUND) return ln_store_refuse(s, err);
    if (!err && other->peer.id != p.id) {
      struct ln_store_peer without = other->peer;
      without.username = ln_slice(NULL, 0);
      err = save(s, account, &without);
      if (err) return err;
    }
  }
  return save(s, account, &p);
}

int ln_store_peer_get(struct ln_store *s, int32_t account, int64_t id, struct ln_store_peer *out)
{
  struct ln_cached_peer *e;
  int err = by_id(s, account, id, &e);
  if (!err) *out = e->peer;
  return err;
}

int ln_store_peer_by_username(struct ln_store *s, int32_t account, struct ln_slice username,
                              struct ln_store_peer *out)
{
  struct ln_cached_peer *e;
  int err = by_username(s, account, username, &e);
  if (!err) *out = e->peer;
  return err;
}

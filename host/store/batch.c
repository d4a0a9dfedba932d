/* A batch of writes in one transaction. Ops that a later one of the batch makes void are left out: of ten new
 * values of a key the last is written, and an update that was added and done within a batch not at all. */
#include "base/alloc.h"
#include "store/internal.h"

/* Marks what is void. Without memory for the table all is written: slower, not wrong. */
static void mark_void(struct ln_op *ops, size_t n)
{
  size_t cap = 16;
  for (struct ln_op *op = ops; op; op = op->next) op->skip = op->kind == LN_OP_NONE;
  if (n < 2) return;
  while (cap < 2 * n) cap *= 2;
  struct ln_op **table = ln_calloc(cap, sizeof *table);
  if (!table) return;
  for (struct ln_op *op = ops; op; op = op->next) {
    if (op->skip) continue;
    size_t i = op->hash & (cap - 1);
    while (table[i] && !ln_op_same(table[i], op)) i = (i + 1) & (cap - 1);
    struct ln_op *before = table[i];
    if (before) {
      before->skip = true;
      if (before->kind == LN_OP_INBOX_ADD && op->kind == LN_OP_INBOX_DONE) op->skip = true;
    }
    table[i] = op;
  }
  ln_free(table);
}

static void bind_blob(sqlite3_stmt *st, int at, struct ln_slice s)
{
  if (s.n)
    sqlite3_bind_blob(st, at, s.p, (int)s.n, SQLITE_STATIC);
  else
    sqlite3_bind_zeroblob(st, at, 0);
}

/* Empty text becomes NULL. */
static void bind_text(sqlite3_stmt *st, int at, struct ln_slice s)
{
  if (s.n) sqlite3_bind_text(st, at, (const char *)s.p, (int)s.n, SQLITE_STATIC);
}

static int forget(struct ln_db *db, int32_t account)
{
  int code = SQLITE_OK;
  for (int i = LN_DB_FORGET_ACCOUNT; i <= LN_DB_FORGET_INBOX && !code; i++) {
    sqlite3_stmt *st = ln_db_use(db, (enum ln_db_statement)i);
    if (st) sqlite3_bind_int(st, 1, account);
    code = ln_db_run(db, st);
  }
  return code;
}

static void bind_auth(sqlite3_stmt *st, const struct ln_op *op)
{
  struct ln_slice b = ln_op_body(op); /* key 256, salt 8, offset 8, created 8, salts; see values.c */
  sqlite3_bind_int64(st, 2, op->id >> 8);
  sqlite3_bind_int64(st, 3, op->id & 0xff);
  bind_blob(st, 4, ln_slice(b.p, 256));
  sqlite3_bind_int64(st, 5, (int64_t)ln_le64(b.p + 256));
  sqlite3_bind_int64(st, 6, (int64_t)ln_le64(b.p + 264));
  sqlite3_bind_int64(st, 7, (int64_t)ln_le64(b.p + 272));
  bind_blob(st, 8, ln_slice_from(b, 280));
}

static void bind_peer(sqlite3_stmt *st, const struct ln_store_peer *p)
{
  sqlite3_bind_int(st, 3, (int)p->type);
  sqlite3_bind_int(st, 4, p->min);
  if (p->has_hash) sqlite3_bind_int64(st, 5, p->access_hash);
  bind_text(st, 6, p->username);
  bind_text(st, 7, p->phone);
  bind_text(st, 8, p->name);
}

/* The statement of each kind: most take the account first and the id second. */
static int run(struct ln_db *db, const struct ln_op *op)
{
  static const uint8_t statement[] = {
      [LN_OP_SET] = LN_DB_SET,
      [LN_OP_DELETE] = LN_DB_DELETE,
      [LN_OP_AUTH_SET] = LN_DB_AUTH_SET,
      [LN_OP_AUTH_DELETE] = LN_DB_AUTH_DELETE,
      [LN_OP_PTS_SET] = LN_DB_PTS_SET,
      [LN_OP_PTS_DELETE] = LN_DB_PTS_DELETE,
      [LN_OP_PEER_SET] = LN_DB_PEER_SET,
      [LN_OP_INBOX_ADD] = LN_DB_INBOX_ADD,
      [9] = 0,
      [LN_OP_INBOX_DONE] = LN_DB_INBOX_DONE,
      [LN_OP_ACCOUNT_ADD] = LN_DB_ACCOUNT_ADD,
  };
  if (op->kind == LN_OP_ACCOUNT_FORGET) return forget(db, op->account);
  sqlite3_stmt *st = ln_db_use(db, (enum ln_db_statement)statement[op->kind]);
  if (!st) return sqlite3_extended_errcode(db->db);
  if (op->kind == LN_OP_INBOX_ADD || op->kind == LN_OP_INBOX_DONE) {
    sqlite3_bind_int64(st, 1, op->id);
  } else {
    sqlite3_bind_int(st, 1, op->account);
  }
  switch (op->kind) {
  case LN_OP_SET: bind_blob(st, 3, ln_op_body(op)); /* fall through */
  case LN_OP_DELETE:
  case LN_OP_ACCOUNT_ADD:
    sqlite3_bind_text(st, 2, (const char *)op->bytes, (int)op->key_n, SQLITE_STATIC);
    break;
  case LN_OP_AUTH_SET: bind_auth(st, op); break;
  case LN_OP_AUTH_DELETE:
    sqlite3_bind_int64(st, 2, op->id >> 8);
    sqlite3_bind_int64(st, 3, op->id & 0xff);
    break;
  case LN_OP_PTS_SET: sqlite3_bind_int(st, 3, op->pts); /* fall through */
  case LN_OP_PTS_DELETE: sqlite3_bind_int64(st, 2, op->id); break;
  case LN_OP_PEER_SET:
    sqlite3_bind_int64(st, 2, op->id);
    bind_peer(st, &op->peer);
    break;
  case LN_OP_INBOX_ADD:
    sqlite3_bind_int(st, 2, op->inbox_account);
    sqlite3_bind_int64(st, 3, op->box);
    sqlite3_bind_int(st, 4, op->pts);
    sqlite3_bind_int(st, 5, op->layer);
    bind_blob(st, 6, ln_op_body(op));
    break;
  default: break;
  }
  int code = ln_db_run(db, st);
  /* SQLite keeps pointers to what is bound. */
  sqlite3_clear_bindings(st);
  return code;
}

int ln_store_run_batch(struct ln_db *db, struct ln_op *ops, size_t n)
{
  bool open = false;
  int code = SQLITE_OK;
  mark_void(ops, n);
  for (struct ln_op *op = ops; op && !code; op = op->next) {
    if (op->skip) continue;
    if (!open) {
      code = ln_db_run(db, ln_db_use(db, LN_DB_BEGIN));
      if (code) return code;
      open = true;
    }
    code = run(db, op);
  }
  if (open && !code) code = ln_db_run(db, ln_db_use(db, LN_DB_COMMIT));
  /* Some errors have ended the transaction already. */
  if (code && !sqlite3_get_autocommit(db->db)) ln_db_run(db, ln_db_use(db, LN_DB_ROLLBACK));
  return code;
}

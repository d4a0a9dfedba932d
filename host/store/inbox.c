/* Raw updates from their arrival to the end of their handlers. */
#include "store/internal.h"

int ln_store_load_seq(struct ln_store *s)
{
  struct ln_db *db = ln_store_reader(s);
  sqlite3_stmt *st = ln_db_use(db, LN_DB_LAST_SEQ);
  int code = st ? sqlite3_step(st) : sqlite3_extended_errcode(db->db);
  if (code == SQLITE_ROW) {
    int64_t last = sqlite3_column_int64(st, 0);
    s->next_seq = last < 0 ? 1 : (uint64_t)last + 1;
  }
  sqlite3_reset(st);
  return ln_db_error(code);
}

int ln_store_inbox_add(struct ln_store *s, int32_t account, const struct ln_store_update *u, uint64_t *seq)
{
  int err = ln_store_has_account(s, account) ? LN_OK : LN_E_INVAL;
  if (!err && (u->body.n > LN_STORE_MAX_BLOB || s->next_seq >= INT64_MAX)) err = LN_E_TOOBIG;
  if (err) return ln_store_refuse(s, err);
  struct ln_op *op = ln_op_new(LN_OP_INBOX_ADD, 0, (int64_t)s->next_seq, ln_slice(NULL, 0), u->body);
  if (op) {
    op->inbox_account = account;
    op->box = u->box;
    op->pts = u->pts;
    op->layer = u->layer;
  }
  err = ln_store_submit(s, op);
  if (err) return err;
  *seq = s->next_seq++;
  return LN_OK;
}

int ln_store_inbox_done(struct ln_store *s, uint64_t seq)
{
  if (seq == 0 || seq >= s->next_seq) return ln_store_refuse(s, LN_E_INVAL);
  return ln_store_submit(s,
                         ln_op_new(LN_OP_INBOX_DONE, 0, (int64_t)seq, ln_slice(NULL, 0), ln_slice(NULL, 0)));
}

int ln_store_inbox_each(struct ln_store *s, int32_t account, uint64_t after, size_t max,
                        int (*fn)(void *ctx, const struct ln_store_update *u), void *ctx)
{
  int err = ln_store_flush(s), code = SQLITE_DONE;
  if (err) return err;
  struct ln_db *db = ln_store_reader(s);
  sqlite3_stmt *st = ln_db_use(db, LN_DB_INBOX_EACH);
  if (!st) return ln_store_read_failed(s, sqlite3_extended_errcode(db->db));
  sqlite3_bind_int(st, 1, account);
  sqlite3_bind_int64(st, 2, after > INT64_MAX ? INT64_MAX : (int64_t)after);
  sqlite3_bind_int64(st, 3, max == 0 || max > INT64_MAX ? -1 : (int64_t)max);
  int stop = 0;
  while (!stop && (code = sqlite3_step(st)) == SQLITE_ROW) {
    const void *body = sqlite3_column_blob(st, 4);
    struct ln_store_update u = {
        .seq = (uint64_t)sqlite3_column_int64(st, 0),
        .box = sqlite3_column_int64(st, 1),
        .pts = sqlite3_column_int(st, 2),
        .layer = sqlite3_column_int(st, 3),
        .body = ln_slice(body, body ? (size_t)sqlite3_column_bytes(st, 4) : 0),
    };
    stop = fn(ctx, &u);
  }
  sqlite3_reset(st);
  return code == SQLITE_DONE || code == SQLITE_ROW ? LN_OK : ln_store_read_failed(s, code);
}

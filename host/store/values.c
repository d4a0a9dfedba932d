/* What is stored by a key and replaced as a whole: values, auth keys, pts. */
#include "store/internal.h"

#define AUTH_FIXED 280 /* key 256, salt, offset, created */

static const struct ln_slice nothing = {NULL, 0};

/* One row of a prepared and bound statement: SQLITE_ROW with the row at hand, else reset and an LN_E_*. */
static int read_row(struct ln_store *s, sqlite3_stmt *st)
{
  int code = sqlite3_step(st);
  if (code == SQLITE_ROW) return LN_OK;
  sqlite3_reset(st);
  return code == SQLITE_DONE ? LN_E_NOT_FOUND : ln_store_read_failed(s, code);
}

static sqlite3_stmt *use(struct ln_store *s, enum ln_db_statement which, int32_t account, int *err)
{
  struct ln_db *db = ln_store_reader(s);
  sqlite3_stmt *st = ln_db_use(db, which);
  if (st)
    sqlite3_bind_int(st, 1, account);
  else
    *err = ln_store_read_failed(s, sqlite3_extended_errcode(db->db));
  return st;
}

static int check_key(const struct ln_store *s, int32_t account, struct ln_slice key)
{
  return key.n >= 1 && key.n <= LN_STORE_MAX_KEY && ln_store_has_account(s, account) ? LN_OK : LN_E_INVAL;
}

int ln_store_set(struct ln_store *s, int32_t account, const char *key, struct ln_slice value)
{
  struct ln_slice k = ln_slice_str(key);
  int err = check_key(s, account, k);
  if (!err && value.n > LN_STORE_MAX_BLOB) err = LN_E_TOOBIG;
  if (err) return ln_store_refuse(s, err);
  return ln_store_submit(s, ln_op_new(LN_OP_SET, account, 0, k, value));
}

int ln_store_delete(struct ln_store *s, int32_t account, const char *key)
{
  struct ln_slice k = ln_slice_str(key);
  int err = check_key(s, account, k);
  if (err) return ln_store_refuse(s, err);
  return ln_store_submit(s, ln_op_new(LN_OP_DELETE, account, 0, k, nothing));
}

int ln_store_get(struct ln_store *s, int32_t account, const char *key, struct ln_buf *out)
{
  struct ln_slice k = ln_slice_str(key);
  int err = check_key(s, account, k);
  if (err) return err;
  const struct ln_op *op = ln_overlay_find(&s->overlay, LN_OP_SET, account, 0, k);
  if (op) {
    struct ln_slice body = ln_op_body(op);
    return op->kind == LN_OP_DELETE ? LN_E_NOT_FOUND : ln_buf_append(out, body.p, body.n);
  }
  sqlite3_stmt *st = use(s, LN_DB_GET, account, &err);
  if (!st) return err;
  sqlite3_bind_text(st, 2, key, (int)k.n, SQLITE_STATIC);
  err = read_row(s, st);
  if (err) return err;
  err = ln_buf_append(out, sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0));
  sqlite3_reset(st);
  return err;
}

static int check_auth(const struct ln_store *s, int32_t account, int32_t dc, enum ln_auth_kind kind)
{
  return ln_store_has_account(s, account) && dc >= 0 && kind <= 0xff ? LN_OK : LN_E_INVAL;
}

int ln_store_auth_set(struct ln_store *s, int32_t account, int32_t dc, enum ln_auth_kind kind,
                      const struct ln_store_auth *auth)
{
  uint8_t body[AUTH_FIXED + 24 * LN_STORE_SALTS], *p = body + AUTH_FIXED;
  int err = check_auth(s, account, dc, kind);
  if (!err && auth->n_salts > LN_STORE_SALTS) err = LN_E_TOOBIG;
  if (err) return ln_store_refuse(s, err);
  memcpy(body, auth->key, 256);
  ln_put_le64(body + 256, auth->salt);
  ln_put_le64(body + 264, (uint64_t)auth->offset_us);
  ln_put_le64(body + 272, (uint64_t)auth->created);
  for (size_t i = 0; i < auth->n_salts; i++, p += 24) {
    ln_put_le64(p, auth->salts[i].salt);
    ln_put_le64(p + 8, (uint64_t)auth->salts[i].valid_since);
    ln_put_le64(p + 16, (uint64_t)auth->salts[i].valid_until);
  }
  struct ln_op *op = ln_op_new(LN_OP_AUTH_SET, account, (int64_t)dc << 8 | kind, nothing,
                               ln_slice(body, (size_t)(p - body)));
  explicit_bzero(body, sizeof body);
  if (op) op->urgent = true;
  return ln_store_submit(s, op);
}

int ln_store_auth_delete(struct ln_store *s, int32_t account, int32_t dc, enum ln_auth_kind kind)
{
  int err = check_auth(s, account, dc, kind);
  if (err) return ln_store_refuse(s, err);
  struct ln_op *op = ln_op_new(LN_OP_AUTH_DELETE, account, (int64_t)dc << 8 | kind, nothing, nothing);
  if (op) op->urgent = true;
  return ln_store_submit(s, op);
}

static int parse_salts(struct ln_slice b, struct ln_store_auth *out)
{
  if (b.n % 24 || b.n / 24 > LN_STORE_SALTS) return LN_E_CORRUPT;
  out->n_salts = b.n / 24;
  for (size_t i = 0; i < out->n_salts; i++) {
    out->salts[i].salt = ln_le64(b.p + 24 * i);
    out->salts[i].valid_since = (int64_t)ln_le64(b.p + 24 * i + 8);
    out->salts[i].valid_until = (int64_t)ln_le64(b.p + 24 * i + 16);
  }
  return LN_OK;
}

int ln_store_auth_get(struct ln_store *s, int32_t account, int32_t dc, enum ln_auth_kind kind,
                      struct ln_store_auth *out)
{
  int err = check_auth(s, account, dc, kind);
  if (err) return err;
  memset(out, 0, sizeof *out);
  const struct ln_op *op =
      ln_overlay_find(&s->overlay, LN_OP_AUTH_SET, account, (int64_t)dc << 8 | kind, nothing);
  if (op) {
    if (op->kind == LN_OP_AUTH_DELETE) return LN_E_NOT_FOUND;
    struct ln_slice b = ln_op_body(op);
    memcpy(out->key, b.p, 256);
    out->salt = ln_le64(b.p + 256);
    out->offset_us = (int64_t)ln_le64(b.p + 264);
    out->created = (int64_t)ln_le64(b.p + 272);
    return parse_salts(ln_slice_from(b, AUTH_FIXED), out);
  }
  sqlite3_stmt *st = use(s, LN_DB_AUTH_GET, account, &err);
  if (!st) return err;
  sqlite3_bind_int(st, 2, dc);
  sqlite3_bind_int(st, 3, (int)kind);
  err = read_row(s, st);
  if (err) return err;
  const void *key = sqlite3_column_blob(st, 0);
  if (key && sqlite3_column_bytes(st, 0) == 256)
    memcpy(out->key, key, 256);
  else
    err = LN_E_CORRUPT;
  out->salt = (uint64_t)sqlite3_column_int64(st, 1);
  out->offset_us = sqlite3_column_int64(st, 2);
  out->created = sqlite3_column_int64(st, 3);
  const void *salts = sqlite3_column_blob(st, 4);
  if (!err) err = parse_salts(ln_slice(salts, (size_t)sqlite3_column_bytes(st, 4)), out);
  sqlite3_reset(st);
  return err;
}

int ln_store_pts_set(struct ln_store *s, int32_t account, int64_t box, int32_t pts)
{
  if (!ln_store_has_account(s, account)) return ln_store_refuse(s, LN_E_INVAL);
  struct ln_op *op = ln_op_new(LN_OP_PTS_SET, account, box, nothing, nothing);
  if (op) op->pts = pts;
  return ln_store_submit(s, op);
}

int ln_store_pts_delete(struct ln_store *s, int32_t account, int64_t box)
{
  if (!ln_store_has_account(s, account)) return ln_store_refuse(s, LN_E_INVAL);
  return ln_store_submit(s, ln_op_new(LN_OP_PTS_DELETE, account, box, nothing, nothing));
}

int ln_store_pts_get(struct ln_store *s, int32_t account, int64_t box, int32_t *pts)
{
  int err = LN_OK;
  if (!ln_store_has_account(s, account)) return LN_E_INVAL;
  const struct ln_op *op = ln_overlay_find(&s->overlay, LN_OP_PTS_SET, account, box, nothing);
  if (op) {
    *pts = op->pts;
    return op->kind == LN_OP_PTS_DELETE ? LN_E_NOT_FOUND : LN_OK;
  }
  sqlite3_stmt *st = use(s, LN_DB_PTS_GET, account, &err);
  if (!st) return err;
  sqlite3_bind_int64(st, 2, box);
  err = read_row(s, st);
  if (err) return err;
  *pts = sqlite3_column_int(st, 0);
  sqlite3_reset(st);
  return LN_OK;
}

int ln_store_pts_each(struct ln_store *s, int32_t account, void (*fn)(void *ctx, int64_t box, int32_t pts),
                      void *ctx)
{
  int err = ln_store_flush(s), code;
  if (err) return err;
  sqlite3_stmt *st = use(s, LN_DB_PTS_EACH, account, &err);
  if (!st) return err;
  while ((code = sqlite3_step(st)) == SQLITE_ROW)
    fn(ctx, sqlite3_column_int64(st, 0), sqlite3_column_int(st, 1));
  sqlite3_reset(st);
  return code == SQLITE_DONE ? LN_OK : ln_store_read_failed(s, code);
}

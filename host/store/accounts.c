/* The accounts of a session file. There are few: all of them are in memory, in the order of the file. */
#include "base/alloc.h"
#include "store/internal.h"

static int add(struct ln_store *s, int32_t id, const char *name)
{
  if (s->n_accounts == LN_STORE_MAX_ACCOUNTS) return LN_E_TOOBIG;
  char *copy = ln_strdup(name);
  if (!copy) return LN_E_NOMEM;
  s->accounts[s->n_accounts].id = id;
  s->accounts[s->n_accounts++].name = copy;
  return LN_OK;
}

static void take_out(struct ln_store *s, size_t i)
{
  ln_free(s->accounts[i].name);
  memmove(&s->accounts[i], &s->accounts[i + 1], (--s->n_accounts - i) * sizeof s->accounts[0]);
}

int ln_store_load_accounts(struct ln_store *s)
{
  struct ln_db *db = ln_store_reader(s);
  sqlite3_stmt *st = ln_db_use(db, LN_DB_ACCOUNTS);
  int err = LN_OK, code = SQLITE_DONE;
  if (!st) return ln_db_error(sqlite3_extended_errcode(db->db));
  while (!err && (code = sqlite3_step(st)) == SQLITE_ROW) {
    int64_t id = sqlite3_column_int64(st, 0);
    const char *name = (const char *)sqlite3_column_text(st, 1);
    err = id > 0 && id <= INT32_MAX && name ? add(s, (int32_t)id, name) : LN_E_CORRUPT;
  }
  sqlite3_reset(st);
  return err ? err : ln_db_error(code);
}

static int find(const struct ln_store *s, int32_t account)
{
  for (size_t i = 0; i < s->n_accounts; i++)
    if (s->accounts[i].id == account) return (int)i;
  return -1;
}

bool ln_store_has_account(const struct ln_store *s, int32_t account)
{
  return find(s, account) >= 0;
}

int ln_store_account(struct ln_store *s, const char *name, int32_t *account)
{
  int32_t last = 0;
  if (strlen(name) > LN_STORE_MAX_NAME) return LN_E_TOOBIG;
  for (size_t i = 0; i < s->n_accounts; i++) {
    if (strcmp(s->accounts[i].name, name) == 0) {
      *account = s->accounts[i].id;
      return LN_OK;
    }
    if (s->accounts[i].id > last) last = s->accounts[i].id;
  }
  if (last == INT32_MAX) return LN_E_TOOBIG;
  int err = add(s, last + 1, name);
  if (err) return err;
  /* Not part of an open group: what the account is used for may be in the group, or after it has failed. */
  err = ln_store_enqueue(s, ln_op_new(LN_OP_ACCOUNT_ADD, last + 1, 0, ln_slice_str(name), ln_slice(NULL, 0)));
  if (err) {
    take_out(s, s->n_accounts - 1);
    return err;
  }
  *account = last + 1;
  return LN_OK;
}

size_t ln_store_accounts(const struct ln_store *s, int32_t *accounts, size_t max)
{
  for (size_t i = 0; i < s->n_accounts && i < max; i++) accounts[i] = s->accounts[i].id;
  return s->n_accounts;
}

const char *ln_store_account_name(const struct ln_store *s, int32_t account)
{
  int i = find(s, account);
  return i < 0 ? NULL : s->accounts[i].name;
}

int ln_store_account_forget(struct ln_store *s, int32_t account)
{
  int i = find(s, account);
  if (s->in_group || i < 0) return LN_E_INVAL;
  /* Nothing of the account may be waiting: it would be written after the deletion, or read from the overlay.
   */
  int err = ln_store_flush(s);
  if (!err)
    err = ln_store_enqueue(s,
                           ln_op_new(LN_OP_ACCOUNT_FORGET, account, 0, ln_slice(NULL, 0), ln_slice(NULL, 0)));
  if (!err) err = ln_store_flush(s);
  if (err) return err;
  ln_overlay_forget(&s->overlay, account);
  ln_peer_cache_forget(&s->peers, account);
  take_out(s, (size_t)i);
  return LN_OK;
}

/* See db.h. An existing file is first looked at through a connection that cannot write: what is damaged or
 * not ours is left as it was found. */
#include "store/db.h"

#include <pthread.h>
#include <stdio.h>

#define APPLICATION_ID 0x4c756e61 /* "Luna" */
#define VERSION 1
/* Up to here, and after every unclean end, opening checks the whole file; that takes 3 ms a MiB or so. Damage
 * in a larger one shows when the page is read. */
#define CHECKED_SIZE (16 << 20)

static const char schema[] =
    "CREATE TABLE accounts(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE kv(account INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,"
    " PRIMARY KEY(account, key)) WITHOUT ROWID;"
    "CREATE TABLE auth(account INTEGER NOT NULL, dc INTEGER NOT NULL, kind INTEGER NOT NULL, key BLOB NOT "
    "NULL,"
    " salt INTEGER NOT NULL, offset_us INTEGER NOT NULL, created INTEGER NOT NULL, salts BLOB NOT NULL,"
    " PRIMARY KEY(account, dc, kind)) WITHOUT ROWID;"
    "CREATE TABLE pts(account INTEGER NOT NULL, box INTEGER NOT NULL, pts INTEGER NOT NULL,"
    " PRIMARY KEY(account, box)) WITHOUT ROWID;"
    "CREATE TABLE peers(account INTEGER NOT NULL, id INTEGER NOT NULL, type INTEGER NOT NULL,"
    " min INTEGER NOT NULL, access_hash INTEGER, username TEXT COLLATE NOCASE, phone TEXT, name TEXT,"
    " PRIMARY KEY(account, id)) WITHOUT ROWID;"
    "CREATE INDEX peers_by_username ON peers(account, username) WHERE username IS NOT NULL;"
    "CREATE TABLE inbox(seq INTEGER PRIMARY KEY, account INTEGER NOT NULL, box INTEGER NOT NULL,"
    " pts INTEGER NOT NULL, layer INTEGER NOT NULL, body BLOB NOT NULL);";

int ln_db_error(int code)
{
  switch (code & 0xff) {
  case SQLITE_OK:
  case SQLITE_ROW:
  case SQLITE_DONE: return LN_OK;
  case SQLITE_NOMEM: return LN_E_NOMEM;
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB:
  case SQLITE_FORMAT:
  case SQLITE_ERROR: /* a table or column is gone */
  case SQLITE_SCHEMA:
  case SQLITE_CONSTRAINT:
  case SQLITE_MISMATCH:
  case SQLITE_MISUSE: return LN_E_CORRUPT;
  default: return LN_E_IO;
  }
}

static int fail(const struct ln_store_file *file, int err, const char *what, char errtext[LN_STORE_ERRTEXT])
{
  if (err == LN_E_CORRUPT)
    snprintf(errtext, LN_STORE_ERRTEXT,
             "session %s: the file is damaged (%s); it was not touched: move it away or restore a copy",
             file ? file->path : "in memory", what);
  else
    snprintf(errtext, LN_STORE_ERRTEXT, "session %s: %s", file ? file->path : "in memory", what);
  return err;
}

static int fail_sqlite(const struct ln_store_file *file, sqlite3 *db, int code,
                       char errtext[LN_STORE_ERRTEXT])
{
  const char *what = db ? sqlite3_errmsg(db) : sqlite3_errstr(code);
  if ((code & 0xff) == SQLITE_NOTADB)
    return fail(file, LN_E_BAD_VALUE, "is not a session (no SQLite file)", errtext);
  if ((code & 0xff) == SQLITE_BUSY) return fail(file, LN_E_BUSY, "is in use by another program", errtext);
  return fail(file, ln_db_error(code), what, errtext);
}

static const char *const statements[LN_DB_STATEMENTS] = {
#define LN_DB_SQL(name, sql) sql,
    LN_DB_WRITES(LN_DB_SQL) LN_DB_READS(LN_DB_SQL)
#undef LN_DB_SQL
};

sqlite3_stmt *ln_db_use(struct ln_db *d, enum ln_db_statement which)
{
  sqlite3_stmt **st = &d->statement[which];
  if (!*st) {
    sqlite3_prepare_v3(d->db, statements[which], -1, SQLITE_PREPARE_PERSISTENT, st, NULL);
    return *st;
  }
  sqlite3_reset(*st);
  sqlite3_clear_bindings(*st);
  return *st;
}

int ln_db_run(struct ln_db *d, sqlite3_stmt *statement)
{
  if (!statement) return sqlite3_extended_errcode(d->db);
  int code = sqlite3_step(statement);
  if (code == SQLITE_DONE) code = SQLITE_OK;
  int reset = sqlite3_reset(statement);
  return code == SQLITE_OK ? reset : code;
}

void ln_db_close(struct ln_db *d)
{
  for (size_t i = 0; i < LN_DB_STATEMENTS; i++) sqlite3_finalize(d->statement[i]);
  sqlite3_close(d->db);
  memset(d, 0, sizeof *d);
}

/* Before the first connection: twenty pages of cache at once for each would be 200 KiB that a session hardly
 * uses. */
static void configure(void)
{
  sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
}

static int open_connection(const char *path, int flags, struct ln_db *d)
{
  /* Each connection is used by one thread at a time. */
  int code = sqlite3_open_v2(path, &d->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
  if (code) return code;
  sqlite3_extended_result_codes(d->db, 1);
  sqlite3_busy_timeout(d->db, 500); /* somebody looks at the file with another program */
  sqlite3_db_config(d->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config(d->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  sqlite3_db_config(d->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
  sqlite3_db_config(d->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
  sqlite3_db_config(d->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
  sqlite3_db_config(d->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
  sqlite3_limit(d->db, SQLITE_LIMIT_LENGTH, 64 << 20);
  sqlite3_limit(d->db, SQLITE_LIMIT_ATTACHED, 0);
  /* No mmap: a read error would be a signal instead of a code. */
  return sqlite3_exec(d->db,
                      "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA cache_size = -512;"
                      "PRAGMA temp_store = MEMORY;",
                      NULL, NULL, NULL);
}

static int number(sqlite3 *db, const char *sql, int64_t *out)
{
  sqlite3_stmt *st = NULL;
  int code = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
  *out = 0;
  if (code == SQLITE_OK) code = sqlite3_step(st);
  if (code == SQLITE_ROW) {
    *out = sqlite3_column_int64(st, 0);
    code = SQLITE_OK;
  } else if (code == SQLITE_DONE) {
    code = SQLITE_OK;
  }
  sqlite3_finalize(st);
  return code;
}

/* Whether each table and index is there, as it was made. Statements are prepared when they are first used:
 * all of them at once would show the same and take a twentieth of a start. */
static int whole(sqlite3 *db, bool *is_whole)
{
  sqlite3_stmt *st = NULL;
  int left = 0;
  for (const char *c = schema; *c; c++) left += *c == ';';
  int code = sqlite3_prepare_v2(db, "SELECT sql FROM sqlite_master", -1, &st, NULL);
  while (!code && (code = sqlite3_step(st)) == SQLITE_ROW) {
    const char *sql = (const char *)sqlite3_column_text(st, 0), *at = sql ? strstr(schema, sql) : NULL;
    left -= at && at[strlen(sql)] == ';';
    code = SQLITE_OK;
  }
  sqlite3_finalize(st);
  *is_whole = left == 0;
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* LN_OK also for a file without any content; *empty tells. */
static int check(const struct ln_store_file *file, sqlite3 *db, bool *empty, char errtext[LN_STORE_ERRTEXT])
{
  int64_t id = 0, version = 0, pages = 0;
  bool is_whole = false;
  int code = number(db, "PRAGMA application_id", &id);
  if (!code) code = number(db, "PRAGMA user_version", &version);
  if (!code) code = number(db, "PRAGMA page_count", &pages);
  if (!code) code = whole(db, &is_whole);
  if (code) return fail_sqlite(file, db, code, errtext);
  *empty = pages == 0;
  /* Some bytes, but no page: not the making of one that was cut short, which leaves its journal. */
  if (*empty && file->size > 0 && !file->journal)
    return fail(file, LN_E_BAD_VALUE, "is not a session (no SQLite file)", errtext);
  if (*empty) return LN_OK;
  if (id != APPLICATION_ID) return fail(file, LN_E_BAD_VALUE, "is not a session of this program", errtext);
  if (version != VERSION)
    return fail(file, LN_E_BAD_VALUE, "was made by another version of this program", errtext);
  if (!is_whole) return fail(file, LN_E_CORRUPT, "a table is missing", errtext);
  if (!file->unclean && !file->journal && file->size > CHECKED_SIZE) return LN_OK;

  sqlite3_stmt *st = NULL;
  char what[200] = "";
  code = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &st, NULL);
  if (!code) code = sqlite3_step(st);
  if (code == SQLITE_ROW) {
    const unsigned char *text = sqlite3_column_text(st, 0);
    code = SQLITE_OK;
    if (!text || strcmp((const char *)text, "ok") != 0)
      snprintf(what, sizeof what, "%s", text ? (const char *)text : "no answer");
  } else if (code == SQLITE_DONE) {
    code = SQLITE_OK;
  }
  if (code) fail_sqlite(file, db, code, errtext);
  sqlite3_finalize(st);
  if (code) return ln_db_error(code);
  if (!*what) return LN_OK;
  for (char *c = what; *c; c++)
    if (*c == '\n') *c = ' ';
  return fail(file, LN_E_CORRUPT, what, errtext);
}

/* In rollback mode and in one transaction: after a crash there is all of it or an empty file. */
static int create(sqlite3 *db)
{
  char sql[sizeof schema + 160];
  snprintf(sql, sizeof sql,
           "BEGIN IMMEDIATE; %s PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT;", schema,
           APPLICATION_ID, VERSION);
  return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int open_file(const struct ln_store_file *file, enum ln_durability durability, struct ln_db *reader,
                     struct ln_db *writer, char errtext[LN_STORE_ERRTEXT])
{
  static const char *const synchronous[] = {"PRAGMA synchronous = OFF", "PRAGMA synchronous = NORMAL",
                                            "PRAGMA synchronous = FULL"};
  bool empty = false;
  int code, err;
  if (file->size > 0 && !file->journal) {
    code = open_connection(file->path, SQLITE_OPEN_READONLY, reader);
    if (code) return fail_sqlite(file, reader->db, code, errtext);
    err = check(file, reader->db, &empty, errtext);
    if (err) return err;
  }
  code = open_connection(file->path, SQLITE_OPEN_READWRITE, writer);
  if (code) return fail_sqlite(file, writer->db, code, errtext);
  if (!reader->db) {
    err = check(file, writer->db, &empty, errtext);
    if (err) return err;
  }
  code = sqlite3_exec(writer->db, synchronous[durability], NULL, NULL, NULL);
  if (!code && empty) code = create(writer->db);
  if (!code) {
    code = sqlite3_exec(writer->db,
                        "PRAGMA journal_mode = WAL; PRAGMA secure_delete = FAST;"
                        "PRAGMA journal_size_limit = 4194304; PRAGMA wal_autocheckpoint = 500;",
                        NULL, NULL, NULL);
  }
  if (code) return fail_sqlite(file, writer->db, code, errtext);
  if (!reader->db) {
    code = open_connection(file->path, SQLITE_OPEN_READONLY, reader);
    if (code) return fail_sqlite(file, reader->db, code, errtext);
  }
  return LN_OK;
}

int ln_db_open(const struct ln_store_file *file, enum ln_durability durability, struct ln_db *reader,
               struct ln_db *writer, char errtext[LN_STORE_ERRTEXT])
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  int err = LN_OK;
  pthread_once(&once, configure);
  memset(reader, 0, sizeof *reader);
  memset(writer, 0, sizeof *writer);
  if (file) {
    err = open_file(file, durability, reader, writer, errtext);
  } else {
    int code = open_connection(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, writer);
    if (!code) code = create(writer->db);
    if (code) err = fail_sqlite(NULL, writer->db, code, errtext);
  }
  if (err) {
    ln_db_close(reader);
    ln_db_close(writer);
  }
  return err;
}

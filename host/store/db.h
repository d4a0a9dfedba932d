/* Inside store/: a SQLite connection with its prepared statements, opened the careful way. */
#ifndef LN_STORE_DB_H
#define LN_STORE_DB_H

#include <sqlite3.h>
#include "store/file.h"

/* X(name, SQL): for the writer. */
#define LN_DB_WRITES(X)                                                                                  \
  X(BEGIN, "BEGIN IMMEDIATE")                                                                            \
  X(COMMIT, "COMMIT")                                                                                    \
  X(ROLLBACK, "ROLLBACK")                                                                                \
  X(SET, "INSERT OR REPLACE INTO kv(account, key, value) VALUES(?1, ?2, ?3)")                            \
  X(DELETE, "DELETE FROM kv WHERE account = ?1 AND key = ?2")                                            \
  X(AUTH_SET, "INSERT OR REPLACE INTO auth(account, dc, kind, key, salt, offset_us, created, salts)"     \
              " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                                 \
  X(AUTH_DELETE, "DELETE FROM auth WHERE account = ?1 AND dc = ?2 AND kind = ?3")                        \
  X(PTS_SET, "INSERT OR REPLACE INTO pts(account, box, pts) VALUES(?1, ?2, ?3)")                         \
  X(PTS_DELETE, "DELETE FROM pts WHERE account = ?1 AND box = ?2")                                       \
  X(PEER_SET, "INSERT OR REPLACE INTO peers(account, id, type, min, access_hash, username, phone, name)" \
              " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                                 \
  X(INBOX_ADD, "INSERT INTO inbox(seq, account, box, pts, layer, body) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")  \
  X(INBOX_DONE, "DELETE FROM inbox WHERE seq = ?1")                                                      \
  X(ACCOUNT_ADD, "INSERT INTO accounts(id, name) VALUES(?1, ?2)")                                        \
  X(FORGET_ACCOUNT, "DELETE FROM accounts WHERE id = ?1")                                                \
  X(FORGET_KV, "DELETE FROM kv WHERE account = ?1")                                                      \
  X(FORGET_AUTH, "DELETE FROM auth WHERE account = ?1")                                                  \
  X(FORGET_PTS, "DELETE FROM pts WHERE account = ?1")                                                    \
  X(FORGET_PEERS, "DELETE FROM peers WHERE account = ?1")                                                \
  X(FORGET_INBOX, "DELETE FROM inbox WHERE account = ?1")

/* For the owner. Without INDEXED BY, SQLite would rather walk all peers of the account. */
#define LN_DB_READS(X)                                                                          \
  X(ACCOUNTS, "SELECT id, name FROM accounts ORDER BY id")                                      \
  X(LAST_SEQ, "SELECT max(seq) FROM inbox")                                                     \
  X(GET, "SELECT value FROM kv WHERE account = ?1 AND key = ?2")                                \
  X(AUTH_GET, "SELECT key, salt, offset_us, created, salts FROM auth"                           \
              " WHERE account = ?1 AND dc = ?2 AND kind = ?3")                                  \
  X(PTS_GET, "SELECT pts FROM pts WHERE account = ?1 AND box = ?2")                             \
  X(PTS_EACH, "SELECT box, pts FROM pts WHERE account = ?1 ORDER BY box")                       \
  X(PEER_GET, "SELECT id, type, min, access_hash, username, phone, name FROM peers"             \
              " WHERE account = ?1 AND id = ?2")                                                \
  X(PEER_BY_USERNAME, "SELECT id, type, min, access_hash, username, phone, name FROM peers"     \
                      " INDEXED BY peers_by_username"                                           \
                      " WHERE account = ?1 AND username = ?2 AND username IS NOT NULL LIMIT 1") \
  X(INBOX_EACH, "SELECT seq, box, pts, layer, body FROM inbox"                                  \
                " WHERE account = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3")

enum ln_db_statement {
#define LN_DB_ENUM(name, sql) LN_DB_##name,
  LN_DB_WRITES(LN_DB_ENUM) LN_DB_READS(LN_DB_ENUM)
#undef LN_DB_ENUM
      LN_DB_STATEMENTS
};

struct ln_db {
  sqlite3 *db;
  sqlite3_stmt *statement[LN_DB_STATEMENTS]; /* prepared at first use */
};

/* The whole opening of a file (checks, creation, both connections) or of a store in memory (file NULL; reader
 * is left empty). Errors and texts as ln_store_open. */
int ln_db_open(const struct ln_store_file *file, enum ln_durability durability, struct ln_db *reader,
               struct ln_db *writer, char errtext[LN_STORE_ERRTEXT]);
void ln_db_close(struct ln_db *d);

/* The statement, reset and unbound; NULL: sqlite3_errcode tells why. */
sqlite3_stmt *ln_db_use(struct ln_db *d, enum ln_db_statement which);
/* Steps to the end a statement that gives no rows, and resets it. A SQLite code, SQLITE_OK at the end. */
int ln_db_run(struct ln_db *d, sqlite3_stmt *statement);

/* LN_E_CORRUPT for damage and for what cannot be mended by waiting, LN_E_NOMEM, else LN_E_IO. */
int ln_db_error(int sqlite_code);

#endif

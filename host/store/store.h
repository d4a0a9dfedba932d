/* The session file: everything of this process's accounts that must outlive it. SQLite, one file for all
 * accounts. Called by client/ and bind/, always on the thread that opened it (the loop's). Reads are answered
 * at once and see every earlier write of this process; writes are queued, and a writer thread commits them in
 * order, in groups (after at most 10 ms or 256 of them).
 *
 * Atomic groups: what is written between ln_store_begin and ln_store_commit is on disk wholly or not at all.
 * A write outside is a group of its own. Groups are committed in the order in which they were made.
 *
 * When the disk fails (full, I/O error) nothing is lost or reported as done: the store is degraded, tells its
 * owner by on_status, and tries again with back-off (50 ms … 5 s). When the file turns out damaged it has
 * failed for good: pending groups end with LN_E_CORRUPT, and so does every call from then on.
 *
 * With path NULL the same store is kept in memory; there is no thread then, and ln_store_poll does the work.
 */
#ifndef LN_STORE_STORE_H
#define LN_STORE_STORE_H

#include "base/buf.h"

struct ln_store;

enum ln_durability {
  LN_DURABILITY_OFF,    /* no fsync: a power loss may damage the file */
  LN_DURABILITY_NORMAL, /* survives kill -9; a power loss may take the last commits with it */
  LN_DURABILITY_FULL,   /* fsync with every group commit (milliseconds) */
};

struct ln_store_config {
  const char *path; /* NULL: memory. The folder must exist. */
  enum ln_durability durability;
  /* "Call ln_store_poll soon": wakes the loop. Called on the writer thread, or (memory) inside of a write. */
  void (*notify)(void *ctx);
  /* LN_OK: healthy again; LN_E_IO: degraded; LN_E_CORRUPT: failed for good. why: one line for people. Called
   * by ln_store_poll. May be NULL. */
  void (*on_status)(void *ctx, int err, const char *why);
  void *ctx;
};

#define LN_STORE_ERRTEXT 512

/* Opens or creates. The file is made with mode 0600 and brought to it where it is ours and wider; it has to
 * be a regular file of this user, not a symbolic link. Errors, each with a line for people in errtext:
 *   LN_E_BUSY        another process has it open (its pid is in the text)
 *   LN_E_CORRUPT     damaged. The file is never changed, moved or replaced.
 *   LN_E_BAD_VALUE   not a session of this program, or one of a newer version; not changed either
 *   LN_E_PERMISSION  not readable and writable for us, of another owner, a link, no regular file
 *   LN_E_NOT_FOUND   the folder does not exist
 *   LN_E_IO, LN_E_NOMEM */
int ln_store_open(const struct ln_store_config *config, struct ln_store **out,
                  char errtext[LN_STORE_ERRTEXT]);
/* Flushes, runs what callbacks are left (LN_E_IO for groups that could not be written) and closes. NULL is
 * fine.
 */
void ln_store_close(struct ln_store *s);

/* Runs the callbacks of groups that were committed, in order, and on_status. They may write again. */
void ln_store_poll(struct ln_store *s);
/* Waits until all that was written is committed. LN_E_IO: not now (it stays queued), LN_E_CORRUPT. Callbacks
 * run in the next ln_store_poll. */
int ln_store_flush(struct ln_store *s);
/* LN_OK, LN_E_IO while degraded, LN_E_CORRUPT. */
int ln_store_status(const struct ln_store *s);

/* Writes give LN_OK (queued), LN_E_NOMEM, LN_E_TOOBIG, LN_E_INVAL, LN_E_FULL (the disk does not keep up or is
 * degraded, and 64 MiB are waiting: the write did not happen), LN_E_CORRUPT. Reads give LN_OK,
 * LN_E_NOT_FOUND, LN_E_IO, LN_E_CORRUPT, LN_E_NOMEM. */

/* A group. They do not nest (LN_E_INVAL). If a write of the group failed, commit drops the whole group and
 * gives that error. done (may be NULL) is called by a later ln_store_poll, once, unless commit gave an error.
 */
typedef void (*ln_store_done)(void *ctx, uint64_t tag, int err);
int ln_store_begin(struct ln_store *s);
int ln_store_commit(struct ln_store *s, ln_store_done done, void *ctx, uint64_t tag);

/* --- Accounts: a bot or user of this process, by name (the bot file's stem, or ""). Up to 256, names up to
 * 200 bytes. */
/* Finds or makes it. The number is positive and stays the account's. */
int ln_store_account(struct ln_store *s, const char *name, int32_t *account);
/* Up to max numbers; gives how many there are. */
size_t ln_store_accounts(const struct ln_store *s, int32_t *accounts, size_t max);
const char *ln_store_account_name(const struct ln_store *s, int32_t account); /* NULL: none */
/* Deletes all that is stored of an account, and the account; waits for it. Not within a group. */
int ln_store_account_forget(struct ln_store *s, int32_t account);

/* --- Values by key ("self", "dcs", "state", "persist.x"): key 1..200 bytes, value up to 16 MiB. */
int ln_store_set(struct ln_store *s, int32_t account, const char *key, struct ln_slice value);
int ln_store_delete(struct ln_store *s, int32_t account, const char *key);
/* Appends the value to out. */
int ln_store_get(struct ln_store *s, int32_t account, const char *key, struct ln_buf *out);

/* --- Auth keys, one for each account, DC and kind. Committed without the 10 ms of waiting. */
enum ln_auth_kind { LN_AUTH_MAIN = 0, LN_AUTH_MEDIA = 1 };

#define LN_STORE_SALTS 64

struct ln_store_salt {
  uint64_t salt;
  int64_t valid_since, valid_until; /* unix seconds by the server's clock */
};

struct ln_store_auth {
  uint8_t key[256];
  uint64_t salt;     /* the one in use */
  int64_t offset_us; /* server's clock - ours */
  int64_t created;   /* unix seconds */
  size_t n_salts;
  struct ln_store_salt salts[LN_STORE_SALTS];
};

int ln_store_auth_set(struct ln_store *s, int32_t account, int32_t dc, enum ln_auth_kind kind,
                      const struct ln_store_auth *auth);
int ln_store_auth_delete(struct ln_store *s, int32_t account, int32_t dc, enum ln_auth_kind kind);
/* The caller wipes out when it is done. */
int ln_store_auth_get(struct ln_store *s, int32_t account, int32_t dc, enum ln_auth_kind kind,
                      struct ln_store_auth *out);

/* --- Peers, by the id that the Bot API uses (user 1 → 1, chat 1 → -1, channel 1 → -1000000000001). */
enum ln_peer_type { LN_PEER_USER = 1, LN_PEER_CHAT = 2, LN_PEER_CHANNEL = 3 };

struct ln_store_peer {
  int64_t id;
  enum ln_peer_type type;
  bool min;      /* from a `min` constructor: the hash works in few places */
  bool has_hash; /* access_hash is set */
  int64_t access_hash;
  struct ln_slice username; /* without @; at most 64 bytes; empty: none */
  struct ln_slice phone;    /* at most 32 bytes */
  struct ln_slice name;     /* at most 512 bytes, for people and logs */
};

/* Merges into what is known. A full record replaces; it keeps the old hash and phone where it has none. A
 * `min` record over a full one changes the name alone; over a min one it replaces. A username belongs to one
 * peer: it is taken from the one that had it. Nothing is written where nothing changes (a cache of the last
 * 4096 peers tells), so it may be called for every peer of every update. */
int ln_store_peer_put(struct ln_store *s, int32_t account, const struct ln_store_peer *peer);
/* The slices of out live until the next call on this store. */
int ln_store_peer_get(struct ln_store *s, int32_t account, int64_t id, struct ln_store_peer *out);
/* ASCII case does not count. */
int ln_store_peer_by_username(struct ln_store *s, int32_t account, struct ln_slice username,
                              struct ln_store_peer *out);

/* --- pts by channel (id as above) or any other box with a pts of its own. */
int ln_store_pts_set(struct ln_store *s, int32_t account, int64_t box, int32_t pts);
int ln_store_pts_delete(struct ln_store *s, int32_t account, int64_t box);
int ln_store_pts_get(struct ln_store *s, int32_t account, int64_t box, int32_t *pts);
/* All of an account, after a flush. fn must not call the store. */
int ln_store_pts_each(struct ln_store *s, int32_t account, void (*fn)(void *ctx, int64_t box, int32_t pts),
                      void *ctx);

/* --- Inbox: raw updates whose handlers are not done. */
struct ln_store_update {
  uint64_t seq;
  int64_t box; /* the caller's number for the queue that it came in */
  int32_t pts; /* 0: has none */
  int32_t layer;
  struct ln_slice body; /* up to 16 MiB */
};

/* seq is given at once and grows; u->seq is not read. */
int ln_store_inbox_add(struct ln_store *s, int32_t account, const struct ln_store_update *u, uint64_t *seq);
/* Its handler is done. An update that came and went between two commits costs no write at all. */
int ln_store_inbox_done(struct ln_store *s, uint64_t seq);
/* Those that are not done, in order, after a flush; at most `max` (0: all) after seq `after`. fn must not
 * call the store; another value than 0 stops. */
int ln_store_inbox_each(struct ln_store *s, int32_t account, uint64_t after, size_t max,
                        int (*fn)(void *ctx, const struct ln_store_update *u), void *ctx);

const char *ln_store_library(void); /* the version of SQLite as it was loaded */

#endif

/* Inside store/: the parts of a store and who may touch them. `owner` is the thread that opened the store. */
#ifndef LN_STORE_INTERNAL_H
#define LN_STORE_INTERNAL_H

#include <pthread.h>
#include "store/db.h"
#include "store/file.h"
#include "store/op.h"
#include "store/peer_cache.h"
#include "store/store.h"

#define LN_STORE_MAX_ACCOUNTS 256
#define LN_STORE_MAX_NAME 200
#define LN_STORE_MAX_KEY 200
#define LN_STORE_MAX_BLOB (16u << 20)
#define LN_STORE_MAX_WAITING (64u << 20)

struct ln_store_account_entry {
  int32_t id;
  char *name;
};

struct ln_store {
  struct ln_store_config config; /* path is not kept */
  struct ln_store_file file;     /* holds the lock; closed last */
  bool memory, threaded;

  /* owner */
  struct ln_db reader; /* memory: unused, reads go to the writer */
  struct ln_store_account_entry accounts[LN_STORE_MAX_ACCOUNTS];
  size_t n_accounts;
  uint64_t next_seq;
  struct ln_overlay overlay;
  struct ln_peer_cache peers;
  bool in_group, polling;
  int group_err;
  struct ln_op_list group;

  /* the writer thread; after it has ended, or in memory, the owner */
  struct ln_db writer;
  pthread_t thread;

  /* both, under the lock */
  pthread_mutex_t lock;
  pthread_cond_t work; /* for the writer: there is something to do, or to do at once */
  pthread_cond_t idle; /* for a flush: an attempt has ended */
  struct ln_op_list queue;
  struct ln_op_list done; /* committed or given up; wait for a poll */
  size_t waiting;         /* bytes in queue and in the batch at work */
  bool working, urgent, flushing, stop;
  uint64_t attempts; /* batches tried so far */
  int status;
  bool status_changed;
  char why[256];
};

/* The database that the owner reads from. */
static inline struct ln_db *ln_store_reader(struct ln_store *s)
{
  return s->memory ? &s->writer : &s->reader;
}

/* queue.c. Takes op (may be NULL: LN_E_NOMEM) into the open group, or makes it a group of its own. */
int ln_store_submit(struct ln_store *s, struct ln_op *op);
/* Past an open group, straight into the queue. Frees op where it fails. */
int ln_store_enqueue(struct ln_store *s, struct ln_op *op);
/* Where a read failed: damage found here stops the store as damage found by the writer does. Gives the code
 * for the caller. */
int ln_store_read_failed(struct ln_store *s, int sqlite_code);

/* writer.c */
int ln_store_writer_start(struct ln_store *s);
void ln_store_writer_stop(struct ln_store *s);
/* One batch: takes the queue and commits it. The lock is held by the caller and is let go meanwhile. Gives
 * LN_OK, LN_E_IO (the ops are back in the queue), LN_E_CORRUPT (they are in done, with that error). */
int ln_store_work(struct ln_store *s);
/* Under the lock: tells the owner that a poll is worth its while. */
void ln_store_set_status(struct ln_store *s, int status, const char *why);

/* batch.c: one transaction. Gives a SQLite result code; on failure nothing was written. */
int ln_store_run_batch(struct ln_db *db, struct ln_op *ops, size_t n);

/* A write that fails before there is an op: the open group fails with it. Gives err. */
int ln_store_refuse(struct ln_store *s, int err);

/* accounts.c, inbox.c: at opening. */
int ln_store_load_accounts(struct ln_store *s);
int ln_store_load_seq(struct ln_store *s);
bool ln_store_has_account(const struct ln_store *s, int32_t account);

#endif

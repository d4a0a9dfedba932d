/* Opening, closing, the queue and the groups in it; see store.h. What is stored is in values.c, peers.c,
 * inbox.c and accounts.c. */
#include "store/store.h"

#include <stdio.h>
#include "base/alloc.h"
#include "store/internal.h"

int ln_store_open(const struct ln_store_config *config, struct ln_store **out, char errtext[LN_STORE_ERRTEXT])
{
  *out = NULL;
  *errtext = 0;
  struct ln_store *s = ln_calloc(1, sizeof *s);
  if (!s) return LN_E_NOMEM;
  s->config = *config;
  s->config.path = NULL;
  s->memory = config->path == NULL;
  s->file.fd = -1;
  pthread_condattr_t attr;
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->work, &attr);
  pthread_cond_init(&s->idle, NULL);
  pthread_condattr_destroy(&attr);

  int err = LN_OK;
  if (config->durability < LN_DURABILITY_OFF || config->durability > LN_DURABILITY_FULL) err = LN_E_INVAL;
  if (!err && !s->memory) err = ln_store_file_open(config->path, &s->file, errtext);
  if (!err)
    err = ln_db_open(s->memory ? NULL : &s->file, config->durability, &s->reader, &s->writer, errtext);
  if (!err) err = ln_store_load_accounts(s);
  if (!err) err = ln_store_load_seq(s);
  if (!err && !s->memory) err = ln_store_writer_start(s);
  if (err) {
    if (!*errtext)
      snprintf(errtext, LN_STORE_ERRTEXT, "session %s: %s", config->path ? config->path : "in memory",
               ln_err_text(err));
    ln_store_close(s);
    return err;
  }
  *out = s;
  return LN_OK;
}

static void free_list(struct ln_op_list *l)
{
  struct ln_op *op;
  while ((op = ln_op_list_pop(l))) ln_op_free(op);
}

void ln_store_close(struct ln_store *s)
{
  struct ln_op *op;
  if (!s) return;
  if (s->threaded) {
    ln_store_writer_stop(s);
  } else if (s->memory && s->writer.db) {
    ln_store_flush(s);
  }
  s->stop = true; /* writes of the last callbacks are refused */
  while ((op = ln_op_list_pop(&s->queue))) {
    op->err = LN_E_IO;
    ln_op_list_push(&s->done, op);
  }
  ln_store_poll(s);
  free_list(&s->group);
  free_list(&s->done);
  ln_peer_cache_deinit(&s->peers);
  for (size_t i = 0; i < s->n_accounts; i++) ln_free(s->accounts[i].name);
  /* The writer's connection last but one: the last connection moves the log into the file and removes it.
   * Then our own descriptor, see file.h. */
  ln_db_close(&s->reader);
  ln_db_close(&s->writer);
  ln_store_file_close(&s->file);
  pthread_cond_destroy(&s->work);
  pthread_cond_destroy(&s->idle);
  pthread_mutex_destroy(&s->lock);
  ln_free(s);
}

int ln_store_status(const struct ln_store *s)
{
  pthread_mutex_t *lock = (pthread_mutex_t *)&s->lock;
  pthread_mutex_lock(lock);
  int status = s->status;
  pthread_mutex_unlock(lock);
  return status;
}

/* Takes a whole group into the queue, or nothing of it. */
static int enqueue_group(struct ln_store *s, struct ln_op_list *group)
{
  size_t bytes = 0;
  bool urgent = false, first;
  for (struct ln_op *op = group->first; op; op = op->next) {
    bytes += ln_op_size(op);
    urgent |= op->urgent;
  }
  pthread_mutex_lock(&s->lock);
  int err = s->status == LN_E_CORRUPT                                     ? LN_E_CORRUPT
            : s->stop                                                     ? LN_E_CLOSED
            : s->waiting + bytes > LN_STORE_MAX_WAITING && s->waiting > 0 ? LN_E_FULL
                                                                          : LN_OK;
  if (err) {
    pthread_mutex_unlock(&s->lock);
    return err;
  }
  for (struct ln_op *op = group->first; op; op = op->next)
    if (op->kind <= LN_OP_PTS_DELETE && op->kind != LN_OP_NONE) ln_overlay_add(&s->overlay, op);
  first = s->queue.n == 0;
  s->waiting += bytes;
  size_t before = s->queue.n;
  ln_op_list_append(&s->queue, group);
  /* The writer sleeps through the ops between the first and the 256th. */
  bool wake = first || urgent || (before < 256 && s->queue.n >= 256);
  s->urgent |= urgent;
  if (wake) pthread_cond_signal(&s->work);
  pthread_mutex_unlock(&s->lock);
  if (first && s->memory && s->config.notify) s->config.notify(s->config.ctx);
  return LN_OK;
}

/* A group that was not taken: the peers in it are known here but not on disk. */
static void drop_group(struct ln_store *s, struct ln_op_list *group)
{
  struct ln_op *op;
  while ((op = ln_op_list_pop(group))) {
    if (op->kind == LN_OP_PEER_SET) ln_peer_cache_settle(&s->peers, op, false);
    ln_op_free(op);
  }
}

int ln_store_enqueue(struct ln_store *s, struct ln_op *op)
{
  struct ln_op_list one = {0};
  if (!op) return LN_E_NOMEM;
  ln_op_list_push(&one, op);
  int err = enqueue_group(s, &one);
  if (err) drop_group(s, &one);
  return err;
}

int ln_store_submit(struct ln_store *s, struct ln_op *op)
{
  if (!s->in_group) return ln_store_enqueue(s, op);
  if (!op) {
    if (!s->group_err) s->group_err = LN_E_NOMEM;
    return LN_E_NOMEM;
  }
  ln_op_list_push(&s->group, op);
  return LN_OK;
}

int ln_store_refuse(struct ln_store *s, int err)
{
  if (s->in_group && !s->group_err) s->group_err = err;
  return err;
}

int ln_store_begin(struct ln_store *s)
{
  if (s->in_group) return LN_E_INVAL;
  s->in_group = true;
  s->group_err = LN_OK;
  return LN_OK;
}

int ln_store_commit(struct ln_store *s, ln_store_done done, void *ctx, uint64_t tag)
{
  if (!s->in_group) return LN_E_INVAL;
  int err = s->group_err;
  s->in_group = false;
  if (!err && done && !s->group.n) {
    struct ln_op *none = ln_op_new(LN_OP_NONE, 0, 0, ln_slice(NULL, 0), ln_slice(NULL, 0));
    if (none)
      ln_op_list_push(&s->group, none);
    else
      err = LN_E_NOMEM;
  }
  if (!err && s->group.n) {
    s->group.last->done = done;
    s->group.last->ctx = ctx;
    s->group.last->tag = tag;
    err = enqueue_group(s, &s->group);
  }
  if (err) drop_group(s, &s->group);
  return err;
}

void ln_store_poll(struct ln_store *s)
{
  if (s->polling) return;
  s->polling = true;
  pthread_mutex_lock(&s->lock);
  if (s->memory && s->queue.n && !s->stop) ln_store_work(s);
  struct ln_op_list done = s->done;
  memset(&s->done, 0, sizeof s->done);
  bool changed = s->status_changed;
  s->status_changed = false;
  int status = s->status;
  char why[sizeof s->why];
  memcpy(why, s->why, sizeof why);
  pthread_mutex_unlock(&s->lock);

  struct ln_op *op;
  while ((op = ln_op_list_pop(&done))) {
    ln_overlay_remove(&s->overlay, op);
    if (op->kind == LN_OP_PEER_SET) ln_peer_cache_settle(&s->peers, op, op->err == LN_OK);
    if (op->done) op->done(op->ctx, op->tag, op->err);
    ln_op_free(op);
  }
  if (changed && s->config.on_status) s->config.on_status(s->config.ctx, status, why);
  s->polling = false;
}

int ln_store_flush(struct ln_store *s)
{
  pthread_mutex_lock(&s->lock);
  int err = LN_OK;
  if (!s->threaded) {
    if (s->queue.n) err = ln_store_work(s);
  } else {
    /* A try that began before this call does not count: what was written since is not in it. */
    uint64_t enough = s->attempts + (s->working ? 2 : 1);
    while ((s->queue.n || s->working) && (s->attempts < enough || s->status == LN_OK)) {
      s->flushing = true;
      pthread_cond_signal(&s->work);
      pthread_cond_wait(&s->idle, &s->lock);
    }
    s->flushing = false;
    if (s->queue.n) err = LN_E_IO;
  }
  if (s->status == LN_E_CORRUPT) err = LN_E_CORRUPT;
  pthread_mutex_unlock(&s->lock);
  return err;
}

int ln_store_read_failed(struct ln_store *s, int sqlite_code)
{
  int err = ln_db_error(sqlite_code);
  if (err != LN_E_CORRUPT) return err;
  pthread_mutex_lock(&s->lock);
  ln_store_set_status(s, LN_E_CORRUPT, sqlite3_errmsg(ln_store_reader(s)->db));
  pthread_mutex_unlock(&s->lock);
  if (s->config.notify) s->config.notify(s->config.ctx);
  return err;
}

const char *ln_store_library(void)
{
  return sqlite3_libversion();
}

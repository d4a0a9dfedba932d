/* The writer thread: takes what is queued, commits it as one transaction, hands it back. In a store in memory
 * the owner calls ln_store_work itself. */
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include "base/clock.h"
#include "base/log.h"
#include "store/internal.h"

#define GATHER_US 10000 /* a commit waits this long for company … */
#define GATHER_OPS 256  /* … or for this many */
#define RETRY_FIRST_US 50000
#define RETRY_MOST_US 5000000

void ln_store_set_status(struct ln_store *s, int status, const char *why)
{
  if (s->status == status || s->status == LN_E_CORRUPT) return;
  s->status = status;
  s->status_changed = true;
  snprintf(s->why, sizeof s->why, "%s", why);
  ln_log(status == LN_OK ? LN_LOG_NOTICE : LN_LOG_ERROR, "store", "%s: %s",
         status == LN_OK        ? "the session can be written again"
         : status == LN_E_IO    ? "the session cannot be written, trying again"
         : status == LN_E_NOMEM ? "the session cannot be written, trying again"
                                : "the session is damaged, nothing more is written",
         why);
}

static void notify(struct ln_store *s)
{
  if (!s->config.notify) return;
  pthread_mutex_unlock(&s->lock);
  s->config.notify(s->config.ctx);
  pthread_mutex_lock(&s->lock);
}

int ln_store_work(struct ln_store *s)
{
  struct ln_op_list batch = s->queue;
  size_t bytes = 0;
  memset(&s->queue, 0, sizeof s->queue);
  bool damaged = s->status == LN_E_CORRUPT;
  s->urgent = s->flushing = false;
  s->working = true;
  pthread_mutex_unlock(&s->lock);

  for (struct ln_op *op = batch.first; op; op = op->next) bytes += ln_op_size(op);
  int code = damaged ? SQLITE_CORRUPT : ln_store_run_batch(&s->writer, batch.first, batch.n);
  int err = ln_db_error(code);
  char why[200] = "";
  if (err) snprintf(why, sizeof why, "%s (%d)", sqlite3_errmsg(s->writer.db), code);

  pthread_mutex_lock(&s->lock);
  bool was_empty = s->done.n == 0;
  if (err == LN_OK || err == LN_E_CORRUPT) {
    for (struct ln_op *op = batch.first; op; op = op->next) op->err = err;
    s->waiting -= bytes;
    ln_op_list_append(&s->done, &batch);
  } else {
    err = LN_E_IO;
    ln_op_list_append(&batch, &s->queue); /* what came meanwhile stays behind it */
    s->queue = batch;
  }
  ln_store_set_status(s, err, err ? why : "");
  s->working = false;
  s->attempts++;
  pthread_cond_broadcast(&s->idle);
  /* In memory the owner is polling already, or has been told when the first op was queued. */
  if (s->threaded && ((was_empty && s->done.n) || s->status_changed)) notify(s);
  return err;
}

static void wait_until(struct ln_store *s, int64_t at)
{
  struct timespec t = {.tv_sec = at / LN_US_PER_S, .tv_nsec = at % LN_US_PER_S * 1000};
  pthread_cond_timedwait(&s->work, &s->lock, &t);
}

static int64_t now_us(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t); /* the clock of the condition variable */
  return (int64_t)t.tv_sec * LN_US_PER_S + t.tv_nsec / 1000;
}

static void *writer(void *arg)
{
  struct ln_store *s = arg;
  int64_t back_off = RETRY_FIRST_US;
  pthread_mutex_lock(&s->lock);
  for (;;) {
    while (!s->queue.n && !s->stop) pthread_cond_wait(&s->work, &s->lock);
    if (!s->queue.n) break;
    int64_t until = now_us() + GATHER_US;
    while (s->queue.n < GATHER_OPS && !s->urgent && !s->flushing && !s->stop && now_us() < until)
      wait_until(s, until);
    int err = ln_store_work(s);
    if (err != LN_E_IO) {
      back_off = RETRY_FIRST_US;
      continue;
    }
    if (s->stop) break;
    until = now_us() + back_off;
    back_off = back_off * 2 > RETRY_MOST_US ? RETRY_MOST_US : back_off * 2;
    while (!s->flushing && !s->stop && now_us() < until) wait_until(s, until);
  }
  pthread_mutex_unlock(&s->lock);
  return NULL;
}

int ln_store_writer_start(struct ln_store *s)
{
  /* Signals are for the loop's thread. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&s->thread, NULL, writer, s);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error) return LN_E_NOMEM;
  s->threaded = true;
  return LN_OK;
}

void ln_store_writer_stop(struct ln_store *s)
{
  if (!s->threaded) return;
  pthread_mutex_lock(&s->lock);
  s->stop = true;
  pthread_cond_signal(&s->work);
  pthread_mutex_unlock(&s->lock);
  pthread_join(s->thread, NULL);
  s->threaded = false;
}

/* Key exchanges on the sandbox's connections: payloads through the frame, RSA and Diffie-Hellman through the
 * worker. A job may outlive its connection and the sandbox, but not the private key: see ln_sandbox_pool. */
#include "sandbox/internal.h"
#include "base/alloc.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "loop/worker.h"

/* Counts the jobs that pool threads run. Shared by the sandbox and its jobs. */
struct ln_sandbox_pool {
  pthread_mutex_t lock;
  pthread_cond_t idle;
  int running; /* under the lock */
  int users;   /* the loop's thread alone */
};

struct ln_sandbox_work {
  struct ln_sandbox_connection *c; /* NULL: gone */
  struct ln_sandbox_pool *pool;
  struct ln_exchange *x;
  struct ln_exchange_job *job;
};

int ln_sandbox_pool_new(struct ln_sandbox_pool **out)
{
  struct ln_sandbox_pool *p = ln_calloc(1, sizeof *p);
  if (!p) return LN_E_NOMEM;
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->idle, NULL);
  p->users = 1;
  *out = p;
  return LN_OK;
}

void ln_sandbox_pool_wait(struct ln_sandbox_pool *p)
{
  pthread_mutex_lock(&p->lock);
  while (p->running) pthread_cond_wait(&p->idle, &p->lock);
  pthread_mutex_unlock(&p->lock);
}

void ln_sandbox_pool_release(struct ln_sandbox_pool *p)
{
  if (--p->users) return;
  pthread_mutex_destroy(&p->lock);
  pthread_cond_destroy(&p->idle);
  ln_free(p);
}

static bool step(struct ln_sandbox_connection *c);

static void run(void *ctx)
{
  struct ln_sandbox_work *w = ctx;
  ln_exchange_job_run(w->job);
  pthread_mutex_lock(&w->pool->lock);
  if (--w->pool->running == 0) pthread_cond_broadcast(&w->pool->idle);
  pthread_mutex_unlock(&w->pool->lock);
}

/* Sends what the exchange has to say (also where it failed: a refusal is an answer). */
static bool say(struct ln_sandbox_connection *c)
{
  struct ln_slice payload;
  struct ln_buf *out = ln_stream_out(c->stream);
  while (ln_exchange_output(c->exchange, ln_clock_wall(c->sandbox->clock), &payload)) {
    uint8_t *to;
    if (ln_frame_begin(c->frame, out, payload.n, &to)) return false;
    memcpy(to, payload.p, payload.n);
    if (ln_frame_end(c->frame, out)) return false;
  }
  ln_stream_send(c->stream);
  return true;
}

static bool failed(struct ln_sandbox_connection *c, int err)
{
  ln_log(LN_LOG_NOTICE, "sandbox", "a key exchange failed: %s (check %d)", ln_err_text(err),
         c->exchange ? ln_exchange_failed_check(c->exchange) : -1);
  if (c->exchange) (void)say(c);
  if (!c->session) {
    ln_sandbox_disconnect(c);
    return false;
  }
  ln_sandbox_exchange_end(c); /* for another key, beside a session that goes on */
  ln_sandbox_set_reading(c);
  return true;
}

static void done(void *ctx)
{
  struct ln_sandbox_work *w = ctx;
  struct ln_sandbox_connection *c = w->c;
  struct ln_clock *clock = c ? c->sandbox->clock : NULL;
  int err = ln_exchange_job_done(w->x, clock ? ln_clock_now(clock) : 0, clock ? ln_clock_wall(clock) : 0);
  ln_sandbox_pool_release(w->pool);
  ln_free(w);
  if (!c) return;
  struct ln_sandbox *s = c->sandbox;
  ln_sandbox_enter(s);
  c->work = NULL;
  bool alive = err ? failed(c, err) : step(c);
  if (alive) {
    ln_sandbox_set_reading(c);
    ln_sandbox_rearm(c);
  }
  ln_sandbox_leave(s);
}

static bool start_job(struct ln_sandbox_connection *c)
{
  struct ln_sandbox *s = c->sandbox;
  struct ln_sandbox_work *w = ln_calloc(1, sizeof *w);
  if (!w) return failed(c, LN_E_NOMEM);
  w->job = ln_exchange_job(c->exchange);
  if (!w->job) {
    ln_free(w);
    return true;
  }
  w->c = c;
  w->x = c->exchange;
  w->pool = s->pool;
  s->pool->users++;
  pthread_mutex_lock(&s->pool->lock);
  s->pool->running++;
  pthread_mutex_unlock(&s->pool->lock);
  c->work = w;
  ln_sandbox_set_reading(c);
  if (ln_worker_run(s->loop, run, done, w) == LN_OK) return true;
  pthread_mutex_lock(&s->pool->lock);
  s->pool->running--;
  pthread_mutex_unlock(&s->pool->lock);
  ln_sandbox_pool_release(s->pool);
  ln_sandbox_exchange_end(c);
  ln_exchange_job_done(w->x, 0, 0); /* frees it: the job was handed out */
  ln_free(w);
  return failed(c, LN_E_NOMEM);
}

/* A client names the DC that it means: 10000 more for test servers, negative for media. */
static bool means(int named, int dc)
{
  if (named < 0) named = named == INT32_MIN ? 0 : -named;
  return named == 0 || named % 10000 == dc;
}

static bool finish(struct ln_sandbox_connection *c, const struct ln_exchange_result *r)
{
  struct ln_sandbox *s = c->sandbox;
  if (r->key.id == c->made) return true; /* an answer that was said again */
  if (!means(r->dc, c->dc)) {
    ln_log(LN_LOG_WARNING, "sandbox", "a client means DC %d, this is DC %d", r->dc, c->dc);
    ln_sandbox_disconnect(c);
    return false;
  }
  int64_t expires = r->temporary ? ln_clock_now(s->clock) + r->expires_in * LN_US_PER_S : LN_NEVER;
  int err = ln_sandbox_keep_key(s, &r->key, r->salt, c->dc, expires);
  if (err) { /* in silence: a client that heard dh_gen_ok would keep a key that nobody knows */
    ln_log(LN_LOG_ERROR, "sandbox", "a fresh auth key is not kept: %s", ln_err_text(err));
    ln_sandbox_disconnect(c);
    return false;
  }
  c->made = r->key.id;
  if (!r->temporary && s->ops->on_auth_key) s->ops->on_auth_key(s->ctx, &r->key, r->salt, c->dc);
  return c->stream != NULL;
}

static bool step(struct ln_sandbox_connection *c)
{
  struct ln_exchange_result result;
  /* The key has to be known before its client hears that it is. */
  if (ln_exchange_finished(c->exchange, &result)) {
    bool alive = finish(c, &result);
    ln_cleanse(&result, sizeof result);
    if (!alive) return false;
  }
  if (!say(c)) return failed(c, LN_E_NOMEM);
  return c->work || start_job(c);
}

static bool taken(void *ctx, uint64_t auth_key_id)
{
  struct ln_sandbox *s = ctx;
  return ln_map_get(&s->keys, auth_key_id) != NULL;
}

bool ln_sandbox_exchange(struct ln_sandbox_connection *c, struct ln_slice payload)
{
  struct ln_sandbox *s = c->sandbox;
  int err = LN_OK;
  if (!c->exchange) {
    struct ln_exchange_server_config config = {.key = s->key, .rng = s->rng, .taken = taken, .ctx = s};
    err = ln_exchange_server_new(&config, &c->exchange);
    c->made = 0;
  }
  if (!err) err = ln_exchange_input(c->exchange, payload, ln_clock_now(s->clock), ln_clock_wall(s->clock));
  if (err == LN_E_DISCARD) return true;
  return err ? failed(c, err) : step(c);
}

bool ln_sandbox_exchange_time(struct ln_sandbox_connection *c)
{
  int err = ln_exchange_tick(c->exchange, ln_clock_now(c->sandbox->clock));
  return err ? failed(c, err) : step(c);
}

void ln_sandbox_exchange_end(struct ln_sandbox_connection *c)
{
  ln_exchange_abandon(c->exchange);
  c->exchange = NULL;
  if (c->work) c->work->c = NULL;
  c->work = NULL;
}

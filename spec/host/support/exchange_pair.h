/* A client's and a server's key exchange against each other, payload by payload, with their jobs run on the
 * spot. For specs of the exchange. */
#ifndef SPEC_EXCHANGE_PAIR_H
#define SPEC_EXCHANGE_PAIR_H

#include "base/clock.h"
#include "mtproto/exchange.h"
#include "spec.h"

#define PAIR_NOW (INT64_C(500) * LN_US_PER_S)
#define PAIR_WALL (INT64_C(1750000000) * LN_US_PER_S)

struct pair {
  struct ln_rng_seeded client_seed, server_seed;
  struct ln_exchange_client_config client_config;
  struct ln_exchange_server_config server_config;
  const struct ln_rsa *keys[1];
  struct ln_exchange *client, *server;
};

/* One key for a whole program: making it takes a while. */
static inline const struct ln_rsa *pair_rsa(void)
{
  static struct ln_rsa *rsa;
  if (!rsa) assert_int_equal(ln_rsa_generate(&rsa), LN_OK);
  return rsa;
}

static inline void pair_configure(struct pair *p, uint64_t seed)
{
  memset(p, 0, sizeof *p);
  p->keys[0] = pair_rsa();
  p->client_config.dc = 2;
  p->client_config.keys = p->keys;
  p->client_config.n_keys = 1;
  p->client_config.rng = ln_rng_seeded(&p->client_seed, seed);
  p->server_config.key = pair_rsa();
  p->server_config.rng = ln_rng_seeded(&p->server_seed, seed + 1000);
}

static inline void pair_open(struct pair *p)
{
  assert_int_equal(ln_exchange_client_new(&p->client_config, &p->client), LN_OK);
  assert_int_equal(ln_exchange_server_new(&p->server_config, &p->server), LN_OK);
}

static inline void pair_close(struct pair *p)
{
  ln_exchange_free(p->client);
  ln_exchange_free(p->server);
}

static inline int pair_work(struct ln_exchange *x, int64_t now, int64_t wall)
{
  struct ln_exchange_job *job;
  int err = LN_OK;
  while (!err && (job = ln_exchange_job(x))) {
    ln_exchange_job_run(job);
    err = ln_exchange_job_done(x, now, wall);
  }
  return err;
}

/* Hands a payload to x, from memory of its own, and does the work that follows. */
static inline int pair_feed(struct ln_exchange *x, struct ln_slice payload, int64_t now, int64_t wall)
{
  uint8_t *copy = malloc(payload.n ? payload.n : 1);
  memcpy(copy, payload.p, payload.n);
  int err = ln_exchange_input(x, ln_slice(copy, payload.n), now, wall);
  free(copy);
  return err ? err : pair_work(x, now, wall);
}

/* Until nobody has anything to say. `payloads` (may be NULL) counts them. */
static inline int pair_run(struct pair *p, int64_t now, int *payloads)
{
  struct ln_slice payload;
  int err = LN_OK;
  for (bool moved = true; moved && !err;) {
    moved = false;
    if (ln_exchange_output(p->client, PAIR_WALL + now, &payload)) {
      err = pair_feed(p->server, payload, now, PAIR_WALL + now);
      moved = true;
      if (payloads) ++*payloads;
    }
    if (!err && ln_exchange_output(p->server, PAIR_WALL + now, &payload)) {
      err = pair_feed(p->client, payload, now, PAIR_WALL + now);
      moved = true;
      if (payloads) ++*payloads;
    }
  }
  return err;
}

/* Both have the same key. */
static inline void pair_agreed(const struct pair *p, struct ln_exchange_result *out)
{
  struct ln_exchange_result other;
  assert_true(ln_exchange_finished(p->client, out));
  assert_true(ln_exchange_finished(p->server, &other));
  assert_memory_equal(out->key.key, other.key.key, sizeof out->key.key);
  assert_true(out->key.id == other.key.id && out->key.id != 0);
  assert_true(out->salt == other.salt);
}

#endif

/* A sandbox and clients of it in one loop, over pipes with a virtual clock or over TCP on loopback. For the
 * specs of sandbox/, which play both ends. */
#ifndef SPEC_NET_WORLD_H
#define SPEC_NET_WORLD_H

#include "spec.h"
#include "base/log.h"
#include "client/connection.h"
#include "mtproto/binding.h"
#include "sandbox/server.h"
#include "tl/reader.h"
#include "tl_ids.h"

#define WORLD_CALLS 4096

struct person { /* a client, and all that happened to it */
  struct ln_connection *c;
  struct ln_rng_seeded seed;
  int answers[WORLD_CALLS]; /* by tag */
  int n_results, n_errors, last_err, last_code;
  uint32_t last_word, sum;
  int n_updates, n_new_sessions;
  uint64_t update_id;
  bool ack_at_once;
  int n_up, n_down, n_dials, n_saves, n_fresh, n_fatal, fatal;
  int down_err;
  int64_t retry_us, up_at, down_at;
  char why[128];
  struct ln_auth_key key;
  uint64_t salt;
  int64_t offset_us;
  const char *close_in; /* closes its connection in this callback */
  int64_t dials_at[256];
};

struct world {
  struct ln_loop *loop;
  struct ln_clock *clock; /* virtual, or the loop's */
  struct ln_sandbox *sandbox;
  struct ln_rng_seeded seed;
  int port;
  int n_requests, n_acks, n_drops, n_up, n_down, n_gone, n_keys;
  bool hold_answers; /* on_request keeps them for later */
  struct {
    struct ln_sandbox_session *s;
    uint64_t id;
  } held[WORLD_CALLS];
  int n_held;
  size_t answer_size;
  /* temporary keys: bound to `perm`, or else to the last that an exchange made */
  const struct ln_auth_key *perm;
  const char *refuse; /* error of the next bindings, */
  int refusals;       /* so many */
  int n_bindings, n_bound;
  uint64_t bound; /* the last key that was */
  int n_unbound;  /* requests by a key that is not bound */
  uint64_t acked;
  struct ln_sandbox_session *session; /* that was up last */
  struct ln_auth_key key;
  uint64_t salt;
  const char *free_in; /* frees the sandbox in this callback */
  bool (*done)(void);
  bool stuck;
  int64_t until;
};

static struct world world;
static struct ln_rsa *world_key, *world_public;

static inline int world_make_key(void **state)
{
  struct ln_buf pem;
  (void)state;
  ln_log_set_level(LN_LOG_FATAL_ERROR);
  if (ln_rsa_generate(&world_key)) return -1;
  ln_buf_init(&pem, 8192);
  int err = ln_rsa_write_public(world_key, &pem);
  if (!err) err = ln_rsa_parse_public(ln_buf_slice(&pem), &world_public, NULL);
  ln_buf_deinit(&pem);
  return err;
}

static inline int world_free_key(void **state)
{
  (void)state;
  ln_rsa_free(world_key);
  ln_rsa_free(world_public);
  return 0;
}

/* --- the server's side --- */

static inline bool world_frees(const char *where)
{
  if (!world.free_in || strcmp(world.free_in, where) != 0) return false;
  struct ln_sandbox *s = world.sandbox;
  world.sandbox = NULL;
  ln_sandbox_free(s);
  return true;
}

/* An answer: the request's own second word, behind a constructor, and as many bytes as asked for. */
static inline void world_answer(struct ln_sandbox_session *s, uint64_t id, uint32_t word)
{
  static uint8_t body[1 << 20];
  size_t n = world.answer_size ? world.answer_size : 8;
  ln_put_le32(body, 0x0a0b0c0d);
  ln_put_le32(body + 4, word);
  for (size_t i = 8; i < n; i++) body[i] = (uint8_t)(i * i >> 7); /* not for gzip alone */
  /* once more where memory was short: nobody else would answer */
  if (ln_sandbox_result(s, id, ln_slice(body, n))) (void)ln_sandbox_result(s, id, ln_slice(body, n));
}

static inline void world_bind(struct ln_sandbox_session *s, uint64_t id, struct ln_slice body)
{
  struct ln_reader r;
  struct ln_binding b;
  uint8_t yes[4];
  ln_reader_init(&r, body);
  ln_read_u32(&r);
  uint64_t perm = ln_read_u64(&r), nonce = ln_read_u64(&r);
  int32_t expires = ln_read_i32(&r);
  struct ln_slice sealed = ln_read_bytes(&r);
  assert_int_equal(ln_reader_finish(&r), LN_OK);
  world.n_bindings++;
  if (world.refusals) {
    world.refusals--;
    ln_sandbox_error(s, id, 400, world.refuse);
    return;
  }
  const struct ln_auth_key *key = world.perm ? world.perm : &world.key;
  assert_true(perm == key->id);
  assert_int_equal(ln_binding_open(key, sealed, &b), LN_OK);
  assert_true(b.perm_key_id == perm && b.temp_key_id == ln_sandbox_session_auth_key_id(s));
  assert_true(b.session_id == ln_sandbox_session_id(s) && b.msg_id == id && b.seqno == 0 && b.nonce == nonce);
  assert_int_equal(b.expires_at, expires);
  assert_true(expires > ln_clock_wall(world.clock) / LN_US_PER_S);
  world.n_bound++;
  world.bound = b.temp_key_id;
  ln_put_le32(yes, LN_ID_boolTrue);
  ln_sandbox_result(s, id, ln_slice(yes, 4));
}

static inline void world_on_request(void *ctx, struct ln_sandbox_session *s, uint64_t id,
                                    struct ln_slice body)
{
  (void)ctx;
  if (ln_le32(body.p) == LN_ID_auth_bindTempAuthKey) {
    world_bind(s, id, body);
    return;
  }
  world.n_requests++;
  if (world.bound && ln_sandbox_session_auth_key_id(s) != world.bound) world.n_unbound++;
  if (world_frees("request")) return;
  uint32_t word = body.n >= 8 ? ln_le32(body.p + 4) : 0;
  if (ln_le32(body.p) == 0xe0e0e0e0) {
    ln_sandbox_error(s, id, 420, "FLOOD_WAIT_3");
  } else if (world.hold_answers) {
    world.held[world.n_held].s = s;
    world.held[world.n_held++].id = id | (uint64_t)0;
  } else {
    world_answer(s, id, word);
  }
}

static inline bool world_on_drop(void *ctx, struct ln_sandbox_session *s, uint64_t id)
{
  (void)ctx, (void)s, (void)id;
  world.n_drops++;
  return true;
}

static inline void world_on_ack(void *ctx, struct ln_sandbox_session *s, uint64_t id)
{
  (void)ctx, (void)s;
  world.n_acks++;
  world.acked = id;
}

static inline void world_on_up(void *ctx, struct ln_sandbox_session *s)
{
  (void)ctx;
  world.n_up++;
  world.session = s;
  ln_sandbox_session_set_user(s, &world);
  assert_true(ln_sandbox_session_is_up(s));
  world_frees("up");
}

static inline void world_on_down(void *ctx, struct ln_sandbox_session *s)
{
  (void)ctx;
  world.n_down++;
  assert_false(ln_sandbox_session_is_up(s));
  world_frees("down");
}

static inline void world_on_gone(void *ctx, struct ln_sandbox_session *s)
{
  (void)ctx;
  world.n_gone++;
  assert_ptr_equal(ln_sandbox_session_get_user(s), &world);
  if (world.session == s) world.session = NULL;
}

static inline void world_on_auth_key(void *ctx, const struct ln_auth_key *key, uint64_t salt, int dc)
{
  (void)ctx;
  assert_int_equal(dc, 2);
  world.n_keys++;
  world.key = *key;
  world.salt = salt;
  world_frees("key");
}

static const struct ln_sandbox_ops world_sandbox_ops = {world_on_request, world_on_drop, world_on_ack,
                                                        world_on_up,      world_on_down, world_on_gone,
                                                        world_on_auth_key};

static inline void world_open_sandbox(void)
{
  struct ln_sandbox_config config = {
      .loop = world.loop,
      .clock = world.clock,
      .key = world_key,
      .rng = ln_rng_seeded(&world.seed, 11),
      .ops = &world_sandbox_ops,
  };
  assert_int_equal(ln_sandbox_new(&config, &world.sandbox), LN_OK);
}

static inline int world_open_virtual(void **state)
{
  (void)state;
  memset(&world, 0, sizeof world);
  if (ln_loop_new(&world.loop)) return -1;
  if (ln_clock_new_virtual(world.loop, INT64_C(1700000000000000), &world.clock)) return -1;
  world_open_sandbox();
  return 0;
}

static inline int world_open_tcp(void **state)
{
  (void)state;
  memset(&world, 0, sizeof world);
  if (ln_loop_new(&world.loop)) return -1;
  world.clock = ln_loop_clock(world.loop);
  world_open_sandbox();
  return ln_sandbox_listen(world.sandbox, "127.0.0.1", 0, 2, &world.port);
}

static inline int world_close(void **state)
{
  (void)state;
  ln_sandbox_free(world.sandbox);
  ln_clock_free(world.clock);
  ln_loop_free(world.loop);
  return 0;
}

/* --- running --- */

static inline bool world_idle(void *ctx)
{
  (void)ctx;
  if (world.done && world.done()) {
    ln_loop_stop(world.loop);
    return true;
  }
  if (!ln_clock_is_virtual(world.clock) || ln_loop_held(world.loop)) return false;
  int64_t next = ln_clock_next(world.clock);
  if (next > world.until) {
    ln_clock_move(world.clock, world.until);
    world.stuck = world.done != NULL;
    ln_loop_stop(world.loop);
  } else {
    ln_clock_move(world.clock, next);
  }
  return true;
}

static inline void world_too_late(struct ln_timer *t)
{
  (void)t;
  world.stuck = world.done != NULL;
  ln_loop_stop(world.loop);
}

/* Until done() says so; at most `seconds` of the world's clock. done NULL: for so long. */
static inline void world_run(bool (*done)(void), int seconds)
{
  struct ln_timer limit = {.fn = world_too_late};
  world.done = done;
  world.stuck = false;
  world.until = ln_clock_now(world.clock) + seconds * LN_US_PER_S;
  ln_loop_set_idle(world.loop, world_idle, NULL);
  if (!ln_clock_is_virtual(world.clock)) ln_timer_start(world.clock, &limit, world.until);
  ln_loop_run(world.loop);
  ln_timer_stop(&limit);
  assert_false(world.stuck);
}

/* --- a client's side --- */

static inline void person_closes(struct person *p, const char *where)
{
  if (!p->close_in || strcmp(p->close_in, where) != 0) return;
  struct ln_connection *c = p->c;
  p->close_in = NULL;
  p->c = NULL;
  ln_connection_close(c);
}

static inline void person_on_result(void *ctx, void *tag, struct ln_slice result)
{
  struct person *p = ctx;
  p->n_results++;
  p->answers[(uintptr_t)tag]++;
  p->last_word = result.n >= 8 ? ln_le32(result.p + 4) : 0;
  p->sum += (uint32_t)result.n;
  person_closes(p, "result");
}

static inline void person_on_error(void *ctx, void *tag, int err, int code, struct ln_slice text)
{
  struct person *p = ctx;
  (void)text;
  p->n_errors++;
  p->answers[(uintptr_t)tag]++;
  p->last_err = err;
  p->last_code = code;
  person_closes(p, "error");
}

static inline void person_on_update(void *ctx, struct ln_slice update, uint64_t msg_id)
{
  struct person *p = ctx;
  p->n_updates++;
  p->last_word = update.n >= 8 ? ln_le32(update.p + 4) : 0;
  p->update_id = msg_id;
  if (p->ack_at_once) ln_connection_ack(p->c, msg_id);
  person_closes(p, "update");
}

static inline void person_on_new_session(void *ctx)
{
  struct person *p = ctx;
  p->n_new_sessions++;
  person_closes(p, "new session");
}

static inline void person_on_status(void *ctx, enum ln_connection_state state, int err, const char *why,
                                    int64_t retry_us)
{
  struct person *p = ctx;
  if (p->c) assert_int_equal(ln_connection_get_state(p->c), state);
  switch (state) {
  case LN_CONN_DIALLING:
    if (p->n_dials < 256) p->dials_at[p->n_dials] = ln_clock_now(world.clock);
    p->n_dials++;
    person_closes(p, "dialling");
    break;
  case LN_CONN_EXCHANGE: person_closes(p, "exchange"); break;
  case LN_CONN_UP:
    p->n_up++;
    p->up_at = ln_clock_now(world.clock);
    person_closes(p, "up");
    break;
  case LN_CONN_DOWN:
    p->n_down++;
    p->down_err = err;
    p->retry_us = retry_us;
    p->down_at = ln_clock_now(world.clock);
    snprintf(p->why, sizeof p->why, "%s", why);
    person_closes(p, "down");
    break;
  }
}

static inline void person_on_save(void *ctx, const struct ln_auth_key *key, uint64_t salt,
                                  const struct ln_salt *salts, size_t n_salts, int64_t offset_us, bool fresh)
{
  struct person *p = ctx;
  assert_true(n_salts >= 1);
  assert_int_equal(salts[0].salt, salt);
  p->n_saves++;
  p->n_fresh += fresh;
  p->key = *key;
  p->salt = salt;
  p->offset_us = offset_us;
  person_closes(p, fresh ? "save" : "state");
}

static inline void person_on_fatal(void *ctx, int err, const char *why)
{
  struct person *p = ctx;
  (void)why;
  p->n_fatal++;
  p->fatal = err;
  person_closes(p, "fatal");
}

static const struct ln_connection_ops person_ops = {
    .session = {person_on_result, person_on_error, person_on_update, person_on_new_session, NULL},
    .on_status = person_on_status,
    .on_save = person_on_save,
    .on_fatal = person_on_fatal,
};

static inline int person_dial(void *ctx, const struct ln_stream_ops *ops, void *ops_ctx,
                              struct ln_stream **out)
{
  (void)ctx;
  return world.sandbox ? ln_sandbox_dial(world.sandbox, 2, ops, ops_ctx, out) : LN_E_CONNECT;
}

/* Fills in what a person of this world has; a spec may change it before person_start. */
static inline struct ln_connection_config person_config(struct person *p, const char *way)
{
  static const struct ln_rsa *keys[1];
  static struct ln_address address;
  static struct ln_dialer dialer = {person_dial, NULL};
  static uint64_t seed = 100;
  keys[0] = world_public;
  memset(p, 0, sizeof *p);
  struct ln_connection_config config = {
      .loop = world.loop,
      .clock = world.clock,
      .dc = 2,
      .keys = keys,
      .n_keys = 1,
      .rng = ln_rng_seeded(&p->seed, ++seed),
      .ops = &person_ops,
      .ctx = p,
  };
  assert_int_equal(ln_frame_config_parse(way, &config.frame), LN_OK);
  config.frame.dc = 2;
  if (world.port) {
    address = (struct ln_address){"127.0.0.1", world.port};
    config.addresses = &address;
    config.n_addresses = 1;
  } else {
    config.dialer = &dialer;
  }
  return config;
}

static inline void person_start(struct person *p, const struct ln_connection_config *config)
{
  assert_int_equal(ln_connection_new(config, &p->c), LN_OK);
  assert_int_equal(ln_connection_get_state(p->c), LN_CONN_DOWN);
}

static inline void person_stop(struct person *p)
{
  ln_connection_close(p->c);
  p->c = NULL;
}

/* A saved key, so that a spec that is about other things needs no exchange. */
static inline void person_has_key(struct ln_connection_config *config, struct ln_auth_key *key)
{
  uint8_t bytes[256];
  spec_pattern(bytes, sizeof bytes, 9);
  ln_auth_key_init(key, bytes);
  config->key = key;
  config->salt = 77;
  config->synchronised = true;
  int err = ln_sandbox_add_auth_key(world.sandbox, key, 77, 2);
  assert_true(err == LN_OK || err == LN_E_BUSY);
}

static inline struct ln_request *person_ask(struct person *p, uint32_t word)
{
  uint8_t body[8];
  struct ln_request *r = NULL;
  ln_put_le32(body, 0x01020304);
  ln_put_le32(body + 4, word);
  assert_int_equal(ln_connection_request(p->c, ln_slice(body, 8), (void *)(uintptr_t)word, NULL, 0, &r),
                   LN_OK);
  return r;
}

#endif

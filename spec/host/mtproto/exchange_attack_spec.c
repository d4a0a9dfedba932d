/* Servers that cheat. Every attack is refused by the check that is there for it; with that check switched off
 * it gets through (or, where the peer only says no, another answer shows): so each check is needed, and
 * tested. */
#include "mtproto/check.h"
#include "mtproto/exchange.h"

#include "exchange_evil.h"

#define THROUGH -1   /* the client went on to the key, or to the point where the cheat pays */
#define OTHERWISE -2 /* an error that names no check */

/* --- attacks: what became of the client --- */

static int against(enum trick trick, struct pair *p, struct evil *e)
{
  struct ln_slice query;
  struct ln_exchange_result r;
  uint32_t id = 0;
  int err = ln_exchange_start(p->client, PAIR_NOW);
  while (!err && ln_exchange_output(p->client, PAIR_WALL, &query)) {
    struct ln_buf reply;
    id = evil_answer(e, query, &reply);
    if (id == LN_ID_set_client_DH_params && trick >= GA_ZERO && trick <= GA_EMPTY) {
      ln_buf_deinit(&reply);
      return THROUGH; /* it took that g_a */
    }
    err = pair_feed(p->client, ln_buf_slice(&reply), PAIR_NOW, PAIR_WALL);
    ln_buf_deinit(&reply);
  }
  if (!err) assert_true(ln_exchange_finished(p->client, &r));
  if (!err) return THROUGH;
  assert_false(ln_exchange_finished(p->client, &r));
  assert_false(ln_exchange_output(p->client, PAIR_WALL, &query)); /* not a word of it to the peer */
  assert_true(ln_exchange_deadline(p->client) == LN_NEVER);
  return err == LN_E_HANDSHAKE ? ln_exchange_failed_check(p->client) : OTHERWISE;
}

static int attack(enum trick trick)
{
  struct pair p;
  struct evil e;
  pair_configure(&p, 100 + (uint64_t)trick);
  evil_open(&e, trick, 200 + (uint64_t)trick);
  assert_int_equal(ln_exchange_client_new(&p.client_config, &p.client), LN_OK);
  int outcome = against(trick, &p, &e);
  ln_exchange_free(p.client);
  return outcome;
}

static int no_dc(enum trick trick)
{
  struct pair p;
  pair_configure(&p, 1);
  p.client_config.dc = (int)trick;
  int err = ln_exchange_client_new(&p.client_config, &p.client);
  ln_exchange_free(p.client);
  return err ? LN_CK_K6 : THROUGH;
}

static int fill_but_secrets(void *ctx, void *out, size_t n)
{
  if (n == 256) return LN_E_CRYPTO;
  return ln_rng_fill(ctx, out, n);
}

/* With the check off the secret is 0 and g_b is 1: K12 is off too, or it would see that. */
static int no_secret(enum trick trick)
{
  struct pair p;
  struct evil e;
  pair_configure(&p, 1);
  struct ln_rng rest = p.client_config.rng;
  p.client_config.rng = (struct ln_rng){fill_but_secrets, &rest};
  evil_open(&e, trick, 2);
  assert_int_equal(ln_exchange_client_new(&p.client_config, &p.client), LN_OK);
  int outcome = against(trick, &p, &e);
  ln_exchange_free(p.client);
  return outcome == THROUGH && e.gens == 0 ? OTHERWISE : outcome;
}

static int silent(enum trick trick)
{
  struct pair p;
  struct ln_slice query;
  (void)trick;
  pair_configure(&p, 1);
  assert_int_equal(ln_exchange_client_new(&p.client_config, &p.client), LN_OK);
  assert_int_equal(ln_exchange_start(p.client, PAIR_NOW), LN_OK);
  assert_true(ln_exchange_output(p.client, PAIR_WALL, &query));
  int err = ln_exchange_tick(p.client, PAIR_NOW + 60 * LN_US_PER_S);
  int outcome = err == LN_E_TIMEOUT ? ln_exchange_failed_check(p.client) : err ? OTHERWISE : THROUGH;
  ln_exchange_free(p.client);
  return outcome;
}

/* The answer comes in time, what is computed from it comes after. */
static int slow_worker(enum trick trick)
{
  struct pair p;
  struct evil e;
  struct ln_slice query;
  struct ln_buf reply;
  pair_configure(&p, 1);
  evil_open(&e, trick, 2);
  assert_int_equal(ln_exchange_client_new(&p.client_config, &p.client), LN_OK);
  assert_int_equal(ln_exchange_start(p.client, PAIR_NOW), LN_OK);
  assert_true(ln_exchange_output(p.client, PAIR_WALL, &query));
  evil_answer(&e, query, &reply);
  assert_int_equal(ln_exchange_input(p.client, ln_buf_slice(&reply), PAIR_NOW, PAIR_WALL), LN_OK);
  ln_buf_deinit(&reply);
  struct ln_exchange_job *job = ln_exchange_job(p.client);
  assert_non_null(job);
  ln_exchange_job_run(job);
  int err = ln_exchange_job_done(p.client, PAIR_NOW + 60 * LN_US_PER_S, PAIR_WALL);
  int outcome = err == LN_E_TIMEOUT ? ln_exchange_failed_check(p.client) : err ? OTHERWISE : THROUGH;
  ln_exchange_free(p.client);
  return outcome;
}

#define OFF(k) (UINT64_C(1) << LN_CK_##k)

static const struct {
  enum ln_check_id check;
  const char *name;
  int (*run)(enum trick trick);
  enum trick trick;
  uint64_t also_off; /* other checks that would refuse it as well: off in both runs */
  int without;       /* what comes of it with the check off */
} attacks[] = {
    {LN_CK_K1, "resPQ with another nonce", attack, RES_NONCE, 0, THROUGH},
    {LN_CK_K1, "server_DH_params_ok with another nonce", attack, PARAMS_NONCE, 0, THROUGH},
    {LN_CK_K1, "server_DH_params_ok with another server_nonce", attack, PARAMS_SERVER_NONCE, 0, THROUGH},
    {LN_CK_K1, "server_DH_inner_data with another nonce", attack, INNER_NONCE, 0, THROUGH},
    {LN_CK_K1, "server_DH_inner_data with another server_nonce", attack, INNER_SERVER_NONCE, 0, THROUGH},
    {LN_CK_K1, "dh_gen_ok with another nonce", attack, GEN_NONCE, 0, THROUGH},
    {LN_CK_K1, "dh_gen_ok with another server_nonce", attack, GEN_SERVER_NONCE, 0, THROUGH},
    {LN_CK_K1, "server_DH_params_fail with another nonce", attack, FAIL_NONCE, 0, LN_CK_COUNT},
    {LN_CK_K2, "an auth_key_id", attack, AUTH_KEY_ID, 0, THROUGH},
    {LN_CK_K2, "a client's msg_id", attack, EVEN_MSG_ID, 0, THROUGH},
    {LN_CK_K2, "16 bytes after the body", attack, TRAILING_16, 0, THROUGH},
    {LN_CK_K2, "more than 4 KiB", attack, HUGE_PAYLOAD, OFF(K3), THROUGH},
    {LN_CK_K3, "65 fingerprints", attack, FINGERPRINTS_65, 0, THROUGH},
    {LN_CK_K4, "pq without bytes", attack, PQ_EMPTY, 0, THROUGH},
    {LN_CK_K4, "pq = 0", attack, PQ_ZERO, 0, THROUGH},
    {LN_CK_K4, "pq = 1", attack, PQ_ONE, 0, THROUGH},
    {LN_CK_K4, "pq prime", attack, PQ_PRIME, 0, THROUGH},
    {LN_CK_K4, "pq even", attack, PQ_EVEN, 0, THROUGH},
    {LN_CK_K4, "pq a square", attack, PQ_SQUARE, 0, THROUGH},
    {LN_CK_K4, "pq of three primes", attack, PQ_THREE, 0, THROUGH},
    {LN_CK_K4, "pq above 2^63", attack, PQ_LARGE, 0, THROUGH},
    {LN_CK_K4, "pq of nine bytes", attack, PQ_NINE_BYTES, 0, THROUGH},
    {LN_CK_K6, "no DC", no_dc, 0, 0, THROUGH},
    {LN_CK_K6, "a DC that is none", no_dc, 1000, 0, THROUGH},
    {LN_CK_K7, "server_DH_params_fail by somebody else", attack, FAIL_FORGED, 0, LN_CK_COUNT},
    {LN_CK_K8, "an answer above 2048 bytes", attack, SEALED_LONG, OFF(K9), THROUGH},
    {LN_CK_K8, "an answer that is not in blocks", attack, SEALED_UNALIGNED, 0, THROUGH},
    {LN_CK_K8, "an answer too short to be one", attack, SEALED_SHORT, 0, LN_CK_K9},
    {LN_CK_K9, "a hash of something else", attack, HASH_WRONG, 0, THROUGH},
    {LN_CK_K9, "16 bytes more padding", attack, PADDING_16, 0, THROUGH},
    {LN_CK_K10, "a composite number", attack, PRIME_COMPOSITE, 0, THROUGH},
    {LN_CK_K10, "a prime that is not safe", attack, PRIME_NOT_SAFE, 0, THROUGH},
    {LN_CK_K11, "g = 2 for the known prime", attack, G_2, 0, THROUGH},
    {LN_CK_K11, "g = 5 for the known prime", attack, G_5, 0, THROUGH},
    {LN_CK_K11, "g = 6 for the known prime", attack, G_6, 0, THROUGH},
    {LN_CK_K12, "g_a = 0", attack, GA_ZERO, 0, THROUGH},
    {LN_CK_K12, "g_a = 1", attack, GA_ONE, 0, THROUGH},
    {LN_CK_K12, "g_a = p - 1", attack, GA_MINUS_ONE, 0, THROUGH},
    {LN_CK_K12, "g_a = p", attack, GA_PRIME, 0, THROUGH},
    {LN_CK_K12, "g_a = 2^1984 - 1", attack, GA_LOW, 0, THROUGH},
    {LN_CK_K12, "g_a = p - 2^1984 + 1", attack, GA_HIGH, 0, THROUGH},
    {LN_CK_K12, "a g_b of our own that is 1", no_secret, HONEST, OFF(K13), THROUGH},
    {LN_CK_K13, "no randomness for the secret", no_secret, HONEST, OFF(K12), THROUGH},
    {LN_CK_K15, "dh_gen_ok by somebody else", attack, OK_HASH, 0, THROUGH},
    {LN_CK_K15, "dh_gen_retry by somebody else", attack, RETRY_HASH, 0, THROUGH},
    {LN_CK_K15, "dh_gen_retry made of dh_gen_ok", attack, RETRY_FROM_OK, 0, THROUGH},
    {LN_CK_K15, "dh_gen_retry six times", attack, RETRY_SIX, 0, THROUGH},
    {LN_CK_K15, "dh_gen_fail by somebody else", attack, GEN_FAIL_FORGED, 0, LN_CK_COUNT},
    {LN_CK_K17, "server_time 0", attack, TIME_ZERO, 0, THROUGH},
    {LN_CK_K17, "server_time below 0", attack, TIME_NEGATIVE, 0, THROUGH},
    {LN_CK_K18, "a server that says nothing", silent, NO_ANSWER, 0, THROUGH},
    {LN_CK_K18, "arithmetic that ends too late", slow_worker, HONEST, 0, THROUGH},
};
#define N_ATTACKS (sizeof attacks / sizeof attacks[0])

static void an_honest_server_is_taken(void **state)
{
  (void)state;
  assert_int_equal(attack(HONEST), THROUGH);
}

static void each_check_refuses_and_nothing_else_does(void **state)
{
  (void)state;
  uint64_t covered = 0;
  for (size_t i = 0; i < N_ATTACKS; i++) {
    ln_check_off = attacks[i].also_off;
    int outcome = attacks[i].run(attacks[i].trick);
    ln_check_off |= UINT64_C(1) << attacks[i].check;
    int without = attacks[i].run(attacks[i].trick);
    ln_check_off = 0;
    if (outcome != (int)attacks[i].check) fail_msg("%s: %d", attacks[i].name, outcome);
    if (without != attacks[i].without) fail_msg("%s, check off: %d", attacks[i].name, without);
    covered |= UINT64_C(1) << attacks[i].check;
  }
  /* K5, K14 and K16 are a server's: exchange_server_spec.c. */
  uint64_t all = (UINT64_C(1) << (LN_CK_K18 + 1)) - 1;
  assert_true(covered == (all & ~(OFF(K5) | OFF(K14) | OFF(K16))));
}

/* Broken in ways that no switch lets through. */
static void what_cannot_be_read_is_refused(void **state)
{
  (void)state;
  static const struct {
    enum trick trick;
    enum ln_check_id check;
  } broken[] = {
      {WRONG_CONSTRUCTOR, LN_CK_K2},
      {TRUNCATED, LN_CK_K2},
      {LENGTH_LIES, LN_CK_K2},
      {LENGTH_ZERO, LN_CK_K2},
      {LENGTH_HUGE, LN_CK_K2},
      {BODY_LONGER, LN_CK_K2},
      {INNER_OTHER, LN_CK_K9},
      {PRIME_SHORT, LN_CK_K10},
      {PRIME_TOP_CLEAR, LN_CK_K10},
      {PRIME_EVEN, LN_CK_K10},
      {G_0, LN_CK_K11},
      {G_1, LN_CK_K11},
      {G_8, LN_CK_K11},
      {G_NEGATIVE, LN_CK_K11},
      {GA_LONG, LN_CK_K12},
      {GA_EMPTY, LN_CK_K12},
  };
  for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
    int outcome = attack(broken[i].trick);
    if (outcome != (int)broken[i].check) fail_msg("trick %d: %d", broken[i].trick, outcome);
    ln_check_off = ~UINT64_C(0); /* memory is safe all the same; let the sanitizer look */
    (void)attack(broken[i].trick);
    ln_check_off = 0;
  }
}

static void a_server_may_say_no(void **state)
{
  (void)state;
  assert_int_equal(attack(FAIL_HONEST), LN_CK_COUNT);
  assert_int_equal(attack(GEN_FAIL_HONEST), LN_CK_COUNT);
}

static void a_server_without_our_key_is_told_apart(void **state)
{
  (void)state;
  struct pair p;
  struct evil e;
  struct ln_slice query;
  struct ln_buf reply;
  pair_configure(&p, 1);
  evil_open(&e, FINGERPRINT_UNKNOWN, 2);
  assert_int_equal(ln_exchange_client_new(&p.client_config, &p.client), LN_OK);
  ln_exchange_start(p.client, PAIR_NOW);
  assert_true(ln_exchange_output(p.client, PAIR_WALL, &query));
  evil_answer(&e, query, &reply);
  assert_int_equal(pair_feed(p.client, ln_buf_slice(&reply), PAIR_NOW, PAIR_WALL), LN_E_NO_KEY);
  assert_false(ln_exchange_output(p.client, PAIR_WALL, &query));
  ln_buf_deinit(&reply);
  ln_exchange_free(p.client);
}

static void the_key_is_chosen_by_our_order(void **state)
{
  (void)state;
  struct ln_rsa *second;
  assert_int_equal(ln_rsa_generate(&second), LN_OK);
  const struct ln_rsa *keys[2];
  for (int order = 0; order < 2; order++) {
    struct pair p;
    struct ln_slice query;
    struct ln_buf reply;
    struct ln_writer w;
    struct ln_reader r;
    keys[order] = second;
    keys[1 - order] = pair_rsa();
    pair_configure(&p, 1);
    p.client_config.keys = keys;
    p.client_config.n_keys = 2;
    assert_int_equal(ln_exchange_client_new(&p.client_config, &p.client), LN_OK);
    ln_exchange_start(p.client, PAIR_NOW);
    assert_true(ln_exchange_output(p.client, PAIR_WALL, &query));
    envelope_begin(&reply, &w);
    ln_write_u32(&w, LN_ID_resPQ);
    ln_write_raw(&w, query.p + 24, 16);
    ln_write_raw(&w, query.p + 24, 16);
    ln_write_bytes(&w, ln_slice("\x17\xED\x48\x94\x1A\x08\xF9\x81", 8));
    ln_write_vector(&w, true, 2);
    ln_write_u64(&w, ln_rsa_fingerprint(pair_rsa()));
    ln_write_u64(&w, ln_rsa_fingerprint(second));
    envelope_end(&reply, 0, 1);
    assert_int_equal(pair_feed(p.client, ln_buf_slice(&reply), PAIR_NOW, PAIR_WALL), LN_OK);
    assert_true(ln_exchange_output(p.client, PAIR_WALL, &query));
    envelope_body(query, &r);
    (void)ln_read_u32(&r);
    (void)ln_read_raw(&r, 32);
    assert_memory_equal(ln_read_bytes(&r).p, "\x49\x4C\x55\x3B", 4);
    assert_memory_equal(ln_read_bytes(&r).p, "\x53\x91\x10\x73", 4);
    assert_true(ln_read_u64(&r) == ln_rsa_fingerprint(keys[0]));
    ln_buf_deinit(&reply);
    ln_exchange_free(p.client);
  }
  ln_rsa_free(second);
}

static void the_inner_data_names_the_dc(void **state)
{
  (void)state;
  static const int dcs[] = {2, -4, 10003};
  for (int i = 0; i < 3; i++) {
    struct pair p;
    struct evil e;
    pair_configure(&p, 1);
    p.client_config.dc = dcs[i];
    evil_open(&e, HONEST, 2);
    assert_int_equal(ln_exchange_client_new(&p.client_config, &p.client), LN_OK);
    assert_int_equal(against(HONEST, &p, &e), THROUGH);
    struct ln_reader r;
    ln_reader_init(&r, ln_slice(e.inner, sizeof e.inner));
    assert_int_equal(ln_read_u32(&r), LN_ID_p_q_inner_data_dc);
    for (int k = 0; k < 3; k++) (void)ln_read_bytes(&r);
    (void)ln_read_raw(&r, 64);
    assert_int_equal(ln_read_i32(&r), dcs[i]);
    ln_exchange_free(p.client);
  }
}

static void a_retry_names_the_failed_key(void **state)
{
  (void)state;
  /* RETRY_SIX ends at the fifth; the evil server saw what was said at each. */
  struct pair p;
  struct evil e;
  pair_configure(&p, 1);
  evil_open(&e, RETRY_SIX, 2);
  assert_int_equal(ln_exchange_client_new(&p.client_config, &p.client), LN_OK);
  assert_int_equal(against(RETRY_SIX, &p, &e), LN_CK_K15);
  assert_int_equal(e.gens, 6); /* the first and five more */
  assert_true(e.retry_id != 0);
  ln_exchange_free(p.client);
}

/* Two runs of one client with the same randomness: nonce and new_nonce are the same, the servers differ. */
static void messages_of_two_runs_do_not_mix(void **state)
{
  (void)state;
  for (int patched = 0; patched < 2; patched++) {
    for (int step = 1; step < 3; step++) {
      struct pair a, b;
      struct evil ea, eb;
      pair_configure(&a, 1);
      pair_configure(&b, 1);
      evil_open(&ea, HONEST, 2);
      evil_open(&eb, HONEST, 3);
      assert_int_equal(ln_exchange_client_new(&a.client_config, &a.client), LN_OK);
      assert_int_equal(ln_exchange_client_new(&b.client_config, &b.client), LN_OK);
      ln_exchange_start(a.client, PAIR_NOW);
      ln_exchange_start(b.client, PAIR_NOW);
      for (int i = 0; i <= step; i++) {
        struct ln_slice qa, qb;
        struct ln_buf ra, rb;
        assert_true(ln_exchange_output(a.client, PAIR_WALL, &qa));
        assert_true(ln_exchange_output(b.client, PAIR_WALL, &qb));
        evil_answer(&ea, qa, &ra);
        evil_answer(&eb, qb, &rb);
        int err = pair_feed(b.client, ln_buf_slice(&rb), PAIR_NOW, PAIR_WALL);
        assert_int_equal(err, LN_OK);
        struct ln_buf *taken = i == step ? &rb : &ra; /* at the last step a hears what b was told */
        if (patched && i == step) memcpy(ln_buf_data(taken) + 40, ea.server_nonce, 16);
        err = pair_feed(a.client, ln_buf_slice(taken), PAIR_NOW, PAIR_WALL);
        assert_int_equal(err, i == step ? LN_E_HANDSHAKE : LN_OK);
        ln_buf_deinit(&ra);
        ln_buf_deinit(&rb);
      }
      /* With the server_nonce of the run it is put into, what was sealed for the other still does not fit. */
      int want = !patched ? LN_CK_K1 : step == 1 ? LN_CK_K9 : LN_CK_K15;
      assert_int_equal(ln_exchange_failed_check(a.client), want);
      ln_exchange_free(a.client);
      ln_exchange_free(b.client);
    }
  }
}

static void every_bit_of_every_answer_counts(void **state)
{
  (void)state;
  /* A byte flipped anywhere in an answer: no key, or the right one (where the byte says nothing: msg_id's
   * time, fingerprints of others, what a transport left at the end). */
  int refused = 0, taken = 0;
  for (int step = 0; step < 3; step++) {
    for (size_t at = 0; at < 700; at += step == 1 ? 23 : 5) {
      struct pair p;
      struct evil e;
      struct ln_exchange_result r;
      struct ln_slice query;
      pair_configure(&p, 1);
      evil_open(&e, HONEST, 2);
      assert_int_equal(ln_exchange_client_new(&p.client_config, &p.client), LN_OK);
      int err = ln_exchange_start(p.client, PAIR_NOW);
      size_t len = 0;
      for (int i = 0; i < 3 && !err; i++) {
        struct ln_buf reply;
        assert_true(ln_exchange_output(p.client, PAIR_WALL, &query));
        evil_answer(&e, query, &reply);
        if (i == step) len = reply.len;
        if (i == step && at < len) ln_buf_data(&reply)[at] ^= 0x40;
        err = pair_feed(p.client, ln_buf_slice(&reply), PAIR_NOW, PAIR_WALL);
        ln_buf_deinit(&reply);
      }
      bool done = ln_exchange_finished(p.client, &r);
      assert_true(done == (err == LN_OK));
      if (at < len) done ? taken++ : refused++;
      ln_exchange_free(p.client);
      if (at >= len) break;
    }
  }
  assert_true(refused > 40);
  assert_true(taken > 0 && taken < 25);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_honest_server_is_taken),
      cmocka_unit_test(each_check_refuses_and_nothing_else_does),
      cmocka_unit_test(what_cannot_be_read_is_refused),
      cmocka_unit_test(a_server_may_say_no),
      cmocka_unit_test(a_server_without_our_key_is_told_apart),
      cmocka_unit_test(the_key_is_chosen_by_our_order),
      cmocka_unit_test(the_inner_data_names_the_dc),
      cmocka_unit_test(a_retry_names_the_failed_key),
      cmocka_unit_test(messages_of_two_runs_do_not_mix),
      cmocka_unit_test(every_bit_of_every_answer_counts),
  };
  return cmocka_run_group_tests_name("mtproto/exchange_attack", tests, NULL, NULL);
}

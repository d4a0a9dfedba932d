/* The key exchange, both roles against each other: through every framing, retries, repetitions, deadlines,
 * leading zeros, trouble of our own. */
#include "mtproto/exchange.h"

#include "crypto/hash.h"
#include "mtproto/check.h"
#include "testing/alloc_fail.h"
#include "tl_ids.h"
#include "exchange_pair.h"
#include "wire.h"

static void both_agree_on_a_key(void **state)
{
  (void)state;
  struct pair p;
  struct ln_exchange_result r, other;
  int payloads = 0;
  pair_configure(&p, 1);
  p.client_config.dc = -10003;
  pair_open(&p);
  assert_false(ln_exchange_finished(p.client, &r));
  assert_int_equal(ln_exchange_start(p.client, PAIR_NOW), LN_OK);
  assert_int_equal(ln_exchange_start(p.client, PAIR_NOW), LN_E_INVAL);
  assert_int_equal(pair_run(&p, PAIR_NOW, &payloads), LN_OK);
  assert_int_equal(payloads, 6);
  pair_agreed(&p, &r);
  assert_true(r.server_offset_us == PAIR_WALL); /* wall is now + PAIR_WALL in these specs, in whole seconds */
  assert_true(ln_exchange_finished(p.server, &other));
  assert_int_equal(other.dc, -10003);
  assert_false(other.temporary);
  assert_true(ln_exchange_deadline(p.client) == LN_NEVER);
  assert_true(ln_exchange_deadline(p.server) == LN_NEVER);
  pair_close(&p);
}

/* The longest dc and numbers: what RSA_PAD seals has to fit. */
static void a_temporary_key(void **state)
{
  (void)state;
  struct pair p;
  struct ln_exchange_result r, other;
  pair_configure(&p, 3);
  p.client_config.dc = -10002;
  p.client_config.expires_in = -1;
  assert_int_equal(ln_exchange_client_new(&p.client_config, &p.client), LN_E_INVAL);
  p.client_config.expires_in = 86400;
  pair_open(&p);
  ln_exchange_start(p.client, PAIR_NOW);
  assert_int_equal(pair_run(&p, PAIR_NOW, NULL), LN_OK);
  pair_agreed(&p, &r);
  assert_true(r.temporary);
  assert_int_equal(r.expires_in, 86400);
  assert_true(ln_exchange_finished(p.server, &other));
  assert_true(other.temporary);
  assert_int_equal(other.expires_in, 86400);
  assert_int_equal(other.dc, -10002);
  pair_close(&p);
}

static void two_runs_share_nothing(void **state)
{
  (void)state;
  struct pair p, q;
  struct ln_exchange_result r, s;
  pair_configure(&p, 1);
  pair_configure(&q, 2);
  pair_open(&p);
  pair_open(&q);
  ln_exchange_start(p.client, PAIR_NOW);
  ln_exchange_start(q.client, PAIR_NOW);
  assert_int_equal(pair_run(&p, PAIR_NOW, NULL), LN_OK);
  assert_int_equal(pair_run(&q, PAIR_NOW, NULL), LN_OK);
  pair_agreed(&p, &r);
  pair_agreed(&q, &s);
  assert_true(r.key.id != s.key.id && r.salt != s.salt);
  pair_close(&p);
  pair_close(&q);
}

static int end_read(struct wire_end *from, struct wire_end *to, struct ln_exchange *x)
{
  struct ln_frame_event ev;
  int err = wire_read(from, to, 1, &ev);
  if (err) return err;
  assert_int_equal(ev.kind, LN_FRAME_PAYLOAD);
  err = ln_exchange_input(x, ln_slice(ev.payload, ev.len), PAIR_NOW, PAIR_WALL);
  return err ? err : pair_work(x, PAIR_NOW, PAIR_WALL);
}

static void end_write(struct wire_end *e, struct ln_exchange *x)
{
  struct ln_slice payload;
  while (ln_exchange_output(x, PAIR_WALL, &payload)) wire_write(e, payload);
}

static void it_works_byte_by_byte_through_every_framing(void **state)
{
  (void)state;
  for (int way = 0; wire_way(way); way++) {
    struct pair p;
    struct wire w;
    struct ln_exchange_result r;
    pair_configure(&p, 20 + (uint64_t)way);
    pair_open(&p);
    wire_open(&w, wire_way(way), 2);
    ln_exchange_start(p.client, PAIR_NOW);
    for (int i = 0; i < 3; i++) {
      end_write(&w.client, p.client);
      assert_int_equal(end_read(&w.client, &w.server, p.server), LN_OK);
      end_write(&w.server, p.server);
      assert_int_equal(end_read(&w.server, &w.client, p.client), LN_OK);
    }
    pair_agreed(&p, &r);
    wire_close(&w);
    pair_close(&p);
  }
}

static bool taken_n_times(void *ctx, uint64_t id)
{
  int *left = ctx;
  (void)id;
  return (*left)-- > 0;
}

static int run_with_retries(int times, struct pair *p, int *payloads)
{
  int left = times;
  pair_configure(p, 3);
  p->server_config.taken = taken_n_times;
  p->server_config.ctx = &left;
  pair_open(p);
  ln_exchange_start(p->client, PAIR_NOW);
  return pair_run(p, PAIR_NOW, payloads);
}

static void a_taken_key_is_made_again_up_to_five_times(void **state)
{
  (void)state;
  struct pair p;
  struct ln_exchange_result r;
  for (int times = 1; times <= 5; times += 4) {
    int payloads = 0;
    assert_int_equal(run_with_retries(times, &p, &payloads), LN_OK);
    assert_int_equal(payloads, 6 + 2 * times);
    pair_agreed(&p, &r);
    pair_close(&p);
  }
  assert_int_equal(run_with_retries(6, &p, NULL), LN_E_HANDSHAKE);
  assert_int_equal(ln_exchange_failed_check(p.server), LN_CK_K16);
  assert_int_equal(ln_exchange_failed_check(p.client), LN_CK_COUNT); /* dh_gen_fail, with the right hash */
  assert_false(ln_exchange_finished(p.client, &r));
  assert_false(ln_exchange_finished(p.server, &r));
  pair_close(&p);
}

/* --- numbers that begin with zeros --- */

struct fixed {
  struct ln_rng_seeded seed;
  struct ln_rng rest;
  unsigned pattern;
  unsigned end;
  bool zero_nonces;
};

/* Exponents are a pattern that ends in a number chosen so that the power has the leading zero wanted. */
static int fixed_fill(void *ctx, void *out, size_t n)
{
  struct fixed *f = ctx;
  uint8_t *bytes = out;
  if (n == 256) {
    spec_pattern(bytes, n, f->pattern);
    bytes[254] = (uint8_t)(f->end >> 8);
    bytes[255] = (uint8_t)f->end;
    return LN_OK;
  }
  int err = ln_rng_fill(&f->rest, out, n);
  if (f->zero_nonces && (n == 16 || n == 32)) memset(bytes, 0, 4), memset(bytes + n - 4, 0, 4);
  return err;
}

/* a: of pattern 1 with the end given, b: of pattern 2. */
static void run_fixed(unsigned a_end, unsigned b_end, bool zero_nonces, struct ln_exchange_result *r)
{
  struct pair p;
  struct fixed server = {.pattern = 1, .end = a_end, .zero_nonces = zero_nonces};
  struct fixed client = {.pattern = 2, .end = b_end, .zero_nonces = zero_nonces};
  server.rest = ln_rng_seeded(&server.seed, 5);
  client.rest = ln_rng_seeded(&client.seed, 6);
  pair_configure(&p, 1);
  p.server_config.rng = (struct ln_rng){fixed_fill, &server};
  p.client_config.rng = (struct ln_rng){fixed_fill, &client};
  pair_open(&p);
  ln_exchange_start(p.client, PAIR_NOW);
  assert_int_equal(pair_run(&p, PAIR_NOW, NULL), LN_OK);
  pair_agreed(&p, r);
  pair_close(&p);
}

static void leading_zeros_are_kept(void **state)
{
  (void)state;
  struct ln_exchange_result r;
  uint8_t sha[20];
  run_fixed(0, 606, false, &r); /* the key itself */
  assert_int_equal(r.key.key[0], 0);
  ln_sha1(ln_slice(r.key.key, 256), sha);
  assert_true(r.key.id == ln_le64(sha + 12)); /* over all 256 bytes */
  run_fixed(490, 0, false, &r);               /* g_a */
  run_fixed(0, 130, false, &r);               /* g_b */
  run_fixed(0, 0, true, &r);                  /* all nonces, at both ends */
  assert_int_equal(r.salt & 0xffffffffu, 0);
}

/* --- repetitions --- */

static struct ln_slice keep(struct ln_slice payload, uint8_t copy[2048])
{
  assert_true(payload.n <= 2048);
  memcpy(copy, payload.p, payload.n);
  return ln_slice(copy, payload.n);
}

static void a_server_answers_a_repeated_query_with_the_same_bytes(void **state)
{
  (void)state;
  struct pair p;
  struct ln_exchange_result r;
  uint8_t q[3][2048], a[3][2048];
  struct ln_slice queries[3], answers[3], again;
  pair_configure(&p, 4);
  pair_open(&p);
  ln_exchange_start(p.client, PAIR_NOW);
  for (int i = 0; i < 3; i++) {
    struct ln_slice s;
    assert_true(ln_exchange_output(p.client, PAIR_WALL, &s));
    queries[i] = keep(s, q[i]);
    assert_int_equal(ln_exchange_input(p.server, queries[i], PAIR_NOW, PAIR_WALL), LN_OK);
    if (i > 0) /* busy with it: nothing twice */
      assert_int_equal(ln_exchange_input(p.server, queries[i], PAIR_NOW, PAIR_WALL), LN_E_DISCARD);
    assert_int_equal(pair_work(p.server, PAIR_NOW, PAIR_WALL), LN_OK);
    assert_true(ln_exchange_output(p.server, PAIR_WALL, &s));
    answers[i] = keep(s, a[i]);
    for (int before = 0; before <= i; before++) { /* that step's and those before it */
      assert_int_equal(ln_exchange_input(p.server, queries[before], PAIR_NOW, PAIR_WALL), LN_OK);
      assert_null(ln_exchange_job(p.server));
      assert_true(ln_exchange_output(p.server, PAIR_WALL + 5 * LN_US_PER_S, &again));
      assert_true(ln_slice_equal(again, answers[before]));
    }
    assert_int_equal(ln_exchange_input(p.client, answers[i], PAIR_NOW, PAIR_WALL), LN_OK);
    if (i < 2) assert_int_equal(ln_exchange_input(p.client, answers[i], PAIR_NOW, PAIR_WALL), LN_E_DISCARD);
    assert_int_equal(pair_work(p.client, PAIR_NOW, PAIR_WALL), LN_OK);
  }
  pair_agreed(&p, &r);
  pair_close(&p);
}

static void a_client_repeats_its_query_byte_by_byte(void **state)
{
  (void)state;
  struct pair p;
  struct ln_exchange_result r;
  struct ln_slice s;
  uint8_t first[2048];
  int64_t now = PAIR_NOW;
  pair_configure(&p, 5);
  pair_open(&p);
  ln_exchange_start(p.client, now);
  assert_true(ln_exchange_output(p.client, PAIR_WALL, &s));
  struct ln_slice sent = keep(s, first);
  assert_true(ln_exchange_deadline(p.client) == now + 5 * LN_US_PER_S);
  now += 5 * LN_US_PER_S - 1;
  assert_int_equal(ln_exchange_tick(p.client, now), LN_OK);
  assert_false(ln_exchange_output(p.client, PAIR_WALL, &s));
  assert_int_equal(ln_exchange_tick(p.client, ++now), LN_OK);
  assert_true(ln_exchange_output(p.client, PAIR_WALL + 5 * LN_US_PER_S, &s));
  assert_true(ln_slice_equal(s, sent));
  assert_true(ln_exchange_deadline(p.client) == PAIR_NOW + 10 * LN_US_PER_S); /* once only */
  assert_int_equal(ln_exchange_tick(p.client, now + LN_US_PER_S), LN_OK);
  assert_false(ln_exchange_output(p.client, PAIR_WALL, &s));
  /* Both arrive; the client is answered twice and takes one. */
  assert_int_equal(pair_feed(p.server, sent, now, PAIR_WALL), LN_OK);
  uint8_t answer[2048];
  assert_true(ln_exchange_output(p.server, PAIR_WALL, &s));
  s = keep(s, answer);
  assert_int_equal(pair_feed(p.client, s, now, PAIR_WALL), LN_OK);
  assert_int_equal(pair_feed(p.client, s, now, PAIR_WALL), LN_E_DISCARD);
  assert_int_equal(pair_run(&p, now, NULL), LN_OK);
  pair_agreed(&p, &r);
  pair_close(&p);
}

static void an_answer_may_overtake_a_repetition(void **state)
{
  (void)state;
  struct pair p;
  struct ln_exchange_result r;
  struct ln_slice s;
  int64_t now = PAIR_NOW;
  pair_configure(&p, 6);
  pair_open(&p);
  ln_exchange_start(p.client, now);
  assert_true(ln_exchange_output(p.client, PAIR_WALL, &s));
  assert_int_equal(pair_feed(p.server, s, now, PAIR_WALL), LN_OK);
  now += 6 * LN_US_PER_S;
  assert_int_equal(ln_exchange_tick(p.client, now), LN_OK); /* the query waits to leave again */
  assert_true(ln_exchange_output(p.server, PAIR_WALL, &s));
  assert_int_equal(pair_feed(p.client, s, now, PAIR_WALL), LN_OK);
  assert_int_equal(pair_run(&p, now, NULL), LN_OK);
  pair_agreed(&p, &r);
  pair_close(&p);
}

static void a_server_begins_anew_for_another_nonce(void **state)
{
  (void)state;
  struct pair p, other;
  struct ln_exchange_result r;
  struct ln_slice s;
  pair_configure(&p, 7);
  pair_configure(&other, 8);
  pair_open(&p);
  pair_open(&other);
  ln_exchange_start(other.client, PAIR_NOW);
  assert_true(ln_exchange_output(other.client, PAIR_WALL, &s));
  assert_int_equal(pair_feed(p.server, s, PAIR_NOW, PAIR_WALL), LN_OK);
  assert_true(ln_exchange_output(p.server, PAIR_WALL, &s)); /* and nobody goes on with that */
  ln_exchange_start(p.client, PAIR_NOW);
  assert_int_equal(pair_run(&p, PAIR_NOW, NULL), LN_OK);
  pair_agreed(&p, &r);
  pair_close(&p);
  pair_close(&other);
}

static void a_server_lets_plain_acks_pass(void **state)
{
  (void)state;
  struct pair p;
  struct ln_exchange_result r;
  uint8_t ack[20 + 20] = {0};
  ack[16] = 20;
  ln_put_le32(ack + 20, LN_ID_msgs_ack);
  pair_configure(&p, 9);
  pair_open(&p);
  assert_int_equal(pair_feed(p.server, ln_slice(ack, sizeof ack), PAIR_NOW, PAIR_WALL), LN_E_DISCARD);
  ln_exchange_start(p.client, PAIR_NOW);
  struct ln_slice s;
  assert_true(ln_exchange_output(p.client, PAIR_WALL, &s));
  assert_int_equal(pair_feed(p.server, s, PAIR_NOW, PAIR_WALL), LN_OK);
  assert_int_equal(pair_feed(p.server, ln_slice(ack, sizeof ack), PAIR_NOW, PAIR_WALL), LN_E_DISCARD);
  assert_int_equal(pair_run(&p, PAIR_NOW, NULL), LN_OK);
  pair_agreed(&p, &r);
  pair_close(&p);
}

/* --- deadlines --- */

static void ten_seconds_a_step(void **state)
{
  (void)state;
  struct pair p;
  struct ln_slice s;
  pair_configure(&p, 10);
  pair_open(&p);
  assert_true(ln_exchange_deadline(p.client) == LN_NEVER);
  assert_true(ln_exchange_deadline(p.server) == LN_NEVER);
  ln_exchange_start(p.client, PAIR_NOW);
  assert_true(ln_exchange_output(p.client, PAIR_WALL, &s));
  assert_int_equal(pair_feed(p.server, s, PAIR_NOW, PAIR_WALL), LN_OK);
  assert_int_equal(ln_exchange_tick(p.client, PAIR_NOW + 10 * LN_US_PER_S - 1), LN_OK);
  assert_int_equal(ln_exchange_tick(p.client, PAIR_NOW + 10 * LN_US_PER_S), LN_E_TIMEOUT);
  assert_int_equal(ln_exchange_failed_check(p.client), LN_CK_K18);
  assert_true(ln_exchange_deadline(p.server) == PAIR_NOW + 10 * LN_US_PER_S);
  assert_int_equal(ln_exchange_tick(p.server, PAIR_NOW + 10 * LN_US_PER_S), LN_E_TIMEOUT);
  assert_false(ln_exchange_output(p.server, PAIR_WALL, &s));
  pair_close(&p);
}

static void thirty_seconds_in_all(void **state)
{
  (void)state;
  struct pair p;
  struct ln_slice s;
  int left = 5;
  int64_t now = PAIR_NOW;
  pair_configure(&p, 11);
  p.server_config.taken = taken_n_times;
  p.server_config.ctx = &left;
  pair_open(&p);
  ln_exchange_start(p.client, now);
  for (int i = 0; i < 3; i++) { /* a server that answers every nine seconds, and asks for another key */
    assert_true(ln_exchange_output(p.client, PAIR_WALL, &s));
    assert_int_equal(pair_feed(p.server, s, now, PAIR_WALL), LN_OK);
    assert_true(ln_exchange_output(p.server, PAIR_WALL, &s));
    now += 9 * LN_US_PER_S;
    assert_int_equal(pair_feed(p.client, s, now, PAIR_WALL), LN_OK);
  }
  assert_true(ln_exchange_deadline(p.client) <= PAIR_NOW + 30 * LN_US_PER_S);
  assert_int_equal(ln_exchange_tick(p.client, PAIR_NOW + 30 * LN_US_PER_S - 1), LN_OK);
  assert_int_equal(ln_exchange_tick(p.client, PAIR_NOW + 30 * LN_US_PER_S), LN_E_TIMEOUT);
  pair_close(&p);
}

/* A pair whose client has asked; the server's first answer, which it has not had yet. */
static struct ln_slice until_first_answer(struct pair *p, uint64_t seed)
{
  struct ln_slice s;
  pair_configure(p, seed);
  pair_open(p);
  ln_exchange_start(p->client, PAIR_NOW);
  assert_true(ln_exchange_output(p->client, PAIR_WALL, &s));
  assert_int_equal(pair_feed(p->server, s, PAIR_NOW, PAIR_WALL), LN_OK);
  assert_true(ln_exchange_output(p->server, PAIR_WALL, &s));
  return s;
}

/* ... and whose client works on it: the job, handed out once. */
static struct ln_exchange_job *until_first_job(struct pair *p, uint64_t seed)
{
  struct ln_slice s = until_first_answer(p, seed);
  assert_int_equal(ln_exchange_input(p->client, s, PAIR_NOW, PAIR_WALL), LN_OK);
  struct ln_exchange_job *job = ln_exchange_job(p->client);
  assert_non_null(job);
  assert_null(ln_exchange_job(p->client));
  return job;
}

static void an_answer_after_the_deadline_is_not_taken(void **state)
{
  (void)state;
  struct pair p;
  struct ln_slice s = until_first_answer(&p, 12);
  assert_int_equal(ln_exchange_input(p.client, s, PAIR_NOW + 10 * LN_US_PER_S, PAIR_WALL), LN_E_TIMEOUT);
  assert_int_equal(ln_exchange_input(p.client, s, PAIR_NOW, PAIR_WALL), LN_E_HANDSHAKE);
  pair_close(&p);
}

static void a_job_that_took_too_long_is_not_taken(void **state)
{
  (void)state;
  struct pair p;
  struct ln_exchange_job *job = until_first_job(&p, 13);
  assert_int_equal(ln_exchange_tick(p.client, PAIR_NOW + 10 * LN_US_PER_S), LN_E_TIMEOUT);
  ln_exchange_job_run(job); /* it was running meanwhile */
  assert_int_equal(ln_exchange_job_done(p.client, PAIR_NOW + 11 * LN_US_PER_S, PAIR_WALL), LN_E_HANDSHAKE);
  assert_int_equal(ln_exchange_job_done(p.client, PAIR_NOW + 11 * LN_US_PER_S, PAIR_WALL), LN_E_INVAL);
  pair_close(&p);
}

static void abandoned_while_a_job_runs_it_frees_itself(void **state)
{
  (void)state;
  struct pair p;
  struct ln_exchange_job *job = until_first_job(&p, 14);
  ln_exchange_abandon(p.client);
  ln_exchange_job_run(job);
  assert_int_equal(ln_exchange_job_done(p.client, PAIR_NOW, PAIR_WALL), LN_E_CANCELLED);
  p.client = NULL; /* a leak or a second free would show under the sanitizer */
  pair_close(&p);
}

/* --- our own trouble --- */

struct failing {
  struct ln_rng_seeded seed;
  struct ln_rng rest;
  int left;
};

static int failing_fill(void *ctx, void *out, size_t n)
{
  struct failing *f = ctx;
  if (f->left-- == 0) return LN_E_CRYPTO;
  return ln_rng_fill(&f->rest, out, n);
}

static void without_randomness_there_is_no_key(void **state)
{
  (void)state;
  int finished = 0;
  for (int role = 0; role < 2; role++) {
    for (int at = 0; at < 16; at++) {
      struct pair p;
      struct ln_exchange_result r;
      struct failing f = {.left = at};
      f.rest = ln_rng_seeded(&f.seed, 15);
      pair_configure(&p, 15);
      if (role)
        p.server_config.rng = (struct ln_rng){failing_fill, &f};
      else
        p.client_config.rng = (struct ln_rng){failing_fill, &f};
      pair_open(&p);
      int err = ln_exchange_start(p.client, PAIR_NOW);
      if (!err) err = pair_run(&p, PAIR_NOW, NULL);
      struct ln_exchange *x = role ? p.server : p.client;
      if (ln_exchange_finished(x, &r)) { /* the draw that failed was of an id's random bits, or none */
        finished++;
        assert_int_equal(err, LN_OK);
      } else {
        assert_true(err == LN_E_CRYPTO || err == LN_E_HANDSHAKE);
      }
      pair_close(&p);
    }
  }
  assert_true(finished >= 6 && finished <= 22);
}

static void any_allocation_may_fail(void **state)
{
  (void)state;
  pair_rsa();
  int failures = 0;
  for (size_t nth = 1;; nth++) {
    struct pair p;
    struct ln_exchange_result r;
    pair_configure(&p, 16);
    ln_alloc_fail_at(nth);
    int err = ln_exchange_client_new(&p.client_config, &p.client);
    if (!err) err = ln_exchange_server_new(&p.server_config, &p.server);
    if (!err) err = ln_exchange_start(p.client, PAIR_NOW);
    if (!err) err = pair_run(&p, PAIR_NOW, NULL);
    bool reached = ln_alloc_seen() >= nth;
    ln_alloc_fail_at(0);
    if (!reached) {
      pair_agreed(&p, &r);
      pair_close(&p);
      break;
    }
    failures++;
    assert_int_equal(err, LN_E_NOMEM);
    pair_close(&p);
  }
  assert_true(failures >= 5);
}

static void odd_configurations_are_refused(void **state)
{
  (void)state;
  struct pair p;
  static const int bad[] = {0, 1000, 10000, -10000, 20002, 2000000000, -2147483647 - 1};
  static const int good[] = {1, 5, -2, 10002, -10004, 203};
  pair_configure(&p, 17);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    p.client_config.dc = bad[i];
    assert_int_equal(ln_exchange_client_new(&p.client_config, &p.client), LN_E_INVAL);
    assert_null(p.client);
  }
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    p.client_config.dc = good[i];
    assert_int_equal(ln_exchange_client_new(&p.client_config, &p.client), LN_OK);
    ln_exchange_free(p.client);
  }
  p.client_config.n_keys = 0;
  assert_int_equal(ln_exchange_client_new(&p.client_config, &p.client), LN_E_INVAL);
  p.server_config.g = 1;
  assert_int_equal(ln_exchange_server_new(&p.server_config, &p.server), LN_E_INVAL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(both_agree_on_a_key),
      cmocka_unit_test(a_temporary_key),
      cmocka_unit_test(two_runs_share_nothing),
      cmocka_unit_test(it_works_byte_by_byte_through_every_framing),
      cmocka_unit_test(a_taken_key_is_made_again_up_to_five_times),
      cmocka_unit_test(leading_zeros_are_kept),
      cmocka_unit_test(a_server_answers_a_repeated_query_with_the_same_bytes),
      cmocka_unit_test(a_client_repeats_its_query_byte_by_byte),
      cmocka_unit_test(an_answer_may_overtake_a_repetition),
      cmocka_unit_test(a_server_begins_anew_for_another_nonce),
      cmocka_unit_test(a_server_lets_plain_acks_pass),
      cmocka_unit_test(ten_seconds_a_step),
      cmocka_unit_test(thirty_seconds_in_all),
      cmocka_unit_test(an_answer_after_the_deadline_is_not_taken),
      cmocka_unit_test(a_job_that_took_too_long_is_not_taken),
      cmocka_unit_test(abandoned_while_a_job_runs_it_frees_itself),
      cmocka_unit_test(without_randomness_there_is_no_key),
      cmocka_unit_test(any_allocation_may_fail),
      cmocka_unit_test(odd_configurations_are_refused),
  };
  return cmocka_run_group_tests_name("mtproto/exchange", tests, NULL, NULL);
}

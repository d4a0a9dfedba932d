/* Memory that runs out, at every single allocation of a conversation: nothing crashes, nothing leaks, and
 * once there is memory again each request gets its one answer. */
#include "base/alloc.h"
#include "base/log.h"
#include "testing/alloc_fail.h"

#include "sessions.h"

enum stage { ASK, CLIENT_FLUSH, SERVER_INPUT, SERVER_FLUSH, CLIENT_INPUT, STAGES };

struct run {
  struct pair *p;
  enum stage failing;
  size_t at; /* the allocation that fails */
  bool failed;
};

static void arm(struct run *r, enum stage s)
{
  ln_alloc_fail_at(r->failing == s ? r->at : 0);
}

static void disarm(struct run *r, enum stage s)
{
  if (r->failing == s && ln_alloc_seen() >= r->at) r->failed = true;
  ln_alloc_fail_at(0);
}

static bool ask(struct run *r, uint32_t id, uint32_t word)
{
  static uint8_t b[4096];
  ln_put_le32(b, id);
  ln_put_le32(b + 4, word);
  arm(r, ASK);
  int err = ln_session_request(r->p->client, ln_slice(b, id == PAIR_ECHO ? 8 : sizeof b),
                               (void *)(uintptr_t)word, NULL, 0, NULL);
  disarm(r, ASK);
  if (err) assert_int_equal(err, LN_E_NOMEM);
  return !err;
}

static void reconnect(struct pair *p)
{
  ln_buf_clear(&p->w.client.out);
  ln_buf_clear(&p->w.server.out);
  link_clear(&p->to_server);
  link_clear(&p->to_client);
  ln_session_disconnected(p->client, p->now);
  ln_session_connected(p->client, p->now);
  if (!p->server) return;
  ln_server_session_disconnected(p->server);
  ln_server_session_connected(p->server);
}

static int server_gets(struct run *r, struct packet k)
{
  struct pair *p = r->p;
  uint64_t session_id;
  struct ln_slice bytes;
  int err = ln_server_open(&p->key, k.p, k.n, &session_id, &bytes);
  assert_int_equal(err, LN_OK);
  arm(r, SERVER_INPUT);
  if (!p->server || session_id != p->session_id) {
    ln_server_session_free(p->server);
    p->server = NULL;
    p->server_config.session_id = p->session_id = session_id;
    err = ln_server_session_new(&p->server_config, p->wall, &p->server);
  }
  if (!err) err = ln_server_session_input(p->server, bytes, p->wall);
  disarm(r, SERVER_INPUT);
  free(k.p);
  return err;
}

static void turn(struct run *r)
{
  struct pair *p = r->p;
  int err = LN_OK;
  for (int i = 0; i < 50 && !err; i++) {
    arm(r, CLIENT_FLUSH);
    while (!err && ln_session_pending(p->client, p->now))
      err = ln_session_flush(p->client, p->w.client.frame, &p->w.client.out, p->now);
    disarm(r, CLIENT_FLUSH);
    pair_frames(&p->w.client, &p->w.server, &p->to_server);
    if (!p->to_server.n && !p->to_client.n && !(p->server && ln_server_session_pending(p->server))) break;
    while (!err && p->to_server.n) err = server_gets(r, link_take(&p->to_server, 0));
    arm(r, SERVER_FLUSH);
    while (!err && p->server && ln_server_session_pending(p->server))
      err = ln_server_session_flush(p->server, p->w.server.frame, &p->w.server.out, p->wall);
    disarm(r, SERVER_FLUSH);
    pair_frames(&p->w.server, &p->w.client, &p->to_client);
    arm(r, CLIENT_INPUT);
    while (!err && p->to_client.n) {
      struct packet k = link_take(&p->to_client, 0);
      err = ln_session_input(p->client, k.p, k.n, p->now);
      free(k.p);
    }
    disarm(r, CLIENT_INPUT);
  }
  if (err || pair_pass(p, LN_US_PER_S)) reconnect(p);
}

/* True where the allocation that was to fail was reached. */
static bool conversation(enum stage failing, size_t at)
{
  struct run r = {pair_open(3), failing, at, false};
  bool asked[40] = {false};
  for (uint32_t i = 0; i < 40; i++) asked[i] = ask(&r, i % 3 == 2 ? PAIR_BIG : PAIR_ECHO, i);
  for (int i = 0; i < 3; i++) turn(&r);
  r.failing = STAGES;
  if (r.p->server)
    for (uint32_t i = 0; i < 20; i++) pair_push(r.p, i);
  for (int i = 0; i < 90; i++) turn(&r); /* the owner sees a deadline pass here and there */
  for (uint32_t i = 0; i < 40; i++) {
    if (r.p->answers[i].results + r.p->answers[i].errors != asked[i])
      print_error("stage %d, allocation %zu, request %u\n", (int)failing, at, i);
    assert_int_equal(r.p->answers[i].results + r.p->answers[i].errors, asked[i]);
    if (r.p->answers[i].errors) assert_int_equal(r.p->answers[i].err, LN_E_NOMEM);
  }
  ln_alloc_gate = NULL;
  pair_close(r.p);
  return r.failed;
}

static void every_allocation_may_fail(void **state)
{
  (void)state;
  ln_log_set_level(LN_LOG_FATAL_ERROR);
  for (enum stage s = ASK; s < STAGES; s++) {
    size_t k = 1;
    while (conversation(s, k)) k++;
    assert_true(k > 3); /* each stage does allocate */
    assert_true(k < 1000);
  }
}

/* A session that cannot be made is no session. */
static void making_one_may_fail(void **state)
{
  (void)state;
  struct pair *p = pair_open(4);
  static const uint8_t prefix[64];
  for (size_t k = 1;; k++) {
    struct ln_session_config c = {
        .key = &p->key, .rng = p->rng, .ops = &pair_client_ops, .ctx = p, .prefix = ln_slice(prefix, 64)};
    struct ln_session *s = NULL;
    ln_alloc_fail_at(k);
    int err = ln_session_new(&c, 0, &s);
    ln_alloc_fail_at(0);
    if (!err) {
      ln_session_free(s);
      break;
    }
    assert_int_equal(err, LN_E_NOMEM);
    assert_null(s);
  }
  for (size_t k = 1;; k++) {
    struct ln_server_session *s = NULL;
    ln_alloc_fail_at(k);
    int err = ln_server_session_new(&p->server_config, 0, &s);
    ln_alloc_fail_at(0);
    if (!err) {
      ln_server_session_free(s);
      break;
    }
    assert_int_equal(err, LN_E_NOMEM);
    assert_null(s);
  }
  ln_alloc_gate = NULL;
  pair_close(p);
}

/* Without randomness nothing leaves, and the connection is given up. */
static int no_random(void *ctx, void *out, size_t n)
{
  (void)ctx, (void)out, (void)n;
  return LN_E_CRYPTO;
}

static int (*fill)(void *ctx, void *out, size_t n);

static int maybe_random(void *ctx, void *out, size_t n)
{
  return fill(ctx, out, n);
}

static void randomness_may_fail(void **state)
{
  (void)state;
  struct pair *p = pair_open(5);
  struct ln_rng rng = {maybe_random, p->rng.ctx};
  struct ln_session_config c = {.key = &p->key, .rng = rng, .ops = &pair_client_ops, .ctx = p};
  struct ln_session *s = NULL;
  fill = no_random;
  assert_int_equal(ln_session_new(&c, 0, &s), LN_E_CRYPTO);
  fill = p->rng.fill;
  assert_int_equal(ln_session_new(&c, 0, &s), LN_OK);
  uint8_t b[8] = {1};
  assert_int_equal(ln_session_request(s, ln_slice(b, 8), (void *)1, NULL, 0, NULL), LN_OK);
  fill = no_random;
  assert_int_not_equal(ln_session_flush(s, p->w.client.frame, &p->w.client.out, 0), LN_OK);
  assert_int_equal(ln_session_tick(s, 1), LN_E_RECONNECT);
  ln_session_free(s);
  assert_int_equal(p->answers[1].err, LN_E_CLOSED);
  pair_close(p);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(making_one_may_fail),
      cmocka_unit_test(randomness_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

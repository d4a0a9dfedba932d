/* Two sessions over a bad link, hours in a second: payloads are lost, overtake each other and arrive late,
 * connections break. Every request is answered once, and runs once; every update is handled once. The same
 * seed gives the same run. */
#include "base/log.h"

#include "sessions.h"

#define REQUESTS 600
#define STEP_US (LN_US_PER_S / 10)

struct world {
  struct pair *p;
  struct ln_rng_seeded seed;
  struct ln_rng rng;
  unsigned loss; /* of 100 */
  size_t reconnects, lost;
};

static uint32_t draw(struct world *w, uint32_t below)
{
  uint32_t r;
  assert_int_equal(ln_rng_fill(&w->rng, &r, sizeof r), LN_OK);
  return r % below;
}

static void reconnect(struct world *w)
{
  struct pair *p = w->p;
  w->reconnects++;
  link_clear(&p->to_server);
  link_clear(&p->to_client);
  ln_session_disconnected(p->client, p->now);
  ln_session_connected(p->client, p->now);
  if (!p->server) return;
  ln_server_session_disconnected(p->server);
  ln_server_session_connected(p->server);
}

/* Of what is on its way about half arrives in this step, in any order; some never does. */
static int carry(struct world *w)
{
  struct pair *p = w->p;
  int err = LN_OK;
  for (int way = 0; way < 2; way++) {
    struct link *l = way ? &p->to_client : &p->to_server;
    for (size_t tries = l->n; tries && l->n; tries--) {
      if (draw(w, 2)) continue;
      struct packet k = link_take(l, draw(w, (uint32_t)l->n));
      if (draw(w, 100) < w->loss) {
        w->lost++;
        free(k.p);
        continue;
      }
      int e = way ? pair_client_gets(p, k) : pair_server_gets(p, k);
      if (e) err = e;
    }
  }
  return err;
}

static size_t times(const uint32_t *words, size_t n, uint32_t word)
{
  size_t found = 0;
  for (size_t i = 0; i < n; i++) found += words[i] == word;
  return found;
}

static void run(uint64_t seed, unsigned loss, unsigned break_every, unsigned forget_every)
{
  static struct world w;
  memset(&w, 0, sizeof w);
  w.rng = ln_rng_seeded(&w.seed, seed);
  w.loss = loss;
  struct pair *p = w.p = pair_open(seed);
  uint32_t asked = 0, pushed = 0;
  /* The first arrives as it was sent: the server calls all before the first that it sees unknown, and what it
   * calls unknown is sent again. */
  pair_ask(p, PAIR_ECHO, asked++);
  pair_run(p);
  for (int step = 0; step < 60000; step++) {
    if (asked < REQUESTS && draw(&w, 4) == 0)
      pair_ask(p, asked % 7 == 3 ? PAIR_FAIL : PAIR_ECHO, asked), asked++;
    if (p->server && pushed < 200 && draw(&w, 20) == 0) pair_push(p, 1000 + pushed++);
    int err = pair_pass(p, STEP_US);
    if (!err) {
      pair_flush(p);
      err = carry(&w);
    }
    if (err) {
      assert_int_equal(err, LN_E_RECONNECT);
      reconnect(&w);
    } else if (break_every && draw(&w, break_every) == 0) {
      reconnect(&w);
    }
    if (forget_every && p->server && draw(&w, forget_every) == 0) ln_server_session_forget(p->server);
    if (asked == REQUESTS && !ln_session_in_flight(p->client) && pushed == 200 && p->n_acked == 200) break;
  }
  assert_int_equal(ln_session_in_flight(p->client), 0);
  if (loss) assert_true(w.lost > 50);
  for (uint32_t i = 0; i < REQUESTS; i++) {
    assert_int_equal(p->answers[i].results + p->answers[i].errors, 1);
    assert_int_equal(p->answers[i].errors, i % 7 == 3);
    if (p->answers[i].results) assert_int_equal(p->answers[i].word, i);
    if (!forget_every) assert_int_equal(times(p->request_words, p->n_requests, i), 1);
  }
  for (uint32_t i = 0; i < 200 && !forget_every; i++)
    assert_true(times(p->update_words, p->n_updates, 1000 + i) <= 1);
  if (break_every && !forget_every) { /* a broken connection brings what was lost: all of it came */
    assert_int_equal(p->n_updates, 200);
    assert_int_equal(p->n_acked, 200);
  }
  pair_close(p);
}

static void a_good_link(void **state)
{
  (void)state;
  run(1, 0, 0, 0);
}

static void a_fifth_is_lost(void **state)
{
  (void)state;
  for (uint64_t seed = 10; seed < 16; seed++) run(seed, 20, 0, 0);
}

static void a_fifth_is_lost_and_connections_break(void **state)
{
  (void)state;
  for (uint64_t seed = 20; seed < 26; seed++) run(seed, 20, 300, 0);
}

/* A server that loses its memory may run a request twice; answered it is once. */
static void servers_start_anew(void **state)
{
  (void)state;
  for (uint64_t seed = 30; seed < 36; seed++) run(seed, 10, 300, 900);
}

/* No two payloads hold the same message under the same id, however long the server is silent (M21). */
static uint64_t sent_ids[20000];
static size_t n_sent_ids;

static void each_id_once(struct pair *p, const struct ln_plain *plain)
{
  (void)p;
  static struct ln_message m[LN_CONTAINER_MAX_IN];
  size_t n = 1;
  m[0] = (struct ln_message){plain->msg_id, plain->seqno, plain->body};
  if (ln_le32(plain->body.p) == LN_ID_msg_container) {
    assert_int_equal(ln_container_parse(plain->body, plain->msg_id, m, &n), LN_OK);
    m[n++] = (struct ln_message){plain->msg_id, plain->seqno, plain->body};
  }
  for (size_t i = 0; i < n; i++) {
    for (size_t k = 0; k < n_sent_ids; k++) assert_int_not_equal(sent_ids[k], m[i].msg_id);
    assert_true(n_sent_ids < sizeof sent_ids / sizeof sent_ids[0]);
    sent_ids[n_sent_ids++] = m[i].msg_id;
  }
}

static void withheld_acks_make_nobody_repeat_himself(void **state)
{
  (void)state;
  struct pair *p = pair_open(40);
  n_sent_ids = 0;
  p->on_plain = each_id_once;
  for (uint32_t i = 0; i < 50; i++) pair_ask(p, PAIR_HOLD, i);
  for (int s = 0; s < 300; s++) {
    pair_flush(p);
    while (p->to_server.n) pair_server_gets(p, link_take(&p->to_server, 0));
    pair_flush(p);
    link_clear(&p->to_client); /* nothing ever comes back */
    if (s == 100) ln_server_session_forget(p->server);
    if (pair_pass(p, LN_US_PER_S) == LN_E_RECONNECT) {
      ln_session_disconnected(p->client, p->now);
      ln_session_connected(p->client, p->now);
    }
  }
  assert_true(n_sent_ids > 60);
  pair_run(p);
  p->on_plain = NULL;
  pair_close(p);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_good_link),
      cmocka_unit_test(a_fifth_is_lost),
      cmocka_unit_test(a_fifth_is_lost_and_connections_break),
      cmocka_unit_test(servers_start_anew),
      cmocka_unit_test(withheld_acks_make_nobody_repeat_himself),
  };
  ln_log_set_level(LN_LOG_ERROR);
  return cmocka_run_group_tests(tests, NULL, NULL);
}

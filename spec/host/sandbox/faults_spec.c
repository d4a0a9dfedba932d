/* Client and sandbox when things go wrong: cuts, dead lines, codes of the transport, wrong keys, back-off,
 * and ends in the middle of callbacks and jobs. */
#include "net_world.h"
#include "client/backoff.h"

static struct person ann;
static struct ln_auth_key key;

static bool ann_has_result(void)
{
  return ann.n_results + ann.n_errors > 0;
}

static bool ann_is_down(void)
{
  return ann.n_down > 0;
}

static bool ann_is_fatal(void)
{
  return ann.n_fatal > 0;
}

static void start_ann(void)
{
  struct ln_connection_config config = person_config(&ann, "intermediate");
  person_has_key(&config, &key);
  person_start(&ann, &config);
  person_ask(&ann, 1);
  world_run(ann_has_result, 30);
  assert_int_equal(ann.n_results, 1);
}

static bool ann_is_up_again(void)
{
  return ann.n_up == 2;
}

static void cut_after_a_good_while(void **state)
{
  (void)state;
  start_ann();
  world_run(NULL, 20);
  world.hold_answers = true;
  person_ask(&ann, 2);
  world_run(NULL, 1);
  assert_int_equal(world.n_held, 1);
  ln_sandbox_cut(world.sandbox);
  assert_int_equal(world.n_down, 1);
  world_run(ann_is_up_again, 5);
  assert_int_equal(ann.retry_us, 0); /* at once */
  assert_true(ann.up_at - ann.down_at < 1000);
  world_run(NULL, 1);
  /* the answer finds its way over the new connection, and comes once */
  world_answer(world.held[0].s, world.held[0].id, 2);
  world_run(NULL, 30);
  assert_int_equal(ann.answers[2], 1);
  assert_int_equal(world.n_up, 2);
  assert_int_equal(ann.n_new_sessions, 1); /* the session went on */
  person_stop(&ann);
}

static void cut_right_after_it_came_up(void **state)
{
  (void)state;
  start_ann();
  world_run(NULL, 2);
  ln_sandbox_cut(world.sandbox);
  world_run(ann_is_up_again, 5);
  assert_in_range(ann.retry_us, 500000, 1000000);
  assert_int_equal(ann.down_err, LN_E_CLOSED);
  /* by hand it may be cut short */
  ln_sandbox_cut(world.sandbox);
  ann.n_down = 0;
  world_run(ann_is_down, 1);
  int64_t at = ln_clock_now(world.clock);
  ln_connection_retry_now(ann.c);
  ln_connection_retry_now(ann.c);
  int dials = ann.n_dials;
  world_run(NULL, 1);
  assert_int_equal(ann.n_dials, dials + 1);
  assert_true(ann.dials_at[dials] - at < 1000);
  person_stop(&ann);
}

/* A line that breaks every few seconds, but works in between, is no server that must be spared. */
static void cut_again_and_again(void **state)
{
  (void)state;
  start_ann();
  for (int i = 0; i < 12; i++) {
    world_run(NULL, 2);
    ln_sandbox_cut(world.sandbox);
    ann.n_up = 1;
    world_run(ann_is_up_again, 61);
    assert_int_equal(ann.n_up, 2);
    assert_in_range(ann.retry_us, 500000, LN_BACKOFF_CUT_MAX_US);
  }
  assert_true(ann.retry_us >= LN_BACKOFF_CUT_MAX_US / 2); /* but not at once, either */
  person_stop(&ann);
}

static bool ann_has_update(void)
{
  return ann.n_updates > 0;
}

/* A client that has nothing to ask still says who it is, or no update would find it. */
static void pushes_wait_for_a_silent_client(void **state)
{
  (void)state;
  uint8_t update[8] = {1, 1, 1, 1, 42};
  start_ann();
  world_run(NULL, 20);
  struct ln_sandbox_session *s = world.session;
  ln_sandbox_cut(world.sandbox);
  assert_int_equal(ln_sandbox_push(s, ln_slice(update, 8), NULL), LN_OK);
  world_run(ann_has_update, 3);
  assert_int_equal(ann.last_word, 42);
  assert_ptr_equal(world.session, s);
  person_stop(&ann);
  /* from the first connection on */
  world.session = NULL;
  struct ln_connection_config config = person_config(&ann, "full");
  person_has_key(&config, &key);
  person_start(&ann, &config);
  world_run(NULL, 3);
  assert_non_null(world.session);
  person_stop(&ann);
}

static int dial_and_reset(void *ctx, const struct ln_stream_ops *ops, void *ops_ctx, struct ln_stream **out)
{
  struct ln_stream *b;
  (void)ctx;
  int err = ln_pipe_pair(world.loop, ops, ops_ctx, out, &b);
  if (!err) ln_stream_close(b);
  return err;
}

static int dial_in_vain(void *ctx, const struct ln_stream_ops *ops, void *ops_ctx, struct ln_stream **out)
{
  (void)ctx, (void)ops, (void)ops_ctx, (void)out;
  return LN_E_CONNECT;
}

static void backs_off(int (*dial)(void *ctx, const struct ln_stream_ops *ops, void *ops_ctx,
                                  struct ln_stream **out),
                      int err)
{
  struct ln_dialer dialer = {dial, NULL};
  struct ln_connection_config config = person_config(&ann, "intermediate");
  person_has_key(&config, &key);
  config.dialer = &dialer;
  person_start(&ann, &config);
  world_run(NULL, 600);
  int first_minute = 0;
  for (int i = 0; i < ann.n_dials; i++) first_minute += ann.dials_at[i] < ann.dials_at[0] + 60 * LN_US_PER_S;
  assert_in_range(first_minute, 5, 12);
  assert_in_range(ann.n_dials, 12, 40);
  for (int i = 1; i < ann.n_dials; i++)
    assert_true(ann.dials_at[i] - ann.dials_at[i - 1] <= 60 * LN_US_PER_S);
  assert_int_equal(ann.down_err, err);
  assert_int_equal(ann.n_fatal, 0);
  person_stop(&ann);
}

static void nobody_there(void **state)
{
  (void)state;
  backs_off(dial_in_vain, LN_E_CONNECT);
}

static void accepted_and_reset(void **state)
{
  (void)state;
  backs_off(dial_and_reset, LN_E_CLOSED);
}

static struct ln_stream *silent_end;

static void on_swallow(void *ctx, struct ln_buf *in)
{
  (void)ctx;
  ln_buf_clear(in);
}

static const struct ln_stream_ops swallow_ops = {.on_data = on_swallow};

static int dial_silence(void *ctx, const struct ln_stream_ops *ops, void *ops_ctx, struct ln_stream **out)
{
  (void)ctx;
  int err = ln_pipe_pair(world.loop, ops, ops_ctx, out, &silent_end);
  if (!err) ln_stream_adopt(silent_end, &swallow_ops, NULL);
  return err;
}

static void an_exchange_that_nobody_answers(void **state)
{
  (void)state;
  struct ln_dialer dialer = {dial_silence, NULL};
  struct ln_connection_config config = person_config(&ann, "intermediate");
  config.dialer = &dialer;
  person_start(&ann, &config);
  world_run(NULL, 60);
  assert_true(ann.n_down >= 1);
  assert_int_equal(ann.down_err, LN_E_TIMEOUT);
  assert_in_range(ann.n_dials, 2, 12);
  assert_int_equal(ann.n_fatal, 0);
  person_stop(&ann);
}

/* --- half open: what the client says vanishes, and nobody tells it --- */

/* A wire that can go dead: then nothing passes, not even the end of either side. */
struct wire_end {
  struct ln_stream *s;
};
static struct wire {
  struct wire_end client, server;
} wires[8];
static int n_wires;
static bool vanish;

static void on_wire_data(void *ctx, struct ln_buf *in)
{
  struct wire_end *e = ctx, *other = NULL;
  for (int i = 0; i < n_wires; i++) {
    if (e == &wires[i].server) other = &wires[i].client;
    if (e == &wires[i].client) other = &wires[i].server;
  }
  if (!vanish && other->s) {
    assert_int_equal(ln_buf_append(ln_stream_out(other->s), ln_buf_data(in), in->len), LN_OK);
    ln_stream_send(other->s);
  }
  ln_buf_clear(in);
}

static void on_wire_close(void *ctx, int err, const char *why)
{
  struct wire_end *e = ctx;
  (void)err, (void)why;
  e->s = NULL;
}

static const struct ln_stream_ops wire_ops = {.on_data = on_wire_data, .on_close = on_wire_close};

static int dial_by_wire(void *ctx, const struct ln_stream_ops *ops, void *ops_ctx, struct ln_stream **out)
{
  (void)ctx;
  struct wire *w = &wires[n_wires++];
  assert_in_range(n_wires, 1, 8);
  assert_int_equal(ln_sandbox_dial(world.sandbox, 2, &wire_ops, &w->server, &w->server.s), LN_OK);
  assert_int_equal(ln_pipe_pair(world.loop, ops, ops_ctx, out, &w->client.s), LN_OK);
  ln_stream_adopt(w->client.s, &wire_ops, &w->client);
  return LN_OK;
}

static void start_by_wire(void)
{
  struct ln_dialer dialer = {dial_by_wire, NULL};
  struct ln_connection_config config = person_config(&ann, "intermediate");
  vanish = false;
  n_wires = 0;
  memset(wires, 0, sizeof wires);
  person_has_key(&config, &key);
  config.dialer = &dialer;
  person_start(&ann, &config);
  person_ask(&ann, 1);
  world_run(ann_has_result, 30);
  world_run(NULL, 15);
}

static void half_open(void **state)
{
  (void)state;
  start_by_wire();
  vanish = true;
  person_ask(&ann, 2);
  int64_t since = ln_clock_now(world.clock);
  world_run(ann_is_down, 100);
  assert_true(ln_clock_now(world.clock) - since <= 80 * LN_US_PER_S);
  assert_int_equal(ann.down_err, LN_E_TIMEOUT);
  vanish = false;
  world_run(ann_is_up_again, 5);
  world_run(NULL, 20);
  assert_int_equal(ann.answers[2], 1);
  assert_int_equal(ann.n_new_sessions, 1);
  person_stop(&ann);
}

static void a_second_connection_replaces_the_first(void **state)
{
  (void)state;
  start_by_wire();
  struct ln_sandbox_session *s = world.session;
  vanish = true;
  person_ask(&ann, 2);
  world_run(NULL, 1);
  ln_stream_close(wires[0].client.s); /* the client hears of the end, the server does not */
  wires[0].client.s = NULL;
  world_run(ann_is_down, 1);
  assert_int_equal(world.n_down, 0);
  vanish = false;
  world_run(NULL, 5);
  assert_int_equal(ann.answers[2], 1);
  assert_int_equal(world.n_down, 1);
  assert_int_equal(world.n_up, 2);
  assert_ptr_equal(world.session, s);
  assert_null(wires[0].server.s); /* closed by the server */
  person_stop(&ann);
}

/* --- codes and keys --- */

static void a_key_that_the_server_does_not_know(void **state)
{
  (void)state;
  struct ln_connection_config config = person_config(&ann, "obfuscated-intermediate");
  uint8_t bytes[256];
  spec_pattern(bytes, sizeof bytes, 1);
  ln_auth_key_init(&key, bytes);
  config.key = &key;
  config.salt = 5;
  person_start(&ann, &config);
  person_ask(&ann, 1);
  world_run(NULL, 120);
  assert_int_equal(ann.n_fresh, 0); /* T1: never a new key because of a code */
  assert_int_equal(ann.n_fatal, 0);
  assert_in_range(ann.n_dials, 3, 14);
  assert_non_null(strstr(ann.why, "404"));
  assert_int_equal(ln_connection_in_flight(ann.c), 1);
  /* and when it knows it (again), all goes on */
  assert_int_equal(ln_sandbox_add_auth_key(world.sandbox, &key, 5, 2), LN_OK);
  world_run(ann_has_result, 120);
  assert_int_equal(ann.answers[1], 1);
  person_stop(&ann);
}

static void a_key_of_another_dc(void **state)
{
  (void)state;
  struct ln_connection_config config = person_config(&ann, "intermediate");
  uint8_t bytes[256];
  spec_pattern(bytes, sizeof bytes, 2);
  ln_auth_key_init(&key, bytes);
  assert_int_equal(ln_sandbox_add_auth_key(world.sandbox, &key, 5, 4), LN_OK);
  config.key = &key;
  person_start(&ann, &config);
  person_ask(&ann, 1);
  world_run(NULL, 10);
  assert_int_equal(ann.n_results, 0);
  assert_non_null(strstr(ann.why, "404"));
  person_stop(&ann);
}

static void codes(void **state)
{
  (void)state;
  start_ann();
  world_run(NULL, 20);
  ln_sandbox_transport_error(world.sandbox, 429);
  world_run(ann_is_down, 1);
  assert_in_range(ann.retry_us, 3000000, 4500000);
  world_run(ann_is_up_again, 10);
  world_run(NULL, 20); /* its first words told the server how it frames */
  ln_sandbox_transport_error(world.sandbox, 404);
  ann.n_down = 0;
  world_run(ann_is_down, 1);
  assert_in_range(ann.retry_us, 500000, 1000000); /* not at once, good as it was */
  world_run(NULL, 20);
  assert_int_equal(ann.n_up, 3);
  assert_int_equal(ann.n_fresh, 0);
  ln_sandbox_transport_error(world.sandbox, 444);
  world_run(ann_is_fatal, 2);
  assert_int_equal(ann.fatal, LN_E_HALT);
  assert_int_equal(ann.retry_us, -1);
  int dials = ann.n_dials;
  ln_connection_retry_now(ann.c);
  world_run(NULL, 600);
  assert_int_equal(ann.n_dials, dials);
  person_stop(&ann);
}

static void a_server_with_another_rsa_key(void **state)
{
  (void)state;
  static struct ln_rsa *stranger;
  if (!stranger) {
    struct ln_buf pem;
    struct ln_rsa *pair;
    assert_int_equal(ln_rsa_generate(&pair), LN_OK);
    ln_buf_init(&pem, 8192);
    assert_int_equal(ln_rsa_write_public(pair, &pem), LN_OK);
    assert_int_equal(ln_rsa_parse_public(ln_buf_slice(&pem), &stranger, NULL), LN_OK);
    ln_buf_deinit(&pem);
    ln_rsa_free(pair);
  }
  const struct ln_rsa *keys[] = {stranger};
  struct ln_connection_config config = person_config(&ann, "intermediate");
  config.keys = keys;
  person_start(&ann, &config);
  world_run(ann_is_fatal, 30);
  assert_int_equal(ann.fatal, LN_E_NO_KEY);
  assert_int_equal(ann.n_dials, 1);
  assert_int_equal(ann.retry_us, -1);
  world_run(NULL, 100);
  assert_int_equal(ann.n_dials, 1);
  person_stop(&ann);
  config = person_config(&ann, "intermediate");
  config.n_keys = 0; /* none at all, and none of the sandbox */
  person_start(&ann, &config);
  world_run(ann_is_fatal, 30);
  assert_int_equal(ann.fatal, LN_E_NO_KEY);
  person_stop(&ann);
  ln_rsa_free(stranger);
  stranger = NULL;
}

/* --- a server that forgets, a network that cuts and delays --- */

static void the_server_forgets(void **state)
{
  (void)state;
  start_ann();
  world_run(NULL, 5);
  ln_sandbox_forget(world.sandbox);
  person_ask(&ann, 2);
  world_run(NULL, 30);
  assert_int_equal(ann.answers[2], 1);
  assert_int_equal(ann.n_new_sessions, 2); /* it has to fetch what it may have missed */
  person_stop(&ann);
}

static struct ln_rng_seeded fault_seed;
static struct ln_rng faults;
static int cuts;

static enum ln_pipe_verdict bad_line(void *ctx, bool from_a, struct ln_buf *bytes, int64_t *delay_us)
{
  uint32_t r = 0;
  (void)ctx, (void)from_a, (void)bytes;
  ln_rng_fill(&faults, &r, sizeof r);
  if (r % 100 < 4) {
    cuts++;
    return LN_PIPE_DROP_CONNECTION;
  }
  *delay_us = r % 400000;
  return LN_PIPE_HOLD;
}

static bool ann_has_all(void)
{
  return ann.n_results + ann.n_errors >= 500;
}

static void every_request_is_answered_once(void **state)
{
  (void)state;
  start_ann();
  faults = ln_rng_seeded(&fault_seed, 3);
  cuts = 0;
  ln_sandbox_set_filter(world.sandbox, bad_line, NULL);
  for (uint32_t i = 2; i <= 500; i++) {
    person_ask(&ann, i);
    if (i % 3 == 0) world_run(NULL, 1);
  }
  world_run(ann_has_all, 4000);
  for (int i = 1; i <= 500; i++) assert_int_equal(ann.answers[i], 1);
  assert_int_equal(ann.n_errors, 0);
  assert_true(cuts > 5);
  assert_true(ann.n_up > 5);
  person_stop(&ann);
}

/* --- what strangers send --- */

static int stranger_closed, stranger_data;

static void on_stranger_data(void *ctx, struct ln_buf *in)
{
  (void)ctx;
  stranger_data++;
  ln_buf_clear(in);
}

static void on_stranger_close(void *ctx, int err, const char *why)
{
  (void)ctx, (void)err, (void)why;
  stranger_closed++;
}

static bool stranger_is_closed(void)
{
  return stranger_closed > 0;
}

static void strangers(void **state)
{
  (void)state;
  static const struct ln_stream_ops ops = {.on_data = on_stranger_data, .on_close = on_stranger_close};
  static const char *const words[] = {"GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n",
                                      "\xef\x02"
                                      "12345678", /* too short a message */
                                      "\xee\xee\xee\xee\xff\xff\xff\x7f"
                                      "abcdefgh",
                                      NULL};
  struct ln_stream *s;
  for (int i = 0; words[i]; i++) {
    stranger_closed = 0;
    assert_int_equal(ln_sandbox_dial(world.sandbox, 2, &ops, NULL, &s), LN_OK);
    assert_int_equal(ln_buf_append(ln_stream_out(s), words[i], strlen(words[i])), LN_OK);
    ln_stream_send(s);
    world_run(stranger_is_closed, 5);
  }
  /* a whole frame for a key that nobody has: one code, and the end */
  uint8_t frame[4 + 4 + 56] = {0xee, 0xee, 0xee, 0xee, 56, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
  stranger_closed = stranger_data = 0;
  assert_int_equal(ln_sandbox_dial(world.sandbox, 2, &ops, NULL, &s), LN_OK);
  assert_int_equal(ln_buf_append(ln_stream_out(s), frame, sizeof frame), LN_OK);
  ln_stream_send(s);
  world_run(stranger_is_closed, 5);
  assert_int_equal(stranger_data, 1);
  /* and one that says nothing: two minutes */
  stranger_closed = 0;
  assert_int_equal(ln_sandbox_dial(world.sandbox, 2, &ops, NULL, &s), LN_OK);
  world_run(NULL, 100);
  assert_int_equal(stranger_closed, 0);
  world_run(stranger_is_closed, 30);
}

/* --- ends in the middle of things --- */

static void close_in_each_callback(void **state)
{
  (void)state;
  static const char *const places[] = {"dialling", "exchange", "save",  "up",   "result",
                                       "update",   "state",    "error", "down", "fatal"};
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    struct ln_connection_config config = person_config(&ann, "intermediate");
    uint8_t body[8] = {0xe0, 0xe0, 0xe0, 0xe0}, update[8] = {1, 2};
    ann.close_in = places[i];
    world.session = NULL;
    person_start(&ann, &config);
    for (uint32_t k = 1; k <= 5; k++) person_ask(&ann, k);
    assert_int_equal(ln_connection_request(ann.c, ln_slice(body, 8), (void *)6, NULL, 0, NULL), LN_OK);
    world_run(NULL, 5);
    if (ann.c && world.session) {
      ln_sandbox_push(world.session, ln_slice(update, 8), NULL);
      world_run(NULL, 5);
    }
    if (ann.c) ln_sandbox_cut(world.sandbox);
    world_run(NULL, 5);
    if (ann.c) ln_sandbox_transport_error(world.sandbox, 444);
    world_run(NULL, 5);
    if (strcmp(places[i], "state") != 0) assert_null(ann.close_in); /* the place was passed */
    if (ann.c) person_stop(&ann);
    for (int k = 1; k <= 6; k++)
      assert_int_equal(ann.answers[k], 1); /* LN_E_CLOSED where nothing else came */
  }
}

static void close_from_one_of_the_closing_calls(void **state)
{
  (void)state;
  struct ln_connection_config config = person_config(&ann, "intermediate");
  person_start(&ann, &config);
  for (uint32_t k = 1; k <= 3; k++) person_ask(&ann, k);
  ann.close_in = "error"; /* each of the three gets LN_E_CLOSED, and the first closes again */
  struct ln_connection *c = ann.c;
  ln_connection_close(c);
  assert_int_equal(ann.n_errors, 3);
  assert_int_equal(ann.last_err, LN_E_CLOSED);
  world_run(NULL, 1);
}

static bool server_works(void)
{
  return ln_loop_held(world.loop) > 0;
}

static void the_client_ends_while_a_job_runs(void **state)
{
  (void)state;
  for (int i = 0; i < 8; i++) {
    struct ln_connection_config config = person_config(&ann, "intermediate");
    person_start(&ann, &config);
    int seen = 0;
    while (seen++ <= i) world_run(server_works, 5); /* either end's, sooner or later in the exchange */
    person_stop(&ann);
    world_run(NULL, 1);
    assert_int_equal(ln_loop_held(world.loop), 0);
  }
}

static void the_sandbox_ends_while_a_job_runs(void **state)
{
  for (int i = 0; i < 8; i++) {
    struct ln_connection_config config = person_config(&ann, "intermediate");
    person_start(&ann, &config);
    int seen = 0;
    while (seen++ <= i) world_run(server_works, 5);
    ln_sandbox_free(world.sandbox);
    world.sandbox = NULL;
    world_run(NULL, 2);
    person_stop(&ann);
    world_close(state);
    world_open_virtual(state);
  }
}

static void the_sandbox_ends_in_a_callback(void **state)
{
  static const char *const places[] = {"key", "up", "request", "down"};
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    struct ln_connection_config config = person_config(&ann, "intermediate");
    world.free_in = places[i];
    person_start(&ann, &config);
    for (uint32_t k = 1; k <= 5; k++) person_ask(&ann, k);
    world_run(NULL, 5);
    if (world.sandbox) ln_sandbox_cut(world.sandbox);
    assert_null(world.sandbox);
    world_run(NULL, 30);
    assert_int_equal(world.n_gone, i == 0 ? 0 : 1);
    person_stop(&ann);
    world_close(state);
    world_open_virtual(state);
  }
}

static void all_is_left_to_the_loop(void **state)
{
  start_ann();
  person_ask(&ann, 2); /* under way */
  struct ln_connection *c = ann.c;
  ln_sandbox_free(world.sandbox);
  ln_connection_close(c);
  world.sandbox = NULL;
  world_close(state);
  world_open_virtual(state);
}

#define VIRTUAL(test) cmocka_unit_test_setup_teardown(test, world_open_virtual, world_close)

int main(void)
{
  const struct CMUnitTest tests[] = {
      VIRTUAL(cut_after_a_good_while),
      VIRTUAL(cut_right_after_it_came_up),
      VIRTUAL(cut_again_and_again),
      VIRTUAL(pushes_wait_for_a_silent_client),
      VIRTUAL(nobody_there),
      VIRTUAL(accepted_and_reset),
      VIRTUAL(an_exchange_that_nobody_answers),
      VIRTUAL(half_open),
      VIRTUAL(a_second_connection_replaces_the_first),
      VIRTUAL(a_key_that_the_server_does_not_know),
      VIRTUAL(a_key_of_another_dc),
      VIRTUAL(codes),
      VIRTUAL(a_server_with_another_rsa_key),
      VIRTUAL(the_server_forgets),
      VIRTUAL(every_request_is_answered_once),
      VIRTUAL(strangers),
      VIRTUAL(close_in_each_callback),
      VIRTUAL(close_from_one_of_the_closing_calls),
      VIRTUAL(the_client_ends_while_a_job_runs),
      VIRTUAL(the_sandbox_ends_while_a_job_runs),
      VIRTUAL(the_sandbox_ends_in_a_callback),
      VIRTUAL(all_is_left_to_the_loop),
  };
  return cmocka_run_group_tests_name("faults", tests, world_make_key, world_free_key);
}

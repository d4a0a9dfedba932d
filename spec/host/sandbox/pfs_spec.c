/* A client with temporary keys against the sandbox: made, bound, renewed, lost and refused, under traffic.
 * What a binding says is checked by net_world.h. */
#include "net_world.h"
#include "sandbox/internal.h"

#define DAY 86400

static struct person ann;
static struct ln_auth_key key;

static bool ann_has_result(void)
{
  return ann.n_results + ann.n_errors > 0;
}

static void start_ann(bool saved)
{
  struct ln_connection_config config = person_config(&ann, "intermediate");
  if (saved) {
    person_has_key(&config, &key);
    world.perm = &key;
  }
  config.temp_key_s = DAY;
  person_start(&ann, &config);
  person_ask(&ann, 1);
}

static void ann_starts(bool saved)
{
  start_ann(saved);
  world_run(ann_has_result, 30);
  assert_int_equal(ann.n_results, 1);
}

static uint64_t in_use(void)
{
  return ln_sandbox_session_auth_key_id(world.session);
}

static void both_keys_at_the_first_start(void **state)
{
  (void)state;
  ann_starts(false);
  assert_int_equal(world.n_keys, 1);
  assert_int_equal(world.n_bound, 1);
  assert_int_equal(ann.n_dials, 1); /* all on one link */
  assert_int_equal(ann.n_up, 1);
  assert_true(in_use() == world.bound && in_use() != world.key.id);
  assert_int_equal(world.n_unbound, 0);
  assert_in_range(ln_connection_temp_key_left(ann.c), DAY - 60, DAY);
  /* what is kept is the permanent key, with its own salt */
  assert_int_equal(ann.n_fresh, 1);
  assert_true(ann.key.id == world.key.id);
  assert_true(ann.salt == world.salt);
  world_run(NULL, 7200); /* salts change meanwhile */
  assert_true(ann.key.id == world.key.id);
  assert_true(ann.salt == world.salt);
  person_stop(&ann);
}

static void a_saved_key_needs_a_temporary_one_alone(void **state)
{
  (void)state;
  ann_starts(true);
  assert_int_equal(world.n_keys, 0);
  assert_int_equal(ann.n_fresh, 0);
  assert_int_equal(world.n_bound, 1);
  assert_true(in_use() == world.bound && in_use() != key.id);
  /* over a cut it stays, and needs no binding */
  world_run(NULL, 20);
  ln_sandbox_cut(world.sandbox);
  person_ask(&ann, 2);
  world_run(NULL, 5);
  assert_int_equal(ann.answers[2], 1);
  assert_int_equal(world.n_bindings, 1);
  assert_int_equal(world.n_unbound, 0);
  person_stop(&ann);
}

static uint32_t asked;

/* One request a second for so long, so that some are under way whenever a key changes. */
static void traffic(int seconds)
{
  for (int i = 0; i < seconds; i++) {
    person_ask(&ann, ++asked);
    world_run(NULL, 1);
  }
}

static void all_answered_once(void)
{
  for (uint32_t i = 1; i <= asked; i++) assert_int_equal(ann.answers[i], 1);
  assert_int_equal(ann.n_errors, 0);
  assert_int_equal(world.n_unbound, 0);
}

static void renewed_under_traffic(void **state)
{
  (void)state;
  asked = 1;
  ann_starts(true);
  uint64_t before = world.bound;
  world_run(NULL, DAY / 4 * 3 - 60);
  assert_true(world.bound == before);
  int requests = world.n_requests - (int)asked;
  traffic(120);
  assert_int_equal(world.n_bound, 2);
  assert_true(world.bound != before && in_use() == world.bound);
  all_answered_once();
  assert_int_equal(world.n_requests - (int)asked, requests); /* none ran twice */
  assert_int_equal(ann.n_down, 0);                           /* the link has not noticed */
  assert_int_equal(ann.n_up, 1);
  world_run(NULL, 2 * DAY);
  assert_int_equal(world.n_bound, 4); /* at 18 hours, at 36, at 54 */
  assert_int_equal(ann.n_down, 0);
  person_stop(&ann);
}

/* A request that never ends: others wait for at most five seconds, then all go on by the new key. */
static void renewed_without_a_quiet_moment(void **state)
{
  (void)state;
  asked = 1;
  ann_starts(true);
  world_run(NULL, DAY / 4 * 3 - 60);
  world.hold_answers = true;
  person_ask(&ann, ++asked);
  world_run(NULL, 60);
  assert_int_equal(world.n_held, 1);
  world.hold_answers = false;
  traffic(100);
  assert_int_equal(world.n_bound, 2);
  all_answered_once();
  person_stop(&ann);
}

/* What was on its way by the key before is heard for a minute, and not longer (M2). */
static void the_key_before_is_heard_for_a_minute(void **state)
{
  (void)state;
  uint8_t update[8] = {1, 1, 1, 1, 42};
  ann_starts(true);
  struct ln_sandbox_session *before = world.session;
  for (int i = 0; i < 2; i++) {
    world_run(NULL, i ? 62 : DAY / 4 * 3 + 1);
    assert_true(in_use() == world.bound && world.session != before);
    assert_int_equal(ann.n_updates, i);
    int down = ann.n_down;
    struct ln_sandbox_connection *c = world.sandbox->connections;
    struct ln_buf *out = ln_stream_out(c->stream);
    update[4] = (uint8_t)(42 + i);
    assert_int_equal(ln_sandbox_push(before, ln_slice(update, 8), NULL), LN_OK);
    ln_server_session_connected(before->wire);
    assert_int_equal(ln_server_session_flush(before->wire, c->frame, out, ln_clock_wall(world.clock)), LN_OK);
    ln_stream_send(c->stream);
    ln_server_session_disconnected(before->wire);
    world_run(NULL, 2);
    assert_int_equal(ann.n_updates, 1);
    assert_int_equal(ann.last_word, 42);
    assert_int_equal(ann.n_down, down + i); /* then it is nobody's: R */
  }
  person_stop(&ann);
}

static void the_server_loses_the_temporary_keys(void **state)
{
  (void)state;
  asked = 1;
  ann_starts(true);
  for (int i = 0; i < 4; i++) {
    traffic(20);
    world.hold_answers = true;
    person_ask(&ann, ++asked);
    world_run(NULL, 1);
    world.hold_answers = false;
    ln_sandbox_drop_temporary_keys(world.sandbox);
    traffic(20);
    assert_int_equal(ann.down_err, LN_E_RECONNECT);
    assert_int_equal(ann.n_fatal, 0);
  }
  assert_int_equal(world.n_bound, 5);
  all_answered_once();
  assert_int_equal(ann.n_fresh, 0); /* the permanent key is what it was */
  assert_int_equal(world.n_keys, 0);
  person_stop(&ann);
}

/* Forged, or a server gone mad: -404 for everything costs time alone, ever more of it. */
static void not_found_for_ever(void **state)
{
  (void)state;
  ann_starts(true);
  for (int i = 0; i < 600; i++) {
    ln_sandbox_transport_error(world.sandbox, 404);
    world_run(NULL, 1);
  }
  assert_int_equal(ann.n_fatal, 0);
  assert_int_equal(world.n_keys, 0);
  assert_in_range(ann.n_dials, 10, 40); /* 1, 2, 4 … 60 s */
  ann.n_results = ann.n_errors = 0;
  person_ask(&ann, 2);
  world_run(ann_has_result, 70);
  assert_int_equal(ann.answers[2], 1);
  person_stop(&ann);
}

static bool ann_is_fatal(void)
{
  return ann.n_fatal > 0;
}

static void refused(const char *text, int times)
{
  world.refuse = text;
  world.refusals = times;
}

static void one_refusal_is_no_end(void **state)
{
  (void)state;
  refused("ENCRYPTED_MESSAGE_INVALID", 1);
  ann_starts(true);
  assert_int_equal(world.n_bindings, 2);
  assert_int_equal(ann.n_up, 1);
  person_stop(&ann);
}

/* Younger than a minute: it may not be known everywhere yet. */
static void a_fresh_key_is_not_given_up(void **state)
{
  (void)state;
  refused("ENCRYPTED_MESSAGE_INVALID", 5);
  start_ann(false);
  world_run(ann_has_result, 60);
  assert_int_equal(ann.n_results, 1);
  assert_int_equal(world.n_bindings, 6);
  assert_int_equal(world.n_keys, 1);
  person_stop(&ann);
}

static void two_refusals_of_an_old_key_are_the_end(void **state)
{
  (void)state;
  ann_starts(true);
  world_run(NULL, 100);
  refused("ENCRYPTED_MESSAGE_INVALID", 1000);
  ln_sandbox_drop_temporary_keys(world.sandbox);
  person_ask(&ann, 2);
  world_run(ann_is_fatal, 60);
  assert_int_equal(ann.fatal, LN_E_HALT);
  assert_int_equal(world.n_bindings, 3);
  assert_int_equal(ann.n_fresh, 0);
  assert_int_equal(ann.answers[2], 0); /* pending until its owner closes */
  int dials = ann.n_dials;
  world_run(NULL, 600);
  assert_int_equal(ann.n_dials, dials);
  person_stop(&ann);
  assert_int_equal(ann.answers[2], 1);
}

static void other_refusals_never_are(void **state)
{
  (void)state;
  ann_starts(true);
  world_run(NULL, 100);
  refused("INTERNAL", 6);
  ln_sandbox_drop_temporary_keys(world.sandbox);
  ann.n_results = 0;
  person_ask(&ann, 2);
  world_run(ann_has_result, 200);
  assert_int_equal(ann.answers[2], 1);
  assert_int_equal(world.n_bindings, 8);
  assert_int_equal(ann.n_fatal, 0);
  person_stop(&ann);
}

static void it_ends_where_it_cannot_be_renewed(void **state)
{
  (void)state;
  ann_starts(true);
  world_run(NULL, DAY / 2);
  uint64_t before = world.bound;
  struct ln_sandbox_key *k = ln_map_get(&world.sandbox->keys, before);
  int64_t expires = k->expires;
  /* no exchange succeeds any more: the server's key is another now */
  const struct ln_rsa *own = world.sandbox->key;
  struct ln_rsa *other;
  assert_int_equal(ln_rsa_generate(&other), LN_OK);
  world.sandbox->key = other;
  world_run(NULL, DAY / 2 - 120);
  assert_int_equal(ann.n_down, 0); /* the old one does as long as it lives */
  assert_true(world.bound == before);
  world.sandbox->key = own;
  person_ask(&ann, 2);
  world_run(NULL, 1);
  assert_int_equal(ann.answers[2], 1);
  world_run(NULL, (int)((expires - ln_clock_now(world.clock)) / LN_US_PER_S) + 10);
  person_ask(&ann, 3);
  world_run(NULL, 5);
  assert_int_equal(ann.answers[3], 1);
  assert_true(world.bound != before);
  assert_int_equal(world.n_unbound, 0);
  assert_int_equal(ann.n_fatal, 0);
  ln_rsa_free(other);
  person_stop(&ann);
}

static void closed_in_the_middle(void **state)
{
  static const char *const places[] = {"dialling", "exchange", "up", "new session", "save"};
  (void)state;
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    start_ann(false);
    ann.close_in = places[i];
    world_run(NULL, 5);
    assert_null(ann.c);
  }
  /* and while the next key is in the making */
  ann_starts(true);
  world_run(NULL, DAY / 4 * 3 - 1);
  ln_sandbox_cut(world.sandbox);
  person_stop(&ann);
  world_run(NULL, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open_virtual, world_close)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(both_keys_at_the_first_start),
      TEST(a_saved_key_needs_a_temporary_one_alone),
      TEST(renewed_under_traffic),
      TEST(renewed_without_a_quiet_moment),
      TEST(the_key_before_is_heard_for_a_minute),
      TEST(the_server_loses_the_temporary_keys),
      TEST(not_found_for_ever),
      TEST(one_refusal_is_no_end),
      TEST(a_fresh_key_is_not_given_up),
      TEST(two_refusals_of_an_old_key_are_the_end),
      TEST(other_refusals_never_are),
      TEST(it_ends_where_it_cannot_be_renewed),
      TEST(closed_in_the_middle),
  };
  return cmocka_run_group_tests(tests, world_make_key, world_free_key);
}

/* Every allocation of a client and a sandbox fails once: nothing breaks or leaks, and what was asked is
 * answered or refused. */
#include "net_world.h"
#include "testing/alloc_fail.h"

static struct person ann;

static bool settled(void)
{
  return ann.n_results + ann.n_errors + ann.n_fatal > 0;
}

static bool updated(void)
{
  return ann.n_updates > 0;
}

/* False: something could not even be started, for want of memory. */
static bool scene(bool exchange)
{
  struct ln_auth_key key;
  struct ln_connection_config config = person_config(&ann, "obfuscated-intermediate");
  uint8_t body[8] = {4, 3, 2, 1, 9}, update[8] = {1, 1, 1, 1, 42};
  if (!exchange) {
    uint8_t bytes[256];
    spec_pattern(bytes, sizeof bytes, 9);
    ln_auth_key_init(&key, bytes);
    config.key = &key;
    config.salt = 77;
    config.synchronised = true;
    if (ln_sandbox_add_auth_key(world.sandbox, &key, 77, 2)) return false;
  }
  if (ln_connection_new(&config, &ann.c)) return false;
  bool asked = ln_connection_request(ann.c, ln_slice(body, 8), (void *)1, NULL, 0, NULL) == LN_OK;
  bool pushed = false;
  if (asked) {
    world_run(settled, 300);
    assert_int_equal(ann.answers[1], 1);
    pushed = world.session && ln_sandbox_push(world.session, ln_slice(update, 8), NULL) == LN_OK;
    if (pushed) {
      world_run(updated, 300);
      ln_connection_ack(ann.c, ann.update_id);
      world_run(NULL, 10);
    }
    ln_sandbox_cut(world.sandbox);
    world_run(NULL, 5);
  }
  person_stop(&ann);
  return asked && pushed;
}

static void each_allocation(bool exchange, size_t least)
{
  void *state = NULL;
  size_t n = 0;
  for (bool failed = true; failed;) {
    assert_true(++n < 5000);
    if (world_open_virtual(&state)) fail();
    ln_alloc_fail_at(n);
    bool well = scene(exchange);
    failed = ln_alloc_seen() >= n;
    ln_alloc_fail_at(0);
    if (!failed) assert_true(well);
    world_close(&state);
  }
  assert_true(n > least);
}

static void with_a_saved_key(void **state)
{
  (void)state;
  each_allocation(false, 30);
}

static void with_an_exchange(void **state)
{
  (void)state;
  each_allocation(true, 30);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(with_a_saved_key),
      cmocka_unit_test(with_an_exchange),
  };
  return cmocka_run_group_tests_name("nomem", tests, world_make_key, world_free_key);
}

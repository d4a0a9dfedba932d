/* A peer that takes nothing off the wire, with little and with much to say to it: the client finds out by its
 * own clock, and everything is asked once over the next connection. */
#include "net_world.h"

static struct person ann;
static struct ln_auth_key key;
/* What the client dials: passes everything on to the sandbox and back, until it is told to take nothing any
 * more. */
static struct ln_stream *near, *far; /* the ends towards the client and towards the sandbox */

static void pass(struct ln_buf *in, struct ln_stream *to)
{
  if (to) {
    assert_int_equal(ln_buf_append(ln_stream_out(to), ln_buf_data(in), in->len), LN_OK);
    ln_stream_send(to);
  }
  ln_buf_clear(in);
}

static void from_client(void *ctx, struct ln_buf *in)
{
  (void)ctx;
  pass(in, far);
}

static void from_sandbox(void *ctx, struct ln_buf *in)
{
  (void)ctx;
  pass(in, near);
}

static void client_left(void *ctx, int err, const char *why)
{
  (void)ctx, (void)err, (void)why;
  near = NULL;
}

static void sandbox_left(void *ctx, int err, const char *why)
{
  (void)ctx, (void)err, (void)why;
  far = NULL;
}

static const struct ln_stream_ops near_ops = {.on_data = from_client, .on_close = client_left};
static const struct ln_stream_ops far_ops = {.on_data = from_sandbox, .on_close = sandbox_left};

static int dial(void *ctx, const struct ln_stream_ops *ops, void *ops_ctx, struct ln_stream **out)
{
  (void)ctx;
  ln_stream_close(near);
  ln_stream_close(far);
  int err = ln_pipe_pair(world.loop, ops, ops_ctx, out, &near);
  if (!err) err = ln_sandbox_dial(world.sandbox, 2, &far_ops, NULL, &far);
  if (!err) ln_stream_adopt(near, &near_ops, NULL);
  return err;
}

static bool ann_is_down(void)
{
  return ann.n_down > 0;
}

static int n_asked;

static bool all_answered(void)
{
  return ann.n_results + ann.n_errors == n_asked;
}

static void ask(size_t n)
{
  static uint8_t body[1 << 20];
  n_asked++;
  ln_put_le32(body, 0x01020304);
  ln_put_le32(body + 4, (uint32_t)n_asked);
  for (size_t i = 8; i < n; i++) body[i] = (uint8_t)(i * i >> 5);
  assert_int_equal(ln_connection_request(ann.c, ln_slice(body, n), (void *)(uintptr_t)n_asked, NULL, 0, NULL),
                   LN_OK);
}

static void with(int requests, size_t bytes)
{
  struct ln_dialer dialer = {dial, NULL};
  struct ln_connection_config config = person_config(&ann, "intermediate");
  person_has_key(&config, &key);
  config.dialer = &dialer;
  n_asked = 0;
  person_start(&ann, &config);
  ask(8);
  world_run(all_answered, 30);
  world_run(NULL, 30);
  assert_int_equal(ann.n_down, 0);
  ln_stream_pause(near, true);
  for (int i = 0; i < requests; i++) ask(bytes);
  int64_t since = ln_clock_now(world.clock);
  world_run(ann_is_down, 100);
  assert_true(ln_clock_now(world.clock) - since <= 76 * LN_US_PER_S);
  assert_int_equal(ann.down_err, LN_E_TIMEOUT);
  world_run(all_answered, 60);
  for (int i = 1; i <= n_asked; i++) assert_int_equal(ann.answers[i], 1);
  assert_int_equal(ann.n_errors, 0);
  assert_int_equal(world.n_requests, n_asked); /* once each: nothing had reached anybody */
  person_stop(&ann);
  ln_stream_close(near);
  ln_stream_close(far);
  near = far = NULL;
}

static void little_to_say(void **state)
{
  (void)state;
  with(3, 64);
}

/* More than is written before some of it has left: not even a ping finds room. */
static void much_to_say(void **state)
{
  (void)state;
  with(40, 1 << 20);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(little_to_say, world_open_virtual, world_close),
      cmocka_unit_test_setup_teardown(much_to_say, world_open_virtual, world_close),
  };
  return cmocka_run_group_tests(tests, world_make_key, world_free_key);
}

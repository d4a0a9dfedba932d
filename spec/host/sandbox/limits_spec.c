/* Clients that mean no good: thousands of sessions, giant frames, floods whose answers they do not read,
 * silence. The sandbox stays small, lets them go, and serves others meanwhile. */
#include "net_world.h"
#include "mtproto/envelope.h"
#include "mtproto/frame.h"
#include "mtproto/msgid.h"
#include "tl_ids.h"

#include <unistd.h>

static struct person ann;
static struct ln_auth_key key;

struct rogue {
  struct ln_stream *s;
  struct ln_frame *frame;
  struct ln_rng_seeded seed;
  struct ln_rng rng;
  struct ln_msgid msgid;
  uint32_t content;
  bool open, closed;
  size_t heard;
};

static void on_open(void *ctx)
{
  struct rogue *r = ctx;
  r->open = true;
}

static void on_data(void *ctx, struct ln_buf *in)
{
  struct rogue *r = ctx;
  r->heard += in->len;
  ln_buf_clear(in);
}

static void on_close(void *ctx, int err, const char *why)
{
  struct rogue *r = ctx;
  (void)err, (void)why;
  r->closed = true;
  r->s = NULL;
}

static const struct ln_stream_ops rogue_ops = {.on_open = on_open, .on_data = on_data, .on_close = on_close};

static void rogue_dial(struct rogue *r)
{
  static uint64_t seed = 900;
  struct ln_frame_config config;
  memset(r, 0, sizeof *r);
  r->rng = ln_rng_seeded(&r->seed, ++seed);
  assert_int_equal(ln_frame_config_parse("intermediate", &config), LN_OK);
  assert_int_equal(ln_frame_client_new(&config, &r->rng, &r->frame), LN_OK);
  assert_int_equal(ln_sandbox_dial(world.sandbox, 2, &rogue_ops, r, &r->s), LN_OK);
  assert_int_equal(ln_frame_hello(r->frame, ln_stream_out(r->s)), LN_OK);
}

static void rogue_end(struct rogue *r)
{
  ln_stream_close(r->s);
  ln_frame_free(r->frame);
}

/* One message of a session: a ping, or a request with an answer. */
static void rogue_says(struct rogue *r, uint64_t session, bool request)
{
  uint8_t *payload;
  size_t n = request ? 8 : 12, size = ln_envelope_size(n);
  if (!r->s) return;
  struct ln_plain plain = {.salt = 77, .session_id = session};
  plain.msg_id = ln_msgid_next(&r->msgid, ln_clock_wall(world.clock), LN_MSGID_CLIENT, 0);
  plain.seqno = request ? r->content++ * 2 + 1 : 0;
  assert_int_equal(ln_frame_begin(r->frame, ln_stream_out(r->s), size, &payload), LN_OK);
  ln_put_le32(payload + LN_ENVELOPE_BODY, request ? 0x01020304 : LN_ID_ping);
  ln_put_le32(payload + LN_ENVELOPE_BODY + 4, 5);
  if (!request) ln_put_le32(payload + LN_ENVELOPE_BODY + 8, 5);
  assert_int_equal(ln_envelope_seal(&key, LN_TO_SERVER, &r->rng, &plain, payload, size, n), LN_OK);
  assert_int_equal(ln_frame_end(r->frame, ln_stream_out(r->s)), LN_OK);
  ln_stream_send(r->s);
}

/* The sanitizer keeps what was freed: there it tells nothing. */
static size_t resident(void)
{
#ifdef __SANITIZE_ADDRESS__
  return 0;
#endif
  unsigned long pages = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (!f) return 0;
  if (fscanf(f, "%*u %lu", &pages) != 1) pages = 0;
  fclose(f);
  return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static bool ann_has_result(void)
{
  return ann.n_results + ann.n_errors > 0;
}

/* Somebody else is served as if nothing were. */
static void others_are_served(void)
{
  struct ln_connection_config config = person_config(&ann, "intermediate");
  person_has_key(&config, &key);
  person_start(&ann, &config);
  person_ask(&ann, 1);
  world_run(ann_has_result, 10);
  assert_int_equal(ann.n_results, 1);
  person_stop(&ann);
}

static void know_key(void)
{
  struct ln_connection_config config = person_config(&ann, "intermediate");
  person_has_key(&config, &key);
}

static void ten_thousand_sessions(void **state)
{
  (void)state;
  struct rogue r;
  know_key();
  rogue_dial(&r);
  size_t before = resident();
  for (uint64_t i = 1; i <= 10000; i++) {
    rogue_says(&r, i * 7919, false);
    if (i % 100 == 0) world_run(NULL, 1);
  }
  assert_false(r.closed);
  assert_int_equal(world.n_up, 10000);
  assert_true(world.n_gone >= 10000 - 1024 - 1); /* the oldest made room */
  assert_true(resident() - before < (size_t)160 << 20);
  others_are_served();
  rogue_end(&r);
}

static void frames_that_promise_much(void **state)
{
  (void)state;
  static struct rogue many[500];
  know_key();
  size_t before = resident();
  for (size_t i = 0; i < 500; i++) {
    uint8_t head[4 + 64] = {0};
    rogue_dial(&many[i]);
    ln_put_le32(head, (uint32_t)LN_FRAME_MAX - 16); /* nearly 16 MiB are to come, and never do */
    assert_int_equal(ln_buf_append(ln_stream_out(many[i].s), head, sizeof head), LN_OK);
    ln_stream_send(many[i].s);
  }
  world_run(NULL, 5);
  assert_true(resident() - before < (size_t)64 << 20);
  others_are_served();
  struct rogue worse;
  uint8_t head[4];
  rogue_dial(&worse);
  ln_put_le32(head, (uint32_t)LN_FRAME_MAX + 16);
  assert_int_equal(ln_buf_append(ln_stream_out(worse.s), head, sizeof head), LN_OK);
  ln_stream_send(worse.s);
  world_run(NULL, 1);
  assert_true(worse.closed);
  rogue_end(&worse);
  world_run(NULL, 130); /* and who never says a whole word is let go */
  for (size_t i = 0; i < 500; i++) {
    assert_true(many[i].closed);
    rogue_end(&many[i]);
  }
}

static void a_flood_whose_answers_nobody_reads(void **state)
{
  (void)state;
  struct rogue r;
  know_key();
  rogue_dial(&r);
  rogue_says(&r, 99, false);
  world_run(NULL, 1);
  ln_stream_pause(r.s, true);
  world.answer_size = 20000;
  size_t before = resident();
  int asked = 0;
  for (; asked < 20000; asked++) {
    rogue_says(&r, 99, true);
    if (asked % 200 == 0) world_run(NULL, 1);
  }
  world_run(NULL, 5);
  assert_true(world.n_requests < asked); /* it stopped to listen */
  assert_true(resident() - before < (size_t)128 << 20);
  world.answer_size = 0;
  int heard = world.n_requests;
  others_are_served();
  assert_int_equal(world.n_requests, heard + 1);
  rogue_end(&r);
}

static void more_connections_than_there_is_room_for(void **state)
{
  (void)state;
  static struct rogue many[8300];
  know_key();
  int refused = 0;
  for (size_t i = 0; i < 8300; i++) rogue_dial(&many[i]);
  world_run(NULL, 1);
  for (size_t i = 0; i < 8300; i++) refused += many[i].closed;
  assert_int_equal(refused, 8300 - 8192);
  for (size_t i = 0; i < 8300; i++) rogue_end(&many[i]);
  world_run(NULL, 1);
  others_are_served();
}

static void words_that_make_no_sense(void **state)
{
  (void)state;
  struct rogue r;
  know_key();
  for (uint64_t seed = 1; seed < 60; seed++) {
    uint8_t noise[300];
    rogue_dial(&r);
    assert_int_equal(ln_rng_fill(&r.rng, noise, sizeof noise), LN_OK);
    if (seed % 3 == 0) memset(noise, 0, 24); /* plain text, then */
    uint8_t *payload;
    assert_int_equal(ln_frame_begin(r.frame, ln_stream_out(r.s), 300, &payload), LN_OK);
    memcpy(payload, noise, 300);
    assert_int_equal(ln_frame_end(r.frame, ln_stream_out(r.s)), LN_OK);
    ln_stream_send(r.s);
    world_run(NULL, 1);
    assert_true(r.closed);
    rogue_end(&r);
  }
  assert_int_equal(world.n_requests, 0);
  others_are_served();
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, world_open_virtual, world_close)
  const struct CMUnitTest tests[] = {
      TEST(ten_thousand_sessions),
      TEST(frames_that_promise_much),
      TEST(a_flood_whose_answers_nobody_reads),
      TEST(more_connections_than_there_is_room_for),
      TEST(words_that_make_no_sense),
  };
  return cmocka_run_group_tests(tests, world_make_key, world_free_key);
}

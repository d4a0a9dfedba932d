/* Framing, both roles against each other: every way, every cut of the stream, known bytes, codes, quick acks.
 */
#include "mtproto/frame.h"

#include "base/alloc.h"
#include "testing/alloc_fail.h"
#include "wire.h"

static const size_t sizes[] = {24, 28, 4 * 0x7e, 4 * 0x7f, 4 * 0x80, 1024, 65536 + 4};
#define N_SIZES (sizeof sizes / sizeof sizes[0])

/* Under padded intermediate up to 15 bytes follow the payload. */
static void assert_payload(const struct wire *w, const struct ln_frame_event *ev, struct ln_slice sent)
{
  bool padded = ln_frame_get_config(w->client.frame)->kind == LN_FRAME_PADDED;
  assert_int_equal(ev->kind, LN_FRAME_PAYLOAD);
  assert_true(ev->len >= sent.n && ev->len <= sent.n + (padded ? 15 : 0));
  assert_memory_equal(ev->payload, sent.p, sent.n);
}

static void carry(struct wire *w, struct wire_end *from, struct wire_end *to, size_t piece)
{
  static uint8_t data[65536 + 4];
  struct ln_frame_event ev;
  for (size_t i = 0; i < N_SIZES; i++) {
    spec_pattern(data, sizes[i], (unsigned)i);
    wire_write(from, ln_slice(data, sizes[i]));
  }
  for (size_t i = 0; i < N_SIZES; i++) {
    spec_pattern(data, sizes[i], (unsigned)i);
    assert_int_equal(wire_read(from, to, piece, &ev), LN_OK);
    assert_payload(w, &ev, ln_slice(data, sizes[i]));
  }
  assert_int_equal(wire_read(from, to, piece, &ev), LN_E_AGAIN);
  assert_int_equal(to->in.len, 0);
}

static void every_way_carries_payloads_in_pieces_of_any_size(void **state)
{
  (void)state;
  static const size_t pieces[] = {1, 3, 61, 1000, 0};
  for (int way = 0; wire_way(way); way++) {
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
      struct wire w;
      wire_open(&w, wire_way(way), 2);
      carry(&w, &w.client, &w.server, pieces[p]);
      carry(&w, &w.server, &w.client, pieces[p]);
      carry(&w, &w.client, &w.server, pieces[p]);
      wire_close(&w);
    }
  }
}

static void a_server_finds_out_what_a_client_speaks(void **state)
{
  (void)state;
  uint8_t data[24] = {1};
  for (int way = 0; wire_way(way); way++) {
    struct wire w;
    struct ln_frame_event ev;
    struct ln_frame_config want;
    wire_open(&w, wire_way(way), -10002);
    assert_int_equal(ln_frame_config_parse(wire_way(way), &want), LN_OK);
    wire_write(&w.client, ln_slice(data, sizeof data));
    assert_int_equal(wire_read(&w.client, &w.server, 1, &ev), LN_OK);
    const struct ln_frame_config *got = ln_frame_get_config(w.server.frame);
    assert_int_equal(got->kind, want.kind);
    assert_int_equal(got->obfuscated, want.obfuscated);
    assert_int_equal(got->dc, want.obfuscated ? -10002 : 0);
    wire_close(&w);
  }
}

static void a_payload_of_the_largest_size_passes(void **state)
{
  (void)state;
  uint8_t *data = malloc(LN_FRAME_MAX);
  spec_pattern(data, LN_FRAME_MAX, 3);
  static const char *const ways[] = {"abridged", "padded", "obfuscated-full"};
  for (int i = 0; i < 3; i++) {
    struct wire w;
    struct ln_frame_event ev;
    wire_open(&w, ways[i], 2);
    uint8_t *to;
    assert_int_equal(ln_frame_begin(w.client.frame, &w.client.out, LN_FRAME_MAX + 4, &to), LN_E_TOOBIG);
    wire_write(&w.client, ln_slice(data, LN_FRAME_MAX));
    assert_int_equal(wire_read(&w.client, &w.server, 0, &ev), LN_OK);
    assert_payload(&w, &ev, ln_slice(data, LN_FRAME_MAX));
    wire_close(&w);
  }
  free(data);
}

static int fixed_fill(void *ctx, void *out, size_t n)
{
  unsigned *at = ctx;
  for (size_t i = 0; i < n; i++) ((uint8_t *)out)[i] = (uint8_t)((*at)++ * 7 + 3);
  return LN_OK;
}

static void assert_stream(const char *way, int dc, int frames, const char *hex)
{
  unsigned at = 0;
  struct ln_rng rng = {fixed_fill, &at};
  struct ln_frame_config config;
  struct ln_frame *f;
  struct ln_buf out;
  uint8_t payload[24], want[256], *to;
  for (int i = 0; i < 24; i++) payload[i] = (uint8_t)i;
  ln_buf_init(&out, 1024);
  assert_int_equal(ln_frame_config_parse(way, &config), LN_OK);
  config.dc = dc;
  assert_int_equal(ln_frame_client_new(&config, &rng, &f), LN_OK);
  assert_int_equal(ln_frame_hello(f, &out), LN_OK);
  for (int i = 0; i < frames; i++) {
    assert_int_equal(ln_frame_begin(f, &out, sizeof payload, &to), LN_OK);
    memcpy(to, payload, sizeof payload);
    assert_int_equal(ln_frame_end(f, &out), LN_OK);
  }
  size_t n = spec_hex(hex, want, sizeof want);
  assert_int_equal(out.len, n);
  assert_memory_equal(ln_buf_data(&out), want, n);
  ln_buf_deinit(&out);
  ln_frame_free(f);
}

#define PAYLOAD "000102030405060708090a0b0c0d0e0f1011121314151617"
#define HEADER                                                                                               \
  "030a11181f262d343b424950575e656c737a81888f969da4abb2b9c0c7ced5dce3eaf1f8ff060d141b222930373e454c535a6168" \
  "6f"                                                                                                       \
  "767d84"

/* Computed with zlib and the openssl program, not by the code under test. */
static void the_bytes_are_those_of_an_independent_computation(void **state)
{
  (void)state;
  assert_stream("abridged", 2, 1, "ef 06" PAYLOAD);
  assert_stream("intermediate", 2, 1, "eeeeeeee 18000000" PAYLOAD);
  assert_stream("full", 2, 2, "2400000000000000" PAYLOAD "e3fe6673 2400000001000000" PAYLOAD "fe03d372");
  assert_stream("obfuscated-intermediate", -2, 1,
                HEADER "27a3e26a37249f1d"
                       "88a57ab4dd9f977e6deedd140fddee22261fbcfff73d69bcde9a5bdd");
  /* The length of the first frame stands where a tag would. */
  assert_stream("obfuscated-full", -2, 1,
                HEADER "ed4d0c8437249f1d"
                       "90a57ab4dd9f977e6deedd140fddee22261fbcfff73d69bcde9a5bddc50774d2");
}

static void padding_is_drawn_anew_for_each_frame(void **state)
{
  (void)state;
  struct wire w;
  struct ln_frame_event ev;
  uint8_t data[24] = {9};
  wire_open(&w, "padded", 2);
  struct wire_end *ends[] = {&w.client, &w.server};
  static const int expected[] = {16, 4}; /* some clients cut off only what is no whole word */
  for (int e = 0; e < 2; e++) {
    bool seen[16] = {false};
    int kinds = 0;
    for (int i = 0; i < 400; i++) {
      wire_write(ends[e], ln_slice(data, sizeof data));
      assert_int_equal(wire_read(ends[e], ends[1 - e], 0, &ev), LN_OK);
      assert_payload(&w, &ev, ln_slice(data, sizeof data));
      kinds += !seen[ev.len - 24];
      seen[ev.len - 24] = true;
      if (e == 1) assert_in_range(ev.len, 24, 27);
    }
    assert_int_equal(kinds, expected[e]);
  }
  wire_close(&w);
}

static void error_codes_come_through_every_way(void **state)
{
  (void)state;
  static const int codes[] = {404, 429, 444};
  uint8_t data[24] = {1};
  for (int way = 0; wire_way(way); way++) {
    struct wire w;
    struct ln_frame_event ev;
    wire_open(&w, wire_way(way), 2);
    assert_int_equal(ln_frame_error(w.server.frame, &w.server.out, 404), LN_E_INVAL); /* in which framing? */
    wire_write(&w.client, ln_slice(data, sizeof data));
    assert_int_equal(wire_read(&w.client, &w.server, 0, &ev), LN_OK);
    for (int i = 0; i < 3; i++) {
      assert_int_equal(ln_frame_error(w.server.frame, &w.server.out, codes[i]), LN_OK);
      assert_int_equal(wire_read(&w.server, &w.client, 1, &ev), LN_OK);
      assert_int_equal(ev.kind, LN_FRAME_ERROR_CODE);
      assert_int_equal(ev.code, codes[i]);
    }
    assert_int_equal(ln_frame_error(w.client.frame, &w.client.out, 404), LN_E_INVAL);
    wire_close(&w);
  }
}

static int client_reads(const char *way, const char *hex, struct ln_frame_event *ev)
{
  struct wire w;
  uint8_t bytes[256];
  wire_open(&w, way, 2);
  size_t n = spec_hex(hex, bytes, sizeof bytes);
  assert_int_equal(ln_buf_append(&w.client.in, bytes, n), LN_OK);
  int err = ln_frame_next(w.client.frame, &w.client.in, ev);
  wire_close(&w);
  return err;
}

static void quick_acks_are_recognised_by_clients(void **state)
{
  (void)state;
  struct ln_frame_event ev;
  assert_int_equal(client_reads("intermediate", "11223384", &ev), LN_OK);
  assert_int_equal(ev.kind, LN_FRAME_QUICK_ACK);
  assert_int_equal(ev.token, 0x84332211u);
  assert_int_equal(client_reads("padded", "11223384", &ev), LN_OK);
  assert_int_equal(ev.token, 0x84332211u);
  assert_int_equal(client_reads("abridged", "84332211", &ev), LN_OK);
  assert_int_equal(ev.kind, LN_FRAME_QUICK_ACK);
  assert_int_equal(ev.token, 0x84332211u);
  assert_int_equal(client_reads("abridged", "843322", &ev), LN_E_AGAIN);
  assert_int_equal(client_reads("full", "11223384", &ev), LN_E_FRAME); /* it has none: a length beyond all */
}

static void a_server_takes_payloads_that_ask_for_a_quick_ack(void **state)
{
  (void)state;
  static const char *const streams[] = {
      "ef 86" PAYLOAD,
      "ef ff 060000" PAYLOAD,
      "eeeeeeee 18000080" PAYLOAD,
      "dddddddd 18000080" PAYLOAD,
  };
  for (int i = 0; i < 4; i++) {
    struct wire w;
    struct ln_frame_event ev;
    uint8_t bytes[64];
    wire_open(&w, "abridged", 2);
    size_t n = spec_hex(streams[i], bytes, sizeof bytes);
    assert_int_equal(ln_buf_append(&w.server.in, bytes, n), LN_OK);
    assert_int_equal(ln_frame_next(w.server.frame, &w.server.in, &ev), LN_OK);
    assert_int_equal(ev.kind, LN_FRAME_PAYLOAD);
    assert_int_equal(ev.len, 24);
    assert_int_equal(ev.payload[23], 0x17);
    wire_close(&w);
  }
}

static void names_are_parsed(void **state)
{
  (void)state;
  struct ln_frame_config config;
  static const char *const bad[] = {
      "", "Abridged", "obfuscated", "obfuscated-", "fulll", "obfuscated-obfuscated-full"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_int_equal(ln_frame_config_parse(bad[i], &config), LN_E_INVAL);
  assert_int_equal(ln_frame_config_parse("obfuscated-padded", &config), LN_OK);
  assert_int_equal(config.kind, LN_FRAME_PADDED);
  assert_true(config.obfuscated);
  config.dc = 40000;
  struct ln_frame *f;
  struct ln_rng rng = ln_rng_system();
  assert_int_equal(ln_frame_client_new(&config, &rng, &f), LN_E_INVAL);
}

static void calls_out_of_order_are_refused(void **state)
{
  (void)state;
  struct wire w;
  uint8_t *to, *again;
  wire_open(&w, "full", 2);
  assert_int_equal(ln_frame_hello(w.client.frame, &w.client.out), LN_E_INVAL);
  assert_int_equal(ln_frame_hello(w.server.frame, &w.server.out), LN_E_INVAL);
  assert_int_equal(ln_frame_end(w.client.frame, &w.client.out), LN_E_INVAL);
  assert_int_equal(ln_frame_begin(w.client.frame, &w.client.out, 26, &to), LN_E_INVAL);
  assert_int_equal(ln_frame_begin(w.client.frame, &w.client.out, 20, &to), LN_E_INVAL);
  assert_int_equal(ln_frame_begin(w.client.frame, &w.client.out, 24, &to), LN_OK);
  assert_int_equal(ln_frame_begin(w.client.frame, &w.client.out, 24, &again), LN_E_INVAL);
  memset(to, 1, 24);
  assert_int_equal(ln_frame_end(w.client.frame, &w.client.out), LN_OK);
  wire_close(&w);
}

static void what_does_not_fit_leaves_the_stream_as_it_was(void **state)
{
  (void)state;
  for (int way = 0; wire_way(way); way++) {
    struct wire w;
    struct ln_frame_event ev;
    uint8_t data[400], *to;
    spec_pattern(data, sizeof data, 1);
    wire_open(&w, wire_way(way), 2);
    wire_write(&w.client, ln_slice(data, 24));
    size_t before = w.client.out.len;
    w.client.out.max = before + 100;
    assert_int_equal(ln_frame_begin(w.client.frame, &w.client.out, sizeof data, &to), LN_E_TOOBIG);
    w.client.out.max = WIRE_MAX;
    ln_alloc_fail_at(1);
    assert_int_equal(ln_frame_begin(w.client.frame, &w.client.out, sizeof data, &to), LN_E_NOMEM);
    ln_alloc_fail_at(0);
    assert_int_equal(w.client.out.len, before);
    wire_write(&w.client, ln_slice(data, sizeof data));
    assert_int_equal(wire_read(&w.client, &w.server, 5, &ev), LN_OK);
    assert_payload(&w, &ev, ln_slice(data, 24));
    assert_int_equal(wire_read(&w.client, &w.server, 5, &ev), LN_OK);
    assert_payload(&w, &ev, ln_slice(data, sizeof data));
    wire_close(&w);
  }
}

static void reading_allocates_nothing_once_the_stream_is_open(void **state)
{
  (void)state;
  for (int way = 0; wire_way(way); way++) {
    struct wire w;
    struct ln_frame_event ev;
    uint8_t data[1000];
    spec_pattern(data, sizeof data, 1);
    wire_open(&w, wire_way(way), 2);
    for (int i = 0; i < 3; i++) wire_write(&w.client, ln_slice(data, sizeof data));
    assert_int_equal(wire_read(&w.client, &w.server, 0, &ev), LN_OK);
    ln_alloc_fail_at(0);
    assert_int_equal(ln_frame_next(w.server.frame, &w.server.in, &ev), LN_OK);
    assert_int_equal(ln_frame_next(w.server.frame, &w.server.in, &ev), LN_OK);
    assert_int_equal(ln_alloc_seen(), 0);
    wire_close(&w);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_way_carries_payloads_in_pieces_of_any_size),
      cmocka_unit_test(a_server_finds_out_what_a_client_speaks),
      cmocka_unit_test(a_payload_of_the_largest_size_passes),
      cmocka_unit_test(the_bytes_are_those_of_an_independent_computation),
      cmocka_unit_test(padding_is_drawn_anew_for_each_frame),
      cmocka_unit_test(error_codes_come_through_every_way),
      cmocka_unit_test(quick_acks_are_recognised_by_clients),
      cmocka_unit_test(a_server_takes_payloads_that_ask_for_a_quick_ack),
      cmocka_unit_test(names_are_parsed),
      cmocka_unit_test(calls_out_of_order_are_refused),
      cmocka_unit_test(what_does_not_fit_leaves_the_stream_as_it_was),
      cmocka_unit_test(reading_allocates_nothing_once_the_stream_is_open),
  };
  return cmocka_run_group_tests_name("mtproto/frame", tests, NULL, NULL);
}

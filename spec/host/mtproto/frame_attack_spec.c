/* What framing must refuse: for each check an attack that is refused, and that gets through once the check is
 * switched off; and broken streams of every kind. */
#include "mtproto/check.h"
#include "mtproto/frame.h"

#include "wire.h"

#define PAYLOAD "000102030405060708090a0b0c0d0e0f1011121314151617"

/* Feeds a stream to a server's end; gives the first error, or LN_OK where at least `payloads` came out. */
static int server_reads(const uint8_t *bytes, size_t n, int payloads)
{
  struct wire w;
  struct ln_frame_event ev;
  wire_open(&w, "abridged", 2);
  assert_int_equal(ln_buf_append(&w.server.in, bytes, n), LN_OK);
  int err;
  do err = ln_frame_next(w.server.frame, &w.server.in, &ev);
  while (!err && --payloads > 0);
  if (err && err != LN_E_AGAIN) /* a broken stream stays broken */
    assert_int_equal(ln_frame_next(w.server.frame, &w.server.in, &ev), LN_E_FRAME);
  wire_close(&w);
  return err;
}

static int server_reads_hex(const char *hex, int payloads)
{
  uint8_t bytes[512];
  return server_reads(bytes, spec_hex(hex, bytes, sizeof bytes), payloads);
}

/* --- attacks: true where the attacker had his way --- */

static bool m1_too_long(void)
{
  /* Not refused, a server waits for 2 GiB, and buffers them. */
  return server_reads_hex("eeeeeeee fcffff7f 00000000", 1) == LN_E_AGAIN;
}

static bool m1_too_long_padded(void)
{
  return server_reads_hex("dddddddd 10000001 00000000", 1) == LN_E_AGAIN; /* 16 MiB + 16 */
}

static bool m1_too_long_full(void)
{
  return server_reads_hex("00000010 00000000 00000000", 1) == LN_E_AGAIN;
}

static bool m1_too_long_abridged(void)
{
  return server_reads_hex("ef 7fffffff 00000000", 1) == LN_E_AGAIN;
}

static bool m1_too_short(void)
{
  return server_reads_hex("eeeeeeee 14000000 00000000 00000000 00000000 00000000 00000000", 1) == LN_OK;
}

static size_t two_full_frames(uint8_t *out)
{
  return spec_hex("2400000000000000" PAYLOAD "e3fe6673 2400000001000000" PAYLOAD "fe03d372", out, 128);
}

static bool t3_damaged(void)
{
  uint8_t bytes[128];
  size_t n = two_full_frames(bytes);
  bytes[20] ^= 1;
  return server_reads(bytes, n, 2) == LN_OK;
}

static bool t3_replayed(void)
{
  uint8_t bytes[128];
  two_full_frames(bytes);
  memcpy(bytes + 36, bytes, 36); /* the first frame twice, each whole with its CRC */
  return server_reads(bytes, 72, 2) == LN_OK;
}

static bool t4_http(void)
{
  uint8_t bytes[128] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n";
  return server_reads(bytes, 40, 1) == LN_E_AGAIN; /* taken for the beginning of an obfuscated header */
}

struct script {
  const uint8_t *first; /* 8 bytes of the first header drawn */
  int draws;
};

static int scripted_fill(void *ctx, void *out, size_t n)
{
  struct script *s = ctx;
  spec_pattern(out, n, (unsigned)s->draws);
  if (s->draws++ == 0 && n >= 8) memcpy(out, s->first, 8);
  return LN_OK;
}

/* Does a client send a header that begins like this? */
static bool client_sends(const char *hex)
{
  uint8_t first[8];
  assert_int_equal(spec_hex(hex, first, 8), 8);
  struct script script = {first, 0};
  struct ln_rng rng = {scripted_fill, &script};
  struct ln_frame_config config = {.kind = LN_FRAME_PADDED, .obfuscated = true, .dc = 2};
  struct ln_frame *f;
  struct ln_buf out;
  ln_buf_init(&out, 1024);
  assert_int_equal(ln_frame_client_new(&config, &rng, &f), LN_OK);
  assert_int_equal(ln_frame_hello(f, &out), LN_OK);
  bool sent = memcmp(ln_buf_data(&out), first, 8) == 0;
  ln_frame_free(f);
  ln_buf_deinit(&out);
  return sent;
}

static bool t4_first_byte(void)
{
  return client_sends("ef11223344556677");
}

static bool t4_head(void)
{
  return client_sends("4845414401020304");
}

static bool t4_post(void)
{
  return client_sends("504f535401020304");
}

static bool t4_get(void)
{
  return client_sends("4745542001020304");
}

static bool t4_options(void)
{
  return client_sends("4f50544901020304");
}

static bool t4_tls(void)
{
  return client_sends("1603010201020304");
}

static bool t4_padded(void)
{
  return client_sends("dddddddd01020304");
}

static bool t4_intermediate(void)
{
  return client_sends("eeeeeeee01020304");
}

static bool t4_full(void)
{
  return client_sends("1122334400000000");
}

static const struct {
  enum ln_check_id check;
  const char *name;
  bool (*attack)(void);
} attacks[] = {
    {LN_CK_M1, "a length of 2 GiB", m1_too_long},
    {LN_CK_M1, "a length just above the largest, padded", m1_too_long_padded},
    {LN_CK_M1, "a length just above the largest, full", m1_too_long_full},
    {LN_CK_M1, "a length above the largest, abridged", m1_too_long_abridged},
    {LN_CK_M1, "a payload without a body", m1_too_short},
    {LN_CK_T3, "a flipped bit", t3_damaged},
    {LN_CK_T3, "a frame again", t3_replayed},
    {LN_CK_T4, "HTTP to a server", t4_http},
    {LN_CK_T4, "a header like abridged", t4_first_byte},
    {LN_CK_T4, "a header like HEAD", t4_head},
    {LN_CK_T4, "a header like POST", t4_post},
    {LN_CK_T4, "a header like GET", t4_get},
    {LN_CK_T4, "a header like OPTIONS", t4_options},
    {LN_CK_T4, "a header like TLS", t4_tls},
    {LN_CK_T4, "a header like padded", t4_padded},
    {LN_CK_T4, "a header like intermediate", t4_intermediate},
    {LN_CK_T4, "a header like full", t4_full},
};

static void each_check_refuses_and_nothing_else_does(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
    ln_check_off = 0;
    if (attacks[i].attack()) fail_msg("%s: got through", attacks[i].name);
    ln_check_off = UINT64_C(1) << attacks[i].check;
    bool through = attacks[i].attack();
    ln_check_off = 0;
    if (!through) fail_msg("%s: refused although its check is off", attacks[i].name);
  }
}

static void broken_streams_are_refused(void **state)
{
  (void)state;
  static const char *const broken[] = {
      "ef 00",                                     /* abridged, no length */
      "ef 7f000000",                               /* the same in the long form */
      "ef 01 6cfeffff",                            /* a client has no error codes */
      "eeeeeeee 00000000",                         /* intermediate, no length */
      "eeeeeeee 1a000000" PAYLOAD "0000",          /* not in words */
      "eeeeeeee 03000000 000000",                  /* nor in words */
      "dddddddd 03000000 000000",                  /* padded, nothing but padding */
      "dddddddd 13000000" PAYLOAD,                 /* padded, 19 bytes: no message */
      "0c000000 00000000 00000000",                /* full, nothing in it */
      "26000000 00000000" PAYLOAD "0000 00000000", /* full, not in words */
      "00000000 00000000",                         /* full, no length */
  };
  for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
    if (server_reads_hex(broken[i], 1) != LN_E_FRAME) fail_msg("taken: %s", broken[i]);
}

static void a_full_stream_begins_at_zero(void **state)
{
  (void)state;
  uint8_t bytes[128];
  struct wire w;
  struct ln_frame_event ev;
  two_full_frames(bytes);
  wire_open(&w, "full", 2);
  assert_int_equal(ln_buf_append(&w.client.in, bytes + 36, 36), LN_OK); /* a server that begins at 1 */
  assert_int_equal(ln_frame_next(w.client.frame, &w.client.in, &ev), LN_E_FRAME);
  wire_close(&w);
}

static void codes_that_are_none_are_refused(void **state)
{
  (void)state;
  static const char *const bad[] = {"04000000 94010000", "04000000 00000000", "04000000 18fcffff",
                                    "08000000 6cfeffff 00000000"};
  for (int i = 0; i < 4; i++) {
    struct wire w;
    struct ln_frame_event ev;
    uint8_t bytes[32];
    wire_open(&w, "intermediate", 2);
    size_t n = spec_hex(bad[i], bytes, sizeof bytes);
    assert_int_equal(ln_buf_append(&w.client.in, bytes, n), LN_OK);
    assert_int_equal(ln_frame_next(w.client.frame, &w.client.in, &ev), LN_E_FRAME);
    wire_close(&w);
  }
}

static void a_length_alone_makes_nothing_grow(void **state)
{
  (void)state;
  struct wire w;
  struct ln_frame_event ev;
  uint8_t bytes[8];
  wire_open(&w, "abridged", 2);
  spec_hex("eeeeeeee 00000001", bytes, 8); /* 16 MiB are announced */
  assert_int_equal(ln_buf_append(&w.server.in, bytes, 8), LN_OK);
  for (int i = 0; i < 100; i++)
    assert_int_equal(ln_frame_next(w.server.frame, &w.server.in, &ev), LN_E_AGAIN);
  assert_true(w.server.in.cap <= 256);
  wire_close(&w);
}

static void an_obfuscated_header_with_an_unknown_tag_is_refused(void **state)
{
  (void)state;
  /* Whatever it decrypts to, a length in the tag's place has to be one. */
  uint8_t bytes[128];
  int refused = 0;
  for (unsigned seed = 0; seed < 64; seed++) {
    spec_pattern(bytes, sizeof bytes, seed);
    bytes[0] = 0x41;
    bytes[4] = 1;
    refused += server_reads(bytes, sizeof bytes, 1) == LN_E_FRAME;
  }
  assert_int_equal(refused, 64);
}

static void a_forbidden_header_is_drawn_again(void **state)
{
  (void)state;
  uint8_t first[8] = {0xef};
  struct script script = {first, 0};
  struct ln_rng rng = {scripted_fill, &script};
  struct ln_frame_config config = {.kind = LN_FRAME_ABRIDGED, .obfuscated = true, .dc = 2};
  struct ln_frame *f;
  struct ln_buf out;
  ln_buf_init(&out, 1024);
  assert_int_equal(ln_frame_client_new(&config, &rng, &f), LN_OK);
  assert_int_equal(ln_frame_hello(f, &out), LN_OK);
  assert_int_equal(script.draws, 2); /* the forbidden one was drawn, and another in its place */
  assert_int_equal(out.len, 64);
  ln_frame_free(f);
  ln_buf_deinit(&out);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_check_refuses_and_nothing_else_does),
      cmocka_unit_test(broken_streams_are_refused),
      cmocka_unit_test(a_full_stream_begins_at_zero),
      cmocka_unit_test(codes_that_are_none_are_refused),
      cmocka_unit_test(a_length_alone_makes_nothing_grow),
      cmocka_unit_test(an_obfuscated_header_with_an_unknown_tag_is_refused),
      cmocka_unit_test(a_forbidden_header_is_drawn_again),
  };
  return cmocka_run_group_tests_name("mtproto/frame_attack", tests, NULL, NULL);
}

/* gzip_packed: both ways, damaged, unfinished, too large, followed by something else. */
#include "mtproto/gzip.h"
#include "base/alloc.h"
#include "tl/reader.h"
#include "tl_ids.h"
#include "testing/alloc_fail.h"
#include "spec.h"

struct bench {
  struct ln_gzip *z;
  struct ln_buf packed, plain;
};

static int set_up(void **state)
{
  static struct bench b;
  assert_int_equal(ln_gzip_new(&b.z), LN_OK);
  ln_buf_init(&b.packed, (size_t)64 << 20);
  ln_buf_init(&b.plain, (size_t)64 << 20);
  *state = &b;
  return 0;
}

static int tear_down(void **state)
{
  struct bench *b = *state;
  ln_gzip_free(b->z);
  ln_buf_deinit(&b->packed);
  ln_buf_deinit(&b->plain);
  return 0;
}

static struct ln_slice stream_of(struct bench *b)
{
  struct ln_reader r;
  ln_reader_init(&r, ln_buf_slice(&b->packed));
  assert_int_equal(ln_read_u32(&r), LN_ID_gzip_packed);
  struct ln_slice s = ln_read_bytes(&r);
  assert_int_equal(ln_reader_finish(&r), LN_OK);
  return s;
}

static struct ln_slice pack_zeros(struct bench *b, size_t n)
{
  uint8_t *zeros = calloc(1, n);
  assert_non_null(zeros);
  ln_buf_clear(&b->packed);
  assert_int_equal(ln_gzip_pack(b->z, ln_slice(zeros, n), &b->packed), LN_OK);
  free(zeros);
  return stream_of(b);
}

static void what_is_packed_unpacks(void **state)
{
  struct bench *b = *state;
  static uint8_t text[100000];
  for (size_t i = 0; i < sizeof text; i++)
    text[i] = (uint8_t)("the same words again and again "[i % 31] ^ (i % 997 == 0));
  const size_t sizes[] = {64, 100, 512, 1024, 4096, 65536, sizeof text};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    ln_buf_clear(&b->packed);
    if (ln_gzip_pack(b->z, ln_slice(text, sizes[i]), &b->packed)) continue;
    assert_true(b->packed.len < sizes[i]);
    assert_int_equal(b->packed.len % 4, 0);
    assert_int_equal(ln_gzip_unpack(b->z, stream_of(b), &b->plain, sizes[i]), LN_OK);
    assert_true(ln_slice_equal(ln_buf_slice(&b->plain), ln_slice(text, sizes[i])));
  }
  assert_true(b->plain.len == sizeof text); /* the last one did pay */
}

static void what_does_not_pay_is_left_alone(void **state)
{
  struct bench *b = *state;
  uint8_t noise[4096];
  struct ln_buf out;
  uint64_t x = 1;
  for (size_t i = 0; i < sizeof noise; i++)
    noise[i] = (uint8_t)((x = x * UINT64_C(6364136223846793005) + 1442695040888963407u) >> 56);
  ln_buf_init(&out, 8192);
  assert_int_equal(ln_buf_append(&out, "head", 4), LN_OK);
  assert_int_equal(ln_gzip_pack(b->z, ln_slice(noise, sizeof noise), &out), LN_E_AGAIN);
  assert_int_equal(out.len, 4);
  assert_memory_equal(ln_buf_data(&out), "head", 4);
  ln_buf_deinit(&out);
}

static void a_bomb_stops_at_the_cap(void **state)
{
  struct bench *b = *state;
  struct ln_slice bomb = pack_zeros(b, (size_t)15 << 20);
  assert_true(bomb.n < 100000);
  assert_int_equal(ln_gzip_unpack(b->z, bomb, &b->plain, (size_t)15 << 20), LN_OK);
  assert_int_equal(ln_gzip_unpack(b->z, bomb, &b->plain, ((size_t)15 << 20) - 1), LN_E_TOOBIG);
  ln_buf_deinit(&b->plain);
  assert_int_equal(ln_gzip_unpack(b->z, bomb, &b->plain, 65536), LN_E_TOOBIG);
  assert_true(b->plain.cap < (size_t)1 << 20); /* it did not inflate first and count then */
}

static void every_damage_is_noticed(void **state)
{
  struct bench *b = *state;
  uint8_t copy[4096];
  struct ln_slice s = pack_zeros(b, 2000);
  assert_true(s.n < sizeof copy);
  for (size_t n = 0; n < s.n; n++) { /* cut anywhere */
    memcpy(copy, s.p, s.n);
    assert_int_equal(ln_gzip_unpack(b->z, ln_slice(copy, n), &b->plain, 65536), LN_E_CORRUPT);
  }
  static const uint8_t zeros[2000];
  size_t harmless = 0;
  for (size_t i = 10; i < s.n; i++) { /* header fields like the time may say anything */
    memcpy(copy, s.p, s.n);
    copy[i] ^= 0x10;
    int err = ln_gzip_unpack(b->z, ln_slice(copy, s.n), &b->plain, 65536);
    if (err) {
      assert_int_equal(err, LN_E_CORRUPT);
      continue;
    }
    harmless++; /* unused bits; a copy of zeros from elsewhere: what comes out is right then */
    assert_true(ln_slice_equal(ln_buf_slice(&b->plain), ln_slice(zeros, sizeof zeros)));
  }
  assert_true(harmless < s.n / 2);
}

static void one_member_and_nothing_after_it(void **state)
{
  struct bench *b = *state;
  uint8_t twice[512];
  struct ln_slice s = pack_zeros(b, 2000);
  size_t n = s.n;
  assert_true(2 * n < sizeof twice);
  memcpy(twice, s.p, n);
  memcpy(twice + n, s.p, n);
  assert_int_equal(ln_gzip_unpack(b->z, ln_slice(twice, n), &b->plain, 65536), LN_OK);
  assert_int_equal(ln_gzip_unpack(b->z, ln_slice(twice, 2 * n), &b->plain, 65536), LN_E_CORRUPT);
  assert_int_equal(ln_gzip_unpack(b->z, ln_slice(twice, n + 1), &b->plain, 65536), LN_E_CORRUPT);
}

static void other_wrappings_are_refused(void **state)
{
  struct bench *b = *state;
  uint8_t zlib[16], raw[16];
  size_t z = spec_hex("789c4b040000620062", zlib, sizeof zlib); /* "a" as a zlib stream */
  size_t r = spec_hex("4b0400", raw, sizeof raw);               /* and bare */
  assert_int_equal(ln_gzip_unpack(b->z, ln_slice(zlib, z), &b->plain, 64), LN_E_CORRUPT);
  assert_int_equal(ln_gzip_unpack(b->z, ln_slice(raw, r), &b->plain, 64), LN_E_CORRUPT);
}

/* Also after a failure the next object is read from its own beginning. */
static void memory_may_run_out(void **state)
{
  struct bench *b = *state;
  struct ln_slice s = pack_zeros(b, 200000);
  for (size_t k = 1;; k++) {
    ln_gzip_free(b->z);
    ln_buf_deinit(&b->plain);
    assert_int_equal(ln_gzip_new(&b->z), LN_OK);
    ln_alloc_fail_at(k);
    int err = ln_gzip_unpack(b->z, s, &b->plain, 1 << 20);
    ln_alloc_fail_at(0);
    if (!err) break;
    assert_int_equal(err, LN_E_NOMEM);
    assert_int_equal(ln_gzip_unpack(b->z, s, &b->plain, 1 << 20), LN_OK);
    assert_int_equal(b->plain.len, 200000);
    assert_true(k < 100);
  }
  ln_alloc_gate = NULL;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_packed_unpacks),
      cmocka_unit_test(what_does_not_pay_is_left_alone),
      cmocka_unit_test(a_bomb_stops_at_the_cap),
      cmocka_unit_test(every_damage_is_noticed),
      cmocka_unit_test(one_member_and_nothing_after_it),
      cmocka_unit_test(other_wrappings_are_refused),
      cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* The writer of TL primitives: exact bytes, what the reader makes of them, and the limits. */
#include "spec.h"

#include "tl/reader.h"
#include "tl/writer.h"

static void the_bytes_are_those_of_the_format(void **state)
{
  (void)state;
  struct ln_buf b;
  struct ln_writer w;
  ln_buf_init(&b, 1024);
  ln_writer_init(&w, &b);
  ln_write_u32(&w, UINT32_C(0x12345678));
  ln_write_i32(&w, -2);
  ln_write_i64(&w, -3);
  ln_write_double(&w, 1.5);
  ln_write_bytes(&w, ln_slice_str("abcd"));
  ln_write_vector(&w, true, 2);
  ln_write_vector(&w, false, 1);
  ln_write_raw(&w, "wxyz", 4);
  assert_int_equal(w.err, LN_OK);
  uint8_t want[64];
  size_t n = spec_hex("78563412 feffffff fdffffffffffffff 000000000000f83f 0461626364000000 15c4b51c02000000 "
                      "01000000 7778797a",
                      want, sizeof want);
  assert_int_equal(b.len, n);
  assert_memory_equal(ln_buf_data(&b), want, n);
  ln_buf_deinit(&b);
}

static void strings_of_every_length_come_back(void **state)
{
  (void)state;
  uint8_t bytes[600];
  struct ln_buf b;
  spec_pattern(bytes, sizeof bytes, 4);
  ln_buf_init(&b, 4096);
  for (size_t n = 0; n <= sizeof bytes; n++) {
    struct ln_writer w;
    ln_buf_clear(&b);
    ln_writer_init(&w, &b);
    ln_write_bytes(&w, ln_slice(bytes, n));
    assert_int_equal(w.err, LN_OK);
    assert_int_equal(b.len, ((n < 254 ? 1 : 4) + n + 3) / 4 * 4);
    struct ln_reader r;
    ln_reader_init(&r, ln_buf_slice(&b));
    struct ln_slice s = ln_read_bytes(&r);
    assert_int_equal(ln_reader_finish(&r), LN_OK);
    assert_true(ln_slice_equal(s, ln_slice(bytes, n)));
    for (const uint8_t *p = s.p + s.n; p < ln_buf_data(&b) + b.len; p++)
      assert_int_equal(*p, 0); /* no old bytes leak */
  }
  ln_buf_deinit(&b);
}

static void a_string_has_less_than_16_mib(void **state)
{
  (void)state;
  size_t most = ((size_t)1 << 24) - 1;
  uint8_t *bytes = calloc(1, most + 1);
  struct ln_buf b;
  struct ln_writer w;
  ln_buf_init(&b, (size_t)1 << 25);
  ln_writer_init(&w, &b);
  ln_write_bytes(&w, ln_slice(bytes, most));
  assert_int_equal(w.err, LN_OK);
  size_t len = b.len;
  ln_write_bytes(&w, ln_slice(bytes, most + 1));
  assert_int_equal(w.err, LN_E_TOOBIG);
  assert_int_equal(b.len, len);
  ln_write_u32(&w, 1); /* the error stays */
  assert_int_equal(b.len, len);
  ln_buf_deinit(&b);
  free(bytes);
}

static void the_buffers_maximum_holds(void **state)
{
  (void)state;
  struct ln_buf b;
  struct ln_writer w;
  ln_buf_init(&b, 12);
  ln_writer_init(&w, &b);
  ln_write_u64(&w, 1);
  ln_write_u32(&w, 2);
  assert_int_equal(w.err, LN_OK);
  ln_write_raw(&w, "", 0);
  assert_int_equal(w.err, LN_OK);
  ln_write_u32(&w, 3);
  assert_int_equal(w.err, LN_E_TOOBIG);
  assert_int_equal(b.len, 12);
  ln_buf_deinit(&b);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_bytes_are_those_of_the_format),
      cmocka_unit_test(strings_of_every_length_come_back),
      cmocka_unit_test(a_string_has_less_than_16_mib),
      cmocka_unit_test(the_buffers_maximum_holds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

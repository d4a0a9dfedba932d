/* The reader of TL primitives: every form of a string, every way to be short, and that the first error stays.
 */
#include "spec.h"

#include "tl/reader.h"

static struct ln_reader over(const void *bytes, size_t n)
{
  struct ln_reader r;
  ln_reader_init(&r, ln_slice(bytes, n));
  return r;
}

static void numbers_are_little_endian(void **state)
{
  (void)state;
  static const uint8_t bytes[] = {0x78, 0x56, 0x34, 0x12, 0xfe, 0xff, 0xff, 0xff, 8,    7,    6,
                                  5,    4,    3,    2,    0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0x00, 0,    0,    0,    0,    0,    0xf8, 0x3f};
  struct ln_reader r = over(bytes, sizeof bytes);
  assert_int_equal(ln_peek_u32(&r), 0x12345678);
  assert_int_equal(ln_read_u32(&r), 0x12345678);
  assert_int_equal(ln_read_i32(&r), -2);
  assert_true(ln_read_u64(&r) == UINT64_C(0x8102030405060708));
  assert_true(ln_read_i64(&r) == -1);
  assert_true(ln_read_double(&r) == 1.5);
  assert_int_equal(ln_reader_finish(&r), LN_OK);
}

static void the_first_error_stays_and_later_reads_give_zeros(void **state)
{
  (void)state;
  static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6};
  struct ln_reader r = over(bytes, sizeof bytes);
  assert_true(ln_read_u64(&r) == 0);
  assert_int_equal(r.err, LN_E_TRUNCATED);
  ln_reader_fail(&r, LN_E_DEPTH);
  assert_int_equal(r.err, LN_E_TRUNCATED);
  assert_int_equal(ln_read_u32(&r), 0);
  assert_int_equal(ln_peek_u32(&r), 0);
  assert_int_equal(ln_reader_left(&r), 0);
  assert_int_equal(ln_read_bytes(&r).n, 0);
  assert_int_equal(ln_read_raw(&r, 4).n, 0);
  assert_int_equal(ln_read_vector(&r, false, 4), 0);
  assert_int_equal(ln_reader_finish(&r), LN_E_TRUNCATED);
}

static void nothing_at_all_is_read_as_nothing(void **state)
{
  (void)state;
  struct ln_reader r = over(NULL, 0);
  assert_int_equal(ln_peek_u32(&r), 0);
  assert_int_equal(r.err, LN_OK);
  assert_int_equal(ln_reader_finish(&r), LN_OK);
  assert_int_equal(ln_read_u32(&r), 0);
  assert_int_equal(r.err, LN_E_TRUNCATED);
}

static void what_is_left_over_is_an_error_at_the_end(void **state)
{
  (void)state;
  static const uint8_t bytes[8] = {1};
  struct ln_reader r = over(bytes, sizeof bytes);
  assert_int_equal(ln_read_u32(&r), 1);
  assert_int_equal(ln_reader_left(&r), 4);
  assert_int_equal(ln_reader_finish(&r), LN_E_TRAILING);
}

static void short_strings_are_padded_to_four(void **state)
{
  (void)state;
  static const struct {
    size_t n, whole;
  } cases[] = {{0, 4}, {1, 4}, {2, 4}, {3, 4}, {4, 8}, {5, 8}, {252, 256}, {253, 256}};
  uint8_t bytes[260];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    spec_pattern(bytes, sizeof bytes, (unsigned)i);
    bytes[0] = (uint8_t)cases[i].n;
    struct ln_reader r = over(bytes, cases[i].whole);
    struct ln_slice s = ln_read_bytes(&r);
    assert_int_equal(ln_reader_finish(&r), LN_OK);
    assert_int_equal(s.n, cases[i].n);
    assert_ptr_equal(s.p, bytes + 1);
    for (size_t cut = 0; cut < cases[i].whole; cut++) { /* without its padding it is not a string either */
      r = over(bytes, cut);
      assert_int_equal(ln_read_bytes(&r).n, 0);
      assert_int_equal(r.err, LN_E_TRUNCATED);
    }
  }
}

static void long_strings_have_three_bytes_of_length(void **state)
{
  (void)state;
  static const size_t lengths[] = {0, 253, 254, 255, 256, 65535, 65536, 70001};
  size_t room = 70016;
  uint8_t *bytes = malloc(room);
  spec_pattern(bytes, room, 3);
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    size_t n = lengths[i], whole = (4 + n + 3) & ~(size_t)3;
    bytes[0] = 254;
    bytes[1] = (uint8_t)n;
    bytes[2] = (uint8_t)(n >> 8);
    bytes[3] = (uint8_t)(n >> 16);
    struct ln_reader r = over(bytes, whole);
    struct ln_slice s = ln_read_bytes(&r);
    assert_int_equal(ln_reader_finish(&r), LN_OK);
    assert_int_equal(s.n, n);
    assert_ptr_equal(s.p, bytes + 4);
    r = over(bytes, whole - 1);
    ln_read_bytes(&r);
    assert_int_equal(r.err, LN_E_TRUNCATED);
  }
  free(bytes);
}

static void a_length_that_lies_is_refused(void **state)
{
  (void)state;
  static const uint8_t claims[] = {254, 255, 255, 255, 'a', 'b', 'c', 'd'};
  struct ln_reader r = over(claims, sizeof claims);
  assert_int_equal(ln_read_bytes(&r).n, 0);
  assert_int_equal(r.err, LN_E_TRUNCATED);
  static const uint8_t head[] = {255, 1, 0, 0, 'a', 'b', 'c', 'd'}; /* no such form */
  r = over(head, sizeof head);
  assert_int_equal(ln_read_bytes(&r).n, 0);
  assert_int_equal(r.err, LN_E_BAD_VALUE);
}

static void raw_bytes_are_lent_from_where_they_are(void **state)
{
  (void)state;
  uint8_t bytes[40];
  spec_pattern(bytes, sizeof bytes, 9);
  struct ln_reader r = over(bytes, sizeof bytes);
  struct ln_slice s = ln_read_raw(&r, 32);
  assert_ptr_equal(s.p, bytes);
  assert_int_equal(s.n, 32);
  s = ln_read_raw(&r, 16);
  assert_int_equal(s.n, 0);
  assert_int_equal(r.err, LN_E_TRUNCATED);
}

static void a_vector_holds_no_more_than_its_bytes_allow(void **state)
{
  (void)state;
  uint8_t bytes[32] = {0};
  ln_put_le32(bytes, LN_TL_VECTOR);
  ln_put_le32(bytes + 4, 3);
  struct ln_reader r = over(bytes, sizeof bytes); /* 24 bytes left: 3 of 8 */
  assert_int_equal(ln_read_vector(&r, true, 8), 3);
  assert_int_equal(r.err, LN_OK);
  ln_put_le32(bytes + 4, 4);
  r = over(bytes, sizeof bytes);
  assert_int_equal(ln_read_vector(&r, true, 8), 0);
  assert_int_equal(r.err, LN_E_TRUNCATED);
  static const uint32_t lies[] = {UINT32_C(0xffffffff), UINT32_C(0x80000000), UINT32_C(0x20000001), 7};
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    ln_put_le32(bytes + 4, lies[i]);
    r = over(bytes, sizeof bytes);
    assert_int_equal(ln_read_vector(&r, true, i % 2 ? 0 : 4), 0); /* 0 counts as 4 */
    assert_int_equal(r.err, LN_E_TRUNCATED);
  }
}

static void a_vector_begins_with_its_constructor_where_it_is_boxed(void **state)
{
  (void)state;
  uint8_t bytes[16] = {0};
  ln_put_le32(bytes, 2);
  struct ln_reader r = over(bytes, sizeof bytes);
  assert_int_equal(ln_read_vector(&r, false, 4), 2);
  assert_int_equal(r.err, LN_OK);
  r = over(bytes, sizeof bytes);
  assert_int_equal(ln_read_vector(&r, true, 4), 0);
  assert_int_equal(r.err, LN_E_BAD_TYPE);
  r = over(bytes, 3);
  assert_int_equal(ln_read_vector(&r, true, 4), 0);
  assert_int_equal(r.err, LN_E_TRUNCATED);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_are_little_endian),
      cmocka_unit_test(the_first_error_stays_and_later_reads_give_zeros),
      cmocka_unit_test(nothing_at_all_is_read_as_nothing),
      cmocka_unit_test(what_is_left_over_is_an_error_at_the_end),
      cmocka_unit_test(short_strings_are_padded_to_four),
      cmocka_unit_test(long_strings_have_three_bytes_of_length),
      cmocka_unit_test(a_length_that_lies_is_refused),
      cmocka_unit_test(raw_bytes_are_lent_from_where_they_are),
      cmocka_unit_test(a_vector_holds_no_more_than_its_bytes_allow),
      cmocka_unit_test(a_vector_begins_with_its_constructor_where_it_is_boxed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

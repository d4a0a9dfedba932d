/* Containers: what is well formed is taken apart, everything else is refused as a whole. */
#include "mtproto/container.h"
#include "tl_ids.h"
#include "spec.h"

#define OUTER 1000000

static uint8_t bytes[65536];
static struct ln_message parts[LN_CONTAINER_MAX_IN];

static size_t build(uint32_t n, size_t len)
{
  size_t at = LN_CONTAINER_HEAD;
  ln_container_head(bytes, n);
  for (uint32_t i = 0; i < n; i++) {
    ln_message_head(bytes + at, 1 + 4 * i, i, len);
    memset(bytes + at + LN_MESSAGE_HEAD, 0x11, len);
    at += LN_MESSAGE_HEAD + len;
  }
  return at;
}

static int parse(size_t n, size_t *count)
{
  return ln_container_parse(ln_slice(bytes, n), OUTER, parts, count);
}

static void well_formed_ones_come_apart(void **state)
{
  (void)state;
  const uint32_t counts[] = {0, 1, 2, 1020, 1024};
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
    size_t n, size = build(counts[i], 12);
    assert_int_equal(parse(size, &n), LN_OK);
    assert_int_equal(n, counts[i]);
    for (size_t k = 0; k < n; k++) {
      assert_int_equal(parts[k].msg_id, 1 + 4 * k);
      assert_int_equal(parts[k].seqno, k);
      assert_int_equal(parts[k].body.n, 12);
      assert_ptr_equal(parts[k].body.p, bytes + 8 + k * 28 + 16);
    }
  }
}

static void every_other_size_is_refused(void **state)
{
  (void)state;
  size_t n, size = build(3, 12);
  for (size_t k = 0; k < size; k++) assert_int_equal(parse(k, &n), LN_E_PROTOCOL);
  for (size_t k = 1; k < 40; k++) assert_int_equal(parse(size + k, &n), LN_E_PROTOCOL);
}

static void counts_that_lie_are_refused(void **state)
{
  (void)state;
  const uint32_t lies[] = {0, 2, 4, 1025, 0x7fffffff, 0x80000000, 0xffffffff};
  for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
    size_t n, size = build(3, 12);
    ln_put_le32(bytes + 4, lies[i]);
    assert_int_equal(parse(size, &n), LN_E_PROTOCOL);
    assert_int_equal(n, 0);
  }
}

static void lengths_that_lie_are_refused(void **state)
{
  (void)state;
  const uint32_t lies[] = {0, 1, 2, 3, 8, 10, 13, 16, 40, 0x7ffffffc, 0xfffffffc, 0xffffffff};
  for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
    size_t n, size = build(3, 12);
    ln_put_le32(bytes + 8 + 12, lies[i]);
    assert_int_equal(parse(size, &n), LN_E_PROTOCOL);
  }
}

static void ids_must_differ_and_be_older(void **state)
{
  (void)state;
  size_t n, size = build(300, 12);
  ln_put_le64(bytes + 8 + 299 * 28, 1 + 4 * 150);
  assert_int_equal(parse(size, &n), LN_E_PROTOCOL);
  size = build(300, 12); /* any order will do */
  for (uint32_t i = 0; i < 300; i++) ln_put_le64(bytes + 8 + i * 28, 1 + 4 * ((i * 7) % 300));
  assert_int_equal(parse(size, &n), LN_OK);
  assert_int_equal(n, 300);
  size = build(2, 12);
  ln_put_le64(bytes + 8, OUTER);
  assert_int_equal(parse(size, &n), LN_E_PROTOCOL);
}

static void a_container_holds_no_container(void **state)
{
  (void)state;
  size_t n, size = build(2, 12);
  ln_put_le32(bytes + 8 + 28 + 16, LN_ID_msg_container);
  assert_int_equal(parse(size, &n), LN_E_PROTOCOL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(well_formed_ones_come_apart),  cmocka_unit_test(every_other_size_is_refused),
      cmocka_unit_test(counts_that_lie_are_refused),  cmocka_unit_test(lengths_that_lie_are_refused),
      cmocka_unit_test(ids_must_differ_and_be_older), cmocka_unit_test(a_container_holds_no_container),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The growing buffer: what is appended comes out in order, whatever has moved meanwhile, and never more lies
 * in it than its maximum. */
#include "base/buf.h"
#include "spec.h"

#define MAX 1000

static void append(struct ln_buf *b, unsigned *next, size_t n)
{
  uint8_t *to;
  assert_int_equal(ln_buf_extend(b, n, &to), LN_OK);
  for (size_t i = 0; i < n; i++) to[i] = (uint8_t)((*next)++);
}

static void consume(struct ln_buf *b, unsigned *next, size_t n)
{
  assert_true(n <= b->len);
  for (size_t i = 0; i < n; i++) assert_int_equal(ln_buf_data(b)[i], (uint8_t)((*next)++));
  ln_buf_consume(b, n);
}

static void gives_bytes_in_order(void **state)
{
  struct ln_buf b;
  unsigned in = 0, out = 0;
  (void)state;
  ln_buf_init(&b, MAX);
  for (size_t i = 1; i < 400; i++) {
    size_t n = i * 37 % 200;
    if (n > MAX - b.len) consume(&b, &out, b.len - b.len / 3);
    append(&b, &in, n);
    consume(&b, &out, b.len / (1 + i % 5));
    assert_int_equal(b.len, in - out);
  }
  consume(&b, &out, b.len);
  assert_int_equal(b.start, 0);
  ln_buf_deinit(&b);
}

static void never_holds_more_than_its_maximum(void **state)
{
  struct ln_buf b;
  unsigned in = 0, out = 0;
  (void)state;
  ln_buf_init(&b, MAX);
  append(&b, &in, MAX - 1);
  assert_int_equal(ln_buf_reserve(&b, 1), LN_OK);
  assert_int_equal(ln_buf_reserve(&b, 2), LN_E_TOOBIG);
  assert_int_equal(ln_buf_reserve(&b, SIZE_MAX), LN_E_TOOBIG);
  assert_int_equal(ln_buf_append(&b, "ab", 2), LN_E_TOOBIG);
  assert_int_equal(b.len, MAX - 1);
  consume(&b, &out, 10);
  assert_int_equal(ln_buf_reserve(&b, 12), LN_E_TOOBIG);
  append(&b, &in, 11);
  consume(&b, &out, b.len);
  b.max = 5; /* streams lower it while much waits: room that is there does not count then */
  assert_int_equal(ln_buf_reserve(&b, 6), LN_E_TOOBIG);
  assert_int_equal(ln_buf_reserve(&b, 5), LN_OK);
  ln_buf_deinit(&b);
}

static void consumes_no_more_than_there_is(void **state)
{
  struct ln_buf b;
  (void)state;
  ln_buf_init(&b, MAX);
  ln_buf_consume(&b, 3);
  assert_int_equal(ln_buf_append(&b, "abc", 3), LN_OK);
  ln_buf_consume(&b, 9);
  assert_int_equal(b.len, 0);
  assert_int_equal(b.start, 0);
  ln_buf_deinit(&b);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gives_bytes_in_order),
      cmocka_unit_test(never_holds_more_than_its_maximum),
      cmocka_unit_test(consumes_no_more_than_there_is),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The walk over an object that builds nothing: it accepts what is well-formed and names what is not. */
#include "spec.h"

#include "tl/schema.h"
#include "tl/writer.h"

struct made {
  struct ln_buf buf;
  struct ln_writer w;
};

static void make(struct made *m)
{
  ln_buf_init(&m->buf, (size_t)1 << 20);
  ln_writer_init(&m->w, &m->buf);
}

static uint32_t id(const char *constructor)
{
  const struct ln_tl_def *d = ln_tl_constructor_by_name(constructor);
  assert_non_null(d);
  return d->id;
}

static int walk(struct ln_slice bytes, const char *type)
{
  struct ln_reader r;
  ln_reader_init(&r, bytes);
  ln_tl_skip_object(&r, type ? ln_tl_type_by_name(type) : NULL, 0);
  return ln_reader_finish(&r);
}

static int walk_made(const struct made *m, const char *type)
{
  assert_int_equal(m->w.err, LN_OK);
  return walk(ln_buf_slice(&m->buf), type);
}

/* updateShort { update = updateDeleteMessages { messages = { 1, 2, 3 }, pts, pts_count }, date } */
static void make_sample(struct made *m)
{
  make(m);
  ln_write_u32(&m->w, id("updateShort"));
  ln_write_u32(&m->w, id("updateDeleteMessages"));
  ln_write_vector(&m->w, true, 3);
  for (uint32_t i = 1; i <= 3; i++) ln_write_u32(&m->w, i);
  ln_write_u32(&m->w, 10);
  ln_write_u32(&m->w, 3);
  ln_write_u32(&m->w, 1700000000);
}

static void a_whole_object_is_accepted(void **state)
{
  (void)state;
  struct made m;
  make_sample(&m);
  assert_int_equal(walk_made(&m, "Updates"), LN_OK);
  assert_int_equal(walk_made(&m, NULL), LN_OK);
  ln_write_u32(&m.w, 0);
  assert_int_equal(walk_made(&m, "Updates"), LN_E_TRAILING);
  ln_buf_deinit(&m.buf);
}

static void every_cut_is_noticed(void **state)
{
  (void)state;
  struct made m;
  make_sample(&m);
  for (size_t n = 0; n < m.buf.len; n++) {
    uint8_t *exact = malloc(n ? n : 1); /* so that a sanitizer sees one byte too many */
    memcpy(exact, ln_buf_data(&m.buf), n);
    assert_int_equal(walk(ln_slice(exact, n), "Updates"), LN_E_TRUNCATED);
    free(exact);
  }
  ln_buf_deinit(&m.buf);
}

static void unknown_and_foreign_ids_are_told_apart(void **state)
{
  (void)state;
  struct made m;
  make_sample(&m);
  assert_int_equal(walk_made(&m, "Message"), LN_E_BAD_TYPE);
  ln_put_le32(ln_buf_data(&m.buf) + 4, id("inputPeerSelf")); /* inside, where an Update belongs */
  assert_int_equal(walk_made(&m, "Updates"), LN_E_BAD_TYPE);
  ln_put_le32(ln_buf_data(&m.buf) + 4, ln_tl_method_by_name("help.getConfig")->id);
  assert_int_equal(walk_made(&m, "Updates"), LN_E_BAD_TYPE);
  ln_put_le32(ln_buf_data(&m.buf) + 4, UINT32_C(0xdeadbeef));
  assert_int_equal(walk_made(&m, "Updates"), LN_E_UNKNOWN_ID);
  ln_put_le32(ln_buf_data(&m.buf), UINT32_C(0xdeadbeef));
  assert_int_equal(walk_made(&m, NULL), LN_E_UNKNOWN_ID);
  ln_buf_deinit(&m.buf);
}

static void a_count_that_lies_is_refused_at_once(void **state)
{
  (void)state;
  struct made m;
  static const uint32_t counts[] = {6, 7, 1000000, UINT32_C(0x7fffffff), UINT32_C(0xffffffff)};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    make_sample(&m);
    ln_put_le32(ln_buf_data(&m.buf) + 12, counts[i]);
    assert_int_equal(walk_made(&m, "Updates"), LN_E_TRUNCATED);
    ln_buf_deinit(&m.buf);
  }
}

static void a_bool_is_one_of_two(void **state)
{
  (void)state;
  struct made m;
  make(&m);
  ln_write_u32(&m.w, id("jsonBool"));
  ln_write_u32(&m.w, LN_TL_BOOL_FALSE);
  assert_int_equal(walk_made(&m, "JSONValue"), LN_OK);
  ln_put_le32(ln_buf_data(&m.buf) + 4, LN_TL_BOOL_TRUE);
  assert_int_equal(walk_made(&m, "JSONValue"), LN_OK);
  ln_put_le32(ln_buf_data(&m.buf) + 4, 1);
  assert_int_equal(walk_made(&m, "JSONValue"), LN_E_BAD_TYPE);
  ln_buf_deinit(&m.buf);
}

/* jsonArray in jsonArray in … : the depth at which it ends is fixed, whatever the bytes say. */
static void nested(struct made *m, int levels)
{
  make(m);
  for (int i = 1; i < levels; i++) {
    ln_write_u32(&m->w, id("jsonArray"));
    ln_write_vector(&m->w, true, 1);
  }
  ln_write_u32(&m->w, id("jsonNull"));
}

static void depth_has_an_end(void **state)
{
  (void)state;
  struct made m;
  nested(&m, LN_TL_MAX_DEPTH + 1);
  assert_int_equal(walk_made(&m, "JSONValue"), LN_OK);
  ln_buf_deinit(&m.buf);
  nested(&m, LN_TL_MAX_DEPTH + 2);
  assert_int_equal(walk_made(&m, "JSONValue"), LN_E_DEPTH);
  ln_buf_deinit(&m.buf);
  nested(&m, 50000);
  assert_int_equal(walk_made(&m, "JSONValue"), LN_E_DEPTH);
  ln_buf_deinit(&m.buf);
  make(&m); /* and for methods in methods */
  for (int i = 0; i < 50000; i++) ln_write_u32(&m.w, ln_tl_method_by_name("invokeWithoutUpdates")->id);
  assert_int_equal(walk_made(&m, NULL), LN_E_DEPTH);
  ln_buf_deinit(&m.buf);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_whole_object_is_accepted),
      cmocka_unit_test(every_cut_is_noticed),
      cmocka_unit_test(unknown_and_foreign_ids_are_told_apart),
      cmocka_unit_test(a_count_that_lies_is_refused_at_once),
      cmocka_unit_test(a_bool_is_one_of_two),
      cmocka_unit_test(depth_has_an_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

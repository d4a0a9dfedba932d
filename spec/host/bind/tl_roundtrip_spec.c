/* Every constructor and every method, with generated values, from Lua to bytes and back, in every layer that
 * has it. */
#include "spec.h"
#include "tl_values.h"

#include "bind/modules.h"
#include "bind/tl.h"

#define SEEDS 6
#define ROOM 5 /* levels of objects in a value */

static lua_State *open_state(void)
{
  lua_State *L = luaL_newstate();
  luaL_requiref(L, "_luna.tl", luaopen__luna_tl, 0);
  lua_pop(L, 1);
  values_prepare();
  return L;
}

static void report(lua_State *L, const struct ln_tl_def *d, const char *what)
{
  print_error("%s#%08x: %s", ln_tl_def_name(d), d->id, what);
  if (lua_type(L, -1) == LUA_TSTRING) print_error(": %s", lua_tostring(L, -1));
  print_error("\n");
}

/* The value on top → bytes → an equal value; the walk that builds nothing agrees. */
static bool comes_back(lua_State *L, const struct ln_tl_def *d, int layer, struct ln_buf *out)
{
  ln_buf_clear(out);
  int err = d->is_method ? ln_bind_tl_encode_method(L, -1, d, out, layer)
                         : ln_bind_tl_encode_object(L, -1, &ln_tl_types[d->type], out, layer);
  if (err) {
    report(L, d, "not encoded");
    return false;
  }
  if (out->len < 4 || ln_le32(ln_buf_data(out)) != d->id) {
    report(L, d, "encoded under another id");
    return false;
  }
  if (out->len < 4u + d->min_size) {
    report(L, d, "shorter than its shortest");
    return false;
  }
  struct ln_reader r;
  ln_reader_init(&r, ln_buf_slice(out));
  ln_tl_skip_object(&r, d->is_method ? NULL : &ln_tl_types[d->type], 0);
  if (ln_reader_finish(&r)) {
    report(L, d, "the walk does not accept it");
    return false;
  }
  err = d->is_method ? ln_bind_tl_decode_method(L, ln_buf_slice(out))
                     : ln_bind_tl_decode(L, ln_buf_slice(out), &ln_tl_types[d->type]);
  if (err) {
    report(L, d, ln_err_text(err));
    return false;
  }
  bool same = values_equal(L, -1, -2);
  lua_pop(L, 1);
  if (!same) report(L, d, "came back as something else");
  return same;
}

static void every_definition_comes_back(void **state)
{
  (void)state;
  lua_State *L = open_state();
  struct ln_buf out;
  size_t wrong = 0, done = 0;
  ln_buf_init(&out, (size_t)1 << 24);
  for (size_t i = 0; i < ln_tl_n_defs; i++) {
    const struct ln_tl_def *d = &ln_tl_defs[i];
    if (d->id == LN_TL_BOOL_TRUE || d->id == LN_TL_BOOL_FALSE) continue; /* these are booleans */
    for (int layer = LN_TL_FIRST_LAYER; layer <= LN_TL_LAYER; layer++) {
      if (ln_tl_in_layer(d, layer) != d) continue;
      for (unsigned seed = 0; seed < (layer == LN_TL_LAYER ? SEEDS : 1); seed++) {
        struct values v = {(uint64_t)d->id << 16 | (unsigned)layer << 8 | seed, layer};
        int top = lua_gettop(L);
        values_push_def(L, &v, d, seed == 0 ? values_levels[i] : ROOM);
        if (!comes_back(L, d, layer, &out)) wrong++;
        lua_settop(L, top);
        done++;
      }
    }
  }
  assert_int_equal(wrong, 0);
  assert_true(done > 2600 * SEEDS);
  ln_buf_deinit(&out);
  lua_close(L);
}

/* What a method answers: objects, vectors, Bools, numbers. */
static void every_result_comes_back(void **state)
{
  (void)state;
  lua_State *L = open_state();
  struct ln_buf out;
  size_t vectors = 0, bools = 0;
  ln_buf_init(&out, (size_t)1 << 24);
  for (size_t i = ln_tl_n_constructors; i < ln_tl_n_defs; i++) {
    const struct ln_tl_def *d = &ln_tl_defs[i];
    const struct ln_tl_field *f = &ln_tl_results[d->type];
    struct values v = {d->id, LN_TL_LAYER};
    if (ln_tl_in_layer(d, LN_TL_LAYER) != d) continue;
    if (f->kind == LN_TL_OBJECT && !values_can(&v, f, ROOM)) fail_msg("%s: no value", ln_tl_def_name(d));
    vectors += f->vector != 0;
    bools += f->kind == LN_TL_BOOL;
    values_push_field(L, &v, f, ROOM);
    ln_buf_clear(&out);
    int err = ln_bind_tl_encode_result(L, -1, d, &out, LN_TL_LAYER);
    if (err) fail_msg("%s: %s", ln_tl_def_name(d), lua_tostring(L, -1));
    err = ln_bind_tl_decode_result(L, ln_buf_slice(&out), d);
    if (err) fail_msg("%s: %s", ln_tl_def_name(d), ln_err_text(err));
    if (!values_equal(L, -1, -2)) fail_msg("%s: its result came back as something else", ln_tl_def_name(d));
    lua_settop(L, 0);
  }
  assert_true(vectors > 10 && bools > 100);
  ln_buf_deinit(&out);
  lua_close(L);
}

/* Cut anywhere, or with a byte changed: an error or another value, the same verdict from both walks, nothing
 * left on the stack. */
static void broken_bytes_never_do_harm(void **state)
{
  (void)state;
  static const char *const names[] = {"message",          "user",   "channel",       "updates.difference",
                                      "messages.dialogs", "config", "pageBlockTable"};
  lua_State *L = open_state();
  struct ln_buf out;
  ln_buf_init(&out, (size_t)1 << 24);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const struct ln_tl_def *d = ln_tl_constructor_by_name(names[i]);
    assert_non_null(d);
    const struct ln_tl_type *type = &ln_tl_types[d->type];
    struct values v = {i + 1, LN_TL_LAYER};
    size_t step = 1;
    values_push_def(L, &v, d, 4);
    ln_buf_clear(&out);
    assert_int_equal(ln_bind_tl_encode_object(L, -1, type, &out, LN_TL_LAYER), LN_OK);
    lua_settop(L, 0);
    if (out.len > 4000) step = out.len / 4000 + 1;
    for (size_t n = 0; n < out.len; n += step) {
      uint8_t *exact = malloc(out.len);
      memcpy(exact + out.len - n, ln_buf_data(&out), n); /* ends where the allocation does */
      struct ln_slice cut = ln_slice(exact + out.len - n, n);
      assert_int_equal(ln_bind_tl_decode(L, cut, type), LN_E_TRUNCATED);
      assert_int_equal(lua_gettop(L), 0);
      memcpy(exact, ln_buf_data(&out), out.len);
      exact[n] ^= (uint8_t)(1u << (n % 8));
      struct ln_reader r;
      ln_reader_init(&r, ln_slice(exact, out.len));
      ln_tl_skip_object(&r, type, 0);
      int err = ln_bind_tl_decode(L, ln_slice(exact, out.len), type);
      assert_int_equal(err, ln_reader_finish(&r));
      assert_int_equal(lua_gettop(L), err ? 0 : 1);
      lua_settop(L, 0);
      free(exact);
    }
  }
  ln_buf_deinit(&out);
  lua_close(L);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_definition_comes_back),
      cmocka_unit_test(every_result_comes_back),
      cmocka_unit_test(broken_bytes_never_do_harm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

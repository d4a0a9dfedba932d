/* The TL walkers where memory runs out: every allocation is made to fail once. Lua's own failures travel as
 * Lua errors, those of the output buffer as LN_E_NOMEM; nothing is lost and the next call works. */
#include "spec.h"
#include "tl_values.h"

#include "bind/modules.h"
#include "bind/tl.h"
#include "testing/alloc_fail.h"

struct quota {
  size_t live; /* bytes in use */
  size_t fail; /* allocations left until the one that fails; 0: none will */
};

static void *allocate(void *ctx, void *p, size_t had, size_t n)
{
  struct quota *q = ctx;
  if (!p) had = 0; /* a type then, no size */
  if (n == 0) {
    q->live -= had;
    free(p);
    return NULL;
  }
  if (n > had && q->fail && --q->fail == 0) {
    q->fail = 1; /* also for the second try after an emergency collection */
    return NULL;
  }
  void *fresh = realloc(p, n);
  if (fresh) q->live += n - had;
  return fresh;
}

struct sample {
  struct ln_slice bytes;
  const struct ln_tl_type *type;
};

static int decode(lua_State *L)
{
  const struct sample *s = lua_touserdata(L, 1);
  lua_settop(L, 0);
  int err = ln_bind_tl_decode(L, s->bytes, s->type);
  if (err) return luaL_error(L, "%s", ln_err_text(err));
  return 1;
}

static void make_message(lua_State *L, struct ln_buf *out)
{
  struct values v = {4, LN_TL_LAYER};
  const struct ln_tl_def *d = ln_tl_constructor_by_name("message");
  values_prepare();
  values_push_def(L, &v, d, 4);
  assert_int_equal(ln_bind_tl_encode_object(L, -1, &ln_tl_types[d->type], out, LN_TL_LAYER), LN_OK);
}

static void a_decode_without_memory_is_a_lua_error(void **state)
{
  (void)state;
  struct quota q = {0, 0};
  struct ln_buf out;
  lua_State *L = lua_newstate(allocate, &q);
  luaL_requiref(L, "_luna.tl", luaopen__luna_tl, 0);
  ln_buf_init(&out, (size_t)1 << 20);
  make_message(L, &out);
  struct sample sample = {ln_buf_slice(&out), ln_tl_type_by_name("Message")};
  size_t failures = 0;
  for (size_t nth = 1;; nth++) {
    lua_settop(L, 0);
    lua_gc(L, LUA_GCCOLLECT);
    lua_pushcfunction(L, decode);
    lua_pushlightuserdata(L, &sample);
    q.fail = nth;
    int err = lua_pcall(L, 1, 1, 0);
    bool failed = q.fail == 1 && err;
    q.fail = 0;
    if (!failed) {
      assert_int_equal(err, LUA_OK);
      break;
    }
    assert_int_equal(err, LUA_ERRMEM);
    failures++;
  }
  assert_true(failures > 20);
  assert_int_equal(lua_type(L, -1), LUA_TTABLE);
  ln_buf_deinit(&out);
  lua_close(L);
  assert_int_equal(q.live, 0);
}

static void an_encode_without_memory_says_so(void **state)
{
  (void)state;
  struct ln_buf out;
  lua_State *L = luaL_newstate();
  luaL_requiref(L, "_luna.tl", luaopen__luna_tl, 0);
  lua_settop(L, 0);
  ln_buf_init(&out, (size_t)1 << 20);
  make_message(L, &out);
  size_t whole = out.len, failures = 0;
  const struct ln_tl_type *type = ln_tl_type_by_name("Message");
  for (size_t nth = 1;; nth++) {
    ln_buf_deinit(&out);
    ln_buf_init(&out, (size_t)1 << 20);
    ln_alloc_fail_at(nth);
    int err = ln_bind_tl_encode_object(L, 1, type, &out, LN_TL_LAYER);
    ln_alloc_fail_at(0);
    if (!err) break;
    assert_int_equal(err, LN_E_NOMEM);
    assert_int_equal(out.len, 0);
    assert_int_equal(lua_gettop(L), 2); /* the sentence */
    lua_settop(L, 1);
    failures++;
  }
  assert_true(failures >= 1);
  assert_int_equal(out.len, whole);
  ln_buf_deinit(&out);
  lua_close(L);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_decode_without_memory_is_a_lua_error),
      cmocka_unit_test(an_encode_without_memory_says_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

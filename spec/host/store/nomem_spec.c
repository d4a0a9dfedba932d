/* Each allocation of a run fails once: the call says so, what it promised before holds, and the store goes
 * on. */
#include "store_fixture.h"

#include "testing/alloc_fail.h"

struct run {
  int grouped, heard;
  bool set_ok, group_ok, auth_ok, pts_ok, peer_ok, inbox_ok;
  uint64_t seq;
};

static void hear(void *ctx, uint64_t tag, int err)
{
  struct run *r = ctx;
  (void)tag;
  assert_int_equal(err, LN_OK);
  r->heard++;
}

static bool fine(int err)
{
  if (err) assert_int_equal(err, LN_E_NOMEM);
  return err == LN_OK;
}

static void scenario(struct fixture *f, struct run *r)
{
  struct ln_store_auth auth = {.salt = 3};
  struct ln_store_peer p = {.id = 1, .type = LN_PEER_USER, .username = ln_slice_str("one")};
  struct ln_store_update u = {.pts = 5, .body = ln_slice_str("body")};
  char errtext[LN_STORE_ERRTEXT];
  if (!fine(fixture_try_open(f, NULL, LN_DURABILITY_NORMAL, errtext))) return;
  if (!fine(ln_store_account(f->store, "", &f->account))) return;
  r->set_ok = fine(ln_store_set(f->store, f->account, "k", ln_slice_str("v")));
  assert_int_equal(ln_store_begin(f->store), LN_OK);
  bool a = fine(ln_store_set(f->store, f->account, "a", ln_slice_str("1")));
  bool b = fine(ln_store_inbox_add(f->store, f->account, &u, &r->seq));
  bool c = fine(ln_store_peer_put(f->store, f->account, &p));
  r->group_ok = fine(ln_store_commit(f->store, hear, r, 0));
  assert_int_equal(r->group_ok, a && b && c);
  ln_store_poll(f->store);
  assert_int_equal(r->heard, r->group_ok);
  r->auth_ok = fine(ln_store_auth_set(f->store, f->account, 2, LN_AUTH_MAIN, &auth));
  r->pts_ok = fine(ln_store_pts_set(f->store, f->account, 9, 9));
  p.id = 2; /* takes the name */
  r->peer_ok = fine(ln_store_peer_put(f->store, f->account, &p));
  ln_store_poll(f->store);
}

static int count(void *ctx, const struct ln_store_update *u)
{
  int *n = ctx;
  assert_int_equal(u->pts, 5);
  ++*n;
  return 0;
}

static void every_allocation_fails_once(void **state)
{
  struct fixture *f = *state;
  size_t nth = 1, runs_with_store = 0;
  for (;; nth++) {
    struct run r = {0};
    ln_alloc_fail_at(nth);
    scenario(f, &r);
    bool failed = ln_alloc_seen() >= nth;
    ln_alloc_fail_at(0);
    if (f->store && f->account) {
      struct ln_store_auth auth;
      struct ln_store_peer p;
      int32_t pts;
      int updates = 0;
      runs_with_store++;
      assert_value(f, "k", r.set_ok ? "v" : NULL);
      assert_value(f, "a", r.group_ok ? "1" : NULL);
      assert_int_equal(ln_store_inbox_each(f->store, f->account, 0, 0, count, &updates), LN_OK);
      assert_int_equal(updates, r.group_ok);
      assert_int_equal(ln_store_auth_get(f->store, f->account, 2, LN_AUTH_MAIN, &auth) == LN_OK, r.auth_ok);
      assert_int_equal(ln_store_pts_get(f->store, f->account, 9, &pts) == LN_OK, r.pts_ok);
      /* The name belongs to one of the two at most, and a new try brings all in order. */
      p = (struct ln_store_peer){.id = 2, .type = LN_PEER_USER, .username = ln_slice_str("one")};
      assert_int_equal(ln_store_peer_put(f->store, f->account, &p), LN_OK);
      assert_int_equal(ln_store_peer_by_username(f->store, f->account, ln_slice_str("ONE"), &p), LN_OK);
      assert_true(p.id == 2);
      if (ln_store_peer_get(f->store, f->account, 1, &p) == LN_OK) assert_int_equal(p.username.n, 0);
      put(f, "after", "x");
      assert_int_equal(ln_store_flush(f->store), LN_OK);
      ln_store_poll(f->store);
      assert_value(f, "after", "x");
    }
    fixture_close(f);
    f->account = 0;
    if (!failed) break;
  }
  assert_true(nth > 12 && runs_with_store > 8);
}

static void opening_a_file_without_memory(void **state)
{
  struct fixture *f = *state;
  char errtext[LN_STORE_ERRTEXT];
  size_t nth = 1;
  fixture_open(f, false);
  put(f, "k", "v");
  fixture_close(f);
  for (;; nth++) {
    ln_alloc_fail_at(nth);
    int err = fixture_try_open(f, f->path, LN_DURABILITY_NORMAL, errtext);
    bool failed = ln_alloc_seen() >= nth;
    ln_alloc_fail_at(0);
    if (!failed) break;
    assert_int_equal(err, LN_E_NOMEM);
    assert_null(f->store);
  }
  assert_true(nth > 3);
  assert_int_equal(ln_store_account(f->store, "", &f->account), LN_OK);
  assert_value(f, "k", "v");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(every_allocation_fails_once),
      TEST(opening_a_file_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

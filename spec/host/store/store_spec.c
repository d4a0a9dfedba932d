/* Values, auth keys, pts, accounts, groups and their callbacks. */
#include "store_fixture.h"

static void values(struct fixture *f, bool memory)
{
  fixture_open(f, memory);
  assert_value(f, "state", NULL);
  put(f, "state", "one");
  assert_value(f, "state", "one"); /* before any commit */
  put(f, "state", "two");
  put(f, "it's; DROP TABLE kv --\"", "quotes");
  put(f, "empty", "");
  fixture_reopen(f, memory);
  assert_value(f, "state", "two");
  assert_value(f, "it's; DROP TABLE kv --\"", "quotes");
  assert_value(f, "empty", "");
  assert_int_equal(ln_store_delete(f->store, f->account, "state"), LN_OK);
  assert_value(f, "state", NULL); /* the file still has it */
  put(f, "gone", "x");
  assert_int_equal(ln_store_delete(f->store, f->account, "gone"), LN_OK);
  fixture_reopen(f, memory);
  assert_value(f, "state", NULL);
  assert_value(f, "gone", NULL);
  assert_value(f, "empty", "");
}
BOTH(values)

static void limits(struct fixture *f, bool memory)
{
  static uint8_t big[(16 << 20) + 1];
  char key[202];
  fixture_open(f, memory);
  memset(key, 'k', sizeof key);
  key[201] = 0;
  assert_int_equal(ln_store_set(f->store, f->account, key, ln_slice("v", 1)), LN_E_INVAL);
  key[200] = 0;
  assert_int_equal(ln_store_set(f->store, f->account, key, ln_slice("v", 1)), LN_OK);
  assert_int_equal(ln_store_set(f->store, f->account, "", ln_slice("v", 1)), LN_E_INVAL);
  assert_int_equal(ln_store_set(f->store, f->account + 1, "k", ln_slice("v", 1)), LN_E_INVAL);
  assert_int_equal(ln_store_set(f->store, f->account, "k", ln_slice(big, sizeof big)), LN_E_TOOBIG);
  memset(big, 7, sizeof big);
  assert_int_equal(ln_store_set(f->store, f->account, "k", ln_slice(big, sizeof big - 1)), LN_OK);
  fixture_reopen(f, memory);
  struct ln_buf b;
  ln_buf_init(&b, sizeof big);
  assert_int_equal(ln_store_get(f->store, f->account, "k", &b), LN_OK);
  assert_int_equal(b.len, sizeof big - 1);
  assert_memory_equal(ln_buf_data(&b), big, b.len);
  ln_buf_deinit(&b);
  ln_buf_init(&b, 100);
  assert_int_equal(ln_store_get(f->store, f->account, "k", &b), LN_E_TOOBIG);
  ln_buf_deinit(&b);
}
BOTH(limits)

static void auth_keys(struct fixture *f, bool memory)
{
  struct ln_store_auth a, b;
  fixture_open(f, memory);
  memset(&a, 0, sizeof a);
  for (int i = 0; i < 256; i++) a.key[i] = (uint8_t)(255 - i);
  a.salt = UINT64_C(0xfedcba9876543210);
  a.offset_us = -1234567890123;
  a.created = 1700000000;
  a.n_salts = LN_STORE_SALTS;
  for (size_t i = 0; i < LN_STORE_SALTS; i++)
    a.salts[i] = (struct ln_store_salt){UINT64_MAX - i, 1700000000 + (int64_t)i, 1700001800 + (int64_t)i};
  assert_int_equal(ln_store_auth_get(f->store, f->account, 2, LN_AUTH_MAIN, &b), LN_E_NOT_FOUND);
  assert_int_equal(ln_store_auth_set(f->store, f->account, 2, LN_AUTH_MAIN, &a), LN_OK);
  assert_int_equal(ln_store_auth_get(f->store, f->account, 2, LN_AUTH_MAIN, &b), LN_OK);
  assert_memory_equal(&a, &b, sizeof a);
  a.n_salts = 0;
  memset(a.salts, 0, sizeof a.salts);
  assert_int_equal(ln_store_auth_set(f->store, f->account, 2, LN_AUTH_MEDIA, &a), LN_OK);
  assert_int_equal(ln_store_auth_set(f->store, f->account, 4, LN_AUTH_MAIN, &a), LN_OK);
  assert_int_equal(ln_store_auth_delete(f->store, f->account, 4, LN_AUTH_MAIN), LN_OK);
  fixture_reopen(f, memory);
  assert_int_equal(ln_store_auth_get(f->store, f->account, 2, LN_AUTH_MAIN, &b), LN_OK);
  assert_int_equal(b.n_salts, LN_STORE_SALTS);
  assert_true(b.salts[63].salt == UINT64_MAX - 63 && b.salts[63].valid_until == 1700001863);
  assert_int_equal(ln_store_auth_get(f->store, f->account, 2, LN_AUTH_MEDIA, &b), LN_OK);
  assert_memory_equal(&a, &b, sizeof a);
  assert_int_equal(ln_store_auth_get(f->store, f->account, 4, LN_AUTH_MAIN, &b), LN_E_NOT_FOUND);
  a.n_salts = LN_STORE_SALTS + 1;
  assert_int_equal(ln_store_auth_set(f->store, f->account, 2, LN_AUTH_MAIN, &a), LN_E_TOOBIG);
}
BOTH(auth_keys)

static void count_pts(void *ctx, int64_t box, int32_t pts)
{
  int64_t *sum = ctx;
  sum[0]++;
  sum[1] += box;
  sum[2] += pts;
}

static void channel_pts(struct fixture *f, bool memory)
{
  int32_t pts = 0;
  int64_t sum[3] = {0};
  fixture_open(f, memory);
  assert_int_equal(ln_store_pts_get(f->store, f->account, -1000000000001, &pts), LN_E_NOT_FOUND);
  for (int32_t i = 1; i <= 1000; i++)
    assert_int_equal(ln_store_pts_set(f->store, f->account, -1000000000001, i), LN_OK);
  assert_int_equal(ln_store_pts_set(f->store, f->account, -1000000000002, 7), LN_OK);
  assert_int_equal(ln_store_pts_set(f->store, f->account, -1000000000003, 9), LN_OK);
  assert_int_equal(ln_store_pts_delete(f->store, f->account, -1000000000003), LN_OK);
  assert_int_equal(ln_store_pts_get(f->store, f->account, -1000000000001, &pts), LN_OK);
  assert_int_equal(pts, 1000);
  assert_int_equal(ln_store_pts_each(f->store, f->account, count_pts, sum), LN_OK);
  assert_int_equal(sum[0], 2);
  assert_true(sum[1] == -2000000000003);
  assert_int_equal(sum[2], 1007);
  fixture_reopen(f, memory);
  assert_int_equal(ln_store_pts_get(f->store, f->account, -1000000000001, &pts), LN_OK);
  assert_int_equal(pts, 1000);
  assert_int_equal(ln_store_pts_get(f->store, f->account, -1000000000003, &pts), LN_E_NOT_FOUND);
}
BOTH(channel_pts)

static void accounts(struct fixture *f, bool memory)
{
  int32_t echo, again, evil, list[4];
  const char *name = "Robert'); DROP TABLE accounts;--";
  fixture_open(f, memory);
  assert_int_equal(ln_store_account(f->store, "echo", &echo), LN_OK);
  assert_int_equal(ln_store_account(f->store, name, &evil), LN_OK);
  assert_int_equal(ln_store_account(f->store, "echo", &again), LN_OK);
  assert_int_equal(echo, again);
  assert_true(echo != f->account && evil != echo && echo > 0);
  assert_int_equal(ln_store_set(f->store, echo, "k", ln_slice("echo", 4)), LN_OK);
  put(f, "k", "mine");
  fixture_reopen(f, memory);
  assert_int_equal(ln_store_accounts(f->store, list, 4), 3);
  assert_string_equal(ln_store_account_name(f->store, evil), name);
  assert_value(f, "k", "mine");

  struct ln_store_peer p = {.id = 5, .type = LN_PEER_USER, .username = ln_slice_str("five")};
  assert_int_equal(ln_store_peer_put(f->store, echo, &p), LN_OK);
  assert_int_equal(ln_store_pts_set(f->store, echo, 1, 1), LN_OK);
  assert_int_equal(ln_store_account_forget(f->store, echo), LN_OK);
  assert_null(ln_store_account_name(f->store, echo));
  assert_int_equal(ln_store_account_forget(f->store, echo), LN_E_INVAL);
  assert_int_equal(ln_store_account(f->store, "other", &again), LN_OK);
  /* Whatever number a new account gets: nothing of the old one is seen under it, or under the old number. */
  for (int i = 0; i < 2; i++) {
    int32_t which = i ? again : echo;
    struct ln_buf b;
    int32_t pts;
    ln_buf_init(&b, 100);
    assert_int_not_equal(ln_store_get(f->store, which, "k", &b), LN_OK);
    assert_int_not_equal(ln_store_peer_get(f->store, which, 5, &p), LN_OK);
    assert_int_not_equal(ln_store_pts_get(f->store, which, 1, &pts), LN_OK);
    ln_buf_deinit(&b);
  }
  assert_value(f, "k", "mine");
  fixture_reopen(f, memory);
  assert_int_equal(ln_store_accounts(f->store, list, 4), 3);
  assert_value(f, "k", "mine");
}
BOTH(accounts)

struct heard {
  uint64_t tags[600];
  int n, errors;
};

static void hear(void *ctx, uint64_t tag, int err)
{
  struct heard *h = ctx;
  if (h->n < 600) h->tags[h->n] = tag;
  h->n++;
  if (err) h->errors++;
}

static void callbacks_come_in_order_and_by_poll_alone(struct fixture *f, bool memory)
{
  struct heard h = {.n = 0};
  fixture_open(f, memory);
  for (uint64_t i = 0; i < 600; i++) {
    assert_int_equal(ln_store_begin(f->store), LN_OK);
    if (i % 3) put(f, "k", "v"); /* every third group is empty */
    assert_int_equal(ln_store_commit(f->store, hear, &h, i), LN_OK);
    assert_int_equal(h.n, 0);
  }
  assert_int_equal(ln_store_flush(f->store), LN_OK);
  assert_int_equal(h.n, 0);
  ln_store_poll(f->store);
  assert_int_equal(h.n, 600);
  assert_int_equal(h.errors, 0);
  for (uint64_t i = 0; i < 600; i++) assert_true(h.tags[i] == i);
}
BOTH(callbacks_come_in_order_and_by_poll_alone)

static void the_owner_is_woken(struct fixture *f, bool memory)
{
  struct heard h = {.n = 0};
  fixture_open(f, memory);
  for (int i = 1; i <= 3; i++) {
    assert_int_equal(ln_store_begin(f->store), LN_OK);
    put(f, "k", "v");
    assert_int_equal(ln_store_commit(f->store, hear, &h, 0), LN_OK);
    while (h.n < i) fixture_wait(f);
  }
}
BOTH(the_owner_is_woken)

struct writes_again {
  struct fixture *f;
  int left, heard;
};

static void write_again(void *ctx, uint64_t tag, int err)
{
  struct writes_again *w = ctx;
  assert_int_equal(err, LN_OK);
  w->heard++;
  if (w->left-- == 0) return;
  assert_int_equal(ln_store_begin(w->f->store), LN_OK);
  put(w->f, "again", "v");
  assert_int_equal(ln_store_commit(w->f->store, write_again, w, tag + 1), LN_OK);
}

static void a_callback_may_write(struct fixture *f, bool memory)
{
  struct writes_again w = {f, 5, 0};
  fixture_open(f, memory);
  assert_int_equal(ln_store_begin(f->store), LN_OK);
  assert_int_equal(ln_store_commit(f->store, write_again, &w, 0), LN_OK);
  while (w.heard < 6) fixture_wait(f);
}
BOTH(a_callback_may_write)

static void a_failed_group_is_dropped(struct fixture *f, bool memory)
{
  struct heard h = {.n = 0};
  fixture_open(f, memory);
  put(f, "before", "1");
  assert_int_equal(ln_store_begin(f->store), LN_OK);
  assert_int_equal(ln_store_begin(f->store), LN_E_INVAL);
  put(f, "in", "1");
  struct ln_store_peer p = {.id = 9, .type = LN_PEER_USER, .name = ln_slice_str("Nine")};
  assert_int_equal(ln_store_peer_put(f->store, f->account, &p), LN_OK);
  assert_int_equal(ln_store_set(f->store, f->account, "", ln_slice("x", 1)), LN_E_INVAL);
  put(f, "in too", "1");
  assert_int_equal(ln_store_commit(f->store, hear, &h, 0), LN_E_INVAL);
  assert_int_equal(ln_store_commit(f->store, hear, &h, 0), LN_E_INVAL);
  put(f, "after", "1");
  /* The peer of the dropped group is written when it comes again, though the cache knows it. */
  assert_int_equal(ln_store_peer_put(f->store, f->account, &p), LN_OK);
  fixture_reopen(f, memory);
  assert_int_equal(h.n, 0);
  assert_value(f, "before", "1");
  assert_value(f, "in", NULL);
  assert_value(f, "in too", NULL);
  assert_value(f, "after", "1");
  assert_int_equal(ln_store_peer_get(f->store, f->account, 9, &p), LN_OK);
}
BOTH(a_failed_group_is_dropped)

static void closing_writes_and_calls_back(void **state)
{
  struct fixture *f = *state;
  struct heard h = {.n = 0};
  fixture_open(f, false);
  assert_int_equal(ln_store_begin(f->store), LN_OK);
  put(f, "last", "word");
  assert_int_equal(ln_store_commit(f->store, hear, &h, 0), LN_OK);
  fixture_close(f);
  assert_int_equal(h.n, 1);
  assert_int_equal(h.errors, 0);
  fixture_open(f, false);
  assert_value(f, "last", "word");
}

static void durabilities(void **state)
{
  struct fixture *f = *state;
  char errtext[LN_STORE_ERRTEXT], value[2] = "0";
  for (int d = LN_DURABILITY_OFF; d <= LN_DURABILITY_FULL; d++) {
    value[0] = (char)('0' + d);
    assert_int_equal(fixture_try_open(f, f->path, (enum ln_durability)d, errtext), LN_OK);
    assert_int_equal(ln_store_account(f->store, "", &f->account), LN_OK);
    if (d) assert_value(f, "k", d == 1 ? "0" : "1");
    put(f, "k", value);
    fixture_close(f);
  }
  assert_int_equal(fixture_try_open(f, f->path, (enum ln_durability)3, errtext), LN_E_INVAL);
  assert_null(f->store);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST_BOTH(values),
      TEST_BOTH(limits),
      TEST_BOTH(auth_keys),
      TEST_BOTH(channel_pts),
      TEST_BOTH(accounts),
      TEST_BOTH(callbacks_come_in_order_and_by_poll_alone),
      TEST_BOTH(the_owner_is_woken),
      TEST_BOTH(a_callback_may_write),
      TEST_BOTH(a_failed_group_is_dropped),
      TEST(closing_writes_and_calls_back),
      TEST(durabilities),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

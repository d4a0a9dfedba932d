/* Peers: merging, names, the cache. */
#include "store_fixture.h"

static void put_peer(struct fixture *f, int64_t id, bool min, int64_t hash, const char *username,
                     const char *phone, const char *name)
{
  struct ln_store_peer p = {
      .id = id,
      .type = id > 0 ? LN_PEER_USER : LN_PEER_CHANNEL,
      .min = min,
      .has_hash = hash != 0,
      .access_hash = hash,
      .username = ln_slice_str(username),
      .phone = ln_slice_str(phone),
      .name = ln_slice_str(name),
  };
  assert_int_equal(ln_store_peer_put(f->store, f->account, &p), LN_OK);
}

static void assert_text(struct ln_slice have, const char *want)
{
  assert_int_equal(have.n, strlen(want));
  assert_memory_equal(have.n ? have.p : (const uint8_t *)"", want, have.n);
}

static void assert_peer(struct fixture *f, int64_t id, bool min, int64_t hash, const char *username,
                        const char *phone, const char *name)
{
  struct ln_store_peer p;
  assert_int_equal(ln_store_peer_get(f->store, f->account, id, &p), LN_OK);
  assert_true(p.id == id);
  assert_int_equal(p.min, min);
  assert_int_equal(p.has_hash, hash != 0);
  if (hash) assert_true(p.access_hash == hash);
  assert_text(p.username, username);
  assert_text(p.phone, phone);
  assert_text(p.name, name);
}

static int64_t by_name(struct fixture *f, const char *username)
{
  struct ln_store_peer p;
  int err = ln_store_peer_by_username(f->store, f->account, ln_slice_str(username), &p);
  if (err == LN_E_NOT_FOUND) return 0;
  assert_int_equal(err, LN_OK);
  return p.id;
}

static void merging(struct fixture *f, bool memory)
{
  struct ln_store_peer none;
  fixture_open(f, memory);
  assert_int_equal(ln_store_peer_get(f->store, f->account, 1, &none), LN_E_NOT_FOUND);
  put_peer(f, 1, true, 11, "", "", "Min");
  assert_peer(f, 1, true, 11, "", "", "Min");
  put_peer(f, 1, true, 12, "", "", "Min 2");
  assert_peer(f, 1, true, 12, "", "", "Min 2");
  put_peer(f, 1, false, 0, "One", "", "Full"); /* a min's hash does not become a full one's */
  assert_peer(f, 1, false, 0, "One", "", "Full");
  put_peer(f, 1, false, -77, "One", "4912345", "Full");
  put_peer(f, 1, true, 13, "other", "999", "New name");
  assert_peer(f, 1, false, -77, "One", "4912345", "New name");
  put_peer(f, 1, true, 13, "", "", "");
  assert_peer(f, 1, false, -77, "One", "4912345", "New name");
  fixture_reopen(f, memory);
  assert_peer(f, 1, false, -77, "One", "4912345", "New name");
  put_peer(f, 1, false, 0, "", "", "Nameless"); /* no hash, no phone: kept; no username: gone */
  assert_peer(f, 1, false, -77, "", "4912345", "Nameless");
  put_peer(f, -1000000000001, false, INT64_MIN, "chan", "", "It's a \"channel\"; --");
  fixture_reopen(f, memory);
  assert_peer(f, 1, false, -77, "", "4912345", "Nameless");
  assert_peer(f, -1000000000001, false, INT64_MIN, "chan", "", "It's a \"channel\"; --");
}
BOTH(merging)

static void usernames(struct fixture *f, bool memory)
{
  fixture_open(f, memory);
  assert_true(by_name(f, "echo_bot") == 0);
  put_peer(f, 1, false, 1, "Echo_Bot", "", "A");
  assert_true(by_name(f, "echo_bot") == 1);
  fixture_reopen(f, memory);
  assert_true(by_name(f, "ECHO_BOT") == 1);
  assert_true(by_name(f, "echo_bo") == 0);
  assert_true(by_name(f, "") == 0);
  assert_true(by_name(f, "echo_bot' OR 1=1 --") == 0);
  put_peer(f, 1, false, 1, "renamed", "", "A");
  assert_true(by_name(f, "echo_bot") == 0); /* though the file may say otherwise still */
  assert_true(by_name(f, "renamed") == 1);
  fixture_reopen(f, memory);
  assert_true(by_name(f, "echo_bot") == 0);
  assert_true(by_name(f, "renamed") == 1);
}
BOTH(usernames)

static void a_username_moves_to_its_new_owner(struct fixture *f, bool memory)
{
  fixture_open(f, memory);
  put_peer(f, 1, false, 1, "famous", "", "Old");
  fixture_reopen(f, memory); /* the old owner is in the file alone */
  put_peer(f, 2, false, 2, "FAMOUS", "", "New");
  assert_true(by_name(f, "famous") == 2);
  assert_peer(f, 1, false, 1, "", "", "Old");
  fixture_reopen(f, memory);
  assert_true(by_name(f, "famous") == 2);
  assert_peer(f, 1, false, 1, "", "", "Old");
  put_peer(f, 1, false, 1, "famous", "", "Old"); /* and back, in memory */
  assert_true(by_name(f, "famous") == 1);
  assert_peer(f, 2, false, 2, "", "", "New");
}
BOTH(a_username_moves_to_its_new_owner)

static void accounts_do_not_mix(struct fixture *f, bool memory)
{
  struct ln_store_peer p = {.id = 1, .type = LN_PEER_USER, .username = ln_slice_str("same")};
  int32_t other;
  fixture_open(f, memory);
  assert_int_equal(ln_store_account(f->store, "other", &other), LN_OK);
  put_peer(f, 1, false, 111, "same", "", "");
  assert_int_equal(ln_store_peer_get(f->store, other, 1, &p), LN_E_NOT_FOUND);
  assert_int_equal(ln_store_peer_by_username(f->store, other, ln_slice_str("same"), &p), LN_E_NOT_FOUND);
  p = (struct ln_store_peer){.id = 1, .type = LN_PEER_USER, .username = ln_slice_str("same")};
  assert_int_equal(ln_store_peer_put(f->store, other, &p), LN_OK);
  fixture_reopen(f, memory);
  assert_peer(f, 1, false, 111, "same", "", "");
}
BOTH(accounts_do_not_mix)

static void bad_peers(struct fixture *f, bool memory)
{
  char text[600];
  memset(text, 'x', sizeof text);
  fixture_open(f, memory);
  struct ln_store_peer p = {.id = 1, .type = LN_PEER_USER, .username = ln_slice(text, 65)};
  assert_int_equal(ln_store_peer_put(f->store, f->account, &p), LN_E_TOOBIG);
  p = (struct ln_store_peer){.id = 1, .type = LN_PEER_USER, .phone = ln_slice(text, 33)};
  assert_int_equal(ln_store_peer_put(f->store, f->account, &p), LN_E_TOOBIG);
  p = (struct ln_store_peer){.id = 1, .type = LN_PEER_USER, .name = ln_slice(text, 513)};
  assert_int_equal(ln_store_peer_put(f->store, f->account, &p), LN_E_TOOBIG);
  p = (struct ln_store_peer){.id = 1, .type = (enum ln_peer_type)4};
  assert_int_equal(ln_store_peer_put(f->store, f->account, &p), LN_E_INVAL);
  p = (struct ln_store_peer){.id = 1, .type = LN_PEER_USER};
  assert_int_equal(ln_store_peer_put(f->store, f->account + 1, &p), LN_E_INVAL);
  p.username = ln_slice(text, 64);
  p.phone = ln_slice(text, 32);
  p.name = ln_slice(text, 512);
  assert_int_equal(ln_store_peer_put(f->store, f->account, &p), LN_OK);
  fixture_reopen(f, memory);
  assert_int_equal(ln_store_peer_get(f->store, f->account, 1, &p), LN_OK);
  assert_int_equal(p.username.n + p.phone.n + p.name.n, 64 + 32 + 512);
}
BOTH(bad_peers)

/* Three times the cache, so that most are read back from the file; every seventh loses its name to another.
 */
static void more_than_the_cache_holds(struct fixture *f, bool memory)
{
  char name[32];
  fixture_open(f, memory);
  for (int64_t i = 1; i <= 12000; i++) {
    snprintf(name, sizeof name, "user%ld", (long)(i % 7 ? i : i - 3));
    put_peer(f, i, false, i * 3, name, "", name);
    if (i % 1000 == 0) {
      assert_int_equal(ln_store_flush(f->store), LN_OK);
      ln_store_poll(f->store);
    }
  }
  for (int64_t i = 1; i <= 12000; i++) {
    snprintf(name, sizeof name, "user%ld", (long)(i % 7 ? i : i - 3));
    bool lost = (i + 3) % 7 == 0 && i + 3 <= 12000;
    if (i % 97 == 0 || lost) assert_peer(f, i, false, i * 3, lost ? "" : name, "", name);
    if (i % 89 == 0) assert_true(by_name(f, name) == (lost ? i + 3 : i));
  }
}
BOTH(more_than_the_cache_holds)

static void nothing_is_written_where_nothing_changes(void **state)
{
  struct fixture *f = *state;
  struct stat st, now;
  char wal[160];
  fixture_open(f, false);
  put_peer(f, 1, false, 1, "one", "", "One");
  assert_int_equal(ln_store_flush(f->store), LN_OK);
  snprintf(wal, sizeof wal, "%s-wal", f->path);
  assert_int_equal(stat(wal, &st), 0);
  for (int i = 0; i < 50; i++) {
    put_peer(f, 1, false, 1, "one", "", "One");
    assert_int_equal(ln_store_flush(f->store), LN_OK);
  }
  assert_int_equal(stat(wal, &now), 0);
  assert_true(now.st_size == st.st_size);
  put_peer(f, 1, false, 1, "one", "", "Two");
  assert_int_equal(ln_store_flush(f->store), LN_OK);
  assert_int_equal(stat(wal, &now), 0);
  assert_true(now.st_size > st.st_size);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST_BOTH(merging),
      TEST_BOTH(usernames),
      TEST_BOTH(a_username_moves_to_its_new_owner),
      TEST_BOTH(accounts_do_not_mix),
      TEST_BOTH(bad_peers),
      TEST_BOTH(more_than_the_cache_holds),
      TEST(nothing_is_written_where_nothing_changes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

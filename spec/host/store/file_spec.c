/* The session file among other files, users and processes: what is refused, and that what is refused stays as
 * it was. */
#include "store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include "store/file.h"

static char errtext[LN_STORE_ERRTEXT];

static int try_open(struct fixture *f, const char *path)
{
  return fixture_try_open(f, path, LN_DURABILITY_NORMAL, errtext);
}

static uint8_t *read_file(const char *path, size_t *n)
{
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  uint8_t *bytes = malloc(16 << 20);
  *n = fread(bytes, 1, 16 << 20, file);
  fclose(file);
  return bytes;
}

static void write_file(const char *path, const void *bytes, size_t n)
{
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  assert_true(fd >= 0);
  assert_true(write(fd, bytes, n) == (ssize_t)n);
  close(fd);
}

static int mode_of(const char *path, const char *suffix)
{
  char name[200];
  struct stat st;
  snprintf(name, sizeof name, "%s%s", path, suffix);
  return stat(name, &st) == 0 ? (int)(st.st_mode & 0777) : -1;
}

static void only_its_owner_may_read_it(void **state)
{
  struct fixture *f = *state;
  mode_t before = umask(0);
  fixture_open(f, false);
  put(f, "k", "v");
  assert_int_equal(ln_store_flush(f->store), LN_OK);
  assert_int_equal(mode_of(f->path, ""), 0600);
  assert_int_equal(mode_of(f->path, "-wal"), 0600);
  assert_int_equal(mode_of(f->path, "-shm"), 0600);
  fixture_close(f);
  assert_int_equal(mode_of(f->path, "-wal"), -1); /* a clean end leaves one file */
  assert_int_equal(chmod(f->path, 0666), 0);
  fixture_open(f, false);
  assert_int_equal(mode_of(f->path, ""), 0600);
  put(f, "k", "w");
  assert_int_equal(ln_store_flush(f->store), LN_OK);
  assert_int_equal(mode_of(f->path, "-wal"), 0600);
  umask(before);
}

static void names(void **state)
{
  struct fixture *f = *state;
  static const char *const odd[] = {
      "it's \"quoted\".session",      "a;b--.session", "file:x?mode=ro", "%s%n", "-wal",
      "\xf0\x9f\x8c\x99 \xff.session"};
  char path[200];
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
    snprintf(path, sizeof path, "%s/%s", f->folder, odd[i]);
    assert_int_equal(try_open(f, path), LN_OK);
    assert_int_equal(ln_store_account(f->store, "", &f->account), LN_OK);
    put(f, "k", odd[i]);
    fixture_close(f);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(try_open(f, path), LN_OK);
    assert_value(f, "k", odd[i]);
    fixture_close(f);
  }
}

static void places(void **state)
{
  struct fixture *f = *state;
  char path[200], other[200];
  struct stat st;
  snprintf(path, sizeof path, "%s/none/a.session", f->folder);
  assert_int_equal(try_open(f, path), LN_E_NOT_FOUND);
  assert_non_null(strstr(errtext, "folder"));
  assert_int_equal(try_open(f, f->folder), LN_E_PERMISSION);
  snprintf(path, sizeof path, "%s/", f->folder);
  assert_int_equal(try_open(f, path), LN_E_PERMISSION);
  assert_int_equal(try_open(f, ""), LN_E_PERMISSION);
  snprintf(path, sizeof path, "%s/fifo", f->folder);
  assert_int_equal(mkfifo(path, 0600), 0);
  assert_int_equal(try_open(f, path), LN_E_PERMISSION);

  /* A link could make us write to a file of somebody else's choice. */
  snprintf(path, sizeof path, "%s/link", f->folder);
  snprintf(other, sizeof other, "%s/target", f->folder);
  assert_int_equal(symlink(other, path), 0);
  assert_int_equal(try_open(f, path), LN_E_PERMISSION);
  assert_non_null(strstr(errtext, "link"));
  assert_int_equal(access(other, F_OK), -1);
  snprintf(path, sizeof path, "%s/b.session-wal", f->folder);
  assert_int_equal(symlink(other, path), 0);
  snprintf(path, sizeof path, "%s/b.session", f->folder);
  assert_int_equal(try_open(f, path), LN_E_PERMISSION);
  assert_int_equal(access(other, F_OK), -1);

  /* A link among the folders is the owner's business. */
  snprintf(path, sizeof path, "%s/folder-link", f->folder);
  assert_int_equal(symlink(f->folder, path), 0);
  snprintf(path, sizeof path, "%s/folder-link/c.session", f->folder);
  assert_int_equal(try_open(f, path), LN_OK);
  fixture_close(f);
  snprintf(path, sizeof path, "%s/c.session", f->folder);
  assert_int_equal(stat(path, &st), 0);
}

static void of_another_user(void **state)
{
  struct fixture *f = *state;
  if (geteuid() != 0) skip();
  fixture_open(f, false);
  fixture_close(f);
  assert_int_equal(chown(f->path, 1, 1), 0);
  assert_int_equal(try_open(f, f->path), LN_E_PERMISSION);
  assert_non_null(strstr(errtext, "another user"));
}

static void a_second_process_is_refused(void **state)
{
  struct fixture *f = *state;
  int ready[2], go[2];
  char c, pid_text[32];
  assert_int_equal(pipe(ready), 0);
  assert_int_equal(pipe(go), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    int err = try_open(f, f->path);
    c = err ? 'n' : 'y';
    if (write(ready[1], &c, 1) != 1 || read(go[0], &c, 1) != 1) _exit(1);
    ln_store_close(f->store);
    _exit(0);
  }
  assert_int_equal(read(ready[0], &c, 1), 1);
  assert_int_equal(c, 'y');
  assert_int_equal(try_open(f, f->path), LN_E_BUSY);
  assert_non_null(strstr(errtext, f->path));
  snprintf(pid_text, sizeof pid_text, "process %ld", (long)child);
  if (access("/proc/locks", R_OK) == 0) assert_non_null(strstr(errtext, pid_text));
  assert_int_equal(write(go[1], "x", 1), 1);
  int status;
  assert_true(waitpid(child, &status, 0) == child);
  assert_int_equal(status, 0);
  fixture_open(f, false);
  struct ln_store *first = f->store; /* and the same process twice: no */
  assert_int_equal(try_open(f, f->path), LN_E_BUSY);
  f->store = first;
  put(f, "k", "v"); /* the attempt has not taken SQLite's locks from the first */
  assert_int_equal(ln_store_flush(f->store), LN_OK);
  close(ready[0]), close(ready[1]), close(go[0]), close(go[1]);
}

/* What is left of a killed process: its first thread is gone, another still runs, and with it every file is
 * open. */
static void *rest_of_a_process(void *watch)
{
  char *path = watch, name[64], target[200] = "";
  for (bool seen = false; !seen; sched_yield()) { /* until the spec has the file open too */
    for (int fd = 0; fd < 64 && !seen; fd++) {
      snprintf(name, sizeof name, "/proc/%ld/fd/%d", (long)getppid(), fd);
      ssize_t n = readlink(name, target, sizeof target - 1);
      if (n > 0) target[n] = 0;
      seen = n > 0 && strcmp(target, path) == 0;
    }
    if (getppid() == 1) break;
  }
  _exit(0);
}

static void a_killed_process_is_waited_for(void **state)
{
  struct fixture *f = *state;
  int ready[2];
  char c;
  if (access("/proc/locks", R_OK) != 0) skip();
  assert_int_equal(pipe(ready), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    pthread_t thread;
    struct ln_store_file file;
    if (ln_store_file_open(f->path, &file, errtext) ||
        pthread_create(&thread, NULL, rest_of_a_process, file.path))
      _exit(1);
    if (write(ready[1], "y", 1) != 1) _exit(1);
    pthread_exit(NULL);
  }
  close(ready[1]);
  assert_int_equal(read(ready[0], &c, 1), 1);
  /* A zombie as far as the kernel's list goes. */
  char name[48], text[256] = "";
  snprintf(name, sizeof name, "/proc/%ld/stat", (long)child);
  while (!strstr(text, ") Z")) {
    FILE *stat = fopen(name, "r");
    assert_non_null(stat);
    assert_non_null(fgets(text, sizeof text, stat));
    fclose(stat);
  }
  assert_int_equal(try_open(f, f->path), LN_OK);
  int status;
  assert_true(waitpid(child, &status, 0) == child);
  assert_int_equal(status, 0);
  close(ready[0]);
}

static void assert_untouched(struct fixture *f, const void *bytes, size_t n, int want)
{
  size_t now_n;
  write_file(f->path, bytes, n);
  int err = try_open(f, f->path);
  if (want)
    assert_int_equal(err, want);
  else
    assert_true(err == LN_E_CORRUPT || err == LN_E_BAD_VALUE);
  assert_null(f->store);
  assert_true(strlen(errtext) > 10);
  uint8_t *now = read_file(f->path, &now_n);
  assert_int_equal(now_n, n);
  assert_memory_equal(now, bytes, n);
  free(now);
}

static void what_is_not_ours_is_left_alone(void **state)
{
  struct fixture *f = *state;
  sqlite3 *db;
  size_t n;
  static const size_t few[] = {1, 15, 16, 99, 100, 511, 512, 4095};
  for (size_t i = 0; i < sizeof few / sizeof *few; i++) {
    char bytes[4096] = "SQLite format 3";
    assert_untouched(f, bytes, few[i], 0);
    assert_untouched(f, memset(bytes, i ? 0 : 'x', sizeof bytes), few[i], 0);
  }
  char text[5000];
  memset(text, 'a', sizeof text);
  assert_untouched(f, text, sizeof text, LN_E_BAD_VALUE);

  char other[200];
  snprintf(other, sizeof other, "%s/other.db", f->folder);
  assert_int_equal(sqlite3_open(other, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "CREATE TABLE accounts(id, name); INSERT INTO accounts VALUES(1, 'x')",
                                NULL, NULL, NULL),
                   SQLITE_OK);
  sqlite3_close(db);
  uint8_t *bytes = read_file(other, &n);
  assert_untouched(f, bytes, n, LN_E_BAD_VALUE);
  free(bytes);
  unlink(f->path);

  fixture_open(f, false);
  put(f, "k", "v");
  fixture_close(f);
  bytes = read_file(f->path, &n);
  bytes[63] = 99; /* user_version */
  assert_untouched(f, bytes, n, LN_E_BAD_VALUE);
  assert_non_null(strstr(errtext, "version"));
  free(bytes);
}

static void a_session_without_a_table_or_a_column_is_damaged(void **state)
{
  struct fixture *f = *state;
  static const char *const harm[] = {"DROP TABLE inbox", "DROP INDEX peers_by_username",
                                     "ALTER TABLE accounts RENAME COLUMN name TO title"};
  for (size_t i = 0; i < sizeof harm / sizeof *harm; i++) {
    sqlite3 *db;
    size_t n;
    unlink(f->path);
    fixture_open(f, false);
    put(f, "k", "v");
    fixture_close(f);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE of_somebody_else(x)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    fixture_open(f, false); /* more than we made is no harm */
    fixture_close(f);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, harm[i], NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    uint8_t *bytes = read_file(f->path, &n);
    assert_untouched(f, bytes, n, LN_E_CORRUPT);
    assert_non_null(strstr(errtext, "a table is missing"));
    free(bytes);
  }
}

static void an_empty_file_becomes_a_session(void **state)
{
  struct fixture *f = *state;
  write_file(f->path, "", 0);
  fixture_open(f, false);
  put(f, "k", "v");
  fixture_reopen(f, false);
  assert_value(f, "k", "v");
}

static void fill(struct fixture *f, size_t value_size)
{
  static char value[4000];
  char key[32];
  struct ln_store_auth auth = {.salt = 1};
  fixture_open(f, false);
  memset(value, 'v', sizeof value);
  for (int i = 0; i < 300; i++) {
    snprintf(key, sizeof key, "key%d", i);
    assert_int_equal(ln_store_set(f->store, f->account, key, ln_slice(value, value_size)), LN_OK);
    struct ln_store_peer p = {
        .id = i + 1, .type = LN_PEER_USER, .username = ln_slice_str(key), .name = ln_slice(value, 50)};
    assert_int_equal(ln_store_peer_put(f->store, f->account, &p), LN_OK);
  }
  assert_int_equal(ln_store_auth_set(f->store, f->account, 2, LN_AUTH_MAIN, &auth), LN_OK);
  fixture_close(f);
}

/* Everything that a bot reads. Any code will do; what counts is that it returns. */
static void read_all(struct fixture *f)
{
  struct ln_store_auth auth;
  struct ln_store_peer p;
  struct ln_buf b;
  char key[32];
  ln_buf_init(&b, 64 << 20);
  ln_store_auth_get(f->store, f->account, 2, LN_AUTH_MAIN, &auth);
  for (int i = 0; i < 300; i++) {
    snprintf(key, sizeof key, "key%d", i);
    ln_store_get(f->store, f->account, key, &b);
    ln_store_peer_get(f->store, f->account, i + 1, &p);
    ln_store_peer_by_username(f->store, f->account, ln_slice_str(key), &p);
  }
  ln_buf_deinit(&b);
}

static void damage_never_crashes(void **state)
{
  struct fixture *f = *state;
  size_t n;
  unsigned refused = 0, random = 12345;
  fill(f, 100);
  uint8_t *good = read_file(f->path, &n), *bad = malloc(n);
  assert_true(n > 20 * 4096);
  for (int round = 0; round < 250; round++) {
    memcpy(bad, good, n);
    int flips = 1 + round % 8;
    for (int i = 0; i < flips; i++) {
      random = random * 1103515245 + 12345;
      /* Half of them in the page heads, where it hurts most. */
      size_t at = round % 2 ? (random >> 4) % n : (random >> 4) % (n / 4096) * 4096 + (random >> 24) % 100;
      bad[at] ^= (uint8_t)(1 + (random >> 16) % 255);
    }
    write_file(f->path, bad, n);
    int err = try_open(f, f->path);
    if (err) {
      size_t now_n;
      uint8_t *now = read_file(f->path, &now_n);
      assert_int_equal(now_n, n);
      assert_memory_equal(now, bad, n);
      free(now);
      refused++;
      continue;
    }
    if (ln_store_account(f->store, "", &f->account) == LN_OK) read_all(f);
    fixture_close(f);
  }
  assert_true(refused > 50);
  for (size_t cut = 1; cut < n; cut += 1511) {
    write_file(f->path, good, cut);
    if (cut < n - 4096) {
      assert_untouched(f, good, cut, 0);
    } else if (try_open(f, f->path) == LN_OK) {
      fixture_close(f);
    }
  }
  free(good);
  free(bad);
}

static void a_key_is_wiped_from_no_damaged_file(void **state)
{
  /* The file's first page is fine and says "ours"; a table's root is not: it must be refused, not made anew.
   */
  struct fixture *f = *state;
  size_t n;
  fill(f, 100);
  uint8_t *bytes = read_file(f->path, &n);
  for (size_t page = 1; page < 8; page++) memset(bytes + page * 4096, 0xff, 64);
  assert_untouched(f, bytes, n, LN_E_CORRUPT);
  assert_non_null(strstr(errtext, "damaged"));
  free(bytes);
}

static void damage_found_while_running(void **state)
{
  struct fixture *f = *state;
  struct ln_buf b;
  fill(f, 4000); /* more than SQLite's cache holds: the check at opening has read it all */
  fixture_open(f, false);
  ln_buf_init(&b, 5000);
  int fd = open(f->path, O_RDWR);
  assert_true(fd >= 0);
  static uint8_t junk[800 * 4096];
  memset(junk, 0xa5, sizeof junk);
  struct stat st;
  assert_int_equal(fstat(fd, &st), 0);
  size_t n = (size_t)st.st_size - 4096;
  assert_true(n <= sizeof junk);
  assert_true(pwrite(fd, junk, n, 4096) == (ssize_t)n);
  /* fd stays open: closing it would drop SQLite's locks. */
  int err = LN_OK;
  for (int i = 0; i < 300 && err != LN_E_CORRUPT; i++) {
    char key[32];
    snprintf(key, sizeof key, "key%d", i);
    err = ln_store_get(f->store, f->account, key, &b);
    ln_buf_clear(&b);
  }
  assert_int_equal(err, LN_E_CORRUPT);
  assert_int_equal(ln_store_status(f->store), LN_E_CORRUPT);
  assert_int_equal(ln_store_set(f->store, f->account, "k", ln_slice("v", 1)), LN_E_CORRUPT);
  assert_int_equal(ln_store_flush(f->store), LN_E_CORRUPT);
  while (!f->status_calls) fixture_wait(f);
  assert_int_equal(f->last_status, LN_E_CORRUPT);
  fixture_close(f);
  close(fd);
  ln_buf_deinit(&b);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(only_its_owner_may_read_it),
      TEST(names),
      TEST(places),
      TEST(of_another_user),
      TEST(a_second_process_is_refused),
      TEST(a_killed_process_is_waited_for),
      TEST(what_is_not_ours_is_left_alone),
      TEST(a_session_without_a_table_or_a_column_is_damaged),
      TEST(an_empty_file_becomes_a_session),
      TEST(damage_never_crashes),
      TEST(a_key_is_wiped_from_no_damaged_file),
      TEST(damage_found_while_running),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Session files that are damaged or made by somebody else: opening one ends in a session or in an error,
 * whatever is in it, and a file that is refused stays as it is. The input is a list of changes to a good file
 * (5 bytes each: where, what), or, where its first byte is odd, the file itself. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_FILE ((size_t)1 << 20)

static char folder[64], path[96];
static uint8_t good[MAX_FILE], file[MAX_FILE], after[MAX_FILE];
static size_t n_good;

static void check(bool holds)
{
  if (!holds) abort();
}

static size_t read_file(uint8_t *out)
{
  FILE *f = fopen(path, "rb");
  check(f != NULL);
  size_t n = fread(out, 1, MAX_FILE, f);
  fclose(f);
  return n;
}

static void remove_all(void)
{
  static const char *const suffix[] = {"", "-wal", "-shm", "-journal", ".lock", "-lock"};
  char name[128];
  for (size_t i = 0; i < sizeof suffix / sizeof suffix[0]; i++) {
    snprintf(name, sizeof name, "%s%s", path, suffix[i]);
    unlink(name);
  }
}

static void at_exit(void)
{
  remove_all();
  rmdir(folder);
}

static int each_update(void *ctx, const struct ln_store_update *u)
{
  (void)ctx;
  check(u->body.n == 0 || u->body.p != NULL);
  return 0;
}

static void each_box(void *ctx, int64_t box, int32_t pts)
{
  (void)ctx;
  (void)box;
  (void)pts;
}

/* Asks for all that is in it, and writes a little. */
static void use(struct ln_store *s)
{
  int32_t accounts[256], account;
  struct ln_store_auth auth;
  struct ln_store_peer peer;
  struct ln_buf value;
  uint64_t seq;
  size_t n = ln_store_accounts(s, accounts, 256);
  for (size_t i = 0; i < n && i < 256; i++) {
    account = accounts[i];
    check(ln_store_account_name(s, account) != NULL);
    ln_buf_init(&value, (size_t)16 << 20);
    ln_store_get(s, account, "self", &value);
    ln_buf_deinit(&value);
    for (int32_t dc = 1; dc < 4; dc++) ln_store_auth_get(s, account, dc, LN_AUTH_MAIN, &auth);
    ln_store_peer_get(s, account, 5, &peer);
    ln_store_peer_get(s, account, -1000000000007, &peer);
    ln_store_peer_by_username(s, account, ln_slice((const uint8_t *)"alice", 5), &peer);
    ln_store_pts_each(s, account, each_box, NULL);
    ln_store_inbox_each(s, account, 0, 0, each_update, NULL);
  }
  if (ln_store_account(s, "", &account)) return;
  ln_store_set(s, account, "self", ln_slice((const uint8_t *)"new", 3));
  struct ln_store_update u = {0, 1, 5, 230, ln_slice((const uint8_t *)"body", 4)};
  if (ln_store_inbox_add(s, account, &u, &seq) == LN_OK) ln_store_inbox_done(s, seq);
  ln_store_flush(s);
  ln_store_poll(s);
}

static void make_good(void)
{
  struct ln_store_config config = {path, LN_DURABILITY_OFF, NULL, NULL, NULL};
  struct ln_store *s;
  char why[LN_STORE_ERRTEXT];
  int32_t account;
  uint64_t seq;
  struct ln_store_auth auth = {.salt = 7, .created = 1, .n_salts = 2};
  snprintf(folder, sizeof folder, "/tmp/luna-fuzz-XXXXXX");
  check(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/s.session", folder);
  atexit(at_exit);
  check(ln_store_open(&config, &s, why) == LN_OK);
  check(ln_store_account(s, "", &account) == LN_OK);
  ln_store_set(s, account, "self", ln_slice((const uint8_t *)"value", 5));
  ln_store_auth_set(s, account, 2, LN_AUTH_MAIN, &auth);
  struct ln_store_peer peer = {.id = 5,
                               .type = LN_PEER_USER,
                               .has_hash = true,
                               .access_hash = 9,
                               .username = ln_slice((const uint8_t *)"alice", 5)};
  ln_store_peer_put(s, account, &peer);
  ln_store_pts_set(s, account, -1000000000007, 12);
  struct ln_store_update u = {0, 1, 5, 230, ln_slice((const uint8_t *)"body", 4)};
  ln_store_inbox_add(s, account, &u, &seq);
  check(ln_store_flush(s) == LN_OK);
  ln_store_poll(s);
  ln_store_close(s);
  n_good = read_file(good);
  check(n_good > 0 && n_good < MAX_FILE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct ln_store *s = NULL;
  char why[LN_STORE_ERRTEXT] = "";
  size_t n = n_good;
  if (!n_good) make_good();
  if (!size) return 0;
  if (data[0] & 1) {
    n = size - 1;
    memcpy(file, data + 1, n);
  } else {
    n = n_good;
    memcpy(file, good, n);
    for (size_t i = 1; i + 5 <= size; i += 5) {
      size_t where = ((size_t)data[i] << 16 | (size_t)data[i + 1] << 8 | data[i + 2]) % n_good;
      if (data[i + 3] == 0xff)
        n = where + 1; /* cut off */
      else if (data[i + 3] & 1)
        where %= 4096; /* where SQLite keeps what it goes by */
      file[where] = data[i + 4];
    }
  }
  remove_all();
  int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
  check(fd >= 0 && write(fd, file, n) == (ssize_t)n);
  close(fd);
  struct ln_store_config config = {path, LN_DURABILITY_OFF, NULL, NULL, NULL};
  int err = ln_store_open(&config, &s, why);
  if (err) {
    check(s == NULL && why[0] != 0 && memchr(why, 0, sizeof why) != NULL);
    check(err == LN_E_CORRUPT || err == LN_E_BAD_VALUE || err == LN_E_IO || err == LN_E_NOMEM);
    check(read_file(after) == n && memcmp(file, after, n) == 0); /* refused, so not touched */
    return 0;
  }
  use(s);
  ln_store_close(s);
  return 0;
}

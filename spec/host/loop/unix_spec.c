/* Sockets of unix.h: who may reach them, what is replaced and what is left alone. */
#include "loop/unix.h"
#include "place.h"

#include <errno.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static struct {
  struct place at;
  int accepted;
  struct ln_stream *server, *client;
  char got[64];
  bool client_closed;
} t;

static int set_up(void **state)
{
  (void)state;
  memset(&t, 0, sizeof t);
  return place_open(&t.at, "a.sock");
}

static int tear_down(void **state)
{
  (void)state;
  return place_close(&t.at);
}

static void run(void)
{
  if (!place_run(&t.at, 10 * LN_US_PER_S)) fail_msg("nobody has stopped the loop");
}

static void server_data(void *ctx, struct ln_buf *in)
{
  (void)ctx;
  ln_buf_append(ln_stream_out(t.server), ln_buf_data(in), in->len);
  ln_buf_clear(in);
  ln_stream_send(t.server);
}

static void server_close(void *ctx, int err, const char *why)
{
  (void)ctx, (void)err, (void)why;
  t.server = NULL;
}

static void client_data(void *ctx, struct ln_buf *in)
{
  (void)ctx;
  assert_true(in->len < sizeof t.got);
  memcpy(t.got, ln_buf_data(in), in->len);
  ln_buf_clear(in);
  ln_loop_stop(t.at.loop);
}

static void client_close(void *ctx, int err, const char *why)
{
  (void)ctx, (void)err, (void)why;
  t.client = NULL;
  t.client_closed = true;
  ln_loop_stop(t.at.loop);
}

static const struct ln_stream_ops server_ops = {.on_data = server_data, .on_close = server_close};
static const struct ln_stream_ops client_ops = {.on_data = client_data, .on_close = client_close};

static void on_accept(void *ctx, struct ln_stream *s)
{
  (void)ctx;
  t.accepted++;
  t.server = s;
  ln_stream_adopt(s, &server_ops, NULL);
}

static int listen_at(const char *path, struct ln_listener **out)
{
  const char *why = NULL;
  *out = NULL;
  int err = ln_unix_listen(t.at.loop, path, true, on_accept, NULL, out, &why);
  if (err) assert_non_null(why);
  return err;
}

static void dial(void)
{
  const char *why;
  assert_int_equal(ln_unix_dial(t.at.loop, t.at.path, &t.client, &why), LN_OK);
  ln_stream_adopt(t.client, &client_ops, NULL);
}

static void carries_bytes_both_ways_and_ends(void **state)
{
  (void)state;
  struct ln_listener *l;
  struct stat st;
  assert_int_equal(listen_at(t.at.path, &l), LN_OK);
  assert_int_equal(lstat(t.at.path, &st), 0);
  assert_true(S_ISSOCK(st.st_mode));
  assert_int_equal(st.st_mode & 07777, 0600);
  dial();
  ln_buf_append(ln_stream_out(t.client), "hello", 5);
  ln_stream_send(t.client);
  run();
  assert_string_equal(t.got, "hello");
  ln_stream_close(t.server);
  run();
  assert_true(t.client_closed);
  ln_listener_close(l);
  assert_int_equal(lstat(t.at.path, &st), -1);
}

static void shows_what_came_without_taking_it(void **state)
{
  (void)state;
  struct ln_listener *l;
  assert_int_equal(listen_at(t.at.path, &l), LN_OK);
  dial();
  ln_buf_append(ln_stream_out(t.client), "ab\3", 3);
  ln_stream_send(t.client);
  run();
  assert_memory_equal(t.got, "ab\3", 3);
  assert_false(ln_unix_peek(t.client, 3));
  ln_buf_append(ln_stream_out(t.server), "x\3y", 3);
  ln_stream_send(t.server);
  assert_true(ln_unix_peek(t.client, 3)); /* no turn of the loop since */
  assert_true(ln_unix_peek(t.client, 3));
  assert_false(ln_unix_peek(t.client, 4));
  run();
  assert_memory_equal(t.got, "x\3y", 3);
  ln_stream_close(t.client);
  ln_listener_close(l);
}

static void replaces_its_own_dead_socket_alone(void **state)
{
  (void)state;
  struct ln_listener *l, *second;
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  strcpy(at.sun_path, t.at.path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
  close(fd); /* as after kill -9: the file stays */
  assert_int_equal(listen_at(t.at.path, &l), LN_OK);
  assert_int_equal(listen_at(t.at.path, &second), LN_E_BUSY);
  ln_listener_close(l);
}

static void leaves_files_and_links_alone(void **state)
{
  (void)state;
  struct ln_listener *l;
  struct stat st;
  char other[100];
  FILE *f = fopen(t.at.path, "w");
  fclose(f);
  assert_int_equal(listen_at(t.at.path, &l), LN_E_PERMISSION);
  assert_int_equal(lstat(t.at.path, &st), 0);
  assert_true(S_ISREG(st.st_mode));
  unlink(t.at.path);
  snprintf(other, sizeof other, "%s/other", t.at.folder);
  assert_int_equal(symlink(other, t.at.path), 0);
  assert_int_equal(listen_at(t.at.path, &l), LN_E_PERMISSION);
  assert_int_equal(lstat(other, &st), -1);
  const char *why;
  struct ln_stream *s;
  assert_int_equal(ln_unix_dial(t.at.loop, t.at.path, &s, &why), LN_E_PERMISSION);
}

static void wants_a_folder_of_its_own(void **state)
{
  (void)state;
  struct ln_listener *l;
  char link[80], inside[100], longer[300];
  assert_int_equal(chmod(t.at.folder, 0755), 0);
  assert_int_equal(listen_at(t.at.path, &l), LN_E_PERMISSION);
  assert_int_equal(chmod(t.at.folder, 0700), 0);
  snprintf(link, sizeof link, "%s.link", t.at.folder);
  snprintf(inside, sizeof inside, "%s/a.sock", link);
  assert_int_equal(symlink(t.at.folder, link), 0);
  assert_int_equal(listen_at(inside, &l), LN_E_PERMISSION);
  unlink(link);
  memset(longer, 'a', sizeof longer);
  longer[0] = '/';
  longer[sizeof longer - 1] = 0;
  assert_int_equal(listen_at(longer, &l), LN_E_IO);
  assert_int_equal(listen_at("a.sock", &l), LN_E_IO);
}

static void leaves_a_socket_that_came_after_its_own(void **state)
{
  (void)state;
  struct ln_listener *l;
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  struct stat st;
  strcpy(at.sun_path, t.at.path);
  assert_int_equal(listen_at(t.at.path, &l), LN_OK);
  char kept[100];
  snprintf(kept, sizeof kept, "%s/kept", t.at.folder);
  assert_int_equal(rename(t.at.path, kept), 0); /* so that the number of the file is not used again */
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
  ln_listener_close(l);
  assert_int_equal(lstat(t.at.path, &st), 0);
  close(fd);
  unlink(kept);
}

/* As another user: 0 refused by the system, 1 connected and closed at once, 2 anything else. */
static int knock_as_nobody(void)
{
  struct passwd *nobody = getpwnam("nobody");
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  char byte;
  strcpy(at.sun_path, t.at.path);
  if (!nobody || setgid(nobody->pw_gid) != 0 || setuid(nobody->pw_uid) != 0) return 2;
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0) return errno == EACCES ? 0 : 2;
  ssize_t n = read(fd, &byte, 1);
  return n == 0 || (n < 0 && errno == ECONNRESET) ? 1 : 2;
}

static void child_ended(void *ctx, int signo)
{
  (void)ctx, (void)signo;
  ln_loop_stop(t.at.loop);
}

static int outcome(void)
{
  int status = 0;
  struct ln_signal *s;
  assert_int_equal(ln_signal_open(t.at.loop, SIGCHLD, child_ended, NULL, &s), LN_OK);
  pid_t pid = fork();
  if (pid == 0) _exit(knock_as_nobody());
  run();
  waitpid(pid, &status, 0);
  ln_signal_close(s);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void refuses_another_user(void **state)
{
  (void)state;
  struct ln_listener *l;
  if (geteuid() != 0 || !getpwnam("nobody")) skip();
  assert_int_equal(listen_at(t.at.path, &l), LN_OK);
  assert_int_equal(outcome(), 0);
  /* Even where the modes have been loosened since. */
  assert_int_equal(chmod(t.at.folder, 0755), 0);
  assert_int_equal(chmod(t.at.path, 0666), 0);
  assert_int_equal(outcome(), 1);
  assert_int_equal(t.accepted, 0);
  ln_listener_close(l);
}

int main(void)
{
#define SPEC(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      SPEC(carries_bytes_both_ways_and_ends),
      SPEC(shows_what_came_without_taking_it),
      SPEC(replaces_its_own_dead_socket_alone),
      SPEC(leaves_files_and_links_alone),
      SPEC(wants_a_folder_of_its_own),
      SPEC(leaves_a_socket_that_came_after_its_own),
      SPEC(refuses_another_user),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

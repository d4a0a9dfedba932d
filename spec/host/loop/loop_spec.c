/* The turn of the loop: deferred calls, idle hook, wakers, worker, signals, polls; and that nothing is left
 * open at the end (the sanitizers' part). */
#include "spec.h"
#include "loop/internal.h" /* for the time of the last poll */
#include "loop/poll.h"
#include "loop/timer.h"
#include "loop/worker.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static struct ln_loop *loop;
static char log_text[256];

static void note(const char *what)
{
  strncat(log_text, what, sizeof log_text - strlen(log_text) - 1);
}

static int set_up(void **state)
{
  (void)state;
  log_text[0] = 0;
  return ln_loop_new(&loop);
}

static int tear_down(void **state)
{
  (void)state;
  ln_loop_free(loop);
  return 0;
}

struct call {
  struct ln_deferred d;
  const char *name;
  struct call *queue;     /* to be queued by it */
  struct call *take;      /* to be taken out by it */
  struct call *next_turn; /* to be queued for the next turn by it */
  bool stop;
};

static void on_call(struct ln_deferred *d)
{
  struct call *c = (struct call *)d;
  note(c->name);
  if (c->queue) ln_loop_defer(loop, &c->queue->d);
  if (c->next_turn) ln_loop_defer_turn(loop, &c->next_turn->d);
  if (c->take) ln_loop_undefer(loop, &c->take->d);
  if (c->stop) ln_loop_stop(loop);
}

#define CALL(...)                     \
  {                                   \
    .d = {.fn = on_call}, __VA_ARGS__ \
  }

static void defers_in_order(void **state)
{
  (void)state;
  struct call stop = CALL(.name = "!", .stop = true);
  struct call last = CALL(.name = "5", .queue = &stop);
  struct call four = CALL(.name = "4", .queue = &last);
  struct call one = CALL(.name = "1", .queue = &four), two = CALL(.name = "2"), three = CALL(.name = "3");
  ln_loop_defer(loop, &one.d);
  ln_loop_defer(loop, &two.d);
  ln_loop_defer(loop, &one.d); /* queued already */
  ln_loop_defer(loop, &three.d);
  ln_loop_run(loop);
  assert_string_equal(log_text, "12345!");
}

static void undefer_in_queue_and_in_the_turn(void **state)
{
  (void)state;
  struct call stop = CALL(.name = "!", .stop = true);
  struct call gone = CALL(.name = "x"), never = CALL(.name = "y"), two = CALL(.name = "2");
  struct call one = CALL(.name = "1", .take = &gone);
  ln_loop_defer(loop, &one.d);
  ln_loop_defer(loop, &never.d);
  ln_loop_defer(loop, &gone.d); /* the last of the batch */
  ln_loop_undefer(loop, &never.d);
  ln_loop_defer(loop, &two.d);
  ln_loop_defer(loop, &stop.d);
  ln_loop_run(loop);
  assert_string_equal(log_text, "12!");
  assert_false(gone.d.queued);
  ln_loop_undefer(loop, &gone.d);
}

static void undefer_the_last_keeps_the_queue(void **state)
{
  (void)state;
  struct call a = CALL(.name = "a"), b = CALL(.name = "b"), stop = CALL(.name = "!", .stop = true);
  ln_loop_defer(loop, &a.d);
  ln_loop_defer(loop, &b.d);
  ln_loop_undefer(loop, &b.d);
  ln_loop_defer(loop, &stop.d);
  ln_loop_run(loop);
  assert_string_equal(log_text, "a!");
}

static void for_the_next_turn(void **state)
{
  (void)state;
  struct call stop = CALL(.name = "!", .stop = true), never = CALL(.name = "x");
  struct call later = CALL(.name = "3", .queue = &stop), soon = CALL(.name = "2", .take = &never);
  struct call one = CALL(.name = "1", .queue = &soon, .next_turn = &later);
  ln_loop_defer(loop, &one.d);
  ln_loop_defer_turn(loop, &never.d);
  ln_loop_undefer(loop, &never.d);
  ln_loop_defer_turn(loop, &never.d);
  ln_loop_run(loop);
  assert_string_equal(log_text, "x123!"); /* that of before first; `later` behind all of its turn */
}

/* What queues itself for ever leaves room for everything else. */
static void endless_defers_do_not_starve(void **state)
{
  (void)state;
  struct call again = CALL(.name = ""), stop = CALL(.name = "!", .stop = true);
  again.queue = &again;
  again.next_turn = &stop;
  ln_loop_defer(loop, &again.d);
  ln_loop_run(loop);
  assert_string_equal(log_text, "!");
  ln_loop_undefer(loop, &again.d);
}

static struct call *idle_queues;
static int idle_left;

static bool on_idle(void *ctx)
{
  (void)ctx;
  note("i");
  if (idle_left-- > 0) return true; /* "something was made ready": it must be called again */
  ln_loop_defer(loop, &idle_queues->d);
  return false; /* what it queued must run although it says no */
}

static void idle_hook(void **state)
{
  (void)state;
  struct call stop = CALL(.name = "!", .stop = true), two = CALL(.name = "2"),
              one = CALL(.name = "1", .queue = &two);
  idle_queues = &stop;
  idle_left = 2;
  ln_loop_set_idle(loop, on_idle, NULL);
  ln_loop_defer(loop, &one.d);
  ln_loop_run(loop);
  assert_string_equal(log_text, "12iii!"); /* not while `two` was queued */
}

/* --- the thread's side --- */

struct thread_job {
  struct ln_waker *waker;
  pthread_t self;
  int woken;
};

static void *wake_thrice(void *arg)
{
  struct thread_job *j = arg;
  for (int i = 0; i < 3; i++) ln_waker_wake(j->waker);
  return NULL;
}

static void on_wake(void *ctx)
{
  struct thread_job *j = ctx;
  assert_true(pthread_equal(j->self, pthread_self()));
  j->woken++;
  ln_loop_stop(loop);
}

static void waker_from_a_thread(void **state)
{
  (void)state;
  struct thread_job j = {.self = pthread_self()};
  pthread_t t;
  assert_int_equal(ln_waker_open(loop, on_wake, &j, &j.waker), LN_OK);
  assert_int_equal(pthread_create(&t, NULL, wake_thrice, &j), 0);
  ln_loop_run(loop); /* blocks: the wake has to end that */
  pthread_join(t, NULL);
  assert_in_range(j.woken, 1, 3);
  ln_waker_close(j.waker);
}

struct heavy {
  pthread_t ran_on;
  int held_at_done, held_before;
  bool ran;
};

struct busy {
  struct ln_timer timer;
  struct ln_deferred d;
  int turns;
};

static void on_no_time(struct ln_timer *t)
{
  struct busy *b = (struct busy *)t;
  b->turns++;
  ln_timer_start(ln_loop_clock(loop), t, ln_clock_fresh(ln_loop_clock(loop)));
}

static void on_each_turn(struct ln_deferred *d)
{
  struct busy *b = (struct busy *)((char *)d - offsetof(struct busy, d));
  b->turns++;
  ln_loop_defer_turn(loop, d);
}

/* Some turns in a row go without a look at what else there is, but not many. */
static void busy_turns_do_not_starve_io(void **state)
{
  (void)state;
  struct busy b = {.timer = {.fn = on_no_time}, .d = {.fn = on_each_turn}};
  for (int timers = 0; timers < 2; timers++) {
    struct thread_job j = {.self = pthread_self()};
    b.turns = 0;
    if (timers)
      ln_timer_start(ln_loop_clock(loop), &b.timer, 0);
    else
      ln_loop_defer_turn(loop, &b.d);
    assert_int_equal(ln_waker_open(loop, on_wake, &j, &j.waker), LN_OK);
    ln_waker_wake(j.waker);
    ln_loop_run(loop);
    assert_int_equal(j.woken, 1);
    assert_in_range(b.turns, 4, 100);
    ln_waker_close(j.waker);
    ln_timer_stop(&b.timer);
    ln_loop_undefer(loop, &b.d);
  }
}

static void heavy_run(void *ctx)
{
  struct heavy *h = ctx;
  h->ran_on = pthread_self();
  h->ran = true;
}

static void heavy_done(void *ctx)
{
  struct heavy *h = ctx;
  h->held_at_done = ln_loop_held(loop);
  ln_loop_stop(loop);
}

static void worker_runs_elsewhere(void **state)
{
  (void)state;
  struct heavy h = {.held_at_done = -1};
  assert_int_equal(ln_worker_run(loop, heavy_run, heavy_done, &h), LN_OK);
  h.held_before = ln_loop_held(loop);
  ln_loop_run(loop);
  assert_true(h.ran);
  assert_false(pthread_equal(h.ran_on, pthread_self()));
  assert_int_equal(h.held_before, 1);
  assert_int_equal(h.held_at_done, 0);
}

static void worker_ends_before_the_loop_is_freed(void **state)
{
  (void)state;
  static struct heavy h;
  struct ln_loop *other;
  assert_int_equal(ln_loop_new(&other), LN_OK);
  assert_int_equal(ln_worker_run(other, heavy_run, heavy_done, &h), LN_OK);
  ln_loop_free(other);
  assert_true(h.ran);
}

/* --- signals and descriptors --- */

static void on_signal(void *ctx, int signo)
{
  int *count = ctx;
  assert_int_equal(signo, SIGUSR1);
  ++*count;
  note("s");
  if (strlen(log_text) == 2) ln_loop_stop(loop);
}

static void signals_reach_each_watcher(void **state)
{
  (void)state;
  int a = 0, b = 0, never = 0;
  struct ln_signal *sa, *sb, *closed;
  assert_int_equal(ln_signal_open(loop, SIGUSR1, on_signal, &a, &sa), LN_OK);
  assert_int_equal(ln_signal_open(loop, SIGUSR1, on_signal, &b, &sb), LN_OK);
  assert_int_equal(ln_signal_open(loop, SIGUSR1, on_signal, &never, &closed), LN_OK);
  ln_signal_close(closed);
  kill(getpid(), SIGUSR1);
  ln_loop_run(loop);
  assert_int_equal(a, 1);
  assert_int_equal(b, 1);
  assert_int_equal(never, 0);
  ln_signal_close(sa); /* sb is left to ln_loop_free */
}

struct reading {
  struct ln_poll *poll;
  int fd, calls;
  char text[32];
  bool close_first;
};

static void on_readable(void *ctx, int events)
{
  struct reading *r = ctx;
  char c;
  assert_int_equal(events, LN_POLL_READABLE);
  r->calls++;
  ssize_t n = read(r->fd, &c, 1);
  if (n == 1) strncat(r->text, &c, 1);
  if (n <= 0 || r->close_first) {
    ln_poll_close(r->poll);
    r->poll = NULL;
    ln_loop_stop(loop);
  }
}

static void poll_on_a_pipe(void **state)
{
  (void)state;
  int fd[2];
  assert_int_equal(pipe(fd), 0);
  struct reading r = {.fd = fd[0]};
  assert_int_equal(ln_poll_open(loop, fd[0], on_readable, &r, &r.poll), LN_OK);
  assert_false(fcntl(fd[0], F_GETFL) & O_NONBLOCK); /* a shared terminal stays as it was */
  assert_int_equal(write(fd[1], "hey", 3), 3);
  close(fd[1]);
  ln_poll_set(r.poll, LN_POLL_READABLE);
  ln_loop_run(loop);
  assert_string_equal(r.text, "hey");
  close(fd[0]);
}

struct deadline {
  struct ln_timer timer;
  struct ln_deferred work;
};

static void on_deadline(struct ln_timer *t)
{
  (void)t;
  note("late");
  ln_loop_stop(loop);
}

static void on_answer(void *ctx, int events)
{
  (void)events;
  struct reading *r = ctx;
  note("answer ");
  ln_poll_set(r->poll, 0);
}

/* As if the last poll had been half a minute ago. */
static void on_long_work(struct ln_deferred *d)
{
  struct deadline *e = (struct deadline *)((char *)d - offsetof(struct deadline, work));
  loop->polled_at -= 30 * LN_US_PER_S;
  loop->stale = true;
  ln_timer_start(ln_loop_clock(loop), &e->timer, ln_loop_now(loop) - LN_US_PER_S);
}

/* What has come while the loop was held up is seen before it is said to be too late. */
static void an_answer_comes_before_its_deadline_after_long_work(void **state)
{
  (void)state;
  int fd[2];
  assert_int_equal(pipe(fd), 0);
  struct reading r = {.fd = fd[0]};
  struct deadline e = {.timer = {.fn = on_deadline}, .work = {.fn = on_long_work}};
  assert_int_equal(ln_poll_open(loop, fd[0], on_answer, &r, &r.poll), LN_OK);
  ln_poll_set(r.poll, LN_POLL_READABLE);
  assert_int_equal(write(fd[1], "!", 1), 1);
  ln_loop_defer(loop, &e.work);
  ln_loop_run(loop);
  assert_string_equal(log_text, "answer late");
  ln_poll_close(r.poll);
  close(fd[0]);
  close(fd[1]);
}

static void on_held_turn(struct ln_deferred *d)
{
  loop->polled_at -= 30 * LN_US_PER_S;
  ln_loop_defer_turn(loop, d);
}

static void long_work_in_each_turn_keeps_no_timer_from_coming(void **state)
{
  (void)state;
  struct deadline e = {.timer = {.fn = on_deadline}, .work = {.fn = on_held_turn}};
  ln_timer_start(ln_loop_clock(loop), &e.timer, ln_loop_now(loop));
  ln_loop_defer(loop, &e.work);
  ln_loop_run(loop);
  assert_string_equal(log_text, "late");
  ln_loop_undefer(loop, &e.work);
}

static void poll_on_a_regular_file(void **state)
{
  (void)state;
  FILE *f = tmpfile();
  assert_non_null(f);
  fputs("file", f);
  rewind(f);
  struct reading r = {.fd = fileno(f)};
  assert_int_equal(ln_poll_open(loop, r.fd, on_readable, &r, &r.poll), LN_OK);
  ln_poll_set(r.poll, LN_POLL_READABLE);
  ln_loop_run(loop);
  assert_string_equal(r.text, "file");
  assert_int_equal(r.calls, 5);
  /* and closed from inside with more to come */
  rewind(f);
  lseek(r.fd, 0, SEEK_SET);
  struct reading again = {.fd = r.fd, .close_first = true};
  assert_int_equal(ln_poll_open(loop, r.fd, on_readable, &again, &again.poll), LN_OK);
  ln_poll_set(again.poll, LN_POLL_READABLE);
  ln_loop_run(loop);
  assert_int_equal(again.calls, 1);
  fclose(f);
}

static void poll_that_nobody_closes(void **state)
{
  (void)state;
  static struct reading r;
  FILE *f = tmpfile();
  int fd[2];
  assert_int_equal(pipe(fd), 0);
  assert_int_equal(ln_poll_open(loop, fd[0], on_readable, &r, &r.poll), LN_OK);
  ln_poll_set(r.poll, LN_POLL_READABLE);
  assert_int_equal(ln_poll_open(loop, fileno(f), on_readable, &r, &r.poll), LN_OK);
  ln_poll_set(r.poll, LN_POLL_READABLE);
  assert_int_equal(ln_poll_open(loop, 9999, on_readable, &r, &r.poll), LN_E_INVAL);
  ln_loop_free(loop);
  loop = NULL;
  close(fd[0]);
  close(fd[1]);
  fclose(f);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(defers_in_order, set_up, tear_down),
      cmocka_unit_test_setup_teardown(undefer_in_queue_and_in_the_turn, set_up, tear_down),
      cmocka_unit_test_setup_teardown(undefer_the_last_keeps_the_queue, set_up, tear_down),
      cmocka_unit_test_setup_teardown(for_the_next_turn, set_up, tear_down),
      cmocka_unit_test_setup_teardown(endless_defers_do_not_starve, set_up, tear_down),
      cmocka_unit_test_setup_teardown(idle_hook, set_up, tear_down),
      cmocka_unit_test_setup_teardown(waker_from_a_thread, set_up, tear_down),
      cmocka_unit_test_setup_teardown(busy_turns_do_not_starve_io, set_up, tear_down),
      cmocka_unit_test_setup_teardown(worker_runs_elsewhere, set_up, tear_down),
      cmocka_unit_test_setup_teardown(worker_ends_before_the_loop_is_freed, set_up, tear_down),
      cmocka_unit_test_setup_teardown(signals_reach_each_watcher, set_up, tear_down),
      cmocka_unit_test_setup_teardown(poll_on_a_pipe, set_up, tear_down),
      cmocka_unit_test_setup_teardown(an_answer_comes_before_its_deadline_after_long_work, set_up, tear_down),
      cmocka_unit_test_setup_teardown(long_work_in_each_turn_keeps_no_timer_from_coming, set_up, tear_down),
      cmocka_unit_test_setup_teardown(poll_on_a_regular_file, set_up, tear_down),
      cmocka_unit_test_setup_teardown(poll_that_nobody_closes, set_up, tear_down),
  };
  return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}

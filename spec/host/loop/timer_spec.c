/* Timers: order, moving, restarting in the callback, ten thousand at random against a sorted list; the real
 * clock and virtual ones. */
#include "spec.h"
#include "loop/timer.h"
#include "loop/internal.h" /* for the clock's last number */

static struct ln_loop *loop;
static struct ln_clock *clock_;

struct sleeper {
  struct ln_timer t;
  int id;
  void (*more)(struct sleeper *s);
};

#define MAX_FIRED 20000
static int fired[MAX_FIRED];
static int64_t fired_at[MAX_FIRED];
static int n_fired;

static int set_up(void **state)
{
  (void)state;
  n_fired = 0;
  if (ln_loop_new(&loop)) return -1;
  return ln_clock_new_virtual(loop, INT64_C(1700000000000000), &clock_);
}

static int tear_down(void **state)
{
  (void)state;
  ln_clock_free(clock_);
  ln_loop_free(loop);
  return 0;
}

static void on_timer(struct ln_timer *t)
{
  struct sleeper *s = (struct sleeper *)t;
  assert_false(ln_timer_running(t));
  assert_true(n_fired < MAX_FIRED);
  fired[n_fired] = s->id;
  fired_at[n_fired++] = ln_clock_now(t->clock);
  if (s->more) s->more(s);
}

static void assert_fired(int n, const int *ids)
{
  assert_int_equal(n_fired, n);
  for (int i = 0; i < n; i++) assert_int_equal(fired[i], ids[i]);
}

static void order_and_equal_due(void **state)
{
  (void)state;
  struct sleeper s[4] = {{.id = 0}, {.id = 1}, {.id = 2}, {.id = 3}};
  int64_t now = ln_clock_now(clock_);
  for (int i = 0; i < 4; i++) s[i].t.fn = on_timer;
  assert_int_equal(ln_clock_next(clock_), LN_NEVER);
  ln_timer_start(clock_, &s[0].t, now + 500);
  ln_timer_start(clock_, &s[1].t, now + 300);
  ln_timer_start(clock_, &s[2].t, now + 300);
  ln_timer_start(clock_, &s[3].t, now + 100);
  ln_timer_start(clock_, &s[1].t, now + 300); /* started anew: behind its equals */
  assert_int_equal(ln_clock_next(clock_), now + 100);
  ln_clock_move(clock_, now + 299);
  assert_fired(1, (int[]){3});
  assert_int_equal(ln_clock_now(clock_), now + 299);
  ln_clock_move(clock_, now + 1000);
  assert_fired(4, (int[]){3, 2, 1, 0});
  assert_int_equal(fired_at[1], now + 300); /* time stands at each timer's due while it runs */
  assert_int_equal(fired_at[3], now + 500);
  assert_int_equal(ln_clock_now(clock_), now + 1000);
  ln_clock_move(clock_, now); /* never back */
  assert_int_equal(ln_clock_now(clock_), now + 1000);
  assert_int_equal(ln_clock_wall(clock_), INT64_C(1700000000000000) + 1000);
}

static void again_in_100(struct sleeper *s)
{
  ln_timer_start(s->t.clock, &s->t, ln_clock_now(s->t.clock) + 100);
}

static void restart_in_callback(void **state)
{
  (void)state;
  struct sleeper s = {.t = {.fn = on_timer}, .id = 7, .more = again_in_100};
  int64_t now = ln_clock_now(clock_);
  ln_timer_start(clock_, &s.t, now + 100);
  ln_clock_move(clock_, now + 1000);
  assert_int_equal(n_fired, 10);
  ln_timer_stop(&s.t);
  ln_timer_stop(&s.t);
  ln_clock_move(clock_, now + 2000);
  assert_int_equal(n_fired, 10);
}

static void again_at_once(struct sleeper *s)
{
  ln_timer_start(s->t.clock, &s->t, ln_clock_now(s->t.clock));
}

static void restart_at_once_gives_others_their_turn(void **state)
{
  (void)state;
  struct sleeper s = {.t = {.fn = on_timer}, .id = 1, .more = again_at_once};
  int64_t now = ln_clock_now(clock_);
  ln_timer_start(clock_, &s.t, now + 100);
  ln_clock_move(clock_, now + 100); /* comes back */
  assert_int_equal(n_fired, 1);
  ln_clock_move(clock_, now + 100);
  assert_int_equal(n_fired, 2);
  ln_timer_stop(&s.t);
}

static struct sleeper *victim;

static void stop_victim(struct sleeper *s)
{
  (void)s;
  ln_timer_stop(&victim->t);
}

static void stopped_by_a_neighbour(void **state)
{
  (void)state;
  struct sleeper a = {.t = {.fn = on_timer}, .id = 1, .more = stop_victim},
                 b = {.t = {.fn = on_timer}, .id = 2};
  int64_t now = ln_clock_now(clock_);
  victim = &b;
  ln_timer_start(clock_, &a.t, now + 10);
  ln_timer_start(clock_, &b.t, now + 10);
  ln_clock_move(clock_, now + 10);
  assert_fired(1, (int[]){1});
}

static struct sleeper many[10000];

static int by_due(const void *a, const void *b)
{
  const struct ln_timer *x = *(struct ln_timer *const *)a, *y = *(struct ln_timer *const *)b;
  if (x->due != y->due) return x->due < y->due ? -1 : 1;
  return x->order < y->order ? -1 : 1;
}

static void ten_thousand(void **state)
{
  (void)state;
  static struct ln_timer *expected[10000];
  int64_t now = ln_clock_now(clock_);
  size_t n = 0;
  srand(4);
  memset(many, 0, sizeof many);
  for (int i = 0; i < 10000; i++) {
    many[i].id = i;
    many[i].t.fn = on_timer;
    ln_timer_start(clock_, &many[i].t, now + rand() % 5000);
  }
  for (int i = 0; i < 20000; i++) { /* moved and stopped all over the heap */
    struct sleeper *s = &many[rand() % 10000];
    if (rand() % 3)
      ln_timer_start(clock_, &s->t, now + rand() % 5000);
    else
      ln_timer_stop(&s->t);
  }
  for (int i = 0; i < 10000; i++)
    if (ln_timer_running(&many[i].t)) expected[n++] = &many[i].t;
  assert_in_range(n, 1000, 9999);
  qsort(expected, n, sizeof *expected, by_due);
  ln_clock_move(clock_, now + 5000);
  assert_int_equal(n_fired, n);
  for (size_t i = 0; i < n; i++) assert_ptr_equal(&many[fired[i]].t, expected[i]);
  assert_int_equal(ln_clock_next(clock_), LN_NEVER);
}

static struct sleeper newcomer = {.t = {.fn = on_timer}, .id = 9};

static void start_newcomer(struct sleeper *s)
{
  ln_timer_start(clock_, &newcomer.t, s->t.due);
}

/* The numbers that keep the order of equals run out while timers run and while they are started. */
static void numbers_begin_anew(void **state)
{
  (void)state;
  int64_t now = ln_clock_now(clock_);
  memset(many, 0, sizeof many);
  clock_->order = UINT32_MAX - 500;
  for (int i = 0; i < 1000; i++) {
    many[i].id = i;
    many[i].t.fn = on_timer;
    ln_timer_start(clock_, &many[i].t, now + 10 + i % 2);
  }
  assert_in_range(clock_->order, 1000, 2000);
  ln_clock_move(clock_, now + 11);
  assert_int_equal(n_fired, 1000);
  for (int i = 0; i < 1000; i++) assert_int_equal(fired[i], i < 500 ? 2 * i : 2 * (i - 500) + 1);

  n_fired = 0;
  for (int i = 0; i < 3; i++) ln_timer_start(clock_, &many[i].t, now + 20);
  many[0].more = start_newcomer;
  clock_->order = UINT32_MAX;
  ln_clock_move(clock_, now + 20); /* none is lost, and the newcomer is the last */
  ln_clock_move(clock_, now + 20);
  assert_fired(4, (int[]){0, 1, 2, 9});
}

/* --- the real clock --- */

static void stop_loop(struct sleeper *s)
{
  (void)s;
  ln_loop_stop(loop);
}

static void real_clock_fires_in_order_and_not_early(void **state)
{
  (void)state;
  struct ln_clock *real = ln_loop_clock(loop);
  struct sleeper s[3] = {{.id = 0, .more = stop_loop}, {.id = 1}, {.id = 2}};
  int64_t before = ln_clock_mono_us(), now = ln_clock_now(real);
  for (int i = 0; i < 3; i++) s[i].t.fn = on_timer;
  ln_timer_start(real, &s[0].t, now + 20300);
  ln_timer_start(real, &s[1].t, now + 5001);
  ln_timer_start(real, &s[2].t, now + 5000);
  assert_false(ln_clock_is_virtual(real));
  ln_loop_run(loop);
  assert_fired(3, (int[]){2, 1, 0});
  assert_true(fired_at[2] >= now + 20300);
  assert_true(ln_clock_mono_us() - before >= 20300);
}

static int deferred_turns;

static void count_turn(struct ln_deferred *d)
{
  if (++deferred_turns < 50)
    ln_loop_defer_turn(loop, d);
  else
    ln_loop_stop(loop);
}

/* A sleep of nothing, over and over, and what is deferred to the next turn alternate. */
static void due_already_does_not_starve(void **state)
{
  (void)state;
  struct sleeper s = {.t = {.fn = on_timer}, .id = 1, .more = again_at_once};
  struct ln_deferred d = {.fn = count_turn};
  deferred_turns = 0;
  ln_timer_start(ln_loop_clock(loop), &s.t, 0);
  ln_loop_defer_turn(loop, &d);
  ln_loop_run(loop);
  assert_int_equal(deferred_turns, 50);
  assert_int_equal(n_fired, 50);
  ln_timer_stop(&s.t);
}

static int64_t now_in_turn[2];

static void look(struct ln_deferred *d)
{
  (void)d;
  now_in_turn[0] = ln_clock_now(ln_loop_clock(loop));
  int64_t until = ln_clock_mono_us() + 3000;
  while (ln_clock_mono_us() < until) {
  }
  now_in_turn[1] = ln_clock_now(ln_loop_clock(loop));
  assert_true(ln_clock_fresh(ln_loop_clock(loop)) >= until);
  ln_loop_stop(loop);
}

static void now_is_taken_once_a_turn(void **state)
{
  (void)state;
  struct ln_deferred d = {.fn = look};
  ln_loop_defer(loop, &d);
  ln_loop_run(loop);
  assert_int_equal(now_in_turn[0], now_in_turn[1]);
}

static void a_freed_clock_stops_its_timers(void **state)
{
  (void)state;
  struct ln_clock *c;
  struct sleeper s = {.t = {.fn = on_timer}};
  assert_int_equal(ln_clock_new_virtual(loop, 0, &c), LN_OK);
  ln_timer_start(c, &s.t, 5);
  ln_timer_start(clock_, &s.t, ln_clock_now(clock_) + 5); /* moves to the other clock */
  assert_int_equal(ln_clock_next(c), LN_NEVER);
  ln_timer_start(c, &s.t, 5);
  ln_clock_free(c);
  assert_false(ln_timer_running(&s.t));
  ln_timer_stop(&s.t);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(order_and_equal_due, set_up, tear_down),
      cmocka_unit_test_setup_teardown(restart_in_callback, set_up, tear_down),
      cmocka_unit_test_setup_teardown(restart_at_once_gives_others_their_turn, set_up, tear_down),
      cmocka_unit_test_setup_teardown(stopped_by_a_neighbour, set_up, tear_down),
      cmocka_unit_test_setup_teardown(ten_thousand, set_up, tear_down),
      cmocka_unit_test_setup_teardown(numbers_begin_anew, set_up, tear_down),
      cmocka_unit_test_setup_teardown(real_clock_fires_in_order_and_not_early, set_up, tear_down),
      cmocka_unit_test_setup_teardown(due_already_does_not_starve, set_up, tear_down),
      cmocka_unit_test_setup_teardown(now_is_taken_once_a_turn, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_freed_clock_stops_its_timers, set_up, tear_down),
  };
  return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}

/* The host where memory runs out: a program of tasks, promises, timers, a connection to a sandbox and a
 * session runs again and again, and each time other allocations fail, Lua's and C's alike. It may fail, and
 * say so; it must not crash, hang, or leave anything behind (the sanitizer looks). */
#include "spec.h"

#include "base/alloc.h"
#include "base/log.h"
#include "crypto/rsa.h"
#include "bind/host.h"
#include "bind/task.h"
#include "loop/timer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char program[] =
    "local task, promise, timer = require '_luna.task', require '_luna.promise', require '_luna.timer'\n"
    "local client, server, store = require '_luna.client', require '_luna.server', require '_luna.store'\n"
    "timer.useClock(timer.newVirtual())\n"
    "local session = store.open(nil)\n"
    "local account = session:account 'a'\n"
    "account:set('k', ('v'):rep(100))\n"
    "local committed = promise.new()\n"
    "account:commit({ state = { pts = 1, qts = 0, date = 1, seq = 0 }, add = { { box = 0, pts = 1, raw = "
    "'abcd', layer = 1 } } },\n"
    "  function() if promise.state(committed) == 'pending' then promise.resolve(committed) end end)\n"
    "assert(#account:inbox() == 1)\n"
    "local gate = promise.new()\n"
    "local waiting = {}\n"
    "for i = 1, 5 do waiting[i] = task.spawn(function() task.sleep(i) return (promise.await(gate)) end) end\n"
    "timer.after(3, function() promise.resolve(gate, 'open') end)\n"
    "local lost = task.spawn(function() task.sleep(100) end)\n"
    "promise.cancel(lost, 'no')\n"
    "pcall(promise.await, lost)\n"
    "local function gen() local co = coroutine.wrap(function() for i = 1, 3 do task.sleep(1) "
    "coroutine.yield(i) end end)\n"
    "  return co() + co() + co() end\n"
    "local sum = task.spawn(gen)\n"
    "local last\n"
    "local function nothing() end\n"
    "local function request(s, id, q) last = s\n"
    "  if q._ == 'help.getNearestDc' then s:result(id, { _ = 'nearestDc', country = 'DE', this_dc = 2, "
    "nearest_dc = 2 }, q._)\n"
    "  else s:error(id, 400, 'NO') end end\n"
    "local s = server.new { key = KEY, on = { request = request, drop = nothing, ack = nothing, up = "
    "nothing, down = nothing,\n"
    "  gone = nothing, authKey = nothing } }\n"
    "local auth = { key = ('K'):rep(256), salt = 5, offset = 0, salts = {} }\n"
    "s:addAuthKey(auth, 2)\n"
    "local pushed = promise.new()\n"
    "local c = client.connect { dc = 2, sandbox = s, keys = { s:publicKey() }, auth = auth, on = {\n"
    "  update = function(u, id) if promise.state(pushed) == 'pending' then promise.resolve(pushed, id) end "
    "end } }\n"
    "for _ = 1, 3 do c:call('help.getNearestDc', {}) end\n"
    "local async = c:callAsync('help.getConfig', {})\n"
    "promise.markHandled(async)\n"
    "pcall(promise.awaitTimeout, async, 5)\n"
    "c:call('help.getConfig', {}, { timeout = 1 })\n"
    "if last then last:push { _ = 'updateShort', update = { _ = 'updateUserTyping', user_id = 5,\n"
    "  action = { _ = 'sendMessageTypingAction' } }, date = 1 } end\n"
    "local got, id = promise.awaitTimeout(pushed, 5)\n"
    "if got then c:ack(id) end\n"
    "task.sleep(20)\n"
    "for i = 1, 5 do pcall(promise.await, waiting[i]) end\n"
    "c:close()\n"
    "s:close()\n"
    "session:close()\n"
    "DONE = true\n";

static size_t seen, from, until; /* allocations [from, until) fail */
static bool counting;
static char *pem;

static int gate(size_t n)
{
  (void)n;
  if (!counting) return 0;
  seen++;
  return seen >= from && seen < until;
}

static int prepare(lua_State *L)
{
  lua_pushstring(L, pem);
  lua_setglobal(L, "KEY");
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  if (luaL_loadbufferx(L, program, sizeof program - 1, "=program", "t") != LUA_OK) return lua_error(L);
  lua_setfield(L, -2, "program");
  counting = true;
  return 0;
}

static bool hung;
static void too_long(struct ln_timer *t)
{
  (void)t;
  hung = true;
  ln_loop_stop(ln_host_get()->loop);
}

static bool run_once(void)
{
  static char *argv[] = {"luna", NULL};
  struct ln_host *h = NULL;
  struct ln_timer limit = {.fn = too_long};
  seen = 0;
  counting = hung = false;
  assert_int_equal(ln_host_new(1, argv, &h), LN_OK);
  assert_int_equal(ln_host_protect(h, prepare, NULL), LN_OK);
  ln_timer_start(ln_loop_clock(h->loop), &limit, ln_clock_fresh(ln_loop_clock(h->loop)) + 10 * LN_US_PER_S);
  ln_host_run(h, "program");
  ln_timer_stop(&limit);
  counting = false;
  bool done = lua_getglobal(h->L, "DONE") == LUA_TBOOLEAN;
  lua_pop(h->L, 1);
  ln_host_free(h);
  if (hung) fail_msg("it hangs where allocations %zu to %zu fail", from, until);
  return done;
}

static void whatever_fails_it_ends(void **state)
{
  (void)state;
  from = until = 0;
  assert_true(run_once()); /* with memory enough */
  assert_true(run_once());
  size_t all = seen;
  assert_true(all > 300);
  size_t points = 0;
  for (size_t at = 1; at <= all; at++, points++) {
    from = at;
    until = at + 2; /* Lua asks again after a collection */
    run_once();
    from = at + 2;
    until = from + 60; /* for a while */
    run_once();
  }
  from = until = 0;
  assert_true(run_once());
  assert_true(points == all);
}

static int set_up(void **state)
{
  struct ln_rsa *key;
  struct ln_buf out;
  (void)state;
  ln_log_set_level(-1);
  if (ln_rsa_generate(&key)) return -1;
  ln_buf_init(&out, 8192);
  if (ln_rsa_write_private(key, &out)) return -1;
  pem = strndup((const char *)ln_buf_data(&out), out.len);
  ln_buf_deinit(&out);
  ln_rsa_free(key);
  ln_alloc_gate = gate;
  return pem ? 0 : -1;
}

static int tear_down(void **state)
{
  (void)state;
  ln_alloc_gate = NULL;
  free(pem);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(whatever_fails_it_ends)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}

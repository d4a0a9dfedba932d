/* _luna.http: exchanges of HTTP for lua/luna/http. Everything here but `wait` returns at once; wait suspends
 * the task until there is something to look at. One libcurl for the process, made at the first request, freed
 * with the state. While a task waits the program goes on and virtual clocks hold still. */
#include "bind/modules.h"
#include "bind/task.h"

#ifdef LN_HAVE_CURL
#include "base/buf.h"
#include "crypto/init.h"
#include "loop/http.h"

#define REQUEST "luna.HttpRequest"
#define JAR "luna.HttpJar"
#define KEEPER "luna.HttpKeeper"
#define MAX_HEADERS 256

/* In the order in which they wake: the last news of the progress before the end. */
enum event { HEAD, DATA, ROOM, WANT, PROGRESS, DONE, N_EVENTS };
static const char *const event_names[] = {"head", "data", "room", "want", "progress", "done", NULL};

struct bind_request {        /* user values: 1 the body's string, 2 the jar */
  struct ln_http_request *r; /* NULL once closed */
  struct ln_task *waiting[N_EVENTS];
};

struct bind_jar {
  struct ln_http_jar *jar;
};

static struct ln_http *http;

static int keeper_gc(lua_State *L)
{
  (void)L;
  ln_http_free(http);
  http = NULL;
  return 0;
}

/* Opens libcurl where it is not; the keeper is made before any request, so lua_close ends it after them. */
static int open_http(const char **why)
{
  if (http) return LN_OK;
  ln_crypto_init(); /* before libcurl does it */
  return ln_http_new(ln_host_get()->loop, &http, why);
}

static void need_http(lua_State *L)
{
  const char *why;
  if (open_http(&why)) luaL_error(L, "%s", why);
}

/* available() → true | nil, why */
static int f_available(lua_State *L)
{
  const char *why;
  if (open_http(&why)) {
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* --- waiting --- */

static bool happened(const struct bind_request *b, enum event e)
{
  if (!b->r || ln_http_ended(b->r)) return true;
  switch (e) {
  case HEAD: return ln_http_has_head(b->r);
  case DATA: return ln_http_body(b->r).n > 0;
  case ROOM: return ln_http_has_room(b->r);
  case WANT: return ln_http_wants(b->r);
  case PROGRESS: return ln_http_has_progress(b->r);
  default: return false;
  }
}

static void forget(struct bind_request *b, enum event e)
{
  b->waiting[e] = NULL;
  ln_host_unref(ln_host_get());
  ln_loop_release(ln_host_get()->loop);
}

/* Called inside of libcurl too: a wake without values only puts the task into the queue. */
static void changed(void *ctx)
{
  struct bind_request *b = ctx;
  for (int e = 0; e < N_EVENTS; e++) {
    struct ln_task *t = b->waiting[e];
    if (!t || !happened(b, (enum event)e)) continue;
    forget(b, (enum event)e);
    ln_task_wake(t, 0, false);
  }
}

static void wait_cancel(struct ln_task *t, void *ctx)
{
  struct bind_request *b = ctx;
  for (int e = 0; e < N_EVENTS; e++)
    if (b->waiting[e] == t) forget(b, (enum event)e);
}

static const struct ln_wait waiting = {"http", wait_cancel};

static struct bind_request *check(lua_State *L)
{
  return luaL_checkudata(L, 1, REQUEST);
}

/* r:wait(event): "head" (the headers are there), "data", "room" (to write), "want" (the body is asked for),
 * "done", "progress". The end of the exchange ends every wait. */
static int r_wait(lua_State *L)
{
  struct bind_request *b = check(L);
  enum event e = (enum event)luaL_checkoption(L, 2, NULL, event_names);
  struct ln_host *h = ln_host_get();
  if (happened(b, e)) return 0;
  ln_task_check_wait(L);
  if (b->waiting[e]) return luaL_error(L, "another task waits for this already");
  b->waiting[e] = h->current;
  ln_host_ref(h);
  ln_loop_hold(h->loop);
  return ln_task_wait(L, &waiting, b);
}

/* --- starting --- */

static const char *opt_string(lua_State *L, const char *name)
{
  lua_getfield(L, 1, name); /* stays on the stack, and in the table */
  return luaL_optstring(L, -1, NULL);
}

static int64_t opt_us(lua_State *L, const char *name)
{
  lua_getfield(L, 1, name);
  double s = luaL_optnumber(L, -1, 0);
  lua_pop(L, 1);
  if (!(s > 0)) return 0;
  return s > 1e6 ? INT64_C(1000000000000) : (int64_t)(s * 1e6) + 1;
}

static int64_t opt_ms(lua_State *L, const char *name)
{
  return (opt_us(L, name) + 999) / 1000;
}

static bool opt_true(lua_State *L, const char *name)
{
  lua_getfield(L, 1, name);
  bool is = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return is;
}

/* start{ url, method, headers = { "Name: value", … }, cookie, body | stream = true, size, proxy, doh, ca,
 * cert, key, pin, user, password, version = "1.1" | "2" | "2-prior", connect, timeout, idle (seconds),
 * private, compressed, progress, jar } → request | nil, name, text. Sends nothing before the loop's next
 * turn. */
static int f_start(lua_State *L)
{
  static const char *const versions[] = {"any", "1.1", "2", "2-prior", NULL};
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  luaL_checkstack(L, 40, NULL);
  need_http(L);
  const char *headers[MAX_HEADERS + 1] = {NULL};
  struct ln_http_options o = {.headers = headers, .stream_size = -1};
  o.url = opt_string(L, "url");
  o.method = opt_string(L, "method");
  if (!o.url || !o.method) return luaL_error(L, "url and method are needed");
  o.proxy = opt_string(L, "proxy");
  o.doh = opt_string(L, "doh");
  o.ca = opt_string(L, "ca");
  o.cert = opt_string(L, "cert");
  o.key = opt_string(L, "key");
  o.pin = opt_string(L, "pin");
  o.user = opt_string(L, "user");
  o.password = opt_string(L, "password");
  o.cookie = opt_string(L, "cookie");
  lua_getfield(L, 1, "version");
  if (!lua_isnil(L, -1)) o.protocol = (enum ln_http_protocol)luaL_checkoption(L, -1, NULL, versions);
  o.connect_ms = opt_ms(L, "connect");
  o.total_ms = opt_ms(L, "timeout");
  o.idle_us = opt_us(L, "idle");
  o.allow_private = opt_true(L, "private");
  o.compressed = opt_true(L, "compressed");
  o.progress = opt_true(L, "progress");
  o.streamed = opt_true(L, "stream");
  if (lua_getfield(L, 1, "size") != LUA_TNIL) o.stream_size = luaL_checkinteger(L, -1);
  if (lua_getfield(L, 1, "jar") != LUA_TNIL) o.jar = ((struct bind_jar *)luaL_checkudata(L, -1, JAR))->jar;
  int jar = lua_gettop(L);
  if (lua_getfield(L, 1, "headers") == LUA_TTABLE) {
    int list = lua_gettop(L);
    lua_Integer n = luaL_len(L, list);
    if (n > MAX_HEADERS) return luaL_error(L, "too many headers");
    for (lua_Integer i = 1; i <= n; i++) {
      lua_rawgeti(L, list, i);
      headers[i - 1] = luaL_checkstring(L, -1);
      lua_pop(L, 1); /* the table keeps it */
    }
  }
  if (lua_getfield(L, 1, "body") != LUA_TNIL) {
    size_t n;
    o.body.p = (const uint8_t *)luaL_checklstring(L, -1, &n);
    o.body.n = n;
    o.has_body = true;
  }
  int body = lua_gettop(L);
  struct bind_request *b = lua_newuserdatauv(L, sizeof *b, 2);
  memset(b, 0, sizeof *b);
  luaL_setmetatable(L, REQUEST);
  lua_pushvalue(L, body);
  lua_setiuservalue(L, -2, 1);
  lua_pushvalue(L, jar);
  lua_setiuservalue(L, -2, 2);
  const char *why;
  int err = ln_http_start(http, &o, changed, b, &b->r, &why);
  if (!err) return 1;
  lua_pushnil(L);
  lua_pushstring(L, err == LN_E_PERMISSION ? "PRIVATE" : ln_err_name(err));
  lua_pushstring(L, why);
  return 3;
}

static struct ln_http_request *live(lua_State *L)
{
  struct bind_request *b = check(L);
  if (!b->r) luaL_error(L, "the exchange is closed");
  return b->r;
}

static int r_close(lua_State *L)
{
  struct bind_request *b = check(L);
  struct ln_http_request *r = b->r;
  if (!r) return 0;
  b->r = NULL;
  ln_http_close(r);
  if (!ln_host_get()->closing) changed(b);
  return 0;
}

/* --- looking --- */

/* status() → "running" | "done" | "closed" | "failed", name, text, unsent */
static int r_status(lua_State *L)
{
  struct bind_request *b = check(L);
  const char *text = "";
  bool unsent = false;
  const char *failure = b->r ? ln_http_failure(b->r, &text, &unsent) : NULL;
  if (failure) {
    lua_pushliteral(L, "failed");
    lua_pushstring(L, failure);
    lua_pushstring(L, text);
    lua_pushboolean(L, unsent);
    return 4;
  }
  lua_pushstring(L, !b->r ? "closed" : ln_http_ended(b->r) ? "done" : "running");
  return 1;
}

/* head() → status line and headers as they came | nil */
static int r_head(lua_State *L)
{
  struct ln_http_request *r = live(L);
  if (!ln_http_has_head(r)) return 0;
  struct ln_slice s = ln_http_head(r);
  lua_pushlstring(L, (const char *)s.p, s.n);
  return 1;
}

/* take(max) → bytes of the body, "" where there are none now */
static int r_take(lua_State *L)
{
  struct ln_http_request *r = live(L);
  struct ln_slice s = ln_http_body(r);
  lua_Integer max = luaL_optinteger(L, 2, LUA_MAXINTEGER);
  luaL_argcheck(L, max > 0, 2, "a count above 0");
  if ((uint64_t)max < s.n) s.n = (size_t)max;
  lua_pushlstring(L, (const char *)s.p, s.n);
  ln_http_consume(r, s.n);
  return 1;
}

static uint64_t limit_of(lua_State *L)
{
  double n = luaL_checknumber(L, 2);
  return n >= 9e18 ? UINT64_MAX : n > 0 ? (uint64_t)n : 0;
}

static int r_collect(lua_State *L)
{
  ln_http_collect(live(L), limit_of(L));
  return 0;
}

static int r_limit(lua_State *L)
{
  ln_http_limit(live(L), limit_of(L));
  return 0;
}

static int r_wants(lua_State *L)
{
  struct bind_request *b = check(L);
  lua_pushboolean(L, b->r && !ln_http_ended(b->r) && ln_http_wants(b->r));
  return 1;
}

/* write(bytes) → true | nil, why: a piece of a streamed body */
static int r_write(lua_State *L)
{
  struct bind_request *b = check(L);
  size_t n;
  const char *s = luaL_checklstring(L, 2, &n);
  int err = b->r ? ln_http_write(b->r, ln_slice(s, n)) : LN_E_CLOSED;
  if (!err) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, ln_err_name(err));
  return 2;
}

/* finish(ok = true): the body has ended, or (false) will not come */
static int r_finish(lua_State *L)
{
  struct bind_request *b = check(L);
  if (b->r) ln_http_finish(b->r, lua_isnoneornil(L, 2) || lua_toboolean(L, 2));
  return 0;
}

/* progress() → received, total | nil, sent, total | nil */
static int r_progress(lua_State *L)
{
  struct ln_http_progress p;
  ln_http_progress(live(L), &p);
  lua_pushinteger(L, p.received);
  if (p.receive_total > 0)
    lua_pushinteger(L, p.receive_total);
  else
    lua_pushnil(L);
  lua_pushinteger(L, p.sent);
  if (p.send_total > 0)
    lua_pushinteger(L, p.send_total);
  else
    lua_pushnil(L);
  return 4;
}

/* info() → { address, version = "1.1" | "2" …, reused, seconds }; version, reused and seconds after the end
 */
static int r_info(lua_State *L)
{
  struct ln_http_info i;
  ln_http_get_info(live(L), &i);
  lua_createtable(L, 0, 4);
  lua_pushstring(L, i.address);
  lua_setfield(L, -2, "address");
  if (!i.version) return 1;
  lua_pushstring(L, i.version == 10 ? "1.0" : i.version == 11 ? "1.1" : i.version == 20 ? "2" : "3");
  lua_setfield(L, -2, "version");
  lua_pushboolean(L, i.reused);
  lua_setfield(L, -2, "reused");
  lua_pushnumber(L, i.seconds);
  lua_setfield(L, -2, "seconds");
  return 1;
}

/* --- URLs --- */

/* parse(url) → scheme, host, port | nil */
static int f_parse(lua_State *L)
{
  char scheme[256], host[256];
  int port;
  const char *url = luaL_checkstring(L, 1);
  need_http(L);
  if (ln_http_parse(url, scheme, host, sizeof host, &port)) return 0;
  lua_pushstring(L, scheme);
  lua_pushstring(L, host);
  lua_pushinteger(L, port);
  return 3;
}

/* resolve(base, url) → absolute URL | nil */
static int f_resolve(lua_State *L)
{
  char *text;
  const char *base = luaL_checkstring(L, 1), *url = luaL_checkstring(L, 2);
  need_http(L);
  if (ln_http_resolve(base, url, &text)) return 0;
  char copy[8192];
  bool fits = strlen(text) < sizeof copy;
  if (fits) strcpy(copy, text);
  ln_http_free_text(text);
  if (!fits) return 0;
  lua_pushstring(L, copy);
  return 1;
}

static int f_is_private(lua_State *L)
{
  lua_pushboolean(L, ln_host_is_private(luaL_checkstring(L, 1)));
  return 1;
}

static int f_version(lua_State *L)
{
  need_http(L);
  lua_pushstring(L, ln_http_version());
  return 1;
}

/* now() → seconds of the real clock, for limits over several exchanges */
static int f_now(lua_State *L)
{
  lua_pushnumber(L, (lua_Number)ln_clock_fresh(ln_loop_clock(ln_host_get()->loop)) / 1e6);
  return 1;
}

/* --- cookies --- */

static int f_jar(lua_State *L)
{
  need_http(L);
  struct bind_jar *j = lua_newuserdatauv(L, sizeof *j, 0);
  j->jar = NULL;
  luaL_setmetatable(L, JAR);
  if (ln_http_jar_new(http, &j->jar)) return luaL_error(L, "out of memory");
  return 1;
}

static int jar_gc(lua_State *L)
{
  struct bind_jar *j = luaL_checkudata(L, 1, JAR);
  if (j->jar) ln_http_jar_free(j->jar);
  j->jar = NULL;
  return 0;
}

struct lines {
  struct ln_buf text;
  int err;
};

static void one_line(void *ctx, const char *line)
{
  struct lines *l = ctx;
  if (!l->err) l->err = ln_buf_append(&l->text, line, strlen(line));
  if (!l->err) l->err = ln_buf_append(&l->text, "\n", 1);
}

/* list() → the cookies, a line each, in Netscape's file format */
static int jar_list(lua_State *L)
{
  struct bind_jar *j = luaL_checkudata(L, 1, JAR);
  struct lines l = {.err = LN_OK};
  ln_buf_init(&l.text, (size_t)16 << 20);
  int err = ln_http_jar_list(j->jar, one_line, &l);
  if (!err && !l.err) lua_pushlstring(L, (char *)ln_buf_data(&l.text), l.text.len);
  ln_buf_deinit(&l.text);
  return err || l.err ? luaL_error(L, "out of memory") : 1;
}

static int jar_set(lua_State *L)
{
  struct bind_jar *j = luaL_checkudata(L, 1, JAR);
  lua_pushboolean(L, ln_http_jar_set(j->jar, luaL_checkstring(L, 2)) == LN_OK);
  return 1;
}

static void metatable(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc)
{
  luaL_newmetatable(L, name);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_setfuncs(L, methods, 0);
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
}

int luaopen__luna_http(lua_State *L)
{
  static const luaL_Reg functions[] = {{"available", f_available},
                                       {"start", f_start},
                                       {"parse", f_parse},
                                       {"resolve", f_resolve},
                                       {"isPrivate", f_is_private},
                                       {"version", f_version},
                                       {"now", f_now},
                                       {"jar", f_jar},
                                       {NULL, NULL}};
  static const luaL_Reg request[] = {{"wait", r_wait},     {"close", r_close},       {"status", r_status},
                                     {"head", r_head},     {"take", r_take},         {"collect", r_collect},
                                     {"limit", r_limit},   {"wants", r_wants},       {"write", r_write},
                                     {"finish", r_finish}, {"progress", r_progress}, {"info", r_info},
                                     {NULL, NULL}};
  static const luaL_Reg jar[] = {{"list", jar_list}, {"set", jar_set}, {NULL, NULL}};
  static const luaL_Reg none[] = {{NULL, NULL}};
  metatable(L, REQUEST, request, r_close);
  metatable(L, JAR, jar, jar_gc);
  metatable(L, KEEPER, none, keeper_gc);
  /* One for the process, however often the module is opened. */
  if (lua_getfield(L, LUA_REGISTRYINDEX, KEEPER ".it") == LUA_TNIL) {
    lua_newuserdatauv(L, 1, 0);
    luaL_setmetatable(L, KEEPER);
    lua_setfield(L, LUA_REGISTRYINDEX, KEEPER ".it");
  }
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
#else
/* Built without libcurl's headers: available() says what to install. */
static int f_available(lua_State *L)
{
  lua_pushnil(L);
  lua_pushliteral(
      L, "this luna was built without HTTP: install libcurl4-openssl-dev (Debian), libcurl-devel (Fedora) or "
         "curl-dev (Alpine), and build again");
  return 2;
}

int luaopen__luna_http(lua_State *L)
{
  static const luaL_Reg functions[] = {{"available", f_available}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
#endif

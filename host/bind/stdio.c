/* See stdio.h. One reader of standard input at a time: plain lines, or the editor. */
#include "bind/stdio.h"
#include "bind/editline.h"
#include "bind/task.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "loop/poll.h"

#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define LINE_MAX_BYTES ((size_t)1 << 20)
#define READ_SIZE ((size_t)16384)

static struct {
  struct ln_poll *poll;
  struct ln_buf in;
  struct ln_deferred again; /* lines that came before a pause */
  int ref;                  /* function(line | nil) */
  int complete_ref;         /* function(word, line before it) → list of words */
  bool editing;
  bool accepted; /* the editor has given a line and is not armed again yet */
  bool paused, eof;
  bool dropping; /* the rest of a line that was too long */
  const struct ln_editline *edit;
  char *prompt, *history;
} input = {.ref = LUA_NOREF, .complete_ref = LUA_NOREF};

static int call_line(lua_State *L)
{
  const struct ln_slice *line = lua_touserdata(L, 1);
  if (input.ref == LUA_NOREF) return 0;
  if (line)
    lua_pushlstring(L, (const char *)line->p, line->n);
  else
    lua_pushnil(L);
  ln_host_spawn_ref(ln_host_get(), input.ref, 1, ln_loop_clock(ln_host_get()->loop), 0);
  return 0;
}

static void stop_input(void)
{
  struct ln_host *h = ln_host_get();
  if (input.editing) {
    input.edit->rl_callback_handler_remove();
    input.editing = false;
    if (input.history) input.edit->write_history(input.history);
    free(input.prompt);
    free(input.history);
    input.prompt = input.history = NULL;
  }
  if (!input.poll) return;
  ln_poll_close(input.poll);
  input.poll = NULL;
  ln_loop_undefer(h->loop, &input.again);
  ln_buf_deinit(&input.in);
  if (!input.paused) ln_host_unref(h);
  input.paused = input.eof = false;
}

static void at_end(void)
{
  int ref = input.ref;
  stop_input();
  input.ref = ref;
  ln_host_protect(ln_host_get(), call_line, NULL);
  if (ref != LUA_NOREF) luaL_unref(ln_host_get()->L, LUA_REGISTRYINDEX, ref);
  if (input.ref == ref) input.ref = LUA_NOREF;
}

/* Hands over the lines that are there, as long as somebody wants them. */
static void deliver(void)
{
  while (input.poll && !input.paused && input.in.len) {
    uint8_t *start = ln_buf_data(&input.in), *end = memchr(start, '\n', input.in.len);
    if (!end && !input.eof) return;
    size_t len = end ? (size_t)(end - start) : input.in.len;
    struct ln_slice line = ln_slice(start, len && start[len - 1] == '\r' ? len - 1 : len);
    ln_host_protect(ln_host_get(), call_line, &line);
    if (!input.poll) return;
    ln_buf_consume(&input.in, end ? len + 1 : len);
  }
  if (input.poll && !input.paused && input.eof) at_end();
}

static void deliver_again(struct ln_deferred *d)
{
  (void)d;
  deliver();
}

static void drop(void)
{
  if (!input.dropping || !input.in.len) return;
  uint8_t *start = ln_buf_data(&input.in), *end = memchr(start, '\n', input.in.len);
  ln_buf_consume(&input.in, end ? (size_t)(end - start) + 1 : input.in.len);
  input.dropping = !end;
}

static void readable(void *ctx, int events)
{
  (void)ctx;
  (void)events;
  uint8_t *to;
  if (input.in.len > LINE_MAX_BYTES || ln_buf_extend(&input.in, READ_SIZE, &to)) {
    ln_log(LN_LOG_ERROR, "host", "a line of standard input is longer than 1 MiB: it was dropped");
    ln_buf_clear(&input.in);
    input.dropping = true;
    return;
  }
  ssize_t n = read(0, to, READ_SIZE);
  int e = errno;
  ln_buf_truncate(&input.in, input.in.len - READ_SIZE + (n > 0 ? (size_t)n : 0));
  if (n < 0 && (e == EINTR || e == EAGAIN)) return;
  if (n <= 0) input.eof = true;
  drop();
  deliver();
}

static int begin(lua_State *L, int fn, void (*callback)(void *ctx, int events))
{
  struct ln_host *h = ln_host_get();
  if (input.poll) return luaL_error(L, "standard input has a reader already");
  lua_pushvalue(L, fn);
  luaL_unref(L, LUA_REGISTRYINDEX, input.ref);
  input.ref = luaL_ref(L, LUA_REGISTRYINDEX);
  ln_buf_init(&input.in, LINE_MAX_BYTES + READ_SIZE);
  if (ln_poll_open(h->loop, 0, callback, NULL, &input.poll)) {
    input.poll = NULL;
    return luaL_error(L, "standard input cannot be watched");
  }
  ln_poll_set(input.poll, LN_POLL_READABLE);
  ln_host_ref(h);
  return 0;
}

/* readLines(fn): each line without its end, nil after the last; nil instead of fn stops it. Keeps the program
 * alive until the end. */
static int f_read_lines(lua_State *L)
{
  if (lua_isnoneornil(L, 1)) {
    stop_input();
    return 0;
  }
  luaL_checktype(L, 1, LUA_TFUNCTION);
  return begin(L, 1, readable);
}

/* pauseLines(paused): no more lines, and nothing that keeps the program alive, until it is called with false.
 * What was read already is kept for then. */
static int f_pause_lines(lua_State *L)
{
  bool pause = lua_toboolean(L, 1);
  struct ln_host *h = ln_host_get();
  if (!input.poll || input.editing || pause == input.paused) return 0;
  input.paused = pause;
  ln_poll_set(input.poll, pause || input.eof ? 0 : LN_POLL_READABLE);
  if (pause) {
    ln_loop_undefer(h->loop, &input.again);
    ln_host_unref(h);
  } else {
    ln_host_ref(h);
    input.again.fn = deliver_again;
    if (input.in.len || input.eof) ln_loop_defer(h->loop, &input.again);
  }
  return 0;
}

static int f_write(lua_State *L)
{
  int fd = (int)luaL_checkinteger(L, 1);
  size_t n;
  const char *s = luaL_checklstring(L, 2, &n);
  if (fd == 1) fflush(stdout);
  while (n > 0) {
    ssize_t w = write(fd, s, n);
    if (w < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (w < 0) {
      lua_pushnil(L);
      lua_pushstring(L, strerror(errno));
      return 2;
    }
    s += w;
    n -= (size_t)w;
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* --- the editor --- */

static void editor_line(char *line)
{
  input.accepted = true;
  if (!line) {
    at_end();
    return;
  }
  struct ln_slice s = ln_slice_str(line);
  if (*line) input.edit->add_history(line);
  ln_host_protect(ln_host_get(), call_line, &s);
  free(line);
}

static void editor_readable(void *ctx, int events)
{
  (void)ctx;
  (void)events;
  /* The terminal has gone: the editor would never say so. */
  struct pollfd terminal = {.fd = STDIN_FILENO, .events = POLLIN};
  if (poll(&terminal, 1, 0) > 0 && (terminal.revents & (POLLHUP | POLLERR | POLLNVAL))) {
    at_end();
    return;
  }
  input.edit->rl_callback_read_char();
  if (!input.accepted || !input.editing) return;
  /* After a line libedit leaves the terminal as it found it; unarmed, it would miss the next Ctrl-D. */
  input.accepted = false;
  input.edit->rl_callback_handler_install(input.prompt, editor_line);
}

#define COMPLETIONS_MAX 500

struct completion {
  const char *word;
  size_t start; /* where it begins in the line */
  char **matches;
};

/* Only strings are looked at between the first strdup and the end: nothing can throw past what is held. */
static int call_complete(lua_State *L)
{
  struct completion *c = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, input.complete_ref);
  lua_pushstring(L, c->word);
  lua_pushlstring(L, *input.edit->rl_line_buffer, c->start);
  if (lua_pcall(L, 2, 1, 0) != LUA_OK || !lua_istable(L, -1)) return 0;
  size_t n = lua_rawlen(L, -1), same = SIZE_MAX;
  if (n == 0) return 0;
  if (n > COMPLETIONS_MAX) n = COMPLETIONS_MAX;
  luaL_checkstack(L, 4, NULL);
  char **list = calloc(n + 2, sizeof *list);
  for (size_t i = 1; list && i <= n; i++) {
    bool is_string = lua_rawgeti(L, -1, (lua_Integer)i) == LUA_TSTRING;
    const char *s = is_string ? lua_tostring(L, -1) : "";
    if (i == 1) same = strlen(s);
    for (size_t k = 0; list[1] && k < same; k++)
      if (s[k] != list[1][k]) same = k;
    list[i] = strdup(s);
    lua_pop(L, 1);
    if (!list[i]) break;
  }
  if (list && list[1]) list[0] = strndup(list[1], same); /* what they have in common */
  if (list && list[0])
    c->matches = list; /* libedit frees them */
  else if (list) {
    free(list[1]);
    free(list);
  }
  return 0;
}

static char **complete(const char *word, int start, int end)
{
  struct completion c = {word, (size_t)start, NULL};
  (void)end;
  *input.edit->rl_attempted_completion_over = 1; /* no names of files where we know nothing */
  *input.edit->rl_completion_append_character = 0;
  if (input.complete_ref != LUA_NOREF) ln_host_protect(ln_host_get(), call_complete, &c);
  return c.matches;
}

/* edit{ prompt =, onLine = fn(line | nil), history = path, complete = fn(word, before) } → ed;
 * ed:print(text), ed:setPrompt(text), ed:close() */
static int f_edit(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  input.edit = ln_editline();
  if (!input.edit) return luaL_error(L, "line editing needs libedit, which is not installed");
  lua_getfield(L, 1, "prompt");
  lua_getfield(L, 1, "history");
  lua_getfield(L, 1, "onLine");
  luaL_checktype(L, -1, LUA_TFUNCTION);
  begin(L, lua_gettop(L), editor_readable);
  input.prompt = strdup(luaL_optstring(L, 2, "> "));
  input.history = lua_isstring(L, 3) ? strdup(lua_tostring(L, 3)) : NULL;
  input.editing = true;
  input.accepted = false;
  *input.edit->rl_catch_signals = 0;
  *input.edit->rl_readline_name = "luna";
  lua_getfield(L, 1, "complete");
  luaL_unref(L, LUA_REGISTRYINDEX, input.complete_ref);
  input.complete_ref = lua_isfunction(L, -1) ? luaL_ref(L, LUA_REGISTRYINDEX) : LUA_NOREF;
  *input.edit->rl_attempted_completion_function = input.complete_ref == LUA_NOREF ? NULL : complete;
  if (!setlocale(LC_CTYPE, "") || MB_CUR_MAX == 1)
    setlocale(LC_CTYPE, "C.UTF-8"); /* else what is no ASCII is dropped */
  input.edit->rl_initialize();
  input.edit->stifle_history(1000);
  if (input.history) input.edit->read_history(input.history);
  input.edit->rl_callback_handler_install(input.prompt, editor_line);
  lua_newuserdatauv(L, 1, 0);
  luaL_setmetatable(L, "luna.Editor");
  return 1;
}

/* Prints whole lines above the prompt and what is being typed. */
static int e_print(lua_State *L)
{
  size_t n;
  const char *s = luaL_checklstring(L, 2, &n);
  if (!input.editing || input.accepted) {
    fwrite(s, 1, n, stdout);
    fputc('\n', stdout);
    fflush(stdout);
    return 0;
  }
  fputs("\r\033[K", stdout);
  fwrite(s, 1, n, stdout);
  fputs("\n", stdout);
  fflush(stdout);
  input.edit->rl_forced_update_display();
  return 0;
}

/* The prompt from the next line on: an answer may come while one is typed. */
static int e_set_prompt(lua_State *L)
{
  char *copy = strdup(luaL_checkstring(L, 2));
  if (!copy || !input.editing) {
    free(copy);
    return 0;
  }
  free(input.prompt);
  input.prompt = copy;
  if (input.accepted) return 0;
  fputs("\r\033[K", stdout);
  fflush(stdout);
  input.edit->rl_set_prompt(input.prompt);
  input.edit->rl_forced_update_display();
  return 0;
}

static int e_close(lua_State *L)
{
  (void)L;
  if (input.editing) {
    stop_input();
    fputs("\r\033[K", stdout);
    fflush(stdout);
  }
  return 0;
}

int ln_stdio_usage(lua_State *L)
{
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  lua_pushnumber(L, (lua_Number)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                        (lua_Number)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
  lua_pushinteger(L, u.ru_maxrss);
  return 2;
}

void ln_stdio_close(struct ln_host *h)
{
  (void)h;
  stop_input();
}

void ln_stdio_add(lua_State *L)
{
  static const luaL_Reg functions[] = {{"readLines", f_read_lines},
                                       {"pauseLines", f_pause_lines},
                                       {"write", f_write},
                                       {"edit", f_edit},
                                       {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"print", e_print}, {"setPrompt", e_set_prompt}, {"close", e_close}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  luaL_newmetatable(L, "luna.Editor");
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_setfuncs(L, methods, 0);
  lua_pop(L, 1);
}

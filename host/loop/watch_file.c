/* See watch_file.h. One uv_fs_event a folder; the names that are of interest are compared here. Freed when
 * the last of its handles has closed. */
#include "loop/internal.h"
#include "loop/watch_file.h"
#include "base/alloc.h"

#include <string.h>

#define QUIET_US (50 * 1000)
#define LONGEST_US (500 * 1000)

struct folder {
  uv_fs_event_t handle;
  struct ln_file_watch *watch;
  struct folder *next;
  char *names; /* each ended by a 0, the list by another */
  size_t names_size;
  char path[];
};

struct ln_file_watch {
  struct ln_open open;
  struct ln_loop *loop;
  void (*fn)(void *ctx);
  void *ctx;
  struct folder *folders;
  size_t open_handles;
  struct ln_timer timer;
  int64_t first; /* of the burst under way */
};

static void release(struct ln_file_watch *w)
{
  if (--w->open_handles) return;
  ln_free(w);
}

static void folder_freed(uv_handle_t *h)
{
  struct folder *f = h->data;
  struct ln_file_watch *w = f->watch;
  ln_free(f->names);
  ln_free(f);
  release(w);
}

static void close_watch(struct ln_open *o)
{
  struct ln_file_watch *w = (struct ln_file_watch *)o;
  ln_timer_stop(&w->timer);
  struct folder *f = w->folders;
  w->folders = NULL;
  while (f) {
    struct folder *next = f->next;
    uv_close((uv_handle_t *)&f->handle, folder_freed);
    f = next;
  }
  release(w);
}

static void quiet(struct ln_timer *t)
{
  struct ln_file_watch *w = (struct ln_file_watch *)((char *)t - offsetof(struct ln_file_watch, timer));
  w->fn(w->ctx);
}

static void changed(uv_fs_event_t *h, const char *name, int events, int status)
{
  struct folder *f = h->data;
  struct ln_file_watch *w = f->watch;
  (void)events;
  if (status < 0 || !w->folders) return;
  if (name) { /* without one it may be any */
    const char *known = f->names;
    while (*known && strcmp(known, "*") != 0 && strcmp(known, name) != 0) known += strlen(known) + 1;
    if (!*known) return;
  }
  struct ln_clock *clock = ln_loop_clock(w->loop);
  int64_t now = ln_clock_fresh(clock);
  if (!ln_timer_running(&w->timer)) w->first = now;
  int64_t due = now + QUIET_US;
  if (due > w->first + LONGEST_US) due = w->first + LONGEST_US;
  if (ln_timer_start(clock, &w->timer, due)) w->fn(w->ctx);
}

static struct folder *find_folder(struct ln_file_watch *w, const char *path, size_t n)
{
  for (struct folder *f = w->folders; f; f = f->next)
    if (strncmp(f->path, path, n) == 0 && f->path[n] == 0) return f;
  return NULL;
}

static int add_name(struct folder *f, const char *name)
{
  size_t n = strlen(name) + 1, used = f->names_size ? f->names_size - 1 : 0;
  char *names = ln_realloc(f->names, used + n + 1);
  if (!names) return LN_E_NOMEM;
  memcpy(names + used, name, n);
  names[used + n] = 0;
  f->names = names;
  f->names_size = used + n + 1;
  return LN_OK;
}

static int add_folder(struct ln_file_watch *w, const char *path, size_t n, struct folder **out)
{
  *out = NULL;
  struct folder *f = ln_calloc(1, sizeof *f + n + 1);
  if (!f) return LN_E_NOMEM;
  memcpy(f->path, path, n);
  f->watch = w;
  f->names = ln_calloc(1, 1);
  if (!f->names || uv_fs_event_init(&w->loop->uv, &f->handle)) {
    ln_free(f->names);
    ln_free(f);
    return LN_E_NOMEM;
  }
  f->handle.data = f;
  w->open_handles++;
  uv_unref((uv_handle_t *)&f->handle);
  if (uv_fs_event_start(&f->handle, changed, f->path, 0)) {
    uv_close((uv_handle_t *)&f->handle, folder_freed);
    return LN_OK;
  }
  f->next = w->folders;
  w->folders = f;
  *out = f;
  return LN_OK;
}

int ln_file_watch_open(struct ln_loop *loop, const char *const *paths, size_t n, void (*fn)(void *ctx),
                       void *ctx, struct ln_file_watch **out, bool *left)
{
  struct ln_file_watch *w = ln_calloc(1, sizeof *w);
  if (!w) return LN_E_NOMEM;
  w->loop = loop;
  w->fn = fn;
  w->ctx = ctx;
  w->open_handles = 1; /* the watch itself */
  w->timer.fn = quiet;
  int err = LN_OK;
  for (size_t i = 0; i < n && !err; i++) {
    const char *slash = strrchr(paths[i], '/');
    const char *name = slash ? slash + 1 : paths[i];
    const char *path = slash ? paths[i] : ".";
    size_t length = slash ? (slash == paths[i] ? 1 : (size_t)(slash - paths[i])) : 1;
    struct folder *f = find_folder(w, path, length);
    if (!f) err = add_folder(w, path, length, &f);
    if (!err && f) err = add_name(f, name);
    left[i] = !f;
  }
  if (err) {
    close_watch(&w->open);
    return err;
  }
  ln_open_add(loop, &w->open, close_watch);
  *out = w;
  return LN_OK;
}

void ln_file_watch_close(struct ln_file_watch *w)
{
  if (!w) return;
  ln_open_remove(&w->open);
  close_watch(&w->open);
}

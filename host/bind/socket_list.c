/* All sockets and servers that are open: see socket.h. A virtual clock must not jump over what is on its way
 * through the kernel. Where both ends are in this process, that is known by counting; a socket that was
 * connected to the world outside holds the clocks while a task waits for it, as an exchange of HTTP does; one
 * that a server has accepted from outside does not, since its peer may be silent for ever. */
#include "bind/socket.h"
#include "bind/watch.h"

enum place { UNKNOWN, OUTSIDE, INSIDE, LEFT /* it was inside, and has closed */ };

static struct ln_socket_link *all;

void ln_socket_link(struct ln_socket_link *l)
{
  struct ln_task *t = ln_host_get()->current;
  l->owner = t ? t->owner : 0;
  l->linked = true;
  l->prev = NULL;
  l->next = all;
  if (all) all->prev = l;
  all = l;
}

static struct ln_socket *socket_of(struct ln_socket_link *l)
{
  return l->is_server ? NULL : (struct ln_socket *)l;
}

/* Those of scripts that listen on all addresses are known by the port. */
static bool listens_at(const struct ln_socket_server *s, const char *address)
{
  char own[128];
  const char *port = strrchr(address, ':');
  if (!ln_listener_address(s->listener, own, sizeof own)) return false;
  if (strcmp(own, address) == 0) return true;
  bool any = strncmp(own, "0.0.0.0:", 8) == 0 || strncmp(own, "[::]:", 5) == 0;
  return any && port && strcmp(strrchr(own, ':'), port) == 0;
}

/* Looks for the other end; stays UNKNOWN while a server here has not accepted it yet. Gives that server. */
static struct ln_socket_server *find_peer(struct ln_socket *s)
{
  char here[128], there[128], text[128];
  if (s->place != UNKNOWN || !s->stream || s->opener) return NULL;
  if (!ln_stream_address(s->stream, true, there, sizeof there)) *there = 0;
  if (!ln_stream_address(s->stream, false, here, sizeof here)) *here = 0;
  struct ln_socket_server *server = NULL;
  for (struct ln_socket_link *l = all; l; l = l->next) {
    struct ln_socket *p = socket_of(l);
    if (l->is_server) {
      if (s->dialled && listens_at((struct ln_socket_server *)l, there))
        server = (struct ln_socket_server *)l;
    } else if (p != s && p->stream && !p->opener && p->place == UNKNOWN) {
      if (!ln_stream_address(p->stream, false, text, sizeof text) || strcmp(text, there) != 0) continue;
      if (!ln_stream_address(p->stream, true, text, sizeof text) || strcmp(text, here) != 0) continue;
      s->place = p->place = INSIDE;
      s->peer = p;
      p->peer = s;
      return NULL;
    }
  }
  if (!server) s->place = OUTSIDE;
  return server;
}

void ln_socket_unlink(struct ln_socket_link *l)
{
  struct ln_socket *s = socket_of(l);
  if (!l->linked) return;
  if (s && ln_host_get()->n_clocks) find_peer(s);
  if (s && s->peer) {
    s->peer->place = LEFT;
    s->peer->peer = NULL;
    s->peer = NULL;
  }
  l->linked = false;
  if (l->prev)
    l->prev->next = l->next;
  else
    all = l->next;
  if (l->next) l->next->prev = l->prev;
}

static bool takes(const struct ln_socket *s)
{
  return s->reads && !s->full && !s->ended;
}

/* What the kernel has of `from`'s, and `to` will get by itself. */
static bool under_way(const struct ln_socket *from, const struct ln_socket *to)
{
  if (!takes(to)) return false;
  uint64_t got = to->taken + ln_stream_in(to->stream)->len;
  return from->sent - ln_stream_unsent(from->stream) > got || from->finished;
}

static bool holds(struct ln_socket *s)
{
  if (s->opener) return !s->link.unreferenced;
  struct ln_socket_server *server = find_peer(s);
  if (server) return server->acceptor || server->n;
  switch (s->place) {
  case OUTSIDE: return s->dialled && s->link.waits > 0 && !s->link.unreferenced;
  case INSIDE: return under_way(s, s->peer);
  default: return takes(s);
  }
}

bool ln_socket_holds(void)
{
  for (struct ln_socket_link *l = all; l; l = l->next)
    if (!l->is_server && holds((struct ln_socket *)l)) return true;
  return false;
}

static void set_address(lua_State *L, const char *field, const char *text, size_t n)
{
  if (!n) return;
  lua_pushlstring(L, text, n);
  lua_setfield(L, -2, field);
}

/* list() → { { server = true | nil, localAddress, remoteAddress, waits = tasks, reads, writes, referenced,
 * owner, number }, … } */
int ln_socket_list(lua_State *L)
{
  char text[128];
  lua_Integer n = 0;
  luaL_checkstack(L, 4, NULL);
  lua_newtable(L);
  for (struct ln_socket_link *l = all; l; l = l->next) {
    struct ln_socket *s = socket_of(l);
    struct ln_socket_server *server = (struct ln_socket_server *)l;
    lua_createtable(L, 0, 8);
    if (s) {
      set_address(L, "localAddress", text, ln_stream_address(s->stream, false, text, sizeof text));
      set_address(L, "remoteAddress", text, ln_stream_address(s->stream, true, text, sizeof text));
      lua_pushboolean(L, s->reader != NULL);
      lua_setfield(L, -2, "reads");
      lua_pushboolean(L, s->first != NULL);
      lua_setfield(L, -2, "writes");
      lua_pushinteger(L, ln_stream_fd(s->stream));
    } else {
      set_address(L, "localAddress", text, ln_listener_address(server->listener, text, sizeof text));
      lua_pushboolean(L, 1);
      lua_setfield(L, -2, "server");
      lua_pushboolean(L, server->acceptor != NULL);
      lua_setfield(L, -2, "reads");
      lua_pushinteger(L, ln_listener_fd(server->listener));
    }
    lua_setfield(L, -2, "number");
    lua_pushboolean(L, !l->unreferenced);
    lua_setfield(L, -2, "referenced");
    lua_pushinteger(L, l->owner);
    lua_setfield(L, -2, "owner");
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

static void cancel_owned(lua_State *L, struct ln_task *t, lua_Integer owner, lua_Integer mask)
{
  if (!t || lua_isnoneornil(L, 3) || (t->owner & mask) != owner) return;
  lua_pushvalue(L, 3);
  ln_task_cancel(t, L);
}

/* endOwned(owner, mask, err | nil): closes all whose owner is that under the mask: those of one version of a
 * script, or of one client. The owner's tasks that wait for one get the error, the others see the end. */
int ln_socket_end_owned(lua_State *L)
{
  lua_Integer owner = luaL_checkinteger(L, 1), mask = luaL_checkinteger(L, 2);
  luaL_checkstack(L, 4, NULL);
  for (struct ln_socket_link *l = all, *next; l; l = next) {
    struct ln_socket *s = socket_of(l);
    next = l->next;
    if ((l->owner & mask) != owner) continue;
    if (s) {
      for (struct ln_socket_write *w = s->first; w; w = w->next) cancel_owned(L, w->task, owner, mask);
      cancel_owned(L, s->reader, owner, mask);
      cancel_owned(L, s->opener, owner, mask); /* which closes it */
      ln_socket_close(s);
    } else {
      cancel_owned(L, ((struct ln_socket_server *)l)->acceptor, owner, mask);
      ln_socket_server_close((struct ln_socket_server *)l);
    }
  }
  return 0;
}

void ln_socket_count(lua_Integer env, struct ln_socket_counts *c)
{
  for (struct ln_socket_link *l = all; l; l = l->next) {
    struct ln_socket *s = socket_of(l);
    if (LN_WATCH_ENV(l->owner) != env) continue;
    c->reads[s ? s->reader != NULL : ((struct ln_socket_server *)l)->acceptor != NULL]++;
    if (s) c->writes[s->first != NULL]++;
    if (l->unreferenced)
      c->unreferenced += l->waits;
    else
      c->referenced += l->waits;
  }
}

/* The requests of a client's session: queued (in the order of their making) or in flight (in the order of
 * their leaving). A request that is sent again goes back to its place in the queue and gets a new msg_id
 * (M21). Called by the other files of the session alone. */
#include "mtproto/session_internal.h"
#include "base/alloc.h"

#define AFTER_SIZE 12 /* invokeAfterMsg: constructor, msg_id */

void ln_request_list_add(struct ln_request_list *l, struct ln_request *r)
{
  r->next = NULL;
  r->prev = l->last;
  if (l->last)
    l->last->next = r;
  else
    l->first = r;
  l->last = r;
}

static void list_insert_before(struct ln_request_list *l, struct ln_request *at, struct ln_request *r)
{
  if (!at) {
    ln_request_list_add(l, r);
    return;
  }
  r->next = at;
  r->prev = at->prev;
  if (at->prev)
    at->prev->next = r;
  else
    l->first = r;
  at->prev = r;
}

void ln_request_list_remove(struct ln_request_list *l, struct ln_request *r)
{
  if (r->prev)
    r->prev->next = r->next;
  else
    l->first = r->next;
  if (r->next)
    r->next->prev = r->prev;
  else
    l->last = r->prev;
  r->prev = r->next = NULL;
}

struct ln_request *ln_request_find(struct ln_session *s, uint64_t msg_id)
{
  return msg_id ? ln_map_get(&s->by_id, msg_id) : NULL;
}

static void forget_ids(struct ln_session *s, struct ln_request *r)
{
  if (r->msg_id && ln_map_get(&s->by_id, r->msg_id) == r) ln_map_remove(&s->by_id, r->msg_id);
  if (r->old_id && ln_map_get(&s->by_id, r->old_id) == r) ln_map_remove(&s->by_id, r->old_id);
}

/* What waited for r waits for what r waited for: r is answered (then that is answered too) or cancelled. */
static void release_dependents(struct ln_request *r)
{
  while (r->dependents) {
    struct ln_request *d = r->dependents;
    r->dependents = d->next_dependent;
    d->after = r->after;
    d->next_dependent = NULL;
    if (r->after) {
      d->next_dependent = r->after->dependents;
      r->after->dependents = d;
    }
  }
}

void ln_request_detach(struct ln_session *s, struct ln_request *r)
{
  forget_ids(s, r);
  if (r->after) {
    struct ln_request **at = &r->after->dependents;
    while (*at != r) at = &(*at)->next_dependent;
    *at = r->next_dependent;
  }
  release_dependents(r);
  ln_request_list_remove(r->state == LN_REQUEST_QUEUED ? &s->queue : &s->flight, r);
  s->n_pending--;
}

static void requeue_from(struct ln_session *s, struct ln_request *r, struct ln_request *at)
{
  ln_request_list_remove(&s->flight, r);
  /* Its answer may still come under the id that it had; the one before that is given up. */
  if (r->old_id && ln_map_get(&s->by_id, r->old_id) == r) ln_map_remove(&s->by_id, r->old_id);
  r->old_id = r->msg_id;
  r->container_id = 0;
  r->state = LN_REQUEST_QUEUED;
  while (at && at->order < r->order) at = at->next;
  list_insert_before(&s->queue, at, r);
}

void ln_request_again(struct ln_session *s, struct ln_request *r)
{
  if (r->state != LN_REQUEST_QUEUED) requeue_from(s, r, s->queue.first);
}

void ln_request_all_again(struct ln_session *s, bool (*match)(const struct ln_request *r, uint64_t id),
                          uint64_t id)
{
  /* From the youngest on, each to the front: what is in flight is older than what is queued, as a rule. */
  for (struct ln_request *r = s->flight.last, *prev; r; r = prev) {
    prev = r->prev;
    if (!match || match(r, id)) requeue_from(s, r, s->queue.first);
  }
}

void ln_request_check(struct ln_session *s, struct ln_request *r, int64_t at)
{
  r->check_at = at;
  if (at < s->check_due) s->check_due = at;
}

void ln_request_acked(struct ln_session *s, struct ln_request *r)
{
  if (r->state != LN_REQUEST_SENT) return;
  r->state = LN_REQUEST_ACKED;
  ln_request_check(s, r, s->now + LN_UNANSWERED_US);
}

void ln_request_collect(struct ln_session *s)
{
  if (s->now < s->check_due || s->n_asking) return;
  s->check_due = LN_NEVER;
  for (struct ln_request *r = s->flight.first; r; r = r->next) {
    if (r->check_at <= s->now && s->n_asking < LN_MAX_ASKED) {
      s->asking[s->n_asking++] = r->msg_id;
      r->check_at = s->now + LN_ASK_AGAIN_US;
    }
    if (r->check_at < s->check_due) s->check_due = r->check_at;
  }
}

static bool with_prefix(const struct ln_session *s, const struct ln_request *r)
{
  return !s->prefix_done && !r->no_prefix && s->prefix.len;
}

static bool with_after(const struct ln_request *r)
{
  return r->after && r->after->msg_id && r->after->state != LN_REQUEST_QUEUED;
}

/* In one flush a request may follow the one it waits for, which is still queued when sizes are taken. */
size_t ln_request_wire_size(const struct ln_session *s, const struct ln_request *r)
{
  return (with_prefix(s, r) ? s->prefix.len : 0) + (r->after ? AFTER_SIZE : 0) + r->len;
}

size_t ln_request_write(const struct ln_session *s, struct ln_request *r, uint8_t *to)
{
  uint8_t *at = to;
  r->prefixed = with_prefix(s, r);
  if (r->prefixed) {
    memcpy(at, ln_buf_data(&s->prefix), s->prefix.len);
    at += s->prefix.len;
  }
  if (with_after(r)) {
    ln_put_le32(at, LN_ID_invokeAfterMsg);
    ln_put_le64(at + 4, r->after->msg_id);
    at += AFTER_SIZE;
  }
  memcpy(at, r->body, r->len);
  return (size_t)(at - to) + r->len;
}

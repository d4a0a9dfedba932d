/* The salts of a client's session: which one is good now, and when to ask for more (future_salts, M20).
 * https://core.telegram.org/mtproto/service_messages#request-for-several-future-salts */
#include "mtproto/session_internal.h"

#define ASK_BEFORE_S 1800 /* the last salt in hand ends within this: ask */
#define ASK_AT_MOST_S 600

void ln_salts_set(struct ln_session *s, uint64_t salt)
{
  s->salt = salt;
  s->salt_since = s->msgid.last;
}

static int64_t good_until(const struct ln_session *s)
{
  int64_t until = 0;
  for (size_t i = 0; i < s->n_salts; i++)
    if (s->salts[i].valid_until > until) until = s->salts[i].valid_until;
  return until;
}

/* When those in hand run out; but a server with short or eternal salts must not be asked for ever. */
static void ask_later(struct ln_session *s)
{
  int64_t left = good_until(s) - ln_session_server_us(s) / LN_US_PER_S;
  int64_t wait = left - ASK_BEFORE_S;
  if (wait < ASK_AT_MOST_S) wait = ASK_AT_MOST_S;
  if (wait > 7 * 86400) wait = 7 * 86400;
  s->salts_ask_at = s->now + wait * LN_US_PER_S;
}

/* Called with each flush, so it looks through the list only when something has changed. */
void ln_salts_update(struct ln_session *s)
{
  int64_t now = ln_session_server_us(s) / LN_US_PER_S;
  if (now >= s->salts_from && now < s->salts_until && s->salt == s->salts_best && s->now < s->salts_ask_at)
    return;
  s->salts_from = INT64_MIN;
  s->salts_until = INT64_MAX;
  size_t kept = 0;
  const struct ln_salt *best = NULL;
  bool current = false;
  for (size_t i = 0; i < s->n_salts; i++) {
    if (s->synchronised && s->salts[i].valid_until <= now) continue;
    s->salts[kept] = s->salts[i];
    struct ln_salt *x = &s->salts[kept++];
    if (x->valid_until < s->salts_until) s->salts_until = x->valid_until;
    if (x->valid_since > now) {
      if (x->valid_since < s->salts_until) s->salts_until = x->valid_since;
      continue;
    }
    if (x->valid_since > s->salts_from) s->salts_from = x->valid_since;
    if (x->salt == s->salt) current = true;
    if (!best || x->valid_until > best->valid_until) best = x;
  }
  s->n_salts = kept;
  if (best && !current) ln_salts_set(s, best->salt);
  s->salts_best = s->salt;
  if (s->salts_ask_at <= s->now && good_until(s) > now + ASK_BEFORE_S) ask_later(s);
}

int ln_on_future_salts(struct ln_session *s, const struct ln_message *m)
{
  struct ln_reader r;
  ln_reader_init(&r, m->body);
  ln_read_u32(&r);
  uint64_t req = ln_read_u64(&r);
  ln_read_u32(&r); /* now: the msg_id says it better */
  uint32_t n = ln_read_vector(&r, false, 16);
  struct ln_salt fresh[LN_MAX_SALTS];
  if (r.err || n < 1 || n > LN_MAX_SALTS) return LN_E_DISCARD;
  for (uint32_t i = 0; i < n; i++) {
    fresh[i].valid_since = ln_read_i32(&r);
    fresh[i].valid_until = ln_read_i32(&r);
    fresh[i].salt = ln_read_u64(&r);
    if (fresh[i].valid_since >= fresh[i].valid_until) return LN_E_DISCARD;
  }
  if (!ln_read_whole(&r)) return LN_E_DISCARD;
  if (!LN_CHECK(M20, s->salts_query && req == s->salts_query)) return LN_E_DISCARD;
  s->salts_query = 0;
  memcpy(s->salts, fresh, n * sizeof fresh[0]);
  s->n_salts = n;
  s->salts_until = INT64_MIN;
  ask_later(s);
  ln_salts_update(s);
  s->ops->on_state(s->ctx);
  return LN_OK;
}

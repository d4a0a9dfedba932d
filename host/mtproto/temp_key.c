/* See temp_key.h. Nothing of this is ever written anywhere: a temporary key lives in this memory alone. */
#include "mtproto/temp_key.h"
#include "mtproto/check.h"
#include "base/clock.h"
#include "crypto/hash.h"

#define SPARE_US (60 * LN_US_PER_S)       /* too little left to begin with */
#define YOUNG_US (60 * LN_US_PER_S)       /* a permanent key may not have come to all of a DC's servers yet */
#define RENEW_AGAIN_US (60 * LN_US_PER_S) /* doubled with each failure, */
#define RENEW_AGAIN_MAX 6                 /* so often */

void ln_temp_keys_deinit(struct ln_temp_keys *t)
{
  ln_cleanse(t, sizeof *t);
}

void ln_temp_keys_permanent(struct ln_temp_keys *t, int64_t now)
{
  t->perm_since = now;
  t->refusals = 0;
}

void ln_temp_keys_made(struct ln_temp_keys *t, const struct ln_exchange_result *made, int64_t asked_at)
{
  int64_t life = made->expires_in * LN_US_PER_S;
  struct ln_temp_key *k = t->now.expires ? &t->next : &t->now;
  k->key = made->key;
  k->salt = made->salt;
  k->expires = asked_at + life;
  k->renew_at = LN_CHECK(P4, false) ? k->expires : asked_at + life / 4 * 3;
  t->failures = 0;
}

void ln_temp_keys_turn(struct ln_temp_keys *t)
{
  if (!t->next.expires) return;
  t->now = t->next;
  ln_cleanse(&t->next, sizeof t->next);
}

bool ln_temp_keys_good(const struct ln_temp_keys *t, int64_t now)
{
  return t->now.expires - SPARE_US > now;
}

int64_t ln_temp_keys_due(const struct ln_temp_keys *t)
{
  if (!t->now.expires) return LN_NEVER;
  return t->now.renew_at < t->now.expires ? t->now.renew_at : t->now.expires;
}

void ln_temp_keys_renewal_failed(struct ln_temp_keys *t, int64_t now)
{
  t->now.renew_at = now + (RENEW_AGAIN_US << t->failures);
  if (t->failures < RENEW_AGAIN_MAX) t->failures++;
}

void ln_temp_keys_drop(struct ln_temp_keys *t)
{
  ln_cleanse(&t->now, sizeof t->now);
  ln_cleanse(&t->next, sizeof t->next);
}

void ln_temp_keys_bound(struct ln_temp_keys *t)
{
  t->refusals = 0;
}

enum ln_temp_key_verdict ln_temp_keys_refused(struct ln_temp_keys *t, struct ln_slice text, int64_t now)
{
  static const char invalid[] = "ENCRYPTED_MESSAGE_INVALID";
  ln_temp_keys_drop(t);
  bool about_perm = text.n == sizeof invalid - 1 && memcmp(text.p, invalid, text.n) == 0;
  if (!LN_CHECK(T1, about_perm)) return LN_TEMP_KEY_ANEW; /* whatever it was, it says nothing of that key */
  t->refusals++;
  if (LN_CHECK(P5, false)) return LN_PERM_KEY_DEAD;
  return t->refusals >= 2 && now - t->perm_since > YOUNG_US ? LN_PERM_KEY_DEAD : LN_TEMP_KEY_ANEW;
}

enum ln_temp_key_verdict ln_temp_keys_not_found(struct ln_temp_keys *t)
{
  ln_temp_keys_drop(t);
  return LN_CHECK(T1, false) ? LN_PERM_KEY_DEAD : LN_TEMP_KEY_ANEW;
}

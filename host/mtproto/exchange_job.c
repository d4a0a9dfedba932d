/* The arithmetic of the key exchange, as jobs for a worker thread: each reads and writes its own struct
 * alone. Made by exchange_client.c and exchange_server.c. */
#include "mtproto/exchange_impl.h"

static void fail(struct ln_exchange_job *j, int check)
{
  if (j->failed < 0) j->failed = check;
}

/* Our own g^secret; out of range: another secret is needed (K12). */
static bool make_own(struct ln_exchange_job *j)
{
  struct ln_slice prime = ln_slice(j->prime, sizeof j->prime);
  int err = ln_dh_public(prime, j->g, j->secret, j->own);
  if (err == LN_E_BAD_VALUE) {
    fail(j, LN_CK_K10); /* no group to compute in: comes up where the checks are off alone */
    return false;
  }
  j->err = err;
  if (!err) j->redraw = !LN_CHECK(K12, ln_dh_check_public(prime, ln_slice(j->own, 256)) == LN_OK);
  return !err && !j->redraw;
}

static void make_shared(struct ln_exchange_job *j)
{
  struct ln_slice prime = ln_slice(j->prime, sizeof j->prime), peer = ln_slice(j->peer, j->peer_len);
  if (!LN_CHECK(K12, ln_dh_check_public(prime, peer) == LN_OK)) {
    fail(j, LN_CK_K12);
    return;
  }
  int err = ln_dh_shared(prime, peer, j->secret, j->shared);
  if (err == LN_E_BAD_VALUE)
    fail(j, LN_CK_K12);
  else
    j->err = err;
}

static void agree(struct ln_exchange_job *j)
{
  struct ln_slice prime = ln_slice(j->prime, sizeof j->prime);
  if (!j->group_checked) {
    /* 4 is a square, so it fits every prime: what is asked here is the prime alone. */
    if (!LN_CHECK(K10, ln_dh_check_group(prime, 4) == LN_OK)) {
      fail(j, LN_CK_K10);
      return;
    }
    if (!LN_CHECK(K11, ln_dh_generator_fits(prime, j->g))) {
      fail(j, LN_CK_K11);
      return;
    }
  }
  if (make_own(j)) make_shared(j);
}

static void decrypt(struct ln_exchange_job *j)
{
  int err = ln_rsa_pad_decrypt(j->rsa, j->sealed, j->padded);
  if (err == LN_E_DECRYPT) {
    j->is_old = true;
    err = ln_rsa_old_decrypt(j->rsa, j->sealed, j->old_hash, j->old);
  }
  if (err == LN_E_DECRYPT) {
    fail(j, LN_CK_K5);
    return;
  }
  j->err = err;
  if (!err) make_own(j);
}

void ln_exchange_job_run(struct ln_exchange_job *j)
{
  j->failed = -1;
  switch (j->kind) {
  case LN_EX_JOB_NONE: break;
  case LN_EX_JOB_FACTOR:
    if (!LN_CHECK(K4, ln_pq_factor(j->pq, &j->p, &j->q) == LN_OK)) fail(j, LN_CK_K4);
    break;
  case LN_EX_JOB_AGREE: agree(j); break;
  case LN_EX_JOB_DECRYPT: decrypt(j); break;
  case LN_EX_JOB_SHARED: make_shared(j); break;
  }
}

/* _luna.crypto: randomness, hashes and RSA keys for lua/luna/. */
#include "bind/modules.h"
#include "bind/task.h"
#include "base/alloc.h"
#include "crypto/aes.h"
#include "crypto/hash.h"
#include "crypto/rand.h"
#include "crypto/rsa.h"
#include "loop/worker.h"

static struct ln_slice arg(lua_State *L, int index)
{
  size_t n;
  const char *s = luaL_checklstring(L, index, &n);
  return ln_slice(s, n);
}

static int f_random(lua_State *L)
{
  lua_Integer n = luaL_checkinteger(L, 1);
  luaL_argcheck(L, n >= 0 && n <= 1 << 20, 1, "from 0 to 1 MiB");
  luaL_Buffer b;
  char *to = luaL_buffinitsize(L, &b, (size_t)n);
  struct ln_rng rng = ln_rng_system();
  if (ln_rng_fill(&rng, to, (size_t)n)) return luaL_error(L, "no randomness");
  luaL_pushresultsize(&b, (size_t)n);
  return 1;
}

static int f_random_id(lua_State *L)
{
  lua_Integer v;
  struct ln_rng rng = ln_rng_system();
  if (ln_rng_fill(&rng, &v, sizeof v)) return luaL_error(L, "no randomness");
  lua_pushinteger(L, v);
  return 1;
}

static int f_sha1(lua_State *L)
{
  uint8_t out[20];
  ln_sha1(arg(L, 1), out);
  lua_pushlstring(L, (char *)out, sizeof out);
  return 1;
}

static int f_sha256(lua_State *L)
{
  uint8_t out[32];
  ln_sha256(arg(L, 1), out);
  lua_pushlstring(L, (char *)out, sizeof out);
  return 1;
}

static int f_hmac(lua_State *L)
{
  uint8_t out[32];
  ln_hmac_sha256(arg(L, 1), arg(L, 2), out);
  lua_pushlstring(L, (char *)out, sizeof out);
  return 1;
}

static int ige(lua_State *L, void (*fn)(const uint8_t *, const uint8_t *, const uint8_t *, uint8_t *, size_t))
{
  struct ln_slice key = arg(L, 1), iv = arg(L, 2), in = arg(L, 3);
  luaL_Buffer b;
  luaL_argcheck(L, key.n == 32, 1, "32 bytes");
  luaL_argcheck(L, iv.n == 32, 2, "32 bytes");
  luaL_argcheck(L, in.n % 16 == 0, 3, "a multiple of 16 bytes");
  uint8_t *to = (uint8_t *)luaL_buffinitsize(L, &b, in.n);
  if (in.n) fn(key.p, iv.p, in.p, to, in.n);
  luaL_pushresultsize(&b, in.n);
  return 1;
}

/* igeEncrypt(key, iv, bytes), igeDecrypt: AES-256-IGE, for what small things Lua has to read or write. */
static int f_ige_encrypt(lua_State *L)
{
  return ige(L, ln_aes_ige_encrypt);
}

static int f_ige_decrypt(lua_State *L)
{
  return ige(L, ln_aes_ige_decrypt);
}

struct generation {
  struct ln_rsa *key;
  struct ln_task *task; /* NULL: cancelled */
  uint64_t id;
  int err;
};

static void generate_run(void *ctx)
{
  struct generation *g = ctx;
  g->err = ln_rsa_generate(&g->key);
}

static int generate_deliver(lua_State *L)
{
  struct generation *g = lua_touserdata(L, 1);
  struct ln_buf pem;
  ln_buf_init(&pem, 1 << 16);
  int err = g->err ? g->err : ln_rsa_write_private(g->key, &pem);
  lua_State *to = g->task->wait_L;
  if (err)
    lua_pushstring(to, ln_err_text(err));
  else
    lua_pushlstring(to, (char *)ln_buf_data(&pem), pem.len);
  ln_buf_deinit_secret(&pem);
  ln_task_wake(g->task, 1, err != LN_OK);
  return 0;
}

static void generate_done(void *ctx)
{
  struct generation *g = ctx;
  ln_host_unref(ln_host_get());
  if (g->task) ln_host_protect(ln_host_get(), generate_deliver, g);
  ln_rsa_free(g->key);
  ln_free(g);
}

static void generate_cancel(struct ln_task *t, void *ctx)
{
  (void)t;
  ((struct generation *)ctx)->task = NULL;
}

static const struct ln_wait generating = {"io", generate_cancel};

static int f_generate_rsa(lua_State *L)
{
  struct ln_host *h = ln_host_get();
  ln_task_check_wait(L);
  struct generation *g = ln_calloc(1, sizeof *g);
  if (!g) return luaL_error(L, "out of memory");
  g->task = h->current;
  if (ln_worker_run(h->loop, generate_run, generate_done, g)) {
    ln_free(g);
    return luaL_error(L, "out of memory");
  }
  ln_host_ref(h);
  return ln_task_wait(L, &generating, g);
}

/* rsaPublic(pem of either kind) → PKCS#1 public PEM, fingerprint */
static int f_rsa_public(lua_State *L)
{
  struct ln_slice pem = arg(L, 1);
  struct ln_rsa *key = NULL;
  struct ln_buf out;
  int err = ln_rsa_parse_private(pem, &key);
  if (err) err = ln_rsa_parse_public(pem, &key, NULL);
  if (err) {
    lua_pushnil(L);
    lua_pushstring(L, ln_err_text(err));
    return 2;
  }
  ln_buf_init(&out, 1 << 16);
  char text[4096];
  size_t n = 0;
  err = ln_rsa_write_public(key, &out);
  if (!err && out.len <= sizeof text) {
    n = out.len;
    memcpy(text, ln_buf_data(&out), n);
  }
  uint64_t fingerprint = ln_rsa_fingerprint(key);
  ln_buf_deinit(&out);
  ln_rsa_free(key);
  lua_pushlstring(L, text, n);
  lua_pushinteger(L, (lua_Integer)fingerprint);
  return 2;
}

int luaopen__luna_crypto(lua_State *L)
{
  static const luaL_Reg functions[] = {{"random", f_random},
                                       {"randomId", f_random_id},
                                       {"sha1", f_sha1},
                                       {"sha256", f_sha256},
                                       {"hmac", f_hmac},
                                       {"igeEncrypt", f_ige_encrypt},
                                       {"igeDecrypt", f_ige_decrypt},
                                       {"generateRsa", f_generate_rsa},
                                       {"rsaPublic", f_rsa_public},
                                       {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}

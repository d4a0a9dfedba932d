/* See map.h. Linear probing with backward-shift deletion, so no tombstones. */
#include "base/map.h"
#include "base/alloc.h"

static size_t slot(uint64_t key, size_t cap)
{
  key ^= key >> 33;
  key *= UINT64_C(0xff51afd7ed558ccd);
  key ^= key >> 33;
  return (size_t)key & (cap - 1);
}

void ln_map_init(struct ln_map *m)
{
  memset(m, 0, sizeof *m);
}

void ln_map_deinit(struct ln_map *m)
{
  ln_free(m->entries);
  ln_map_init(m);
}

static struct ln_map_entry *find(const struct ln_map *m, uint64_t key)
{
  size_t i = slot(key, m->cap);
  while (m->entries[i].value && m->entries[i].key != key) i = (i + 1) & (m->cap - 1);
  return &m->entries[i];
}

void *ln_map_get(const struct ln_map *m, uint64_t key)
{
  return m->len ? find(m, key)->value : NULL;
}

static int grow(struct ln_map *m)
{
  size_t cap = m->cap ? m->cap * 2 : 16;
  struct ln_map bigger = {ln_calloc(cap, sizeof *bigger.entries), cap, m->len};
  if (!bigger.entries) return LN_E_NOMEM;
  for (size_t i = 0; i < m->cap; i++)
    if (m->entries[i].value) *find(&bigger, m->entries[i].key) = m->entries[i];
  ln_free(m->entries);
  *m = bigger;
  return LN_OK;
}

int ln_map_set(struct ln_map *m, uint64_t key, void *value)
{
  if (!value) return LN_E_INVAL;
  if ((m->len + 1) * 4 > m->cap * 3) {
    int err = grow(m);
    if (err) return err;
  }
  struct ln_map_entry *e = find(m, key);
  if (!e->value) m->len++;
  e->key = key;
  e->value = value;
  return LN_OK;
}

void *ln_map_remove(struct ln_map *m, uint64_t key)
{
  if (!m->len) return NULL;
  struct ln_map_entry *e = find(m, key);
  void *value = e->value;
  if (!value) return NULL;
  size_t hole = (size_t)(e - m->entries), i = hole;
  for (;;) {
    i = (i + 1) & (m->cap - 1);
    if (!m->entries[i].value) break;
    size_t home = slot(m->entries[i].key, m->cap);
    if (((i - home) & (m->cap - 1)) >= ((i - hole) & (m->cap - 1))) {
      m->entries[hole] = m->entries[i];
      hole = i;
    }
  }
  m->entries[hole].value = NULL;
  m->len--;
  return value;
}

bool ln_map_next(const struct ln_map *m, size_t *at, uint64_t *key, void **value)
{
  while (*at < m->cap) {
    const struct ln_map_entry *e = &m->entries[(*at)++];
    if (e->value) {
      *key = e->key;
      *value = e->value;
      return true;
    }
  }
  return false;
}

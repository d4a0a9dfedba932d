/* A hash map from a 64-bit number (msg_id, user id, …) to a pointer, by open addressing. Owns its table, not
 * the values. */
#ifndef LN_BASE_MAP_H
#define LN_BASE_MAP_H

#include "base/err.h"
#include "base/slice.h"

struct ln_map_entry {
  uint64_t key;
  void *value; /* NULL: free */
};

struct ln_map {
  struct ln_map_entry *entries;
  size_t cap; /* power of two, or 0 */
  size_t len;
};

void ln_map_init(struct ln_map *m);
void ln_map_deinit(struct ln_map *m);
void *ln_map_get(const struct ln_map *m, uint64_t key);
/* Sets or replaces; value must not be NULL. LN_E_NOMEM leaves the map as it was. */
int ln_map_set(struct ln_map *m, uint64_t key, void *value);
/* Takes a key out and gives its value, or NULL. */
void *ln_map_remove(struct ln_map *m, uint64_t key);
/* Walks all entries: start with *at = 0; false at the end. Do not change the map meanwhile. */
bool ln_map_next(const struct ln_map *m, size_t *at, uint64_t *key, void **value);

#endif

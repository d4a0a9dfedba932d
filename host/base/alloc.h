/* The host's allocator: plain malloc, except in test builds, where testing/ can make any allocation fail. */
#ifndef LN_BASE_ALLOC_H
#define LN_BASE_ALLOC_H

#include <stddef.h>

void *ln_malloc(size_t n);
void *ln_calloc(size_t count, size_t size);
void *ln_realloc(void *p, size_t n);
void ln_free(void *p);
/* A copy of a string, or NULL. */
char *ln_strdup(const char *s);

/* Called before every allocation where it is set; returning non-zero makes that allocation fail. Tests only.
 */
extern int (*ln_alloc_gate)(size_t n);

#endif

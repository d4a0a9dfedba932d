/* Makes chosen allocations fail, through the gate of base/alloc.h. For specs alone. */
#ifndef LN_TESTING_ALLOC_FAIL_H
#define LN_TESTING_ALLOC_FAIL_H

#include <stddef.h>

/* The nth allocation from now on (1: the next) fails, once. 0 switches it off. */
void ln_alloc_fail_at(size_t nth);
/* Allocations seen since the last ln_alloc_fail_at. */
size_t ln_alloc_seen(void);

#endif

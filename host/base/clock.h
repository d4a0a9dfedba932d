/* Time as the host sees it. Sans-I/O code never reads a clock: it is handed `now` values of this kind. */
#ifndef LN_BASE_CLOCK_H
#define LN_BASE_CLOCK_H

#include <stdint.h>

/* Microseconds of CLOCK_BOOTTIME: monotonic, goes on while the machine sleeps. */
int64_t ln_clock_mono_us(void);
/* Microseconds since 1970 of the wall clock. */
int64_t ln_clock_wall_us(void);

#define LN_US_PER_S INT64_C(1000000)
#define LN_NEVER INT64_MAX

#endif

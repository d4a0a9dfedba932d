/* See clock.h. */
#include "base/clock.h"

#include <time.h>

static int64_t read_us(clockid_t id)
{
  struct timespec t;
  if (clock_gettime(id, &t) != 0) return 0;
  return (int64_t)t.tv_sec * LN_US_PER_S + t.tv_nsec / 1000;
}

int64_t ln_clock_mono_us(void)
{
#ifdef CLOCK_BOOTTIME
  return read_us(CLOCK_BOOTTIME);
#else
  return read_us(CLOCK_MONOTONIC);
#endif
}

int64_t ln_clock_wall_us(void)
{
  return read_us(CLOCK_REALTIME);
}

/* See check.h. */
#include "mtproto/check.h"

#ifdef LN_TESTING
uint64_t ln_check_off = 0;
#else
typedef int ln_check_nothing; /* ISO C wants a declaration in every file */
#endif

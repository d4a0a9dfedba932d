/* Memory that starting needed and running does not, given back. Called once, when a bot has come to rest. */
#ifndef LN_BASE_TRIM_H
#define LN_BASE_TRIM_H

/* Free pages of the heap go back to the kernel. The pages of code and constants (of the program and its
 * libraries) are let go too: what is needed again comes back from the page cache, what only the start and the
 * key exchange used (a good part of libcrypto) does not. Where the system has no way to do so: nothing. */
void ln_trim(void);

#endif

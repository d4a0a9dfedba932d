/* See trim.h. */
#include "base/trim.h"

#include <unistd.h>

#ifdef __GLIBC__
#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>

/* Only segments that nobody may write: what the linker relocated is in those that were writable first. */
static int let_go(struct dl_phdr_info *info, size_t size, void *ctx)
{
  (void)size;
  uintptr_t page = *(const uintptr_t *)ctx;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *p = &info->dlpi_phdr[i];
    if (p->p_type == PT_DYNAMIC) {
      for (const ElfW(Dyn) *d = (const void *)(info->dlpi_addr + p->p_vaddr); d->d_tag != DT_NULL; d++)
        if (d->d_tag == DT_TEXTREL) return 0;
    }
  }
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *p = &info->dlpi_phdr[i];
    if (p->p_type != PT_LOAD || (p->p_flags & PF_W)) continue;
    uintptr_t begin = (info->dlpi_addr + p->p_vaddr + page - 1) & ~(page - 1);
    uintptr_t end = (info->dlpi_addr + p->p_vaddr + p->p_filesz) & ~(page - 1);
    if (end > begin) madvise((void *)begin, end - begin, MADV_DONTNEED);
  }
  return 0;
}

void ln_trim(void)
{
  long page = sysconf(_SC_PAGESIZE);
  uintptr_t size = page > 0 ? (uintptr_t)page : 4096;
  malloc_trim(0);
  dl_iterate_phdr(let_go, &size);
}
#else
void ln_trim(void)
{
}
#endif

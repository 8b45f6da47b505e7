/*
 * What start and end of a run have used of the program is not needed while it waits: its pages are the file's, and the kernel brings back
 * those that are touched again. Never touches what can be written.
 */
#include "supervise/session.h"

#include <elf.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>

extern const ElfW(Ehdr) __ehdr_start
	__attribute__((visibility("hidden"))); /* the linker's: where the file begins */

void session_rest(void)
{
	const ElfW(Ehdr) *file = &__ehdr_start;
	uintptr_t base = (uintptr_t)file, page = getauxval(AT_PAGESZ);
	const ElfW(Phdr) *segments = (const void *)(base + file->e_phoff);

	for (size_t i = 0; i < file->e_phnum; i++) {
		uintptr_t at = base + segments[i].p_vaddr, end = at + segments[i].p_memsz;

		at &= ~(page - 1);
		if (segments[i].p_type == PT_LOAD && !(segments[i].p_flags & PF_W))
			madvise((void *)at, end - at, MADV_DONTNEED);
	}
}

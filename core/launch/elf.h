/*
 * What an executable is, as far as it decides whether a preloaded library will be mapped into it. Reads headers only, from a
 * descriptor, every offset checked: the file is not trusted. Must never execute, map or lock it.
 */
#ifndef SANDLOCK_LAUNCH_ELF_H
#define SANDLOCK_LAUNCH_ELF_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum program_kind {
	PROGRAM_UNREADABLE, /* may be executed, not read: cannot be inspected */
	PROGRAM_DYNAMIC,    /* ELF with an interpreter */
	PROGRAM_STATIC,	    /* ELF without: nothing loads a library into it */
	PROGRAM_SCRIPT,	    /* begins with #! */
	PROGRAM_OTHER,	    /* binfmt_misc, or text for the shell */
	PROGRAM_BROKEN,	    /* ELF magic, but headers that point nowhere */
};

struct program {
	enum program_kind kind;
	uint8_t elf_class;	  /* ELFCLASS32, ELFCLASS64 */
	uint8_t elf_data;	  /* ELFDATA2LSB, ELFDATA2MSB */
	uint16_t machine;	  /* EM_* */
	const char *interpreter;  /* PT_INTERP, or what follows #! */
	const char *argument;	  /* of a script: the rest of the line, or NULL */
	const char *library_path; /* DT_RUNPATH, else DT_RPATH, as written; or NULL */
	bool gains_privileges;	  /* set-user-ID, set-group-ID or file capabilities */
};

/* 0, or -errno when it cannot be opened or is not a regular file. Strings live in `arena`. */
int program_inspect(const char *path, struct arena *arena, struct program *out);

/* Is this the loader of a C library that honours LD_PRELOAD? By its file name: ld-linux*, ld-musl-*, ld64.so.*, ld.so.1. */
bool elf_known_loader(const char *interpreter);

#endif

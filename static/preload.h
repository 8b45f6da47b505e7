/* The checks of `sandlock preload` before anything is started: the library, and the program it is to be loaded into. */
#ifndef SANDLOCK_STATIC_PRELOAD_H
#define SANDLOCK_STATIC_PRELOAD_H

#include "cli.h"

#include "launch/elf.h"

enum { SCRIPT_DEPTH = 4, PRELOAD_FILES = SCRIPT_DEPTH + 3 };

struct preload_target {
	const char *path; /* what execve gets */
	bool text;	  /* neither ELF nor #!: the shell runs it */
	const char *files
		[PRELOAD_FILES]; /* everything execve opens on the way: scripts, interpreters, the loader */
	size_t file_count;
	const char *library_path; /* DT_RUNPATH of the ELF at the end of the chain, or NULL */
	const char *origin;	  /* its directory */
};

/* The absolute path of libsandlock_confine.so, checked: owned by root or the caller, not writable by others, an ELF for this
 * machine. NULL with the reason in `err`. */
const char *preload_library(const struct surroundings *s, struct arena *arena, struct error *err);

/* Will the loader of the program at `path` map the library? Scripts are followed to the interpreter, which is then the process
 * that is confined: whatever it executes inherits that. */
bool preload_check(const char *path, bool trust_interpreter, struct arena *arena,
		   struct preload_target *out, struct error *err);

#endif

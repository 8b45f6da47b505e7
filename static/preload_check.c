/*
 * Will LD_PRELOAD reach this program? Static checks; what they cannot see is left to the acknowledgement.
 * Must never let a program pass that is known to ignore the library.
 */
#include "preload.h"

#include "base/fd.h"
#include "launch/confine_image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__)
enum { OUR_MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
enum { OUR_MACHINE = EM_AARCH64 };
#else
enum { OUR_MACHINE = EM_RISCV };
#endif

/* ---- the library ---- */

static const char *others_can_change(const struct stat *st, uint32_t uid)
{
	if (st->st_uid != 0 && st->st_uid != uid)
		return "belongs to another user";
	if ((st->st_mode & 0022) && !(S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX)))
		return "can be changed by others";
	return NULL;
}

/* ENOENT is silent: there may be another place. */
static bool try_library(const char *path, uint32_t uid, bool *found, struct error *err)
{
	struct stat st, dir;
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *slash = strrchr(path, '/');
	unsigned char ident[EI_NIDENT];

	*found = fd >= 0;
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return true;
	*found = true;
	const char *parent =
		arena_strndup(&err->arena, path, (size_t)(slash - path) + (slash == path));
	if (fd < 0 || fstat(fd, &st) < 0 || stat(parent, &dir) < 0)
		return error_add_errno(err, NO_ORIGIN, NULL, errno, "cannot open the library %s",
				       error_quote(err, path));
	const char *why =
		S_ISREG(st.st_mode) ? others_can_change(&st, uid) : "is not a regular file";
	if (!why && (pread(fd, ident, sizeof ident, 0) != sizeof ident ||
		     memcmp(ident, ELFMAG, SELFMAG) != 0 || ident[EI_CLASS] != ELFCLASS64))
		why = "is not a library for this machine";
	if (why)
		return error_add(err, NO_ORIGIN, NULL, "the library %s %s", error_quote(err, path),
				 why);
	why = others_can_change(&dir, uid);
	if (why)
		return error_add(err, NO_ORIGIN, NULL, "the directory %s of the library %s",
				 error_quote(err, parent), why);
	/* LD_PRELOAD is a list; there is no way to quote. */
	if (strpbrk(path, ": \t\n"))
		return error_add(
			err, NO_ORIGIN, NULL,
			"the path %s of the library cannot stand in LD_PRELOAD (':' or a blank)",
			error_quote(err, path));
	return true;
}

const char *preload_library(const struct surroundings *s, struct arena *arena, struct error *err)
{
	static const char *const places[] = {CONFINE_LIBRARY, "../lib/" CONFINE_LIBRARY};
	const char *override = surroundings_env(s, "SANDLOCK_LIB");
	char self[PATH_MAX], real[PATH_MAX];
	bool found;

	if (override && s->privileged) {
		error_add(err, NO_ORIGIN, NULL,
			  "SANDLOCK_LIB is not accepted by a privileged program");
		return NULL;
	}
	if (override) {
		if (override[0] != '/' || !realpath(override, real)) {
			error_add(err, NO_ORIGIN, NULL,
				  "SANDLOCK_LIB: %s is not the absolute path of a file",
				  error_quote(err, override));
			return NULL;
		}
		return try_library(real, s->euid, &found, err) ? arena_strdup(arena, real) : NULL;
	}

	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash = NULL;
	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
	}
	for (size_t i = 0; slash && i < ARRAY_LEN(places); i++) {
		*slash = '\0';
		if (!realpath(arena_printf(&err->arena, "%s/%s", self, places[i]), real))
			continue;
		if (!try_library(real, s->euid, &found, err))
			return NULL;
		if (found)
			return arena_strdup(arena, real);
	}
	error_add(err, NO_ORIGIN, NULL, "%s is neither beside this program nor in ../lib",
		  CONFINE_LIBRARY);
	error_hint(err, "SANDLOCK_LIB=/path/to/%s names it", CONFINE_LIBRARY);
	return NULL;
}

/* ---- the program ---- */

static bool refuse(struct error *err, const char *path, const char *why)
{
	error_add(err, NO_ORIGIN, NULL, "preload cannot confine %s: %s", error_quote(err, path),
		  why);
	error_hint(err, "\"sandlock run --no-supervisor\" confines it before it starts");
	return false;
}

static bool check_elf(const char *path, const struct program *p, bool trust_interpreter,
		      struct error *err)
{
	if (p->elf_class != ELFCLASS64 || p->elf_data != ELFDATA2LSB || p->machine != OUR_MACHINE)
		return refuse(err, path, "it is for another machine or word size than the library");
	if (trust_interpreter || elf_known_loader(p->interpreter))
		return true;
	error_add(err, NO_ORIGIN, NULL,
		  "preload cannot confine %s: its loader %s is not known to honour LD_PRELOAD",
		  error_quote(err, path), error_quote(err, p->interpreter));
	error_hint(err, "--trust-interp accepts it, and then only the acknowledgement tells");
	return false;
}

static void warn_privileges(const char *path, struct error *err)
{
	error_warn(
		err, NO_ORIGIN, NULL, "W040",
		"%s is set-user-ID, set-group-ID or has file capabilities: it starts without those privileges",
		error_quote(err, path));
}

static const char *directory_of(const char *path, struct arena *arena)
{
	char real[PATH_MAX];

	if (!realpath(path, real))
		return "/";
	char *slash = strrchr(real, '/');
	slash[slash == real] = '\0';
	return arena_strdup(arena, real);
}

bool preload_check(const char *path, bool trust_interpreter, struct arena *arena,
		   struct preload_target *out, struct error *err)
{
	*out = (struct preload_target){.path = path};
	for (int depth = 0; depth <= SCRIPT_DEPTH; depth++) {
		struct program program;
		int r = program_inspect(path, arena, &program);

		if (r < 0)
			return error_add_errno(err, NO_ORIGIN, NULL, -r, "cannot execute %s",
					       error_quote(err, path));
		out->files[out->file_count++] = path;
		if (program.gains_privileges && program.kind != PROGRAM_SCRIPT)
			warn_privileges(path, err);
		switch (program.kind) {
		case PROGRAM_UNREADABLE:
			return true; /* only the acknowledgement can tell */
		case PROGRAM_BROKEN:
			return refuse(err, path, "its ELF headers are damaged");
		case PROGRAM_STATIC:
			return refuse(err, path,
				      "it is statically linked, so nothing loads the library");
		case PROGRAM_DYNAMIC:
			out->files[out->file_count++] = program.interpreter;
			out->library_path = program.library_path;
			out->origin = directory_of(path, arena);
			return check_elf(path, &program, trust_interpreter, err);
		case PROGRAM_SCRIPT:
			path = program.interpreter;
			break;
		case PROGRAM_OTHER:
			/* Either binfmt_misc knows it, or it is text and the shell gets it. */
			if (out->text)
				return true;
			out->text = true;
			path = "/bin/sh";
			break;
		}
	}
	return refuse(err, out->path, "it is a script of a script, more than four deep");
}

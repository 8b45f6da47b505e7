/* Reads the headers of executables. Must never trust an offset or a size in them. */
#include "launch/elf.h"

#include "base/fd.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
	SCRIPT_LINE = 256, /* BINPRM_BUF_SIZE */
	SEGMENT_LIMIT = 128,
	DYNAMIC_LIMIT = 1024,
	TEXT_LIMIT = 4096,
};

static bool read_at(int fd, uint64_t offset, void *data, size_t size)
{
	return offset <= INT64_MAX && pread(fd, data, size, (off_t)offset) == (ssize_t)size;
}

/* The NUL-terminated text at an offset, NULL when it is longer than `limit` or not there. */
static const char *text_at(int fd, uint64_t offset, size_t limit, struct arena *arena)
{
	char text[TEXT_LIMIT + 1];
	ssize_t n = offset <= INT64_MAX
			    ? pread(fd, text, MIN(limit, (size_t)TEXT_LIMIT), (off_t)offset)
			    : -1;

	if (n <= 0 || !memchr(text, 0, (size_t)n))
		return NULL;
	return arena_strdup(arena, text);
}

/* ---- ELF, both classes through one shape ---- */

struct segment {
	uint32_t type;
	uint64_t offset, address, size;
};

struct segments {
	struct segment list[SEGMENT_LIMIT];
	size_t count;
};

static struct segment segment_64(const Elf64_Phdr *p)
{
	return (struct segment){p->p_type, p->p_offset, p->p_vaddr, p->p_filesz};
}

static struct segment segment_32(const Elf32_Phdr *p)
{
	return (struct segment){p->p_type, p->p_offset, p->p_vaddr, p->p_filesz};
}

static bool read_segments(int fd, bool wide, uint64_t offset, size_t count, size_t entry,
			  struct segments *out)
{
	if (!count || count > SEGMENT_LIMIT ||
	    entry != (wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)))
		return false;
	for (out->count = 0; out->count < count; out->count++) {
		union {
			Elf64_Phdr wide;
			Elf32_Phdr narrow;
		} p;

		if (!read_at(fd, offset + out->count * entry, &p, entry))
			return false;
		out->list[out->count] = wide ? segment_64(&p.wide) : segment_32(&p.narrow);
	}
	return true;
}

static const struct segment *find_segment(const struct segments *s, uint32_t type)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].type == type)
			return &s->list[i];
	return NULL;
}

static bool file_offset(const struct segments *s, uint64_t address, uint64_t *offset)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct segment *p = &s->list[i];

		if (p->type == PT_LOAD && address >= p->address && address - p->address < p->size &&
		    !__builtin_add_overflow(p->offset, address - p->address, offset))
			return true;
	}
	return false;
}

static const char *find_library_path(int fd, bool wide, const struct segments *s,
				     struct arena *arena)
{
	const struct segment *dynamic = find_segment(s, PT_DYNAMIC);
	size_t entry = wide ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn);
	uint64_t strings = 0, size = 0, runpath = 0, rpath = 0, offset;

	if (!dynamic)
		return NULL;
	for (size_t i = 0; i < DYNAMIC_LIMIT && (i + 1) * entry <= dynamic->size; i++) {
		union {
			Elf64_Dyn wide;
			Elf32_Dyn narrow;
		} d;

		if (!read_at(fd, dynamic->offset + i * entry, &d, entry))
			return NULL;
		int64_t tag = wide ? d.wide.d_tag : d.narrow.d_tag;
		uint64_t value = wide ? d.wide.d_un.d_val : d.narrow.d_un.d_val;
		if (tag == DT_NULL)
			break;
		if (tag == DT_STRTAB)
			strings = value;
		else if (tag == DT_STRSZ)
			size = value;
		else if (tag == DT_RUNPATH)
			runpath = value;
		else if (tag == DT_RPATH)
			rpath = value;
	}
	if (!runpath)
		runpath = rpath;
	if (!runpath || runpath >= size || !file_offset(s, strings, &offset) ||
	    __builtin_add_overflow(offset, runpath, &offset))
		return NULL;
	return text_at(fd, offset, size - runpath, arena);
}

static enum program_kind inspect_elf(int fd, const unsigned char ident[EI_NIDENT],
				     struct arena *arena, struct program *out)
{
	union {
		Elf64_Ehdr wide;
		Elf32_Ehdr narrow;
	} h;
	struct segments segments;
	bool wide = ident[EI_CLASS] == ELFCLASS64;
	bool ok;

	out->elf_class = ident[EI_CLASS];
	out->elf_data = ident[EI_DATA];
	/* No machine of ours runs the other byte order, and reading it is no use. */
	if ((!wide && ident[EI_CLASS] != ELFCLASS32) || ident[EI_DATA] != ELFDATA2LSB)
		return PROGRAM_DYNAMIC;
	if (!read_at(fd, 0, &h, wide ? sizeof h.wide : sizeof h.narrow))
		return PROGRAM_BROKEN;
	out->machine = wide ? h.wide.e_machine : h.narrow.e_machine;
	ok = wide ? read_segments(fd, true, h.wide.e_phoff, h.wide.e_phnum, h.wide.e_phentsize,
				  &segments)
		  : read_segments(fd, false, h.narrow.e_phoff, h.narrow.e_phnum,
				  h.narrow.e_phentsize, &segments);
	if (!ok)
		return PROGRAM_BROKEN;

	const struct segment *interpreter = find_segment(&segments, PT_INTERP);
	if (!interpreter)
		return PROGRAM_STATIC;
	if (interpreter->size < 2 || interpreter->size > PATH_MAX)
		return PROGRAM_BROKEN;
	out->interpreter = text_at(fd, interpreter->offset, interpreter->size, arena);
	if (!out->interpreter || !*out->interpreter)
		return PROGRAM_BROKEN;
	out->library_path = find_library_path(fd, wide, &segments, arena);
	return PROGRAM_DYNAMIC;
}

/* ---- scripts ---- */

/* As the kernel reads the line: blanks around, one argument, cut after 255 bytes. */
static enum program_kind inspect_script(const char *buffer, size_t size, struct arena *arena,
					struct program *out)
{
	const char *end = memchr(buffer, '\n', size);
	size_t len = end ? (size_t)(end - buffer) : size;
	char *line = arena_strndup(arena, buffer + 2, len - 2);

	line += strspn(line, " \t");
	len = strlen(line);
	while (len && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		line[--len] = '\0';
	if (!*line)
		return PROGRAM_OTHER;
	char *rest = line + strcspn(line, " \t");
	if (*rest) {
		*rest++ = '\0';
		rest += strspn(rest, " \t");
		out->argument = *rest ? rest : NULL;
	}
	out->interpreter = line;
	return PROGRAM_SCRIPT;
}

/* ---- any program ---- */

bool elf_known_loader(const char *interpreter)
{
	static const char *const names[] = {"ld-linux", "ld-musl-", "ld64.so.", "ld.so.1"};
	const char *slash = strrchr(interpreter, '/');
	const char *name = slash ? slash + 1 : interpreter;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strncmp(name, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

int program_inspect(const char *path, struct arena *arena, struct program *out)
{
	char buffer[SCRIPT_LINE];
	struct stat st;
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	*out = (struct program){.kind = PROGRAM_UNREADABLE};
	if (fd < 0 && errno != EACCES)
		return -errno;
	if ((fd < 0 ? stat(path, &st) : fstat(fd, &st)) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EACCES; /* what execve says */
	/* A set-group-ID bit without group execute is a lock mark of old. */
	bool setgid = (st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
	out->gains_privileges = (st.st_mode & S_ISUID) || setgid ||
				getxattr(path, "security.capability", NULL, 0) > 0;
	if (fd < 0)
		return 0;

	ssize_t n = pread(fd, buffer, sizeof buffer, 0);
	if (n < 0)
		return -errno;
	if (n >= EI_NIDENT && memcmp(buffer, ELFMAG, SELFMAG) == 0)
		out->kind = inspect_elf(fd, (const unsigned char *)buffer, arena, out);
	else if (n > 2 && buffer[0] == '#' && buffer[1] == '!')
		out->kind = inspect_script(buffer, (size_t)n, arena, out);
	else
		out->kind = PROGRAM_OTHER;
	return 0;
}

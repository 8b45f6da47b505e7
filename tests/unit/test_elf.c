/* What an executable is: real headers, made-up headers, and headers that lie. */
#include "launch/elf.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena arena;
static char directory[] = "/tmp/sandlock-elf-XXXXXX";
static char path[64];

static void write_file(const void *data, size_t size, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static struct program inspect(void)
{
	struct program p;

	assert_int_equal(program_inspect(path, &arena, &p), 0);
	return p;
}

static struct program inspect_bytes(const void *data, size_t size)
{
	write_file(data, size, 0755);
	return inspect();
}

/* One page: header, two program headers, a dynamic section and strings. */
struct wide {
	Elf64_Ehdr header;
	Elf64_Phdr segments[3];
	Elf64_Dyn dynamic[5];
	char interpreter[32];
	char strings[64];
};

static struct wide make_wide(void)
{
	struct wide e = {
		.header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				       EV_CURRENT},
			   .e_type = ET_DYN,
			   .e_machine = EM_AARCH64,
			   .e_phoff = offsetof(struct wide, segments),
			   .e_phnum = 3,
			   .e_phentsize = sizeof(Elf64_Phdr)},
		.segments = {{.p_type = PT_INTERP,
			      .p_offset = offsetof(struct wide, interpreter),
			      .p_filesz = 28},
			     {.p_type = PT_LOAD, .p_vaddr = 0x1000, .p_filesz = sizeof e},
			     {.p_type = PT_DYNAMIC,
			      .p_offset = offsetof(struct wide, dynamic),
			      .p_filesz = sizeof e.dynamic}},
		.dynamic = {{DT_STRTAB, {0x1000 + offsetof(struct wide, strings)}},
			    {DT_STRSZ, {sizeof e.strings}},
			    {DT_RPATH, {1}},
			    {DT_RUNPATH, {11}}},
		.interpreter = "/lib/ld-linux-aarch64.so.1",
		.strings = "\0/old/path\0",
	};

	strcpy(e.strings + 11, "$ORIGIN/lib:/opt");
	return e;
}

static void dynamic_programs(void **state UNUSED)
{
	struct wide e = make_wide();
	struct program p = inspect_bytes(&e, sizeof e);

	assert_int_equal(p.kind, PROGRAM_DYNAMIC);
	assert_int_equal(p.elf_class, ELFCLASS64);
	assert_int_equal(p.machine, EM_AARCH64);
	assert_string_equal(p.interpreter, "/lib/ld-linux-aarch64.so.1");
	assert_string_equal(p.library_path, "$ORIGIN/lib:/opt");
	assert_false(p.gains_privileges);

	e.dynamic[3] = (Elf64_Dyn){DT_NULL, {0}};
	assert_string_equal(inspect_bytes(&e, sizeof e).library_path, "/old/path");
	e.segments[0].p_type = PT_NOTE;
	assert_int_equal(inspect_bytes(&e, sizeof e).kind, PROGRAM_STATIC);
}

static void other_word_size(void **state UNUSED)
{
	struct {
		Elf32_Ehdr header;
		Elf32_Phdr segment;
		char interpreter[32];
	} e = {
		.header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB,
				       EV_CURRENT},
			   .e_machine = EM_386,
			   .e_phoff = sizeof(Elf32_Ehdr),
			   .e_phnum = 1,
			   .e_phentsize = sizeof(Elf32_Phdr)},
		.segment = {.p_type = PT_INTERP,
			    .p_offset = sizeof e.header + sizeof e.segment,
			    .p_filesz = 19},
		.interpreter = "/lib/ld-linux.so.2",
	};
	struct program p = inspect_bytes(&e, sizeof e);

	assert_int_equal(p.kind, PROGRAM_DYNAMIC);
	assert_int_equal(p.elf_class, ELFCLASS32);
	assert_int_equal(p.machine, EM_386);
	assert_string_equal(p.interpreter, "/lib/ld-linux.so.2");

	e.header.e_ident[EI_DATA] = ELFDATA2MSB; /* read no further than the byte order */
	assert_int_equal(inspect_bytes(&e, sizeof e).elf_data, ELFDATA2MSB);
}

static void lying_headers(void **state UNUSED)
{
	struct wide e = make_wide();

#define EXPECT(wanted, change)                                                                     \
	do {                                                                                       \
		e = make_wide();                                                                   \
		change;                                                                            \
		assert_int_equal(inspect_bytes(&e, sizeof e).kind, wanted);                        \
	} while (0)
	EXPECT(PROGRAM_BROKEN, e.header.e_phoff = UINT64_MAX - 8);
	EXPECT(PROGRAM_BROKEN, e.header.e_phoff = sizeof e - 8);
	EXPECT(PROGRAM_BROKEN, e.header.e_phnum = 0);
	EXPECT(PROGRAM_BROKEN, e.header.e_phnum = PN_XNUM);
	EXPECT(PROGRAM_BROKEN, e.header.e_phentsize = 8);
	EXPECT(PROGRAM_BROKEN, e.segments[0].p_offset = UINT64_MAX);
	EXPECT(PROGRAM_BROKEN, e.segments[0].p_filesz = 1);
	EXPECT(PROGRAM_BROKEN, e.segments[0].p_filesz = UINT64_MAX);
	EXPECT(PROGRAM_BROKEN, memset(e.interpreter, 'x', 28)); /* no end */
	EXPECT(PROGRAM_BROKEN, e.interpreter[0] = '\0');
	/* A library path that points nowhere is none. */
	EXPECT(PROGRAM_DYNAMIC, e.dynamic[0].d_un.d_val = UINT64_MAX);
	EXPECT(PROGRAM_DYNAMIC, e.dynamic[3].d_un.d_val = UINT64_MAX);
	EXPECT(PROGRAM_DYNAMIC, e.segments[2].p_offset = UINT64_MAX - 4);
	EXPECT(PROGRAM_DYNAMIC, e.segments[1].p_offset = UINT64_MAX - 4);
#undef EXPECT
	e = make_wide();
	for (size_t size = 0; size < sizeof e; size++) {
		struct program p = inspect_bytes(&e, size);

		assert_true(p.kind != PROGRAM_STATIC && p.kind != PROGRAM_SCRIPT);
	}
	/* Any bytes behind the magic: an answer and no crash. */
	srandom(5);
	for (int round = 0; round < 2000; round++) {
		e = make_wide();
		for (int i = 0; i < 4; i++)
			((unsigned char *)&e)[5 + (size_t)random() % (sizeof e - 5)] =
				(unsigned char)random();
		inspect_bytes(&e, sizeof e);
	}
}

static void scripts(void **state UNUSED)
{
	static const struct {
		const char *text;
		enum program_kind kind;
		const char *interpreter, *argument;
	} rows[] = {
		{"#!/bin/sh\n", PROGRAM_SCRIPT, "/bin/sh", NULL},
		{"#! \t/bin/sh  \nx", PROGRAM_SCRIPT, "/bin/sh", NULL},
		{"#!/usr/bin/env python3 -I \n", PROGRAM_SCRIPT, "/usr/bin/env", "python3 -I"},
		{"#!/bin/sh", PROGRAM_SCRIPT, "/bin/sh", NULL},
		{"#!\n", PROGRAM_OTHER, NULL, NULL},
		{"#!  \t\n/bin/sh", PROGRAM_OTHER, NULL, NULL},
		{"#!", PROGRAM_OTHER, NULL, NULL},
		{"echo hi\n", PROGRAM_OTHER, NULL, NULL},
		{"", PROGRAM_OTHER, NULL, NULL},
		{"\177EL", PROGRAM_OTHER, NULL, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct program p = inspect_bytes(rows[i].text, strlen(rows[i].text));

		assert_int_equal(p.kind, rows[i].kind);
		if (rows[i].interpreter)
			assert_string_equal(p.interpreter, rows[i].interpreter);
		if (rows[i].argument)
			assert_string_equal(p.argument, rows[i].argument);
		else
			assert_null(p.argument);
	}
}

static void files(void **state UNUSED)
{
	struct program p;
	struct wide e = make_wide();

	assert_int_equal(program_inspect("/nonexistent", &arena, &p), -ENOENT);
	assert_int_equal(program_inspect("/", &arena, &p), -EACCES);
	write_file(&e, sizeof e, 04755);
	assert_true(inspect().gains_privileges);
	write_file(&e, sizeof e, 02755);
	assert_true(inspect().gains_privileges);
	write_file(&e, sizeof e, 02644); /* no group execute: a lock mark */
	assert_false(inspect().gains_privileges);
	write_file(&e, sizeof e, 0111);
	assert_int_equal(inspect().kind, geteuid() ? PROGRAM_UNREADABLE : PROGRAM_DYNAMIC);
}

static void loaders(void **state UNUSED)
{
	assert_true(elf_known_loader("/lib64/ld-linux-x86-64.so.2"));
	assert_true(elf_known_loader("/lib/ld-musl-aarch64.so.1"));
	assert_true(elf_known_loader("/nix/store/x-glibc/lib/ld-linux-x86-64.so.2"));
	assert_true(elf_known_loader("/lib64/ld64.so.2"));
	assert_false(elf_known_loader("/system/bin/linker64"));
	assert_false(elf_known_loader("/ld-linux-x/loader"));
	assert_false(elf_known_loader(""));
}

static int set_up(void **state UNUSED)
{
	if (!mkdtemp(directory))
		return -1;
	strcpy(path, directory);
	strcat(path, "/program");
	return 0;
}

static int tear_down(void **state UNUSED)
{
	unlink(path);
	rmdir(directory);
	arena_free(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dynamic_programs),
		cmocka_unit_test(other_word_size),
		cmocka_unit_test(lying_headers),
		cmocka_unit_test(scripts),
		cmocka_unit_test(files),
		cmocka_unit_test(loaders),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

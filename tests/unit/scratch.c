/* Temporary trees for tests. Must never touch anything outside the directory it made. */
#include "scratch.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[PATH_MAX];

static void need(int failed, const char *what)
{
	if (!failed)
		return;
	perror(what);
	abort();
}

const char *scratch_begin(void)
{
	char name[] = "/tmp/sandlock-unit-XXXXXX";

	umask(022);
	need(!mkdtemp(name), "mkdtemp");
	need(!realpath(name, root), "realpath");
	need(chmod(root, 0755), "chmod");
	return root;
}

const char *scratch(const char *name)
{
	static char ring[16][PATH_MAX + 256];
	static unsigned next;
	char *out = ring[next++ % 16];

	snprintf(out, sizeof ring[0], "%s/%s", root, name);
	return out;
}

static void make_parents(char *path)
{
	for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		mkdir(path, 0755);
		*p = '/';
	}
}

void scratch_dir(const char *name, mode_t mode)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s", scratch(name));
	make_parents(path);
	mkdir(path, 0755);
	need(chmod(path, mode), path);
}

void scratch_file(const char *name, const char *text, mode_t mode)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s", scratch(name));
	make_parents(path);
	unlink(path);

	FILE *f = fopen(path, "w");
	need(!f, path);
	fputs(text, f);
	fclose(f);
	need(chmod(path, mode), path);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void scratch_remove(const char *name)
{
	nftw(scratch(name), remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void scratch_end(void)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

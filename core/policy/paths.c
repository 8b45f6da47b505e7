/*
 * Paths and what is made of them: cleaning, the two expansion languages, mounts, volumes, memory file systems. Everything is
 * lexical: the file system is not asked, so that loading a policy has no side effects and gives the same result anywhere.
 */
#include "policy/values.h"

#include <stdio.h>
#include <string.h>

enum { EXPANSION_DEPTH = 8, PATH_LONGEST = 4096 };

/* ---- cleaning ---- */

const char *path_clean(struct arena *arena, const char *dir, const char *path)
{
	size_t dir_len = path[0] == '/' || !dir ? 0 : strlen(dir);
	char *out = arena_alloc(arena, dir_len + strlen(path) + 3);
	size_t len = 0;

	/* Two rounds over components: of the directory, then of the path. */
	for (int round = dir_len ? 0 : 1; round < 2; round++) {
		for (const char *p = round || !dir ? path : dir; *p;) {
			size_t n = strcspn(p, "/");

			if (n == 2 && p[0] == '.' && p[1] == '.') {
				while (len && out[--len] != '/')
					;
			} else if (n && !(n == 1 && p[0] == '.')) {
				out[len++] = '/';
				memcpy(out + len, p, n);
				len += n;
			}
			p += n + (p[n] == '/');
		}
	}
	if (len == 0)
		out[len++] = '/';
	out[len] = '\0';
	return out;
}

bool path_within(const char *path, const char *parent)
{
	size_t n = strlen(parent);

	if (n == 1 && parent[0] == '/')
		return path[0] == '/';
	return strncmp(path, parent, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* ---- expansion ---- */

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name_char(char c)
{
	return is_name_start(c) || (c >= '0' && c <= '9');
}

/* Variables that may be used without a default. */
static bool is_known(const char *name)
{
	static const char *const known[] = {
		"HOME", "USER", "UID", "GID", "CWD", "TMPDIR", "POLICY_DIR",
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(known[i], name) == 0)
			return true;
	return strncmp(name, "XDG_", 4) == 0;
}

static const char *known_name(size_t index, const void *ctx UNUSED)
{
	static const char *const names[] = {
		"HOME",
		"USER",
		"UID",
		"GID",
		"CWD",
		"TMPDIR",
		"POLICY_DIR",
		"XDG_CONFIG_HOME",
		"XDG_CACHE_HOME",
		"XDG_DATA_HOME",
		"XDG_STATE_HOME",
		"XDG_RUNTIME_DIR",
	};

	return index < ARRAY_LEN(names) ? names[index] : NULL;
}

/* The value, or NULL when unset. A set-id or privileged start must not be steered by the invoker's variables. */
static const char *variable(struct arena *arena, const char *name, const char *policy_dir,
			    const struct surroundings *s)
{
	if (strcmp(name, "HOME") == 0)
		return s->home;
	if (strcmp(name, "UID") == 0)
		return arena_printf(arena, "%u", s->uid);
	if (strcmp(name, "GID") == 0)
		return arena_printf(arena, "%u", s->gid);
	if (strcmp(name, "CWD") == 0)
		return s->cwd;
	if (strcmp(name, "POLICY_DIR") == 0)
		return policy_dir;
	return s->privileged ? NULL : surroundings_env(s, name);
}

/* Remembers that the result depends on this variable; POLICY_DIR depends on the file, which is a dependency already. */
static void record(struct policy *policy, struct arena *arena, const char *name, const char *value)
{
	if (!policy || strcmp(name, "POLICY_DIR") == 0)
		return;

	const char *text = value ? arena_printf(arena, "${%s}=%s", name, value)
				 : arena_printf(arena, "${%s}", name);
	for (size_t i = 0; i < policy->dependency_count; i++)
		if (strcmp(policy->dependencies[i].path, text) == 0)
			return;
	policy->dependencies =
		arena_grow(policy->arena, policy->dependencies, policy->dependency_count,
			   &policy->dependency_cap, sizeof *policy->dependencies);
	policy->dependencies[policy->dependency_count++] = (struct dependency){
		.path = text,
		.missing = !value,
	};
}

bool variable_unchanged(const char *path, const struct surroundings *s)
{
	char name[64], number[16];
	const char *end = strchr(path, '}'), *now;

	/* On the way to every cached start: no arena. */
	if (strncmp(path, "${", 2) != 0 || !end || (size_t)(end - path) - 2 >= sizeof name)
		return false;
	memcpy(name, path + 2, (size_t)(end - path) - 2);
	name[end - path - 2] = '\0';
	if (strcmp(name, "UID") == 0 || strcmp(name, "GID") == 0) {
		snprintf(number, sizeof number, "%u", *name == 'U' ? s->uid : s->gid);
		now = number;
	} else {
		now = variable(NULL, name, NULL, s);
	}
	return end[1] == '=' ? now && strcmp(now, end + 2) == 0 : !now;
}

/* The brace that closes "${...", which may contain others. */
static const char *closing_brace(const char *p)
{
	for (int depth = 1; *p; p++) {
		if (p[0] == '$' && p[1] == '{') {
			depth++;
			p++;
		} else if (*p == '}' && --depth == 0) {
			return p;
		}
	}
	return NULL;
}

static bool expand_yaml(const char *text, const struct value_context *x, unsigned depth,
			struct str *out, struct complaint *c);

static bool expand_variable(const char **p, const struct value_context *x, unsigned depth,
			    struct str *out, struct complaint *c)
{
	const char *start = *p + 2, *end = closing_brace(start), *tail = start;

	if (!end)
		return complain(c, "unterminated ${");
	while (is_name_char(*tail))
		tail++;
	bool has_default = tail[0] == ':' && tail[1] == '-';
	if (tail == start || !is_name_start(*start) || (tail != end && !has_default)) {
		complain(c, "malformed variable");
		suggest(c, "write ${NAME} or ${NAME:-default}");
		return false;
	}

	const char *name = arena_strndup(c->arena, start, (size_t)(tail - start));
	*p = end + 1;
	if (!has_default && !is_known(name)) {
		const char *near = nearest_name(name, 16, known_name, NULL);

		complain(c, "unknown variable ${%s}", name);
		if (near)
			suggest(c, "did you mean ${%s}?", near);
		else
			suggest(c, "other variables need a default: ${%s:-default}", name);
		return false;
	}

	const char *value = variable(c->arena, name, x->policy_dir, x->s);
	record(x->policy, c->arena, name, value);
	if (value && *value) {
		str_add(out, value);
		return true;
	}
	if (has_default)
		return expand_yaml(arena_strndup(c->arena, tail + 2, (size_t)(end - tail) - 2), x,
				   depth + 1, out, c);
	complain(c, "${%s} is not set", name);
	suggest(c, "give a default: ${%s:-default}", name);
	return false;
}

static bool expand_yaml(const char *text, const struct value_context *x, unsigned depth,
			struct str *out, struct complaint *c)
{
	const char *p = text;

	if (depth > EXPANSION_DEPTH)
		return complain(c, "defaults nested too deeply");
	if (p[0] == '~') {
		if (p[1] != '/' && p[1] != '\0') {
			complain(c, "~NAME is not expanded");
			suggest(c, "write the path, or ~/ for your own home directory");
			return false;
		}
		record(x->policy, c->arena, "HOME", x->s->home);
		if (!x->s->home)
			return complain(c, "there is no usable home directory");
		str_add(out, x->s->home);
		p++;
	}
	while (*p) {
		size_t n = strcspn(p, "$");

		str_add_bytes(out, p, n);
		p += n;
		if (!*p)
			break;
		if (p[1] == '{') {
			if (!expand_variable(&p, x, depth, out, c))
				return false;
		} else if (p[1] == '$') {
			str_add_char(out, '$');
			p += 2;
		} else {
			complain(c, "a lone $");
			suggest(c, "write ${NAME} for a variable, $$ for a literal $");
			return false;
		}
		if (out->len > PATH_LONGEST)
			return complain(c, "longer than 4096 bytes");
	}
	return true;
}

/* The language of the reference's profiles: ${HOME} and nothing else. */
static bool expand_toml(const char *text, const struct value_context *x, struct str *out,
			struct complaint *c)
{
	if (*text == '~')
		return complain(c, "tilde is not expanded in profiles; write ${HOME} instead");
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, "$");

		str_add_bytes(out, p, n);
		p += n;
		if (!*p)
			break;
		if (p[1] != '{')
			return is_name_start(p[1])
				       ? complain(
						 c,
						 "bare $ is not a variable; write ${HOME} for a variable")
				       : complain(
						 c,
						 "bare $ is not allowed; a literal $ cannot appear in a "
						 "profile path");
		const char *end = strchr(p, '}'), *start = p + 2;
		if (!end)
			return complain(c, "unterminated ${");
		const char *name = arena_strndup(c->arena, start, (size_t)(end - start));
		bool good = is_name_start(*name);
		for (const char *q = name; *q; q++)
			good &= is_name_char(*q);
		if (!good)
			return complain(c, "malformed variable name");
		if (strcmp(name, "HOME") != 0)
			return complain(c, "unknown variable ${%s}%s; supported: ${HOME}", name,
					edit_distance(name, "HOME", 4) <= 4 && strlen(name) == 4
						? "; did you mean ${HOME}?"
						: "");
		record(x->policy, c->arena, "HOME", x->s->home);
		/* A grant of ${HOME} must never become a grant of the whole file system. */
		if (!x->s->home || x->s->home[0] != '/' ||
		    strspn(x->s->home, "/") == strlen(x->s->home))
			return complain(c, "there is no usable home directory");
		str_add(out, x->s->home);
		p = end + 1;
		if (out->len > PATH_LONGEST)
			return complain(c, "longer than 4096 bytes");
	}
	return true;
}

bool value_expand(const char *text, const struct value_context *x, const char **out,
		  struct complaint *c)
{
	auto_str expanded = {0};

	*out = text;
	if (!x || !x->s || x->syntax == SYNTAX_PLAIN || (!strchr(text, '$') && *text != '~'))
		return true;
	if (x->syntax == SYNTAX_YAML ? !expand_yaml(text, x, 0, &expanded, c)
				     : !expand_toml(text, x, &expanded, c))
		return false;
	*out = arena_strdup(c->arena, str_text(&expanded));
	return true;
}

bool value_path(const char *text, const struct value_context *x, const char **out,
		struct complaint *c)
{
	const char *expanded;

	if (!*text)
		return complain(c, "empty path");
	if (!value_expand(text, x, &expanded, c))
		return false;
	if (!*expanded)
		return complain(c, "empty path");
	if (expanded[0] != '/' && (!x || !x->dir)) {
		complain(c, "not an absolute path");
		suggest(c, "start it with /");
		return false;
	}
	*out = path_clean(c->arena, x ? x->dir : NULL, expanded);
	if (strlen(*out) >= PATH_LONGEST)
		return complain(c, "longer than 4095 bytes");
	return true;
}

/* ---- splitting ---- */

/* The first ':' of `text` that is not inside ${...}, or NULL. */
static const char *first_colon(const char *text)
{
	int depth = 0;

	for (const char *p = text; *p; p++) {
		if (p[0] == '$' && p[1] == '{')
			depth++;
		else if (*p == '}' && depth)
			depth--;
		else if (*p == ':' && !depth)
			return p;
	}
	return NULL;
}

/* Cuts `text` at its last ':' outside ${...}: returns what follows, NULL when there is none. */
static const char *cut_last(char *text)
{
	char *last = NULL;

	for (const char *p = first_colon(text); p; p = first_colon(p + 1))
		last = text + (p - text);
	if (!last)
		return NULL;
	*last = '\0';
	return last + 1;
}

/* An absolute path inside the sandbox: not relative to anything out here. */
static bool inside_path(const char *text, const struct value_context *x, const char **out,
			struct complaint *c)
{
	const char *expanded;

	if (!value_expand(text, x, &expanded, c))
		return false;
	if (expanded[0] != '/') {
		complain(c, "the path inside must be absolute");
		return false;
	}
	*out = path_clean(c->arena, NULL, expanded);
	return true;
}

/* ---- mounts ---- */

bool value_mount(const char *text, const struct value_context *x, struct item *out,
		 struct complaint *c)
{
	char *copy = arena_strdup(c->arena, text);
	size_t len = strlen(copy);

	if (len >= 3 &&
	    (strcmp(copy + len - 3, ":ro") == 0 || strcmp(copy + len - 3, ":rw") == 0)) {
		if (copy[len - 1] == 'o')
			out->flags |= ITEM_READ_ONLY;
		copy[len - 3] = '\0';
	}

	const char *colon = first_colon(copy);
	if (!colon || colon == copy || colon[1] == '\0') {
		complain(c, "expected VIRTUAL:HOST[:ro|:rw]");
		suggest(c, "write the path inside first: /data:/srv/data:ro");
		return false;
	}
	const char *target = arena_strndup(c->arena, copy, (size_t)(colon - copy));
	return inside_path(target, x, &out->text, c) && value_path(colon + 1, x, &out->text2, c);
}

/* ---- options after the last colon ---- */

struct mount_word {
	const char *word;
	uint32_t set, clear;
};

static const struct mount_word mount_words[] = {
	{"ro", ITEM_READ_ONLY, 0}, {"rw", 0, ITEM_READ_ONLY}, {"noexec", ITEM_NOEXEC, 0},
	{"exec", 0, ITEM_NOEXEC},  {"nosuid", 0, 0}, /* always so */
	{"nodev", 0, 0},			     /* always so */
};

static bool scan_mode(const char *text, uint64_t *mode, struct complaint *c)
{
	uint64_t value = 0;

	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '7' || p - text >= 5)
			return complain(c, "mode= takes an octal number such as 1777");
		value = value * 8 + (uint64_t)(*p - '0');
	}
	if (!*text || value > 07777)
		return complain(c, "mode= takes an octal number such as 1777");
	*mode = value;
	return true;
}

/* `mode` NULL: mode= is not an option here. */
static bool mount_options(const char *text, struct item *out, uint64_t *mode, struct complaint *c)
{
	while (*text) {
		size_t n = strcspn(text, ","), i = 0;
		const char *word = arena_strndup(c->arena, text, n);

		text += n + (text[n] == ',');
		if (mode && strncmp(word, "mode=", 5) == 0) {
			if (!scan_mode(word + 5, mode, c))
				return false;
			continue;
		}
		if (mode && strcmp(word, "or-host") ==
				    0) { /* the host's own directory where no view is possible */
			out->flags |= ITEM_OPTIONAL;
			continue;
		}
		while (i < ARRAY_LEN(mount_words) && strcmp(mount_words[i].word, word) != 0)
			i++;
		if (i == ARRAY_LEN(mount_words)) {
			complain(c, "unknown option \"%s\"", word);
			suggest(c, "options are ro, rw, noexec%s",
				mode ? ", or-host and mode=OCTAL" : "");
			return false;
		}
		out->flags = (out->flags | mount_words[i].set) & ~mount_words[i].clear;
	}
	return true;
}

/* ---- volumes ---- */

bool value_volume(const char *text, const struct value_context *x, struct item *out,
		  struct complaint *c)
{
	char *copy = arena_strdup(c->arena, text);
	const char *last = cut_last(copy);
	const char *expected = "expected SRC:DEST[:OPTIONS]";

	/* Read from the right: what does not look like a path is the options. */
	if (last && *last != '/' && *last != '~' && *last != '$' && first_colon(copy)) {
		if (!mount_options(last, out, NULL, c))
			return false;
		last = cut_last(copy);
	}
	if (!last || !*copy || !*last) {
		complain(c, "%s", expected);
		suggest(c, "write the path out here first: ./src:/app/src:ro");
		return false;
	}
	bool yaml = x && x->syntax == SYNTAX_YAML;
	bool path = copy[0] == '/' || strncmp(copy, "./", 2) == 0 || strncmp(copy, "../", 3) == 0 ||
		    strcmp(copy, ".") == 0 || strcmp(copy, "..") == 0 ||
		    (yaml && (copy[0] == '~' || copy[0] == '$'));
	if (!path) {
		complain(c, "named volumes are not available in this version");
		suggest(c, "for a directory write ./%s:%s", copy, last);
		return false;
	}
	if (!inside_path(last, x, &out->text, c) || !value_path(copy, x, &out->text2, c))
		return false;
	if (strcmp(out->text, "/") == 0)
		return complain(c, "DEST must not be /");
	if (strpbrk(out->text, ":;"))
		return complain(c, "DEST must not contain \":\" or \";\"");
	return true;
}

/* ---- memory file systems ---- */

bool value_tmpfs(const char *text, const struct value_context *x, struct item *out,
		 struct complaint *c)
{
	char *copy = arena_strdup(c->arena, text);
	const char *colon = first_colon(copy);
	char *size = NULL, *words = NULL;
	bool bare = false;

	out->num2 = 01777;
	if (colon) {
		size = copy + (colon - copy) + 1;
		size[-1] = '\0';
		words = strchr(size, ':');
	}
	if (words)
		*words++ = '\0';
	if (!*copy)
		return complain(c, "empty path");
	if (!inside_path(copy, x, &out->text, c))
		return false;
	if (strcmp(out->text, "/") == 0)
		return complain(c, "the path must not be /");
	if (size && *size) {
		if (!value_size(size, &out->num, &bare, c)) {
			const char *reason = c->reason, *hint = c->hint;

			complain(c, "size: %s", reason);
			c->hint = hint;
			return false;
		}
		if (out->num == UINT64_MAX)
			out->num = 0;
		else if (out->num < 4096) {
			complain(c, "size: smaller than a page");
			if (bare)
				suggest(c, "forgot a suffix? %sM is megabytes", size);
			return false;
		}
	}
	return !words || mount_options(words, out, &out->num2, c);
}

/* sandlock ps: the sandboxes of this user that run now. */
#include "cli.h"

#include "base/json.h"
#include "base/proc.h"
#include "control/control.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 2000, COMMAND_ROOM = 4096, SHOWN = 60, KEPT = 57 };

/* Seconds since the program was started, -1 when it is not known. proc_pid_stat(5): the 22nd field, in clock ticks since boot. A name
 * may hold anything, also ") ": the last ')' counts. */
static int64_t uptime_of(int pid)
{
	char text[1024];
	struct timespec now;

	if (pid <= 0 || proc_text(pid, "stat", text, sizeof text) < 0)
		return -1;
	const char *field = strrchr(text, ')');
	for (int i = 2; field && i < 22; i++) /* to the blank before the next one */
		field = strchr(field + 1, ' ');
	if (!field)
		return -1;
	unsigned long long started = strtoull(field, NULL, 10);
	clock_gettime(CLOCK_BOOTTIME, &now);
	int64_t uptime = now.tv_sec - (int64_t)(started / (unsigned long)sysconf(_SC_CLK_TCK));
	return MAX(uptime, 0);
}

static void add_uptime(struct str *out, int64_t s)
{
	if (s < 0)
		str_add_char(out, '?');
	else if (s < 60)
		str_printf(out, "%ds", (int)s);
	else if (s < 3600)
		str_printf(out, "%dm", (int)(s / 60));
	else if (s < 86400)
		str_printf(out, "%dh%dm", (int)(s / 3600), (int)(s / 60 % 60));
	else
		str_printf(out, "%lldd%dh", (long long)(s / 86400), (int)(s / 3600 % 24));
}

struct command_words {
	int pid;
	bool known;
	pthread_t thread;
	char text
		[COMMAND_ROOM]; /* the words with blanks between them; "" when they are not to be had */
};

static void *read_command(void *argument)
{
	struct command_words *line = argument;
	char *text = line->text;
	ssize_t n = proc_text(line->pid, "cmdline", text, COMMAND_ROOM);

	while (n > 0 && !text[n - 1])
		n--;
	for (ssize_t i = 0; i < n; i++)
		if (!text[i])
			text[i] = ' ';
	text[MAX(n, 0)] = '\0';
	return NULL;
}

/* A program can keep whoever reads its command line waiting, by what it does to its memory: each is read by a thread of its own, and
 * those that take too long stay behind. */
static bool read_commands(struct command_words *lines, const struct sandbox *list, size_t count,
			  int64_t end)
{
	bool all = true;

	for (size_t i = 0; i < count; i++) {
		lines[i].pid = list[i].pid;
		lines[i].known = lines[i].pid > 0 && pthread_create(&lines[i].thread, NULL,
								    read_command, &lines[i]) == 0;
	}
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	int64_t left = MAX(end - control_now_ms(), 0) * 1000000 + until.tv_nsec;
	until.tv_sec += left / 1000000000;
	until.tv_nsec = left % 1000000000;
	for (size_t i = 0; i < count; i++)
		if (lines[i].known && pthread_timedjoin_np(lines[i].thread, NULL, &until) != 0)
			all = lines[i].known = false;
	return all;
}

/* The program may have written anything there. */
static void add_command(struct str *out, const char *command)
{
	char cut[SHOWN + 1];
	size_t len = strlen(command);

	if (len > SHOWN)
		for (len = KEPT; len && ((unsigned char)command[len] & 0xc0) == 0x80; len--)
			;
	memcpy(cut, command, len);
	cut[len] = '\0';
	str_add_escaped(out, *cut ? cut : "?");
	if (command[len])
		str_add(out, "…");
}

static void add_ports(struct str *out, const struct sandbox *s)
{
	if (!s->answered || !s->port_count)
		str_add_char(out, s->answered ? '-' : '?');
	for (size_t i = 0; i < s->port_count; i++)
		str_printf(out, "%s%u→%u%s", i ? ", " : "", s->ports[i].port, s->ports[i].real,
			   s->ports[i].protocol == IPPROTO_UDP ? "/udp" : "");
}

static const char *status_of(const struct sandbox *s)
{
	return s->answered ? "running" : "unresponsive";
}

/* Bytes beyond the first of a character take no column. */
static int width(const char *text, int columns)
{
	for (; *text; text++)
		columns += ((unsigned char)*text & 0xc0) == 0x80;
	return columns;
}

static void add_row(struct str *out, const struct sandbox *s, const char *words)
{
	auto_str name = {0}, pid = {0}, uptime = {0}, ports = {0}, command = {0};

	str_add_escaped(&name, s->name);
	str_printf(&pid, s->pid ? "%d" : "?", s->pid);
	add_uptime(&uptime, uptime_of(s->pid));
	add_ports(&ports, s);
	add_command(&command, words);
	str_printf(out, "%-*s %8s  %12s  %-10s  %-*s  %s\n", width(str_text(&name), 32),
		   str_text(&name), str_text(&pid), str_text(&uptime), status_of(s),
		   width(str_text(&ports), 24), str_text(&ports), str_text(&command));
}

static void add_object(struct json *j, const struct sandbox *s, const char *words)
{
	int64_t uptime = uptime_of(s->pid);
	char started[80];
	time_t begin = time(NULL) - (time_t)uptime;
	struct tm utc;

	json_object(j, NULL);
	json_string(j, "name", s->name);
	s->pid ? json_i64(j, "pid", s->pid) : json_null(j, "pid");
	json_i64(j, "supervisor_pid", s->supervisor);
	if (uptime >= 0 && gmtime_r(&begin, &utc)) {
		snprintf(started, sizeof started, "%04d-%02d-%02dT%02d:%02d:%02dZ",
			 utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
			 utc.tm_sec);
		json_string(j, "started_at", started);
		json_i64(j, "uptime_s", uptime);
	}
	json_string(j, "status", status_of(s));
	json_string(j, "cmd", words);
	if (s->answered) {
		json_array(j, "ports");
		for (size_t i = 0; i < s->port_count; i++) {
			json_object(j, NULL);
			json_u64(j, "virtual", s->ports[i].port);
			json_u64(j, "real", s->ports[i].real);
			json_string(j, "proto",
				    s->ports[i].protocol == IPPROTO_UDP ? "udp" : "tcp");
			json_end_object(j);
		}
		json_end_array(j);
		json_u64(j, "traps", s->traps);
		json_u64(j, "denials", s->denials);
	}
	json_end_object(j);
}

int ps_main(struct cli *cli, int argc, char **argv)
{
	auto_str out = {0};
	struct error err = {0};
	struct sandbox *list;
	size_t count, missed;
	int64_t end = control_now_ms() + PATIENCE_MS;
	int status = cli_flags(cli, &argc, argv, NULL, 0, NULL);

	if (status >= 0)
		return status;
	if (argc > 1)
		return cli_usage_error(cli, "ps takes no operand");
	int r = control_list(&err.arena, end, &list, &count, &missed);
	if (r < 0) {
		error_add_errno(&err, NO_ORIGIN, NULL, -r, "failed to list sandboxes");
		return cli_report(cli, &err, 1);
	}
	struct command_words *lines = calloc(count + 1, sizeof *lines);
	if (!lines)
		return EXIT_SANDLOCK;
	bool all = read_commands(lines, list, count, end);
	if (cli->json) {
		struct json j = {.out = &out};

		json_array(&j, NULL);
		for (size_t i = 0; i < count; i++)
			add_object(&j, &list[i], lines[i].known ? lines[i].text : "");
		json_end_array(&j);
		str_add_char(&out, '\n');
	} else if (!count) {
		str_add(&out, "No running sandboxes.\n");
	} else {
		str_printf(&out, "%-32s %8s  %12s  %-10s  %-24s  %s\n", "NAME", "PID", "UPTIME",
			   "STATUS", "PORTS", "CMD");
		for (size_t i = 0; i < count; i++)
			add_row(&out, &list[i], lines[i].known ? lines[i].text : "");
	}
	if (missed) {
		error_warn(&err, NO_ORIGIN, NULL, "W051",
			   "some names are not shown, nobody took a request there in time: %zu",
			   missed);
		cli_report(cli, &err, 0);
	}
	error_free(&err);
	if (all) /* else somebody still writes there */
		free(lines);
	return cli_print(&out);
}

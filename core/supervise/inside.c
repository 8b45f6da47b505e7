/* What a task of the sandbox is called inside: its own PID namespace may count differently. Allocates nothing. */
#include "supervise/session.h"

#include "base/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int task_inside(int pid)
{
	char text[4096];

	proc_text(pid, "status", text, sizeof text);
	/* One number for each namespace, ours first and the task's own last. */
	char *line = strstr(text, "\nNStgid:");
	if (!line)
		return pid;
	line++;
	line[strcspn(line, "\n")] = '\0';
	const char *last = strrchr(line, '\t');
	int number = last ? (int)strtol(last, NULL, 10) : 0;
	return number > 0 ? number : pid;
}

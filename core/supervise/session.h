/*
 * One run, as its supervisor sees it. One thread owns all of it: the loop. Handlers get one call and return one reply; they never
 * touch the notification descriptor.
 */
#ifndef SANDLOCK_SUPERVISE_SESSION_H
#define SANDLOCK_SUPERVISE_SESSION_H

#include "launch/guard.h"
#include "launch/record.h"
#include "plan/plan.h"

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

struct session;

/* One trapped system call. Arguments are registers of a blocked thread: they cannot change. What they point to can. */
struct call {
	struct session *session;
	uint64_t id;
	int pid; /* the thread, in the supervisor's PID namespace */
	int nr;
	uint64_t args[6];
};

enum reply_kind {
	REPLY_PROCEED, /* the kernel runs the call: only when it enforces the same rule, or registers alone decided */
	REPLY_FAIL, /* errno */
	REPLY_VALUE,
	REPLY_FD,    /* a copy of `fd` becomes the result; `fd` is closed here */
	REPLY_KILL,  /* end the whole sandbox: status 123 */
	REPLY_LATER, /* `work` gives the reply on a worker thread */
	REPLY_PARKED, /* park() has the call */
};

struct reply {
	enum reply_kind kind;
	int error; /* positive errno */
	int64_t value;
	int fd;
	bool cloexec;
	struct reply (*work)(const struct call *call);
};

static inline struct reply reply_proceed(void)
{
	return (struct reply){.kind = REPLY_PROCEED};
}
static inline struct reply reply_fail(int error)
{
	return (struct reply){.kind = REPLY_FAIL, .error = error};
}
static inline struct reply reply_value(int64_t value)
{
	return (struct reply){.kind = REPLY_VALUE, .value = value};
}
static inline struct reply reply_fd(int fd, bool cloexec)
{
	return (struct reply){.kind = REPLY_FD, .fd = fd, .cloexec = cloexec};
}
static inline struct reply reply_later(struct reply (*work)(const struct call *call))
{
	return (struct reply){.kind = REPLY_LATER, .work = work};
}

typedef struct reply (*handler)(const struct call *call);

/* Why the run ended; `reason` of the status record. */
enum end_reason {
	END_EXIT,
	END_SIGNAL,
	END_TIMEOUT,
	END_MAX_DURATION,
	END_KILLED,
	END_SETUP,
	END_POLICY
};

struct session {
	struct launch_record record;
	struct guard guard;
	const char *name, *hostname;

	/* Children that the program which became us had already; not the sandbox's. */
	int foreign[1024];
	size_t foreign_count;

	int signal_fd, event_fd; /* event_fd: read end of the guard's pipe */
	int listener;
	uint8_t handler_of[512]; /* enum handler_id + 1; 0 = not looked up yet */

	/* How it goes. */
	bool guest_ended; /* status known */
	bool guest_stopped;
	int code, status; /* of the guest: CLD_*, exit status or signal */
	bool guard_ended, holder_ended;
	enum end_reason reason;
	int interrupted_by; /* the first INT or TERM that came to us */
	bool killed;	    /* SIGKILL was sent to everything */
	uint64_t interrupt_ns, kill_ns, timeout_ns, max_ns; /* CLOCK_MONOTONIC; 0 = none */

	/* Terminal */
	int tty_fd;    /* -1: none */
	bool owns_tty; /* the guest's group has it */
	int tty_flags; /* of the shared description */
	struct termios modes, guest_modes;

	/* Statistics */
	uint64_t traps, denials;
	uint32_t traps_by_nr[512];
	uint32_t peak_processes;
};

/* notify.c */
/* Before harden_self(); false when this kernel's notifications do not fit. */
bool notify_prepare(void);
/* With s->listener known. */
void notify_open(const struct session *s);
/* One notification, received and answered (or handed to a worker). */
void notify_serve(struct session *s);
/* Answers a call; used by the loop and by workers. */
void notify_reply(const struct call *call, struct reply reply);
/* Is the caller still blocked in this call? To be asked after reading its memory and before acting. */
bool notify_valid(const struct call *call);

/* memory.c: bounded copies of the caller's memory. 0 or -errno. */
int memory_read(const struct call *call, uint64_t address, void *buffer, size_t len);
int memory_write(const struct call *call, uint64_t address, const void *buffer, size_t len);
/* A NUL-terminated string of at most size - 1 bytes; its length, or -EFAULT, -ENAMETOOLONG. */
int memory_read_string(const struct call *call, uint64_t address, char *buffer, size_t size);

/* workers.c */
/* Threads of ours besides the loop? (Asked by the loop, which starts them.) */
bool workers_exist(void);
bool workers_submit(const struct call *call, struct reply (*work)(const struct call *call));

/* parked.c: calls that wait until a socket is ready, any number of them on one thread. Its reply goes out like a handler's. */
struct parked {
	struct call call;
	int fd;		      /* a duplicate; closed with the entry */
	short events;	      /* POLLIN, POLLOUT */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0 = none */
	/* Ready, or `timed_out`. REPLY_PARKED: wait on. */
	struct reply (*resume)(struct parked *p, bool timed_out);
	union {
		char room[256];
		uint64_t align;
	} state; /* the handler's */
};
/* An entry to fill, with the call in it; NULL: as many wait as may. Loop thread or workers. */
struct parked *park_new(const struct call *call);
/* Takes the filled entry. The caller's signals end the wait as they would end the call's (ERESTARTSYS). */
struct reply park(struct parked *p);

/* task.c: descriptors of the caller. */
/* A duplicate of the caller's descriptor `fd`, close-on-exec, or -errno (EBADF). */
int task_fd(const struct call *call, int fd);

/* outcome.c */
int outcome_status(const struct session *s);
/* The status record; `err` holds what went wrong before the program started, or nothing. */
void outcome_report(const struct session *s, int exit_status, const struct error *err);
/* What the user should read about the end (a time limit). */
void outcome_message(const struct session *s, struct error *err);

/* harden.c: what the supervisor takes from itself before it looks at anything of the guest's. */
bool harden_self(const struct session *s, struct error *err);

/* terminal.c */
void terminal_open(struct session *s);
/* The guest is to have the terminal from its start: standard input is ours and we are in the foreground. */
bool terminal_offered(const struct session *s);
void terminal_give(struct session *s);
void terminal_take(struct session *s);
/* Nothing that the guest did to the terminal outlives it. */
void terminal_restore(struct session *s);
void terminal_stopped(struct session *s, int signal);

/* ending.c: signals to every process of the sandbox. */
/* To be asked before the guard exists: the children that the program which became us had already are not the sandbox's. */
void foreign_children(struct session *s);
/* What the guard has left to us; true while there is something. */
bool orphans_signal(struct session *s, int signal);
void everything_signal(struct session *s, int signal);
void guest_signal(struct session *s, int signal);

/* own_task.c: is this task one of the sandbox's? */
bool task_is_ours(const struct session *s, int pid);

/* Handlers by the names that syscalls.def uses. */
struct reply handle_own_task(const struct call *call);
struct reply handle_signal(const struct call *call);
struct reply handle_listen(const struct call *call);
struct reply handle_clone_process(const struct call *call); /* limits/processes.c */
struct reply handle_uname(const struct call *call);	    /* proc/hostname.c */
struct reply handle_open_hostname(const struct call *call);
struct reply handle_connect(const struct call *call); /* net/ */
struct reply handle_send(const struct call *call);
struct reply handle_bind(const struct call *call);
struct reply handle_socket(const struct call *call);
struct reply handle_socket_name(const struct call *call);
struct reply handle_netlink(const struct call *call);
/* net/ports.c: member "ports" of the status record, inside -> outside, when some differ. */
struct json;
void ports_report(struct json *j);
/* Before harden_self(), and after the guard has inherited our limits / after it, with the guest known. */
void processes_prepare(const struct session *s);
bool processes_open(struct session *s, struct error *err);

#endif

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
	bool may_wait; /* not on the loop: file systems may be asked */
};

enum reply_kind {
	REPLY_PROCEED, /* the kernel runs the call: only when it enforces the same rule, or registers alone decided */
	REPLY_FAIL, /* errno */
	REPLY_VALUE,
	REPLY_FD,     /* a copy of `fd` becomes the result; `fd` is closed here */
	REPLY_KILL,   /* end the whole sandbox: status 123 */
	REPLY_LATER,  /* `work` gives the reply on a worker thread */
	REPLY_PARKED, /* park() has the call */
};

/* The kernel's own number for "a signal came first": it restarts the call or makes it EINTR, as the signal's action says. To be
 * sent only to a thread that has a signal to handle; anybody else would see the number. */
enum { ERROR_RESTART = 512 };

struct reply {
	enum reply_kind kind;
	int error;    /* positive errno */
	bool outcome; /* REPLY_FAIL: the kernel said so about a call done on behalf; no denial */
	int64_t value;
	int fd;
	bool cloexec;
	int at; /* REPLY_FD: the number that the descriptor should get; 0, or one that is not to be had: any */
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
/* What a call done on behalf gave: a value, or -errno. */
static inline struct reply reply_result(int64_t result)
{
	if (result < 0)
		return (struct reply){.kind = REPLY_FAIL, .error = (int)-result, .outcome = true};
	return reply_value(result);
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
/* Several pieces at once, `remote` being addresses of the caller: the bytes copied, fewer when a later piece is not there, or
 * -errno. */
struct iovec;
int64_t memory_gather(const struct call *call, const struct iovec *local, size_t local_count,
		      const struct iovec *remote, size_t remote_count);

/* watch.c: around what the loop does with the program's memory. */
void watch_begin(struct session *session);
void watch_end(void);
bool watch_exists(void);
/* Who has the lock ends and signals the run: the loop, or the watch in its place. */
void watch_lock(void);
void watch_unlock(void);
/* supervise.c, with the lock: signals, ends and deadlines that are due. */
void session_attend(struct session *s);

/* rest.c: gives back pages of the program's file. */
void session_rest(void);

/* workers.c */
/* Threads of ours besides the loop? (Asked by the loop, which starts them.) */
bool workers_exist(void);
bool workers_submit(const struct call *call, struct reply (*work)(const struct call *call));

/* parked.c: calls that wait until a socket is ready, any number of them on one thread. Its reply goes out like a handler's. */
struct parked {
	struct call call;
	int fd;		      /* a duplicate; closed with the entry */
	short events;	      /* POLLIN, POLLOUT; 0: every 10 ms */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0 = none */
	/* Ready, or `timed_out`. REPLY_PARKED: wait on. It may change `events`: 0 asks for another try after 10 ms, for what
	 * no poll tells, and for a readiness that was none. Runs on the thread of parked calls; must not block. */
	struct reply (*resume)(struct parked *p, bool timed_out);
	int64_t progress; /* what the call returns when a signal ends it; 0: nothing was done yet */
	union {
		char room[256];
		uint64_t align;
	} state; /* the handler's */
};
/* Before harden_self(), with the limit of open files as it stays. */
void park_prepare(void);
/* An entry to fill, with the call in it; NULL: as many wait as may. Loop thread or workers. */
struct parked *park_new(const struct call *call);
/* Takes the filled entry. The caller's signals end the wait as they would end the call's (ERESTARTSYS). Nothing may touch the
 * entry afterwards: it may be answered and free already. */
struct reply park(struct parked *p);
/* Is there such a thread? (Asked by workers_exist().) */
bool parked_exist(void);
/* What the pending signals in the text of /proc/TID/status mean for a blocked call. */
enum wait_end {
	WAIT_ON,
	WAIT_INTERRUPTED, /* this thread has a signal to handle */
	WAIT_PERHAPS, /* a signal for the process, and another thread may be the one that handles it */
};
enum wait_end wait_end_of(const char *status);

/* task.c: descriptors of the caller. */
/* A duplicate of the caller's descriptor `fd`, close-on-exec, or -errno (EBADF). To be followed by notify_valid(): the number of a
 * caller that is gone may be another task's. */
int task_fd(const struct call *call, int fd);
/* The same in two steps, for many descriptors: a descriptor of the caller, and a duplicate of one of its descriptors. */
int task_open(const struct call *call);
int task_take(int task, int fd);
/* The text of /proc/TID/status, cut off at `size`; "" when there is none. */
void task_status(const struct call *call, char *text, size_t size);
/* What follows "NAME:" in it, or NULL. */
const char *status_field(const char *status, const char *name);
/* CLOCK_MONOTONIC */
uint64_t clock_ns(void);

/* inside.c: the number of the task's process in its own PID namespace; `pid` itself when it cannot be told. */
int task_inside(int pid);

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
/* net/: from the image, before harden_self(); also opens what is not to be had later. False: not a valid image. */
bool net_open(const struct image *image, struct session *s);
struct reply handle_connect(const struct call *call); /* net/ */
struct reply handle_send(const struct call *call);
struct reply handle_bind(const struct call *call);
struct reply handle_accept(const struct call *call);
struct reply handle_socket(const struct call *call);
struct reply handle_socket_name(const struct call *call);
struct reply handle_landlock(const struct call *call);
struct reply handle_netlink(const struct call *call);
/* net/netlink.c, for the loop: readable when a stand-in was written to past the filter or closed (-1: there is none), and what to do
 * then. */
int netlink_events(void);
void netlink_serve(void);
/* net/proc_net.c, for proc/virtual.c. The text of /etc/hosts; NULL: the host's own is shown. */
const char *net_hosts(void);
/* Writes what the sandbox may know of /proc/net/`name` to `fd`. 0, -ENOENT: no such file, or what went wrong. For any thread. */
int proc_net_write(const struct call *call, const char *name, int fd);
/* net/ports.c: member "ports" of the status record, inside -> outside, when some differ. */
struct json;
void ports_report(struct json *j);
/* control/serve.c, for the loop: readable when somebody asks what runs here (-1: not now), and what to do then. */
int control_events(const struct session *s);
void control_serve(const struct session *s);
/* Before harden_self(), and after the guard has inherited our limits / after it, with the guest known. */
void processes_prepare(const struct session *s);
bool processes_open(struct session *s, struct error *err);

#endif

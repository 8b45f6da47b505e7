#include "guest.h"

#include "base/fd.h"
#include "base/sys.h"
#include "host/uapi.h"
#include "lacking.h"

#include <linux/filter.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

char directory[] = "/tmp/behalf-XXXXXX";
volatile sig_atomic_t rang;
static struct session session;
static struct arena arena;

/* ---- the policy: 127.0.0.1 and ::1, sockets below "in" ---- */

static void open_policy(void)
{
	struct image_writer *w = arena_new(&arena, struct image_writer);
	struct image image;
	size_t size;
	char path[64];
	static struct net_record record = {
		.flags = NET_UNIX_GATE | NET_JUDGE_CONNECT | NET_JUDGE_SEND,
		.deny_errno = DENIED,
	};
	static const struct endpoint_entry entries[] = {
		{.first = {0, 0xffff7f000001},
		 .last = {0, 0xffff7f000001},
		 .family = 4,
		 .protocols = ENDPOINT_PROTOCOLS,
		 .directions = ENDPOINT_EGRESS,
		 .allow = 1},
		{.first = {0, 1},
		 .last = {0, 1},
		 .family = 6,
		 .protocols = ENDPOINT_PROTOCOLS,
		 .directions = ENDPOINT_EGRESS,
		 .allow = 1},
	};
	static const struct net_bind binds[] = {
		{.protocol = ENDPOINT_TCP, .first = 80, .last = 90},
		{.protocol = ENDPOINT_UDP, .first = 65535, .last = 65535}};
	static struct net_grant grant;

	image_begin(w, &arena);
	snprintf(path, sizeof path, "%s/in", directory);
	grant.path = image_add_text(w, path);
	image_add(w, IMAGE_NET, &record, 1, sizeof record);
	image_add(w, IMAGE_ENDPOINTS, entries, ARRAY_LEN(entries), sizeof *entries);
	image_add(w, IMAGE_NET_BINDS, binds, ARRAY_LEN(binds), sizeof *binds);
	image_add(w, IMAGE_NET_GRANTS, &grant, 1, sizeof grant);
	void *bytes = image_finish(w, &size);
	assert_int_equal(image_open(bytes, size, &image), 0);
	assert_true(net_open(&image, &session));
}

void guest_begin(void)
{
	char path[64];

	if (!mkdtemp(directory))
		exit(1);
	snprintf(path, sizeof path, "%s/in", directory);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/out", directory);
	mkdir(path, 0700);
	signal(SIGPIPE, SIG_IGN);
	open_policy();
}

void guest_end(void)
{
	char command[64];

	snprintf(command, sizeof command, "rm -rf %s", directory);
	if (system(command))
		exit(1);
}

/* ---- the child ---- */

static int install_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendto, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmmsg, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	};
	const struct sock_fprog program = {.len = ARRAY_LEN(code), .filter = code};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)SYS(seccomp, SECCOMP_SET_MODE_FILTER,
			SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
			&program);
}

static void serve_one(void)
{
	struct seccomp_notif request = {0};
	struct call call = {.session = &session};

	if (ioctl(session.listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
		return;
	call.id = request.id;
	call.pid = (int)request.pid;
	call.nr = request.data.nr;
	memcpy(call.args, request.data.args, sizeof call.args);
	notify_reply(&call, call.nr == SYS_connect ? handle_connect(&call) : handle_send(&call));
}

void guest_run(void (*program)(void))
{
	int ready[2], status;
	int listener = -1;

	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		listener = install_filter();
		if (write(ready[1], &listener, sizeof listener) != sizeof listener || listener < 0)
			_exit(2);
		program();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &listener, sizeof listener), sizeof listener);
	close(ready[0]);
	if (listener < 0) {
		waitpid(child, &status, 0);
		SKIP("seccomp() gives no filter with a listener");
	}
	auto_fd pidfd = (int)SYS(pidfd_open, child, 0);
	session.listener = (int)SYS(pidfd_getfd, pidfd, listener, 0);
	assert_true(session.listener >= 0);
	for (;;) {
		struct pollfd fds[] = {{.fd = session.listener, .events = POLLIN},
				       {.fd = pidfd, .events = POLLIN}};

		assert_true(poll(fds, 2, 20000) > 0);
		if (fds[0].revents & POLLIN)
			serve_one();
		else if (fds[1].revents)
			break;
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	fd_close(&session.listener);
	assert_int_equal(status, 0);
}

/* ---- what the programs are made of ---- */

pid_t helper(void)
{
	pid_t pid = fork();

	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

int bound_socket(int type, const char *ip, struct sockaddr_in *address)
{
	int fd = socket(AF_INET, type, 0);
	socklen_t len = sizeof *address;

	*address = (struct sockaddr_in){.sin_family = AF_INET};
	inet_pton(AF_INET, ip, &address->sin_addr);
	CHECK(fd >= 0 && bind(fd, (void *)address, len) == 0);
	CHECK(getsockname(fd, (void *)address, &len) == 0);
	return fd;
}

int listening(const char *ip, int backlog, struct sockaddr_in *address)
{
	int fd = bound_socket(SOCK_STREAM, ip, address);

	CHECK(listen(fd, backlog) == 0);
	return fd;
}

int arrived(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0);
}

void ring(int signal UNUSED)
{
	rang++;
}

void alarm_after(long ms, int flags)
{
	const struct sigaction action = {.sa_handler = ring, .sa_flags = flags};
	const struct itimerval timer = {.it_value = {.tv_usec = ms * 1000}};

	rang = 0;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/*
 * Names to addresses with the C library's resolver, every name on a thread of its own, so that the slowest decides how long it takes.
 * Must never hand a thread memory that can go away: what a late thread still uses is its own and stays allocated.
 */
#include "host/resolve.h"

#include "base/compiler.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* musl needs about 20 KiB for a question, glibc more. */
enum { RESOLVER_STACK = 256 * 1024, MAX_ADDRESSES = 256 };

/* Shared by the caller and the threads; freed by the caller when all threads are done, else never. */
struct crowd {
	pthread_mutex_t lock;
	pthread_cond_t progress;
	size_t pending;
};

struct lookup {
	struct crowd *crowd;
	pthread_t thread;
	bool started;
	/* Under the lock, until `done`. */
	bool done;
	int failure, system_error; /* EAI_*, errno with EAI_SYSTEM */
	size_t count;
	struct address addresses[MAX_ADDRESSES];
	char name[];
};

static uint64_t big_endian(const uint8_t *bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < 8; i++)
		value = value << 8 | bytes[i];
	return value;
}

static bool address_of(const struct sockaddr *from, struct address *out)
{
	if (!from)
		return false;
	if (from->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)from;

		*out = (struct address){.low = 0xffff00000000 | ntohl(v4->sin_addr.s_addr)};
		return true;
	}
	if (from->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)from;

		*out = (struct address){.high = big_endian(v6->sin6_addr.s6_addr),
					.low = big_endian(v6->sin6_addr.s6_addr + 8)};
		return true;
	}
	return false;
}

static bool is_known(const struct address *addresses, size_t count, struct address address)
{
	for (size_t i = 0; i < count; i++)
		if (address_equal(addresses[i], address))
			return true;
	return false;
}

static void *ask(void *argument)
{
	struct lookup *lookup = argument;
	/* One type, or every address comes once for each. */
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	int failure = getaddrinfo(lookup->name, NULL, &hints, &list);
	int system_error = errno;
	size_t count = 0;

	for (struct addrinfo *a = failure ? NULL : list; a && count < MAX_ADDRESSES;
	     a = a->ai_next) {
		struct address address;

		if (address_of(a->ai_addr, &address) &&
		    !is_known(lookup->addresses, count, address))
			lookup->addresses[count++] = address;
	}
	if (!failure && list)
		freeaddrinfo(list);

	pthread_mutex_lock(&lookup->crowd->lock);
	lookup->failure = failure;
	lookup->system_error = system_error;
	lookup->count = count;
	lookup->done = true;
	lookup->crowd->pending--;
	pthread_cond_signal(&lookup->crowd->progress);
	pthread_mutex_unlock(&lookup->crowd->lock);
	return NULL;
}

static struct lookup *start(struct crowd *crowd, const char *name)
{
	size_t len = strlen(name) + 1;
	struct lookup *lookup = calloc(1, sizeof *lookup + len);
	pthread_attr_t attr;

	if (!lookup)
		return NULL;
	lookup->crowd = crowd;
	memcpy(lookup->name, name, len);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, RESOLVER_STACK);
	pthread_mutex_lock(&crowd->lock);
	lookup->started = pthread_create(&lookup->thread, &attr, ask, lookup) == 0;
	crowd->pending += lookup->started;
	pthread_mutex_unlock(&crowd->lock);
	pthread_attr_destroy(&attr);
	return lookup;
}

/* Until all are done or the time is over. False: some are not done. */
static bool wait_for(struct crowd *crowd, const struct timespec *deadline)
{
	int r = 0;

	pthread_mutex_lock(&crowd->lock);
	while (crowd->pending && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&crowd->progress, &crowd->lock, deadline);
	bool all = !crowd->pending;
	pthread_mutex_unlock(&crowd->lock);
	return all;
}

static void explain(const struct endpoint_name *name, const struct lookup *lookup,
		    struct error *err)
{
	const char *quoted = error_quote(err, name->name);

	if (!lookup || !lookup->started)
		error_add(err, name->origin, name->key,
			  "failed to resolve host %s: no thread can be started", quoted);
	else if (!lookup->done)
		error_add(err, name->origin, name->key,
			  "failed to resolve host %s: no answer within %d seconds", quoted,
			  RESOLVE_DEADLINE_MS / 1000);
	else if (lookup->failure == EAI_SYSTEM)
		error_add_errno(err, name->origin, name->key, lookup->system_error,
				"failed to resolve host %s", quoted);
	else
		error_add(err, name->origin, name->key, "failed to resolve host %s: %s", quoted,
			  lookup->failure ? gai_strerror(lookup->failure) : "it has no address");
	error_hint(err,
		   "names are looked up once, before the program starts: check the spelling and "
		   "this machine's DNS, or write the address");
}

static void keep(struct arena *arena, const struct lookup *lookup, struct name_pin *out)
{
	struct address *copy = arena_array(arena, lookup->count, sizeof *copy);

	memcpy(copy, lookup->addresses, lookup->count * sizeof *copy);
	out->addresses = copy;
	out->count = lookup->count;
}

static struct timespec deadline_from_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += RESOLVE_DEADLINE_MS / 1000;
	t.tv_nsec += RESOLVE_DEADLINE_MS % 1000 * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000L;
	}
	return t;
}

bool resolve_names(const struct endpoint_name *names, size_t count, struct arena *arena,
		   struct name_pin *out, struct error *err)
{
	const struct timespec deadline = deadline_from_now();
	struct crowd *crowd = calloc(1, sizeof *crowd);
	struct lookup **lookups = calloc(count + 1, sizeof(struct lookup *));
	pthread_condattr_t attr;
	bool ok = true;

	if (!crowd || !lookups) {
		free(crowd);
		free(lookups);
		return error_add_errno(err, NO_ORIGIN, NULL, ENOMEM, "cannot resolve host names");
	}
	pthread_mutex_init(&crowd->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&crowd->progress, &attr);
	pthread_condattr_destroy(&attr);

	for (size_t i = 0; i < count; i++)
		lookups[i] = start(crowd, names[i].name);
	bool all = wait_for(crowd, &deadline);

	pthread_mutex_lock(&crowd->lock);
	for (size_t i = 0; i < count; i++) {
		out[i] = (struct name_pin){.name = names[i].name};
		if (lookups[i] && lookups[i]->done && lookups[i]->count) {
			keep(arena, lookups[i], &out[i]);
			continue;
		}
		explain(&names[i], lookups[i], err);
		ok = false;
	}
	pthread_mutex_unlock(&crowd->lock);

	/* Joined, so that this process is single-threaded again. The late ones are left alone, with all they use: the run ends with
	 * the error. */
	for (size_t i = 0; i < count; i++) {
		if (!lookups[i])
			continue;
		if (all && lookups[i]->started)
			pthread_join(lookups[i]->thread, NULL);
		if (all)
			free(lookups[i]);
	}
	free(lookups);
	if (all) {
		pthread_cond_destroy(&crowd->progress);
		pthread_mutex_destroy(&crowd->lock);
		free(crowd);
	}
	return ok;
}

bool own_addresses(struct arena *arena, struct address **out, size_t *count, struct error *err)
{
	struct ifaddrs *list;
	struct address *addresses = NULL, address;
	size_t n = 0, cap = 0;

	if (getifaddrs(&list) < 0)
		return error_add_errno(err, NO_ORIGIN, NULL, errno,
				       "cannot list the addresses of this machine");
	for (struct ifaddrs *i = list; i; i = i->ifa_next) {
		if (!address_of(i->ifa_addr, &address) || is_known(addresses, n, address))
			continue;
		addresses = arena_grow(arena, addresses, n, &cap, sizeof *addresses);
		addresses[n++] = address;
	}
	freeifaddrs(list);
	*out = addresses;
	*count = n;
	return true;
}

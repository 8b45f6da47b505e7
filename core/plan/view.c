/* Does this run get a view of its own (namespaces built by the holder), and what happens to the wishes when it cannot. */
#include "plan/parts.h"

#include <string.h>

enum { VIEW_NONE, VIEW_PRIVATE, VIEW_AUTO };		 /* words of config.view */
enum { BACKEND_AUTO, BACKEND_KERNEL, BACKEND_MEDIATED }; /* words of filesystem.backend */
enum { CAP_OF_SETGID = 6, CAP_OF_SETUID = 7 };

/* What asks for a view. `hard`: nothing else can give it. */
struct wishes {
	bool private, mounts, user, proc, hostname, hosts;
	bool shields;
	bool memory; /* optional tmpfs: where there is a view */
	struct origin private_origin, mounts_origin, user_origin, proc_origin, hostname_origin,
		hosts_origin;
};

static const enum option_id grant_ids[] = {OPT_fs_read,	       OPT_fs_read_if_exists,
					   OPT_fs_read_noexec, OPT_fs_exec,
					   OPT_fs_write,       OPT_fs_write_if_exists};

/* The first grant at, below or above `path`: "/" shows /proc too. */
static bool grants(const struct policy *policy, const char *path, struct origin *origin)
{
	for (size_t i = 0; i < ARRAY_LEN(grant_ids); i++) {
		const struct value *value = policy_value(policy, grant_ids[i]);

		for (size_t k = 0; k < value->count; k++) {
			const struct item *item = &value->items[k];

			if (!path_beneath(item->text, path) && !path_beneath(path, item->text))
				continue;
			*origin = item->origin;
			return true;
		}
	}
	return false;
}

static void add_mount(struct building *b, const struct item *item, enum mount_kind kind,
		      size_t *cap)
{
	struct plan_view *view = &b->plan->view;
	struct plan_mount mount = {
		.kind = kind,
		.target = item->text,
		.flags = item->flags & (ITEM_READ_ONLY | ITEM_NOEXEC | ITEM_OPTIONAL),
		.origin = item->origin,
	};

	if (kind == MOUNT_BIND) {
		mount.source = item->text2;
	} else {
		mount.size = item->num;
		mount.mode = item->num2 ? (uint32_t)item->num2 : 01777;
	}
	view->mounts =
		arena_grow(b->arena, view->mounts, view->mount_count, cap, sizeof *view->mounts);
	view->mounts[view->mount_count++] = mount;
}

/* Parents before what lies in them, whatever the order in the policy; equal targets as written, the later one on top. */
static void sort_mounts(struct plan_view *view)
{
	for (size_t i = 1; i < view->mount_count; i++) {
		struct plan_mount mount = view->mounts[i];
		size_t k = i;

		for (; k > 0 && strcmp(view->mounts[k - 1].target, mount.target) > 0; k--)
			view->mounts[k] = view->mounts[k - 1];
		view->mounts[k] = mount;
	}
}

static bool is_granted(const struct building *b, const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(grant_ids); i++) {
		const struct value *value = policy_value(b->policy, grant_ids[i]);

		for (size_t k = 0; k < value->count; k++)
			if (!strcmp(value->items[k].text, path))
				return true;
	}
	return false;
}

/*
 * A grant below a memory file system means the host's files: they are shown there. Landlock has the last word on what may be
 * done with them.
 */
static void show_grants(struct building *b, const char *tmpfs, size_t *cap)
{
	for (size_t i = 0; i < ARRAY_LEN(grant_ids); i++) {
		enum option_id id = grant_ids[i];
		const struct value *value = policy_value(b->policy, id);
		bool optional = id == OPT_fs_read_if_exists || id == OPT_fs_write_if_exists;

		for (size_t k = 0; k < value->count; k++) {
			struct item item = value->items[k];
			bool known = false;

			for (size_t m = 0; m < b->plan->view.mount_count; m++)
				known |= path_beneath(item.text, b->plan->view.mounts[m].target) &&
					 strcmp(b->plan->view.mounts[m].target, tmpfs) != 0;
			if (known || !path_beneath(item.text, tmpfs) || !strcmp(item.text, tmpfs))
				continue;
			item.text2 = item.text;
			item.flags = (item.flags & ITEM_OPTIONAL) | (optional ? ITEM_OPTIONAL : 0u);
			add_mount(b, &item, MOUNT_BIND, cap);
			b->plan->view.mounts[b->plan->view.mount_count - 1].implied = true;
		}
	}
}

static void collect_mounts(struct building *b)
{
	static const enum option_id ids[] = {OPT_fs_mount, OPT_volume, OPT_tmpfs};
	size_t cap = 0;

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		const struct value *value = policy_value(b->policy, ids[i]);

		for (size_t k = 0; k < value->count; k++) {
			if (ids[i] == OPT_tmpfs && (value->items[k].flags & ITEM_OPTIONAL) &&
			    is_granted(b, value->items[k].text))
				continue; /* somebody asked for the host's own */
			add_mount(b, &value->items[k],
				  ids[i] == OPT_tmpfs ? MOUNT_TMPFS : MOUNT_BIND, &cap);
		}
	}
	for (size_t i = 0, n = b->plan->view.mount_count; i < n; i++)
		if (b->plan->view.mounts[i].kind == MOUNT_TMPFS)
			show_grants(b, b->plan->view.mounts[i].target, &cap);
	for (size_t i = 0; i < b->request->shield_count; i++) {
		const struct plan_shield *shield = &b->request->shields[i];
		struct item item = {.text = shield->path,
				    .text2 = shield->path,
				    .flags = shield->read_only ? ITEM_READ_ONLY : 0,
				    .origin = shield->origin};

		add_mount(b, &item, MOUNT_BIND, &cap);
		b->plan->view.mounts[b->plan->view.mount_count - 1].implied = true;
	}
	sort_mounts(&b->plan->view);
}

/* One part of "UID:GID". Numbers only: names are the front end's business. */
static bool number_part(const char *text, uint64_t value, uint32_t *out)
{
	if (*text < '0' || *text > '9')
		return false;
	*out = (uint32_t)value;
	return true;
}

static bool inside_ids(struct building *b, struct wishes *w)
{
	struct plan_view *view = &b->plan->view;
	const struct value *user = policy_value(b->policy, OPT_user);

	view->inside_uid = b->host->uid;
	view->inside_gid = b->host->gid;
	if (policy_is_set(b->policy, OPT_uid) || policy_is_set(b->policy, OPT_gid)) {
		w->user_origin = policy_origin(
			b->policy, policy_is_set(b->policy, OPT_uid) ? OPT_uid : OPT_gid);
		view->inside_uid = (uint32_t)policy_u64(b->policy, OPT_uid, b->host->uid);
		view->inside_gid = (uint32_t)policy_u64(b->policy, OPT_gid, b->host->gid);
	}
	if (user->count) {
		const struct item *item = &user->items[user->count - 1];
		const char *colon = strchr(item->text, ':');

		w->user_origin = item->origin;
		if (!number_part(item->text, item->num, &view->inside_uid) ||
		    (colon && !number_part(colon + 1, item->num2, &view->inside_gid)))
			return error_add(b->err, item->origin, "program.user",
					 "%s is not a known user; write numbers, UID:GID",
					 error_quote(b->err, item->text));
	}
	w->user = view->inside_uid != b->host->uid || view->inside_gid != b->host->gid;
	return true;
}

static bool collect(struct building *b, struct wishes *w)
{
	const struct policy *policy = b->policy;
	enum option_id host_name = policy_is_set(policy, OPT_hostname) ? OPT_hostname : OPT_name;

	collect_mounts(b);
	for (size_t i = b->plan->view.mount_count; i-- > 0;) {
		const struct plan_mount *m = &b->plan->view.mounts[i];

		if (m->flags & ITEM_OPTIONAL) {
			w->memory |= m->kind == MOUNT_TMPFS;
		} else if (!m->implied) {
			w->mounts = true;
			w->mounts_origin = m->origin;
		}
	}
	w->shields = b->request->shield_count > 0;
	w->private = policy_u64(policy, OPT_view, VIEW_AUTO) == VIEW_PRIVATE;
	w->private_origin = policy_origin(policy, OPT_view);
	w->proc = grants(policy, "/proc", &w->proc_origin);
	/* Names of network rules were given addresses: programs inside find them in a hosts file of their own. */
	w->hosts = b->request->pin_count && grants(policy, "/etc/hosts", &w->hosts_origin);
	w->hostname = policy_text(policy, host_name, NULL) != NULL;
	w->hostname_origin = policy_origin(policy, host_name);
	if (w->hostname)
		b->plan->view.hostname = policy_text(policy, host_name, NULL);
	return inside_ids(b, w);
}

/* Why there can be no view, or NULL. */
static const char *refusal(const struct building *b)
{
	if (policy_u64(b->policy, OPT_view, VIEW_AUTO) == VIEW_NONE)
		return "the view is switched off (config.view: none)";
	if (policy_u64(b->policy, OPT_backend, BACKEND_AUTO) == BACKEND_MEDIATED)
		return "the mediated backend cannot give it in this version";
	if (b->request->wanted != PLAN_SUPERVISE)
		return "nobody stays to build a view (no supervisor)";
	if (b->host->user_namespace == ANSWER_NO)
		return b->host->user_namespace_reason ? b->host->user_namespace_reason
						      : "this host permits no user namespaces";
	return NULL;
}

static bool refuse(struct building *b, struct origin origin, const char *what, const char *why)
{
	error_add(b->err, origin, NULL, "%s: %s", what, why);
	if (b->host->user_namespace == ANSWER_NO)
		error_hint(b->err, "`sandlock check` says what this host permits");
	return false;
}

/* What can be had another way is; the rest is an error, never dropped in silence. */
static bool without_view(struct building *b, const struct wishes *w, const char *why)
{
	struct plan_view *view = &b->plan->view;
	bool ok = true;

	if (w->private)
		ok = refuse(b, w->private_origin, "a private view is not possible", why);
	if (policy_u64(b->policy, OPT_backend, BACKEND_AUTO) == BACKEND_KERNEL)
		ok = refuse(b, policy_origin(b->policy, OPT_backend),
			    "the kernel cannot make the file view", why);
	if (w->mounts)
		ok = refuse(b, w->mounts_origin, "mounts need a private view", why);
	if (w->shields) {
		ok = error_add(
			b->err, b->request->shields[0].origin, NULL,
			"the grant reaches %s, which decides what the next sandbox may do, and "
			"it cannot be protected: %s",
			b->request->shields[b->request->shield_count - 1].path, why);
		error_hint(b->err, "narrow the grant, or say --allow-self-modify");
	}
	if (w->user)
		ok = refuse(b, w->user_origin, "another user id inside needs a private view", why);
	if (w->proc && !w->private && b->request->wanted == PLAN_SUPERVISE &&
	    policy_u64(b->policy, OPT_view, VIEW_AUTO) != VIEW_NONE)
		error_warn(b->err, w->proc_origin, NULL, "W101",
			   "/proc shows the processes of this machine: %s", why);
	if (w->memory && b->request->wanted == PLAN_SUPERVISE &&
	    policy_u64(b->policy, OPT_view, VIEW_AUTO) != VIEW_NONE)
		error_warn(b->err, policy_origin(b->policy, OPT_tmpfs), NULL, "W102",
			   "the host's own directory is granted instead of a private one: %s", why);
	/* In place nobody answers: a name is then only the name of the run. */
	if (w->hostname && b->request->wanted == PLAN_SUPERVISE)
		b->plan->hostname = view->hostname;
	view->hostname = NULL;
	view->mount_count = 0;
	return ok;
}

bool plan_view(struct building *b)
{
	struct plan_view *view = &b->plan->view;
	struct wishes w = {0};
	bool no_proc = b->host->private_proc == ANSWER_NO, hard;

	if (!collect(b, &w))
		return false;

	hard = w.private || w.mounts || w.user || w.shields;
	if (!hard && !w.hostname && !w.hosts && !w.memory && !(w.proc && !no_proc)) {
		if (w.proc && b->request->wanted == PLAN_SUPERVISE &&
		    policy_u64(b->policy, OPT_view, VIEW_AUTO) != VIEW_NONE)
			error_warn(
				b->err, w.proc_origin, NULL, "W101",
				"/proc shows the processes of this machine: a fresh /proc cannot be "
				"mounted here");
		return true;
	}

	const char *why = refusal(b);
	if (why)
		return without_view(b, &w, why);

	view->wanted = true;
	view->required = hard || policy_u64(b->policy, OPT_backend, BACKEND_AUTO) == BACKEND_KERNEL;
	view->private_proc = !no_proc;
	view->user_namespace = true;
	/* Root maps every id onto itself while it has the right to; an ordinary user has one id to map. */
	view->map_all = b->host->uid == 0 && view->inside_uid == 0 && view->inside_gid == 0 &&
			(b->host->capabilities & BIT(CAP_OF_SETUID)) &&
			(b->host->capabilities & BIT(CAP_OF_SETGID));
	view->origin = w.private    ? w.private_origin
		       : w.mounts   ? w.mounts_origin
		       : w.user	    ? w.user_origin
		       : w.hostname ? w.hostname_origin
		       : w.hosts    ? w.hosts_origin
				    : w.proc_origin;
	if (w.proc && no_proc)
		error_warn(
			b->err, w.proc_origin, NULL, "W101",
			"/proc shows the processes of this machine: a fresh /proc cannot be mounted here");
	return true;
}

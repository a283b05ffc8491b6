/*
 * Health as Kubernetes asks for it: a page is 200 when all its checks are good, else 503. With ?verbose each check has a line,
 * as its own /readyz writes them:
 *
 *   [+]started ok
 *   [-]services failed: waiting for 12 s: service
 *
 * Whoever can reach the port sees codes and times, never a text with a server's name.
 */
#include <stdio.h>

#include "base/clock.h"
#include "cmd/monitor_work.h"

#define STUCK_MS 300000 /* far longer than a key server may take for each part of a batch */
#define WHY_MAX 160

/* Under `lock`. False: `why` says what is wrong. */
typedef bool check_fn(const struct monitor *monitor, char why[WHY_MAX]);

struct check {
	const char *name; /* NULL ends a list */
	check_fn *good;
};

static bool moves(const struct monitor *monitor, char why[WHY_MAX])
{
	const uint64_t still_ms = clock_mono_ms() - monitor->alive_ms;

	if (!monitor->started || still_ms < STUCK_MS)
		return true;
	snprintf(why, WHY_MAX, "nothing has moved for %llu s", (unsigned long long)still_ms / 1000);
	return false;
}

static bool has_started(const struct monitor *monitor, char why[WHY_MAX])
{
	snprintf(why, WHY_MAX,
		 monitor->files != NULL ? "key and stream are not yet open"
					: "policy, keys and streams are not yet open");
	return monitor->started;
}

static bool is_not_draining(const struct monitor *monitor, char why[WHY_MAX])
{
	snprintf(why, WHY_MAX, "a stop was asked for");
	return stop_requested() == 0;
}

static bool services_answer(const struct monitor *monitor, char why[WHY_MAX])
{
	struct source *source = monitor->source;

	if (!monitor->waiting && source != NULL && source->ops->away != NULL && source->ops->away(source)) {
		snprintf(why, WHY_MAX, "no broker answers");
		return false;
	}
	if (!monitor->waiting)
		return true;
	snprintf(why, WHY_MAX, "waiting for %llu s: %s",
		 (unsigned long long)(clock_mono_ms() - monitor->waiting_ms) / 1000, seal_code_name(monitor->why));
	return false;
}

static bool keys_last(const struct monitor *monitor, char why[WHY_MAX])
{
	const char *spent = monitor_keys_spent(monitor);

	if (spent != NULL)
		snprintf(why, WHY_MAX, "key '%.100s' has no uses left; rotate it", spent);
	else if (monitor_keys_late(monitor))
		snprintf(why, WHY_MAX, "a data key's age ends soon, and the key server makes no new one");
	return spent == NULL && !monitor_keys_late(monitor);
}

static const struct check live[] = {{"moving", moves}, {NULL, NULL}};
static const struct check started[] = {{"started", has_started}, {NULL, NULL}};
static const struct check ready[] = {
	{"started", has_started},      {"moving", moves},   {"not draining", is_not_draining},
	{"services", services_answer}, {"keys", keys_last}, {NULL, NULL}};

static bool all_good(const struct monitor *monitor, const struct check *checks)
{
	char why[WHY_MAX];

	for (; checks->name != NULL; checks++)
		if (!checks->good(monitor, why))
			return false;
	return true;
}

bool monitor_is_ready(struct monitor *monitor)
{
	return all_good(monitor, ready);
}

static enum seal_status tell_checks(const struct monitor *monitor, const struct check *checks, struct seal_buf *out,
				    struct seal_err *err)
{
	char why[WHY_MAX];
	enum seal_status rc = SEAL_OK;

	for (; checks->name != NULL && rc == SEAL_OK; checks++) {
		const bool good = checks->good(monitor, why);

		rc = buf_printf(out, err, good ? "[+]%s ok\n" : "[-]%s failed: %s\n", checks->name, why);
	}
	return rc;
}

static enum seal_status tell(struct monitor *monitor, const struct check *checks, bool verbose,
			     struct listen_answer *answer, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	bool good;

	pthread_mutex_lock(&monitor->lock);
	good = all_good(monitor, checks);
	if (verbose || !good)
		rc = tell_checks(monitor, checks, &answer->body, err);
	pthread_mutex_unlock(&monitor->lock);
	answer->status = good ? 200 : 503;
	return rc == SEAL_OK && good ? buf_append_str(&answer->body, "ok\n", err) : rc;
}

static enum seal_status livez(void *arg, bool verbose, struct listen_answer *answer, struct seal_err *err)
{
	return tell(arg, live, verbose, answer, err);
}

static enum seal_status readyz(void *arg, bool verbose, struct listen_answer *answer, struct seal_err *err)
{
	return tell(arg, ready, verbose, answer, err);
}

static enum seal_status startupz(void *arg, bool verbose, struct listen_answer *answer, struct seal_err *err)
{
	return tell(arg, started, verbose, answer, err);
}

static enum seal_status metrics(void *arg, bool verbose, struct listen_answer *answer, struct seal_err *err)
{
	struct monitor *monitor = arg;

	answer->type = "text/plain; version=0.0.4; charset=utf-8";
	return metrics_write(monitor->metrics, &answer->body, err);
}

const struct listen_page monitor_pages[] = {
	{"/livez", livez}, {"/readyz", readyz}, {"/startupz", startupz}, {"/metrics", metrics}, {NULL, NULL}};

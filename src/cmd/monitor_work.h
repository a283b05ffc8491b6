/* What a monitor is made of; only its own files look inside. */
#ifndef CMD_MONITOR_WORK_H
#define CMD_MONITOR_WORK_H

#include <pthread.h>

#include "cmd/monitor.h"
#include "listen/listen.h"

/* What a method of a plan that is no longer used had done; by name and kind, which are copies. */
struct past_use {
	struct past_use *next;
	const char *name, *kind;
	struct plan_use use;
};

struct monitor {
	struct metrics *metrics;
	struct metrics_collector process, run;
	struct listener *listener;
	const char *command;
	const char *files; /* what becomes of them in a transfer; NULL: a pump */
	struct key_metrics keys;
	atomic_uint keys_late; /* as data_keys_late of them */

	pthread_mutex_t lock; /* guards all below */
	struct arena arena; /* of `past` */
	const struct plan *plan; /* NULL: none yet, or --plain */
	struct past_use *past;
	bool started;
	struct source *source; /* NULL: not started, or files are sent */
	struct key *key; /* of a transfer; NULL: not started, or none */
	const char *key_name;
	struct seal_bytes topic;
	enum engine_direction direction;
	bool plain;
	struct pump_counts counts;
	struct file_numbers file_counts;
	uint64_t alive_ms; /* when the run was last seen to get on */
	bool waiting;
	enum seal_code why; /* … for */
	uint64_t waiting_ms; /* since when */
	uint64_t waits, reloads, reloads_refused;
};

void monitor_add_use(struct plan_use *to, const struct plan_use *more);

/* monitor_health.c: the pages. */
extern const struct listen_page monitor_pages[];
bool monitor_is_ready(struct monitor *monitor); /* under `lock` */

/* monitor_keys.c */
SEAL_MUST_USE enum seal_status monitor_keys_open(struct monitor *monitor, struct seal_err *err);
/* Both under `lock`. */
void monitor_keys_tell(const struct monitor *monitor, struct metrics_page *page);
bool monitor_keys_late(const struct monitor *monitor); /* a data key's age ends soon, and there is no next one */
const char *monitor_keys_spent(const struct monitor *monitor); /* a key that may not encrypt any more, or NULL */

/* monitor_numbers.c: a collector. */
void monitor_collect(void *monitor, struct metrics_page *page);

#endif

/*
 * SIGHUP: the policy is loaded anew while the run goes on under the one it has, and takes its place as a whole, or not at all.
 *
 *   IDLE ──SIGHUP──▶ LOADING (a thread: file, keys, stores) ─┬─ good ──▶ OFFERED to the pump ─┬─ tried ──▶ IDLE, the old one freed
 *                                                            └─ bad: told, IDLE               └─ refused: told, IDLE
 */
#ifndef CMD_POLICY_RELOAD_H
#define CMD_POLICY_RELOAD_H

#include <pthread.h>
#include <stdatomic.h>

#include "cmd/monitor.h"
#include "cmd/policy_use.h"

enum reload_state { RELOAD_IDLE, RELOAD_LOADING, RELOAD_OFFERED };

struct policy_reload {
	/* As policy_use_open_any takes them; they live as long as this. */
	const char *file;
	const char *const *topics;
	enum engine_direction direction;
	const struct global_options *global;
	struct monitor *monitor; /* may be NULL */
	struct policy_use *now; /* the caller's, open; replaced */

	/* Zeroed by the caller. */
	enum reload_state state;
	struct policy_use next;
	atomic_bool loaded; /* the thread is done with `next`, `rc` and `why` */
	enum seal_status rc;
	struct seal_err why;
	pthread_t thread;
};

/* The pump's `reload` and `reloaded`: looks for a SIGHUP; never blocks. */
bool policy_reload_poll(struct policy_reload *reload, const struct plan **plan, const struct policy_topic **topic);
void policy_reload_done(struct policy_reload *reload, const struct seal_err *why);
/* The run is over: waits for a load that is under way, frees what was not used. */
void policy_reload_end(struct policy_reload *reload);

#endif

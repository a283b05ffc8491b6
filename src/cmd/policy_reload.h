/*
 * SIGHUP: the policy is loaded anew while the run goes on under the one it has, and takes its place as a whole, or not at all.
 *
 *   IDLE ──SIGHUP──▶ LOADING (a thread: file, keys, stores) ─┬─ good ──▶ OFFERED to the pump ─┬─ tried ───▶ CLOSING the old one ──▶ IDLE
 *                                                            └─ bad: told, IDLE               └─ refused: told, CLOSING the new one
 *
 * CLOSING is a thread, too: keys and audit trail may be slow, or away, and the run goes on meanwhile. A reload that came to nothing
 * is a line of the audit trail, written by either thread.
 */
#ifndef CMD_POLICY_RELOAD_H
#define CMD_POLICY_RELOAD_H

#include <pthread.h>
#include <stdatomic.h>

#include "cmd/monitor.h"
#include "cmd/policy_use.h"

enum reload_state { RELOAD_IDLE, RELOAD_LOADING, RELOAD_OFFERED, RELOAD_CLOSING };

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
	bool replaced; /* `now` is not what it was at the start */
	struct policy_use next, old; /* loaded; to be closed */
	atomic_bool ended; /* the thread is done with `next`, `old`, `rc` and `why` */
	enum seal_status rc;
	struct seal_err why;
	pthread_t thread;
};

/* The pump's `reload` and `reloaded`: looks for a SIGHUP; never blocks. */
bool policy_reload_poll(struct policy_reload *reload, const struct plan **plan, const struct policy_topic **topic);
void policy_reload_done(struct policy_reload *reload, const struct seal_err *why);
/* The run is over: waits for the thread that is under way, frees what was not used. */
void policy_reload_end(struct policy_reload *reload);

#endif

/*
 * A process that has started gives up what it no longer needs, so that whoever takes it over through a bug gains little.
 *
 *   sandbox_drop    first, while there is one thread: no new privileges, no capabilities, no core files, no tracers
 *   … keys, policy, connections, listeners are opened, threads start …
 *   sandbox_enter   then: a filter of system calls for all threads, there to stay
 *
 * After that the process reads and writes files, talks over sockets and starts threads. It starts no program, has no child, makes no
 * memory that is both written and executed, listens on nothing new, and changes no right, no limit, no mount, no other process.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include "base/err.h"

/*
 * Root without capabilities opens only what root owns or all may open. SEAL_FATAL when the system refuses: then some of it may
 * be in force.
 */
SEAL_MUST_USE enum seal_status sandbox_drop(struct seal_err *err);
/* For all threads, those to come too. SEAL_FATAL where the kernel has no filters or refuses one: then nothing has changed. */
SEAL_MUST_USE enum seal_status sandbox_enter(struct seal_err *err);

#endif

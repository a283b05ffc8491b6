/*
 * The audit trail for commands. A command that opens keys takes --audit; its run is then framed by `start` and `stop`, and what it
 * does under keys is written between them. Everything here does nothing where there is no trail (NULL).
 *
 * A trail that cannot be written asks for a stop, as SIGTERM would, and the run ends with the trail's error.
 */
#ifndef CMD_AUDIT_USE_H
#define CMD_AUDIT_USE_H

#include "cmd/command.h"

struct plan;
struct policy;

/* A program's run_with_keys: opens the trail if there is to be one, runs the command, and closes it. */
SEAL_MUST_USE enum seal_status audit_use_run(struct command_call *call, struct global_options *global,
					     const char *path, int *exit_code, struct seal_err *err);

/* What is read and written from now on: topics or files; NULL: nothing. Before the policy is opened. */
void audit_use_streams(const struct global_options *global, const char *from, const char *to);

/* A key was opened by its name. */
SEAL_MUST_USE enum seal_status audit_use_key(const struct global_options *global, const char *scheme,
					     struct seal_bytes reference, struct seal_err *err);

/* A policy was loaded: told now, before its keys are opened. *out is NULL without a trail. */
struct audit_policy;

SEAL_MUST_USE enum seal_status audit_policy_open(const struct global_options *global, const char *file,
						 const struct policy *policy, struct audit_policy **out,
						 struct seal_err *err);
/* Its keys are open: what is done under them is told until it is closed. Accepts NULL. */
void audit_policy_watch(struct audit_policy *use, const struct plan *plan);
/* A policy was to be read anew, and the one before stays in use: told by the error's code. A line that fails is the trail's failure. */
void audit_reload_failed(const struct global_options *global, const char *file, const struct seal_err *why);
void audit_policy_close(struct audit_policy *use); /* accepts NULL; the plan must still be there */

/* A key is used on whole files: how many were begun, and how many are done. */
struct audit_files;

SEAL_MUST_USE enum seal_status audit_files_open(const struct global_options *global, const char *key, bool reveal,
						struct audit_files **out, struct seal_err *err);
/* Thread-safe, accept NULL. */
void audit_files_begun(struct audit_files *use);
void audit_files_done(struct audit_files *use, uint64_t bytes);
void audit_files_close(struct audit_files *use); /* accepts NULL */

#endif

/* The audit trail of the command that runs; shared by audit_use.c and audit_meter.c alone. */
#ifndef CMD_AUDIT_RUN_H
#define CMD_AUDIT_RUN_H

#include "audit/audit.h"
#include "cmd/audit_use.h"

#define AUDIT_MEMBERS_MAX (AUDIT_LINE_MAX / 2)

struct audit_run {
	struct audit *audit;
	const char *from, *to; /* in the call's arena, or static; NULL: nothing */
	unsigned policies; /* told so far */
};

/* Members of a line. */
SEAL_MUST_USE enum seal_status audit_put_streams(const struct audit_run *run, struct seal_buf *members,
						 struct seal_err *err);
SEAL_MUST_USE enum seal_status audit_put_key(struct seal_buf *members, const char *scheme,
					     struct seal_bytes reference, struct seal_err *err);

#endif

/* What the files of `doctor --vault` share. */
#ifndef CMD_DOCTOR_VAULT_H
#define CMD_DOCTOR_VAULT_H

#include "cmd/doctor.h"
#include "keys/key.h"
#include "policy/policy.h"
#include "vault/probe.h"

/* A visit to the server. Its token is good. */
struct vault_visit {
	struct doctor_report *report;
	struct arena *arena; /* of the call */
	const struct policy *policy;
	struct vault_probe *probe; /* for questions of our own */
	struct key_source *source; /* for keys, as every command opens them */
	uint64_t deadline_ms;
};

/* One line of the report; a text that is too long is cut. */
void visit_tell(struct vault_visit *visit, enum doctor_status status, const char *subject, const char *what,
		const char *hint, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* One thing that a method needs; a line with `otherwise` when the token may not. */
enum vault_right visit_needs(struct vault_visit *visit, const char *subject, const char *path, const char *capability,
			     const char *to, enum doctor_status otherwise);

/* What a key is used for. */
enum visit_use {
	VISIT_VALUES = 1 << 0, /* it encrypts values */
	VISIT_DATA_KEYS = 1 << 1, /* it wraps data keys: of envelope, of files */
	VISIT_PEOPLE = 1 << 2, /* … a key for each person, so that writers open data keys, too */
	VISIT_HMAC = 1 << 3,
	VISIT_ROLE = 1 << 4 /* of Transform: visit_role */
};

/* A Transit key, by its checked reference, "transit/pii", with all that it is used for. */
void visit_key(struct vault_visit *visit, struct seal_bytes reference, unsigned uses);
/* A Transform role, with each method that uses it. */
void visit_role(struct vault_visit *visit, const struct policy_key *key);

#endif

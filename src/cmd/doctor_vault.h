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

/* A Transit key, with what the policy does with it: METHOD_ENCRYPT_KEY, METHOD_HMAC_KEY. */
void visit_key(struct vault_visit *visit, const struct policy_key *key, unsigned flags);
/* A Transform role, with each method that uses it. */
void visit_role(struct vault_visit *visit, const struct policy_key *key);

#endif

/*
 * What `doctor` asks of a server, for its eyes: address, health, token, rights. Nothing secret comes back: neither a token
 * nor its accessor.
 */
#ifndef VAULT_PROBE_H
#define VAULT_PROBE_H

#include "vault/options.h"

struct vault_probe;

/* `options` outlive it. Nothing is asked yet. */
SEAL_MUST_USE enum seal_status vault_probe_new(const struct vault_options *options, struct vault_probe **out,
					       struct seal_err *err);
void vault_probe_free(struct vault_probe *probe);

/* How the server is reached; strings in the arena or the options' own, NULL: none. */
struct vault_address {
	const char *base; /* "https://vault:8200" */
	const char *unix_socket, *authorities, *proxy; /* authorities NULL: the system's */
	bool tls, checked, client_certificate;
};

SEAL_MUST_USE enum seal_status vault_probe_address(const struct vault_options *options, struct arena *arena,
						   struct vault_address *out, struct seal_err *err);

struct vault_health {
	unsigned status; /* of the answer */
	bool known; /* it is Vault's; else only `status` counts */
	bool initialized, sealed, standby, performance_standby;
	char version[64];
};

SEAL_MUST_USE enum seal_status vault_probe_health(struct vault_probe *probe, uint64_t deadline_ms,
						  struct vault_health *out, struct seal_err *err);

struct vault_token_facts {
	const char *policies; /* "default, pii"; in the arena */
	int64_t ttl_s; /* 0: does not end */
	bool renewable;
};

/* Logs in when there is no token yet. */
SEAL_MUST_USE enum seal_status vault_probe_token(struct vault_probe *probe, struct arena *arena, uint64_t deadline_ms,
						 struct vault_token_facts *out, struct seal_err *err);

enum vault_right { VAULT_RIGHT_UNKNOWN, VAULT_RIGHT_NONE, VAULT_RIGHT_YES };

/*
 * May the token do `capability` on `path`? *creates (may be NULL): a policy lets it create there, too. Unknown: the server does not tell
 * this token.
 */
enum vault_right vault_probe_right(struct vault_probe *probe, const char *path, const char *capability,
				   uint64_t deadline_ms, bool *creates);

/* GET path, and the texts of the list `member` of its data, joined: "a, b"; "" when there is none. In the arena. */
SEAL_MUST_USE enum seal_status vault_probe_list(struct vault_probe *probe, const char *path, const char *member,
						struct arena *arena, uint64_t deadline_ms, const char **out,
						struct seal_err *err);

#endif

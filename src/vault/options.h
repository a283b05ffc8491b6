/*
 * What is known about a Vault or OpenBao server: option rows for the program, the same from the environment for the
 * library. Names and meaning are those of the vault program; BAO_X counts where VAULT_X is not set.
 */
#ifndef VAULT_OPTIONS_H
#define VAULT_OPTIONS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"
#include "http/http.h"

/* Texts as given; NULL: not given. vault_settings_read checks them. */
struct vault_options {
	const char *addr; /* --vault-addr, VAULT_ADDR; VAULT_AGENT_ADDR wins over the environment's */
	bool agent; /* VAULT_AGENT_ADDR: an Agent may add a token of its own, so none is fine */
	const char *namespace_; /* VAULT_NAMESPACE */
	const char *ca_file, *ca_path; /* VAULT_CACERT, VAULT_CAPATH */
	const char *ca_pem; /* VAULT_CACERT_BYTES, from the environment alone; counts after ca_file, before ca_path */
	const char *client_cert, *client_key; /* VAULT_CLIENT_CERT, VAULT_CLIENT_KEY */
	const char *server_name; /* VAULT_TLS_SERVER_NAME */
	bool no_redirects; /* VAULT_DISABLE_REDIRECTS, from the environment alone */
	const char *proxy; /* VAULT_PROXY_ADDR, VAULT_HTTP_PROXY */
	const char *skip_verify; /* VAULT_SKIP_VERIFY: 1, t, true, 0, f, false … */
	const char
		*timeout; /* --vault-timeout, VAULT_CLIENT_TIMEOUT: seconds, or a duration; one try of one request */
	const char *retries; /* VAULT_MAX_RETRIES */
	const char *rate; /* VAULT_RATE_LIMIT: requests a second, RATE[:BURST] */
	int64_t connections; /* --vault-connections: at once and worker */
	int64_t batch; /* --vault-batch: items a request at most */
	/* Login; see vault/login.h. Secrets come from files or the environment, never from a command line. */
	const char *auth; /* --vault-auth token|approle|kubernetes|jwt|oidc|cert|userpass|ldap|aws */
	const char *auth_mount; /* --vault-auth-mount; default: the method's name */
	const char *role; /* --vault-role: role's name; AppRole: its role id */
	const char *user; /* --vault-user: userpass, ldap */
	const char *secret_file; /* --vault-secret-file: secret id, password or JWT */
	const char *token_file; /* --vault-token-file; default ~/.vault-token */
	bool secret_wrapped; /* --vault-secret-wrapped: the file holds a wrapping token for the secret id */
	const char *aws_server_id; /* --vault-aws-server-id: X-Vault-AWS-IAM-Server-ID */
	const char *aws_region; /* --vault-aws-region: of the STS endpoint */
};

/* Offsets into struct vault_options. */
extern const struct opt_row vault_rows[];

/* Variables that no row sets, for manuals; VAULT_X stands for BAO_X, too. Ended by one without name. */
struct vault_variable {
	const char *name, *help;
};

extern const struct vault_variable vault_variables[];

/*
 * Fills what is still unset from the environment, then from the rows' defaults (for the program the rows have done most
 * of it). A variable that is set to nothing counts as unset. SEAL_USAGE/SEAL_E_CONFIG for a text that cannot be, with
 * the variable as place.
 */
SEAL_MUST_USE enum seal_status vault_options_env(struct vault_options *options, struct arena *arena,
						 struct seal_err *err);

/*
 * Reads the texts strictly into what the HTTP client needs; strings are in `arena` or the options' own. Nothing given
 * means what it means to the vault program: https://127.0.0.1:8200, 60 s, 2 retries. SEAL_USAGE/SEAL_E_CONFIG names the
 * option and its variable. Warns on stderr, each time: certificates are not checked; tokens and plaintext go over the
 * network in clear. user_agent, connections and the breaker stay the caller's.
 */
SEAL_MUST_USE enum seal_status vault_settings_read(const struct vault_options *options, struct arena *arena,
						   struct http_config *out, struct seal_err *err);

/* A variable of the environment, VAULT_`name` before BAO_`name`; NULL when unset or empty. */
const char *vault_env(const char *name);

/* As Go's strconv.ParseBool: 1, t, true, 0, F, False …; false when it is none of them. */
bool vault_read_bool(const char *text, bool *out);

/* Is a server without any token of ours possible: does an Agent listen there? */
bool vault_address_is_agent(const struct vault_options *options);

#endif

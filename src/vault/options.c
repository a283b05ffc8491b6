/*
 * The option rows of Vault and OpenBao, and the same from the environment. The rows' variables are those of the vault
 * program where it has one, SEALSTREAM_VAULT_* where it has none. Texts are kept as they are; settings.c checks them.
 */
#include "vault/options.h"

#include <stddef.h>

#define AT(member) .offset = offsetof(struct vault_options, member)
#define PREFIX "VAULT_"

const struct opt_row vault_rows[] = {
	{.name = "vault-addr",
	 .help = "Vault or OpenBao server: https://HOST:PORT, or unix:///PATH of an Agent's socket; VAULT_AGENT_ADDR "
		 "counts "
		 "before VAULT_ADDR; default: https://127.0.0.1:8200",
	 .arg = "URL",
	 .env = "VAULT_ADDR",
	 .type = OPT_STRING,
	 AT(addr)},
	{.name = "vault-namespace",
	 .help = "namespace that mounts and logins are looked up in",
	 .arg = "NAMESPACE",
	 .env = "VAULT_NAMESPACE",
	 .type = OPT_STRING,
	 AT(namespace_)},
	{.name = "vault-ca-cert",
	 .help = "file of PEM certificates that may sign the server's; default: VAULT_CACERT_BYTES (the PEM text "
		 "itself), then --vault-ca-path, then the system's",
	 .arg = "FILE",
	 .env = "VAULT_CACERT",
	 .type = OPT_STRING,
	 AT(ca_file)},
	{.name = "vault-ca-path",
	 .help = "directory of such files",
	 .arg = "DIR",
	 .env = "VAULT_CAPATH",
	 .type = OPT_STRING,
	 AT(ca_path)},
	{.name = "vault-client-cert",
	 .help = "PEM file of this side's TLS certificate; needs --vault-client-key",
	 .arg = "FILE",
	 .env = "VAULT_CLIENT_CERT",
	 .type = OPT_STRING,
	 AT(client_cert)},
	{.name = "vault-client-key",
	 .help = "PEM file of its private key",
	 .arg = "FILE",
	 .env = "VAULT_CLIENT_KEY",
	 .type = OPT_STRING,
	 AT(client_key)},
	{.name = "vault-tls-server-name",
	 .help = "name that the server's certificate must have; default: the address's host",
	 .arg = "NAME",
	 .env = "VAULT_TLS_SERVER_NAME",
	 .type = OPT_STRING,
	 AT(server_name)},
	{.name = "vault-tls-skip-verify",
	 .help = "true: accept any certificate, so that anybody on the way can read tokens and plaintext; for "
		 "experiments only, and warned of at each start",
	 .arg = "BOOL",
	 .env = "VAULT_SKIP_VERIFY",
	 .type = OPT_STRING,
	 AT(skip_verify)},
	{.name = "vault-proxy",
	 .help = "proxy for all requests (VAULT_HTTP_PROXY too); default: https_proxy, http_proxy and no_proxy, "
		 "but never for this machine itself",
	 .arg = "URL",
	 .env = "VAULT_PROXY_ADDR",
	 .type = OPT_STRING,
	 AT(proxy)},
	{.name = "vault-timeout",
	 .help = "how long one try of one request may take: seconds, or a duration such as 1m30s; default: 60",
	 .arg = "TIME",
	 .env = "VAULT_CLIENT_TIMEOUT",
	 .type = OPT_STRING,
	 AT(timeout)},
	{.name = "vault-retries",
	 .help = "tries after the first one, when a request can't reach the server or this is busy; default: 2",
	 .arg = "N",
	 .env = "VAULT_MAX_RETRIES",
	 .type = OPT_STRING,
	 AT(retries)},
	{.name = "vault-rate-limit",
	 .help = "requests a second of all workers together at most; a burst is accepted and ignored: requests are "
		 "spread evenly",
	 .arg = "RATE[:BURST]",
	 .env = "VAULT_RATE_LIMIT",
	 .type = OPT_STRING,
	 AT(rate)},
	{.name = "vault-connections",
	 .help = "connections at once, for each worker; more help a server with many cores",
	 .arg = "N",
	 .def = "2",
	 .env = "SEALSTREAM_VAULT_CONNECTIONS",
	 .min = 1,
	 .max = 64,
	 .type = OPT_INT,
	 AT(connections)},
	{.name = "vault-batch",
	 .help = "values in one request at most; a server that takes fewer is noticed",
	 .arg = "N",
	 .def = "1920",
	 .env = "SEALSTREAM_VAULT_BATCH",
	 .min = 1,
	 .max = 10000,
	 .type = OPT_INT,
	 AT(batch)},
	{.name = "vault-auth",
	 .help = "how to log in: token, approle, kubernetes, jwt, oidc, cert, userpass, ldap or aws; default: token",
	 .arg = "METHOD",
	 .env = "SEALSTREAM_VAULT_AUTH",
	 .type = OPT_STRING,
	 AT(auth)},
	{.name = "vault-auth-mount",
	 .help = "where that is mounted, without auth/ in front; default: the method's name",
	 .arg = "PATH",
	 .env = "SEALSTREAM_VAULT_AUTH_MOUNT",
	 .type = OPT_STRING,
	 AT(auth_mount)},
	{.name = "vault-role",
	 .help = "role to log in as; for approle the role's id",
	 .arg = "ROLE",
	 .env = "SEALSTREAM_VAULT_ROLE",
	 .type = OPT_STRING,
	 AT(role)},
	{.name = "vault-user",
	 .help = "user name for userpass and ldap",
	 .arg = "NAME",
	 .env = "SEALSTREAM_VAULT_USER",
	 .type = OPT_STRING,
	 AT(user)},
	{.name = "vault-secret-file",
	 .help = "file with the secret id (approle), password (userpass, ldap) or JWT (jwt, kubernetes), read again "
		 "at each "
		 "login; else SEALSTREAM_VAULT_SECRET_ID, _PASSWORD or _JWT from the environment",
	 .arg = "FILE",
	 .env = "SEALSTREAM_VAULT_SECRET_FILE",
	 .type = OPT_STRING,
	 AT(secret_file)},
	{.name = "vault-secret-wrapped",
	 .help = "the secret id is a wrapping token that is to be unwrapped first (approle)",
	 .env = "SEALSTREAM_VAULT_SECRET_WRAPPED",
	 .type = OPT_FLAG,
	 AT(secret_wrapped)},
	{.name = "vault-token-file",
	 .help = "file with a token, such as an Agent's sink; read again when it has changed; default: VAULT_TOKEN, "
		 "else the token helper, else ~/.vault-token",
	 .arg = "FILE",
	 .env = "SEALSTREAM_VAULT_TOKEN_FILE",
	 .type = OPT_STRING,
	 AT(token_file)},
	{.name = "vault-aws-server-id",
	 .help = "value of X-Vault-AWS-IAM-Server-ID that the server asks for (aws)",
	 .arg = "ID",
	 .env = "SEALSTREAM_VAULT_AWS_SERVER_ID",
	 .type = OPT_STRING,
	 AT(aws_server_id)},
	{.name = "vault-aws-region",
	 .help = "region of the STS endpoint that the login is signed for (aws); default: the global one",
	 .arg = "REGION",
	 .env = "SEALSTREAM_VAULT_AWS_REGION",
	 .type = OPT_STRING,
	 AT(aws_region)},
	OPT_END};

static const char *set_variable(const char *name)
{
	const char *text = getenv(name);

	return text != NULL && text[0] != '\0' ? text : NULL;
}

const char *vault_env(const char *name)
{
	static const char *const prefixes[] = {PREFIX, "BAO_"};
	const char *text = NULL;
	char full[64];

	for (size_t i = 0; text == NULL && i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		snprintf(full, sizeof(full), "%s%s", prefixes[i], name);
		text = set_variable(full);
	}
	return text;
}

bool vault_read_bool(const char *text, bool *out)
{
	static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
	static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
			*out = strcmp(text, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

/* What the environment says for a row, BAO_X where VAULT_X says nothing. */
static const char *row_variable(const struct opt_row *row)
{
	if (strncmp(row->env, PREFIX, strlen(PREFIX)) == 0)
		return vault_env(row->env + strlen(PREFIX));
	return set_variable(row->env);
}

static bool is_unset(const struct opt_row *row, const struct vault_options *options)
{
	const uint8_t *member = (const uint8_t *)options + row->offset;

	if (row->type == OPT_STRING)
		return *(const char *const *)(const void *)member == NULL;
	if (row->type == OPT_FLAG)
		return !*(const bool *)(const void *)member;
	return *(const int64_t *)(const void *)member == 0;
}

/* An option given as nothing (--vault-role "") is one that is not given. */
static void forget_empty(const struct opt_row *row, struct vault_options *options)
{
	const char **member = (const char **)(void *)((uint8_t *)options + row->offset);

	if (row->type == OPT_STRING && *member != NULL && (*member)[0] == '\0')
		*member = NULL;
}

/* A flag's variable may say 1 and 0, too, as for the program. */
static struct seal_bytes flag_text(const struct opt_row *row, const char *text)
{
	if (row->type == OPT_FLAG && (strcmp(text, "1") == 0 || strcmp(text, "0") == 0))
		return text[0] == '1' ? BYTES_LIT("true") : BYTES_LIT("false");
	return bytes_str(text);
}

static enum seal_status fill_row(const struct opt_row *row, struct vault_options *options, struct arena *arena,
				 struct seal_err *err)
{
	const char *text = row_variable(row);
	enum seal_status rc = SEAL_OK;

	if (text != NULL && is_unset(row, options)) {
		rc = opt_set(row, options, flag_text(row, text), arena, err);
		if (rc != SEAL_OK)
			err_place(err, "%s", row->env);
	}
	if (rc == SEAL_OK && row->def != NULL && is_unset(row, options))
		rc = opt_set(row, options, bytes_str(row->def), arena, err);
	return rc;
}

static enum seal_status copy_text(const char *text, const char **member, struct arena *arena, struct seal_err *err)
{
	if (*member != NULL || text == NULL)
		return SEAL_OK;
	*member = arena_strndup(arena, text, strlen(text));
	return *member != NULL ? SEAL_OK : err_memory(err);
}

/*
 * An Agent's address counts before VAULT_ADDR, but not before an option. By now the rows may have put VAULT_ADDR into the
 * member, so that a text equal to it counts as the environment's.
 */
static enum seal_status agent_address(struct vault_options *options, struct arena *arena, struct seal_err *err)
{
	const char *agent = vault_env("AGENT_ADDR"), *plain = vault_env("ADDR");

	if (agent == NULL || (options->addr != NULL && (plain == NULL || strcmp(plain, options->addr) != 0)))
		return SEAL_OK;
	options->agent = true;
	options->addr = NULL;
	return copy_text(agent, &options->addr, arena, err);
}

/* What no row has: a variable that is true or false. */
static enum seal_status bool_variable(const char *name, bool *out, struct seal_err *err)
{
	const char *text = vault_env(name);

	if (text == NULL || vault_read_bool(text, out))
		return SEAL_OK;
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, PREFIX "%s must be true or false", name);
}

static enum seal_status bool_variables(struct vault_options *options, struct seal_err *err)
{
	bool lookup = false;
	enum seal_status rc;

	SEAL_TRY(bool_variable("DISABLE_REDIRECTS", &options->no_redirects, err));
	SEAL_TRY(bool_variable("SRV_LOOKUP", &lookup, err));
	if (lookup)
		rc = err_set(
			err, SEAL_USAGE, SEAL_E_CONFIG,
			"VAULT_SRV_LOOKUP is not supported; name the server itself, with its port, in VAULT_ADDR");
out:
	return rc;
}

enum seal_status vault_options_env(struct vault_options *options, struct arena *arena, struct seal_err *err)
{
	enum seal_status rc;

	for (const struct opt_row *row = vault_rows; row->name != NULL; row++)
		forget_empty(row, options);
	SEAL_TRY(agent_address(options, arena, err));
	for (const struct opt_row *row = vault_rows; row->name != NULL; row++)
		SEAL_TRY(fill_row(row, options, arena, err));
	SEAL_TRY(copy_text(vault_env("HTTP_PROXY"), &options->proxy, arena, err));
	SEAL_TRY(copy_text(vault_env("CACERT_BYTES"), &options->ca_pem, arena, err));
	SEAL_TRY(bool_variables(options, err));
out:
	return rc;
}

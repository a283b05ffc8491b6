/* Logging in with the client certificate of the TLS connection. */
#include <strings.h>

#include "vault/login/method.h"

static enum seal_status check(const struct vault_options *options, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(login_need(options->client_cert, "vault-client-cert", "cert", err));
	SEAL_TRY(login_need(options->client_key, "vault-client-key", "cert", err));
	if (options->addr != NULL && strncasecmp(options->addr, "https://", 8) != 0)
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			     "logging in with cert needs TLS, but --vault-addr is not https://");
out:
	return rc;
}

static enum seal_status login_once(const struct vault_login *login, struct vault_auth *out, struct seal_err *err)
{
	json_t *body = NULL;
	enum seal_status rc;

	SEAL_TRY(login_body(&body, err));
	SEAL_TRY(login_add(body, "name", login->options->role, err));
	SEAL_TRY(login_post(login, "cert", "login", NULL, body, out, err));
out:
	vault_json_free(body);
	return rc;
}

const struct vault_login_ops vault_login_cert = {
	.name = "cert",
	.remedy = "check that a role of the mount (--vault-role, if one is named) trusts --vault-client-cert's CA "
		  "and names",
	.check = check,
	.login = login_once,
	.again = true,
};

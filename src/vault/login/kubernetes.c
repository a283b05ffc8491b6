/* Logging in as a pod's service account. */
#include "vault/login/method.h"

#define SERVICE_ACCOUNT_TOKEN "/var/run/secrets/kubernetes.io/serviceaccount/token"

static enum seal_status check(const struct vault_options *options, struct seal_err *err)
{
	return login_need(options->role, "vault-role", "kubernetes", err);
}

/* The kubelet replaces the token in its file before it ends, so that it is read at each login. */
static enum seal_status login_once(const struct vault_login *login, struct vault_auth *out, struct seal_err *err)
{
	const char *path = login->options->secret_file;
	struct secret jwt = SECRET_INIT;
	enum seal_status rc;

	rc = login_secret_file(path != NULL ? path : SERVICE_ACCOUNT_TOKEN, SECRET_SPACE, path == NULL, &jwt, err);
	if (rc != SEAL_OK && path == NULL)
		err_prefix(err, "no service account token; outside a pod name one with --vault-secret-file");
	if (rc == SEAL_OK)
		rc = login_post_jwt(login, "kubernetes", &jwt, out, err);
	secret_clear(&jwt);
	return rc;
}

const struct vault_login_ops vault_login_kubernetes = {
	.name = "kubernetes",
	.remedy = "check --vault-role, and that this service account and namespace are bound to it",
	.check = check,
	.login = login_once,
	.again = true,
};

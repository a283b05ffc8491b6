/* Logging in with a JWT that somebody else issued: a CI system, a cloud, an identity provider. */
#include "vault/login/method.h"

#define VARIABLE "SEALSTREAM_VAULT_JWT"

static enum seal_status check(const struct vault_options *options, struct seal_err *err)
{
	const char *text = getenv(VARIABLE);

	if (options->secret_file != NULL || (text != NULL && text[0] != '\0'))
		return SEAL_OK;
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
		       "logging in with jwt needs a JWT: --vault-secret-file, or " VARIABLE " in the environment");
}

static enum seal_status login_once(const struct vault_login *login, struct vault_auth *out, struct seal_err *err)
{
	struct secret jwt = SECRET_INIT;
	enum seal_status rc;

	SEAL_TRY(check(login->options, err));
	SEAL_TRY(login_secret(login->options, VARIABLE, SECRET_SPACE, &jwt, err));
	SEAL_TRY(login_post_jwt(login, "jwt", &jwt, out, err));
out:
	secret_clear(&jwt);
	return rc;
}

const struct vault_login_ops vault_login_jwt = {
	.name = "jwt",
	.remedy = "check --vault-role, and that the JWT is fresh and has the audience and claims that the role wants",
	.check = check,
	.login = login_once,
	.again = true,
};

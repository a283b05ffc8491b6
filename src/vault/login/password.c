/* Logging in with a user's name and password: userpass and ldap, which differ in their mount alone. */
#include "vault/login/method.h"

#define VARIABLE "SEALSTREAM_VAULT_PASSWORD"
#define REMEDY "check --vault-user and the password of --vault-secret-file"

static enum seal_status check(const struct vault_options *options, const char *method, struct seal_err *err)
{
	const char *text = getenv(VARIABLE);
	enum seal_status rc = login_need(options->user, "vault-user", method, err);

	if (rc != SEAL_OK || options->secret_file != NULL || (text != NULL && text[0] != '\0'))
		return rc;
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
		       "logging in with %s needs a password: --vault-secret-file, or " VARIABLE " in the environment",
		       method);
}

static enum seal_status login_once(const struct vault_login *login, const char *method, struct vault_auth *out,
				   struct seal_err *err)
{
	struct secret password = SECRET_INIT;
	json_t *body = NULL;
	enum seal_status rc;

	SEAL_TRY(check(login->options, method, err));
	SEAL_TRY(login_secret(login->options, VARIABLE, SECRET_LINE_END, &password, err));
	SEAL_TRY(login_body(&body, err));
	SEAL_TRY(login_add(body, "password", (const char *)password.ptr, err));
	SEAL_TRY(login_post(login, method, "login", login->options->user, body, out, err));
out:
	vault_json_free(body);
	secret_clear(&password);
	return rc;
}

static enum seal_status userpass_check(const struct vault_options *options, struct seal_err *err)
{
	return check(options, "userpass", err);
}

static enum seal_status userpass_login(const struct vault_login *login, struct vault_auth *out, struct seal_err *err)
{
	return login_once(login, "userpass", out, err);
}

const struct vault_login_ops vault_login_userpass = {
	.name = "userpass",
	.remedy = REMEDY,
	.check = userpass_check,
	.login = userpass_login,
	.again = true,
};

static enum seal_status ldap_check(const struct vault_options *options, struct seal_err *err)
{
	return check(options, "ldap", err);
}

static enum seal_status ldap_login(const struct vault_login *login, struct vault_auth *out, struct seal_err *err)
{
	return login_once(login, "ldap", out, err);
}

const struct vault_login_ops vault_login_ldap = {
	.name = "ldap",
	.remedy = REMEDY,
	.check = ldap_check,
	.login = ldap_login,
	.again = true,
};

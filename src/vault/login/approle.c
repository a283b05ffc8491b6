/*
 * AppRole: a role id and a secret id. The secret id may come wrapped (response wrapping): the file then holds a wrapping
 * token that opens once. Where it was made is looked up before it is opened, so that a token that somebody slipped in for
 * another secret is not taken for one; one that was opened before is reported, because whoever did has the secret id.
 */
#include "vault/login/method.h"

#define VARIABLE "SEALSTREAM_VAULT_SECRET_ID"

static enum seal_status check(const struct vault_options *options, struct seal_err *err)
{
	enum seal_status rc = login_need(options->role, "vault-role", "approle", err);
	const char *text = getenv(VARIABLE);

	if (rc != SEAL_OK || !options->secret_wrapped || options->secret_file != NULL ||
	    (text != NULL && text[0] != '\0'))
		return rc;
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
		       "--vault-secret-wrapped needs the wrapping token: --vault-secret-file, or " VARIABLE
		       " in the environment");
}

static const char *source_name(const struct vault_options *options)
{
	return options->secret_file != NULL ? options->secret_file : VARIABLE;
}

/* auth/MOUNT/role/NAME/secret-id, or a secret id of the caller's own choice; the namespace may stand in front. */
static bool is_secret_id_path(const char *path, const char *namespace, struct seal_bytes mount)
{
	static const char *const ends[] = {"/secret-id", "/custom-secret-id"};
	struct seal_bytes rest = bytes_str(path), space = bytes_str(namespace != NULL ? namespace : "");
	const uint8_t *slash;

	while (space.len > 0 && space.ptr[space.len - 1] == '/')
		space.len--;
	if (space.len > 0 && bytes_starts(rest, space) && rest.len > space.len && rest.ptr[space.len] == '/')
		rest = bytes_skip(rest, space.len);
	if (rest.len > 0 && rest.ptr[0] == '/')
		rest = bytes_skip(rest, 1);
	if (!bytes_starts(rest, mount) || !bytes_starts(bytes_skip(rest, mount.len), BYTES_LIT("role/")))
		return false;
	rest = bytes_skip(rest, mount.len + 5);
	slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
	for (size_t i = 0; slash != NULL && slash != rest.ptr && i < sizeof(ends) / sizeof(ends[0]); i++)
		if (bytes_eq_str(bytes_skip(rest, (size_t)(slash - rest.ptr)), ends[i]))
			return true;
	return false;
}

/* What a refusal by lookup or unwrap means. */
static enum seal_status opened_before(const struct vault_login *login, enum seal_status rc, struct seal_err *err)
{
	if (rc == SEAL_RETRY || rc == SEAL_FATAL)
		return rc;
	err_clear(err);
	return err_set(err, SEAL_DENIED, SEAL_E_DENIED,
		       "the wrapping token of %s has been used already or has ended. If it was not used here, "
		       "somebody else may "
		       "have the secret id: destroy it and its role's other ones, then wrap a new one",
		       source_name(login->options));
}

static enum seal_status check_origin(const struct vault_login *login, const char *wrapping, struct seal_err *err)
{
	struct seal_buf mount = BUF_INIT(4096);
	json_t *body = NULL, *answer = NULL;
	const char *path;
	enum seal_status rc;

	SEAL_TRY(login_path(login->options, "approle", "", NULL, &mount, err));
	SEAL_TRY(login_body(&body, err));
	SEAL_TRY(login_add(body, "token", wrapping, err));
	rc = vault_ask_login(login->worker, "sys/wrapping/lookup", body, NULL, login->deadline_ms, &answer, err);
	if (rc != SEAL_OK) {
		rc = opened_before(login, rc, err);
		goto out;
	}
	path = json_string_value(json_object_get(json_object_get(answer, "data"), "creation_path"));
	if (path == NULL || !is_secret_id_path(path, login->options->namespace_, buf_bytes(&mount)))
		rc = err_set(err, SEAL_DENIED, SEAL_E_DENIED,
			     "the wrapping token of %s was not made for a secret id of this mount but at %.100s; "
			     "somebody may have "
			     "exchanged it, and it was left alone",
			     source_name(login->options), path != NULL ? path : "an unknown path");
out:
	vault_json_free(body);
	vault_json_free(answer);
	buf_clear(&mount);
	return rc;
}

/* Trades the wrapping token, which is then of no more use, for the secret id. */
static enum seal_status unwrap(const struct vault_login *login, const char *wrapping, struct secret *out,
			       struct seal_err *err)
{
	json_t *body = NULL, *answer = NULL;
	const char *secret_id;
	enum seal_status rc;

	SEAL_TRY(check_origin(login, wrapping, err));
	SEAL_TRY(login_body(&body, err));
	rc = vault_ask_login(login->worker, "sys/wrapping/unwrap", body, wrapping, login->deadline_ms, &answer, err);
	if (rc != SEAL_OK) {
		rc = opened_before(login, rc, err);
		goto out;
	}
	secret_id = json_string_value(json_object_get(json_object_get(answer, "data"), "secret_id"));
	if (secret_id == NULL) {
		rc = err_set(err, SEAL_DENIED, SEAL_E_DENIED, "the wrapping token of %s held no secret id",
			     source_name(login->options));
		goto out;
	}
	SEAL_TRY(secret_text(bytes_str(secret_id), SECRET_SPACE, "the wrapped secret id", out, err));
out:
	vault_json_free(body);
	vault_json_free(answer);
	return rc;
}

/* The secret id behind the wrapping token: that of last time while the token is still the same. */
static enum seal_status unwrap_once(const struct vault_login *login, const struct secret *wrapping,
				    struct secret *out, struct seal_err *err)
{
	struct vault_login_memory *memory = login->memory;
	enum seal_status rc = SEAL_OK;

	SEAL_TRY(secret_token_check((const char *)wrapping->ptr, source_name(login->options), err));
	if (memory->wrapping.len != wrapping->len || !ct_equal(memory->wrapping.ptr, wrapping->ptr, wrapping->len)) {
		secret_clear(&memory->wrapping);
		secret_clear(&memory->secret_id);
		SEAL_TRY(unwrap(login, (const char *)wrapping->ptr, &memory->secret_id, err));
		SEAL_TRY(secret_copy(&memory->wrapping, secret_bytes(wrapping), err));
	}
	SEAL_TRY(secret_copy(out, secret_bytes(&memory->secret_id), err));
out:
	return rc;
}

static enum seal_status login_once(const struct vault_login *login, struct vault_auth *out, struct seal_err *err)
{
	struct secret given = SECRET_INIT, secret_id = SECRET_INIT;
	json_t *body = NULL;
	enum seal_status rc;

	SEAL_TRY(login_secret(login->options, VARIABLE, SECRET_SPACE, &given, err));
	if (given.ptr != NULL && login->options->secret_wrapped)
		SEAL_TRY(unwrap_once(login, &given, &secret_id, err));
	else if (given.ptr != NULL)
		SEAL_TRY(secret_copy(&secret_id, secret_bytes(&given), err));
	SEAL_TRY(login_body(&body, err));
	SEAL_TRY(login_add(body, "role_id", login->options->role, err));
	SEAL_TRY(login_add(body, "secret_id", (const char *)secret_id.ptr, err)); /* a role may need none */
	SEAL_TRY(login_post(login, "approle", "login", NULL, body, out, err));
out:
	vault_json_free(body);
	secret_clear(&given);
	secret_clear(&secret_id);
	return rc;
}

const struct vault_login_ops vault_login_approle = {
	.name = "approle",
	.remedy = "check the role id (--vault-role) and the secret id (--vault-secret-file): it may have ended, been "
		  "used up, "
		  "or be bound to other addresses",
	.check = check,
	.login = login_once,
	.again = true,
};

/*
 * A bare token, from the first of: --vault-token-file, VAULT_TOKEN, the token helper that ~/.vault names, ~/.vault-token.
 * Its life is asked for once (lookup-self); a token that may not ask is used without knowing.
 */
#include <limits.h>
#include <stddef.h>
#include <unistd.h>

#include "vault/login/helper.h"
#include "vault/login/method.h"

#define TTL_MAX_S (UINT64_C(1) << 40)

/* HOME/NAME, or the path that the variable gives; NULL when there is no HOME. */
static const char *home_file(const char *variable, const char *name, char out[PATH_MAX])
{
	const char *given = vault_env(variable), *home = getenv("HOME");

	if (given != NULL)
		return given;
	if (home == NULL || home[0] == '\0' || snprintf(out, PATH_MAX, "%s/%s", home, name) >= PATH_MAX)
		return NULL;
	return out;
}

static enum seal_status take(struct seal_bytes raw, const char *source, struct vault_auth *out, struct seal_err *err)
{
	enum seal_status rc;

	snprintf(out->source, sizeof(out->source), "%s", source);
	SEAL_TRY(secret_text(raw, SECRET_SPACE, source, &out->token, err));
	SEAL_TRY(secret_token_check((const char *)out->token.ptr, source, err));
out:
	return rc;
}

static enum seal_status from_file(const char *path, struct vault_auth *out, struct seal_err *err)
{
	enum seal_status rc;

	snprintf(out->source, sizeof(out->source), "%s", path);
	SEAL_TRY(login_secret_file(path, SECRET_SPACE, false, &out->token, err));
	SEAL_TRY(secret_token_check((const char *)out->token.ptr, path, err));
out:
	if (rc != SEAL_OK)
		err_prefix(err, "the token file");
	return rc;
}

/* *named: there is a helper, so that ~/.vault-token is not asked, whatever it prints. */
static enum seal_status from_helper(bool *named, struct vault_auth *out, struct seal_err *err)
{
	struct secret printed = SECRET_INIT;
	const char *config, *helper = NULL;
	enum seal_status rc = SEAL_OK;
	char path[PATH_MAX], what[VAULT_SOURCE_MAX];
	struct arena arena;

	arena_init(&arena, 0);
	config = home_file("CONFIG_PATH", ".vault", path);
	if (config != NULL)
		SEAL_TRY(helper_find(config, &arena, &helper, err));
	*named = helper != NULL;
	if (helper == NULL)
		goto out;
	SEAL_TRY(helper_run(helper, HELPER_MAX_MS, &printed, err));
	snprintf(what, sizeof(what), "the token helper %s", helper);
	if (printed.ptr != NULL)
		SEAL_TRY(take(secret_bytes(&printed), what, out, err));
out:
	secret_clear(&printed);
	arena_clear(&arena);
	return rc;
}

static enum seal_status read_token(const struct vault_options *options, struct vault_auth *out, struct seal_err *err)
{
	const char *text = vault_env("TOKEN"), *file;
	char path[PATH_MAX];
	bool named = false;
	enum seal_status rc;

	if (options->token_file != NULL)
		return from_file(options->token_file, out, err);
	if (text != NULL)
		return take(bytes_str(text), "VAULT_TOKEN", out, err);
	rc = from_helper(&named, out, err);
	if (rc != SEAL_OK || named)
		return rc;
	file = home_file("TOKEN_PATH", ".vault-token", path);
	if (file != NULL && access(file, F_OK) == 0)
		return from_file(file, out, err);
	return SEAL_OK;
}

/* A token is not asked for before it is needed: no file is read and no helper run for a command that makes no call. */
static enum seal_status check(const struct vault_options *options, struct seal_err *err)
{
	return SEAL_OK;
}

/* Time to live and whether it can be renewed. 403 only says that the token may not look at itself. */
static enum seal_status look(const struct vault_login *login, struct vault_auth *auth, struct seal_err *err)
{
	json_t *answer = NULL;
	const json_t *data;
	json_int_t ttl;
	enum seal_status rc = vault_ask_login(login->worker, "auth/token/lookup-self", NULL,
					      (const char *)auth->token.ptr, login->deadline_ms, &answer, err);

	if (rc == SEAL_RETRY || rc == SEAL_FATAL)
		return rc;
	if (rc != SEAL_OK) {
		err_clear(err);
		return SEAL_OK;
	}
	data = json_object_get(answer, "data");
	ttl = json_integer_value(json_object_get(data, "ttl"));
	auth->ttl_ms = ttl > 0 && (uint64_t)ttl < TTL_MAX_S ? (uint64_t)ttl * 1000 : 0;
	auth->renewable = json_is_true(json_object_get(data, "renewable"));
	vault_json_free(answer);
	return SEAL_OK;
}

static enum seal_status login_once(const struct vault_login *login, struct vault_auth *out, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(read_token(login->options, out, err));
	if (out->token.ptr != NULL) {
		SEAL_TRY(look(login, out, err));
	} else if (!vault_address_is_agent(login->options)) {
		rc = err_set(
			err, SEAL_USAGE, SEAL_E_CONFIG,
			"there is no token: set VAULT_TOKEN, name a file with --vault-token-file, run `vault login`, "
			"or choose another way with --vault-auth");
	}
out:
	return rc;
}

const struct vault_login_ops vault_login_token = {
	.name = "token",
	.remedy = "give a new one",
	.check = check,
	.login = login_once,
	.read = read_token,
	.again = false,
};

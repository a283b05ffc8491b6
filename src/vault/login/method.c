/*
 * What the ways of logging in share. Secrets go from their file straight into secret memory; in between they are strings of
 * jansson for the time of one request, which vault_json_free wipes.
 */
#include "vault/login/method.h"

#include <sys/stat.h>

#include "base/log.h"
#include "base/utf8.h"
#include "http/http.h"

#define TTL_MAX_S (UINT64_C(1) << 40)

enum seal_status login_need(const char *value, const char *option, const char *method, struct seal_err *err)
{
	if (value != NULL && value[0] != '\0')
		return SEAL_OK;
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "logging in with %s needs --%s", method, option);
}

static void warn_if_readable(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IROTH) != 0)
		log_say(LOG_WARNING, "%s holds a secret and can be read by others (mode %03o); `chmod o-rwx` it",
			path, (unsigned)st.st_mode & 0777);
}

enum seal_status login_secret_file(const char *path, enum secret_trim trim, bool quiet, struct secret *out,
				   struct seal_err *err)
{
	struct secret raw = SECRET_INIT;
	enum seal_status rc;

	if (!quiet)
		warn_if_readable(path);
	SEAL_TRY(secret_read_file(path, LOGIN_SECRET_MAX, false, &raw, err));
	SEAL_TRY(secret_text(secret_bytes(&raw), trim, path, out, err));
out:
	secret_clear(&raw);
	return rc;
}

enum seal_status login_secret(const struct vault_options *options, const char *variable, enum secret_trim trim,
			      struct secret *out, struct seal_err *err)
{
	const char *text = getenv(variable);

	if (options->secret_file != NULL)
		return login_secret_file(options->secret_file, trim, false, out, err);
	if (text == NULL || text[0] == '\0')
		return SEAL_OK;
	return secret_text(bytes_str(text), trim, variable, out, err);
}

/* Each segment percent-encoded; slashes at both ends and auth/ in front are forgiven. */
static enum seal_status append_mount(struct seal_bytes mount, struct seal_buf *out, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	while (mount.len > 0 && mount.ptr[0] == '/')
		mount = bytes_skip(mount, 1);
	if (bytes_starts(mount, BYTES_LIT("auth/")))
		mount = bytes_skip(mount, 5);
	while (mount.len > 0 && rc == SEAL_OK) {
		const uint8_t *slash = memchr(mount.ptr, '/', mount.len);
		struct seal_bytes segment = bytes_of(mount.ptr, slash ? (size_t)(slash - mount.ptr) : mount.len);

		if (segment.len > 0) {
			SEAL_TRY(http_path_append(out, segment, err));
			SEAL_TRY(buf_append_u8(out, '/', err));
		}
		mount = bytes_skip(mount, segment.len + 1);
	}
out:
	return rc;
}

enum seal_status login_path(const struct vault_options *options, const char *method, const char *suffix,
			    const char *user, struct seal_buf *out, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_append_str(out, "auth/", err));
	SEAL_TRY(append_mount(bytes_str(options->auth_mount != NULL ? options->auth_mount : method), out, err));
	SEAL_TRY(buf_append_str(out, suffix, err));
	if (user != NULL) {
		SEAL_TRY(buf_append_u8(out, '/', err));
		SEAL_TRY(http_path_append(out, bytes_str(user), err));
	}
out:
	return rc;
}

enum seal_status login_body(json_t **out, struct seal_err *err)
{
	*out = json_object();
	return *out != NULL ? SEAL_OK : err_memory(err);
}

enum seal_status login_add(json_t *body, const char *name, const char *value, struct seal_err *err)
{
	if (value == NULL)
		return SEAL_OK;
	if (!utf8_valid(bytes_str(value)))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "the login's %s is not UTF-8 text", name);
	return json_object_set_new(body, name, json_string(value)) == 0 ? SEAL_OK : err_memory(err);
}

void login_auth_clear(struct vault_auth *auth)
{
	secret_clear(&auth->token);
	memset(auth, 0, sizeof(*auth));
}

enum seal_status login_auth(const json_t *answer, struct vault_auth *out, struct seal_err *err)
{
	const json_t *auth = json_object_get(answer, "auth");
	const char *token = json_string_value(json_object_get(auth, "client_token"));
	json_int_t ttl = json_integer_value(json_object_get(auth, "lease_duration"));
	const json_t *mfa = json_object_get(auth, "mfa_requirement");
	enum seal_status rc;

	if (mfa != NULL && !json_is_null(mfa))
		return err_set(err, SEAL_DENIED, SEAL_E_DENIED,
			       "the server asks for a second factor, which nobody is there to give; exempt this role "
			       "or user "
			       "from multi-factor login, or log in another way");
	if (token == NULL || token[0] == '\0')
		return err_set(err, SEAL_DENIED, SEAL_E_SERVICE, "the server's answer to the login holds no token");
	SEAL_TRY(secret_token_check(token, "the token that the server gave", err));
	SEAL_TRY(secret_text(bytes_str(token), SECRET_SPACE, "the token that the server gave", &out->token, err));
	out->ttl_ms = ttl > 0 && (uint64_t)ttl < TTL_MAX_S ? (uint64_t)ttl * 1000 : 0;
	out->renewable = json_is_true(json_object_get(auth, "renewable"));
	out->limited = json_integer_value(json_object_get(auth, "num_uses")) > 0;
out:
	return rc;
}

enum seal_status login_post(const struct vault_login *login, const char *method, const char *suffix, const char *user,
			    json_t *body, struct vault_auth *out, struct seal_err *err)
{
	struct seal_buf path = BUF_INIT(4096);
	json_t *answer = NULL;
	enum seal_status rc;

	SEAL_TRY(login_path(login->options, method, suffix, user, &path, err));
	SEAL_TRY(buf_append_u8(&path, 0, err));
	SEAL_TRY(
		vault_ask_login(login->worker, (const char *)path.ptr, body, NULL, login->deadline_ms, &answer, err));
	SEAL_TRY(login_auth(answer, out, err));
out:
	vault_json_free(answer);
	buf_clear(&path);
	return rc;
}

enum seal_status login_post_jwt(const struct vault_login *login, const char *method, const struct secret *jwt,
				struct vault_auth *out, struct seal_err *err)
{
	json_t *body = NULL;
	enum seal_status rc;

	SEAL_TRY(login_body(&body, err));
	SEAL_TRY(login_add(body, "role", login->options->role, err));
	SEAL_TRY(login_add(body, "jwt", (const char *)jwt->ptr, err));
	SEAL_TRY(login_post(login, method, "login", NULL, body, out, err));
out:
	vault_json_free(body);
	return rc;
}

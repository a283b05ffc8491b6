/*
 * What the ways of logging in share. Secrets go from their file straight into secret memory; in between they are strings of
 * jansson for the time of one request, which vault_json_free wipes.
 */
#include "vault/login/method.h"

#include <ctype.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/utf8.h"
#include "http/http.h"
#include "keys/keyring.h"

#define TTL_MAX_S (UINT64_C(1) << 40)

enum seal_status login_need(const char *value, const char *option, const char *method, struct seal_err *err)
{
	if (value != NULL && value[0] != '\0')
		return SEAL_OK;
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "logging in with %s needs --%s", method, option);
}

static struct seal_bytes trimmed(struct seal_bytes raw, enum login_trim trim)
{
	if (trim == LOGIN_LINE_END) {
		if (raw.len > 0 && raw.ptr[raw.len - 1] == '\n')
			raw.len--;
		if (raw.len > 0 && raw.ptr[raw.len - 1] == '\r')
			raw.len--;
		return raw;
	}
	while (raw.len > 0 && isspace(raw.ptr[raw.len - 1]))
		raw.len--;
	while (raw.len > 0 && isspace(raw.ptr[0]))
		raw = bytes_skip(raw, 1);
	return raw;
}

enum seal_status login_secret_of(struct seal_bytes raw, enum login_trim trim, const char *what, struct secret *out,
				 struct seal_err *err)
{
	struct seal_bytes text = trimmed(raw, trim);
	enum seal_status rc;

	if (text.len == 0)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s is empty", what);
	if (memchr(text.ptr, 0, text.len) != NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s holds a zero byte, so it is not a text", what);
	rc = secret_alloc(out, text.len + 1, err);
	if (rc == SEAL_OK)
		memcpy(out->ptr, text.ptr, text.len);
	return rc;
}

static void warn_if_readable(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IROTH) != 0)
		log_say(LOG_WARNING, "%s holds a secret and can be read by others (mode %03o); `chmod o-rwx` it",
			path, (unsigned)st.st_mode & 0777);
}

enum seal_status login_secret_file(const char *path, enum login_trim trim, bool quiet, struct secret *out,
				   struct seal_err *err)
{
	struct secret raw = SECRET_INIT;
	enum seal_status rc;

	if (!quiet)
		warn_if_readable(path);
	SEAL_TRY(keyring_read_secret(path, LOGIN_SECRET_MAX, false, &raw, err));
	SEAL_TRY(login_secret_of(secret_bytes(&raw), trim, path, out, err));
out:
	secret_clear(&raw);
	return rc;
}

enum seal_status login_secret(const struct vault_options *options, const char *variable, enum login_trim trim,
			      struct secret *out, struct seal_err *err)
{
	const char *text = getenv(variable);

	if (options->secret_file != NULL)
		return login_secret_file(options->secret_file, trim, false, out, err);
	if (text == NULL || text[0] == '\0')
		return SEAL_OK;
	return login_secret_of(bytes_str(text), trim, variable, out, err);
}

enum seal_status login_token_check(const char *token, const char *what, struct seal_err *err)
{
	for (const char *at = token; *at != '\0'; at++)
		if (*at <= ' ' || *at >= 0x7f)
			return err_set(
				err, SEAL_USAGE, SEAL_E_CONFIG,
				"%s holds characters that no token has (white space inside, control or beyond ASCII)",
				what);
	return SEAL_OK;
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
	SEAL_TRY(login_token_check(token, "the token that the server gave", err));
	SEAL_TRY(login_secret_of(bytes_str(token), LOGIN_SPACE, "the token that the server gave", &out->token, err));
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

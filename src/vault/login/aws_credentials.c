/*
 * AWS credentials. The endpoints of containers and instances are asked without a proxy: they are local to the machine, and
 * what they answer is a secret.
 */
#include "vault/login/aws_credentials.h"

#include <limits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/http.h"
#include "keys/keyring.h"
#include "vault/login/method.h"

#define CREDENTIALS_FILE_MAX (1u << 20)
#define ANSWER_MAX 65536
#define METADATA_MS 5000
#define CONNECT_MS 1000 /* where there is no metadata nobody answers */
#define METADATA_BASE "http://169.254.169.254"
#define CONTAINER_BASE "http://169.254.170.2"
#define METADATA_ROLES "/latest/meta-data/iam/security-credentials/"

static const char *variable(const char *name)
{
	const char *text = getenv(name);

	return text != NULL && text[0] != '\0' ? text : NULL;
}

void aws_credentials_clear(struct aws_credentials *credentials)
{
	secret_clear(&credentials->access_key);
	secret_clear(&credentials->secret_key);
	secret_clear(&credentials->session_token);
}

void aws_sts_host(const char *region, char *out, size_t room)
{
	if (region == NULL)
		snprintf(out, room, "sts.amazonaws.com");
	else
		snprintf(out, room, "sts.%s.amazonaws.com%s", region, strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
}

static enum seal_status set(const char *access_key, const char *secret_key, const char *session_token,
			    const char *source, struct aws_credentials *out, struct seal_err *err)
{
	enum seal_status rc;

	if (access_key == NULL || secret_key == NULL)
		return err_set(err, SEAL_DENIED, SEAL_E_CONFIG, "%s gives no AWS access key and secret key", source);
	SEAL_TRY(login_secret_of(bytes_str(access_key), LOGIN_SPACE, source, &out->access_key, err));
	SEAL_TRY(login_secret_of(bytes_str(secret_key), LOGIN_SPACE, source, &out->secret_key, err));
	if (session_token != NULL && session_token[0] != '\0')
		SEAL_TRY(login_secret_of(bytes_str(session_token), LOGIN_SPACE, source, &out->session_token, err));
	SEAL_TRY(login_token_check((const char *)out->access_key.ptr, source, err));
out:
	return rc;
}

/* One request, its answer with a zero byte behind it. Throttled or in trouble is SEAL_RETRY/SEAL_E_BUSY, else not 200 DENIED. */
static enum seal_status fetch(const struct http_config *config, struct http_exchange *exchange, uint64_t deadline_ms,
			      struct seal_err *err)
{
	struct http_client *client = NULL;
	struct http_worker *worker = NULL;
	uint64_t end_ms = clock_mono_ms() + METADATA_MS;
	enum seal_status rc;

	SEAL_TRY(http_client_new(config, &client, err));
	SEAL_TRY(http_worker_new(client, &worker, err));
	SEAL_TRY(http_start(worker, exchange, end_ms < deadline_ms ? end_ms : deadline_ms, err));
	SEAL_INVARIANT(http_next(worker) == exchange);
	if (exchange->status == 0) {
		if (err != NULL)
			*err = exchange->err;
		rc = exchange->err.status;
	} else if (exchange->status == 429 || exchange->status >= 500) {
		rc = err_set(err, SEAL_RETRY, SEAL_E_BUSY, "%s%s answers %u", config->base, exchange->path,
			     exchange->status);
	} else if (exchange->status != 200) {
		rc = err_set(err, SEAL_DENIED, SEAL_E_DENIED, "%s%s answers %u", config->base, exchange->path,
			     exchange->status);
	} else {
		rc = buf_append_u8(&exchange->answer, 0, err);
	}
out:
	http_worker_free(worker);
	http_client_free(client);
	return rc;
}

static struct http_config local_config(const char *base)
{
	return (struct http_config){.base = base,
				    .proxy = "",
				    .user_agent = "sealstream/" SEALSTREAM_VERSION,
				    .retries = 1,
				    .timeout_ms = METADATA_MS,
				    .connect_ms = CONNECT_MS,
				    .max_response = ANSWER_MAX};
}

/* {"AccessKeyId": …, "SecretAccessKey": …, TOKEN_NAME: …} */
static enum seal_status from_json(const json_t *json, const char *token_name, const char *source,
				  struct aws_credentials *out, struct seal_err *err)
{
	return set(json_string_value(json_object_get(json, "AccessKeyId")),
		   json_string_value(json_object_get(json, "SecretAccessKey")),
		   json_string_value(json_object_get(json, token_name)), source, out, err);
}

static enum seal_status answer_json(const struct http_exchange *exchange, const char *source, json_t **out,
				    struct seal_err *err)
{
	*out = json_loadb((const char *)exchange->answer.ptr, exchange->answer.len - 1, 0, NULL);
	return *out != NULL
		       ? SEAL_OK
		       : err_set(err, SEAL_DENIED, SEAL_E_SERVICE, "%s gives no JSON for AWS credentials", source);
}

/* NAME=VALUE of one line, or the [section] that it opens. */
static void ini_line(struct seal_bytes line, struct seal_bytes *section, struct seal_bytes *name,
		     struct seal_bytes *value)
{
	const uint8_t *equals;

	while (line.len > 0 && (line.ptr[line.len - 1] == '\r' || line.ptr[line.len - 1] == ' '))
		line.len--;
	while (line.len > 0 && line.ptr[0] == ' ')
		line = bytes_skip(line, 1);
	*name = *value = BYTES_EMPTY;
	if (line.len >= 2 && line.ptr[0] == '[' && line.ptr[line.len - 1] == ']') {
		*section = bytes_of(line.ptr + 1, line.len - 2);
		return;
	}
	equals = line.len > 0 && line.ptr[0] != '#' ? memchr(line.ptr, '=', line.len) : NULL;
	if (equals == NULL)
		return;
	*name = bytes_of(line.ptr, (size_t)(equals - line.ptr));
	while (name->len > 0 && name->ptr[name->len - 1] == ' ')
		name->len--;
	*value = bytes_skip(line, (size_t)(equals - line.ptr) + 1);
}

static enum seal_status read_profile(struct seal_bytes text, const char *profile, const char *path,
				     struct aws_credentials *out, struct seal_err *err)
{
	struct seal_bytes section = BYTES_EMPTY, name, value;
	const struct {
		const char *name;
		struct secret *to;
	} members[] = {{"aws_access_key_id", &out->access_key},
		       {"aws_secret_access_key", &out->secret_key},
		       {"aws_session_token", &out->session_token}};
	enum seal_status rc = SEAL_OK;

	while (text.len > 0) {
		const uint8_t *end = memchr(text.ptr, '\n', text.len);
		size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;

		ini_line(bytes_of(text.ptr, len), &section, &name, &value);
		for (size_t i = 0; i < 3 && bytes_eq_str(section, profile); i++) {
			if (!bytes_eq_str(name, members[i].name))
				continue;
			secret_clear(members[i].to);
			SEAL_TRY(login_secret_of(value, LOGIN_SPACE, path, members[i].to, err));
		}
		text = bytes_skip(text, len + (end != NULL));
	}
out:
	return rc;
}

/* *found false: there is no such file, or no such profile in it, and nobody asked for one. */
static enum seal_status from_file(bool *found, struct aws_credentials *out, struct seal_err *err)
{
	const char *path = variable("AWS_SHARED_CREDENTIALS_FILE"), *profile = variable("AWS_PROFILE");
	const char *home = variable("HOME");
	struct secret text = SECRET_INIT;
	char default_path[PATH_MAX];
	enum seal_status rc = SEAL_OK;

	*found = false;
	if (path == NULL && (home == NULL || snprintf(default_path, sizeof(default_path), "%s/.aws/credentials",
						      home) >= (int)sizeof(default_path)))
		return SEAL_OK;
	path = path != NULL ? path : default_path;
	if (access(path, F_OK) != 0 && profile == NULL)
		return SEAL_OK;
	SEAL_TRY(keyring_read_secret(path, CREDENTIALS_FILE_MAX - 1, false, &text, err));
	SEAL_TRY(read_profile(secret_bytes(&text), profile != NULL ? profile : "default", path, out, err));
	*found = out->access_key.ptr != NULL && out->secret_key.ptr != NULL;
	if (!*found && profile != NULL)
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			     "%s has no profile %.60s with aws_access_key_id and aws_secret_access_key (AWS_PROFILE)",
			     path, profile);
	if (!*found)
		aws_credentials_clear(out);
out:
	secret_clear(&text);
	return rc;
}

static enum seal_status form_field(struct seal_buf *out, const char *name, const char *value, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_append_str(out, name, err));
	SEAL_TRY(http_path_append(out, bytes_str(value), err));
out:
	return rc;
}

/* sts:AssumeRoleWithWebIdentity; its answer is JSON where that is asked for. */
static enum seal_status from_web_identity(const char *file, const char *role, const char *region,
					  uint64_t deadline_ms, struct aws_credentials *out, struct seal_err *err)
{
	const char *base = variable("AWS_ENDPOINT_URL_STS"), *session = variable("AWS_ROLE_SESSION_NAME");
	static const struct http_header headers[] = {{"Accept", "application/json"},
						     {"Content-Type", "application/x-www-form-urlencoded"}};
	struct http_exchange exchange = {.method = "POST", .path = "/", .headers = headers, .n_headers = 2};
	struct http_config config = local_config(NULL);
	struct seal_buf body = BUF_INIT(4 * LOGIN_SECRET_MAX);
	struct secret token = SECRET_INIT;
	char host[128], url[160];
	json_t *answer = NULL;
	const json_t *at;
	enum seal_status rc;

	aws_sts_host(region, host, sizeof(host));
	snprintf(url, sizeof(url), "https://%s", host);
	config.base = base != NULL ? base : url;
	config.proxy = NULL; /* STS is not local */
	config.connect_ms = 0;
	SEAL_TRY(login_secret_file(file, LOGIN_SPACE, true, &token, err));
	SEAL_TRY(form_field(&body, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=", role, err));
	SEAL_TRY(form_field(&body, "&RoleSessionName=", session != NULL ? session : "sealstream", err));
	SEAL_TRY(form_field(&body, "&WebIdentityToken=", (const char *)token.ptr, err));
	exchange.body = buf_bytes(&body);
	SEAL_TRY(fetch(&config, &exchange, deadline_ms, err));
	SEAL_TRY(answer_json(&exchange, "STS", &answer, err));
	at = json_object_get(answer, "AssumeRoleWithWebIdentityResponse");
	at = json_object_get(json_object_get(at, "AssumeRoleWithWebIdentityResult"), "Credentials");
	SEAL_TRY(from_json(at, "SessionToken", "STS", out, err));
out:
	if (rc != SEAL_OK)
		err_prefix(err, "AWS web identity (AWS_WEB_IDENTITY_TOKEN_FILE)");
	vault_json_free(answer);
	http_exchange_clear(&exchange);
	secret_clear(&token);
	buf_clear(&body);
	return rc;
}

/* Splits http://host/path into its base and the rest. */
static bool split_url(const char *url, char *base, size_t room, const char **path)
{
	const char *slashes = strstr(url, "://"), *slash = slashes != NULL ? strchr(slashes + 3, '/') : NULL;

	if (slash == NULL || (size_t)(slash - url) >= room)
		return false;
	snprintf(base, room, "%.*s", (int)(slash - url), url);
	*path = slash;
	return true;
}

static enum seal_status from_container(const char *relative, const char *full, uint64_t deadline_ms,
				       struct aws_credentials *out, struct seal_err *err)
{
	const char *file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *text = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN"), *path = relative;
	struct http_exchange exchange = {.method = "GET"};
	char base[256] = CONTAINER_BASE;
	struct http_config config = local_config(base);
	struct http_header authorization = {"Authorization", NULL};
	struct secret token = SECRET_INIT;
	json_t *answer = NULL;
	enum seal_status rc;

	if (relative == NULL && !split_url(full, base, sizeof(base), &path)) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			     "AWS_CONTAINER_CREDENTIALS_FULL_URI is not an address such as http://127.0.0.1/path");
		goto out;
	}
	if (file != NULL)
		SEAL_TRY(login_secret_file(file, LOGIN_SPACE, true, &token, err));
	authorization.value = token.ptr != NULL ? (const char *)token.ptr : text;
	exchange.path = path;
	exchange.headers = &authorization;
	exchange.n_headers = authorization.value != NULL;
	SEAL_TRY(fetch(&config, &exchange, deadline_ms, err));
	SEAL_TRY(answer_json(&exchange, "the container's endpoint", &answer, err));
	SEAL_TRY(from_json(answer, "Token", "the container's endpoint", out, err));
out:
	if (rc != SEAL_OK)
		err_prefix(err, "AWS container credentials");
	vault_json_free(answer);
	http_exchange_clear(&exchange);
	secret_clear(&token);
	return rc;
}

/* IMDSv2: a session's token first, then the role's name, then its credentials. */
static enum seal_status from_instance(uint64_t deadline_ms, struct aws_credentials *out, struct seal_err *err)
{
	const char *given = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	struct http_config config = local_config(given != NULL ? given : METADATA_BASE);
	struct http_header life = {"X-aws-ec2-metadata-token-ttl-seconds", "60"};
	struct http_header session = {"X-aws-ec2-metadata-token", NULL};
	struct http_exchange token = {.method = "PUT", .path = "/latest/api/token", .headers = &life, .n_headers = 1};
	struct http_exchange role = {.method = "GET", .path = METADATA_ROLES, .headers = &session, .n_headers = 1};
	struct http_exchange keys = {.method = "GET", .headers = &session, .n_headers = 1};
	struct seal_buf path = BUF_INIT(1024);
	json_t *answer = NULL;
	enum seal_status rc;

	SEAL_TRY(fetch(&config, &token, deadline_ms, err));
	session.value = (const char *)token.answer.ptr;
	SEAL_TRY(login_token_check(session.value, "the metadata session token", err));
	SEAL_TRY(fetch(&config, &role, deadline_ms, err));
	SEAL_TRY(buf_append_str(&path, METADATA_ROLES, err));
	SEAL_TRY(http_path_append(&path, bytes_of(role.answer.ptr, strcspn((const char *)role.answer.ptr, "\r\n")),
				  err));
	SEAL_TRY(buf_append_u8(&path, 0, err));
	keys.path = (const char *)path.ptr;
	SEAL_TRY(fetch(&config, &keys, deadline_ms, err));
	SEAL_TRY(answer_json(&keys, "the instance's metadata", &answer, err));
	SEAL_TRY(from_json(answer, "Token", "the instance's metadata", out, err));
out:
	vault_json_free(answer);
	http_exchange_clear(&token);
	http_exchange_clear(&role);
	http_exchange_clear(&keys);
	buf_clear(&path);
	return rc;
}

static enum seal_status nowhere(struct seal_err *err)
{
	err_clear(err);
	return err_set(err, SEAL_DENIED, SEAL_E_CONFIG,
		       "there are no AWS credentials: not in the environment (AWS_ACCESS_KEY_ID), not in the "
		       "credentials file, and "
		       "neither a container's endpoint nor instance metadata answers");
}

enum seal_status aws_credentials_find(const char *region, uint64_t deadline_ms, struct aws_credentials *out,
				      struct seal_err *err)
{
	const char *web_file = variable("AWS_WEB_IDENTITY_TOKEN_FILE"), *web_role = variable("AWS_ROLE_ARN");
	const char *relative = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
		   *off = variable("AWS_EC2_METADATA_DISABLED");
	enum seal_status rc;
	bool found;

	if (variable("AWS_ACCESS_KEY_ID") != NULL)
		return set(variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"),
			   variable("AWS_SESSION_TOKEN"), "the environment (AWS_SECRET_ACCESS_KEY)", out, err);
	if (web_file != NULL && web_role != NULL)
		return from_web_identity(web_file, web_role, region, deadline_ms, out, err);
	rc = from_file(&found, out, err);
	if (rc != SEAL_OK || found)
		return rc;
	if (relative != NULL || full != NULL)
		return from_container(relative, full, deadline_ms, out, err);
	if (off == NULL || strcmp(off, "true") != 0)
		rc = from_instance(deadline_ms, out, err);
	if (rc == SEAL_RETRY && err != NULL && err->code == SEAL_E_BUSY) /* it is there, and gives them later */
		return rc;
	return rc == SEAL_FATAL || (rc == SEAL_OK && out->access_key.ptr != NULL) ? rc : nowhere(err);
}

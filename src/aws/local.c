/*
 * What the machine gives: a container's endpoint, the instance's metadata. Asked without a proxy: they are local to the machine,
 * and what they answer is a secret.
 */
#include <strings.h>

#include "aws/fetch.h"
#include "aws/source.h"
#include "base/secret_file.h"

#define METADATA_BASE "http://169.254.169.254"
#define METADATA_BASE_IPV6 "http://[fd00:ec2::254]"
#define METADATA_ROLES "/latest/meta-data/iam/security-credentials/"
#define METADATA_REGION "/latest/meta-data/placement/region"
#define CONTAINER_BASE "http://169.254.170.2"
#define TOKEN_FILE_MAX 65536

static const struct aws_credential_names names = {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"};

static enum seal_status read_answer(const struct http_exchange *exchange, const char *source,
				    struct aws_credentials *out, struct seal_err *err)
{
	struct json_value root;
	enum seal_status rc;

	if (json_value_of(buf_bytes(&exchange->answer), &root, NULL) != SEAL_OK)
		return err_set(err, SEAL_DENIED, SEAL_E_SERVICE, "%s gives no JSON for AWS credentials", source);
	SEAL_TRY(aws_credentials_of(&root, &names, source, out, err));
out:
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

/* Credentials may be asked for in clear only from this machine, and from the addresses of ECS and EKS. */
static bool is_trusted(const char *base)
{
	static const char *const known[] = {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};

	if (strncmp(base, "https://", 8) == 0)
		return true;
	if (strncmp(base, "http://", 7) != 0)
		return false;
	base += 7;
	if (base[strcspn(base, "@\\?#")] != '\0') /* what stands before these need not be the host */
		return false;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const size_t len = strlen(known[i]);

		if (strncasecmp(base, known[i], len) == 0 && (base[len] == '\0' || base[len] == ':'))
			return true;
	}
	return http_is_loopback_url(base);
}

static enum seal_status aim(const char *relative, const char *full, char *base, size_t room, const char **path,
			    struct seal_err *err)
{
	if (relative != NULL && relative[0] != '/')
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must begin with \"/\", as what stands there "
			       "would be a part of the host's name else");
	if (relative != NULL) {
		snprintf(base, room, "%s", CONTAINER_BASE);
		*path = relative;
		return SEAL_OK;
	}
	if (!split_url(full, base, room, path))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "AWS_CONTAINER_CREDENTIALS_FULL_URI is not an address such as http://127.0.0.1/path");
	if (!is_trusted(base))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "AWS_CONTAINER_CREDENTIALS_FULL_URI names another machine without https: credentials "
			       "are not asked for in clear");
	return SEAL_OK;
}

enum seal_status aws_from_container(const struct aws_search *search, bool *found, struct aws_credentials *out,
				    struct seal_err *err)
{
	const char *relative = aws_variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = aws_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	const char *file = aws_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *text = aws_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	struct http_header authorization = {"Authorization", NULL};
	struct http_exchange exchange = {.method = "GET", .headers = &authorization};
	struct secret raw = SECRET_INIT, token = SECRET_INIT;
	struct http_config config;
	char base[256];
	enum seal_status rc;

	*found = relative != NULL || full != NULL;
	if (!*found)
		return SEAL_OK;
	SEAL_TRY(aim(relative, full, base, sizeof(base), &exchange.path, err));
	config = aws_fetch_local(base);
	if (file != NULL) {
		SEAL_TRY(secret_read_file(file, TOKEN_FILE_MAX, false, &raw, err));
		SEAL_TRY(secret_text(secret_bytes(&raw), SECRET_SPACE, file, &token, err));
	}
	authorization.value = token.ptr != NULL ? (const char *)token.ptr : text;
	exchange.n_headers = authorization.value != NULL;
	SEAL_TRY(aws_fetch(&config, &exchange, search->deadline_ms, err));
	SEAL_TRY(read_answer(&exchange, "the container's endpoint", out, err));
out:
	if (rc != SEAL_OK)
		err_prefix(err, "AWS container credentials");
	http_exchange_clear(&exchange);
	secret_clear(&raw);
	secret_clear(&token);
	return rc;
}

static struct http_config metadata_config(void)
{
	const char *given = aws_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *mode = aws_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");

	if (given != NULL)
		return aws_fetch_local(given);
	return aws_fetch_local(mode != NULL && strcasecmp(mode, "IPv6") == 0 ? METADATA_BASE_IPV6 : METADATA_BASE);
}

/* A session's token first: without one, version 2 of the metadata answers nothing. */
static enum seal_status open_session(const struct http_config *config, struct http_exchange *token,
				     uint64_t deadline_ms, struct seal_err *err)
{
	static const struct http_header life = {"X-aws-ec2-metadata-token-ttl-seconds", "60"};
	enum seal_status rc;

	token->method = "PUT";
	token->path = "/latest/api/token";
	token->headers = &life;
	token->n_headers = 1;
	SEAL_TRY(aws_fetch(config, token, deadline_ms, err));
	SEAL_TRY(secret_token_check((const char *)token->answer.ptr, "the metadata session token", err));
out:
	return rc;
}

/* IMDSv2: the session, then the role's name, then its credentials. */
enum seal_status aws_from_instance(const struct aws_search *search, struct aws_credentials *out, struct seal_err *err)
{
	struct http_config config = metadata_config();
	struct http_header session = {"X-aws-ec2-metadata-token", NULL};
	struct http_exchange token = {0};
	struct http_exchange role = {.method = "GET", .path = METADATA_ROLES, .headers = &session, .n_headers = 1};
	struct http_exchange keys = {.method = "GET", .headers = &session, .n_headers = 1};
	struct seal_buf path = BUF_INIT(1024);
	enum seal_status rc;

	SEAL_TRY(open_session(&config, &token, search->deadline_ms, err));
	session.value = (const char *)token.answer.ptr;
	SEAL_TRY(aws_fetch(&config, &role, search->deadline_ms, err));
	SEAL_TRY(buf_append_str(&path, METADATA_ROLES, err));
	SEAL_TRY(http_path_append(&path, bytes_of(role.answer.ptr, strcspn((const char *)role.answer.ptr, "\r\n")),
				  err));
	SEAL_TRY(buf_append_u8(&path, 0, err));
	keys.path = (const char *)path.ptr;
	SEAL_TRY(aws_fetch(&config, &keys, search->deadline_ms, err));
	SEAL_TRY(read_answer(&keys, "the instance's metadata", out, err));
out:
	http_exchange_clear(&token);
	http_exchange_clear(&role);
	http_exchange_clear(&keys);
	buf_clear(&path);
	return rc;
}

enum seal_status aws_instance_region(uint64_t deadline_ms, char out[AWS_NAME_MAX], struct seal_err *err)
{
	struct http_config config = metadata_config();
	struct http_header session = {"X-aws-ec2-metadata-token", NULL};
	struct http_exchange token = {0};
	struct http_exchange region = {.method = "GET", .path = METADATA_REGION, .headers = &session, .n_headers = 1};
	enum seal_status rc;

	SEAL_TRY(open_session(&config, &token, deadline_ms, err));
	session.value = (const char *)token.answer.ptr;
	SEAL_TRY(aws_fetch(&config, &region, deadline_ms, err));
	snprintf(out, AWS_NAME_MAX, "%.*s", (int)strcspn((const char *)region.answer.ptr, "\r\n"),
		 (const char *)region.answer.ptr);
out:
	http_exchange_clear(&token);
	http_exchange_clear(&region);
	return rc;
}

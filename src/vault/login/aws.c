/*
 * AWS IAM: a request sts:GetCallerIdentity, signed here and sent by the Vault server, which so learns who signed it. The
 * secret key never leaves this process.
 */
#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "aws/credentials.h"
#include "vault/login/method.h"
#include "aws/sigv4.h"

#define STS_BODY "Action=GetCallerIdentity&Version=2011-06-15"
#define STS_TYPE "application/x-www-form-urlencoded; charset=utf-8"
#define GLOBAL_REGION "us-east-1"
#define HEADERS 5

static enum seal_status check(const struct vault_options *options, struct seal_err *err)
{
	for (const char *at = options->aws_region; at != NULL && *at != '\0'; at++)
		if ((*at < 'a' || *at > 'z') && (*at < '0' || *at > '9') && *at != '-')
			return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
				       "--vault-aws-region must be a region's name such as eu-west-1");
	return SEAL_OK;
}

/* Adds base64 of `raw`. */
static enum seal_status add_base64(json_t *body, const char *name, struct seal_bytes raw, struct seal_err *err)
{
	char *text = mem_alloc(BASE64_LEN(raw.len) + 1);
	enum seal_status rc;

	if (text == NULL)
		return err_memory(err);
	text[base64_encode(raw, text)] = '\0';
	rc = login_add(body, name, text, err);
	mem_wipe(text, BASE64_LEN(raw.len));
	mem_free(text);
	return rc;
}

/* {"Name": ["value"], …} */
static enum seal_status add_headers(json_t *body, const struct http_header *headers, size_t n, struct seal_err *err)
{
	json_t *all = json_object();
	char *text = NULL;
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n && rc == SEAL_OK; i++)
		if (json_object_set_new(all, headers[i].name, json_pack("[s]", headers[i].value)) != 0)
			rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "the signed header %s is not UTF-8 text",
				     headers[i].name);
	if (rc == SEAL_OK) {
		text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);
		rc = text != NULL ? add_base64(body, "iam_request_headers", bytes_str(text), err) : err_memory(err);
	}
	if (text != NULL)
		mem_wipe(text, strlen(text));
	free(text); /* jansson's */
	vault_json_free(all);
	return rc;
}

static enum seal_status signed_body(const struct vault_options *options, const struct aws_credentials *keys,
				    json_t *body, struct seal_err *err)
{
	struct http_header headers[HEADERS + 1] = {{"Content-Type", STS_TYPE}};
	struct sigv4_request request = {.method = "POST",
					.path = "/",
					.query = "",
					.headers = headers,
					.body = BYTES_LIT(STS_BODY),
					.service = "sts"};
	struct seal_buf authorization = BUF_INIT(1024);
	char host[128], url[160], time[SIGV4_TIME_SIZE];
	size_t n = 1;
	enum seal_status rc;

	aws_sts_host(options->aws_region, host, sizeof(host));
	snprintf(url, sizeof(url), "https://%s/", host);
	request.unix_s = clock_unix_ms() / 1000;
	request.region = options->aws_region != NULL ? options->aws_region : GLOBAL_REGION;
	sigv4_time(request.unix_s, time);
	headers[n++] = (struct http_header){"Host", host};
	headers[n++] = (struct http_header){"X-Amz-Date", time};
	if (keys->session_token.ptr != NULL)
		headers[n++] = (struct http_header){"X-Amz-Security-Token", (const char *)keys->session_token.ptr};
	if (options->aws_server_id != NULL)
		headers[n++] = (struct http_header){"X-Vault-AWS-IAM-Server-ID", options->aws_server_id};
	request.n_headers = n;
	SEAL_TRY(sigv4_sign(NULL, &request, (const char *)keys->access_key.ptr,
			    bytes_str((const char *)keys->secret_key.ptr), &authorization, err));
	SEAL_TRY(buf_append_u8(&authorization, 0, err));
	headers[n++] = (struct http_header){"Authorization", (const char *)authorization.ptr};
	SEAL_TRY(login_add(body, "role", options->role, err));
	SEAL_TRY(login_add(body, "iam_http_request_method", request.method, err));
	SEAL_TRY(add_base64(body, "iam_request_url", bytes_str(url), err));
	SEAL_TRY(add_base64(body, "iam_request_body", request.body, err));
	SEAL_TRY(add_headers(body, headers, n, err));
out:
	buf_clear(&authorization);
	return rc;
}

static enum seal_status login_once(const struct vault_login *login, struct vault_auth *out, struct seal_err *err)
{
	const struct aws_want want = {.region = login->options->aws_region};
	struct aws_credentials keys = {0};
	json_t *body = NULL;
	enum seal_status rc;

	SEAL_TRY(aws_credentials_find(&want, login->deadline_ms, &keys, err));
	SEAL_TRY(login_body(&body, err));
	SEAL_TRY(signed_body(login->options, &keys, body, err));
	SEAL_TRY(login_post(login, "aws", "login", NULL, body, out, err));
out:
	vault_json_free(body);
	aws_credentials_clear(&keys);
	return rc;
}

const struct vault_login_ops vault_login_aws = {
	.name = "aws",
	.remedy = "check --vault-role and the principals bound to it, --vault-aws-server-id, --vault-aws-region, and "
		  "this "
		  "machine's clock",
	.check = check,
	.login = login_once,
	.again = true,
};

/*
 * Roles: sts:AssumeRole and sts:AssumeRoleWithWebIdentity. JSON is asked for, which STS gives; stand-ins of it answer in XML, which
 * is taken, too.
 */
#include "aws/answer.h"
#include "aws/endpoint.h"
#include "aws/fetch.h"
#include "aws/sign.h"
#include "aws/source.h"
#include "aws/xml.h"
#include "base/clock.h"
#include "base/secret_file.h"

#define TOKEN_MAX 65536
#define FORM_MAX (4 * TOKEN_MAX)
#define GLOBAL_REGION "us-east-1"
#define FORM_TYPE "application/x-www-form-urlencoded; charset=utf-8"

void aws_sts_host(const char *region, char *out, size_t room)
{
	if (region == NULL)
		snprintf(out, room, "sts.amazonaws.com");
	else
		aws_service_host("sts", region, out, room);
}

/* The texts of XML's Credentials, until all are there. */
struct parts {
	struct secret access_key, secret_key, session_token;
	int64_t expires_s;
};

static enum seal_status xml_part(void *arg, const char *path, struct seal_bytes text, struct seal_err *err)
{
	struct parts *p = arg;

	if (text.len == 0)
		return SEAL_OK;
	if (aws_xml_ends(path, "Credentials/Expiration"))
		p->expires_s = aws_time_of(text);
	if (aws_xml_ends(path, "Credentials/AccessKeyId") && p->access_key.ptr == NULL)
		return secret_copy(&p->access_key, text, err);
	if (aws_xml_ends(path, "Credentials/SecretAccessKey") && p->secret_key.ptr == NULL)
		return secret_copy(&p->secret_key, text, err);
	if (aws_xml_ends(path, "Credentials/SessionToken") && p->session_token.ptr == NULL)
		return secret_copy(&p->session_token, text, err);
	return SEAL_OK;
}

static enum seal_status read_xml(struct seal_bytes body, struct aws_credentials *out, struct seal_err *err)
{
	struct parts p = {.access_key = SECRET_INIT, .secret_key = SECRET_INIT, .session_token = SECRET_INIT};
	enum seal_status rc;

	SEAL_TRY(aws_xml_read(body, xml_part, &p, err));
	SEAL_TRY(aws_credentials_set(secret_bytes(&p.access_key), secret_bytes(&p.secret_key),
				     secret_bytes(&p.session_token), "STS", out, err));
	out->expires_s = p.expires_s;
out:
	secret_clear(&p.access_key);
	secret_clear(&p.secret_key);
	secret_clear(&p.session_token);
	return rc;
}

/* {"AssumeRoleResponse": {"AssumeRoleResult": {"Credentials": {…}}}}, whichever role it is. */
static enum seal_status read_answer(struct seal_bytes body, struct aws_credentials *out, struct seal_err *err)
{
	static const char *const responses[] = {"AssumeRoleResponse", "AssumeRoleWithWebIdentityResponse"};
	static const char *const results[] = {"AssumeRoleResult", "AssumeRoleWithWebIdentityResult"};
	static const char *const credentials[] = {"Credentials"};
	static const struct aws_credential_names names = {"AccessKeyId", "SecretAccessKey", "SessionToken",
							  "Expiration"};
	struct json_value root, found[2], at;
	enum seal_status rc;

	if (body.len > 0 && body.ptr[0] == '<')
		return read_xml(body, out, err);
	if (json_value_of(body, &root, NULL) != SEAL_OK)
		return err_set(err, SEAL_DENIED, SEAL_E_SERVICE, "STS gives no answer with AWS credentials");
	json_members(&root, responses, 2, found);
	at = found[0].text.ptr != NULL ? found[0] : found[1];
	json_members(&at, results, 2, found);
	at = found[0].text.ptr != NULL ? found[0] : found[1];
	json_members(&at, credentials, 1, found);
	SEAL_TRY(aws_credentials_of(&found[0], &names, "STS", out, err));
out:
	return rc;
}

/* The form of both calls, without the token. */
static enum seal_status write_form(const char *action, const struct aws_role *role, struct seal_buf *out,
				   struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(aws_form_add(out, "Action", bytes_str(action), err));
	SEAL_TRY(aws_form_add(out, "Version", BYTES_LIT("2011-06-15"), err));
	SEAL_TRY(aws_form_add(out, "RoleArn", bytes_str(role->arn), err));
	SEAL_TRY(aws_form_add(out, "RoleSessionName",
			      role->session[0] != '\0' ? bytes_str(role->session) : BYTES_LIT("sealstream"), err));
	if (role->external_id[0] != '\0')
		SEAL_TRY(aws_form_add(out, "ExternalId", bytes_str(role->external_id), err));
	if (role->duration_s[0] != '\0')
		SEAL_TRY(aws_form_add(out, "DurationSeconds", bytes_str(role->duration_s), err));
out:
	return rc;
}

/* Without a region the global endpoint, which is in us-east-1. */
static enum seal_status find_sts(const struct aws_search *search, char *url, size_t room, struct aws_service *service,
				 struct seal_err *err)
{
	char host[AWS_HOST_MAX];

	service->name = "sts";
	service->region = search->region[0] != '\0' ? search->region : GLOBAL_REGION;
	if (!aws_endpoint_configured(search->files, search->profile, "sts", url, room)) {
		aws_sts_host(search->region[0] != '\0' ? search->region : NULL, host, sizeof(host));
		snprintf(url, room, "https://%s", host);
	}
	return aws_service_at(url, service, err);
}

/* One call: signed with `with`; NULL: as it is. */
static enum seal_status ask(const struct aws_search *search, struct seal_bytes form,
			    const struct aws_credentials *with, struct aws_credentials *out, struct seal_err *err)
{
	static const struct http_header plain[] = {{"Accept", "application/json"}, {"Content-Type", FORM_TYPE}};
	const struct aws_post post = {.content_type = FORM_TYPE, .accept = "application/json", .body = form};
	struct http_exchange exchange = {
		.method = "POST", .path = "/", .headers = plain, .n_headers = 2, .body = form};
	struct aws_signed headers = {.authorization = BUF_INIT(0)};
	char url[AWS_ENDPOINT_MAX];
	struct aws_service service;
	struct http_config config;
	enum seal_status rc;

	SEAL_TRY(find_sts(search, url, sizeof(url), &service, err));
	config = aws_fetch_remote(url, search->ca_file);
	if (with != NULL) {
		SEAL_TRY(aws_sign(NULL, &service, with, &post, clock_unix_ms() / 1000, &headers, err));
		exchange.headers = headers.headers;
		exchange.n_headers = headers.n;
	}
	SEAL_TRY(aws_fetch(&config, &exchange, search->deadline_ms, err));
	SEAL_TRY(read_answer(buf_bytes(&exchange.answer), out, err));
out:
	http_exchange_clear(&exchange);
	aws_signed_clear(&headers);
	return rc;
}

enum seal_status aws_assume_role(const struct aws_search *search, const struct aws_role *role,
				 const struct aws_credentials *with, struct aws_credentials *out,
				 struct seal_err *err)
{
	struct seal_buf form = BUF_INIT(FORM_MAX);
	enum seal_status rc;

	SEAL_TRY(write_form("AssumeRole", role, &form, err));
	SEAL_TRY(ask(search, buf_bytes(&form), with, out, err));
out:
	buf_clear(&form);
	return rc;
}

enum seal_status aws_assume_with_token(const struct aws_search *search, const struct aws_role *role,
				       struct aws_credentials *out, struct seal_err *err)
{
	struct seal_buf form = BUF_INIT(FORM_MAX);
	struct secret raw = SECRET_INIT, token = SECRET_INIT;
	enum seal_status rc;

	SEAL_TRY(secret_read_file(role->token_file, TOKEN_MAX, false, &raw, err));
	SEAL_TRY(secret_text(secret_bytes(&raw), SECRET_SPACE, role->token_file, &token, err));
	SEAL_TRY(write_form("AssumeRoleWithWebIdentity", role, &form, err));
	SEAL_TRY(aws_form_add(&form, "WebIdentityToken", bytes_str((const char *)token.ptr), err));
	SEAL_TRY(ask(search, buf_bytes(&form), NULL, out, err));
out:
	secret_clear(&raw);
	secret_clear(&token);
	buf_clear(&form);
	return rc;
}

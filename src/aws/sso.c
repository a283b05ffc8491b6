/*
 * IAM Identity Center: `aws sso login` leaves a token in ~/.aws/sso/cache, in a file whose name is the SHA-1 of the session's name
 * (sso_session) or, in the older form, of the start URL (sso_token.c). It gives the keys of one role of one account.
 */
#include <ctype.h>

#include "aws/answer.h"
#include "aws/endpoint.h"
#include "aws/fetch.h"
#include "aws/source.h"
#include "aws/sso_token.h"
#include "base/encode.h"
#include "crypto/digest.h"

struct sso {
	char session[AWS_NAME_MAX], url[1024], region[AWS_REGION_MAX], account[32], role[AWS_NAME_MAX];
	char cache[AWS_PATH_MAX + 80];
};

static bool take(struct seal_bytes text, char *out, size_t room)
{
	if (text.len == 0 || text.len >= room)
		return false;
	snprintf(out, room, "%.*s", (int)text.len, (const char *)text.ptr);
	return true;
}

static enum seal_status read_settings(const struct aws_search *search, const char *profile, struct sso *sso,
				      struct seal_err *err)
{
	const struct aws_files *files = search->files;
	enum aws_section where = AWS_SECTION_PROFILE;
	const char *name = profile;

	if (take(aws_files_value(files, AWS_SECTION_PROFILE, profile, "sso_session", NULL), sso->session,
		 sizeof(sso->session))) {
		where = AWS_SECTION_SSO_SESSION;
		name = sso->session;
	}
	if (!take(aws_files_value(files, where, name, "sso_start_url", NULL), sso->url, sizeof(sso->url)) ||
	    !take(aws_files_value(files, where, name, "sso_region", NULL), sso->region, sizeof(sso->region)) ||
	    !take(aws_files_value(files, AWS_SECTION_PROFILE, profile, "sso_account_id", NULL), sso->account,
		  sizeof(sso->account)) ||
	    !take(aws_files_value(files, AWS_SECTION_PROFILE, profile, "sso_role_name", NULL), sso->role,
		  sizeof(sso->role)))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "the AWS profile %.60s needs sso_start_url, sso_region, sso_account_id and "
			       "sso_role_name",
			       profile);
	if (sso->region[strspn(sso->region, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0')
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "the AWS profile %.60s has an sso_region that is none",
			       profile);
	return SEAL_OK;
}

static enum seal_status cache_path(struct sso *sso, struct seal_err *err)
{
	const char *home = aws_variable("HOME");
	uint8_t digest[SHA1_LEN];
	char hex[2 * SHA1_LEN];
	enum seal_status rc;

	SEAL_TRY(sha1(bytes_str(sso->session[0] != '\0' ? sso->session : sso->url), digest, err));
	hex_encode(bytes_of(digest, sizeof(digest)), hex);
	snprintf(sso->cache, sizeof(sso->cache), "%.*s/.aws/sso/cache/%.*s.json", AWS_PATH_MAX,
		 home != NULL ? home : "", (int)sizeof(hex), hex);
out:
	return rc;
}

static enum seal_status logged_out(const char *profile, struct seal_err *err)
{
	err_clear(err);
	return err_set(err, SEAL_DENIED, SEAL_E_DENIED,
		       "there is no valid SSO session of the AWS profile %.60s: `aws sso login --profile %.60s`",
		       profile, profile);
}

static enum seal_status ask(const struct aws_search *search, const struct sso *sso, const struct secret *token,
			    struct http_exchange *exchange, struct seal_err *err)
{
	const struct http_header header = {"x-amz-sso_bearer_token", (const char *)token->ptr};
	struct seal_buf query = BUF_INIT(4096), path = BUF_INIT(4096);
	char url[AWS_ENDPOINT_MAX], host[256];
	struct http_config config;
	enum seal_status rc;

	if (!aws_endpoint_configured(search->files, search->profile, "sso", url, sizeof(url))) {
		aws_service_host("portal.sso", sso->region, host, sizeof(host));
		snprintf(url, sizeof(url), "https://%s", host);
	}
	config = aws_fetch_remote(url, search->ca_file);
	SEAL_TRY(aws_form_add(&query, "role_name", bytes_str(sso->role), err));
	SEAL_TRY(aws_form_add(&query, "account_id", bytes_str(sso->account), err));
	SEAL_TRY(buf_printf(&path, err, "/federation/credentials?%.*s", (int)query.len, (const char *)query.ptr));
	SEAL_TRY(buf_append_u8(&path, 0, err));
	exchange->method = "GET";
	exchange->path = (const char *)path.ptr;
	exchange->headers = &header;
	exchange->n_headers = 1;
	SEAL_TRY(aws_fetch(&config, exchange, search->deadline_ms, err));
out:
	buf_clear(&query);
	buf_clear(&path);
	return rc;
}

enum seal_status aws_from_sso(const struct aws_search *search, const char *profile, struct aws_credentials *out,
			      struct seal_err *err)
{
	static const char *const credentials[] = {"roleCredentials"};
	static const struct aws_credential_names names = {"accessKeyId", "secretAccessKey", "sessionToken",
							  "expiration"};
	struct http_exchange exchange = {0};
	struct secret token = SECRET_INIT;
	struct json_value root, found;
	struct sso sso;
	enum seal_status rc;

	memset(&sso, 0, sizeof(sso));
	SEAL_TRY(read_settings(search, profile, &sso, err));
	SEAL_TRY(cache_path(&sso, err));
	rc = aws_sso_token(search, sso.cache, sso.region, sso.session[0] != '\0', &token, err);
	if (rc == SEAL_DENIED)
		rc = logged_out(profile, err);
	if (rc != SEAL_OK)
		goto out;
	rc = ask(search, &sso, &token, &exchange, err);
	if (exchange.status == 401)
		rc = logged_out(profile, err);
	if (rc != SEAL_OK)
		goto out;
	if (json_value_of(buf_bytes(&exchange.answer), &root, NULL) != SEAL_OK) {
		rc = err_set(err, SEAL_DENIED, SEAL_E_SERVICE, "SSO gives no answer with AWS credentials");
		goto out;
	}
	json_members(&root, credentials, 1, &found);
	SEAL_TRY(aws_credentials_of(&found, &names, "SSO", out, err));
out:
	http_exchange_clear(&exchange);
	secret_clear(&token);
	return rc;
}

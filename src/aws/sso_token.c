/*
 * Tokens of IAM Identity Center, as the AWS CLI and the SDKs keep them:
 *
 *   {"accessToken":…,"expiresAt":"2026-11-22T23:54:16Z","refreshToken":…,"clientId":…,"clientSecret":…,"registrationExpiresAt":…, …}
 *
 *   valid for more than RENEW_S ──▶ used
 *   else POST /token {"grantType":"refresh_token", …} ──▶ {"accessToken":…,"expiresIn":28800,"refreshToken":…} ──▶ used, and the file replaced
 *
 * What else stands in the file is kept as it is.
 */
#include "aws/sso_token.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "aws/answer.h"
#include "aws/endpoint.h"
#include "aws/fetch.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret_file.h"
#include "json/string.h"

#define CACHE_MAX 262144
#define BODY_MAX 65536
#define RENEW_S 900 /* before its end */
#define CACHE_MODE 0600

enum { ACCESS, EXPIRES, REFRESH, CLIENT_ID, CLIENT_SECRET, REGISTERED, MEMBERS };

static const char *const members[MEMBERS] = {"accessToken", "expiresAt",    "refreshToken",
					     "clientId",    "clientSecret", "registrationExpiresAt"};

struct cached {
	struct secret text; /* of the file */
	struct json_value root;
	struct seal_bytes values[MEMBERS]; /* empty: not there */
	struct arena arena; /* wiped */
	int64_t now_s, expires_s;
};

static enum seal_status none(struct seal_err *err)
{
	err_clear(err);
	return err_set(err, SEAL_DENIED, SEAL_E_DENIED, "there is no valid SSO token");
}

static enum seal_status read_cache(const char *path, struct cached *c, struct seal_err *err)
{
	struct json_value found[MEMBERS];
	enum seal_status rc = secret_read_file(path, CACHE_MAX, false, &c->text, err);

	if (rc == SEAL_FATAL)
		return rc;
	if (rc != SEAL_OK || json_value_of(secret_bytes(&c->text), &c->root, NULL) != SEAL_OK)
		return none(err);
	json_members(&c->root, members, MEMBERS, found);
	for (size_t i = 0; i < MEMBERS; i++)
		SEAL_TRY(json_value_string(&found[i], &c->arena, &c->values[i], err));
	c->expires_s = aws_time_of(c->values[EXPIRES]);
out:
	return rc;
}

static bool is_valid(const struct cached *c)
{
	return c->values[ACCESS].len > 0 && c->expires_s > c->now_s;
}

static bool is_renewable(const struct cached *c)
{
	return c->values[REFRESH].len > 0 && c->values[CLIENT_ID].len > 0 && c->values[CLIENT_SECRET].len > 0 &&
	       (c->values[REGISTERED].len == 0 || aws_time_of(c->values[REGISTERED]) > c->now_s);
}

/* ---- asking ---- */

static enum seal_status add(struct seal_buf *out, const char *name, struct seal_bytes value, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_printf(out, err, "%s\"%s\": ", out->len == 0 ? "{" : ", ", name));
	SEAL_TRY(json_string_append(out, value, err));
out:
	return rc;
}

static enum seal_status create_token(const struct aws_search *search, const char *region, const struct cached *c,
				     struct http_exchange *exchange, struct seal_err *err)
{
	static const struct http_header type = {"Content-Type", "application/json"};
	struct seal_buf body = BUF_INIT(BODY_MAX);
	char url[AWS_ENDPOINT_MAX], host[256];
	struct http_config config;
	enum seal_status rc;

	if (!aws_endpoint_configured(search->files, search->profile, "sso_oidc", url, sizeof(url))) {
		aws_service_host("oidc", region, host, sizeof(host));
		snprintf(url, sizeof(url), "https://%s", host);
	}
	config = aws_fetch_remote(url, search->ca_file);
	SEAL_TRY(add(&body, "grantType", BYTES_LIT("refresh_token"), err));
	SEAL_TRY(add(&body, "clientId", c->values[CLIENT_ID], err));
	SEAL_TRY(add(&body, "clientSecret", c->values[CLIENT_SECRET], err));
	SEAL_TRY(add(&body, "refreshToken", c->values[REFRESH], err));
	SEAL_TRY(buf_append_u8(&body, '}', err));
	exchange->method = "POST";
	exchange->path = "/token";
	exchange->headers = &type;
	exchange->n_headers = 1;
	exchange->body = buf_bytes(&body);
	SEAL_TRY(aws_fetch(&config, exchange, search->deadline_ms, err));
out:
	buf_clear(&body);
	exchange->body = BYTES_EMPTY;
	return rc;
}

/* Takes the place of the old one in `c`. */
static enum seal_status read_answer(struct seal_bytes answer, struct cached *c, struct seal_err *err)
{
	static const char *const names[] = {"accessToken", "expiresIn", "refreshToken"};
	struct json_value root, found[3];
	struct seal_bytes access, refresh;
	uint64_t life_s;
	enum seal_status rc;

	if (json_value_of(answer, &root, NULL) != SEAL_OK)
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the OIDC service gives no JSON");
	json_members(&root, names, 3, found);
	SEAL_TRY(json_value_string(&found[0], &c->arena, &access, err));
	SEAL_TRY(json_value_string(&found[2], &c->arena, &refresh, err));
	if (access.len == 0 || !json_value_is(&found[1], JSON_NUMBER) ||
	    !bytes_to_u64(found[1].text, UINT32_MAX, &life_s) || life_s == 0)
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the OIDC service gives no token");
	c->values[ACCESS] = arena_copy(&c->arena, access); /* the answer goes */
	c->values[REFRESH] = arena_copy(&c->arena, refresh.len > 0 ? refresh : c->values[REFRESH]);
	c->expires_s = c->now_s + (int64_t)life_s;
	if (c->values[ACCESS].ptr == NULL || c->values[REFRESH].ptr == NULL)
		rc = err_memory(err);
out:
	return rc;
}

/* ---- the file ---- */

/* All of the old one but what has changed. */
static enum seal_status copy_others(const struct json_value *root, struct seal_buf *out, struct seal_err *err)
{
	struct json_items items;
	struct json_value value;
	enum seal_status rc = SEAL_OK;

	json_items(root, &items);
	while (json_item_next(&items, &value)) {
		const char *quote = value.type == JSON_STRING ? "\"" : "";

		if (bytes_eq_str(items.name.text, members[ACCESS]) ||
		    bytes_eq_str(items.name.text, members[EXPIRES]) ||
		    bytes_eq_str(items.name.text, members[REFRESH]))
			continue;
		SEAL_TRY(buf_append_str(out, out->len == 0 ? "{\"" : ", \"", err));
		SEAL_TRY(buf_append(out, items.name.text, err));
		SEAL_TRY(buf_printf(out, err, "\": %s", quote));
		SEAL_TRY(buf_append(out, value.text, err));
		SEAL_TRY(buf_append_str(out, quote, err));
	}
out:
	return rc;
}

static enum seal_status write_cache(const char *path, const struct cached *c, struct seal_err *err)
{
	const char *slash = strrchr(path, '/');
	struct seal_buf text = BUF_INIT(CACHE_MAX + BODY_MAX);
	const time_t end = (time_t)c->expires_s;
	char folder[AWS_PATH_MAX + 80], when[40] = "";
	struct tm tm;
	int fd;
	enum seal_status rc;

	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, SEAL_DENIED, SEAL_E_IO, errno, "%s", folder);
	if (gmtime_r(&end, &tm) != NULL)
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	SEAL_TRY(copy_others(&c->root, &text, err));
	SEAL_TRY(add(&text, members[ACCESS], c->values[ACCESS], err));
	SEAL_TRY(add(&text, members[EXPIRES], bytes_str(when), err));
	SEAL_TRY(add(&text, members[REFRESH], c->values[REFRESH], err));
	SEAL_TRY(buf_append_str(&text, "}\n", err));
	SEAL_TRY(file_replace_at(fd, slash + 1, buf_bytes(&text), CACHE_MODE, path, err));
out:
	close(fd);
	buf_clear(&text);
	return rc;
}

/* ---- the token ---- */

static enum seal_status renew(const struct aws_search *search, const char *path, const char *region, struct cached *c,
			      struct seal_err *err)
{
	struct http_exchange exchange = {0};
	struct seal_err own = SEAL_ERR_INIT;
	enum seal_status rc;

	SEAL_TRY(create_token(search, region, c, &exchange, err));
	SEAL_TRY(read_answer(buf_bytes(&exchange.answer), c, err));
	if (write_cache(path, c, &own) != SEAL_OK)
		log_say(LOG_WARNING, "the SSO token is renewed, but not kept for others: %s", own.text);
out:
	http_exchange_clear(&exchange);
	return rc;
}

static enum seal_status renew_if_due(const struct aws_search *search, const char *path, const char *region,
				     struct cached *c, struct seal_err *err)
{
	struct seal_err own = SEAL_ERR_INIT;
	enum seal_status rc;

	if ((is_valid(c) && c->expires_s - c->now_s > RENEW_S) || !is_renewable(c))
		return SEAL_OK;
	rc = renew(search, path, region, c, &own);
	if (rc == SEAL_OK || rc == SEAL_DENIED)
		return SEAL_OK; /* a refused one: what there is decides */
	if (rc != SEAL_FATAL && is_valid(c)) {
		log_say(LOG_WARNING, "the SSO token is not renewed yet, the old one is still valid: %s", own.text);
		return SEAL_OK;
	}
	if (err != NULL)
		*err = own;
	return rc;
}

enum seal_status aws_sso_token(const struct aws_search *search, const char *path, const char *region, bool renews,
			       struct secret *token, struct seal_err *err)
{
	struct cached c = {.text = SECRET_INIT, .now_s = clock_unix_ms() / 1000};
	enum seal_status rc;

	arena_init(&c.arena, 0);
	SEAL_TRY(read_cache(path, &c, err));
	if (renews)
		SEAL_TRY(renew_if_due(search, path, region, &c, err));
	if (!is_valid(&c)) {
		rc = none(err);
		goto out;
	}
	SEAL_TRY(secret_text(c.values[ACCESS], SECRET_SPACE, path, token, err));
	SEAL_TRY(secret_token_check((const char *)token->ptr, path, err));
out:
	arena_clear(&c.arena);
	secret_clear(&c.text);
	return rc;
}

/*
 * Credential files.
 *
 *   {"type":"service_account","project_id":…,"private_key_id":…,"private_key":"-----BEGIN PRIVATE KEY-----\n…","client_email":…}
 *   {"type":"authorized_user","client_id":…,"client_secret":…,"refresh_token":…,"quota_project_id":…}
 *
 * Invariant: secrets go from the file's text, which is secret memory, to secret memory; the arena has what may be shown.
 */
#include "google/credentials.h"

#include <unistd.h>

#include "base/mem.h"
#include "base/secret_file.h"
#include "json/string.h"
#include "json/value.h"

#define TOKEN_URI "https://oauth2.googleapis.com/token"
#define UNIVERSE "googleapis.com"

enum field {
	TYPE,
	PROJECT,
	QUOTA_PROJECT,
	UNIVERSE_DOMAIN,
	EMAIL,
	KEY_ID,
	PRIVATE_KEY,
	CLIENT_ID,
	CLIENT_SECRET,
	REFRESH_TOKEN,
	URI,
	FIELDS
};

static const char *const names[FIELDS] = {"type",	   "project_id",     "quota_project_id", "universe_domain",
					  "client_email",  "private_key_id", "private_key",	 "client_id",
					  "client_secret", "refresh_token",  "token_uri"};

void credentials_init(struct google_credentials *c)
{
	memset(c, 0, sizeof(*c));
	arena_init(&c->arena, 0);
}

void credentials_clear(struct google_credentials *c)
{
	rsa_key_clear(&c->key);
	secret_clear(&c->client_secret);
	secret_clear(&c->refresh_token);
	arena_clear(&c->arena);
	credentials_init(c);
}

static enum seal_status bad_file(const char *source, const char *what, struct seal_err *err)
{
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s: %s", source, what);
}

/* NULL in *out: it is not there, or empty. */
static enum seal_status take_text(const struct json_value *value, struct arena *arena, const char **out,
				  struct seal_err *err)
{
	struct seal_bytes text;
	enum seal_status rc = json_value_string(value, arena, &text, err);

	*out = NULL;
	if (rc != SEAL_OK || text.len == 0)
		return rc;
	if (memchr(text.ptr, '\0', text.len) != NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "a text of it has a zero byte");
	*out = arena_strndup(arena, (const char *)text.ptr, text.len);
	return *out != NULL ? SEAL_OK : err_memory(err);
}

static enum seal_status need_text(const struct json_value *values, enum field field, struct google_credentials *c,
				  const char **out, struct seal_err *err)
{
	enum seal_status rc = take_text(&values[field], &c->arena, out, err);

	if (rc == SEAL_OK && *out == NULL)
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s: it has no \"%s\"; fetch the file anew", c->source,
			     names[field]);
	return rc;
}

/* The text, with a zero byte behind it, in secret memory. */
static enum seal_status need_secret(const struct json_value *values, enum field field,
				    const struct google_credentials *c, struct secret *out, struct seal_err *err)
{
	const struct json_value *value = &values[field];
	struct secret text = SECRET_INIT;
	size_t len;
	enum seal_status rc;

	if (!json_value_is(value, JSON_STRING) || value->text.len == 0)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s: it has no \"%s\"; fetch the file anew", c->source,
			       names[field]);
	SEAL_TRY(secret_alloc(&text, value->text.len + 1, err));
	if (!json_string_decode_to(value->text, text.ptr, &len) || memchr(text.ptr, '\0', len) != NULL) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s: its \"%s\" is no text", c->source, names[field]);
		goto out;
	}
	*out = text;
	text = (struct secret)SECRET_INIT;
out:
	secret_clear(&text);
	return rc;
}

static enum seal_status read_service_account(const struct json_value *values, struct google_credentials *c,
					     struct seal_err *err)
{
	struct secret pem = SECRET_INIT;
	enum seal_status rc;

	c->kind = CREDENTIALS_SERVICE_ACCOUNT;
	SEAL_TRY(need_text(values, EMAIL, c, &c->email, err));
	SEAL_TRY(take_text(&values[KEY_ID], &c->arena, &c->key_id, err));
	SEAL_TRY(take_text(&values[PROJECT], &c->arena, &c->project, err));
	SEAL_TRY(need_secret(values, PRIVATE_KEY, c, &pem, err));
	rc = rsa_key_read(secret_bytes(&pem), &c->key, err);
	if (rc == SEAL_USAGE)
		err_prefix(err, "%s", c->source);
out:
	secret_clear(&pem);
	return rc;
}

static enum seal_status read_user(const struct json_value *values, struct google_credentials *c, struct seal_err *err)
{
	enum seal_status rc;

	c->kind = CREDENTIALS_USER;
	SEAL_TRY(need_text(values, CLIENT_ID, c, &c->client_id, err));
	SEAL_TRY(need_secret(values, CLIENT_SECRET, c, &c->client_secret, err));
	SEAL_TRY(need_secret(values, REFRESH_TOKEN, c, &c->refresh_token, err));
	SEAL_TRY(take_text(&values[URI], &c->arena, &c->token_uri, err));
	if (c->token_uri == NULL)
		c->token_uri = TOKEN_URI;
out:
	return rc;
}

static enum seal_status other_type(const char *type, const char *source, struct seal_err *err)
{
	if (strcmp(type, "external_account") == 0 || strcmp(type, "external_account_authorized_user") == 0 ||
	    strcmp(type, "impersonated_service_account") == 0)
		return err_set(
			err, SEAL_USAGE, SEAL_E_CONFIG,
			"%s is for an %s, which sealstream does not take; give the key of a service account or "
			"an authorized user's file, or run where a metadata server is",
			source, type);
	return bad_file(source, "its \"type\" is neither service_account nor authorized_user", err);
}

static enum seal_status read_values(const struct json_value *values, struct google_credentials *c,
				    struct seal_err *err)
{
	const char *type, *universe;
	enum seal_status rc;

	SEAL_TRY(take_text(&values[TYPE], &c->arena, &type, err));
	SEAL_TRY(take_text(&values[UNIVERSE_DOMAIN], &c->arena, &universe, err));
	SEAL_TRY(take_text(&values[QUOTA_PROJECT], &c->arena, &c->quota_project, err));
	if (universe != NULL && strcmp(universe, UNIVERSE) != 0)
		return bad_file(c->source, "its \"universe_domain\" is not " UNIVERSE ", the only one known here",
				err);
	if (type != NULL && strcmp(type, "service_account") == 0)
		rc = read_service_account(values, c, err);
	else if (type != NULL && strcmp(type, "authorized_user") == 0)
		rc = read_user(values, c, err);
	else
		rc = other_type(type != NULL ? type : "", c->source, err);
out:
	return rc;
}

enum seal_status credentials_read(struct seal_bytes text, const char *source, struct google_credentials *out,
				  struct seal_err *err)
{
	struct json_value document, values[FIELDS];
	struct seal_err own = SEAL_ERR_INIT;
	enum seal_status rc;

	credentials_init(out);
	out->source = arena_strndup(&out->arena, source, strlen(source));
	if (out->source == NULL)
		return err_memory(err);
	rc = json_value_of(text, &document, &own);
	if (rc == SEAL_DATA || (rc == SEAL_OK && document.type != JSON_OBJECT)) {
		rc = bad_file(source, "it is no JSON object, so no file of credentials", err);
	} else if (rc == SEAL_OK) {
		json_members(&document, names, FIELDS, values);
		rc = read_values(values, out, &own);
		if (rc == SEAL_DATA) /* a lone surrogate */
			rc = bad_file(source, "a text of it is no Unicode", err);
	}
	if (rc != SEAL_OK) {
		credentials_clear(out);
		if (own.status == rc && err != NULL && err->status == SEAL_OK)
			*err = own;
	}
	return rc;
}

/* gcloud's own file. NULL in *out: there is no home either. */
static enum seal_status default_file(struct arena *arena, const char **out, struct seal_err *err)
{
	static const char name[] = "application_default_credentials.json";
	const char *folder = getenv("CLOUDSDK_CONFIG"), *home = getenv("HOME");

	*out = NULL;
	if (folder != NULL && *folder != '\0')
		*out = arena_printf(arena, "%s/%s", folder, name);
	else if (home != NULL && *home != '\0')
		*out = arena_printf(arena, "%s/.config/gcloud/%s", home, name);
	else
		return SEAL_OK;
	return *out != NULL ? SEAL_OK : err_memory(err);
}

static enum seal_status read_file(const char *path, struct google_credentials *out, struct seal_err *err)
{
	struct secret text = SECRET_INIT;
	enum seal_status rc;

	SEAL_TRY(secret_read_file(path, CREDENTIALS_FILE_MAX, false, &text, err));
	SEAL_TRY(credentials_read(secret_bytes(&text), path, out, err));
out:
	secret_clear(&text);
	return rc;
}

enum seal_status credentials_find(const char *file, struct google_credentials *out,
				  char places[CREDENTIALS_PLACES_MAX], struct seal_err *err)
{
	struct arena arena;
	const char *path = file;
	enum seal_status rc = SEAL_OK;

	arena_init(&arena, 0);
	credentials_init(out);
	places[0] = '\0';
	if (path == NULL || *path == '\0')
		path = getenv("GOOGLE_APPLICATION_CREDENTIALS");
	if (path != NULL && *path != '\0') {
		rc = read_file(path, out, err);
		if (rc != SEAL_OK && err != NULL && err->code == SEAL_E_NO_INPUT)
			err->status = rc = SEAL_DENIED;
		if (rc != SEAL_OK && path != file)
			err_prefix(err, "GOOGLE_APPLICATION_CREDENTIALS");
		goto out;
	}
	SEAL_TRY(default_file(&arena, &path, err));
	if (path != NULL && access(path, F_OK) == 0)
		SEAL_TRY(read_file(path, out, err));
	else
		snprintf(places, CREDENTIALS_PLACES_MAX,
			 "GOOGLE_APPLICATION_CREDENTIALS is not set, %s does not exist",
			 path != NULL ? path : "and without HOME gcloud's own file");
out:
	arena_clear(&arena);
	return rc;
}

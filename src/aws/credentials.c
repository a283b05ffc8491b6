/* The search for credentials, and what its sources share. */
#include "aws/credentials.h"

#include "aws/answer.h"
#include "aws/source.h"
#include "base/secret_file.h"

void aws_credentials_clear(struct aws_credentials *credentials)
{
	secret_clear(&credentials->access_key);
	secret_clear(&credentials->secret_key);
	secret_clear(&credentials->session_token);
	credentials->expires_s = 0;
	credentials->of_instance = false;
}

enum seal_status aws_credentials_set(struct seal_bytes access_key, struct seal_bytes secret_key,
				     struct seal_bytes session_token, const char *source, struct aws_credentials *out,
				     struct seal_err *err)
{
	enum seal_status rc;

	if (access_key.len == 0 || secret_key.len == 0)
		return err_set(err, SEAL_DENIED, SEAL_E_CONFIG, "%s gives no AWS access key and secret key", source);
	SEAL_TRY(secret_text(access_key, SECRET_SPACE, source, &out->access_key, err));
	SEAL_TRY(secret_text(secret_key, SECRET_SPACE, source, &out->secret_key, err));
	if (session_token.len > 0)
		SEAL_TRY(secret_text(session_token, SECRET_SPACE, source, &out->session_token, err));
	SEAL_TRY(secret_token_check((const char *)out->access_key.ptr, source, err));
out:
	if (rc != SEAL_OK)
		aws_credentials_clear(out);
	return rc;
}

enum seal_status aws_credentials_of(const struct json_value *object, const struct aws_credential_names *names,
				    const char *source, struct aws_credentials *out, struct seal_err *err)
{
	const char *const list[] = {names->access_key, names->secret_key, names->session_token, names->expiration};
	struct json_value found[4];
	struct seal_bytes text[4] = {BYTES_EMPTY, BYTES_EMPTY, BYTES_EMPTY, BYTES_EMPTY};
	struct arena arena;
	uint64_t ms = 0;
	enum seal_status rc = SEAL_OK;

	arena_init(&arena, 0);
	json_members(object, list, 4, found);
	for (size_t i = 0; i < 4; i++)
		SEAL_TRY(json_value_string(&found[i], &arena, &text[i], err));
	SEAL_TRY(aws_credentials_set(text[0], text[1], text[2], source, out, err));
	if (json_value_is(&found[3], JSON_NUMBER) && bytes_to_u64(found[3].text, INT64_MAX, &ms))
		out->expires_s = (int64_t)(ms / 1000);
	else
		out->expires_s = aws_time_of(text[3]);
out:
	arena_clear(&arena);
	return rc;
}

static struct seal_bytes text_of(const char *name)
{
	const char *text = aws_variable(name);

	return text != NULL ? bytes_str(text) : BYTES_EMPTY;
}

enum seal_status aws_from_environment(bool *found, struct aws_credentials *out, struct seal_err *err)
{
	*found = aws_variable("AWS_ACCESS_KEY_ID") != NULL;
	if (!*found)
		return SEAL_OK;
	return aws_credentials_set(text_of("AWS_ACCESS_KEY_ID"), text_of("AWS_SECRET_ACCESS_KEY"),
				   text_of("AWS_SESSION_TOKEN"), "the environment (AWS_SECRET_ACCESS_KEY)", out, err);
}

static enum seal_status from_web_identity(const struct aws_search *search, const char *file, const char *arn,
					  struct aws_credentials *out, struct seal_err *err)
{
	const char *session = aws_variable("AWS_ROLE_SESSION_NAME");
	struct aws_role role = {{0}, {0}, {0}, {0}, {0}};
	enum seal_status rc;

	snprintf(role.arn, sizeof(role.arn), "%s", arn);
	snprintf(role.session, sizeof(role.session), "%s", session != NULL ? session : "");
	snprintf(role.token_file, sizeof(role.token_file), "%s", file);
	rc = aws_assume_with_token(search, &role, out, err);
	if (rc != SEAL_OK)
		err_prefix(err, "AWS web identity (AWS_WEB_IDENTITY_TOKEN_FILE)");
	return rc;
}

static enum seal_status nowhere(const struct aws_search *search, struct seal_err *err)
{
	err_clear(err);
	return err_set(err, SEAL_DENIED, SEAL_E_DENIED,
		       "there are no AWS credentials: not in the environment (AWS_ACCESS_KEY_ID), not in the profile "
		       "%.60s of %.100s and %.100s, and neither a container's endpoint nor instance metadata answers",
		       search->profile, search->files->config_path, search->files->credentials_path);
}

/* What is away answers later only where somebody has said that it is there, or it has answered before. */
static enum seal_status from_machine(const struct aws_search *search, struct aws_credentials *out,
				     struct seal_err *err)
{
	enum seal_status rc;
	bool found;

	rc = aws_from_container(search, &found, out, err);
	if (rc != SEAL_OK || found)
		return rc;
	if (!aws_variable_true("AWS_EC2_METADATA_DISABLED"))
		rc = aws_from_instance(search, out, err);
	out->of_instance = out->access_key.ptr != NULL;
	if (rc == SEAL_RETRY && (search->again || (err != NULL && err->code == SEAL_E_BUSY)))
		return rc;
	return rc == SEAL_FATAL || (rc == SEAL_OK && out->access_key.ptr != NULL) ? rc : nowhere(search, err);
}

static enum seal_status find(const struct aws_search *search, bool given, struct aws_credentials *out,
			     struct seal_err *err)
{
	const char *token_file = aws_variable("AWS_WEB_IDENTITY_TOKEN_FILE"), *role = aws_variable("AWS_ROLE_ARN");
	enum seal_status rc = SEAL_OK;
	bool found = false;

	if (!given) {
		rc = aws_from_environment(&found, out, err);
		if (rc != SEAL_OK || found)
			return rc;
		if (token_file != NULL && role != NULL)
			return from_web_identity(search, token_file, role, out, err);
	}
	if ((given || aws_variable("AWS_PROFILE") != NULL) &&
	    !aws_files_has(search->files, AWS_SECTION_PROFILE, search->profile))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "there is no profile %.60s in %.100s or %.100s (AWS_PROFILE)", search->profile,
			       search->files->config_path, search->files->credentials_path);
	rc = aws_from_profile(search, &found, out, err);
	return rc != SEAL_OK || found ? rc : from_machine(search, out, err);
}

enum seal_status aws_credentials_find(const struct aws_want *want, uint64_t deadline_ms, struct aws_credentials *out,
				      struct seal_err *err)
{
	const char *profile = want->profile != NULL ? want->profile : aws_variable("AWS_PROFILE");
	const char *region = want->region != NULL ? want->region : aws_variable("AWS_REGION");
	struct aws_search search = {.profile = profile != NULL ? profile : "default",
				    .ca_file = want->ca_file != NULL ? want->ca_file : aws_variable("AWS_CA_BUNDLE"),
				    .again = want->again,
				    .deadline_ms = deadline_ms};
	struct aws_files files;
	struct seal_bytes own;
	enum seal_status rc;

	SEAL_TRY(aws_files_read(&files, err));
	search.files = &files;
	if (region == NULL)
		region = aws_variable("AWS_DEFAULT_REGION");
	own = region != NULL ? bytes_str(region)
			     : aws_files_value(&files, AWS_SECTION_PROFILE, search.profile, "region", NULL);
	snprintf(search.region, sizeof(search.region), "%.*s", BYTES_FMT(own));
	rc = find(&search, want->profile != NULL, out, err);
	aws_files_clear(&files);
out:
	return rc;
}

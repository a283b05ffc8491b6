/*
 * Credentials of a profile: its role (from another profile, a web identity token, or the machine), SSO, or keys that stand there.
 * Profiles that lead to each other are a chain: its first link gives keys, and each one behind it is a role taken with them.
 *
 *   [profile a] role_arn, source_profile = b ──▶ [profile b] role_arn, source_profile = c ──▶ [profile c] keys
 */
#include "aws/source.h"

#define CHAIN_MAX 8

static struct seal_bytes value(const struct aws_search *search, const char *profile, const char *key)
{
	return aws_files_value(search->files, AWS_SECTION_PROFILE, profile, key, NULL);
}

/* Copies a value that is no secret; SEAL_USAGE: it is longer than such a value can be. */
static enum seal_status copy(const struct aws_search *search, const char *profile, const char *key, char *out,
			     size_t room, struct seal_err *err)
{
	struct seal_bytes text = value(search, profile, key);

	if (text.len >= room)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "the AWS profile %.60s has a %s that is too long",
			       profile, key);
	snprintf(out, room, "%.*s", (int)text.len, text.len > 0 ? (const char *)text.ptr : "");
	return SEAL_OK;
}

static enum seal_status role_of(const struct aws_search *search, const char *profile, struct aws_role *role,
				struct seal_err *err)
{
	enum seal_status rc;

	memset(role, 0, sizeof(*role));
	SEAL_TRY(copy(search, profile, "role_arn", role->arn, sizeof(role->arn), err));
	SEAL_TRY(copy(search, profile, "role_session_name", role->session, sizeof(role->session), err));
	SEAL_TRY(copy(search, profile, "external_id", role->external_id, sizeof(role->external_id), err));
	SEAL_TRY(copy(search, profile, "web_identity_token_file", role->token_file, sizeof(role->token_file), err));
	SEAL_TRY(copy(search, profile, "duration_seconds", role->duration_s, sizeof(role->duration_s), err));
	if (value(search, profile, "mfa_serial").len > 0)
		rc = err_set(
			err, SEAL_USAGE, SEAL_E_CONFIG,
			"the role of the AWS profile %.60s needs a code of a person's device (mfa_serial), which "
			"a program has not: give it another profile",
			profile);
out:
	return rc;
}

static bool has_keys(const struct aws_search *search, const char *profile)
{
	return value(search, profile, "aws_access_key_id").len > 0;
}

static enum seal_status keys_of(const struct aws_search *search, const char *profile, struct aws_credentials *out,
				struct seal_err *err)
{
	char source[AWS_NAME_MAX + 64];

	snprintf(source, sizeof(source), "the AWS profile %.60s (aws_secret_access_key)", profile);
	return aws_credentials_set(value(search, profile, "aws_access_key_id"),
				   value(search, profile, "aws_secret_access_key"),
				   value(search, profile, "aws_session_token"), source, out, err);
}

static enum seal_status from_named_source(const struct aws_search *search, const char *profile, const char *source,
					  struct aws_credentials *out, struct seal_err *err)
{
	bool found = true;
	enum seal_status rc;

	if (source[0] == '\0')
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "the AWS profile %.60s has role_arn, but neither source_profile nor credential_source",
			       profile);
	if (strcmp(source, "Environment") == 0)
		rc = aws_from_environment(&found, out, err);
	else if (strcmp(source, "Ec2InstanceMetadata") == 0)
		rc = aws_from_instance(search, out, err);
	else if (strcmp(source, "EcsContainer") == 0)
		rc = aws_from_container(search, &found, out, err);
	else
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "the AWS profile %.60s has credential_source %.40s; there are Environment, "
			       "Ec2InstanceMetadata and EcsContainer",
			       profile, source);
	if (rc == SEAL_OK && !found)
		rc = err_set(err, SEAL_DENIED, SEAL_E_CONFIG,
			     "the AWS profile %.60s takes its credentials from %s, which has none", profile, source);
	return rc;
}

/* What gives keys without a role, of a profile that is no link of a chain. */
static enum seal_status from_last(const struct aws_search *search, const char *profile, bool *found,
				  struct aws_credentials *out, struct seal_err *err)
{
	*found = true;
	if (has_keys(search, profile))
		return keys_of(search, profile, out, err);
	if (value(search, profile, "sso_session").len > 0 || value(search, profile, "sso_start_url").len > 0)
		return aws_from_sso(search, profile, out, err);
	if (value(search, profile, "credential_process").len > 0)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "the AWS profile %.60s runs a program for its credentials (credential_process), which "
			       "is not done here: let it write a session into a profile",
			       profile);
	*found = false;
	return SEAL_OK;
}

/* One link: where it leads, or its keys. */
struct link {
	char profile[AWS_NAME_MAX];
	struct aws_role role;
};

static enum seal_status end_of_chain(const struct aws_search *search, struct link *link, bool *found,
				     struct aws_credentials *out, struct seal_err *err)
{
	char source[64];
	enum seal_status rc;

	*found = true;
	if (link->role.arn[0] == '\0')
		return from_last(search, link->profile, found, out, err);
	if (link->role.token_file[0] != '\0')
		return aws_assume_with_token(search, &link->role, out, err);
	SEAL_TRY(copy(search, link->profile, "credential_source", source, sizeof(source), err));
	SEAL_TRY(from_named_source(search, link->profile, source, out, err));
out:
	return rc;
}

/* The profile that `profile` takes its role with; "": none. */
static enum seal_status next_of(const struct aws_search *search, const struct link *links, size_t n,
				char next[AWS_NAME_MAX], struct seal_err *err)
{
	const struct link *last = &links[n - 1];
	enum seal_status rc;

	SEAL_TRY(copy(search, last->profile, "source_profile", next, AWS_NAME_MAX, err));
	if (last->role.arn[0] == '\0' || last->role.token_file[0] != '\0')
		next[0] = '\0';
	if (next[0] == '\0')
		goto out;
	if (!aws_files_has(search->files, AWS_SECTION_PROFILE, next))
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			     "the AWS profile %.60s has source_profile %.60s, which is not there", last->profile,
			     next);
	for (size_t i = 0; i < n && rc == SEAL_OK; i++)
		if (strcmp(links[i].profile, next) == 0 && (i < n - 1 || !has_keys(search, next)))
			rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
				     "the AWS profiles %.60s and %.60s lead to each other by source_profile", next,
				     last->profile);
	if (rc == SEAL_OK && n == CHAIN_MAX)
		rc = err_set(err, SEAL_USAGE, SEAL_E_LIMIT, "more than %d AWS profiles lead to each other",
			     CHAIN_MAX);
out:
	return rc;
}

/* Keys at the chain's end, then a role for each link, from the end to the front. */
static enum seal_status walk_back(const struct aws_search *search, struct link *links, size_t n,
				  struct aws_credentials *out, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	while (n-- > 0 && rc == SEAL_OK) {
		struct aws_credentials with = *out;

		memset(out, 0, sizeof(*out));
		rc = aws_assume_role(search, &links[n].role, &with, out, err);
		aws_credentials_clear(&with);
		if (rc != SEAL_OK)
			err_prefix(err, "AWS profile %.60s", links[n].profile);
	}
	return rc;
}

enum seal_status aws_from_profile(const struct aws_search *search, bool *found, struct aws_credentials *out,
				  struct seal_err *err)
{
	struct link links[CHAIN_MAX + 1];
	char next[AWS_NAME_MAX];
	size_t n = 0, roles;
	enum seal_status rc = SEAL_OK;

	*found = false;
	if (strlen(search->profile) >= AWS_NAME_MAX)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "the name of the AWS profile is too long");
	snprintf(next, sizeof(next), "%s", search->profile);
	do {
		snprintf(links[n].profile, AWS_NAME_MAX, "%s", next);
		SEAL_TRY(role_of(search, next, &links[n].role, err));
		n++;
		if (n > 1 && has_keys(search, next)) /* of a source's, keys count before a role */
			memset(&links[n - 1].role, 0, sizeof(links[n - 1].role));
		SEAL_TRY(next_of(search, links, n, next, err));
	} while (next[0] != '\0');
	SEAL_TRY(end_of_chain(search, &links[n - 1], found, out, err));
	if (!*found && n > 1)
		rc = err_set(err, SEAL_DENIED, SEAL_E_CONFIG,
			     "the AWS profile %.60s, a source_profile, has no credentials", links[n - 1].profile);
	if (!*found || rc != SEAL_OK)
		goto out;
	roles = n - 1;
	if (links[n - 1].role.arn[0] != '\0' && links[n - 1].role.token_file[0] == '\0')
		roles = n; /* its keys came from the machine */
	SEAL_TRY(walk_back(search, links, roles, out, err));
out:
	if (rc != SEAL_OK)
		aws_credentials_clear(out);
	return rc;
}

/* The sources of credentials, each in a file of its own. Private to src/aws. */
#ifndef AWS_SOURCE_H
#define AWS_SOURCE_H

#include "aws/credentials.h"
#include "json/value.h"

#define AWS_NAME_MAX 256 /* of a profile, a region, a role's ARN … */

/* What all of them know. */
struct aws_search {
	const struct aws_files *files;
	const char *profile; /* never NULL */
	char region[AWS_NAME_MAX]; /* "": none */
	const char *ca_file;
	bool again; /* as struct aws_want has it */
	uint64_t deadline_ms;
};

/* Fills `out` from texts; `source` names them. SEAL_DENIED when the keys are not both there. */
SEAL_MUST_USE enum seal_status aws_credentials_set(struct seal_bytes access_key, struct seal_bytes secret_key,
						   struct seal_bytes session_token, const char *source,
						   struct aws_credentials *out, struct seal_err *err);

/* Of an object {"AccessKeyId": …, …} whose members have those names; the expiry as text, or in milliseconds. */
struct aws_credential_names {
	const char *access_key, *secret_key, *session_token, *expiration;
};
SEAL_MUST_USE enum seal_status aws_credentials_of(const struct json_value *object,
						  const struct aws_credential_names *names, const char *source,
						  struct aws_credentials *out, struct seal_err *err);

/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. *found false: there is no access key. */
SEAL_MUST_USE enum seal_status aws_from_environment(bool *found, struct aws_credentials *out, struct seal_err *err);

/* profile.c: *found false: the profile says nothing of credentials. */
SEAL_MUST_USE enum seal_status aws_from_profile(const struct aws_search *search, bool *found,
						struct aws_credentials *out, struct seal_err *err);

/* local.c: *found false: no variable names a container's endpoint. */
SEAL_MUST_USE enum seal_status aws_from_container(const struct aws_search *search, bool *found,
						  struct aws_credentials *out, struct seal_err *err);
/* local.c: SEAL_RETRY or SEAL_DENIED where no metadata answers. */
SEAL_MUST_USE enum seal_status aws_from_instance(const struct aws_search *search, struct aws_credentials *out,
						 struct seal_err *err);
/* local.c: the region that the instance is in. */
SEAL_MUST_USE enum seal_status aws_instance_region(uint64_t deadline_ms, char out[AWS_NAME_MAX],
						   struct seal_err *err);

/* sts.c: a role, as a profile or variables say; empty: none. */
struct aws_role {
	char arn[2048], session[AWS_NAME_MAX], external_id[1300], token_file[AWS_PATH_MAX], duration_s[16];
};
/* Signed with `with`. */
SEAL_MUST_USE enum seal_status aws_assume_role(const struct aws_search *search, const struct aws_role *role,
					       const struct aws_credentials *with, struct aws_credentials *out,
					       struct seal_err *err);
/* With the token of role->token_file, unsigned. */
SEAL_MUST_USE enum seal_status aws_assume_with_token(const struct aws_search *search, const struct aws_role *role,
						     struct aws_credentials *out, struct seal_err *err);

/* sso.c: of the token that `aws sso login` has left. */
SEAL_MUST_USE enum seal_status aws_from_sso(const struct aws_search *search, const char *profile,
					    struct aws_credentials *out, struct seal_err *err);

#endif

/*
 * AWS credentials, found where AWS's own programs find them, in this order: the environment; a web identity token (EKS); the
 * profile of the shared files (a role, SSO, or keys); a container's endpoint (ECS, EKS Pod Identity); the instance's metadata,
 * version 2.
 */
#ifndef AWS_CREDENTIALS_H
#define AWS_CREDENTIALS_H

#include "aws/config_file.h"
#include "base/secret.h"

/* Each text ends with a zero byte. */
struct aws_credentials {
	struct secret access_key, secret_key;
	struct secret session_token; /* ptr NULL: none */
	int64_t expires_s; /* since 1970; 0: not known to */
	bool of_instance; /* its metadata gave them */
};

/* Whose. NULL: as the environment and the shared files say. */
struct aws_want {
	const char *profile; /* keys of the environment are then passed over */
	const char *region; /* of STS; none at all: its global endpoint */
	const char *ca_file; /* of STS and SSO */
	bool again; /* the instance's metadata gave them before: where it does not answer it is away, and not missing */
};

/*
 * SEAL_DENIED when there are none, naming what was looked at; SEAL_USAGE for a profile that is not there, or cannot be;
 * SEAL_RETRY when who gives them is in trouble.
 */
SEAL_MUST_USE enum seal_status aws_credentials_find(const struct aws_want *want, uint64_t deadline_ms,
						    struct aws_credentials *out, struct seal_err *err);
void aws_credentials_clear(struct aws_credentials *credentials);

/* "sts.eu-west-1.amazonaws.com"; region NULL: "sts.amazonaws.com". */
void aws_sts_host(const char *region, char *out, size_t room);

#endif

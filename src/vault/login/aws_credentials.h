/*
 * AWS credentials, found where AWS's own programs find them: the environment; a web identity token (EKS); the shared
 * credentials file; a container's endpoint (ECS, EKS Pod Identity); the instance's metadata, version 2.
 */
#ifndef VAULT_LOGIN_AWS_CREDENTIALS_H
#define VAULT_LOGIN_AWS_CREDENTIALS_H

#include "base/secret.h"

/* Each ends with a zero byte. */
struct aws_credentials {
	struct secret access_key, secret_key;
	struct secret session_token; /* ptr NULL: none */
};

/* `region` NULL: the global STS endpoint. SEAL_DENIED when there are none; names what was looked at. */
SEAL_MUST_USE enum seal_status aws_credentials_find(const char *region, uint64_t deadline_ms,
						    struct aws_credentials *out, struct seal_err *err);
void aws_credentials_clear(struct aws_credentials *credentials);

/* "sts.eu-west-1.amazonaws.com"; region NULL: "sts.amazonaws.com". */
void aws_sts_host(const char *region, char *out, size_t room);

#endif

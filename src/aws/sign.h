/* The headers of a signed POST, as all calls to services are. */
#ifndef AWS_SIGN_H
#define AWS_SIGN_H

#include "aws/credentials.h"
#include "aws/sigv4.h"

#define AWS_HOST_MAX 256

/* What is the same for all calls to one service. */
struct aws_service {
	const char *name; /* "sqs" */
	const char *region;
	char host[AWS_HOST_MAX]; /* as in the header */
	char path[AWS_HOST_MAX]; /* of all requests: "/", or the endpoint's own and "/" */
};

/* Fills host and path of "http://127.0.0.1:4566/prefix". SEAL_USAGE: it is no such address. */
SEAL_MUST_USE enum seal_status aws_service_at(const char *endpoint, struct aws_service *service,
					      struct seal_err *err);

struct aws_signed {
	struct http_header headers[8];
	size_t n;
	char time[SIGV4_TIME_SIZE];
	struct seal_buf authorization;
};

/* `signer` may be NULL; `target` NULL: none; `accept` NULL: none. All but `signed_out` must outlive it. */
struct aws_post {
	const char *content_type, *target, *accept;
	struct seal_bytes body;
};
SEAL_MUST_USE enum seal_status aws_sign(struct sigv4_signer *signer, const struct aws_service *service,
					const struct aws_credentials *keys, const struct aws_post *post,
					int64_t unix_s, struct aws_signed *out, struct seal_err *err);
void aws_signed_clear(struct aws_signed *out);

#endif

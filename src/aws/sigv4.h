/*
 * AWS Signature Version 4 of a request with all of its body at hand
 * (docs.aws.amazon.com, "Signing AWS API requests": canonical request, string to sign, signing key, signature).
 */
#ifndef AWS_SIGV4_H
#define AWS_SIGV4_H

#include "base/buf.h"
#include "base/secret.h"
#include "crypto/mac.h"
#include "http/http.h"

#define SIGV4_HEADERS_MAX 32
#define SIGV4_SCOPE_MAX 200
#define SIGV4_TIME_SIZE 17 /* "20150830T123600Z" and a zero byte */

/* What is signed; all strings are as they go over the wire. */
struct sigv4_request {
	const char *method;
	const char *path; /* canonical: "/" or absolute, percent-encoded */
	const char *query; /* canonical: sorted by name, percent-encoded; "": none */
	/* All that are to be signed: Host and X-Amz-Date must be among them. Any order and case; one name may come twice. */
	const struct http_header *headers;
	size_t n_headers; /* at most SIGV4_HEADERS_MAX */
	struct seal_bytes body;
	const char *region, *service;
	int64_t unix_s; /* what X-Amz-Date says */
};

/*
 * Remembers the signing key of a day, region and service, and for which secret key it was made, so that most requests need a single
 * HMAC. Belongs to one thread at a time.
 */
struct sigv4_signer {
	struct secret secret_key;
	char scope[SIGV4_SCOPE_MAX]; /* "20150830/us-east-1/iam/aws4_request" */
	struct hmac *hmac; /* NULL: nothing remembered */
};
#define SIGV4_SIGNER_INIT                                                                                            \
	{                                                                                                            \
		.hmac = NULL                                                                                         \
	}

void sigv4_signer_clear(struct sigv4_signer *signer);

/* The text of X-Amz-Date. */
void sigv4_time(int64_t unix_s, char out[SIGV4_TIME_SIZE]);

/* Appends the value of the header Authorization. `signer` NULL: nothing is remembered. */
SEAL_MUST_USE enum seal_status sigv4_sign(struct sigv4_signer *signer, const struct sigv4_request *request,
					  const char *access_key, struct seal_bytes secret_key,
					  struct seal_buf *authorization, struct seal_err *err);

#endif

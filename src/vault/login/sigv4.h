/*
 * AWS Signature Version 4 of a request with all of its body at hand
 * (docs.aws.amazon.com, "Signing AWS API requests": canonical request, string to sign, signing key, signature).
 */
#ifndef VAULT_LOGIN_SIGV4_H
#define VAULT_LOGIN_SIGV4_H

#include "base/buf.h"
#include "base/secret.h"
#include "http/http.h"

#define SIGV4_HEADERS_MAX 32
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

/* The text of X-Amz-Date. */
void sigv4_time(int64_t unix_s, char out[SIGV4_TIME_SIZE]);

/* Appends the value of the header Authorization. */
SEAL_MUST_USE enum seal_status sigv4_sign(const struct sigv4_request *request, const char *access_key,
					  struct seal_bytes secret_key, struct seal_buf *authorization,
					  struct seal_err *err);

#endif

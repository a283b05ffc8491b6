/* The token that `aws sso login` leaves in a file. Private to src/aws. */
#ifndef AWS_SSO_TOKEN_H
#define AWS_SSO_TOKEN_H

#include "aws/source.h"

/*
 * The token of the file `path`, as text with a zero byte. Where `renews` (the login was one of an sso_session), a token that is over,
 * or near its end, is renewed with the refresh token beside it at the OIDC service of `region`, and the file is replaced; should that
 * fail, an old token that is still valid is used. SEAL_DENIED: there is none that is valid; SEAL_RETRY: the service is away.
 */
SEAL_MUST_USE enum seal_status aws_sso_token(const struct aws_search *search, const char *path, const char *region,
					     bool renews, struct secret *token, struct seal_err *err);

#endif

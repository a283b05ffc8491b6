/* Signed headers. Accept is sent, but not signed: proxies may change it. */
#include "aws/sign.h"

#include <strings.h>

#define AUTHORIZATION_MAX 4096

enum seal_status aws_service_at(const char *endpoint, struct aws_service *service, struct seal_err *err)
{
	const bool https = strncasecmp(endpoint, "https://", 8) == 0, http = strncasecmp(endpoint, "http://", 7) == 0;
	const char *host = endpoint + (https ? 8 : 7), *path, *usual = https ? ":443" : ":80";
	size_t len, prefix;

	if (!https && !http)
		goto no;
	len = strcspn(host, "/");
	path = host + len;
	prefix = strlen(path);
	while (prefix > 0 && path[prefix - 1] == '/')
		prefix--;
	if (len == 0 || memchr(host, '@', len) != NULL || len >= AWS_HOST_MAX || prefix + 2 > AWS_HOST_MAX ||
	    path[strcspn(path, "?#")] != '\0')
		goto no;
	if (len > strlen(usual) && memcmp(host + len - strlen(usual), usual, strlen(usual)) == 0)
		len -= strlen(usual);
	snprintf(service->host, AWS_HOST_MAX, "%.*s", (int)len, host);
	snprintf(service->path, AWS_HOST_MAX, "%.*s/", (int)prefix, path);
	return SEAL_OK;
no:
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
		       "\"%.100s\" is no endpoint: give an address such as http://127.0.0.1:4566", endpoint);
}

enum seal_status aws_sign(struct sigv4_signer *signer, const struct aws_service *service,
			  const struct aws_credentials *keys, const struct aws_post *post, int64_t unix_s,
			  struct aws_signed *out, struct seal_err *err)
{
	struct sigv4_request request = {.method = "POST",
					.path = service->path,
					.query = "",
					.headers = out->headers,
					.body = post->body,
					.region = service->region,
					.service = service->name,
					.unix_s = unix_s};
	size_t n = 0;
	enum seal_status rc;

	out->authorization.max = AUTHORIZATION_MAX;
	buf_reset(&out->authorization);
	sigv4_time(unix_s, out->time);
	out->headers[n++] = (struct http_header){"Content-Type", post->content_type};
	out->headers[n++] = (struct http_header){"Host", service->host};
	out->headers[n++] = (struct http_header){"X-Amz-Date", out->time};
	if (keys->session_token.ptr != NULL)
		out->headers[n++] =
			(struct http_header){"X-Amz-Security-Token", (const char *)keys->session_token.ptr};
	if (post->target != NULL)
		out->headers[n++] = (struct http_header){"X-Amz-Target", post->target};
	request.n_headers = n;
	SEAL_TRY(sigv4_sign(signer, &request, (const char *)keys->access_key.ptr,
			    bytes_str((const char *)keys->secret_key.ptr), &out->authorization, err));
	SEAL_TRY(buf_append_u8(&out->authorization, 0, err));
	out->headers[n++] = (struct http_header){"Authorization", (const char *)out->authorization.ptr};
	if (post->accept != NULL)
		out->headers[n++] = (struct http_header){"Accept", post->accept};
	out->n = n;
out:
	return rc;
}

void aws_signed_clear(struct aws_signed *out)
{
	buf_clear(&out->authorization);
}

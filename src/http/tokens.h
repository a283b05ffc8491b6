/*
 * Bearer tokens: one for all workers, made when it is first needed, renewed before it ends. Who fetches it is the caller's to say.
 *
 *   none ──▶ good ──REFRESH_S before its end──▶ one thread fetches, the others go on with the old one ──▶ good
 *              └──401──▶ none
 *
 * Where there is none, one thread fetches and the others wait for it; what it fails with is theirs, too.
 */
#ifndef HTTP_TOKENS_H
#define HTTP_TOKENS_H

#include "base/secret.h"

struct http_tokens;
struct http_token;

/*
 * Gets a new token: *header is the value of a header Authorization with a zero byte, *lifetime_s how long it is good from when it was asked
 * for. SEAL_RETRY: the token server is away; SEAL_DENIED: it refuses. One thread at a time.
 */
typedef enum seal_status http_token_fetch(void *arg, uint64_t deadline_ms, struct secret *header,
					  uint64_t *lifetime_s, struct seal_err *err);

/* `arg` outlives it. */
SEAL_MUST_USE enum seal_status http_tokens_new(http_token_fetch *fetch, void *arg, struct http_tokens **out,
					       struct seal_err *err);
void http_tokens_free(struct http_tokens *tokens); /* accepts NULL */

/* A token that is good now; http_token_release after use. Fails as `fetch` does; SEAL_RETRY, too, where another's takes too long. */
SEAL_MUST_USE enum seal_status http_token_get(struct http_tokens *tokens, uint64_t deadline_ms,
					      struct http_token **out, struct seal_err *err);
void http_token_release(struct http_tokens *tokens, struct http_token *token); /* accepts NULL */
/* The value of a header Authorization. */
const char *http_token_header(const struct http_token *token);
/* A call under it got 401: it is not given out again. */
void http_token_refused(struct http_tokens *tokens, const struct http_token *token);

/* Tests only: what stands for clock_mono_ms; NULL: that. Before threads start. */
void http_tokens_set_clock(uint64_t (*now_ms)(void));

#endif

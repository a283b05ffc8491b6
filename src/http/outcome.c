/*
 * What a try came to. An answer counts only when its end is certain: all its headers, and a body whose length was said (or
 * whose framing marks the end), or a status that is a failure anyway. libcurl itself takes an answer that is cut within the
 * headers, or that ends with the connection, for a whole one.
 */
#include "http/worker.h"

#include "base/clock.h"
#include "http/retry.h"

static bool header(CURL *easy, const char *name, const char **value)
{
	struct curl_header *found;

	if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &found) != CURLHE_OK)
		return false;
	*value = found->value;
	return true;
}

static bool is_whole(CURL *easy, const struct flight *flight, long status)
{
	curl_off_t length = -1;
	const char *coding;
	long version = 0;

	if (!flight->headers_done)
		return false;
	if (status < 200 || status > 299 || status == 204)
		return status >= 200;
	(void)curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
	(void)curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	return version == CURL_HTTP_VERSION_2_0 || length >= 0 || header(easy, "Transfer-Encoding", &coding);
}

static void take_answer(CURL *easy, struct http_exchange *ex, long status, struct outcome *out)
{
	const char *value;

	ex->status = (unsigned)status;
	if (status / 100 == 3 && header(easy, "Location", &value) && strlen(value) < sizeof(ex->location))
		memcpy(ex->location, value, strlen(value) + 1);
	ex->date_s = header(easy, "Date", &value) ? retry_date_s(value) : 0;
	if (header(easy, "Retry-After", &value))
		out->asked = retry_after_ms(value, clock_unix_ms() / 1000, &out->after_ms);
	out->answered = true;
	out->verdict = VERDICT_ALIVE;
	if (status == 502 || status == 503 || status == 504) {
		out->verdict = VERDICT_AWAY;
		out->why = status == 502 ? "answer 502" : status == 503 ? "answer 503" : "answer 504";
	}
}

/* A new TLS connection on which nothing was answered may be to a server that speaks HTTP/2 alone. */
static void doubt_http1(struct http_client *client, const struct flight *flight, CURLcode code, long connects)
{
	const bool unanswered = connects > 0 && flight->header_bytes == 0 &&
				(code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING);

	if (client->https && (unanswered || code == CURLE_SSL_CONNECT_ERROR))
		atomic_store(&client->http2, true);
}

static void take_failure(CURL *easy, CURLcode code, struct flight *flight, struct outcome *out)
{
	struct http_exchange *ex = flight->exchange;
	curl_off_t sent_us = 0;
	long connects = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &sent_us);
	(void)curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
	doubt_http1(flight->worker->client, flight, code, connects);
	out->unsent = sent_us == 0;
	out->stale = connects == 0 && sent_us != 0 && flight->header_bytes == 0 &&
		     (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING ||
		      code == CURLE_HTTP2 || code == CURLE_HTTP2_STREAM);
	out->why = error_fill(flight, code, &ex->err);
	/* One that refuses, or is not trusted, is not away: waiting would not help. And any server closes idle connections. */
	if (ex->err.status == SEAL_RETRY && !out->stale)
		out->verdict = VERDICT_AWAY;
	else if (ex->err.status == SEAL_DATA)
		out->verdict = VERDICT_ALIVE;
	buf_reset(&ex->answer);
}

void outcome_read(struct flight *flight, CURLcode code, struct outcome *out)
{
	CURL *easy = flight->easy;
	long status = 0;

	*out = (struct outcome){.verdict = VERDICT_NONE};
	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_OK && is_whole(easy, flight, status))
		take_answer(easy, flight->exchange, status, out);
	else
		take_failure(easy, code == CURLE_OK ? CURLE_PARTIAL_FILE : code, flight, out);
}

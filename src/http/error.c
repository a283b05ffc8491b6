/*
 * Errors: "POST https://vault:8200/v1/transit/encrypt/pii: what; what to do". The path ends before a "?". libcurl's own words
 * are quoted for TLS alone, where they come from OpenSSL.
 */
#include "http/worker.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define PATH_SHOWN 160
#define REASON_SHOWN 140

enum seal_status error_set(const struct flight *flight, enum seal_status status, enum seal_code code,
			   struct seal_err *err, const char *fmt, ...)
{
	const struct http_exchange *ex = flight->exchange;
	char text[SEAL_ERR_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return err_set(err, status, code, "%.12s %.200s%.*s: %s", ex->method, flight->worker->client->name,
		       (int)strcspn(ex->path, "?") > PATH_SHOWN ? PATH_SHOWN : (int)strcspn(ex->path, "?"), ex->path,
		       text);
}

/* Verification results of OpenSSL (x509_vfy.h), which only src/crypto may include; they are part of its ABI. */
enum {
	VERIFY_NOT_YET_VALID = 9,
	VERIFY_EXPIRED = 10,
	VERIFY_SELF_SIGNED = 18,
	VERIFY_SELF_SIGNED_IN_CHAIN = 19,
	VERIFY_NO_ISSUER_LOCALLY = 20,
	VERIFY_FIRST_UNVERIFIED = 21,
	VERIFY_NO_ISSUER = 2
};

/* What OpenSSL found, with what to do; NULL: something else. */
static const char *verdict_text(long verdict)
{
	switch (verdict) {
	case VERIFY_NOT_YET_VALID:
		return "it is not valid yet; check the clocks";
	case VERIFY_EXPIRED:
		return "it has expired; the server needs a new one";
	case VERIFY_NO_ISSUER:
	case VERIFY_SELF_SIGNED:
	case VERIFY_SELF_SIGNED_IN_CHAIN:
	case VERIFY_NO_ISSUER_LOCALLY:
	case VERIFY_FIRST_UNVERIFIED:
		return "no CA known here has signed it; give the CA's certificate";
	default:
		return NULL;
	}
}

static const char *untrusted(const struct flight *flight, struct seal_err *err)
{
	long proxy = 0, server = 0;
	const char *what;

	(void)curl_easy_getinfo(flight->easy, CURLINFO_SSL_VERIFYRESULT, &server);
	(void)curl_easy_getinfo(flight->easy, CURLINFO_PROXY_SSL_VERIFYRESULT, &proxy);
	if ((what = verdict_text(proxy)) != NULL)
		error_set(flight, SEAL_DENIED, SEAL_E_DENIED, err, "the proxy's certificate is not trusted: %s",
			  what);
	else if ((what = verdict_text(server)) != NULL)
		error_set(flight, SEAL_DENIED, SEAL_E_DENIED, err, "the server's certificate is not trusted: %s",
			  what);
	else if (strstr(flight->reason, "target host name") !=
		 NULL) /* libcurl compares names itself, after OpenSSL */
		error_set(flight, SEAL_DENIED, SEAL_E_DENIED, err,
			  "the server's certificate is for another name; use a name that it has, or give the TLS "
			  "server name");
	else
		error_set(flight, SEAL_DENIED, SEAL_E_DENIED, err, "the server's certificate is not trusted: %.*s",
			  REASON_SHOWN, flight->reason);
	return "certificate not trusted";
}

/* An alert with which the server refuses our certificate, or the lack of one (RFC 8446 §6.2). */
static bool refuses_certificate(const struct flight *flight)
{
	return strstr(flight->reason, "alert") != NULL &&
	       (strstr(flight->reason, "certificate") != NULL || strstr(flight->reason, "unknown ca") != NULL ||
		strstr(flight->reason, "access denied") != NULL);
}

/* TLS, or a connection that ended; with TLS 1.3 the server's refusal comes only when the answer is read. */
static const char *cut(CURLcode code, const struct flight *flight, struct seal_err *err)
{
	const struct http_client *client = flight->worker->client;

	if (client->https && refuses_certificate(flight)) {
		error_set(flight, SEAL_DENIED, SEAL_E_DENIED, err,
			  "the server refuses the client certificate or wants one (%.*s); give the certificate and "
			  "its key",
			  REASON_SHOWN, flight->reason);
		return "client certificate refused";
	}
	if (code == CURLE_SSL_CONNECT_ERROR) {
		error_set(
			flight, SEAL_RETRY, SEAL_E_SERVICE, err,
			"no TLS connection (%.*s); the server must speak TLS 1.2 or newer on this port, not http://",
			REASON_SHOWN, flight->reason);
		return "no TLS connection";
	}
	error_set(flight, SEAL_RETRY, SEAL_E_SERVICE, err, "the connection was cut %s; is the server up%s?",
		  flight->header_bytes ? "within the answer" : "before an answer came",
		  client->https && client->client_cert == NULL ? ", and does it want a client certificate" : "");
	return "connection cut";
}

static bool in_environment(const char *name)
{
	const char *text = getenv(name);

	return text != NULL && text[0] != '\0';
}

/* As far as can be seen from here: no_proxy is left to libcurl. */
static bool may_have_proxy(const struct http_client *client)
{
	if (client->unix_socket != NULL)
		return false;
	if (client->proxy != NULL)
		return client->proxy[0] != '\0';
	if (in_environment("all_proxy") || in_environment("ALL_PROXY"))
		return true;
	return client->https ? in_environment("https_proxy") || in_environment("HTTPS_PROXY")
			     : in_environment("http_proxy");
}

static const char *no_connection(const struct flight *flight, struct seal_err *err)
{
	const char *socket = flight->worker->client->unix_socket;
	char text[128];
	long number = 0;

	(void)curl_easy_getinfo(flight->easy, CURLINFO_OS_ERRNO, &number);
	error_set(flight, SEAL_RETRY, SEAL_E_SERVICE, err, "no connection%s%.100s%s%s; %s?",
		  socket == NULL ? "" : " to ", socket == NULL ? "" : socket, number ? ": " : "",
		  number ? strerror_r((int)number, text, sizeof(text)) : "",
		  may_have_proxy(flight->worker->client) ? "are the server and the proxy up, and both addresses right"
							 : "is the server up and the address right");
	return number == ECONNREFUSED ? "connection refused" : "no connection";
}

static const char *too_late(const struct flight *flight, struct seal_err *err)
{
	curl_off_t sent_us = 0;

	(void)curl_easy_getinfo(flight->easy, CURLINFO_PRETRANSFER_TIME_T, &sent_us);
	error_set(flight, SEAL_RETRY, SEAL_E_TIMEOUT, err, "no %s within %llu ms; is the server up%s?",
		  sent_us ? "answer" : "connection", (unsigned long long)flight->limit_ms,
		  sent_us ? " and not overloaded" : " and the address right");
	return sent_us ? "no answer in time" : "no connection in time";
}

static const char *stopped(const struct flight *flight, struct seal_err *err)
{
	if (flight->stop == STOP_MEMORY)
		err_memory(err);
	else
		error_set(flight, SEAL_DATA, SEAL_E_LIMIT, err, "%s larger than the limit of %zu bytes",
			  flight->stop == STOP_BODY ? "the answer is" : "the answer's headers are",
			  flight->stop == STOP_BODY ? flight->worker->client->max_response
						    : (size_t)HTTP_HEADERS_MAX);
	return "answer too large";
}

/* A proxy that did not open the way to the server. */
static const char *proxy_refuses(long status, const struct flight *flight, struct seal_err *err)
{
	bool denied = status == 401 || status == 403 || status == 407;

	error_set(flight, denied ? SEAL_DENIED : SEAL_RETRY, denied ? SEAL_E_DENIED : SEAL_E_SERVICE, err,
		  "the proxy answers %ld instead of connecting; %s", status,
		  denied ? "check its address, and user and password in it" : "is it, and the server behind it, up?");
	return "proxy does not connect";
}

static const char *by_code(CURLcode code, const struct flight *flight, struct seal_err *err)
{
	switch (code) {
	case CURLE_OUT_OF_MEMORY:
		err_memory(err);
		return "out of memory";
	case CURLE_WRITE_ERROR:
		return stopped(flight, err);
	case CURLE_OPERATION_TIMEDOUT:
		return too_late(flight, err);
	case CURLE_COULDNT_CONNECT:
		return no_connection(flight, err);
	case CURLE_COULDNT_RESOLVE_HOST:
		error_set(flight, SEAL_RETRY, SEAL_E_SERVICE, err,
			  "nobody knows this host's address (DNS); is its name right?");
		return "host name not found";
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_PROXY:
		error_set(flight, SEAL_RETRY, SEAL_E_SERVICE, err,
			  "no connection by the proxy; is its address right, and is it up?");
		return "no connection by the proxy";
	case CURLE_PEER_FAILED_VERIFICATION:
		return untrusted(flight, err);
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
		error_set(flight, SEAL_USAGE, SEAL_E_CONFIG, err,
			  "a certificate or key file cannot be used (%.*s); check the files", REASON_SHOWN,
			  flight->reason);
		return "bad certificate files";
	case CURLE_URL_MALFORMAT:
	case CURLE_BAD_FUNCTION_ARGUMENT:
		error_set(flight, SEAL_USAGE, SEAL_E_CONFIG, err,
			  "this cannot be an address; give it as https://host:port");
		return "bad address";
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
		error_set(flight, SEAL_RETRY, SEAL_E_SERVICE, err,
			  "what answers does not speak HTTP; are the port, and http or https, right?");
		return "not HTTP";
	default:
		return cut(code, flight, err);
	}
}

const char *error_fill(const struct flight *flight, CURLcode code, struct seal_err *err)
{
	long proxy = 0;

	(void)curl_easy_getinfo(flight->easy, CURLINFO_HTTP_CONNECTCODE, &proxy);
	if (proxy >= 300 && flight->header_bytes == 0 && code != CURLE_OUT_OF_MEMORY)
		return proxy_refuses(proxy, flight, err);
	return by_code(code, flight, err);
}

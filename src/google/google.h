/*
 * Calls to Google Cloud's REST interfaces (Pub/Sub): JSON over HTTPS with a bearer token.
 *
 * Credentials are Google's application default ones: GOOGLE_APPLICATION_CREDENTIALS, gcloud's own file
 * (application_default_credentials.json), the metadata server. Service-account keys (a JWT signed here, no call to a token
 * server), authorised users (refresh token), metadata; tokens are renewed before they expire, and once after a 401.
 * With an emulator's host (PUBSUB_EMULATOR_HOST) plain HTTP and no token.
 *
 *   google_client   thread-safe, shared            google_worker   connections of one thread
 */
#ifndef GOOGLE_GOOGLE_H
#define GOOGLE_GOOGLE_H

#include "base/buf.h"
#include "base/err.h"

/* Strings are copied. */
struct google_config {
	const char *endpoint; /* "https://pubsub.googleapis.com" */
	const char *emulator; /* "127.0.0.1:8085": instead of `endpoint`; NULL: none */
	const char *audience; /* of self-signed tokens: "https://pubsub.googleapis.com/" */
	const char *scope; /* of fetched ones: "https://www.googleapis.com/auth/pubsub" */
	const char *credentials; /* a file; NULL: as the environment says */
	const char *ca_file; /* PEM; NULL: the system's */
};

struct google_client;
struct google_worker;

enum google_failure {
	GOOGLE_NONE,
	GOOGLE_THROTTLED, /* SEAL_RETRY: 429, quota */
	GOOGLE_AWAY, /* SEAL_RETRY */
	GOOGLE_DENIED, /* SEAL_DENIED */
	GOOGLE_REFUSED /* SEAL_USAGE (NOT_FOUND …) or SEAL_DATA (INVALID_ARGUMENT) */
};

#define GOOGLE_CODE_MAX 64

struct google_call {
	const char *method; /* "POST" */
	const char *path; /* "/v1/projects/P/topics/T:publish", without a query */
	struct seal_bytes body; /* JSON */
	bool once; /* not repeatable once the service may have seen it: who repeats it counts that */
	uint64_t
		wait_ms; /* the server is asked to hold it so long at most (a pull: DEADLINE_EXCEEDED then); 0: 60 s */
	/* The result; `answer` is the body, of an error, too. */
	struct seal_buf answer;
	enum google_failure failure;
	char code[GOOGLE_CODE_MAX]; /* "RESOURCE_EXHAUSTED" */
	unsigned status; /* of HTTP; 0: no answer */
};

/*
 * Finds credentials, but asks for no token yet. SEAL_DENIED: there are none, with what was looked at; SEAL_USAGE: a file or address that
 * cannot be.
 */
SEAL_MUST_USE enum seal_status google_client_new(const struct google_config *config, struct google_client **out,
						 struct seal_err *err);
void google_client_free(struct google_client *client); /* accepts NULL; after all workers */
/* The project of the credentials or of GOOGLE_CLOUD_PROJECT; NULL: none is known. */
const char *google_client_project(const struct google_client *client);

SEAL_MUST_USE enum seal_status google_worker_new(struct google_client *client, struct google_worker **out,
						 struct seal_err *err);
void google_worker_free(struct google_worker *worker); /* accepts NULL */
/* From any thread, before it is freed: calls end at once from now on, with SEAL_RETRY, but for tokens that are being fetched. */
void google_worker_stop(struct google_worker *worker);

/*
 * One call; retries connections that failed, 500, 502, 503 and 504 (three times, with jitter). A 429 comes back at once. Nothing of a
 * request or a credential is ever put into an error, but the service's own code and message.
 */
SEAL_MUST_USE enum seal_status google_call_run(struct google_worker *worker, struct google_call *call,
					       uint64_t deadline_ms, struct seal_err *err);
void google_call_clear(struct google_call *call); /* wipes */

#endif

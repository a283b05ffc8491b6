/*
 * Calls to AWS services (Kinesis, SQS, SNS, STS): signed, retried where the service asks for it, errors in our classes.
 *
 *   aws_client   where to, whose credentials: found once, renewed before they expire      thread-safe, shared
 *   aws_worker   connections of one thread; calls under way are its own                   one thread at a time
 *
 * Credentials are found where AWS's own programs find them, in their order: environment, a web identity token, SSO cache, the
 * shared config and credentials files with profiles (role_arn, source_profile, credential_source, credential_process is refused),
 * a container's endpoint, the instance's metadata (IMDSv2). AWS_ENDPOINT_URL[_SERVICE] and endpoint_url of a profile name other servers.
 *
 * A 403 that comes of the clock is signed once more by the server's; one that comes of expired credentials once more by new
 * ones. Nothing of a request, an answer or a credential is ever logged or put into an error, but the service's own error code
 * and message.
 */
#ifndef AWS_AWS_H
#define AWS_AWS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* Strings are copied; NULL: as the environment and the profile say. */
struct aws_config {
	const char *service; /* "kinesis", "sqs", "sns": in signatures, host names and AWS_ENDPOINT_URL_… */
	const char *region;
	const char *profile;
	const char *endpoint; /* "http://127.0.0.1:4566"; above every variable */
	const char *ca_file; /* PEM; NULL: AWS_CA_BUNDLE, or the system's */
	unsigned connections; /* at once and worker; 0: 1 */
};

struct aws_client;
struct aws_worker;

/* What a failed call was, beside its seal_status. */
enum aws_failure {
	AWS_NONE,
	AWS_THROTTLED, /* SEAL_RETRY: slower, please */
	AWS_AWAY, /* SEAL_RETRY: no connection, 5xx */
	AWS_DENIED, /* SEAL_DENIED: no credentials, wrong ones, not allowed */
	AWS_REFUSED /* SEAL_USAGE or SEAL_DATA: the request cannot be; `code` says why */
};

#define AWS_CODE_MAX 96

/* Zero it, fill the request. */
struct aws_call {
	const char *target; /* "Kinesis_20131202.PutRecords" (JSON); NULL: the query protocol, an urlencoded form */
	const char *content_type; /* "application/x-amz-json-1.1" */
	struct seal_bytes body;
	bool once; /* not repeatable once the server may have seen it */
	/* The result: `answer` is the body of a 200. */
	struct seal_buf answer;
	enum aws_failure failure;
	char code
		[AWS_CODE_MAX]; /* "ProvisionedThroughputExceededException", without what stands before '#' and behind ':' */
	unsigned status; /* of HTTP; 0: no answer */
	int64_t date_s; /* since 1970, by the server's clock; 0: it does not say */
};

/* Checks the configuration, finds credentials: SEAL_USAGE without a region, SEAL_DENIED without credentials, naming what was looked at. */
SEAL_MUST_USE enum seal_status aws_client_new(const struct aws_config *config, struct aws_client **out,
					      struct seal_err *err);
void aws_client_free(struct aws_client *client); /* accepts NULL; after all workers */
const char *aws_client_region(const struct aws_client *client);
/* "https://sqs.eu-west-1.amazonaws.com", or what stands for it. */
const char *aws_client_endpoint(const struct aws_client *client);

SEAL_MUST_USE enum seal_status aws_worker_new(struct aws_client *client, struct aws_worker **out,
					      struct seal_err *err);
void aws_worker_free(struct aws_worker *worker); /* accepts NULL */
/* From any thread, before it is freed: calls end at once from now on, with SEAL_RETRY, but for credentials that are being fetched. */
void aws_worker_stop(struct aws_worker *worker);

/*
 * One call, to its end or until `deadline_ms` (clock_mono_ms). Retries only a connection that failed and 5xx (three times, with
 * jitter); a throttled call comes back at once, since its caller knows what else could wait. Errors name operation, service and
 * code. aws_call_clear after it.
 */
SEAL_MUST_USE enum seal_status aws_call_run(struct aws_worker *worker, struct aws_call *call, uint64_t deadline_ms,
					    struct seal_err *err);
void aws_call_clear(struct aws_call *call); /* wipes */

/* Of an entry of a batch that failed within a 200: the same classes. */
enum aws_failure aws_failure_of_code(struct seal_bytes code, bool sender_fault);

/* arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE; false: it is none. Views of `text`. */
struct aws_arn {
	struct seal_bytes service, region, account, resource;
};
bool aws_arn_parse(struct seal_bytes text, struct aws_arn *out);

#endif

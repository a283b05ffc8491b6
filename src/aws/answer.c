/*
 * Errors of services. Codes come as "__type" (with a name space before '#', or a URL behind ':'), as "code" or "Code", in an object
 * "Error", or as <Code> of XML. Messages of validation quote what was sent ("Value 'jane' at 'partitionKey' failed …"), which may be a
 * key of a record: the quoted part is left out.
 */
#include "aws/answer.h"

#include <ctype.h>
#include <time.h>

#include "aws/xml.h"
#include "json/value.h"

static void put(struct seal_bytes text, char *out, size_t room)
{
	snprintf(out, room, "%.*s", (int)(text.len < room ? text.len : room - 1),
		 text.len > 0 ? (const char *)text.ptr : "");
	err_plain(out);
}

static void set_code(struct seal_bytes text, char out[AWS_CODE_MAX])
{
	const uint8_t *colon = text.len > 0 ? memchr(text.ptr, ':', text.len) : NULL, *hash;

	if (colon != NULL)
		text.len = (size_t)(colon - text.ptr);
	hash = text.len > 0 ? memrchr(text.ptr, '#', text.len) : NULL;
	if (hash != NULL)
		text = bytes_skip(text, (size_t)(hash - text.ptr) + 1);
	put(text, out, AWS_CODE_MAX);
}

/* The last place of `part` in the text. */
static const uint8_t *last_of(struct seal_bytes text, const char *part)
{
	const uint8_t *found = NULL;
	size_t len = strlen(part);

	for (size_t i = 0; i + len <= text.len; i++)
		if (memcmp(text.ptr + i, part, len) == 0)
			found = text.ptr + i;
	return found;
}

static void set_message(struct seal_bytes text, char out[AWS_MESSAGE_MAX])
{
	static const char *const tails[] = {" for parameter ", "' at '"};
	const uint8_t *value = text.len > 0 ? memmem(text.ptr, text.len, "Value ", 6) : NULL, *tail = NULL;
	struct seal_bytes rest;

	put(text, out, AWS_MESSAGE_MAX);
	if (value == NULL)
		return;
	for (size_t i = 0; i < 2; i++) { /* the later one: the other may stand in the value */
		const uint8_t *found = last_of(text, tails[i]);

		if (found != NULL && (tail == NULL || found > tail))
			tail = found;
	}
	rest = tail != NULL ? bytes_skip(text, (size_t)(tail - text.ptr)) : BYTES_EMPTY;
	snprintf(out, AWS_MESSAGE_MAX, "%.*sa value%.*s", (int)(value - text.ptr > 99 ? 99 : value - text.ptr),
		 (const char *)text.ptr, (int)(rest.len > 90 ? 90 : rest.len),
		 rest.len > 0 ? (const char *)rest.ptr : "");
	err_plain(out);
}

static enum seal_status from_json(const struct json_value *object, struct aws_error *out, struct seal_err *err)
{
	enum { TYPE, CODE, CODE_UPPER, MESSAGE, MESSAGE_UPPER, INNER, N };
	static const char *const names[N] = {"__type", "code", "Code", "message", "Message", "Error"};
	struct json_value found[N];
	struct seal_bytes text;
	struct arena arena;
	enum seal_status rc = SEAL_OK;

	json_members(object, names, N, found);
	if (json_value_is(&found[INNER], JSON_OBJECT)) {
		struct json_value inner = found[INNER];

		json_members(&inner, names, INNER, found);
	}
	arena_init(&arena, 0);
	for (size_t i = 0; i < INNER && rc == SEAL_OK; i++) {
		if (json_value_string(&found[i], &arena, &text, err) == SEAL_FATAL)
			rc = SEAL_FATAL;
		else if (text.len > 0 && i <= CODE_UPPER && out->code[0] == '\0')
			set_code(text, out->code);
		else if (text.len > 0 && i > CODE_UPPER && out->message[0] == '\0')
			set_message(text, out->message);
	}
	arena_clear(&arena);
	return rc;
}

static enum seal_status xml_part(void *arg, const char *path, struct seal_bytes text, struct seal_err *err)
{
	struct aws_error *out = arg;

	if (aws_xml_ends(path, "Error/Code") && out->code[0] == '\0')
		set_code(text, out->code);
	else if (aws_xml_ends(path, "Error/Message") && out->message[0] == '\0')
		set_message(text, out->message);
	return SEAL_OK;
}

enum seal_status aws_error_read(struct seal_bytes body, struct aws_error *out, struct seal_err *err)
{
	struct seal_err own = SEAL_ERR_INIT;
	struct json_value root;
	enum seal_status rc = SEAL_DATA;

	memset(out, 0, sizeof(*out));
	while (body.len > 0 && isspace(body.ptr[0]))
		body = bytes_skip(body, 1);
	if (body.len > 0 && body.ptr[0] == '{') {
		rc = json_value_of(body, &root, &own);
		if (rc == SEAL_OK)
			rc = from_json(&root, out, &own);
	} else if (body.len > 0 && body.ptr[0] == '<') {
		rc = aws_xml_read(body, xml_part, out, &own);
	}
	return rc == SEAL_FATAL ? err_memory(err) : SEAL_OK;
}

static bool one_of(const char *code, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcmp(code, *list) == 0)
			return true;
	return false;
}

/* What AWS's own clients take for throttling (botocore, retries/standard.py), and limits of SQS, SNS and KMS that pass. */
static const char *const throttles[] = {"Throttling",
					"ThrottlingException",
					"ThrottledException",
					"RequestThrottledException",
					"RequestThrottled",
					"Throttled",
					"TooManyRequestsException",
					"ProvisionedThroughputExceededException",
					"TransactionInProgressException",
					"RequestLimitExceeded",
					"BandwidthLimitExceeded",
					"LimitExceededException",
					"SlowDown",
					"PriorRequestNotComplete",
					"EC2ThrottledException",
					"OverLimit",
					"KMSThrottlingException",
					"KMSThrottling",
					"KmsThrottled", /* SQS in JSON, and its older name */
					"KMS.ThrottlingException",
					"AWS.SimpleQueueService.OverLimit",
					NULL};

static const char *const troubles[] = {"InternalFailure",
				       "InternalFailureException",
				       "InternalError",
				       "InternalErrorException",
				       "InternalServerError",
				       "InternalServerException",
				       "ServiceUnavailable",
				       "ServiceUnavailableException",
				       "RequestTimeout",
				       "RequestTimeoutException",
				       NULL};

static const char *const of_clock[] = {"RequestTimeTooSkewed",
				       "RequestExpired",
				       "RequestInTheFuture",
				       "InvalidSignatureException",
				       "SignatureDoesNotMatch",
				       "AuthFailure",
				       NULL};

static const char *const of_credentials[] = {"ExpiredToken",
					     "ExpiredTokenException",
					     "InvalidClientTokenId",
					     "InvalidToken",
					     "InvalidAccessKeyId",
					     "UnrecognizedClientException",
					     NULL};

static const char *const denials[] = {"AccessDenied",
				      "AccessDeniedException",
				      "AuthorizationError",
				      "AuthorizationErrorException",
				      "IncompleteSignature",
				      "IncompleteSignatureException",
				      "MissingAuthenticationToken",
				      "MissingAuthenticationTokenException",
				      "MissingClientTokenId",
				      "InvalidSecurity",
				      "KMSAccessDenied",
				      "KMSAccessDeniedException",
				      "KmsAccessDenied",
				      "KMS.AccessDeniedException",
				      "NotAuthorized",
				      "OptInRequired",
				      "UnauthorizedException",
				      "UnauthorizedOperation",
				      NULL};

bool aws_code_of_clock(const char *code)
{
	return one_of(code, of_clock);
}

bool aws_code_of_credentials(const char *code)
{
	return one_of(code, of_credentials);
}

enum aws_failure aws_failure_of(unsigned status, const char *code)
{
	if (one_of(code, throttles) || status == 429)
		return AWS_THROTTLED;
	if (one_of(code, troubles))
		return AWS_AWAY;
	if (status == 401 || status == 403 || one_of(code, denials) || one_of(code, of_credentials) ||
	    one_of(code, of_clock))
		return AWS_DENIED;
	if (status == 0 || status == 408 || status >= 500)
		return AWS_AWAY;
	return AWS_REFUSED;
}

enum aws_failure aws_failure_of_code(struct seal_bytes code, bool sender_fault)
{
	char name[AWS_CODE_MAX];

	set_code(code, name);
	return aws_failure_of(sender_fault ? 400 : 500, name);
}

/* Two or four digits at `at`, behind the character `before`. */
static bool number(struct seal_bytes text, size_t at, size_t len, char before, int *out)
{
	*out = 0;
	if (at > 0 && text.ptr[at - 1] != (uint8_t)before)
		return false;
	for (size_t i = at; i < at + len; i++) {
		if (!isdigit(text.ptr[i]))
			return false;
		*out = *out * 10 + (text.ptr[i] - '0');
	}
	return true;
}

int64_t aws_time_of(struct seal_bytes text)
{
	struct tm tm = {0};
	int zone_h = 0, zone_m = 0;
	const size_t n = text.len;
	int64_t seconds;

	if (n < 19 || !number(text, 0, 4, 0, &tm.tm_year) || !number(text, 5, 2, '-', &tm.tm_mon) ||
	    !number(text, 8, 2, '-', &tm.tm_mday) || !number(text, 11, 2, 'T', &tm.tm_hour) ||
	    !number(text, 14, 2, ':', &tm.tm_min) || !number(text, 17, 2, ':', &tm.tm_sec))
		return 0;
	if (n >= 25 && text.ptr[n - 3] == ':' && (text.ptr[n - 6] == '+' || text.ptr[n - 6] == '-') &&
	    number(text, n - 5, 2, (char)text.ptr[n - 6], &zone_h) && number(text, n - 2, 2, ':', &zone_m) &&
	    text.ptr[n - 6] == '-') {
		zone_h = -zone_h;
		zone_m = -zone_m;
	}
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	seconds = timegm(&tm) - zone_h * 3600 - zone_m * 60;
	return seconds > 0 ? seconds : 0;
}

/*
 * What tests of src/aws and of the streams on it share: an environment that says nothing, shared files of the test's own, and a
 * double of the givers of credentials (STS, SSO, a container's endpoint, instance metadata) on one port. Include first.
 */
#ifndef TESTS_AWS_FIXTURE_H
#define TESTS_AWS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <poll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "aws/sigv4.h"
#include "base/clock.h"
#include "base/err.h"
#include "http_server.h"

static char aws_home[64];

/* No variable of AWS's is set, and no file is in HOME; metadata is off. */
static inline void aws_nothing(void)
{
	char command[200];

	for (char **at = environ; *at != NULL;) {
		char name[128];

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(*at, "="), *at);
		if (strncmp(name, "AWS_", 4) == 0) {
			unsetenv(name);
			at = environ;
		} else {
			at++;
		}
	}
	if (aws_home[0] == '\0') {
		snprintf(aws_home, sizeof(aws_home), "/tmp/test_aws_XXXXXX");
		assert_non_null(mkdtemp(aws_home));
	}
	snprintf(command, sizeof(command), "rm -rf %s/.aws && mkdir -p %s/.aws/sso/cache", aws_home, aws_home);
	assert_int_equal(system(command), 0);
	setenv("HOME", aws_home, 1);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
}

static inline void aws_remove_home(void)
{
	char command[200];

	snprintf(command, sizeof(command), "rm -rf %s", aws_home);
	assert_int_equal(system(command), 0);
}

/* A file below ~/.aws; its path. */
static inline const char *aws_put(const char *name, const char *text)
{
	static char path[200];
	FILE *to;

	snprintf(path, sizeof(path), "%s/.aws/%s", aws_home, name);
	to = fopen(path, "w");
	assert_non_null(to);
	fputs(text, to);
	assert_int_equal(fclose(to), 0);
	return path;
}

/* Keys of the environment, a region, and an endpoint. */
static inline void aws_plain(const char *endpoint)
{
	setenv("AWS_ACCESS_KEY_ID", "AKID", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
	setenv("AWS_REGION", "eu-west-1", 1);
	setenv("AWS_ENDPOINT_URL", endpoint, 1);
}

/* The text between `before` and the next of `ends`; "" where there is none. */
static inline const char *aws_between(const char *text, const char *before, const char *ends)
{
	static _Thread_local char out[4][300];
	static _Thread_local unsigned next;
	const char *at = strstr(text, before);
	char *to = out[next++ % 4];

	to[0] = '\0';
	if (at != NULL)
		snprintf(to, sizeof(out[0]), "%.*s", (int)strcspn(at + strlen(before), ends), at + strlen(before));
	return to;
}

/*
 * Is the request signed with `secret`, as AWS would check it: every header that Authorization names, the path, the body? The time is
 * the one that X-Amz-Date says.
 */
static inline bool aws_signature_holds(const struct test_request *r, const char *secret)
{
	struct http_header headers[SIGV4_HEADERS_MAX];
	char values[SIGV4_HEADERS_MAX][2500], got[2500], names[500], scope[300], *rest = names, *name;
	struct sigv4_request request = {.method = r->method,
					.path = r->target,
					.query = "",
					.headers = headers,
					.body = bytes_of(r->body, r->body_len)};
	struct seal_buf want = BUF_INIT(4096);
	char *parts[5], *at = scope;
	struct tm tm = {0};
	size_t n = 0;
	bool same;

	if (!test_request_header(r, "Authorization", got, sizeof(got)))
		return false;
	snprintf(names, sizeof(names), "%s", aws_between(got, "SignedHeaders=", ","));
	snprintf(scope, sizeof(scope), "%s", aws_between(got, "Credential=", ","));
	for (size_t i = 0; i < 5; i++)
		if ((parts[i] = strsep(&at, "/")) == NULL)
			return false;
	request.region = parts[2];
	request.service = parts[3];
	while ((name = strsep(&rest, ";")) != NULL && n < SIGV4_HEADERS_MAX) {
		if (!test_request_header(r, name, values[n], sizeof(values[0])))
			return false;
		headers[n] = (struct http_header){name, values[n]};
		if (strcmp(name, "x-amz-date") == 0 && strptime(values[n], "%Y%m%dT%H%M%SZ", &tm) == NULL)
			return false;
		n++;
	}
	request.n_headers = n;
	request.unix_s = timegm(&tm);
	assert_int_equal(sigv4_sign(NULL, &request, parts[0], bytes_str(secret), &want, NULL), SEAL_OK);
	same = bytes_eq_str(buf_bytes(&want), got);
	buf_clear(&want);
	return same && strstr(got, "host") != NULL && request.unix_s != 0;
}

struct aws_double {
	struct test_server server;
	pthread_mutex_t lock;
	bool xml; /* STS answers so */
	bool logged_out; /* SSO answers 401 */
	bool busy; /* all answers are 503 */
	unsigned oidc; /* status of the OIDC service's answers; 0: 200 */
	int64_t life_s; /* of keys; 0: 3600 */
	unsigned given; /* keys so far */
	char log[16384]; /* "METHOD TARGET\n" of each request, with its body */
	char last[17000]; /* headers of the last one */
};

static inline bool aws_double_keys(struct aws_double *d, int fd, const char *form, const char *id, const char *token)
{
	time_t end = (time_t)(clock_unix_ms() / 1000 + (d->life_s != 0 ? d->life_s : 3600));
	char text[1200], when[40];
	struct tm tm;

	d->given++;
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&end, &tm));
	snprintf(text, sizeof(text), form, id, token, when);
	return test_reply(fd, 200, "", text);
}

static inline bool aws_double_sts(struct aws_double *d, int fd, const struct test_request *r, const char *body)
{
	static const char json[] =
		"{\"%sResponse\":{\"%sResult\":{\"Credentials\":{\"AccessKeyId\":\"%%s\","
		"\"SecretAccessKey\":\"S9\\/x\",\"SessionToken\":\"%%s\",\"Expiration\":\"%%s\"}}}}";
	static const char xml[] =
		"<?xml version=\"1.0\"?><%sResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
		"<%sResult><Credentials><AccessKeyId>%%s</AccessKeyId><SecretAccessKey>S9/x"
		"</SecretAccessKey><SessionToken>%%s</SessionToken><Expiration>%%s</Expiration>"
		"</Credentials></%sResult></%sResponse>";
	const char *action = aws_between(body, "Action=", "&"), *role = aws_between(body, "role%2F", "&");
	const char *by = aws_between(r->head, "Credential=", "/");
	char form[1000], token[300], id[120];

	snprintf(form, sizeof(form), d->xml ? xml : json, action, action, action, action);
	snprintf(id, sizeof(id), "ID-%.100s", role);
	snprintf(token, sizeof(token), "by-%.100s", by[0] != '\0' ? by : aws_between(body, "WebIdentityToken=", "&"));
	return aws_double_keys(d, fd, form, id, token);
}

static inline bool aws_double_answer(struct test_server *server, int fd, const struct test_request *r)
{
	static const char keys[] =
		"{\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"S9\",\"Token\":\"%s\",\"Expiration\":\"%s\"}";
	static const char sso[] =
		"{\"roleCredentials\":{\"accessKeyId\":\"%s\",\"secretAccessKey\":\"S9\",\"sessionToken\":"
		"\"%s\",\"expiration\":1795320001904,\"x\":\"%s\"}}";
	static const char roles[] = "/latest/meta-data/iam/security-credentials/";
	struct aws_double *d = server->arg;
	char body[4096] = "";
	bool keep;

	snprintf(body, sizeof(body), "%.*s", (int)r->body_len, r->body != NULL ? r->body : "");
	pthread_mutex_lock(&d->lock);
	snprintf(d->log + strlen(d->log), sizeof(d->log) - strlen(d->log), "%s %s %s\n", r->method, r->target, body);
	snprintf(d->last, sizeof(d->last), "%s", r->head);
	if (d->busy)
		keep = test_reply(fd, 503, "", "slow down");
	else if (strcmp(r->target, "/latest/api/token") == 0)
		keep = test_reply(fd, strcmp(r->method, "PUT") == 0 ? 200 : 405, "", "session-1");
	else if (strncmp(r->target, "/latest/", 8) == 0 &&
		 strcmp(aws_between(r->head, "X-aws-ec2-metadata-token: ", "\r"), "session-1") != 0)
		keep = test_reply(fd, 401, "", "<html>no</html>");
	else if (strcmp(r->target, roles) == 0)
		keep = test_reply(fd, 200, "", "my-role\n");
	else if (strcmp(r->target, "/latest/meta-data/iam/security-credentials/my-role") == 0)
		keep = aws_double_keys(d, fd, keys, "ID-instance", "T9");
	else if (strcmp(r->target, "/latest/meta-data/placement/region") == 0)
		keep = test_reply(fd, 200, "", "eu-south-1");
	else if (strcmp(r->target, "/v2/creds?id=1") == 0)
		keep = aws_double_keys(d, fd, keys, "ID-container", "T9");
	else if (strncmp(r->target, "/federation/credentials?", 24) == 0)
		keep = d->logged_out ? test_reply(fd, 401, "", "{\"message\":\"Session token not found or invalid\"}")
				     : aws_double_keys(d, fd, sso, "ID-sso", "T9");
	else if (strcmp(r->target, "/token") == 0 && d->oidc != 0)
		keep = test_reply(fd, d->oidc, "", "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid\"}");
	else if (strcmp(r->target, "/token") == 0)
		keep = test_reply(
			fd, 200, "",
			"{\"accessToken\":\"new-token\",\"expiresIn\":28800,\"refreshToken\":\"next-refresh\","
			"\"tokenType\":\"Bearer\"}");
	else if (strcmp(r->target, "/") == 0 && strncmp(body, "Action=AssumeRole", 17) == 0)
		keep = aws_double_sts(d, fd, r, body);
	else
		keep = test_reply(fd, 404, "", "{\"message\":\"no such thing\"}");
	pthread_mutex_unlock(&d->lock);
	return keep;
}

static inline void aws_double_start(struct aws_double *d)
{
	memset(d, 0, sizeof(*d));
	pthread_mutex_init(&d->lock, NULL);
	test_server_start(&d->server, aws_double_answer, d);
}

static inline void aws_double_stop(struct aws_double *d)
{
	test_server_stop(&d->server);
	pthread_mutex_destroy(&d->lock);
}

#endif

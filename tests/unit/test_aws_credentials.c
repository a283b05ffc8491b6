/* aws: are credentials found where AWS's own programs find them, whatever the situation? */
#include "aws_fixture.h"

#include "aws/credentials.h"

static struct aws_double d;

/* Files and variables of a situation, "@" in them stands for the double's address; what is found then. */
struct situation {
	const char *name, *config, *credentials, *variables; /* "NAME=VALUE\n…" */
	const char *access_key, *secret_key, *token; /* token NULL: none */
	enum seal_status status; /* else: of the failure */
	const char *text; /* … and in its text; in the requests otherwise */
};

static const struct situation table[] = {
	/* The environment. */
	{"environment", NULL, NULL, "AWS_ACCESS_KEY_ID=A\nAWS_SECRET_ACCESS_KEY=se/c+\nAWS_SESSION_TOKEN=t==\n", "A",
	 "se/c+", "t==", SEAL_OK, NULL},
	{"half of the environment", NULL, NULL, "AWS_ACCESS_KEY_ID=A\n", NULL, NULL, NULL, SEAL_DENIED,
	 "AWS_SECRET_ACCESS_KEY"},
	{"environment before the profile", NULL, "[p]\naws_access_key_id=B\naws_secret_access_key=b\n",
	 "AWS_PROFILE=p\nAWS_ACCESS_KEY_ID=A\nAWS_SECRET_ACCESS_KEY=a\n", "A", "a", NULL, SEAL_OK, NULL},
	{"nothing", NULL, NULL, "", NULL, NULL, NULL, SEAL_DENIED,
	 "there are no AWS credentials: not in the environment"},
	/* Keys of profiles. */
	{"default, written by Windows", NULL,
	 "# comment\naws_access_key_id = none\n[default]\r\naws_access_key_id = A1\r\n aws_secret_access_key=S1==\r\n"
	 "[other]\naws_access_key_id=A2\n",
	 "", "A1", "S1==", NULL, SEAL_OK, NULL},
	{"another profile", "[profile other]\nregion = x\n",
	 "[default]\naws_access_key_id=A1\n[other]\naws_access_key_id=A2\n#aws_access_key_id=no\n"
	 "aws_secret_access_key = S2 # mine\naws_session_token = T2\n",
	 "AWS_PROFILE=other\n", "A2", "S2", "T2", SEAL_OK, NULL},
	{"the config file's keys", "[profile o]\naws_access_key_id=A3\naws_secret_access_key=S3\n", NULL,
	 "AWS_PROFILE=o\n", "A3", "S3", NULL, SEAL_OK, NULL},
	{"the credentials file counts", "[default]\naws_access_key_id=A3\naws_secret_access_key=S3\n",
	 "[default]\naws_access_key_id=A4\naws_secret_access_key=S4\n", "", "A4", "S4", NULL, SEAL_OK, NULL},
	{"no such profile", "[profile o]\n[p]\naws_access_key_id=A\n", NULL, "AWS_PROFILE=p\n", NULL, NULL, NULL,
	 SEAL_USAGE, "there is no profile p in "},
	{"half of the keys", NULL, "[default]\naws_access_key_id=A1\n", "", NULL, NULL, NULL, SEAL_DENIED,
	 "the AWS profile default (aws_secret_access_key) gives no"},
	{"a program", "[default]\ncredential_process = /bin/echo\n", NULL, "", NULL, NULL, NULL, SEAL_USAGE,
	 "credential_process"},
	/* Web identity. */
	{"web identity", NULL, NULL,
	 "AWS_WEB_IDENTITY_TOKEN_FILE=^/token\nAWS_ROLE_ARN=arn:aws:iam::1:role/web\nAWS_ENDPOINT_URL_STS=@\n",
	 "ID-web", "S9/x", "by-ey.J%2Bx", SEAL_OK,
	 "POST / Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fweb&"
	 "RoleSessionName=sealstream&WebIdentityToken=ey.J%2Bx\n"},
	{"web identity of a profile",
	 "[default]\nrole_arn=arn:aws:iam::1:role/w\nweb_identity_token_file=^/token\nrole_session_name=me\n"
	 "endpoint_url=@\n",
	 NULL, "", "ID-w", "S9/x", "by-ey.J%2Bx", SEAL_OK, "&RoleSessionName=me&WebIdentityToken="},
	{"no token", NULL, NULL, "AWS_WEB_IDENTITY_TOKEN_FILE=/nowhere/token\nAWS_ROLE_ARN=arn:aws:iam::1:role/w\n",
	 NULL, NULL, NULL, SEAL_USAGE, "AWS web identity (AWS_WEB_IDENTITY_TOKEN_FILE): cannot read /nowhere/token"},
	/* Roles. */
	{"a role",
	 "[profile r]\nrole_arn = arn:aws:iam::1:role/one\nsource_profile = base\nexternal_id = e/1\n"
	 "duration_seconds = 900\n",
	 "[base]\naws_access_key_id=AB\naws_secret_access_key=SB\n", "AWS_PROFILE=r\nAWS_ENDPOINT_URL_STS=@\n",
	 "ID-one", "S9/x", "by-AB", SEAL_OK,
	 "POST / Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fone&RoleSessionName="
	 "sealstream&ExternalId=e%2F1&DurationSeconds=900\n"},
	{"a role of its own keys",
	 "[profile r]\nrole_arn = arn:aws:iam::1:role/one\nsource_profile = r\naws_access_key_id=AR\n"
	 "aws_secret_access_key=SR\n",
	 NULL, "AWS_PROFILE=r\nAWS_ENDPOINT_URL=@\n", "ID-one", "S9/x", "by-AR", SEAL_OK, NULL},
	{"a chain of roles",
	 "[profile a]\nrole_arn=arn:aws:iam::1:role/three\nsource_profile=b\n"
	 "[profile b]\nrole_arn=arn:aws:iam::1:role/two\nsource_profile=c\n"
	 "[profile c]\nrole_arn=arn:aws:iam::1:role/one\nsource_profile=default\n"
	 "[default]\naws_access_key_id=AD\naws_secret_access_key=SD\n",
	 NULL, "AWS_PROFILE=a\nAWS_ENDPOINT_URL_STS=@\n", "ID-three", "S9/x", "by-ID-two", SEAL_OK,
	 "role%2Fone&RoleSessionName=sealstream\nPOST / "
	 "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A"
	 "%3A1%3Arole%2Ftwo&RoleSessionName=sealstream\n"},
	{"a role from the environment",
	 "[profile r]\nrole_arn=arn:aws:iam::1:role/e\ncredential_source=Environment\n[services s]\nsts =\n"
	 "  endpoint_url = @\n[profile x]\n[profile r]\nservices = s\n",
	 NULL, "!r\nAWS_ACCESS_KEY_ID=AE\nAWS_SECRET_ACCESS_KEY=SE\n", "ID-e", "S9/x", "by-AE", SEAL_OK, NULL},
	{"a role from the instance",
	 "[default]\nrole_arn=arn:aws:iam::1:role/i\ncredential_source=Ec2InstanceMetadata\n", NULL,
	 "AWS_ENDPOINT_URL_STS=@\nAWS_EC2_METADATA_SERVICE_ENDPOINT=@\n", "ID-i", "S9/x", "by-ID-instance", SEAL_OK,
	 NULL},
	{"a role from the container", "[default]\nrole_arn=arn:aws:iam::1:role/i\ncredential_source=EcsContainer\n",
	 NULL, "AWS_ENDPOINT_URL_STS=@\nAWS_CONTAINER_CREDENTIALS_FULL_URI=@/v2/creds?id=1\n", "ID-i", "S9/x",
	 "by-ID-container", SEAL_OK, NULL},
	{"a role from nothing", "[default]\nrole_arn=arn:aws:iam::1:role/i\ncredential_source=EcsContainer\n", NULL,
	 "", NULL, NULL, NULL, SEAL_DENIED, "takes its credentials from EcsContainer, which has none"},
	{"an unknown source", "[default]\nrole_arn=arn:aws:iam::1:role/i\ncredential_source=Sun\n", NULL, "", NULL,
	 NULL, NULL, SEAL_USAGE, "has credential_source Sun; there are Environment,"},
	{"a role without a source", "[default]\nrole_arn=arn:aws:iam::1:role/i\n", NULL, "", NULL, NULL, NULL,
	 SEAL_USAGE, "has role_arn, but neither source_profile nor credential_source"},
	{"a circle", "[profile a]\nrole_arn=x\nsource_profile=b\n[profile b]\nrole_arn=y\nsource_profile=a\n", NULL,
	 "AWS_PROFILE=a\n", NULL, NULL, NULL, SEAL_USAGE, "lead to each other by source_profile"},
	{"a source that is not there", "[profile a]\nrole_arn=x\nsource_profile=b\n", NULL, "AWS_PROFILE=a\n", NULL,
	 NULL, NULL, SEAL_USAGE, "the AWS profile a has source_profile b, which is not there"},
	{"a source with nothing", "[profile a]\nrole_arn=x\nsource_profile=b\n[profile b]\nregion=y\n", NULL,
	 "AWS_PROFILE=a\n", NULL, NULL, NULL, SEAL_DENIED, "the AWS profile b, a source_profile, has no credentials"},
	{"a person's device", "[default]\nrole_arn=x\nsource_profile=default\nmfa_serial=y\naws_access_key_id=A\n",
	 NULL, "", NULL, NULL, NULL, SEAL_USAGE, "mfa_serial"},
	/* SSO: "dev" and "https://x.awsapps.com/start" have tokens in the cache. */
	{"an SSO session",
	 "[profile s]\nsso_session = dev\nsso_account_id = 012345678901\nsso_role_name = Read Only\nendpoint_url = "
	 "@\n"
	 "[sso-session dev]\nsso_region = us-east-1\nsso_start_url = https://x.awsapps.com/start#/\n",
	 NULL, "AWS_PROFILE=s\n", "ID-sso", "S9", "T9", SEAL_OK,
	 "GET /federation/credentials?role_name=Read+Only&account_id=012345678901 \n"},
	{"SSO, the older form",
	 "[default]\nsso_start_url = https://x.awsapps.com/start\nsso_region = us-east-1\nsso_account_id = 1\n"
	 "sso_role_name = R\n",
	 NULL, "AWS_ENDPOINT_URL_SSO=@\n", "ID-sso", "S9", "T9", SEAL_OK, NULL},
	{"SSO, expired", "[default]\nsso_start_url=https://old\nsso_region=r\nsso_account_id=1\nsso_role_name=R\n",
	 NULL, "", NULL, NULL, NULL, SEAL_DENIED, "`aws sso login --profile default`"},
	{"SSO, never logged in",
	 "[default]\nsso_start_url=https://y\nsso_region=r\nsso_account_id=1\nsso_role_name=R\n", NULL, "", NULL,
	 NULL, NULL, SEAL_DENIED, "`aws sso login --profile default`"},
	{"SSO, half", "[default]\nsso_start_url=https://y\n", NULL, "", NULL, NULL, NULL, SEAL_USAGE,
	 "needs sso_start_url, sso_region, sso_account_id and sso_role_name"},
	/* The machine. */
	{"a container", "[default]\nregion = x\n", NULL,
	 "AWS_CONTAINER_CREDENTIALS_FULL_URI=@/v2/creds?id=1\nAWS_CONTAINER_AUTHORIZATION_TOKEN=Basic abc\n"
	 "http_proxy=http://127.0.0.1:1\n",
	 "ID-container", "S9", "T9", SEAL_OK, "GET /v2/creds?id=1 \n"},
	{"a container without", NULL, NULL, "AWS_CONTAINER_CREDENTIALS_FULL_URI=@/v2/none\n", NULL, NULL, NULL,
	 SEAL_DENIED, "/v2/none answers 404: no such thing"},
	{"a container's address", NULL, NULL, "AWS_CONTAINER_CREDENTIALS_FULL_URI=nonsense\n", NULL, NULL, NULL,
	 SEAL_USAGE, "is not an address such as"},
	{"a container elsewhere", NULL, NULL, "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://10.0.0.1/creds\n", NULL,
	 NULL, NULL, SEAL_USAGE, "names another machine without https"},
	{"a container with a user", NULL, NULL,
	 "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://localhost~10.0.0.1/creds\n", NULL, NULL, NULL, SEAL_USAGE,
	 "names another machine without https"},
	{"a container with a port for a user", NULL, NULL,
	 "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:80~10.0.0.1/creds\n", NULL, NULL, NULL, SEAL_USAGE,
	 "names another machine without https"},
	{"a container's longer name", NULL, NULL,
	 "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.2.example/creds\n", NULL, NULL, NULL, SEAL_USAGE,
	 "names another machine without https"},
	{"a container's path that is a host", NULL, NULL, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=.example/creds\n",
	 NULL, NULL, NULL, SEAL_USAGE, "must begin with \"/\""},
	{"an instance", NULL, NULL, "AWS_EC2_METADATA_DISABLED=\nAWS_EC2_METADATA_SERVICE_ENDPOINT=@\n",
	 "ID-instance", "S9", "T9", SEAL_OK,
	 "PUT /latest/api/token \nGET /latest/meta-data/iam/security-credentials/ \n"
	 "GET /latest/meta-data/iam/security-credentials/my-role \n"},
	{"a profile with a region only", "[profile p]\nregion=x\n", NULL,
	 "AWS_PROFILE=p\nAWS_EC2_METADATA_DISABLED=\nAWS_EC2_METADATA_SERVICE_ENDPOINT=@\n", "ID-instance", "S9",
	 "T9", SEAL_OK, NULL},
};

/* With '@' as the double's address, '^' as the folder of the files, and '~' as '@'. */
static const char *fill(const char *text)
{
	static char out[3][2000];
	static unsigned next;
	char *to = out[next++ % 3];
	size_t n = 0;

	to[0] = '\0';
	for (; *text != '\0'; text++)
		n += (size_t)snprintf(to + n, sizeof(out[0]) - n, "%.*s%s", strchr("@^~", *text) != NULL ? 0 : 1,
				      text,
				      *text == '@'   ? d.server.url
				      : *text == '^' ? aws_home
				      : *text == '~' ? "@"
						     : "");
	return to;
}

static void set_variables(const char *lines)
{
	char all[1000], *at, *rest = all;

	snprintf(all, sizeof(all), "%s", fill(lines));
	while ((at = strsep(&rest, "\n")) != NULL) {
		char *equals = strchr(at, '=');

		if (equals == NULL)
			continue;
		*equals = '\0';
		setenv(at, equals + 1, 1);
	}
}

static void try_one(const struct situation *s)
{
	struct aws_want want = {.profile = s->variables[0] == '!' ? "r" : NULL};
	struct aws_credentials keys = {.access_key = SECRET_INIT};
	struct seal_err err = SEAL_ERR_INIT;
	enum seal_status rc;

	aws_nothing();
	unsetenv("http_proxy");
	d.log[0] = '\0';
	aws_put("../token", "ey.J+x\n");
	aws_put("sso/cache/34c6fceca75e456f25e7e99531e2425c6c1de443.json", /* of "dev" */
		"{\"accessToken\":\"sso-token\",\"expiresAt\":\"2999-01-01T00:00:00Z\"}");
	aws_put("sso/cache/3947de8b16688092197fa616c34e01335f21d256.json", /* of the start URL */
		"{\"expiresAt\":\"2999-06-17T10:02:08UTC\",\"accessToken\":\"sso-token\",\"region\":\"us-east-1\"}");
	aws_put("sso/cache/3dbfcfb8178f8ce8f73712c57098fc9f2cb54d8c.json", /* of https://old */
		"{\"accessToken\":\"sso-token\",\"expiresAt\":\"2020-01-01T00:00:00Z\"}");
	if (s->config != NULL)
		aws_put("config", fill(s->config));
	if (s->credentials != NULL)
		aws_put("credentials", fill(s->credentials));
	set_variables(s->variables);
	rc = aws_credentials_find(&want, DEADLINE_NONE, &keys, &err);
	if (rc != s->status || (rc != SEAL_OK && strstr(err.text, s->text) == NULL))
		fail_msg("%s: %d, %s", s->name, rc, err.text);
	if (rc == SEAL_OK) {
		assert_string_equal((const char *)keys.access_key.ptr, s->access_key);
		assert_string_equal((const char *)keys.secret_key.ptr, s->secret_key);
		assert_int_equal(keys.session_token.ptr == NULL, s->token == NULL);
		if (s->token != NULL)
			assert_string_equal((const char *)keys.session_token.ptr, s->token);
		if (s->text != NULL && strstr(d.log, s->text) == NULL)
			fail_msg("%s: %s", s->name, d.log);
	} else {
		assert_null(keys.access_key.ptr);
	}
	aws_credentials_clear(&keys);
}

static void situations(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		try_one(&table[i]);
}

/* The same of XML, as stand-ins of STS answer. */
static void roles_in_xml(void **state)
{
	(void)state;
	d.xml = true;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].status == SEAL_OK && strstr(table[i].secret_key, "S9/x") != NULL)
			try_one(&table[i]);
	d.xml = false;
}

static void tokens_go_along(void **state)
{
	struct situation s = {"",
			      NULL,
			      NULL,
			      "AWS_CONTAINER_CREDENTIALS_FULL_URI=@/v2/creds?id=1\n"
			      "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=^/token\n",
			      "ID-container",
			      "S9",
			      "T9",
			      SEAL_OK,
			      NULL};

	(void)state;
	try_one(&s);
	assert_non_null(strstr(d.last, "\r\nAuthorization: ey.J+x\r\n"));
	s.variables =
		"AWS_CONTAINER_CREDENTIALS_FULL_URI=@/v2/creds?id=1\nAWS_CONTAINER_AUTHORIZATION_TOKEN=Basic abc\n";
	try_one(&s);
	assert_non_null(strstr(d.last, "\r\nAuthorization: Basic abc\r\n"));
}

/* What is throttled gives credentials later: a stream that logs in anew waits for it. */
static void throttled(void **state)
{
	static const struct situation busy[] = {
		{"instance", NULL, NULL, "AWS_EC2_METADATA_DISABLED=\nAWS_EC2_METADATA_SERVICE_ENDPOINT=@\n", NULL,
		 NULL, NULL, SEAL_RETRY, "answers 503"},
		{"container", NULL, NULL, "AWS_CONTAINER_CREDENTIALS_FULL_URI=@/v2/creds\n", NULL, NULL, NULL,
		 SEAL_RETRY, "AWS container credentials: http://127.0.0.1:"},
	};

	(void)state;
	d.busy = true;
	for (size_t i = 0; i < 2; i++)
		try_one(&busy[i]);
	d.busy = false;
}

static void logged_out(void **state)
{
	static const struct situation out = {
		"SSO",
		"[default]\nsso_session=dev\nsso_account_id=1\nsso_role_name=R\nendpoint_url=@\n[sso-session dev]\n"
		"sso_region=r\nsso_start_url=x\n",
		NULL,
		"",
		NULL,
		NULL,
		NULL,
		SEAL_DENIED,
		"`aws sso login"};

	(void)state;
	d.logged_out = true;
	try_one(&out);
	assert_non_null(strstr(d.last, "x-amz-sso_bearer_token: sso-token\r\n"));
	d.logged_out = false;
}

/* ---- SSO tokens that come to their end ---- */

#define SESSION                                                                                                      \
	"[default]\nsso_session=dev\nsso_account_id=1\nsso_role_name=R\nendpoint_url=@\n[sso-session dev]\n"         \
	"sso_region=r\nsso_start_url=https://x.awsapps.com/start\n"
#define DEV "sso/cache/34c6fceca75e456f25e7e99531e2425c6c1de443.json"

/* A cache whose token has so many seconds to live; `registered`: until when the client is. */
static const char *put_token(int64_t left_s, const char *registered)
{
	const time_t end = (time_t)(clock_unix_ms() / 1000 + left_s);
	char when[40], text[600];
	struct tm tm;

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&end, &tm));
	snprintf(text, sizeof(text),
		 "{\"startUrl\": \"https://x.awsapps.com/\\u0073tart\", \"region\": \"r\", \"accessToken\": "
		 "\"old-token\", "
		 "\"expiresAt\": \"%s\", \"clientId\": \"cl\", \"clientSecret\": \"cl-secret\", "
		 "\"registrationExpiresAt\": \"%s\", \"refreshToken\": \"first-refresh\", \"other\": [1, {\"a\": "
		 "null}]}",
		 when, registered);
	return aws_put(DEV, text);
}

/* Finds credentials; what the SSO service was shown, "" when nothing was found. */
static const char *shown_with(const char *config, enum seal_status expected)
{
	struct aws_want want = {0};
	struct aws_credentials keys = {.access_key = SECRET_INIT};
	struct seal_err err = SEAL_ERR_INIT;
	enum seal_status rc;

	aws_put("config", fill(config));
	d.log[0] = '\0';
	rc = aws_credentials_find(&want, DEADLINE_NONE, &keys, &err);
	if (rc != expected)
		fail_msg("%d: %s", rc, err.text);
	assert_null(strstr(err.text, "secret"));
	assert_null(strstr(err.text, "refresh"));
	aws_credentials_clear(&keys);
	return rc == SEAL_OK ? aws_between(d.last, "x-amz-sso_bearer_token: ", "\r") : "";
}

static void a_token_near_its_end_is_renewed(void **state)
{
	char text[1000], path[200];
	struct stat st;
	FILE *file;

	(void)state;
	aws_nothing();
	snprintf(path, sizeof(path), "%s", put_token(800, "2999-01-01T00:00:00Z"));
	assert_string_equal(shown_with(SESSION, SEAL_OK), "new-token");
	assert_non_null(strstr(d.log, "POST /token {\"grantType\": \"refresh_token\", \"clientId\": \"cl\", "
				      "\"clientSecret\": \"cl-secret\", \"refreshToken\": \"first-refresh\"}\n"));
	file = fopen(path, "r");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	assert_non_null(strstr(text, "{\"startUrl\": \"https://x.awsapps.com/\\u0073tart\", \"region\": \"r\", "));
	assert_non_null(strstr(text, "\"other\": [1, {\"a\": null}], \"accessToken\": \"new-token\", "));
	assert_non_null(strstr(text, "\"refreshToken\": \"next-refresh\"}"));
	assert_null(strstr(text, "old-token"));
	assert_null(strstr(text, "first-refresh"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_string_equal(shown_with(SESSION, SEAL_OK), "new-token"); /* of the file now */
	assert_null(strstr(d.log, "/token"));
}

static void when_a_token_is_renewed(void **state)
{
	static const char older[] = "[default]\nsso_start_url=dev\nsso_region=r\nsso_account_id=1\nsso_role_name=R\n"
				    "endpoint_url=@\n";
	static const char later[] = "2999-01-01T00:00:00Z";

	(void)state;
	aws_nothing();
	put_token(1000, later);
	assert_string_equal(shown_with(SESSION, SEAL_OK), "old-token");
	put_token(-1000, later);
	assert_string_equal(shown_with(SESSION, SEAL_OK), "new-token");
	put_token(800, "2020-01-01T00:00:00Z");
	assert_string_equal(shown_with(SESSION, SEAL_OK), "old-token");
	put_token(800, later);
	assert_string_equal(shown_with(older, SEAL_OK), "old-token"); /* only a session's is */
	assert_null(strstr(d.log, "/token"));
	put_token(-1, later);
	shown_with(older, SEAL_DENIED);
	d.oidc = 400;
	put_token(800, later);
	assert_string_equal(shown_with(SESSION, SEAL_OK), "old-token");
	put_token(-1, later);
	shown_with(SESSION, SEAL_DENIED);
	d.oidc = 503;
	put_token(800, later);
	assert_string_equal(shown_with(SESSION, SEAL_OK), "old-token");
	put_token(-1, later);
	shown_with(SESSION, SEAL_RETRY);
	d.oidc = 0;
}

/* Ends are read, in both forms. */
static void expiries(void **state)
{
	struct aws_want want = {0};
	struct aws_credentials keys = {.access_key = SECRET_INIT};
	const int64_t now_s = clock_unix_ms() / 1000;

	(void)state;
	aws_nothing();
	set_variables("AWS_CONTAINER_CREDENTIALS_FULL_URI=@/v2/creds?id=1\n");
	assert_int_equal(aws_credentials_find(&want, DEADLINE_NONE, &keys, NULL), SEAL_OK);
	assert_true(keys.expires_s >= now_s + 3600 && keys.expires_s < now_s + 3700);
	aws_credentials_clear(&keys);
}

static int start(void **state)
{
	aws_double_start(&d);
	return 0;
}

static int stop(void **state)
{
	aws_double_stop(&d);
	aws_remove_home();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(situations),
		cmocka_unit_test(roles_in_xml),
		cmocka_unit_test(tokens_go_along),
		cmocka_unit_test(throttled),
		cmocka_unit_test(logged_out),
		cmocka_unit_test(expiries),
		cmocka_unit_test(a_token_near_its_end_is_renewed),
		cmocka_unit_test(when_a_token_is_renewed),
	};

	return cmocka_run_group_tests(tests, start, stop);
}

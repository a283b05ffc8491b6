/* vault/login: does each way of logging in send exactly what it must, and does a token live as long as it can? */
#include "vault_fake.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "base/log.h"
#include "vault/login/helper.h"

static struct vault_options options;
static struct vault_tokens *tokens;
static struct vault_token *held;
static bool by_policy;
static struct seal_err err;
static uint64_t fake_now;
static char folder[] = "/tmp/test_vault_login_XXXXXX";

static const char *const variables[] = {
	"VAULT_TOKEN",	       "BAO_TOKEN",	 "VAULT_CONFIG_PATH",	       "BAO_CONFIG_PATH",
	"VAULT_TOKEN_PATH",    "BAO_TOKEN_PATH", "SEALSTREAM_VAULT_SECRET_ID", "SEALSTREAM_VAULT_PASSWORD",
	"SEALSTREAM_VAULT_JWT"};

static uint64_t clock_of_test(void)
{
	return fake_now;
}

static const char *path_of(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *out = paths[next++ % 4];

	snprintf(out, sizeof(paths[0]), "%s/%s", folder, name);
	return out;
}

static const char *put_file(const char *name, const char *text, unsigned mode)
{
	const char *path = path_of(name);
	FILE *to = fopen(path, "w");

	assert_non_null(to);
	fputs(text, to);
	assert_int_equal(fclose(to), 0);
	assert_int_equal(chmod(path, mode), 0);
	return path;
}

static int fresh(void **state)
{
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	setenv("HOME", folder, 1);
	memset(&options, 0, sizeof(options));
	err_clear(&err);
	fake_now = 1000000;
	vault_login_test_clock(clock_of_test, false);
	script = NULL;
	answer_by = NULL;
	tokens = NULL;
	held = NULL;
	return 0;
}

static int stale(void **state)
{
	if (held != NULL)
		vault_token_release(tokens, held);
	vault_tokens_free(tokens);
	return 0;
}

static void start(const struct step *steps)
{
	script = steps;
	assert_int_equal(vault_tokens_new(&fake_client, &options, &tokens, &err), SEAL_OK);
}

static enum seal_status get(void)
{
	if (held != NULL)
		vault_token_release(tokens, held);
	held = NULL;
	err_clear(&err);
	return vault_token_get(tokens, &fake_worker, DEADLINE_NONE, &held, &err);
}

static enum seal_status refused(void)
{
	err_clear(&err);
	return vault_token_refused(tokens, &fake_worker, held, DEADLINE_NONE, &by_policy, &err);
}

static void assert_token(const char *text)
{
	if (get() != SEAL_OK)
		fail_msg("%s", err.text);
	assert_string_equal(vault_token_text(held), text);
}

static void assert_says(const char *part)
{
	if (strstr(err.text, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, part);
	assert_null(strchr(err.text, '\n'));
}

#define AUTH(token, ttl, renewable)                                                                                  \
	"{\"auth\":{\"client_token\":\"" token "\",\"lease_duration\":" ttl ",\"renewable\":" renewable              \
	",\"mfa_requirement\":null}}"
#define RENEW "auth/token/renew-self"
#define LOOK "auth/token/lookup-self"
#define LOGIN_BODY "{\"role_id\":\"orders\",\"secret_id\":\"s3\"}"
#define LOGIN "auth/approle/login"

static void approle_options(void)
{
	options.auth = "approle";
	options.role = "orders";
	options.secret_file = put_file("secret-id", " s3\n", 0600);
}

static void approle(void **state)
{
	const struct step steps[] = {{LOGIN, LOGIN_BODY, NULL, AUTH("hvs.A", "0", "false"), 0, NULL}, END_OF_SCRIPT};

	approle_options();
	start(steps);
	assert_token("hvs.A");
	fake_now += UINT64_C(1) << 50; /* no end, no renewal */
	assert_token("hvs.A");
	script_is_over();
}

static void approle_variants(void **state)
{
	const struct step none[] = {
		{"auth/team/app%20role/login", "{\"role_id\":\"orders\"}", NULL, AUTH("t", "0", "true"), 0, NULL},
		END_OF_SCRIPT};
	const struct step variable[] = {
		{LOGIN, "{\"role_id\":\"orders\",\"secret_id\":\"e4\"}", NULL, AUTH("t", "0", "true"), 0, NULL},
		END_OF_SCRIPT};

	options.auth = "approle";
	options.role = "orders";
	options.auth_mount = "/auth/team/app role/";
	start(none);
	assert_token("t");
	script_is_over();
	stale(NULL);
	fresh(NULL);
	options.auth = "approle";
	options.role = "orders";
	setenv("SEALSTREAM_VAULT_SECRET_ID", "e4", 1);
	start(variable);
	assert_token("t");
	script_is_over();
}

#define WRAP_LOOK "sys/wrapping/lookup"
#define WRAP_OPEN "sys/wrapping/unwrap"
#define ORIGIN(path) "{\"data\":{\"creation_path\":\"" path "\",\"creation_ttl\":60}}"

static void wrapped(void **state)
{
	const struct step steps[] = {
		{WRAP_LOOK, "{\"token\":\"hvs.W\"}", NULL, ORIGIN("auth/approle/role/x/secret-id"), 0, NULL},
		{WRAP_OPEN, "{}", "hvs.W", "{\"data\":{\"secret_id\":\"s3\"}}", 0, NULL},
		{LOGIN, LOGIN_BODY, NULL, AUTH("hvs.A", "60", "false"), 0, NULL},
		/* the second login: the token is not opened again */
		{LOGIN, LOGIN_BODY, NULL, AUTH("hvs.B", "60", "false"), 0, NULL},
		/* the third: another wrapping token lies there */
		{WRAP_LOOK, "{\"token\":\"hvs.V\"}", NULL, ORIGIN("auth/approle/role/x/custom-secret-id"), 0, NULL},
		{WRAP_OPEN, "{}", "hvs.V", "{\"data\":{\"secret_id\":\"s3\"}}", 0, NULL},
		{LOGIN, LOGIN_BODY, NULL, AUTH("hvs.C", "60", "false"), 0, NULL},
		END_OF_SCRIPT};

	approle_options();
	options.secret_wrapped = true;
	put_file("secret-id", "hvs.W\n", 0600);
	start(steps);
	assert_token("hvs.A");
	fake_now += 61000;
	assert_token("hvs.B");
	put_file("secret-id", "hvs.V\n", 0600);
	fake_now += 61000;
	assert_token("hvs.C");
	script_is_over();
}

static void wrapped_by_others(void **state)
{
	static const char *const origins[] = {"sys/wrapping/wrap",
					      "auth/other/role/x/secret-id",
					      "auth/approle/role/x/secret-id/x",
					      "auth/approle/role//secret-id",
					      "auth/approle/role/x/role-id",
					      "secret/auth/approle/role/x/secret-id"};
	char answer[200];
	struct step steps[] = {{WRAP_LOOK, "{\"token\":\"hvs.W\"}", NULL, answer, 0, NULL}, END_OF_SCRIPT};

	approle_options();
	options.secret_wrapped = true;
	put_file("secret-id", "hvs.W", 0600);
	start(steps);
	for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
		script = steps;
		snprintf(answer, sizeof(answer), ORIGIN("%s"), origins[i]);
		assert_int_equal(get(), SEAL_DENIED);
		assert_says("was not made for a secret id of this mount but at ");
		assert_says(origins[i]);
		script_is_over();
	}
}

/* The namespace stands in front or not; one that a path happens to begin with is no part of it. */
static void wrapped_in_a_namespace(void **state)
{
	static const char *const names[] = {"team", "team/", "a", "team"};
	static const char *const origins[] = {"team/auth/approle/role/x/secret-id",
					      "team/auth/approle/role/x/secret-id", "auth/approle/role/x/secret-id",
					      "auth/approle/role/x/secret-id"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char answer[200];
		const struct step steps[] = {{WRAP_LOOK, "{\"token\":\"hvs.W\"}", NULL, answer, 0, NULL},
					     {WRAP_OPEN, "{}", "hvs.W", "{\"data\":{\"secret_id\":\"s3\"}}", 0, NULL},
					     {LOGIN, LOGIN_BODY, NULL, AUTH("hvs.A", "60", "false"), 0, NULL},
					     END_OF_SCRIPT};

		stale(state);
		fresh(state);
		approle_options();
		options.secret_wrapped = true;
		options.namespace_ = names[i];
		snprintf(answer, sizeof(answer), ORIGIN("%s"), origins[i]);
		put_file("secret-id", "hvs.W", 0600);
		start(steps);
		assert_token("hvs.A");
		script_is_over();
	}
}

static void wrapped_used(void **state)
{
	const struct step steps[] = {
		{WRAP_LOOK, "{\"token\":\"hvs.W\"}", NULL, NULL, SEAL_USAGE, "wrapping token is not valid"},
		{WRAP_LOOK, "{\"token\":\"hvs.W\"}", NULL, ORIGIN("auth/approle/role/x/secret-id"), 0, NULL},
		{WRAP_OPEN, "{}", "hvs.W", NULL, SEAL_USAGE, "wrapping token is not valid"},
		{WRAP_LOOK, "{\"token\":\"hvs.W\"}", NULL, NULL, SEAL_RETRY, "away"},
		{WRAP_LOOK, "{\"token\":\"hvs.W\"}", NULL, ORIGIN("auth/approle/role/x/secret-id"), 0, NULL},
		{WRAP_OPEN, "{}", "hvs.W", "{\"data\":{\"role_id\":\"x\"}}", 0, NULL},
		END_OF_SCRIPT};

	approle_options();
	options.secret_wrapped = true;
	put_file("secret-id", "hvs.W", 0600);
	start(steps);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(get(), SEAL_DENIED);
		assert_says("has been used already or has ended");
		assert_says("somebody else may have the secret id");
		assert_null(strstr(err.text, "hvs.W"));
	}
	assert_int_equal(get(), SEAL_RETRY);
	assert_says("logging in with approle: away");
	assert_int_equal(get(), SEAL_DENIED);
	assert_says("held no secret id");
	script_is_over();
}

static void kubernetes(void **state)
{
	const struct step steps[] = {
		{"auth/k8s/login", "{\"jwt\":\"one\",\"role\":\"orders\"}", NULL, AUTH("A", "60", "false"), 0, NULL},
		{"auth/k8s/login", "{\"jwt\":\"two\",\"role\":\"orders\"}", NULL, AUTH("B", "60", "false"), 0, NULL},
		END_OF_SCRIPT};

	options.auth = "kubernetes";
	options.auth_mount = "k8s";
	options.role = "orders";
	options.secret_file = put_file("jwt", "one\n", 0600);
	start(steps);
	assert_token("A");
	put_file("jwt", "two\n", 0600); /* the kubelet has replaced it */
	fake_now += 61000;
	assert_token("B");
	script_is_over();
	stale(NULL);
	fresh(NULL);
	options.auth = "kubernetes";
	options.role = "orders";
	start(NULL);
	assert_int_equal(get(), SEAL_USAGE);
	assert_says("no service account token; outside a pod name one with --vault-secret-file");
}

static void jwt(void **state)
{
	const struct step steps[] = {
		{"auth/jwt/login", "{\"jwt\":\"a.b.c\"}", NULL, AUTH("A", "0", "false"), 0, NULL}, END_OF_SCRIPT};

	options.auth = "jwt";
	assert_int_equal(vault_tokens_new(&fake_client, &options, &tokens, &err), SEAL_USAGE);
	assert_string_equal(err.text, "logging in with jwt needs a JWT: --vault-secret-file, or SEALSTREAM_VAULT_JWT "
				      "in the environment");
	setenv("SEALSTREAM_VAULT_JWT", "a.b.c", 1);
	start(steps);
	assert_token("A");
	script_is_over();
}

static void cert(void **state)
{
	const struct step named[] = {{"auth/cert/login", "{\"name\":\"web\"}", NULL, AUTH("A", "0", "true"), 0, NULL},
				     END_OF_SCRIPT};
	const struct step any[] = {{"auth/cert/login", "{}", NULL, AUTH("A", "0", "true"), 0, NULL}, END_OF_SCRIPT};

	options.auth = "cert";
	assert_int_equal(vault_tokens_new(&fake_client, &options, &tokens, &err), SEAL_USAGE);
	assert_string_equal(err.text, "logging in with cert needs --vault-client-cert");
	options.client_cert = "c.pem";
	options.client_key = "k.pem";
	options.addr = "http://127.0.0.1:8200";
	err_clear(&err);
	assert_int_equal(vault_tokens_new(&fake_client, &options, &tokens, &err), SEAL_USAGE);
	assert_says("needs TLS");
	options.addr = NULL;
	options.role = "web";
	err_clear(&err);
	start(named);
	assert_token("A");
	script_is_over();
	vault_token_release(tokens, held);
	held = NULL;
	vault_tokens_free(tokens);
	options.role = NULL;
	start(any);
	assert_token("A");
	script_is_over();
}

static void passwords(void **state)
{
	const struct step user[] = {{"auth/userpass/login/j%20doe%2F1", "{\"password\":\" p\\\"w \"}", NULL,
				     AUTH("A", "0", "true"), 0, NULL},
				    END_OF_SCRIPT};
	const struct step ldap[] = {
		{"auth/corp/ldap/login/jdoe", "{\"password\":\"env\"}", NULL, AUTH("B", "0", "true"), 0, NULL},
		END_OF_SCRIPT};

	options.auth = "userpass";
	assert_int_equal(vault_tokens_new(&fake_client, &options, &tokens, &err), SEAL_USAGE);
	assert_string_equal(err.text, "logging in with userpass needs --vault-user");
	options.user = "j doe/1";
	err_clear(&err);
	assert_int_equal(vault_tokens_new(&fake_client, &options, &tokens, &err), SEAL_USAGE);
	assert_says("needs a password: --vault-secret-file, or SEALSTREAM_VAULT_PASSWORD");
	options.secret_file = put_file("password", " p\"w \r\n", 0600); /* one line end goes, spaces stay */
	err_clear(&err);
	start(user);
	assert_token("A");
	script_is_over();
	stale(NULL);
	fresh(NULL);
	options.auth = "ldap";
	options.auth_mount = "corp/ldap";
	options.user = "jdoe";
	setenv("SEALSTREAM_VAULT_PASSWORD", "env", 1);
	start(ldap);
	assert_token("B");
	script_is_over();
}

/* Where no mount is named it is the method's name. */
static void mounts_by_default(void **state)
{
	static const struct {
		const char *auth, *path;
	} rows[] = {{"kubernetes", "auth/kubernetes/login"},  {"jwt", "auth/jwt/login"},
		    {"approle", "auth/approle/login"},	      {"cert", "auth/cert/login"},
		    {"userpass", "auth/userpass/login/jdoe"}, {"ldap", "auth/ldap/login/jdoe"}};
	static const char *const bodies[] = {"{\"jwt\":\"x\",\"role\":\"r\"}",
					     "{\"jwt\":\"x\",\"role\":\"r\"}",
					     "{\"role_id\":\"r\",\"secret_id\":\"x\"}",
					     "{\"name\":\"r\"}",
					     "{\"password\":\"x\"}",
					     "{\"password\":\"x\"}"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct step steps[] = {{rows[i].path, bodies[i], NULL, AUTH("A", "0", "true"), 0, NULL},
					     END_OF_SCRIPT};

		stale(NULL);
		fresh(NULL);
		options = (struct vault_options){.auth = rows[i].auth,
						 .role = "r",
						 .user = "jdoe",
						 .client_cert = "c.pem",
						 .client_key = "k.pem",
						 .secret_file = put_file("secret", "x", 0600)};
		start(steps);
		assert_token("A");
		script_is_over();
	}
}

static void bad_secrets(void **state)
{
	options.auth = "userpass";
	options.user = "u";
	options.secret_file = put_file("password", "\n", 0600);
	start(NULL);
	assert_int_equal(get(), SEAL_USAGE);
	assert_says("password is empty");
	put_file("password", "caf\xe9", 0600);
	assert_int_equal(get(), SEAL_USAGE);
	assert_says("the login's password is not UTF-8 text");
	options.secret_file = path_of("nothing-there");
	assert_int_equal(get(), SEAL_USAGE);
	assert_says("cannot read");
}

static void unknown_way(void **state)
{
	options.auth = "aprole";
	assert_int_equal(vault_tokens_new(&fake_client, &options, &tokens, &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_CONFIG);
	assert_string_equal(err.text,
			    "--vault-auth: there is no way of logging in called aprole; did you mean approle?");
}

static void answers_without_token(void **state)
{
	const struct step steps[] = {
		{LOGIN, LOGIN_BODY, NULL,
		 "{\"auth\":{\"client_token\":\"\",\"mfa_requirement\":{\"mfa_request_id\":\"1\"}}}", 0, NULL},
		{LOGIN, LOGIN_BODY, NULL, "{\"auth\":null}", 0, NULL},
		{LOGIN, LOGIN_BODY, NULL, NULL, 0, NULL},
		{LOGIN, LOGIN_BODY, NULL, AUTH("a b", "0", "true"), 0, NULL},
		{LOGIN, LOGIN_BODY, NULL, AUTH("x\\ny", "0", "true"), 0, NULL},
		END_OF_SCRIPT};

	approle_options();
	start(steps);
	assert_int_equal(get(), SEAL_DENIED);
	assert_says("second factor");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(get(), SEAL_DENIED);
		assert_says("holds no token");
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(get(), SEAL_USAGE);
		assert_says("the token that the server gave holds characters that no token has");
	}
	script_is_over();
}

static void login_refused(void **state)
{
	const struct step steps[] = {
		{LOGIN, LOGIN_BODY, NULL, NULL, SEAL_DENIED, "HTTP 400: invalid role or secret ID"},
		{LOGIN, LOGIN_BODY, NULL, NULL, SEAL_RETRY, "sealed"},
		END_OF_SCRIPT};

	approle_options();
	start(steps);
	assert_int_equal(get(), SEAL_DENIED);
	assert_string_equal(
		err.text,
		"logging in with approle at auth/approle failed: HTTP 400: invalid role or secret ID; check "
		"the role id (--vault-role) and the secret id (--vault-secret-file): it may have ended, been "
		"used up, or be bound to other addresses");
	assert_int_equal(get(), SEAL_RETRY);
	assert_string_equal(err.text, "logging in with approle: sealed");
	script_is_over();
}

/* Renewed at two thirds of the TTL, a tenth of that more or less. */
static void renewed_at_two_thirds(void **state)
{
	const struct step steps[] = {{LOGIN, LOGIN_BODY, NULL, AUTH("A", "1000", "true"), 0, NULL},
				     {RENEW, "{}", "A", AUTH("A", "1000", "true"), 0, NULL},
				     {RENEW, "{}", "A", AUTH("A", "500", "true"), 0, NULL},
				     {RENEW, "{}", "A", AUTH("A", "500", "true"), 0, NULL},
				     END_OF_SCRIPT};

	approle_options();
	start(steps);
	assert_token("A");
	for (int i = 0; i < 2; i++) {
		fake_now += 599000;
		assert_token("A");
		assert_int_equal(script - steps, 1 + i);
		fake_now += 135000;
		assert_token("A");
		assert_int_equal(script - steps, 2 + i);
	}
	fake_now += 299000;
	assert_token("A");
	assert_int_equal(script - steps, 3);
	fake_now += 68000;
	assert_token("A");
	script_is_over();
}

static unsigned renewals;

static enum seal_status count_renewals(const char *path, const char *token, json_t **out, struct seal_err *e)
{
	renewals += strcmp(path, RENEW) == 0;
	*out = json_loads(AUTH("A", "1000", "true"), 0, NULL);
	return SEAL_OK;
}

/* Programs that logged in at once do not renew at once. */
static void renewals_are_spread(void **state)
{
	enum { N = 40 };

	renewals = 0;
	for (int i = 0; i < N; i++) {
		stale(NULL);
		fresh(NULL);
		approle_options();
		answer_by = count_renewals;
		start(NULL);
		assert_token("A");
		fake_now += 666700;
		assert_token("A");
	}
	assert_in_range(renewals, 1, N - 1); /* all on one side by chance: 2 in 2^40 */
}

static void renewal_ends(void **state)
{
	const struct step steps[] = {{LOGIN, LOGIN_BODY, NULL, AUTH("A", "600", "true"), 0, NULL},
				     {RENEW, "{}", "A", NULL, SEAL_DENIED, "lease is not renewable"},
				     {LOGIN, LOGIN_BODY, NULL, AUTH("B", "600", "true"), 0, NULL},
				     /* some seconds more: not worth it */
				     {RENEW, "{}", "B", AUTH("B", "230", "true"), 0, NULL},
				     {LOGIN, LOGIN_BODY, NULL, AUTH("c", "600", "true"), 0, NULL},
				     /* nothing is left: 0 is not "no end" */
				     {RENEW, "{}", "c", AUTH("c", "0", "true"), 0, NULL},
				     {LOGIN, LOGIN_BODY, NULL, AUTH("C", "600", "false"), 0, NULL},
				     /* a batch token: cannot be renewed */
				     {LOGIN, LOGIN_BODY, NULL, AUTH("D", "600", "true"), 0, NULL},
				     {RENEW, "{}", "D", NULL, SEAL_DENIED, "permission denied"},
				     {LOGIN, LOGIN_BODY, NULL, NULL, SEAL_DENIED, "invalid secret id"},
				     /* its end: nothing is left */
				     {LOGIN, LOGIN_BODY, NULL, NULL, SEAL_DENIED, "invalid secret id"},
				     END_OF_SCRIPT};

	approle_options();
	start(steps);
	assert_token("A");
	fake_now += 441000;
	assert_token("B");
	fake_now += 441000;
	assert_token("c");
	fake_now += 441000;
	assert_token("C");
	fake_now += 441000;
	assert_token("D");
	fake_now += 441000;
	assert_token("D"); /* good still */
	assert_token("D"); /* no further try at once */
	fake_now += 160000;
	assert_int_equal(get(), SEAL_DENIED);
	assert_says("the token's renewal has ended, and logging in with approle at auth/approle failed: invalid "
		    "secret id");
	assert_says("check the role id");
	script_is_over();
}

/* A server that is away does not end a token: it is used on, and renewal is tried again, not too often. */
static void renewal_away(void **state)
{
	const struct step steps[] = {{LOGIN, LOGIN_BODY, NULL, AUTH("A", "600", "true"), 0, NULL},
				     {RENEW, "{}", "A", NULL, SEAL_RETRY, "away"},
				     {RENEW, "{}", "A", NULL, SEAL_RETRY, "away"},
				     {RENEW, "{}", "A", AUTH("A", "600", "true"), 0, NULL},
				     {LOGIN, LOGIN_BODY, NULL, NULL, SEAL_RETRY, "away"},
				     {LOGIN, LOGIN_BODY, NULL, AUTH("B", "600", "true"), 0, NULL},
				     END_OF_SCRIPT};

	approle_options();
	start(steps);
	assert_token("A");
	fake_now += 441000;
	assert_token("A");
	fake_now += 9000;
	assert_token("A");
	assert_int_equal(script - steps, 2);
	fake_now += 1000;
	assert_token("A");
	assert_int_equal(script - steps, 3);
	fake_now += 19000;
	assert_token("A");
	assert_int_equal(script - steps, 3);
	fake_now += 1000;
	assert_token("A");
	assert_int_equal(script - steps, 4);
	fake_now += 600001; /* nobody called for so long that it ended */
	assert_int_equal(get(), SEAL_RETRY);
	assert_token("B");
	script_is_over();
}

static void revoked(void **state)
{
	const struct step steps[] = {{LOGIN, LOGIN_BODY, NULL, AUTH("A", "600", "true"), 0, NULL},
				     {LOOK, NULL, "A", NULL, SEAL_DENIED, "permission denied"},
				     {LOGIN, LOGIN_BODY, NULL, AUTH("B", "600", "true"), 0, NULL},
				     {LOOK, NULL, "B", "{\"data\":{}}", 0, NULL},
				     /* refused by a policy */
				     {LOOK, NULL, "B", "{\"data\":{}}", 0, NULL},
				     /* nobody knows */
				     {LOOK, NULL, "B", NULL, SEAL_RETRY, "sealed"},
				     /* revoked again, at once */
				     {LOOK, NULL, "B", NULL, SEAL_DENIED, "permission denied"},
				     {LOGIN, LOGIN_BODY, NULL, NULL, SEAL_DENIED, "invalid secret id"},
				     END_OF_SCRIPT};
	struct vault_token *old;

	approle_options();
	start(steps);
	assert_token("A");
	old = held;
	assert_int_equal(refused(), SEAL_OK);
	held = NULL;
	assert_token("B");
	/* a second worker that was refused with A: there is another one already */
	assert_int_equal(vault_token_refused(tokens, &fake_worker, old, DEADLINE_NONE, &by_policy, &err), SEAL_OK);
	assert_string_equal(vault_token_text(old), "A");
	vault_token_release(tokens, old);
	assert_int_equal(refused(), SEAL_DENIED);
	assert_string_equal(err.text, "the token is good, but its policies do not allow this");
	assert_true(by_policy);
	assert_int_equal(refused(), SEAL_RETRY);
	assert_int_equal(refused(), SEAL_DENIED);
	assert_says("logging in with approle at auth/approle failed: invalid secret id");
	assert_false(by_policy);
	script_is_over();
}

/* A token that may not look at itself: refused at once after a new login, the policy is to blame; later it may have ended. */
static void revoked_and_blind(void **state)
{
	const struct step steps[] = {{LOGIN, LOGIN_BODY, NULL, AUTH("A", "600", "true"), 0, NULL},
				     {LOOK, NULL, "A", NULL, SEAL_DENIED, "permission denied"},
				     {LOGIN, LOGIN_BODY, NULL, AUTH("B", "600", "true"), 0, NULL},
				     {LOOK, NULL, "B", NULL, SEAL_DENIED, "permission denied"},
				     {LOOK, NULL, "B", NULL, SEAL_DENIED, "permission denied"},
				     /* later */
				     {LOOK, NULL, "B", NULL, SEAL_DENIED, "permission denied"},
				     {LOGIN, LOGIN_BODY, NULL, AUTH("C", "600", "true"), 0, NULL},
				     {LOOK, NULL, "C", NULL, SEAL_RETRY, "away"},
				     END_OF_SCRIPT};

	approle_options();
	start(steps);
	assert_token("A");
	assert_int_equal(refused(), SEAL_OK);
	assert_token("B");
	assert_int_equal(refused(), SEAL_DENIED);
	assert_says("refused again right after logging in with approle");
	assert_true(by_policy);
	fake_now += 3000;
	assert_int_equal(refused(), SEAL_OK);
	assert_token("C");
	script_is_over();
}

/* A token of a few calls is used up soon, again and again, and none of its calls is spent on looking. */
static void used_up(void **state)
{
#define FEW(token)                                                                                                   \
	"{\"auth\":{\"client_token\":\"" token "\",\"lease_duration\":600,\"renewable\":true,\"num_uses\":2}}"
	const struct step steps[] = {{LOGIN, LOGIN_BODY, NULL, FEW("A"), 0, NULL},
				     {LOOK, NULL, "A", NULL, SEAL_DENIED, "permission denied"},
				     {LOGIN, LOGIN_BODY, NULL, FEW("B"), 0, NULL},
				     {LOOK, NULL, "B", NULL, SEAL_DENIED, "permission denied"},
				     {LOGIN, LOGIN_BODY, NULL, FEW("C"), 0, NULL},
				     END_OF_SCRIPT};

	approle_options();
	start(steps);
	assert_token("A");
	assert_int_equal(refused(), SEAL_OK);
	assert_token("B");
	assert_int_equal(refused(), SEAL_OK);
	assert_token("C");
	script_is_over();
}

#define LIFE(ttl, renewable) "{\"data\":{\"ttl\":" ttl ",\"renewable\":" renewable "}}"

static void bare_token(void **state)
{
	const struct step steps[] = {{LOOK, NULL, "hvs.T", LIFE("600", "true"), 0, NULL},
				     {RENEW, "{}", "hvs.T", AUTH("hvs.T", "600", "true"), 0, NULL},
				     {RENEW, "{}", "hvs.T", NULL, SEAL_DENIED, "lease is not renewable"},
				     {LOOK, NULL, "hvs.T", NULL, SEAL_DENIED, "permission denied"},
				     {LOOK, NULL, "hvs.T", NULL, SEAL_RETRY, "away"},
				     {LOOK, NULL, "hvs.T", "{\"data\":{\"ttl\":1}}", 0, NULL},
				     END_OF_SCRIPT};

	setenv("VAULT_TOKEN", "  hvs.T\n", 1);
	start(steps);
	assert_token("hvs.T");
	fake_now += 441000;
	assert_token("hvs.T");
	fake_now += 441000;
	assert_token("hvs.T"); /* good to its end */
	assert_int_equal(refused(), SEAL_DENIED);
	assert_string_equal(err.text,
			    "https://vault:8200: the token of VAULT_TOKEN has ended, was revoked or is not "
			    "one of this server; give a new one (or it lacks a right, which can be told only of "
			    "tokens with the policy `default`)");
	assert_int_equal(refused(), SEAL_RETRY);
	assert_int_equal(refused(), SEAL_DENIED);
	assert_string_equal(err.text, "the token of VAULT_TOKEN is good, but its policies do not allow this");
	script_is_over();
}

static void bare_token_may_not_look(void **state)
{
	const struct step steps[] = {{LOOK, NULL, "root", NULL, SEAL_DENIED, "permission denied"}, END_OF_SCRIPT};

	setenv("BAO_TOKEN", "root", 1);
	start(steps);
	assert_token("root");
	fake_now += UINT64_C(1) << 50;
	assert_token("root");
	script_is_over();
	stale(NULL);
	fresh(NULL);
	setenv("VAULT_TOKEN", "ro\not", 1);
	start(NULL);
	assert_int_equal(get(), SEAL_USAGE);
	assert_says("VAULT_TOKEN holds characters that no token has");
	assert_null(strstr(err.text, "ro\not"));
	assert_null(strstr(err.text, "ot "));
}

/* An Agent's sink file: read again on refusal, and when two thirds of the life are over. */
static void sink_file(void **state)
{
	const struct step steps[] = {{LOOK, NULL, "one", LIFE("600", "false"), 0, NULL},
				     {LOOK, NULL, "two", LIFE("600", "false"), 0, NULL},
				     {LOOK, NULL, "three", LIFE("600", "false"), 0, NULL},
				     {LOOK, NULL, "three", NULL, SEAL_DENIED, "permission denied"},
				     END_OF_SCRIPT};

	options.token_file = put_file("sink", "one\n", 0600);
	start(steps);
	assert_token("one");
	put_file("sink", "two\n", 0600);
	assert_token("one");
	assert_int_equal(refused(), SEAL_OK);
	assert_token("two");
	put_file("sink", "three\n", 0600);
	fake_now += 441000;
	assert_token("three");
	assert_int_equal(refused(), SEAL_DENIED);
	assert_says("sink has ended, was revoked or is not one of this server");
	unlink(options.token_file);
	assert_int_equal(refused(), SEAL_USAGE);
	assert_says("the token file: cannot read");
	script_is_over();
}

static void source_order(void **state)
{
	struct step steps[] = {{LOOK, NULL, NULL, LIFE("0", "false"), 0, NULL}, END_OF_SCRIPT};
	static const char *const order[] = {"option", "environment", "helper", "home"};
	char text[300];

	put_file(".vault-token", "home\n", 0600);
	put_file("run-helper", "#!/bin/sh\n[ \"$1\" = get ] && printf ' helper\\n'\n", 0700);
	snprintf(text, sizeof(text), "# token_helper = \"x\"\n  token_helper=\"%s\" // mine\n",
		 path_of("run-helper"));
	put_file(".vault", text, 0600);
	options.token_file = put_file("file", "option", 0600);
	setenv("VAULT_TOKEN", "environment", 1);
	for (size_t i = 0; i < 4; i++) {
		steps[0].token = order[i];
		start(steps);
		assert_token(order[i]);
		script_is_over();
		vault_token_release(tokens, held);
		held = NULL;
		vault_tokens_free(tokens);
		tokens = NULL;
		if (i == 0)
			options.token_file = NULL;
		if (i == 1)
			unsetenv("VAULT_TOKEN");
		if (i == 2)
			setenv("VAULT_CONFIG_PATH", path_of("other"), 1);
	}
	unlink(path_of(".vault-token"));
	start(NULL);
	assert_int_equal(get(), SEAL_USAGE);
	assert_says("there is no token: set VAULT_TOKEN, name a file with --vault-token-file, run `vault login`");
	unlink(path_of(".vault"));
}

static void helpers(void **state)
{
	static const struct {
		const char *config, *program, *says;
	} bad[] = {
		{"token_helper = \"%s\"", "#!/bin/sh\nexit 3\n", "failed (exit status 3)"},
		{"token_helper = \"%s\"", "#!/bin/sh\nkill -9 $$\n", "failed (signal 9)"},
		{"token_helper = \"%s\"", "no program\n", "cannot be run"},
		{"\n\ntoken_helper = \"helper %s\"", "",
		 "other:3: token_helper must be a program's whole path in quotes"},
		{"token_helper = %s", "", "other:1: token_helper must be a program's whole path in quotes"},
		{"token_helper = \"%s", "", "other:1: token_helper must be a program's whole path in quotes"},
		{"token_helper = \"%s\"", "#!/bin/sh\nhead -c 70000 /dev/zero\n",
		 "printed more than a token can have"},
	};
	char text[300];

	setenv("VAULT_CONFIG_PATH", path_of("other"), 1);
	start(NULL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put_file("program", bad[i].program, 0700);
		snprintf(text, sizeof(text), bad[i].config, path_of("program"));
		put_file("other", text, 0600);
		assert_true(get() != SEAL_OK);
		assert_says(bad[i].says);
	}
	/* a helper that has none: ~/.vault-token is not asked */
	put_file("program", "#!/bin/sh\n", 0700);
	snprintf(text, sizeof(text), "token_helper = \"%s\"", path_of("program"));
	put_file("other", text, 0600);
	put_file(".vault-token", "home", 0600);
	assert_int_equal(get(), SEAL_USAGE);
	assert_says("there is no token");
	unlink(path_of(".vault-token"));
}

static void slow_helper(void **state)
{
	struct secret out = SECRET_INIT;
	uint64_t before = clock_mono_ms();

	put_file("program", "#!/bin/sh\nexec sleep 600\n", 0700);
	assert_int_equal(helper_run(path_of("program"), 100, &out, &err), SEAL_DENIED);
	assert_says("took too long, and was ended");
	put_file("program", "#!/bin/sh\nexec >&-\nexec sleep 600\n", 0700); /* prints nothing, and stays */
	err_clear(&err);
	assert_int_equal(helper_run(path_of("program"), 100, &out, &err), SEAL_DENIED);
	assert_says("took too long, and was ended");
	assert_true(clock_mono_ms() - before < 120000);
	assert_null(out.ptr);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

static void agent(void **state)
{
	options.addr = "unix:///run/agent.sock";
	start(NULL);
	assert_token("");
	assert_int_equal(refused(), SEAL_DENIED);
	assert_says("https://vault:8200 refuses requests without a token: the Agent has none to add");
}

/* Files that others can read are used, and told of. */
static void readable_by_others(void **state)
{
	const struct step steps[] = {{LOOK, NULL, "t", LIFE("0", "false"), 0, NULL}, END_OF_SCRIPT};
	FILE *to = tmpfile();
	int was = dup(STDERR_FILENO);
	char said[400] = "";

	assert_non_null(to);
	options.token_file = put_file("file", "t", 0644);
	start(steps);
	dup2(fileno(to), STDERR_FILENO);
	assert_token("t");
	dup2(was, STDERR_FILENO);
	close(was);
	rewind(to);
	assert_true(fread(said, 1, sizeof(said) - 1, to) > 0);
	fclose(to);
	assert_non_null(strstr(said, "file holds a secret and can be read by others (mode 644); `chmod o-rwx` it"));
	script_is_over();
}

static int make_folder(void **state)
{
	log_setup(LOG_WARNING, LOG_TEXT);
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, stale)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(approle),
		TEST(approle_variants),
		TEST(wrapped),
		TEST(wrapped_by_others),
		TEST(wrapped_in_a_namespace),
		TEST(wrapped_used),
		TEST(kubernetes),
		TEST(jwt),
		TEST(cert),
		TEST(passwords),
		TEST(mounts_by_default),
		TEST(bad_secrets),
		TEST(unknown_way),
		TEST(answers_without_token),
		TEST(login_refused),
		TEST(renewed_at_two_thirds),
		TEST(renewals_are_spread),
		TEST(renewal_ends),
		TEST(renewal_away),
		TEST(revoked),
		TEST(revoked_and_blind),
		TEST(used_up),
		TEST(bare_token),
		TEST(bare_token_may_not_look),
		TEST(sink_file),
		TEST(source_order),
		TEST(helpers),
		TEST(slow_helper),
		TEST(agent),
		TEST(readable_by_others),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

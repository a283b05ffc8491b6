/* vault/options: do rows and environment count in the order that they promise, and is a text that cannot be refused? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "vault/options.h"

static struct arena arena;
static struct vault_options options;
static struct seal_err err;

static const char *const variables[] = {"ADDR",		"AGENT_ADDR",  "NAMESPACE",	 "CACERT",
					"CACERT_BYTES", "CAPATH",      "CLIENT_CERT",	 "CLIENT_KEY",
					"SKIP_VERIFY",	"MAX_RETRIES", "RATE_LIMIT",	 "TLS_SERVER_NAME",
					"PROXY_ADDR",	"HTTP_PROXY",  "CLIENT_TIMEOUT", "DISABLE_REDIRECTS",
					"SRV_LOOKUP"};

static int fresh(void **state)
{
	char name[64];

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		snprintf(name, sizeof(name), "VAULT_%s", variables[i]);
		unsetenv(name);
		snprintf(name, sizeof(name), "BAO_%s", variables[i]);
		unsetenv(name);
	}
	for (const struct opt_row *row = vault_rows; row->name != NULL; row++)
		unsetenv(row->env);
	memset(&options, 0, sizeof(options));
	err_clear(&err);
	arena_init(&arena, 0);
	return 0;
}

static int stale(void **state)
{
	arena_clear(&arena);
	return fresh(state);
}

/* Warnings of vault_settings_read: what it writes on stderr meanwhile. */
static enum seal_status read_with_warnings(struct http_config *config, char *said, size_t room)
{
	FILE *to = tmpfile();
	int was = dup(STDERR_FILENO);
	enum seal_status rc;
	size_t n;

	assert_non_null(to);
	assert_true(dup2(fileno(to), STDERR_FILENO) >= 0);
	rc = vault_settings_read(&options, &arena, config, &err);
	assert_true(dup2(was, STDERR_FILENO) >= 0);
	close(was);
	rewind(to);
	n = fread(said, 1, room - 1, to);
	said[n] = '\0';
	fclose(to);
	return rc;
}

static void fill(void)
{
	assert_int_equal(vault_options_env(&options, &arena, &err), SEAL_OK);
}

static void nothing_given(void **state)
{
	struct http_config config;
	char said[500];

	fill();
	assert_null(options.addr);
	assert_false(options.agent);
	assert_int_equal(options.connections, 2);
	assert_int_equal(options.batch, 1920);
	assert_int_equal(read_with_warnings(&config, said, sizeof(said)), SEAL_OK);
	assert_string_equal(config.base, "https://127.0.0.1:8200");
	assert_int_equal(config.timeout_ms, 60000);
	assert_int_equal(config.retries, 2);
	assert_false(config.insecure);
	assert_true(config.rate == 0);
	assert_null(config.unix_socket);
	assert_string_equal(said, "");
}

static void environment_order(void **state)
{
	setenv("BAO_ADDR", "https://bao:1", 1);
	setenv("VAULT_NAMESPACE", "", 1); /* set to nothing: unset */
	setenv("BAO_NAMESPACE", "team", 1);
	fill();
	assert_string_equal(options.addr, "https://bao:1");
	assert_string_equal(options.namespace_, "team");

	memset(&options, 0, sizeof(options));
	setenv("VAULT_ADDR", "https://vault:1", 1);
	fill();
	assert_string_equal(options.addr, "https://vault:1");
	assert_false(vault_address_is_agent(&options));

	options.addr = "https://vault:1"; /* the rows put VAULT_ADDR there */
	setenv("VAULT_AGENT_ADDR", "http://127.0.0.1:8100", 1);
	fill();
	assert_string_equal(options.addr, "http://127.0.0.1:8100");
	assert_true(vault_address_is_agent(&options));

	memset(&options, 0, sizeof(options));
	options.addr = "https://option:1"; /* an option counts before all of them */
	fill();
	assert_string_equal(options.addr, "https://option:1");
	assert_false(vault_address_is_agent(&options));

	memset(&options, 0, sizeof(options));
	options.role = ""; /* given as nothing */
	setenv("SEALSTREAM_VAULT_ROLE", "orders", 1);
	setenv("SEALSTREAM_VAULT_SECRET_WRAPPED", "1", 1);
	setenv("SEALSTREAM_VAULT_BATCH", "17", 1);
	fill();
	assert_string_equal(options.role, "orders");
	assert_true(options.secret_wrapped);
	assert_int_equal(options.batch, 17);
}

static void proxies_and_ca(void **state)
{
	struct http_config config;
	char said[500];

	setenv("VAULT_HTTP_PROXY", "http://one:3128", 1);
	setenv("VAULT_CAPATH", "/etc/ca", 1);
	fill();
	assert_string_equal(options.proxy, "http://one:3128");
	assert_int_equal(read_with_warnings(&config, said, sizeof(said)), SEAL_OK);
	assert_string_equal(config.ca_path, "/etc/ca");
	assert_string_equal(config.proxy, "http://one:3128");

	memset(&options, 0, sizeof(options));
	setenv("VAULT_PROXY_ADDR", "http://two:3128", 1);
	setenv("VAULT_CACERT_BYTES", "PEM", 1);
	fill();
	assert_string_equal(options.proxy, "http://two:3128");
	assert_int_equal(read_with_warnings(&config, said, sizeof(said)), SEAL_OK);
	assert_string_equal(config.ca_pem, "PEM");
	assert_null(config.ca_path);

	setenv("VAULT_CACERT", "/etc/ca.pem", 1);
	fill();
	assert_int_equal(read_with_warnings(&config, said, sizeof(said)), SEAL_OK);
	assert_string_equal(config.ca_file, "/etc/ca.pem");
	assert_null(config.ca_pem);
	assert_null(config.ca_path);
}

/* An Agent's token and plaintext are not for the proxy that the environment names for the world outside. */
static void no_proxy_for_this_machine(void **state)
{
	static const struct {
		const char *addr, *given, *proxy;
	} rows[] = {
		{"http://127.0.0.1:8200", NULL, ""},
		{"https://127.0.0.1:8200", NULL, ""},
		{"http://localhost:8200", NULL, ""},
		{"http://[::1]:8200", NULL, ""},
		{NULL, NULL, ""},
		{"https://vault:8200", NULL, NULL},
		{"http://127.0.0.1.example.com", NULL, NULL},
		{"unix:///run/agent.sock", NULL, NULL},
		{"http://127.0.0.1:8200", "http://one:3128", "http://one:3128"},
		{"https://vault:8200", "http://one:3128", "http://one:3128"},
	};
	struct http_config config;
	char said[500];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		options.addr = rows[i].addr;
		options.proxy = rows[i].given;
		assert_int_equal(read_with_warnings(&config, said, sizeof(said)), SEAL_OK);
		if (rows[i].proxy == NULL)
			assert_null(config.proxy);
		else
			assert_string_equal(config.proxy, rows[i].proxy);
	}
}

static void addresses(void **state)
{
	static const struct {
		const char *text, *base, *socket;
		bool warns;
	} good[] = {
		{"https://vault:8200", "https://vault:8200", NULL, false},
		{"https://vault:8200/", "https://vault:8200", NULL, false},
		{"https://vault/prefix/x//", "https://vault/prefix/x", NULL, false},
		{"HTTPS://vault", "https://vault", NULL, false},
		{"https://[fe80::1]:8200/p", "https://[fe80::1]:8200/p", NULL, false},
		{"http://127.0.0.1:8200", "http://127.0.0.1:8200", NULL, false},
		{"http://127.9.0.1", "http://127.9.0.1", NULL, false},
		{"http://localhost:8200", "http://localhost:8200", NULL, false},
		{"http://[::1]:8200", "http://[::1]:8200", NULL, false},
		{"http://vault:8200", "http://vault:8200", NULL, true},
		{"http://10.0.0.1", "http://10.0.0.1", NULL, true},
		{"http://127.0.0.1.example.com", "http://127.0.0.1.example.com", NULL, true},
		{"http://[::2]:8200", "http://[::2]:8200", NULL, true},
		{"unix:///run/agent.sock", "http://localhost", "/run/agent.sock", false},
	};
	struct http_config config;
	char said[500];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		options.addr = good[i].text;
		assert_int_equal(read_with_warnings(&config, said, sizeof(said)), SEAL_OK);
		assert_string_equal(config.base, good[i].base);
		if (good[i].socket != NULL)
			assert_string_equal(config.unix_socket, good[i].socket);
		else
			assert_null(config.unix_socket);
		assert_int_equal(strstr(said, "tokens and plaintext can be read") != NULL, good[i].warns);
		assert_int_equal(vault_address_is_agent(&options), good[i].socket != NULL);
	}
}

static void bad_addresses(void **state)
{
	static const char *const bad[] = {"vault:8200",
					  "ftp://vault",
					  "https://",
					  "https:///x",
					  "https://:8200",
					  "https://vault:8200/v1",
					  "https://vault/prefix/v1/",
					  "https://vault:",
					  "https://vault:0",
					  "https://vault:65536",
					  "https://vault:8200x",
					  "https://user:pass@vault",
					  "https://vault?x=1",
					  "https://vault/#x",
					  "https://va ult",
					  "https://vault\n",
					  "https://[::1",
					  "https://[vault]:8200",
					  "https://[::1]x",
					  "unix://run/agent.sock",
					  "unix:///"};
	struct http_config config;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		options.addr = bad[i];
		err_clear(&err);
		assert_int_equal(vault_settings_read(&options, &arena, &config, &err), SEAL_USAGE);
		assert_int_equal(err.code, SEAL_E_CONFIG);
		assert_non_null(strstr(err.text, "VAULT_ADDR (--vault-addr) "));
		assert_null(strstr(err.text, "user:pass")); /* nor any other part of it */
	}
}

static void skip_verify(void **state)
{
	static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
	static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
	static const char *const bad[] = {"yes", "2", "tRUE", "on", " 1"};
	struct http_config config;
	char said[500];

	for (size_t i = 0; i < 6; i++) {
		options.skip_verify = yes[i];
		for (int twice = 0; twice < 2; twice++) { /* each start warns */
			assert_int_equal(read_with_warnings(&config, said, sizeof(said)), SEAL_OK);
			assert_true(config.insecure);
			assert_non_null(
				strstr(said, "warning: VAULT_SKIP_VERIFY: THE SERVER'S CERTIFICATE IS NOT CHECKED"));
		}
		options.skip_verify = no[i];
		assert_int_equal(read_with_warnings(&config, said, sizeof(said)), SEAL_OK);
		assert_false(config.insecure);
		assert_string_equal(said, "");
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		options.skip_verify = bad[i];
		err_clear(&err);
		assert_int_equal(vault_settings_read(&options, &arena, &config, &err), SEAL_USAGE);
		assert_string_equal(err.text, "VAULT_SKIP_VERIFY (--vault-tls-skip-verify) must be true or false");
	}
}

static void times(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms; /* 0: refused */
	} cases[] = {{"1", 1000},
		     {"30", 30000},
		     {"30s", 30000},
		     {"1m30s", 90000},
		     {"1.5h", 5400000},
		     {"250ms", 250},
		     {"1h0m1ms", 3600001},
		     {"24h", 86400000},
		     {".5s", 500},
		     {"1d", 86400000},
		     {"0", 0},
		     {"0s", 0},
		     {"25h", 0},
		     {"-1", 0},
		     {"1.5", 0},
		     {"s", 0},
		     {".s", 0},
		     {"1x", 0},
		     {"1s2", 0},
		     {"10 s", 0},
		     {"86401", 0},
		     {"1..5s", 0},
		     {"", 0},
		     {"100us", 0},
		     {"5000us", 5}};
	struct http_config config;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		options.timeout = cases[i].text;
		err_clear(&err);
		if (cases[i].ms != 0) {
			assert_int_equal(vault_settings_read(&options, &arena, &config, &err), SEAL_OK);
			assert_int_equal(config.timeout_ms, cases[i].ms);
		} else {
			assert_int_equal(vault_settings_read(&options, &arena, &config, &err), SEAL_USAGE);
			assert_non_null(strstr(err.text, "VAULT_CLIENT_TIMEOUT (--vault-timeout) must be"));
		}
	}
}

static void numbers(void **state)
{
	static const char *const bad_retries[] = {"-1", "x", "101", "1.0", " 1"};
	static const char *const bad_rates[] = {"0", "-1", "x", "1:", "1:x", "1:-1", ":5", "1e3", "2000000", "1:2:3"};
	struct http_config config;

	options.retries = "0";
	options.rate = "12.5:20";
	assert_int_equal(vault_settings_read(&options, &arena, &config, &err), SEAL_OK);
	assert_int_equal(config.retries, 0);
	assert_true(config.rate == 12.5);
	for (size_t i = 0; i < sizeof(bad_rates) / sizeof(bad_rates[0]); i++) {
		options.rate = bad_rates[i];
		err_clear(&err);
		assert_int_equal(vault_settings_read(&options, &arena, &config, &err), SEAL_USAGE);
		assert_non_null(strstr(err.text, "VAULT_RATE_LIMIT (--vault-rate-limit)"));
	}
	for (size_t i = 0; i < sizeof(bad_retries) / sizeof(bad_retries[0]); i++) {
		options.retries = bad_retries[i];
		err_clear(&err);
		assert_int_equal(vault_settings_read(&options, &arena, &config, &err), SEAL_USAGE);
		assert_non_null(strstr(err.text, "VAULT_MAX_RETRIES (--vault-retries)"));
	}
}

static void both_or_none(void **state)
{
	struct http_config config;

	options.client_cert = "c.pem";
	assert_int_equal(vault_settings_read(&options, &arena, &config, &err), SEAL_USAGE);
	assert_string_equal(err.text, "VAULT_CLIENT_KEY (--vault-client-key) is needed beside a client certificate");
	options.client_cert = NULL;
	options.client_key = "k.pem";
	err_clear(&err);
	assert_int_equal(vault_settings_read(&options, &arena, &config, &err), SEAL_USAGE);
	assert_string_equal(err.text, "VAULT_CLIENT_CERT (--vault-client-cert) is needed beside a client key");
	options.client_cert = "c.pem";
	options.namespace_ = "a\r\nX-Other: b";
	err_clear(&err);
	assert_int_equal(vault_settings_read(&options, &arena, &config, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "VAULT_NAMESPACE"));
	options.namespace_ = "team/orders/";
	assert_int_equal(vault_settings_read(&options, &arena, &config, &err), SEAL_OK);
	assert_string_equal(config.client_cert, "c.pem");
	assert_string_equal(config.client_key, "k.pem");
}

static void bad_variables(void **state)
{
	setenv("SEALSTREAM_VAULT_BATCH", "many", 1);
	assert_int_equal(vault_options_env(&options, &arena, &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_CONFIG);
	assert_string_equal(err.place, "SEALSTREAM_VAULT_BATCH");
	unsetenv("SEALSTREAM_VAULT_BATCH");
	setenv("SEALSTREAM_VAULT_CONNECTIONS", "65", 1);
	memset(&options, 0, sizeof(options));
	err_clear(&err);
	assert_int_equal(vault_options_env(&options, &arena, &err), SEAL_USAGE);
	assert_string_equal(err.place, "SEALSTREAM_VAULT_CONNECTIONS");
}

static void variables_without_row(void **state)
{
	fill();
	assert_false(options.no_redirects);
	setenv("BAO_DISABLE_REDIRECTS", "T", 1);
	setenv("VAULT_SRV_LOOKUP", "false", 1);
	fill();
	assert_true(options.no_redirects);
	setenv("VAULT_DISABLE_REDIRECTS", "yes", 1);
	assert_int_equal(vault_options_env(&options, &arena, &err), SEAL_USAGE);
	assert_string_equal(err.text, "VAULT_DISABLE_REDIRECTS must be true or false");
	unsetenv("VAULT_DISABLE_REDIRECTS");
	setenv("VAULT_SRV_LOOKUP", "1", 1);
	err_clear(&err);
	assert_int_equal(vault_options_env(&options, &arena, &err), SEAL_USAGE);
	assert_string_equal(err.text, "VAULT_SRV_LOOKUP is not supported; name the server itself, with its port, in "
				      "VAULT_ADDR");
}

/* Each row: --vault-…, a help text, a variable; secrets have no row. */
static void rows(void **state)
{
	for (const struct opt_row *row = vault_rows; row->name != NULL; row++) {
		assert_int_equal(strncmp(row->name, "vault-", 6), 0);
		assert_non_null(row->env);
		assert_true(row->help[0] != '\0');
		assert_true(row->arg != NULL || row->type == OPT_FLAG);
		assert_false(row->secret);
		for (const struct opt_row *other = row + 1; other->name != NULL; other++) {
			assert_true(row->offset != other->offset);
			assert_string_not_equal(row->name, other->name);
			assert_string_not_equal(row->env, other->env);
		}
	}
	assert_null(opt_find(vault_rows, BYTES_LIT("vault-token")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_given, fresh, stale),
		cmocka_unit_test_setup_teardown(environment_order, fresh, stale),
		cmocka_unit_test_setup_teardown(proxies_and_ca, fresh, stale),
		cmocka_unit_test_setup_teardown(no_proxy_for_this_machine, fresh, stale),
		cmocka_unit_test_setup_teardown(addresses, fresh, stale),
		cmocka_unit_test_setup_teardown(bad_addresses, fresh, stale),
		cmocka_unit_test_setup_teardown(skip_verify, fresh, stale),
		cmocka_unit_test_setup_teardown(times, fresh, stale),
		cmocka_unit_test_setup_teardown(numbers, fresh, stale),
		cmocka_unit_test_setup_teardown(both_or_none, fresh, stale),
		cmocka_unit_test_setup_teardown(bad_variables, fresh, stale),
		cmocka_unit_test_setup_teardown(variables_without_row, fresh, stale),
		cmocka_unit_test_setup_teardown(rows, fresh, stale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* http: whom TLS trusts, names that differ from the host, client certificates, proxies, HTTP/2. Servers are Python and nghttpd. */
#include "http_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static char certs[] = "/tmp/sealcertsXXXXXX";
static struct test_server plain; /* behind each TLS door: says what it got */

static const char *cert(const char *name)
{
	static char paths[4][64];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", certs, name);
	return path;
}

/* ---- other programs ---- */

struct door {
	pid_t pid;
	int to, from;
	unsigned port;
	char url[64];
};

static pid_t spawn(const char *const *argv, int *to, int *from)
{
	int in[2], out[2];
	pid_t pid;

	assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	*to = in[1];
	*from = out[0];
	return pid;
}

/* Before the server on port `behind`; `more` are further arguments of tls_front.py, or NULL. */
static void door_open_to(struct door *d, unsigned behind, const char *certificate, const char *more,
			 const char *value)
{
	char backend[16], line[16] = "";
	const char *argv[] = {"python3", TLS_FRONT, certs, certificate, backend, more, value, NULL};
	size_t len = 0;

	snprintf(backend, sizeof(backend), "%u", behind);
	d->pid = spawn(argv, &d->to, &d->from);
	while (len < sizeof(line) - 1 && read(d->from, line + len, 1) == 1 && line[len] != '\n')
		len++;
	d->port = (unsigned)strtoul(line, NULL, 10);
	assert_in_range(d->port, 1, 65535);
	snprintf(d->url, sizeof(d->url), "https://127.0.0.1:%u", d->port);
}

static void door_open(struct door *d, const char *certificate, const char *more, const char *value)
{
	door_open_to(d, plain.port, certificate, more, value);
}

static void door_close(struct door *d)
{
	close(d->to); /* its sign to end */
	close(d->from);
	waitpid(d->pid, NULL, 0);
}

/* ---- what servers say ---- */

static bool tells_head(struct test_server *s, int fd, const struct test_request *r)
{
	return test_reply(fd, 200, "", r->head);
}

static bool has_text(const struct http_exchange *ex, const char *text)
{
	return memmem(ex->answer.ptr, ex->answer.len, text, strlen(text)) != NULL;
}

static unsigned get(const struct http_config *config, struct http_exchange *ex)
{
	struct fixture f;
	unsigned status;

	ex->method = "GET";
	ex->path = "/v1/x?q=SECRET";
	open_client(&f, config);
	status = run(&f, ex);
	assert_null(strstr(ex->err.text, "SECRET"));
	assert_null(strchr(ex->err.text, '\n'));
	close_client(&f);
	return status;
}

static void check(const struct http_config *config, unsigned status, enum seal_status class, const char *error)
{
	struct http_exchange ex = {0};

	assert_int_equal(get(config, &ex), status);
	assert_int_equal(ex.err.status, class);
	if (strstr(ex.err.text, error) == NULL)
		assert_string_equal(ex.err.text, error);
	http_exchange_clear(&ex);
}

/* ---- trust ---- */

static char *file_text(const char *path)
{
	char *text = calloc(1, 65536);
	FILE *file = fopen(path, "r");

	assert_true(text != NULL && file != NULL);
	assert_true(fread(text, 1, 65535, file) > 0);
	fclose(file);
	return text;
}

static void trusted_ways(void **state)
{
	char *pem = file_text(cert("ca.pem")), *other = file_text(cert("other.pem"));
	struct door d;

	door_open(&d, "server", NULL, NULL);
	check(&(struct http_config){.base = d.url, .ca_file = cert("ca.pem")}, 200, SEAL_OK, "");
	check(&(struct http_config){.base = d.url, .ca_pem = pem}, 200, SEAL_OK, "");
	check(&(struct http_config){.base = d.url, .ca_path = certs}, 200, SEAL_OK, ""); /* names that no hash made */
	check(&(struct http_config){.base = d.url, .ca_file = cert("ca.pem"), .ca_pem = other}, 200, SEAL_OK, "");
	check(&(struct http_config){.base = d.url, .insecure = true}, 200, SEAL_OK, "");
	free(other);
	free(pem);
	door_close(&d);
}

static void untrusted(void **state)
{
	char *other = file_text(cert("other.pem"));
	struct door good, expired, wrong;

	door_open(&good, "server", NULL, NULL);
	door_open(&expired, "expired", NULL, NULL);
	door_open(&wrong, "wrong", NULL, NULL);
	check(&(struct http_config){.base = good.url}, 0, SEAL_DENIED, "give the CA's certificate");
	check(&(struct http_config){.base = good.url, .ca_file = cert("other.pem")}, 0, SEAL_DENIED,
	      "give the CA's certificate");
	check(&(struct http_config){.base = good.url, .ca_pem = other}, 0, SEAL_DENIED, "give the CA's certificate");
	check(&(struct http_config){.base = expired.url, .ca_file = cert("ca.pem")}, 0, SEAL_DENIED,
	      "it has expired");
	check(&(struct http_config){.base = wrong.url, .ca_file = cert("ca.pem")}, 0, SEAL_DENIED,
	      "for another name");
	/* None of these is worth another try, and nothing of the request went out. */
	assert_int_equal(atomic_load(&plain.requests), 0);
	check(&(struct http_config){.base = wrong.url, .insecure = true}, 200, SEAL_OK, "");
	free(other);
	door_close(&wrong);
	door_close(&expired);
	door_close(&good);
}

/* Nor does the breaker make an outage of it, which would hide the reason. */
static void denied_is_not_retried(void **state)
{
	struct http_exchange ex = {.method = "GET", .path = "/x"};
	struct fixture f;
	struct door d;

	door_open(&d, "server", NULL, NULL);
	open_client(&f, &(struct http_config){.base = d.url, .retries = 3, .breaker_failures = 1});
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run(&f, &ex), 0);
		assert_int_equal(ex.tries, 1);
		assert_int_equal(ex.err.status, SEAL_DENIED);
		assert_int_equal(ex.err.code, SEAL_E_DENIED);
	}
	close_client(&f);
	door_close(&d);
}

static void versions(void **state)
{
	static const char *const good[] = {"1.2", "1.3"};
	struct door d;

	for (int i = 0; i < 2; i++) {
		door_open(&d, "server", "--tls", good[i]);
		check(&(struct http_config){.base = d.url, .ca_file = cert("ca.pem")}, 200, SEAL_OK, "");
		door_close(&d);
	}
	door_open(&d, "server", "--tls", "1.1");
	check(&(struct http_config){.base = d.url, .ca_file = cert("ca.pem")}, 0, SEAL_RETRY, "TLS 1.2 or newer");
	check(&(struct http_config){.base = d.url, .insecure = true}, 0, SEAL_RETRY, "TLS 1.2 or newer");
	door_close(&d);
}

static void not_tls(void **state)
{
	char url[64];

	snprintf(url, sizeof(url), "https://127.0.0.1:%u", plain.port);
	check(&(struct http_config){.base = url}, 0, SEAL_RETRY, "no TLS connection");
}

/* The verified name and the Host header are two things. */
static void server_name(void **state)
{
	struct http_exchange ex = {0};
	char host[64], other[80];
	struct door d, wrong;

	door_open(&d, "server", NULL, NULL);
	door_open(&wrong, "wrong", NULL, NULL);
	assert_int_equal(
		get(&(struct http_config){.base = d.url, .ca_file = cert("ca.pem"), .server_name = "vault.test"},
		    &ex),
		200);
	snprintf(host, sizeof(host), "\r\nHost: 127.0.0.1:%u\r\n", d.port);
	assert_true(has_text(&ex, host));
	assert_true(has_text(&ex, "GET /v1/x?q=SECRET HTTP/1.1\r\n"));
	snprintf(other, sizeof(other), "%s/", wrong.url);
	check(&(struct http_config){.base = other, .ca_file = cert("ca.pem"), .server_name = "elsewhere.test"}, 200,
	      SEAL_OK, "");
	check(&(struct http_config){.base = d.url, .ca_file = cert("ca.pem"), .server_name = "elsewhere.test"}, 0,
	      SEAL_DENIED, "for another name");
	http_exchange_clear(&ex);
	door_close(&wrong);
	door_close(&d);
}

static void client_certificates(void **state)
{
	struct door d;

	door_open(&d, "server", "--clients", NULL);
	check(&(struct http_config){.base = d.url,
				    .ca_file = cert("ca.pem"),
				    .client_cert = cert("client.pem"),
				    .client_key = cert("client.key")},
	      200, SEAL_OK, "");
	check(&(struct http_config){.base = d.url, .ca_file = cert("ca.pem")}, 0, SEAL_DENIED,
	      "refuses the client certificate");
	check(&(struct http_config){.base = d.url,
				    .ca_file = cert("ca.pem"),
				    .client_cert = cert("other.pem"),
				    .client_key = cert("other.key")},
	      0, SEAL_DENIED, "refuses the client certificate");
	/* A key that is another certificate's. */
	check(&(struct http_config){.base = d.url,
				    .ca_file = cert("ca.pem"),
				    .client_cert = cert("client.pem"),
				    .client_key = cert("server.key")},
	      0, SEAL_USAGE, "check the files");
	/* A key behind a passphrase, which nobody is asked for. */
	check(&(struct http_config){.base = d.url,
				    .ca_file = cert("ca.pem"),
				    .client_cert = cert("client.pem"),
				    .client_key = cert("locked.key")},
	      0, SEAL_USAGE, "check the files");
	door_close(&d);
}

/* ---- connections ---- */

static void kept_alive(void **state)
{
	struct http_exchange ex = {.method = "GET", .path = "/x"};
	unsigned before = atomic_load(&plain.accepted);
	struct fixture f;
	struct door d;

	door_open(&d, "server", NULL, NULL);
	open_client(&f, &(struct http_config){.base = d.url, .ca_file = cert("ca.pem"), .server_name = "vault.test"});
	for (int i = 0; i < 10; i++)
		assert_int_equal(run(&f, &ex), 200);
	assert_int_equal(atomic_load(&plain.accepted), before + 1);
	http_exchange_clear(&ex);
	close_client(&f);
	door_close(&d);
}

/* The door goes away between two requests, and back: SIGPIPE, which ends a program unless it asks otherwise, never comes. */
static void cut_under_tls(void **state)
{
	static char body[200000];
	struct http_exchange ex = {.method = "POST", .path = "/x", .body = bytes_of(body, sizeof(body))};
	struct fixture f;
	struct door d;

	signal(SIGPIPE, SIG_DFL);
	door_open(&d, "server", NULL, NULL);
	open_client(&f,
		    &(struct http_config){.base = d.url, .ca_file = cert("ca.pem"), .breaker_failures = NEVER_OPENS});
	assert_int_equal(run(&f, &ex), 200);
	door_close(&d);
	assert_int_equal(run(&f, &ex), 0);
	assert_int_equal(ex.err.status, SEAL_RETRY);
	close_client(&f);
	http_exchange_clear(&ex);
}

/* ---- proxies ---- */

struct proxy {
	char seen[16384];
	unsigned refuse; /* with this status */
};

/* A proxy that opens tunnels; it can open none to names, so the port alone counts. */
static bool tunnels(struct test_server *s, int fd, const struct test_request *r)
{
	struct proxy *proxy = s->arg;
	const char *port = strrchr(r->target, ':');
	int back;

	snprintf(proxy->seen, sizeof(proxy->seen), "%s", r->head);
	if (proxy->refuse != 0)
		return test_reply(fd, proxy->refuse, "Proxy-Authenticate: Basic realm=\"p\"\r\n", "no");
	back = port == NULL ? -1 : test_connect((unsigned)strtoul(port + 1, NULL, 10));
	if (back < 0)
		return test_reply(fd, 502, "", "no");
	test_send(fd, "HTTP/1.1 200 OK\r\n\r\n", 19);
	test_relay(fd, back);
	return false;
}

/* The proxy learns host and port, nothing of the request; the name that is verified is the server's. */
static void tunnel(void **state)
{
	static const struct http_header token = {"X-Token", "SECRET"};
	struct http_exchange ex = {.method = "GET", .path = "/x", .headers = &token, .n_headers = 1};
	struct test_server server;
	struct proxy proxy = {0};
	char want[64];
	struct fixture f;
	struct door d;

	test_server_start(&server, tunnels, &proxy);
	door_open(&d, "server", NULL, NULL);
	for (int named = 0; named < 2; named++) {
		open_client(&f, &(struct http_config){.base = d.url,
						      .ca_file = cert("ca.pem"),
						      .proxy = server.url,
						      .server_name = named ? "vault.test" : NULL});
		assert_int_equal(run(&f, &ex), 200);
		assert_true(has_text(&ex, "X-Token: SECRET\r\n"));
		snprintf(want, sizeof(want), "CONNECT 127.0.0.1:%u HTTP/1.1\r\n", d.port);
		assert_int_equal(strncmp(proxy.seen, want, strlen(want)), 0);
		assert_null(strstr(proxy.seen, "SECRET"));
		close_client(&f);
	}
	http_exchange_clear(&ex);
	door_close(&d);
	test_server_stop(&server);
}

/* A proxy that speaks TLS itself is verified by the same CA. */
static void tunnel_through_tls(void **state)
{
	struct test_server server;
	struct proxy proxy = {0};
	struct door d, before, bad;

	test_server_start(&server, tunnels, &proxy);
	door_open(&d, "server", NULL, NULL);
	door_open_to(&before, server.port, "server", NULL, NULL);
	door_open_to(&bad, server.port, "expired", NULL, NULL);
	check(&(struct http_config){.base = d.url, .ca_file = cert("ca.pem"), .proxy = before.url}, 200, SEAL_OK, "");
	check(&(struct http_config){.base = d.url, .ca_path = certs, .proxy = before.url}, 200, SEAL_OK, "");
	assert_int_equal(atomic_load(&server.requests), 2);
	check(&(struct http_config){.base = d.url, .ca_file = cert("ca.pem"), .proxy = bad.url}, 0, SEAL_DENIED,
	      "the proxy's certificate is not trusted: it has expired");
	/* What is said of the server's certificate is not said of the proxy's. */
	check(&(struct http_config){.base = d.url, .insecure = true, .proxy = before.url}, 0, SEAL_DENIED,
	      "the proxy's certificate is not trusted");
	assert_int_equal(atomic_load(&server.requests), 2);
	door_close(&bad);
	door_close(&before);
	door_close(&d);
	test_server_stop(&server);
}

static void tunnel_refused(void **state)
{
	struct test_server server;
	struct proxy proxy = {.refuse = 407};
	const struct http_config config = {.base = "https://vault.test:8200", .proxy = server.url};

	test_server_start(&server, tunnels, &proxy);
	check(&config, 0, SEAL_DENIED, "the proxy answers 407");
	proxy.refuse = 503;
	check(&config, 0, SEAL_RETRY, "the proxy answers 503");
	test_server_stop(&server);
}

/* $no_proxy names hosts, not the name that is verified. */
static void no_proxy_and_server_name(void **state)
{
	struct test_server server;
	struct proxy proxy = {0};
	struct door d;

	test_server_start(&server, tunnels, &proxy);
	door_open(&d, "server", NULL, NULL);
	setenv("https_proxy", server.url, 1);
	setenv("no_proxy", "127.0.0.1", 1);
	check(&(struct http_config){.base = d.url, .ca_file = cert("ca.pem"), .server_name = "vault.test"}, 200,
	      SEAL_OK, "");
	assert_int_equal(atomic_load(&server.requests), 0);
	setenv("no_proxy", "vault.test", 1);
	check(&(struct http_config){.base = d.url, .ca_file = cert("ca.pem"), .server_name = "vault.test"}, 200,
	      SEAL_OK, "");
	assert_int_equal(atomic_load(&server.requests), 1);
	unsetenv("no_proxy");
	unsetenv("https_proxy");
	door_close(&d);
	test_server_stop(&server);
}

/* ---- HTTP/2 ---- */

/* nghttpd speaks nothing but HTTP/2 here; it gives back what it is sent. */
/* With a server that speaks HTTP/2 alone: seen by one try, and remembered. */
static void http1_first(const char *url)
{
	struct http_exchange ex = {.method = "GET", .path = "/ca.pem"};
	struct fixture f;

	open_client(&f, &(struct http_config){.base = url,
					      .ca_file = cert("ca.pem"),
					      .server_name = "vault.test",
					      .retries = 2,
					      .http1_first = true});
	for (unsigned tries = 2; tries > 0; tries--) {
		assert_int_equal(run(&f, &ex), 200);
		assert_int_equal(ex.tries, tries);
	}
	http_exchange_clear(&ex);
	close_client(&f);
}

static void http2(void **state)
{
	static char body[300000];
	char port[16], url[64];
	const char *argv[] = {"/usr/sbin/nghttpd", "--echo-upload",    "-d", certs, port,
			      cert("server.key"),  cert("server.pem"), NULL};
	struct http_exchange ex[8] = {0}, file = {.method = "GET", .path = "/ca.pem"},
			     none = {.method = "GET", .path = "/none"};
	struct fixture f;
	int to, from;
	pid_t pid;

	snprintf(port, sizeof(port), "%u", test_kept_port());
	snprintf(url, sizeof(url), "https://127.0.0.1:%s", port);
	memset(body, 'b', sizeof(body));
	pid = spawn(argv, &to, &from);
	open_client(&f, &(struct http_config){.base = url,
					      .ca_file = cert("ca.pem"),
					      .server_name = "vault.test",
					      .breaker_failures = NEVER_OPENS});
	for (int i = 0; i < 1200 && run(&f, &file) == 0; i++)
		usleep(50000); /* until it listens */
	assert_int_equal(file.status, 200);
	assert_true(has_text(&file, "-----BEGIN CERTIFICATE-----"));
	assert_int_equal(run(&f, &none), 404);
	http1_first(url);
	for (int i = 0; i < 8; i++) {
		ex[i].method = "POST";
		ex[i].path = "/echo";
		ex[i].body = bytes_of(body, sizeof(body) - (size_t)i);
		start_in(&f, &ex[i], 60000);
	}
	for (int i = 0; i < 8; i++) {
		struct http_exchange *next = http_next(f.worker);

		assert_string_equal(next->err.text, "");
		assert_int_equal(next->status, 200);
		assert_true(bytes_eq(buf_bytes(&next->answer), next->body));
	}
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	close(to);
	close(from);
	for (int i = 0; i < 8; i++)
		http_exchange_clear(&ex[i]);
	http_exchange_clear(&file);
	http_exchange_clear(&none);
	assert_int_equal(run(&f, &none), 0);
	assert_int_equal(none.err.status, SEAL_RETRY);
	close_client(&f);
}

/* Else the system's own configuration would refuse old TLS, whatever the client allows. */
static void allow_old_tls(void)
{
	static const char lines[] = "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = any\n"
				    "[any]\nMinProtocol = TLSv1\nCipherString = DEFAULT@SECLEVEL=0\n";
	const char *path = cert("openssl.cnf");
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(lines, file);
	assert_int_equal(fclose(file), 0);
	setenv("OPENSSL_CONF", path, 1); /* OpenSSL reads it when it is first used */
}

static int prepare(void **state)
{
	const char *argv[] = {MAKE_CERTS, certs, NULL};
	int to, from, status = 1;

	if (mkdtemp(certs) == NULL)
		return 1;
	test_server_start(&plain, tells_head, NULL);
	waitpid(spawn(argv, &to, &from), &status, 0);
	close(to);
	close(from);
	allow_old_tls();
	return status;
}

static int clean_up(void **state)
{
	const char *argv[] = {"rm", "-r", certs, NULL};
	int to, from;

	test_server_stop(&plain);
	waitpid(spawn(argv, &to, &from), NULL, 0);
	close(to);
	close(from);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(untrusted),
		cmocka_unit_test(trusted_ways),
		cmocka_unit_test(denied_is_not_retried),
		cmocka_unit_test(versions),
		cmocka_unit_test(not_tls),
		cmocka_unit_test(server_name),
		cmocka_unit_test(client_certificates),
		cmocka_unit_test(kept_alive),
		cmocka_unit_test(cut_under_tls),
		cmocka_unit_test(tunnel),
		cmocka_unit_test(tunnel_through_tls),
		cmocka_unit_test(tunnel_refused),
		cmocka_unit_test(no_proxy_and_server_name),
		cmocka_unit_test(http2),
	};

	unsetenv("https_proxy");
	unsetenv("HTTPS_PROXY");
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
	unsetenv("no_proxy");
	unsetenv("NO_PROXY");
	return cmocka_run_group_tests(tests, prepare, clean_up);
}

/* store_postgresql: addresses, and servers that are none. What a real one does is tried in tests/services. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "stores/postgresql/postgresql.h"

static void addresses(void **state)
{
	static const char *const good[] = {"postgresql://",
					   "postgresql:///name",
					   "postgresql://h",
					   "postgresql://u@h:1/n",
					   "postgresql://h:1,i:2/n?target_session_attrs=read-write",
					   "postgresql://%2Frun%2Fpostgresql/n",
					   "postgresql://h/n?sslmode=verify-full"};
	static const char *const bad[] = {"",
					  "postgresql:",
					  "postgresql:name",
					  "postgres://h/n",
					  "sqlite:a",
					  "postgresql://h/n?colour=red",
					  "postgresql://[::1/n",
					  "postgresql://%zz/n"};
	static const char *const secret[] = {"postgresql://u:hunter2@h/n", "postgresql://u:@h/n",
					     "postgresql://h/n?password=hunter2", "postgresql://u:hunter%32@h",
					     "postgresql://h/n?sslpassword=hunter2"};
	struct seal_err err = SEAL_ERR_INIT;
	struct store *store = NULL;
	char long_one[3000] = "postgresql://h/";
	const char *why = NULL;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!postgresql_store.check(bytes_str(good[i]), &why))
			fail_msg("%s: %s", good[i], why);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(postgresql_store.check(bytes_str(bad[i]), &why));
		assert_non_null(strstr(why, "postgresql://host:5432/name"));
	}
	for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++) {
		bool empty = strstr(secret[i], "hunter") == NULL;

		assert_int_equal(postgresql_store.check(bytes_str(secret[i]), &why), empty);
		assert_true(empty || strstr(why, "a password has no place in a policy") != NULL);
		assert_null(strstr(why, "hunter"));
	}
	assert_false(postgresql_store.check(bytes_of("postgresql://h\0x", 16), &why));
	memset(long_one + 15, 'x', sizeof(long_one) - 16);
	assert_false(postgresql_store.check(bytes_str(long_one), &why));
	assert_int_equal(postgresql_store.open("postgresql://u:hunter2@h/n", &(struct store_config){.create = true},
					       &store, &err),
			 SEAL_USAGE);
	assert_null(store);
	assert_null(strstr(err.text, "hunter2"));
}

static void fails(const char *address, enum seal_status status, enum seal_code code, const char *says)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct store *store = NULL;

	assert_int_equal(postgresql_store.open(address, &(struct store_config){.create = true}, &store, &err),
			 status);
	assert_null(store);
	if (err.code != code || strstr(err.text, says) == NULL)
		fail_msg("%s: %s: %s", address, seal_code_name(err.code), err.text);
}

/* A port of its own; without listening there is nobody, and nobody else comes. */
static int listen_somewhere(int *port, bool listens)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	if (listens)
		assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

/* What a server says to who connects, and then it goes. */
struct speaker {
	int fd;
	const void *says;
	size_t len;
};

static void *speak(void *arg)
{
	const struct speaker *speaker = arg;
	char heard[512];
	int fd = accept(speaker->fd, NULL, NULL);

	if (read(fd, heard, sizeof(heard)) > 0 && write(fd, speaker->says, speaker->len) >= 0)
		shutdown(fd, SHUT_WR);
	while (read(fd, heard, sizeof(heard)) > 0)
		;
	close(fd);
	return NULL;
}

static void hears(const void *said, size_t len, enum seal_status status, enum seal_code code, const char *says)
{
	struct speaker speaker = {.says = said, .len = len};
	char address[100];
	pthread_t thread;
	int port;

	speaker.fd = listen_somewhere(&port, true);
	snprintf(address, sizeof(address), "postgresql://u@127.0.0.1:%d/n?sslmode=disable&gssencmode=disable", port);
	assert_int_equal(pthread_create(&thread, NULL, speak, &speaker), 0);
	fails(address, status, code, says);
	pthread_join(thread, NULL);
	close(speaker.fd);
}

/* An error as a server sends it: 'E', length, fields. */
static size_t error_of(const char *state, const char *message, uint8_t *out)
{
	size_t len = 5;

	len += (size_t)snprintf((char *)out + len, 20, "SFATAL") + 1;
	len += (size_t)snprintf((char *)out + len, 20, "C%s", state) + 1;
	len += (size_t)snprintf((char *)out + len, 200, "M%s", message) + 1;
	out[len++] = 0;
	out[0] = 'E';
	be32_store(out + 1, (uint32_t)len - 1);
	return len;
}

static void refusals(void **state)
{
	static const struct {
		const char *state, *message;
		enum seal_status status;
		enum seal_code code;
		const char *says;
	} rows[] = {
		{"28P01", "password authentication failed for user \"u\"", SEAL_DENIED, SEAL_E_DENIED,
		 "(28P01); look at"},
		{"28000", "no pg_hba.conf entry", SEAL_DENIED, SEAL_E_DENIED, "no pg_hba.conf entry (28000)"},
		{"3D000", "database \"n\" does not exist", SEAL_USAGE, SEAL_E_CONFIG, "does not exist (3D000)"},
		{"53300", "sorry, too many clients already", SEAL_RETRY, SEAL_E_SERVICE, "short of connections"},
		{"57P03", "the database system is starting up", SEAL_RETRY, SEAL_E_SERVICE, "starts or stops"},
		{"XX000", "a bug", SEAL_FATAL, SEAL_E_KEY_FILE, "a bug (XX000)"},
		{"99999", "odd\nmore", SEAL_FATAL, SEAL_E_IO, "odd (99999); look at the server's log"},
	};
	uint8_t text[300];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		hears(text, error_of(rows[i].state, rows[i].message, text), rows[i].status, rows[i].code,
		      rows[i].says);
}

static void no_server(void **state)
{
	char address[100];
	int port, fd = listen_somewhere(&port, false);

	snprintf(address, sizeof(address), "postgresql://127.0.0.1:%d/n?application_name=x", port);
	fails(address, SEAL_RETRY, SEAL_E_SERVICE, "is not reachable");
	fails("postgresql://%2Fnonexistent/n", SEAL_RETRY, SEAL_E_SERVICE, "is not reachable");
	close(fd);
}

/* Servers of another kind. */
static void odd_answers(void **state)
{
	static const uint8_t password[] = {'R', 0, 0, 0, 8, 0, 0, 0, 3}, no_words[] = {'R', 0, 0, 0, 8, 0, 0, 0, 99};

	hears("", 0, SEAL_RETRY, SEAL_E_SERVICE, "is not reachable");
	hears("HTTP/1.1 400 Bad Request\r\n\r\n", 28, SEAL_RETRY, SEAL_E_SERVICE, "is not reachable");
	hears(password, sizeof(password), SEAL_DENIED, SEAL_E_DENIED, "wants a password");
	hears(no_words, sizeof(no_words), SEAL_RETRY, SEAL_E_SERVICE, "is not reachable");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(refusals),
		cmocka_unit_test(no_server),
		cmocka_unit_test(odd_answers),
	};

	unsetenv("PGPASSWORD");
	setenv("PGPASSFILE", "/nonexistent", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

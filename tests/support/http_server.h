/*
 * A small HTTP/1.1 server on plain sockets, one thread a connection, whose answers are written by the test byte for byte.
 * It counts connections and requests, so that tests can prove what was kept alive, repeated, or side by side. What fails here
 * that must not aborts. Its memory is wiped: tests look for traces of secrets in this process.
 */
#ifndef TESTS_HTTP_SERVER_H
#define TESTS_HTTP_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct test_request {
	char head[16384]; /* request line and headers, NUL-terminated */
	char method[16];
	char target[2048];
	char *body;
	size_t body_len;
	unsigned number; /* 1, 2, … of all */
	unsigned on_connection; /* 1, 2, … of this connection */
};

struct test_server;

/* Writes the answer; false closes the connection. Called by one thread a connection. */
typedef bool (*test_answer)(struct test_server *server, int fd, const struct test_request *request);

struct test_connection {
	pthread_t thread;
	struct test_server *server;
	int fd;
};

struct test_server {
	test_answer answer;
	void *arg; /* the test's */
	unsigned port; /* on 127.0.0.1 */
	char url[64]; /* "http://127.0.0.1:port" */
	atomic_uint accepted, requests;
	atomic_uint busy, busy_max; /* requests in the hands of `answer`: now, at most */
	atomic_bool stop;
	int listener;
	pthread_t thread;
	pthread_mutex_t lock; /* guards the two below */
	struct test_connection *connections[4096];
	size_t n_connections;
};

void test_server_start(struct test_server *server, test_answer answer, void *arg);
/* The same on a Unix socket. */
void test_server_start_unix(struct test_server *server, const char *path, test_answer answer, void *arg);
void test_server_stop(struct test_server *server);

/*
 * A port of 127.0.0.1 that is this process's until it ends: nobody listens there, and no other process is given it. A server to come
 * that sets SO_REUSEADDR can have it. That of a test server is kept so, too: nobody answers there once it has stopped.
 */
unsigned test_kept_port(void);

/* Value of a header of the request, copied to `out`; false when it has none. */
bool test_request_header(const struct test_request *request, const char *name, char *out, size_t size);

/* Both return true, so that an answer may end with them; a client that has gone is no failure. */
bool test_send(int fd, const void *bytes, size_t len);
/* A whole answer with Content-Length; `headers` are lines with CR LF, or "". */
bool test_reply(int fd, unsigned status, const char *headers, const char *body);
/* Carries bytes both ways between two sockets until one ends, then closes the second. */
void test_relay(int a, int b);
int test_connect(unsigned port);

#endif

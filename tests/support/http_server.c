/* The test server: an accepting thread, and one for each connection. */
#include "http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MUST(condition) ((condition) ? (void)0 : must_failed(__LINE__, #condition))

static void must_failed(int line, const char *what)
{
	fprintf(stderr, "http_server.c:%d: %s: %s\n", line, what, strerror(errno));
	abort();
}

bool test_send(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n <= 0)
			return true;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

bool test_reply(int fd, unsigned status, const char *headers, const char *body)
{
	size_t size = strlen(headers) + strlen(body) + 128;
	char *text = calloc(1, size);
	int len;

	MUST(text != NULL);
	len = snprintf(text, size, "HTTP/1.1 %u Text\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers,
		       strlen(body), body);
	test_send(fd, text, (size_t)len);
	explicit_bzero(text, size);
	free(text);
	return true;
}

bool test_request_header(const struct test_request *request, const char *name, char *out, size_t size)
{
	const char *line = strstr(request->head, "\r\n");

	while (line != NULL && line[2] != '\r') {
		line += 2;
		if (strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':') {
			const char *value = line + strlen(name) + 1;

			value += strspn(value, " ");
			snprintf(out, size, "%.*s", (int)strcspn(value, "\r"), value);
			return true;
		}
		line = strstr(line, "\r\n");
	}
	return false;
}

/* False: the client has gone. */
static bool read_head(int fd, struct test_request *r)
{
	size_t len = 0;

	while (len < sizeof(r->head) - 1) {
		if (recv(fd, r->head + len, 1, 0) != 1)
			return false;
		r->head[++len] = '\0';
		if (r->head[0] == 0x16) { /* TLS; what Go's server says, too */
			test_send(fd, "HTTP/1.0 400 Bad Request\r\n\r\n", 28);
			return false;
		}
		if (len >= 4 && memcmp(r->head + len - 4, "\r\n\r\n", 4) == 0)
			return sscanf(r->head, "%15s %2047s", r->method, r->target) == 2;
	}
	return false;
}

static bool read_body(int fd, struct test_request *r)
{
	char text[32];
	size_t have = 0;

	if (!test_request_header(r, "Content-Length", text, sizeof(text)))
		return true;
	r->body_len = strtoul(text, NULL, 10);
	r->body = calloc(1, r->body_len + 1);
	MUST(r->body != NULL);
	while (have < r->body_len) {
		ssize_t n = recv(fd, r->body + have, r->body_len - have, 0);

		if (n <= 0)
			return false;
		have += (size_t)n;
	}
	return true;
}

static void note_busy(struct test_server *s)
{
	unsigned busy = atomic_fetch_add(&s->busy, 1) + 1, max = atomic_load(&s->busy_max);

	while (busy > max && !atomic_compare_exchange_weak(&s->busy_max, &max, busy))
		;
}

static void *serve(void *arg)
{
	struct test_connection *c = arg;
	struct test_request *r = calloc(1, sizeof(*r));
	struct test_server *s = c->server;
	bool go_on = true;

	MUST(r != NULL);
	for (unsigned n = 1; go_on; n++) {
		go_on = read_head(c->fd, r);
		if (go_on) {
			r->number = atomic_fetch_add(&s->requests, 1) + 1;
			r->on_connection = n;
			note_busy(s);
			/* An answer that wants the body to stay unread says so in its test by the target. */
			go_on = (strncmp(r->target, "/unread", 7) == 0 || read_body(c->fd, r)) &&
				s->answer(s, c->fd, r);
			atomic_fetch_sub(&s->busy, 1);
		}
		if (r->body != NULL)
			explicit_bzero(r->body, r->body_len);
		free(r->body);
		explicit_bzero(r, sizeof(*r));
	}
	free(r);
	shutdown(c->fd, SHUT_RDWR);
	return NULL;
}

static void *accept_all(void *arg)
{
	struct test_server *s = arg;

	for (;;) {
		int fd = accept(s->listener, NULL, NULL);
		struct test_connection *c;

		if (fd < 0 || atomic_load(&s->stop)) {
			if (fd >= 0)
				close(fd);
			return NULL;
		}
		atomic_fetch_add(&s->accepted, 1);
		c = calloc(1, sizeof(*c));
		MUST(c != NULL);
		c->server = s;
		c->fd = fd;
		pthread_mutex_lock(&s->lock);
		MUST(s->n_connections < sizeof(s->connections) / sizeof(s->connections[0]));
		s->connections[s->n_connections++] = c;
		MUST(pthread_create(&c->thread, NULL, serve, c) == 0);
		pthread_mutex_unlock(&s->lock);
	}
}

static void start(struct test_server *s, int listener, test_answer answer, void *arg)
{
	s->answer = answer;
	s->arg = arg;
	s->listener = listener;
	MUST(listen(listener, 256) == 0);
	pthread_mutex_init(&s->lock, NULL);
	MUST(pthread_create(&s->thread, NULL, accept_all, s) == 0);
}

/* At that port; 0: at a free one. */
static int bound(unsigned port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	MUST(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) == 0);
	MUST(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	return fd;
}

/* The socket that is bound and never listens stays open: others may bind the port beside it, but only by its number. */
unsigned test_kept_port(void)
{
	struct sockaddr_in at;
	socklen_t len = sizeof(at);

	MUST(getsockname(bound(0), (struct sockaddr *)&at, &len) == 0);
	return ntohs(at.sin_port);
}

void test_server_start(struct test_server *s, test_answer answer, void *arg)
{
	memset(s, 0, sizeof(*s));
	s->port = test_kept_port();
	snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u", s->port);
	start(s, bound(s->port), answer, arg);
}

void test_server_start_unix(struct test_server *s, const char *path, test_answer answer, void *arg)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(s, 0, sizeof(*s));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	MUST(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	snprintf(s->url, sizeof(s->url), "http://localhost");
	start(s, fd, answer, arg);
}

void test_server_stop(struct test_server *s)
{
	atomic_store(&s->stop, true);
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
	for (size_t i = 0; i < s->n_connections; i++) {
		struct test_connection *c = s->connections[i];

		shutdown(c->fd, SHUT_RDWR);
		pthread_join(c->thread, NULL);
		close(c->fd);
		free(c);
	}
	pthread_mutex_destroy(&s->lock);
}

int test_connect(unsigned port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

void test_relay(int a, int b)
{
	struct pollfd fds[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
	char buffer[16384];

	while (poll(fds, 2, -1) > 0) {
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (fds[i].revents == 0)
				continue;
			n = recv(fds[i].fd, buffer, sizeof(buffer), 0);
			if (n <= 0) {
				close(b);
				return;
			}
			test_send(fds[1 - i].fd, buffer, (size_t)n);
		}
	}
	close(b);
}

/*
 * What a Vault server can do at most: sends one and the same request over some kept-alive connections for some seconds,
 * a thread a connection, and looks at nothing of the answers but their status and where they end.
 *
 *   vault_load ADDRESS PATH BODY-FILE CONNECTIONS SECONDS      token: VAULT_TOKEN, authority: VAULT_CACERT
 *
 * Prints how many requests were answered, in how many seconds, and ends with 1 when an answer was not 200.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"

#define CONNECTIONS_MAX 64
#define ANSWER_MAX (4u << 20)

struct load {
	SSL_CTX *tls; /* NULL: plain HTTP */
	char address[256]; /* host:port */
	char *request;
	size_t len;
	uint64_t end_ms;
	atomic_ulong answered;
};

_Noreturn static void fail(const char *what)
{
	fprintf(stderr, "vault_load: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static void *need(void *p)
{
	if (p == NULL)
		fail("out of memory");
	return p;
}

static void write_all(BIO *io, const char *at, size_t len)
{
	while (len > 0) {
		int n = BIO_write(io, at, (int)len);

		if (n <= 0)
			fail("the connection broke");
		at += n;
		len -= (size_t)n;
	}
}

/* Is the whole answer there? Vault's JSON has no line ends inside, so that the last chunk cannot be mistaken. */
static bool complete(const char *answer, size_t len)
{
	const char *body = memmem(answer, len, "\r\n\r\n", 4), *length;

	if (body == NULL)
		return false;
	body += 4;
	length = memmem(answer, (size_t)(body - answer), "Content-Length: ", 16);
	if (length != NULL)
		return len - (size_t)(body - answer) >= strtoul(length + 16, NULL, 10);
	return len >= 5 && memcmp(answer + len - 5, "0\r\n\r\n", 5) == 0;
}

static void read_answer(BIO *io, char *buffer)
{
	size_t len = 0;

	do {
		int n = BIO_read(io, buffer + len, (int)(ANSWER_MAX - len));

		if (n <= 0)
			fail("the connection broke");
		len += (size_t)n;
	} while (!complete(buffer, len));
	if (memcmp(buffer, "HTTP/1.1 200 ", 13) != 0)
		fail("an answer was not 200");
}

static BIO *dial(const struct load *load)
{
	BIO *io = need(load->tls != NULL ? BIO_new_ssl_connect(load->tls) : BIO_new(BIO_s_connect()));
	int socket = -1;

	BIO_set_conn_hostname(io, load->address);
	if (BIO_do_connect(io) <= 0)
		fail("cannot connect");
	BIO_get_fd(io, &socket);
	if (setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) != 0)
		fail("no TCP_NODELAY"); /* a body of several writes would wait 40 ms for an acknowledgement */
	return io;
}

static void *connection(void *arg)
{
	struct load *load = arg;
	char *buffer = need(malloc(ANSWER_MAX));
	BIO *io = dial(load);

	while (clock_mono_ms() < load->end_ms) {
		write_all(io, load->request, load->len);
		read_answer(io, buffer);
		atomic_fetch_add(&load->answered, 1);
	}
	BIO_free_all(io);
	free(buffer);
	return NULL;
}

static char *read_file(const char *path, size_t *len)
{
	FILE *file = fopen(path, "rb");
	char *text = need(malloc(ANSWER_MAX));

	if (file == NULL)
		fail("cannot read the body");
	*len = fread(text, 1, ANSWER_MAX, file);
	fclose(file);
	return text;
}

static void prepare(struct load *load, const char *address, const char *path, const char *body_file)
{
	const char *token = getenv("VAULT_TOKEN"), *authority = getenv("VAULT_CACERT");
	const char *host = strstr(address, "://");
	size_t body_len, head_len;
	char *body = read_file(body_file, &body_len);

	if (host == NULL || token == NULL)
		fail("no address, or no VAULT_TOKEN");
	snprintf(load->address, sizeof(load->address), "%s", host + 3);
	if (strncmp(address, "https:", 6) == 0) {
		load->tls = need(SSL_CTX_new(TLS_client_method()));
		SSL_CTX_set_verify(load->tls, SSL_VERIFY_PEER, NULL);
		if (authority == NULL || SSL_CTX_load_verify_locations(load->tls, authority, NULL) != 1)
			fail("no usable VAULT_CACERT");
	}
	load->request = need(malloc(body_len + 1024));
	head_len =
		(size_t)snprintf(load->request, 1024,
				 "POST /v1/%s HTTP/1.1\r\nHost: %s\r\nX-Vault-Token: %s\r\nX-Vault-Request: true\r\n"
				 "Content-Length: %zu\r\n\r\n",
				 path, load->address, token, body_len);
	if (head_len >= 1024)
		fail("the path or the token is too long");
	memcpy(load->request + head_len, body, body_len);
	load->len = head_len + body_len;
	free(body);
}

int main(int argc, char **argv)
{
	struct load load = {.tls = NULL};
	pthread_t threads[CONNECTIONS_MAX];
	int connections;
	uint64_t began;

	if (argc != 6 || (connections = (int)strtol(argv[4], NULL, 10)) < 1 || connections > CONNECTIONS_MAX)
		fail("usage: vault_load ADDRESS PATH BODY-FILE CONNECTIONS SECONDS");
	prepare(&load, argv[1], argv[2], argv[3]);
	began = clock_mono_ms();
	load.end_ms = began + (uint64_t)(strtod(argv[5], NULL) * 1000);
	for (int i = 0; i < connections; i++)
		if (pthread_create(&threads[i], NULL, connection, &load) != 0)
			fail("no thread");
	for (int i = 0; i < connections; i++)
		pthread_join(threads[i], NULL);
	printf("%lu %.3f\n", atomic_load(&load.answered), (double)(clock_mono_ms() - began) / 1000);
	free(load.request);
	SSL_CTX_free(load.tls);
	return 0;
}

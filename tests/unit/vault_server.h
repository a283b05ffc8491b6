/*
 * A small server for tests of src/vault: HTTP/1.1 with kept-alive connections, one thread each, and Transit of a kind behind
 * it. Texts have the real form; what stands in them is the plaintext with a check sum over it, the version and what it is
 * bound to, so that everything can be told apart without cryptography. Tests say what it refuses.
 */
#ifndef TESTS_VAULT_SERVER_H
#define TESTS_VAULT_SERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "vault/transit.h"
#include "vault/vault.h"

#define SERVER_CONNECTIONS 64
#define SERVER_TOKEN "s.2b7e151628aed2a6"
#define SERVER_BODY_MAX (40u << 20)

struct server;

struct server_request {
	char method[8], path[300], token[80], space[80];
	bool vault_request;
	const char *body;
	size_t len;
};

struct server_reply {
	unsigned status;
	char *body; /* from malloc, or NULL */
	char location[400];
	bool cut; /* half of the body, then the end */
};

struct server {
	int fd, port;
	pthread_t thread;
	struct server_connection {
		struct server *server;
		pthread_t thread;
		int fd; /* -1: free */
		_Atomic bool over; /* its thread can be joined */
	} connections[SERVER_CONNECTIONS];
	pthread_mutex_t lock; /* guards all that follows */
	bool stopping;
	/* What tests see. */
	unsigned requests, posts, refused_by_size;
	size_t largest_lot, smallest_lot;
	char last_path[300], last_space[80], last_body[4096];
	/* What tests say. */
	const char *token; /* the one that is good */
	bool (*hook)(struct server *s, const struct server_request *request, struct server_reply *reply);
	unsigned latest, min_decryption, min_encryption; /* versions of every key */
	bool ignores_version; /* what items ask for */
	size_t max_strings; /* OpenBao's limit; 0: none */
	size_t max_body; /* 0: none */
	bool no_list; /* keys cannot be listed */
	bool no_associated_data; /* a server that does not know it */
	bool old; /* … and does not say that it ignores something: Vault before 1.11 */
	bool odd_json; /* white space, escapes, members in another order */
	const char *poison; /* plaintext or ciphertext that makes the server refuse the whole request, with … */
	const char *poison_text;
	unsigned poison_status;
	const char *spoil; /* plaintext whose result is this error … */
	const char *spoil_text;
	_Atomic unsigned stall_ms; /* before each POST is answered; 0 ends it */
	void *arg;
};

static inline char *server_errors(const char *text)
{
	json_t *root = text != NULL ? json_pack("{s:[s]}", "errors", text) : json_pack("{s:[]}", "errors");
	char *body = json_dumps(root, JSON_COMPACT);

	json_decref(root);
	return body;
}

static inline void server_fail(struct server_reply *reply, unsigned status, const char *text)
{
	free(reply->body);
	reply->status = status;
	reply->body = server_errors(text);
}

static inline void server_data(struct server *s, struct server_reply *reply, unsigned status, json_t *data,
			       const char *warning)
{
	json_t *root = json_pack("{s:s,s:o,s:n,s:o}", "request_id", "x", "data", data, "auth", "warnings",
				 warning != NULL ? json_pack("[s]", warning) : json_null());

	reply->status = status;
	reply->body =
		json_dumps(root, s->odd_json ? JSON_INDENT(3) | JSON_ESCAPE_SLASH | JSON_SORT_KEYS : JSON_COMPACT);
	json_decref(root);
}

/* ---- texts ---- */

static inline uint64_t server_sum(struct seal_bytes plain, const char *bound, unsigned version)
{
	uint64_t h = 1469598103934665603u + version;

	for (size_t i = 0; i < plain.len; i++)
		h = (h ^ plain.ptr[i]) * 1099511628211u;
	for (const char *p = bound; *p != '\0'; p++)
		h = (h ^ (uint8_t)*p ^ 0x80) * 1099511628211u;
	return h;
}

/* "vault:vN:…" of a plaintext; `bound` is the base64 that it is bound to, "" for none. From malloc. */
static inline char *server_seal(struct seal_bytes plain, const char *bound, unsigned version)
{
	const size_t raw_len = 12 + plain.len + 16;
	uint8_t *raw = calloc(1, raw_len);
	char *text = malloc(32 + BASE64_LEN(raw_len)), *at = text;

	for (size_t i = 0; i < plain.len; i++)
		raw[12 + i] = plain.ptr[i] ^ 0x5a;
	be64_store(raw + raw_len - 8, server_sum(plain, bound, version));
	at += snprintf(at, 32, "vault:v%u:", version);
	at[base64_encode(bytes_of(raw, raw_len), at)] = '\0';
	free(raw);
	return text;
}

/* The error, or NULL and *plain (from malloc) and its length. */
static inline const char *server_open(const struct server *s, const char *text, const char *bound, uint8_t **plain,
				      size_t *len)
{
	const char *colon = strncmp(text, "vault:v", 7) == 0 ? strchr(text + 7, ':') : NULL;
	const unsigned version = colon != NULL ? (unsigned)strtoul(text + 7, NULL, 10) : 0;
	uint8_t *raw;
	size_t n = 0;

	if (colon == NULL)
		return "invalid ciphertext: no prefix";
	if (version > s->latest)
		return "invalid ciphertext: version is too new";
	if (version < s->min_decryption)
		return "ciphertext or signature version is disallowed by policy (too old)";
	raw = malloc(BASE64_RAW_MAX(strlen(colon + 1)));
	if (!base64_decode(bytes_str(colon + 1), raw, &n) || n < 28) {
		free(raw);
		return "invalid ciphertext: could not decode base64";
	}
	*len = n - 28;
	*plain = malloc(*len + 1);
	for (size_t i = 0; i < *len; i++)
		(*plain)[i] = raw[12 + i] ^ 0x5a;
	(*plain)[*len] = '\0';
	n = be64_load(raw + n - 8) == server_sum(bytes_of(*plain, *len), bound, version);
	free(raw);
	if (n)
		return NULL;
	free(*plain);
	return "cipher: message authentication failed";
}

/* ---- Transit ---- */

static inline const char *server_text(const json_t *item, const char *name)
{
	const char *text = json_string_value(json_object_get(item, name));

	return text != NULL ? text : "";
}

static inline const char *server_bound(const struct server *s, const json_t *item)
{
	const char *context = server_text(item, "context");

	if (*context != '\0')
		return context;
	return s->no_associated_data ? "" : server_text(item, "associated_data");
}

static inline json_t *server_plaintext(const char *error, const uint8_t *plain, size_t len)
{
	char *text = malloc(BASE64_LEN(len) + 1);
	json_t *result;

	text[error == NULL ? base64_encode(bytes_of(plain, len), text) : 0] = '\0';
	result = json_pack("{s:s,s:s}", "plaintext", text, "reference", "");
	if (error != NULL)
		json_object_set_new(result, "error", json_string(error));
	free(text);
	return result;
}

static inline json_t *server_ciphertext(struct seal_bytes plain, const char *bound, unsigned version)
{
	char *text = server_seal(plain, bound, version);
	json_t *result = json_pack("{s:s,s:i,s:s}", "ciphertext", text, "key_version", (int)version, "reference", "");

	free(text);
	return result;
}

/* One item of a batch. *bad: it failed. */
/* The version that an item asks for, or the latest; NULL in *error unless there is none. */
static inline unsigned server_version(const struct server *s, const json_t *item, const char **error)
{
	const unsigned asked =
		s->ignores_version ? 0 : (unsigned)json_integer_value(json_object_get(item, "key_version"));

	*error = NULL;
	if (asked > s->latest)
		*error = "requested version for encryption is higher than the latest key version";
	if (asked != 0 && asked < s->min_encryption)
		*error = "requested version for encryption is less than the minimum encryption key version";
	return asked != 0 ? asked : s->latest;
}

static inline json_t *server_item(const struct server *s, const char *what, const json_t *item, unsigned version,
				  bool *bad)
{
	const char *b64 = server_text(item, *what == 'h' ? "input" : "plaintext"), *error, *refused;
	const unsigned under = server_version(s, item, &refused);
	uint8_t *plain = malloc(BASE64_RAW_MAX(strlen(b64)) + 40);
	size_t len = 0;
	json_t *result;

	if (*what == 'e' || *what == 'h') {
		assert_true(base64_decode(bytes_str(b64), plain, &len));
		error = s->spoil != NULL && len == strlen(s->spoil) && memcmp(plain, s->spoil, len) == 0
				? s->spoil_text
				: refused;
		if (error == NULL && *what == 'e') {
			result = server_ciphertext(bytes_of(plain, len), server_bound(s, item), under);
		} else if (error == NULL) { /* 32 bytes: the sum four times */
			char text[80];

			for (int i = 0; i < 4; i++)
				be64_store(plain + 8 * i, server_sum(bytes_str(b64), "hmac", version));
			len = (size_t)snprintf(text, 32, "vault:v%u:", version);
			text[len + base64_encode(bytes_of(plain, 32), text + len)] = '\0';
			result = json_pack("{s:s}", "hmac", text);
		} else {
			result = json_pack("{s:s,s:s}", "error", error, "reference", "");
		}
		*bad |= error != NULL;
		free(plain);
		return result;
	}
	free(plain);
	error = server_open(s, server_text(item, "ciphertext"), server_bound(s, item), &plain, &len);
	if (error == NULL && s->spoil != NULL && len == strlen(s->spoil) && memcmp(plain, s->spoil, len) == 0) {
		free(plain);
		error = s->spoil_text;
	}
	if (error == NULL && *what == 'r' && refused != NULL) {
		free(plain);
		error = refused;
	}
	*bad |= error != NULL;
	if (*what == 'd')
		result = server_plaintext(error, plain, len);
	else if (error != NULL)
		result = json_pack("{s:s,s:s}", "error", error, "reference", "");
	else
		result = server_ciphertext(bytes_of(plain, len), server_bound(s, item), under);
	if (error == NULL)
		free(plain);
	return result;
}

static inline bool server_poisoned(const struct server *s, const json_t *item)
{
	uint8_t raw[256];
	size_t len;
	const char *b64 = server_text(item, "plaintext");

	if (s->poison == NULL)
		return false;
	if (strcmp(server_text(item, "ciphertext"), s->poison) == 0)
		return true;
	return strlen(b64) < 300 && *b64 != '\0' && base64_decode(bytes_str(b64), raw, &len) &&
	       len == strlen(s->poison) && memcmp(raw, s->poison, len) == 0;
}

static inline void server_batch(struct server *s, const char *what, const json_t *root, struct server_reply *reply)
{
	const json_t *items = json_object_get(root, "batch_input");
	const unsigned asked = (unsigned)json_integer_value(json_object_get(root, "key_version"));
	const bool odd = s->no_associated_data && !s->old && json_object_get(root, "associated_data") != NULL;
	json_t *results = json_array(), *item;
	size_t i, strings = json_object_size(root);
	bool bad = false;

	json_array_foreach(items, i, item) strings += 2 * json_object_size(item);
	if (s->max_strings != 0 && strings > s->max_strings) {
		s->refused_by_size++;
		json_decref(results);
		server_fail(reply, 400,
			    "refused JSON input due to high complexity: exceeded maximum number of strings");
		return;
	}
	if (i > s->largest_lot)
		s->largest_lot = i;
	if (i < s->smallest_lot)
		s->smallest_lot = i;
	json_array_foreach(items, i, item)
	{
		if (server_poisoned(s, item)) {
			json_decref(results);
			server_fail(reply, s->poison_status, s->poison_text);
			return;
		}
		json_array_append_new(results, server_item(s, what, item, asked ? asked : s->latest, &bad));
	}
	server_data(s, reply, bad && *what != 'r' && *what != 'h' ? 400 : 200,
		    json_pack("{s:o}", "batch_results", results),
		    odd ? "Endpoint ignored these unrecognized parameters: [associated_data]" : NULL);
}

static inline void server_datakey(struct server *s, const struct server_request *request, const json_t *root,
				  struct server_reply *reply)
{
	const size_t len = (size_t)json_integer_value(json_object_get(root, "bits")) / 8;
	uint8_t raw[64];
	char *text, plain[100];

	memset(raw, 7, sizeof(raw));
	text = server_seal(bytes_of(raw, len), server_text(root, "context"), s->latest);
	plain[base64_encode(bytes_of(raw, len), plain)] = '\0';
	if (strstr(request->path, "/plaintext/") != NULL)
		server_data(s, reply, 200, json_pack("{s:s,s:s}", "ciphertext", text, "plaintext", plain), NULL);
	else
		server_data(s, reply, 200, json_pack("{s:s}", "ciphertext", text), NULL);
	free(text);
}

/* Keys by their names: pii, derived, conv, hm, rsa, soft, odd; all others are not there. */
static inline void server_key(struct server *s, const char *name, struct server_reply *reply)
{
	static const char *const rows[][2] = {{"pii", "aes256-gcm96"},	{"derived", "aes256-gcm96"},
					      {"conv", "aes128-gcm96"}, {"hm", "hmac"},
					      {"rsa", "rsa-2048"},	{"soft", "aes256-gcm96"},
					      {"odd", "aes\n256"},	{"cha", "chacha20-poly1305"}};
	const bool conv = strcmp(name, "conv") == 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *data;

		if (strcmp(rows[i][0], name) != 0)
			continue;
		data = json_pack("{s:s,s:b,s:b,s:i,s:i,s:i}", "type", rows[i][1], "derived",
				 conv || strcmp(name, "derived") == 0, "soft_deleted", strcmp(name, "soft") == 0,
				 "latest_version", (int)s->latest, "min_decryption_version", (int)s->min_decryption,
				 "min_encryption_version", 0);
		if (conv)
			json_object_set_new(data, "convergent_encryption", json_true());
		if (!s->old)
			json_object_set_new(data, "imported_key", json_false());
		server_data(s, reply, 200, data, NULL);
		return;
	}
	server_fail(reply, 404, NULL);
}

static inline void server_transit(struct server *s, const struct server_request *request, struct server_reply *reply)
{
	const char *path = request->path + strlen("/v1/transit/");
	json_t *root;

	if (strcmp(path, "keys?list=true") == 0) {
		if (s->no_list)
			server_fail(reply, 403, "1 error occurred:\n\t* permission denied\n\n");
		else
			server_data(s, reply, 200, json_pack("{s:[s,s]}", "keys", "cards", "pii"), NULL);
		return;
	}
	if (strncmp(path, "keys/", 5) == 0) {
		server_key(s, path + 5, reply);
		return;
	}
	s->posts++;
	if (s->max_body != 0 && request->len > s->max_body) {
		s->refused_by_size++;
		server_fail(reply, 413, "http: request body too large");
		return;
	}
	root = json_loadb(request->body, request->len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	if (strncmp(path, "datakey/", 8) == 0)
		server_datakey(s, request, root, reply);
	else
		server_batch(s, path, root, reply);
	json_decref(root);
}

static inline void server_stall(struct server *s)
{
	const uint64_t from = clock_mono_ms();

	while (clock_mono_ms() - from < atomic_load(&s->stall_ms))
		poll(NULL, 0, 1);
}

static inline void server_answer(struct server *s, const struct server_request *request, struct server_reply *reply)
{
	pthread_mutex_lock(&s->lock);
	s->requests++;
	snprintf(s->last_path, sizeof(s->last_path), "%s", request->path);
	snprintf(s->last_space, sizeof(s->last_space), "%s", request->space);
	snprintf(s->last_body, sizeof(s->last_body), "%.*s", (int)(request->len < 4000 ? request->len : 4000),
		 request->body);
	if (!request->vault_request)
		server_fail(reply, 412, "missing \"X-Vault-Request\" header");
	else if (s->hook != NULL && s->hook(s, request, reply))
		; /* it has answered */
	else if (strcmp(request->token, s->token) != 0)
		server_fail(reply, 403, "permission denied");
	else if (strcmp(request->path, "/v1/auth/token/lookup-self") == 0)
		server_data(s, reply, 200, json_pack("{s:i,s:b}", "ttl", 0, "renewable", 0), NULL);
	else if (strncmp(request->path, "/v1/transit/", 12) == 0)
		server_transit(s, request, reply);
	else
		server_fail(reply, 404, "no handler for route \"x\". route entry not found.");
	pthread_mutex_unlock(&s->lock);
	if (strcmp(request->method, "POST") == 0)
		server_stall(s);
}

/* ---- HTTP ---- */

static inline bool server_send(int fd, const char *text, size_t len)
{
	while (len > 0) {
		const ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

static inline void server_header(const char *head, const char *name, char *out, size_t room)
{
	const char *at = strcasestr(head, name);

	out[0] = '\0';
	if (at != NULL)
		snprintf(out, room, "%.*s", (int)strcspn(at + strlen(name), "\r\n"), at + strlen(name));
}

/* One request that is in `buf` whole. False: the connection ends. */
static inline bool server_one(struct server *s, int fd, char *buf, size_t head_len, size_t body_len)
{
	struct server_request request = {.body = buf + head_len, .len = body_len};
	struct server_reply reply = {.status = 200};
	char head[1000], flag[16];
	size_t len;
	bool good;

	buf[head_len - 1] = '\0';
	assert_int_equal(sscanf(buf, "%7s %299s", request.method, request.path), 2);
	server_header(buf, "x-vault-token: ", request.token, sizeof(request.token));
	server_header(buf, "x-vault-namespace: ", request.space, sizeof(request.space));
	server_header(buf, "x-vault-request: ", flag, sizeof(flag));
	request.vault_request = strcmp(flag, "true") == 0;
	server_answer(s, &request, &reply);
	len = reply.body != NULL ? strlen(reply.body) : 0;
	snprintf(head, sizeof(head),
		 "HTTP/1.1 %u X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s%s%s\r\n", reply.status,
		 len, reply.location[0] ? "Location: " : "", reply.location, reply.location[0] ? "\r\n" : "");
	good = server_send(fd, head, strlen(head)) && server_send(fd, reply.body, reply.cut ? len / 2 : len) &&
	       !reply.cut;
	free(reply.body);
	return good;
}

static inline void *server_serve(void *arg)
{
	struct server_connection *c = arg;
	char *buf = malloc(SERVER_BODY_MAX), *end;
	size_t n = 0, head = 0, body = 0;
	ssize_t got = 1;

	while (got > 0) {
		buf[n] = '\0';
		end = head == 0 && n > 0 ? strstr(buf, "\r\n\r\n") : NULL;
		if (end != NULL) {
			const char *length = strcasestr(buf, "content-length:");

			head = (size_t)(end - buf) + 4;
			body = length != NULL && length < end ? strtoul(length + 15, NULL, 10) : 0;
		}
		if (head != 0 && n >= head + body) {
			if (!server_one(c->server, c->fd, buf, head, body))
				break;
			memmove(buf, buf + head + body, n - head - body);
			n -= head + body;
			head = 0;
			continue;
		}
		got = recv(c->fd, buf + n, SERVER_BODY_MAX - 1 - n, 0);
		n += got > 0 ? (size_t)got : 0;
	}
	shutdown(c->fd, SHUT_RDWR);
	free(buf);
	atomic_store(&c->over, true);
	return NULL;
}

static inline void server_end(struct server_connection *c)
{
	shutdown(c->fd, SHUT_RDWR);
	pthread_join(c->thread, NULL);
	close(c->fd);
	c->fd = -1;
}

static inline void *server_accept(void *arg)
{
	struct server *s = arg;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		struct server_connection *c = s->connections;

		for (; c->fd >= 0 && !atomic_load(&c->over); c++)
			assert_true(c + 1 < s->connections + SERVER_CONNECTIONS);
		if (c->fd >= 0)
			server_end(c);
		assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), 0);
		c->server = s;
		c->fd = fd;
		atomic_store(&c->over, false);
		assert_int_equal(pthread_create(&c->thread, NULL, server_serve, c), 0);
	}
	return NULL;
}

static inline void server_start(struct server *s)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);

	memset(s, 0, sizeof(*s));
	s->token = SERVER_TOKEN;
	s->latest = 1;
	s->min_decryption = 1;
	s->smallest_lot = SIZE_MAX;
	for (int i = 0; i < SERVER_CONNECTIONS; i++)
		s->connections[i].fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(s->fd, 64), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &len), 0);
	s->port = ntohs(at.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, server_accept, s), 0);
}

static inline void server_stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	for (int i = 0; i < SERVER_CONNECTIONS; i++)
		if (s->connections[i].fd >= 0)
			server_end(&s->connections[i]);
	close(s->fd);
	pthread_mutex_destroy(&s->lock);
}

/* ---- what tests have in hand ---- */

/* Nothing that the caller's environment says about a server counts. */
static inline void server_environment(void)
{
	static const char *const names[] = {"TOKEN", "NAMESPACE", "ADDR", "AGENT_ADDR", "CACERT"};
	char name[40];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(name, sizeof(name), "VAULT_%s", names[i]);
		unsetenv(name);
		snprintf(name, sizeof(name), "BAO_%s", names[i]);
		unsetenv(name);
	}
}

struct vault_fixture {
	struct server server;
	char addr[200], token_file[80];
	struct vault_options options;
	struct key_source_config config;
	struct key_source *source;
	struct arena arena;
	struct key_call call;
	struct seal_err err;
};

static inline void fixture_token(struct vault_fixture *f, const char *token)
{
	char fresh[sizeof(f->token_file) + 5];
	FILE *file;

	snprintf(fresh, sizeof(fresh), "%s.new", f->token_file);
	file = fopen(fresh, "w");
	assert_non_null(file);
	assert_int_equal(fchmod(fileno(file), 0600), 0);
	fputs(token, file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(fresh, f->token_file), 0); /* never seen half written */
}

#define VOK(f, expr)                                                                                                 \
	do {                                                                                                         \
		if ((expr) != SEAL_OK)                                                                               \
			fail_msg("%s: %s", #expr, (f)->err.text);                                                    \
	} while (0)

/* A server, and options for it; no source yet. */
static inline void fixture_start(struct vault_fixture *f)
{
	memset(f, 0, sizeof(*f));
	server_start(&f->server);
	snprintf(f->addr, sizeof(f->addr), "http://127.0.0.1:%d", f->server.port);
	snprintf(f->token_file, sizeof(f->token_file), "/tmp/test_vault.%d.%d", (int)getpid(), f->server.port);
	fixture_token(f, SERVER_TOKEN "\n");
	f->options = (struct vault_options){.addr = f->addr,
					    .token_file = f->token_file,
					    .retries = "0",
					    .timeout = "60s",
					    .batch = 100,
					    .connections = 2};
	f->config.vault = &f->options;
	arena_init(&f->arena, 1 << 20);
	f->call = (struct key_call){.arena = &f->arena, .deadline_ms = clock_mono_ms() + 120000};
}

static inline void fixture_open(struct vault_fixture *f)
{
	fixture_start(f);
	VOK(f, vault_source.open(&f->config, &f->source, &f->err));
}

static inline void fixture_close(struct vault_fixture *f)
{
	vault_source.free(f->source);
	arena_clear(&f->arena);
	server_stop(&f->server);
	unlink(f->token_file);
}

static inline struct key_session *fixture_session(struct vault_fixture *f, const char *reference, struct key **key)
{
	struct key_session *session = NULL;

	VOK(f, vault_source.key(f->source, bytes_str(reference), key, &f->err));
	VOK(f, (*key)->ops->session(*key, &session, &f->err));
	return session;
}

static inline void fixture_end(struct key_session *session, struct key *key)
{
	session->ops->free(session);
	key->ops->free(key);
}

#endif

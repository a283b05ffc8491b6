/*
 * OIDC with a browser: for people, once at the start.
 *
 *   us ──auth_url──▶ server        the identity provider's page, with a state and a nonce in its address
 *   us ──prints it─▶ person ──▶ browser ──▶ provider ──redirect──▶ http://localhost:8250/oidc/callback?state=…&code=…
 *   us ──callback──▶ server        state, code and the client nonce of the first request; gives the token
 *
 * The listener takes connections of this machine alone. A callback whose state is not that of the address was not caused by
 * us: it is refused and the waiting goes on. The provider's nonce is checked by the server, in the ID token.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/file.h"
#include "crypto/random.h"
#include "vault/login/method.h"

#define PORT 8250
#define PERSON_MS 300000 /* how long a person may take */
#define BROWSER_MS 5000 /* and their browser to send its request */
#define CALL_MS 60000
#define REQUEST_MAX 16384
#define NONCE_LEN 20
#define CALLBACK "/oidc/callback"

static unsigned port = PORT;
static bool person_for_tests;

void vault_login_test_oidc(unsigned listen_port, bool person)
{
	port = listen_port != 0 ? listen_port : PORT;
	person_for_tests = person;
}

static enum seal_status check(const struct vault_options *options, struct seal_err *err)
{
	return SEAL_OK;
}

static enum seal_status open_listener(int *out, struct seal_err *err)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 8) != 0) {
		enum seal_status rc = err_set_errno(err, SEAL_USAGE, SEAL_E_CONFIG, errno,
						    "cannot wait for the browser at 127.0.0.1:%u", port);

		if (fd >= 0)
			close(fd);
		return rc;
	}
	*out = fd;
	return SEAL_OK;
}

/* The value of a parameter of `query`, as it stands there; ptr NULL when there is none. */
static struct seal_bytes parameter(struct seal_bytes query, const char *name)
{
	while (query.len > 0) {
		const uint8_t *end = memchr(query.ptr, '&', query.len);
		struct seal_bytes part = bytes_of(query.ptr, end != NULL ? (size_t)(end - query.ptr) : query.len);

		if (bytes_starts(part, bytes_str(name)) && part.len > strlen(name) && part.ptr[strlen(name)] == '=')
			return bytes_skip(part, strlen(name) + 1);
		query = bytes_skip(query, part.len + 1);
	}
	return BYTES_EMPTY;
}

/* Nothing but what a value in a query may hold, so that it can be passed on as it is. */
static bool is_plain(struct seal_bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];

		if (c <= ' ' || c >= 0x7f || strchr("&=?#\"<>\\", c) != NULL)
			return false;
	}
	return text.len > 0;
}

/* Asks for the provider's address; its state goes into `state`. */
static enum seal_status ask_address(const struct vault_login *login, const char *nonce, struct seal_buf *url,
				    struct seal_buf *state, struct seal_err *err)
{
	struct seal_buf path = BUF_INIT(4096);
	json_t *body = NULL, *answer = NULL;
	char redirect[64];
	const char *text, *query;
	enum seal_status rc;

	snprintf(redirect, sizeof(redirect), "http://localhost:%u" CALLBACK, port);
	SEAL_TRY(login_path(login->options, "oidc", "oidc/auth_url", NULL, &path, err));
	SEAL_TRY(buf_append_u8(&path, 0, err));
	SEAL_TRY(login_body(&body, err));
	SEAL_TRY(login_add(body, "role", login->options->role, err));
	SEAL_TRY(login_add(body, "redirect_uri", redirect, err));
	SEAL_TRY(login_add(body, "client_nonce", nonce, err));
	SEAL_TRY(
		vault_ask_login(login->worker, (const char *)path.ptr, body, NULL, login->deadline_ms, &answer, err));
	text = json_string_value(json_object_get(json_object_get(answer, "data"), "auth_url"));
	query = text != NULL ? strchr(text, '?') : NULL;
	if (text == NULL || text[0] == '\0') {
		rc = err_set(err, SEAL_DENIED, SEAL_E_CONFIG,
			     "the server gives no address for the browser: there is no such role, or its "
			     "allowed_redirect_uris has no %s",
			     redirect);
		goto out;
	}
	SEAL_TRY(secret_token_check(text, "the address for the browser", err));
	if (query == NULL || !is_plain(parameter(bytes_str(query + 1), "state")) ||
	    !is_plain(parameter(bytes_str(query + 1), "nonce"))) {
		rc = err_set(err, SEAL_DENIED, SEAL_E_SERVICE,
			     "the address for the browser has no state or no nonce");
		goto out;
	}
	SEAL_TRY(buf_append(state, parameter(bytes_str(query + 1), "state"), err));
	SEAL_TRY(buf_append_str(url, text, err));
out:
	buf_clear(&path);
	vault_json_free(body);
	vault_json_free(answer);
	return rc;
}

static void reply(int fd, const char *status, const char *text)
{
	char page[512];

	snprintf(page, sizeof(page),
		 "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
		 "Content-Length: %zu\r\nConnection: close\r\n\r\n%s\n",
		 status, strlen(text) + 1, text);
	(void)!send(fd, page, strlen(page), MSG_NOSIGNAL);
}

/* The head of a request, up to its empty line; false when none comes in time. */
static bool read_head(int fd, struct seal_buf *head)
{
	uint64_t end_ms = clock_mono_ms() + BROWSER_MS;

	for (;;) {
		uint64_t now = clock_mono_ms();
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		uint8_t block[2048];
		ssize_t n;

		if (now >= end_ms || poll(&wait, 1, (int)(end_ms - now)) <= 0)
			return false;
		n = recv(fd, block, sizeof(block), 0);
		if (n <= 0 || buf_append(head, bytes_of(block, (size_t)n), NULL) != SEAL_OK)
			return false;
		if (memmem(head->ptr, head->len, "\r\n\r\n", 4) != NULL)
			return true;
	}
}

/* The query of `GET /oidc/callback?… HTTP/1.1`; ptr NULL when it is another request. */
static struct seal_bytes callback_query(struct seal_bytes head)
{
	struct seal_bytes start = BYTES_LIT("GET " CALLBACK "?");
	const uint8_t *end;

	if (!bytes_starts(head, start))
		return BYTES_EMPTY;
	head = bytes_skip(head, start.len);
	end = head.len > 0 ? memchr(head.ptr, ' ', head.len) : NULL;
	return end != NULL ? bytes_of(head.ptr, (size_t)(end - head.ptr)) : BYTES_EMPTY;
}

enum outcome { OUTCOME_NONE, OUTCOME_CODE, OUTCOME_ERROR };

/* What one connection brings: the code, the provider's refusal, or nothing that concerns us. */
static enum outcome take(int fd, struct seal_bytes state, struct seal_buf *code, struct seal_err *err)
{
	struct seal_buf head = BUF_INIT(REQUEST_MAX);
	enum outcome outcome = OUTCOME_NONE;
	struct seal_bytes query, given, error, text;

	if (!read_head(fd, &head))
		goto out;
	query = callback_query(buf_bytes(&head));
	given = parameter(query, "state");
	error = parameter(query, "error");
	text = parameter(query, "code");
	if (query.ptr == NULL) {
		reply(fd, "404 Not Found", "Nothing is here.");
	} else if (given.len != state.len || !ct_equal(given.ptr, state.ptr, state.len)) {
		reply(fd, "400 Bad Request", "This login was not started here. Use the address in the terminal.");
	} else if (is_plain(error)) {
		reply(fd, "200 OK", "The login was refused. See the terminal.");
		err_set(err, SEAL_DENIED, SEAL_E_DENIED, "the identity provider refuses: %.*s", BYTES_FMT(error));
		outcome = OUTCOME_ERROR;
	} else if (is_plain(text) && buf_append(code, text, NULL) == SEAL_OK) {
		reply(fd, "200 OK", "Logged in to the provider. This window can be closed.");
		outcome = OUTCOME_CODE;
	} else {
		reply(fd, "400 Bad Request", "There is no code in this request.");
	}
out:
	buf_clear(&head);
	return outcome;
}

static enum seal_status wait_for_code(int listener, struct seal_bytes state, struct seal_buf *code,
				      struct seal_err *err)
{
	uint64_t end_ms = clock_mono_ms() + PERSON_MS;
	enum outcome outcome = OUTCOME_NONE;

	while (outcome == OUTCOME_NONE) {
		uint64_t now = clock_mono_ms();
		struct pollfd wait = {.fd = listener, .events = POLLIN};
		int ready = now < end_ms ? poll(&wait, 1, (int)(end_ms - now)) : 0, fd;

		if (ready == 0)
			return err_set(err, SEAL_DENIED, SEAL_E_TIMEOUT, "nobody logged in within %d minutes",
				       PERSON_MS / 60000);
		if (ready < 0)
			return err_set(err, SEAL_DENIED, SEAL_E_DENIED,
				       "the waiting for the browser was interrupted");
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		outcome = take(fd, state, code, err);
		close(fd);
	}
	return outcome == OUTCOME_CODE ? SEAL_OK : SEAL_DENIED;
}

static enum seal_status trade_code(const struct vault_login *login, struct seal_bytes state, struct seal_bytes code,
				   const char *nonce, struct vault_auth *out, struct seal_err *err)
{
	struct seal_buf path = BUF_INIT(2 * REQUEST_MAX);
	json_t *answer = NULL;
	enum seal_status rc;

	SEAL_TRY(login_path(login->options, "oidc", "oidc/callback", NULL, &path, err));
	SEAL_TRY(buf_append_str(&path, "?state=", err));
	SEAL_TRY(buf_append(&path, state, err));
	SEAL_TRY(buf_append_str(&path, "&code=", err));
	SEAL_TRY(buf_append(&path, code, err));
	SEAL_TRY(buf_append_str(&path, "&client_nonce=", err));
	SEAL_TRY(buf_append_str(&path, nonce, err));
	SEAL_TRY(buf_append_u8(&path, 0, err));
	SEAL_TRY(vault_ask_login(login->worker, (const char *)path.ptr, NULL, NULL, clock_mono_ms() + CALL_MS,
				 &answer, err));
	SEAL_TRY(login_auth(answer, out, err));
out:
	buf_clear(&path);
	vault_json_free(answer);
	return rc;
}

static enum seal_status say_address(const struct seal_buf *url, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(file_write_all(STDERR_FILENO, BYTES_LIT("To log in, open this address in a browser:\n\n    "),
				"stderr", err));
	SEAL_TRY(file_write_all(STDERR_FILENO, buf_bytes(url), "stderr", err));
	SEAL_TRY(file_write_all(STDERR_FILENO, BYTES_LIT("\n\n"), "stderr", err));
out:
	return rc;
}

static enum seal_status login_once(const struct vault_login *login, struct vault_auth *out, struct seal_err *err)
{
	struct seal_buf url = BUF_INIT(REQUEST_MAX), state = BUF_INIT(REQUEST_MAX), code = BUF_INIT(REQUEST_MAX);
	char nonce[2 * NONCE_LEN + 1] = "";
	uint8_t raw[NONCE_LEN];
	int listener = -1;
	enum seal_status rc;

	if (!person_for_tests && !isatty(STDERR_FILENO))
		return err_set(
			err, SEAL_USAGE, SEAL_E_CONFIG,
			"it needs a person with a browser, and stderr is no terminal; choose another --vault-auth");
	SEAL_TRY(random_bytes(raw, sizeof(raw), err));
	hex_encode(bytes_of(raw, sizeof(raw)), nonce);
	SEAL_TRY(open_listener(&listener, err));
	SEAL_TRY(ask_address(login, nonce, &url, &state, err));
	SEAL_TRY(say_address(&url, err));
	SEAL_TRY(wait_for_code(listener, buf_bytes(&state), &code, err));
	SEAL_TRY(trade_code(login, buf_bytes(&state), buf_bytes(&code), nonce, out, err));
out:
	if (listener >= 0)
		close(listener);
	buf_clear(&url);
	buf_clear(&state);
	buf_clear(&code);
	return rc;
}

const struct vault_login_ops vault_login_oidc = {
	.name = "oidc",
	.remedy = "check --vault-role and its allowed_redirect_uris, and start again",
	.check = check,
	.login = login_once,
	.again = false,
};

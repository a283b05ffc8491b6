/* vault: what fails, whose fault it is, and what is done about it: items, answers, statuses, tokens, redirects. */
#include "keys/admin.h"
#include "vault_check.h"

/* ---- items that fail ---- */

static void bad_items(void **state)
{
	static const char *const plain[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
	struct key_item items[8];
	struct key_session *session;
	struct vault_fixture f;
	struct seal_bytes old;
	struct key *key;
	char moved[100], future[100];

	fixture_open(&f);
	session = fixture_session(&f, "transit/pii", &key);
	put_items(items, 8, plain, "place");
	VOK(&f, session->ops->encrypt(session, items, 8, &f.call, &f.err));
	old = items[1].out;
	f.server.latest = 3;
	f.server.min_decryption = 2;
	VOK(&f, session->ops->encrypt(session, items, 8, &f.call, &f.err));
	for (int i = 0; i < 8; i++)
		items[i].in = items[i].out;
	snprintf(moved, sizeof(moved), "%.*s", BYTES_FMT(items[0].in));
	snprintf(future, sizeof(future), "vault:v9%s", moved + 8);
	items[1].in = old;
	items[2].in = text(moved);
	items[2].aad = text("another place");
	items[3].in = text(future);
	items[4].in = text("plain text");
	items[5].in = text("vault:v1:AAAA");
	items[6].in = text("vault:v01:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	VOK(&f, session->ops->decrypt(session, items, 8, &f.call, &f.err));
	assert_true(items[0].err == NULL && bytes_eq_str(items[0].out, "a"));
	assert_true(items[7].err == NULL && bytes_eq_str(items[7].out, "h"));
	assert_failed(&items[1], SEAL_E_KEY_MINIMUM, "version 1 of key transit/pii is below its minimum");
	assert_failed(&items[2], SEAL_E_TAMPERED, "does not authenticate under key transit/pii");
	assert_failed(&items[3], SEAL_E_KEY_VERSION, "has no version 9 on this server");
	assert_failed(&items[4], SEAL_E_PLAINTEXT, "does not begin with vault:v");
	assert_failed(&items[5], SEAL_E_TAMPERED, "damaged");
	assert_failed(&items[6], SEAL_E_TAMPERED, "damaged");
	fixture_end(session, key);
	fixture_close(&f);
}

/* Texts that are damaged never reach the server. */
static void damaged_texts(void **state)
{
	static const char *const bad[] = {"",
					  "vault:",
					  "vault:v",
					  "vault:v1",
					  "vault:v1:",
					  "vault:v0:AAAA",
					  "vault:v-1:AA==",
					  "vault:v99999999999:AAAA",
					  "vault:v1:!!!!",
					  "vault:v1:AAA",
					  "vault:v1:-_-_",
					  "VAULT:v1:AAAA",
					  "vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
	enum { N = sizeof(bad) / sizeof(bad[0]) };
	struct key_item items[N];
	struct key_session *session;
	struct vault_fixture f;
	struct key *key;

	fixture_open(&f);
	session = fixture_session(&f, "transit/pii", &key);
	put_items(items, N, bad, "");
	VOK(&f, session->ops->decrypt(session, items, N, &f.call, &f.err));
	assert_int_equal(f.server.posts, 0);
	for (size_t i = 0; i < N; i++)
		assert_true(items[i].err != NULL && items[i].err->status == SEAL_DATA);
	VOK(&f, session->ops->rewrap(session, items, N, &f.call, &f.err));
	assert_int_equal(f.server.posts, 0);
	for (size_t i = 0; i < N; i++)
		assert_true(items[i].err != NULL && items[i].out.len == 0);
	fixture_end(session, key);
	fixture_close(&f);
}

/* What one item's error in a batch does, by its text. */
static void item_errors(void **state)
{
	static const struct {
		const char *said;
		enum seal_status status;
		enum seal_code code;
		const char *part;
	} rows[] = {
		{"invalid ciphertext length", SEAL_OK, SEAL_E_SYNTAX, "damaged"},
		{"chacha20poly1305: message authentication failed", SEAL_OK, SEAL_E_TAMPERED, "authenticate"},
		{"no such key version", SEAL_OK, SEAL_E_KEY_VERSION, "not on the server any more"},
		{"internal error", SEAL_RETRY, SEAL_E_SERVICE,
		 "could not do one value of POST transit/decrypt/pii: "
		 "\"internal error\""},
		{"context deadline exceeded", SEAL_RETRY, SEAL_E_SERVICE, "context deadline exceeded"},
		{"a text of tomorrow", SEAL_RETRY, SEAL_E_SERVICE, "a text of tomorrow"},
		{"encryption key not found", SEAL_USAGE, SEAL_E_KEY_UNKNOWN, "is gone from"},
		{"refusing to use soft-deleted key", SEAL_DENIED, SEAL_E_DENIED, "soft-deleted"},
		{"message decryption not supported for key type hmac", SEAL_USAGE, SEAL_E_KEY_TYPE, "cannot do this"},
		{"missing 'context' for key derivation; the key", SEAL_USAGE, SEAL_E_KEY_TYPE, "is derived"},
	};
	static const char *const plain[] = {"good", "spoilt", "good too"};
	struct key_item items[3], opened[3];
	struct key_session *session;
	struct vault_fixture f;
	struct key *key;

	fixture_open(&f);
	session = fixture_session(&f, "transit/pii", &key);
	put_items(items, 3, plain, "place");
	VOK(&f, session->ops->encrypt(session, items, 3, &f.call, &f.err));
	f.server.spoil = "spoilt";
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		f.server.spoil_text = rows[i].said;
		for (int k = 0; k < 3; k++)
			opened[k] = (struct key_item){.in = items[k].out, .aad = text("place")};
		err_clear(&f.err);
		assert_int_equal(session->ops->decrypt(session, opened, 3, &f.call, &f.err), rows[i].status);
		if (rows[i].status == SEAL_OK) {
			assert_failed(&opened[1], rows[i].code, rows[i].part);
			assert_true(bytes_eq_str(opened[0].out, "good") && bytes_eq_str(opened[2].out, "good too"));
			continue;
		}
		assert_err(&f, rows[i].status, rows[i].code, rows[i].part);
		for (int k = 0; k < 3; k++)
			assert_int_equal(opened[k].out.len, 0);
	}
	fixture_end(session, key);
	fixture_close(&f);
}

/* One item costs the whole request: it is found by halves, and fails alone. */
static void poisoned(void **state)
{
	static const char *const texts[] = {"something no one has heard of",
					    "failed to parse batch input: '[3].plaintext' x"};
	struct key_item items[300];
	struct key_session *session;
	struct vault_fixture f;
	struct key *key;

	fixture_open(&f);
	session = fixture_session(&f, "transit/pii", &key);
	f.server.poison = "poison";
	for (unsigned k = 0; k < 2; k++) {
		f.server.poison_text = texts[k];
		f.server.poison_status = k == 0 ? 400 : 500;
		for (int i = 0; i < 300; i++)
			items[i] = (struct key_item){.in = text(i == 7 || i == 211 ? "poison" : "fine")};
		f.server.posts = 0;
		VOK(&f, session->ops->encrypt(session, items, 300, &f.call, &f.err));
		assert_true(f.server.posts < 40);
		for (int i = 0; i < 300; i++) {
			if (i == 7 || i == 211)
				assert_failed(&items[i], SEAL_E_SERVICE, texts[k]);
			else
				assert_true(items[i].err == NULL && items[i].out.len > 0);
		}
	}
	/* Where nothing else is answered nobody can tell, and no record is called bad. */
	assert_int_equal(encrypt_one(&f, session, "poison", &items[0]), SEAL_USAGE);
	f.server.poison_status = 400;
	assert_int_equal(encrypt_one(&f, session, "poison", &items[0]), SEAL_USAGE);
	assert_err(&f, SEAL_USAGE, SEAL_E_SERVICE, "refuses POST transit/encrypt/pii (400): \"failed to parse");
	for (int i = 0; i < 300; i++)
		items[i] = (struct key_item){.in = text("poison")};
	f.server.posts = 0;
	err_clear(&f.err);
	assert_int_equal(session->ops->encrypt(session, items, 300, &f.call, &f.err), SEAL_USAGE);
	assert_true(f.server.posts < 60); /* given up before all are asked one by one */
	fixture_end(session, key);
	fixture_close(&f);
}

/* ---- answers that are not Transit's ---- */

static void nonsense(void **state)
{
	static const char *const encrypt[] = {
		"<html></html>",
		"",
		"{}",
		"{\"data\":null}",
		"{\"data\":{\"batch_results\":[]}}",
		"{\"data\":{\"batch_results\":[{}]}}",
		"{\"data\":{\"batch_results\":[1]}}",
		"{\"data\":{\"batch_results\":[{\"ciphertext\":1}]}}",
		"{\"data\":{\"batch_results\":[{\"ciphertext\":null}]}}",
		"{\"data\":{\"batch_results\":[{\"ciphertext\":\"\"}]}}",
		"{\"data\":{\"batch_results\":[{\"ciphertext\":\"plaintext\"}]}}",
		"{\"data\":{\"batch_results\":[{\"ciphertext\":\"vault:v1:AAAA\"}]}}",
		/* whole, but of another length */
		("{\"data\":{\"batch_results\":[{\"ciphertext\":\"vault:v1:"
		 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}}"),
		"{\"data\":{\"batch_results\":[{\"ciphertext\":\"\\ud800\"}]}}",
		"{\"data\":{\"batch_results\":[{\"ciphertext\":\"a\",\"ciphertext\":\"b\"}]}}",
		"{\"data\":{\"batch_results\":[{\"error\":\"x\"},{\"error\":\"y\"}]}}",
		"{\"data\":{\"batch_results\":{\"0\":1}}}",
	};
	struct key_session *session;
	struct vault_fixture f;
	struct key_item item;
	struct key *key;

	fixture_open(&f);
	session = fixture_session(&f, "transit/pii", &key);
	f.server.hook = say;
	for (size_t i = 0; i < sizeof(encrypt) / sizeof(encrypt[0]); i++) {
		f.server.arg = (void *)(uintptr_t)encrypt[i];
		if (encrypt_one(&f, session, "abc", &item) != SEAL_RETRY)
			fail_msg("%s", encrypt[i]);
		assert_err(&f, SEAL_RETRY, SEAL_E_SERVICE, "not what Vault gives");
		assert_true(item.out.len == 0);
	}
	f.server.arg = (char[]){"{\"data\":{\"batch_results\":[{\"plaintext\":\"!!\"}]}}"};
	item = (struct key_item){.in = text("vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")};
	err_clear(&f.err);
	assert_int_equal(session->ops->decrypt(session, &item, 1, &f.call, &f.err), SEAL_RETRY);
	assert_err(&f, SEAL_RETRY, SEAL_E_SERVICE, "not base64");
	fixture_end(session, key);
	fixture_close(&f);
}

/* ---- statuses ---- */

/* No text that a server can say of plaintext makes a bad record of it. */
static void encryption_blames_no_item(void **state)
{
	static const char *const said[] = {"cipher: message authentication failed", "invalid ciphertext: no prefix",
					   "no such key version"};
	char body[200];
	struct key_session *session;
	struct vault_fixture f;
	struct key_item item;
	struct key *key;

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		fixture_open(&f);
		session = fixture_session(&f, "transit/pii", &key);
		snprintf(body, sizeof(body), "{\"data\":{\"batch_results\":[{\"error\":\"%s\"}]}}", said[i]);
		f.server.hook = say;
		f.server.arg = body;
		assert_int_equal(encrypt_one(&f, session, "abc", &item), SEAL_RETRY);
		assert_err(&f, SEAL_RETRY, SEAL_E_SERVICE, said[i]);
		fixture_end(session, key);
		fixture_close(&f);
	}
}

/* A good answer but for its length: a tree of as much text may take gigabytes. */
static bool say_too_much(struct server *s, const struct server_request *request, struct server_reply *reply)
{
	static const char good[] = "{\"data\":{\"type\":\"aes256-gcm96\",\"latest_version\":1,"
				   "\"min_decryption_version\":1,\"min_encryption_version\":0}}";
	const size_t len = (8u << 20) + 2;

	reply->body = malloc(len);
	assert_non_null(reply->body);
	memset(reply->body, ' ', len);
	memcpy(reply->body, good, sizeof(good) - 1);
	reply->body[len - 1] = '\0';
	return true;
}

static void control_answers_are_bounded(void **state)
{
	struct vault_fixture f;
	struct key *key;

	fixture_open(&f);
	f.server.hook = say_too_much;
	assert_int_equal(vault_source.key(f.source, text("transit/pii"), &key, &f.err), SEAL_RETRY);
	assert_err(&f, SEAL_RETRY, SEAL_E_SERVICE, "it is far too large");
	fixture_close(&f);
}

static bool answer_row_to_lists(struct server *s, const struct server_request *request, struct server_reply *reply)
{
	return strstr(request->path, "list=true") != NULL && answer_row_to_all(s, request, reply);
}

/* What is no list is not taken for an empty one: the demo takes an empty mount away. */
static void no_list_is_not_empty(void **state)
{
	static const struct status_row rows[] = {
		{404, NULL, SEAL_OK, SEAL_E_NONE, ""},
		{404, "<html>Not Found</html>", SEAL_RETRY, SEAL_E_SERVICE, "no list"},
		{200, "<html>Welcome</html>", SEAL_RETRY, SEAL_E_SERVICE, "no list"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const *names;
		struct vault_fixture f;
		struct key_admin on;
		size_t n = 7;

		fixture_open(&f);
		f.server.hook = answer_row_to_lists;
		f.server.arg = (void *)(uintptr_t)&rows[i];
		on = (struct key_admin){
			.source = f.source, .arena = &f.arena, .deadline_ms = clock_mono_ms() + 120000};
		assert_int_equal(vault_source.admin->list(&on, text("transit"), &names, &n, &f.err), rows[i].status);
		assert_int_equal(n, 0);
		if (rows[i].status != SEAL_OK)
			assert_err(&f, rows[i].status, rows[i].why, rows[i].part);
		fixture_close(&f);
	}
}

static void statuses(void **state)
{
	static const struct status_row rows[] = {
		{403, "1 error occurred:\n\t* permission denied\n\n", SEAL_DENIED, SEAL_E_DENIED, LINE},
		{403, "another word", SEAL_DENIED, SEAL_E_DENIED, "pii: \"another word\": the token of "},
		{404, NULL, SEAL_USAGE, SEAL_E_KEY_UNKNOWN, "has nothing at transit/encrypt/pii"},
		{404, "no handler for route \"x\"", SEAL_USAGE, SEAL_E_KEY_UNKNOWN, "nothing is mounted"},
		{404, "<html>Not Found</html>", SEAL_RETRY, SEAL_E_SERVICE, "is a proxy in between?"},
		{405, "1 error occurred:\n\t* unsupported operation\n\n", SEAL_USAGE, SEAL_E_SERVICE,
		 "(405): \"unsupported operation\""},
		{412, "required index state not present", SEAL_RETRY, SEAL_E_BUSY, "not caught up"},
		{412, "missing \"X-Vault-Request\" header", SEAL_USAGE, SEAL_E_SERVICE, "(412)"},
		{429, "request path \"transit/encrypt/pii\": rate limit quota exceeded", SEAL_RETRY, SEAL_E_BUSY,
		 "throttles POST transit/encrypt/pii: \"request path"},
		{472, NULL, SEAL_RETRY, SEAL_E_SERVICE, "disaster-recovery secondary"},
		{500, "1 error occurred:\n\t* internal error\n\n", SEAL_RETRY, SEAL_E_SERVICE,
		 "has trouble of its own"},
		/* the server's own storage and barrier, in words that an item's error has, too */
		{500, "1 error occurred:\n\t* pq: password authentication failed for user \"vault\"\n\n", SEAL_RETRY,
		 SEAL_E_SERVICE, "has trouble of its own"},
		{500, "failed to read policy: cipher: message authentication failed", SEAL_RETRY, SEAL_E_SERVICE,
		 "has trouble of its own"},
		{501, NULL, SEAL_RETRY, SEAL_E_SERVICE, "is not initialised"},
		{502, "<html>Bad Gateway</html>", SEAL_RETRY, SEAL_E_SERVICE, "not reached by the gateway"},
		{503, "Vault is sealed", SEAL_RETRY, SEAL_E_SERVICE, "is sealed"},
		{503, "Vault is in standby mode", SEAL_RETRY, SEAL_E_SERVICE, "is a standby"},
		{503, NULL, SEAL_RETRY, SEAL_E_SERVICE, "overloaded"},
		{400, "Client sent an HTTP request to an HTTPS server.\n", SEAL_USAGE, SEAL_E_CONFIG,
		 "with https://"},
		{400, "<html>Bad Request</html>", SEAL_USAGE, SEAL_E_SERVICE, "is a proxy in between?"},
		{400, "encryption key not found", SEAL_USAGE, SEAL_E_KEY_UNKNOWN, "was there at start"},
		{418, NULL, SEAL_USAGE, SEAL_E_SERVICE, "(418)"},
		{307, NULL, SEAL_USAGE, SEAL_E_CONFIG, "cannot be followed"},
	};
	struct key_session *session;
	struct vault_fixture f;
	struct key_item item;
	struct key *key;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fixture_open(&f); /* anew: the breaker opens */
		session = fixture_session(&f, "transit/pii", &key);
		f.server.hook = answer_row;
		f.server.arg = (void *)(uintptr_t)&rows[i];
		assert_int_equal(encrypt_one(&f, session, "abc", &item), rows[i].status);
		assert_err(&f, rows[i].status, rows[i].why, rows[i].part);
		assert_non_null(strstr(f.err.text, f.addr));
		assert_null(strstr(f.err.text, SERVER_TOKEN));
		fixture_end(session, key);
		fixture_close(&f);
	}
}

static void away(void **state)
{
	struct key_session *session;
	struct vault_fixture f;
	struct key_item item;
	uint64_t start_ms;
	struct key *key;

	fixture_open(&f);
	session = fixture_session(&f, "transit/pii", &key);
	atomic_store(&f.server.stall_ms, 600000);
	start_ms = clock_mono_ms();
	f.call.deadline_ms = start_ms + 200;
	assert_int_equal(encrypt_one(&f, session, "abc", &item), SEAL_RETRY);
	assert_int_equal(f.err.code, SEAL_E_TIMEOUT);
	assert_true(clock_mono_ms() - start_ms < 120000);
	f.call.deadline_ms = clock_mono_ms() + 60000;
	atomic_store(&f.server.stall_ms, 0);
	VOK(&f, encrypt_one(&f, session, "abc", &item));
	fixture_end(session, key);
	fixture_close(&f);
}

/* A lot of many requests takes longer than the deadline: each answer gives as long again. */
static void slow_but_working(void **state)
{
	struct key_session *session;
	struct key_item items[40] = {{.in = BYTES_EMPTY}};
	struct vault_fixture f;
	uint64_t start_ms;
	struct key *key;

	fixture_start(&f);
	f.options.batch = 1;
	VOK(&f, vault_source.open(&f.config, &f.source, &f.err));
	session = fixture_session(&f, "transit/pii", &key);
	for (size_t i = 0; i < 40; i++)
		items[i].in = text("abc");
	atomic_store(&f.server.stall_ms, 500);
	start_ms = clock_mono_ms();
	f.call.deadline_ms = start_ms + 8000;
	VOK(&f, session->ops->encrypt(session, items, 40, &f.call, &f.err));
	assert_true(clock_mono_ms() - start_ms > 8300); /* 20 times half a second */
	for (size_t i = 0; i < 40; i++)
		assert_true(items[i].err == NULL && items[i].out.len > 0);
	fixture_end(session, key);
	fixture_close(&f);
}

/* ---- who calls ---- */

static void prefix_and_namespace(void **state)
{
	struct vault_fixture f;
	struct key *key = NULL;

	fixture_start(&f);
	snprintf(f.addr, sizeof(f.addr), "http://127.0.0.1:%d/gate/way/", f.server.port);
	f.options.namespace_ = "team/eu";
	VOK(&f, vault_source.open(&f.config, &f.source, &f.err));
	assert_int_equal(vault_source.key(f.source, text("transit/pii"), &key, &f.err), SEAL_USAGE);
	assert_string_equal(f.server.last_path, "/gate/way/v1/transit/keys/pii");
	assert_string_equal(f.server.last_space, "team/eu");
	fixture_close(&f);
}

static void new_token(void **state)
{
	struct key_session *session;
	struct vault_fixture f;
	struct key_item item;
	struct key *key;
	unsigned before;

	fixture_open(&f);
	session = fixture_session(&f, "transit/pii", &key);
	fixture_token(&f, "better");
	f.server.token = "better";
	VOK(&f, encrypt_one(&f, session, "abc", &item));
	assert_null(item.err);
	/* One that has ended and has no other: the call says so, and does not try for ever. */
	f.server.token = "best";
	before = f.server.requests;
	assert_int_equal(encrypt_one(&f, session, "abc", &item), SEAL_DENIED);
	assert_true(f.server.requests - before <= 3);
	assert_err(&f, SEAL_DENIED, SEAL_E_DENIED, "has ended, was revoked");
	assert_null(strstr(f.err.text, LINE)); /* no matter of a policy */
	fixture_end(session, key);
	fixture_close(&f);
}

/* The token changes while the call is with the server, as often as `arg` says. */
struct restless {
	struct vault_fixture *f;
	unsigned changes, changed;
};

static bool change_token(struct server *s, const struct server_request *request, struct server_reply *reply)
{
	static const char *const tokens[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
	static unsigned next;
	struct restless *restless = s->arg;

	if (strcmp(request->method, "POST") != 0 || restless->changed == restless->changes)
		return false;
	restless->changed++;
	s->token = tokens[next++];
	fixture_token(restless->f, s->token);
	server_fail(reply, 403, "permission denied");
	return true;
}

static void new_token_upon_new_token(void **state)
{
	struct key_session *session;
	struct vault_fixture f;
	struct key_item item;
	struct key *key;

	fixture_open(&f);
	session = fixture_session(&f, "transit/pii", &key);
	f.server.hook = change_token;
	for (unsigned changes = 1; changes <= 3; changes++) {
		f.server.arg = &(struct restless){&f, changes, 0};
		VOK(&f, encrypt_one(&f, session, "abc", &item));
		assert_null(item.err);
	}
	f.server.arg = &(struct restless){&f, 4, 0}; /* that is no rotation any more */
	assert_int_equal(encrypt_one(&f, session, "abc", &item), SEAL_DENIED);
	fixture_end(session, key);
	fixture_close(&f);
}

/* In the middle of a lot: what is under way is refused, logged in once, and nothing is lost. */
static void new_token_in_a_lot(void **state)
{
	struct seal_bytes texts[MANY];
	struct key_session *session;
	struct vault_fixture f;
	struct key *key;

	fixture_start(&f);
	f.options.connections = 8;
	VOK(&f, vault_source.open(&f.config, &f.source, &f.err));
	session = fixture_session(&f, "transit/pii", &key);
	for (int i = 0; i < 4; i++) {
		f.server.token = i % 2 == 0 ? "even" : "odd";
		fixture_token(&f, f.server.token);
		round_trip(&f, session, texts);
	}
	fixture_end(session, key);
	fixture_close(&f);
}

/* ---- redirects ---- */

static bool redirect(struct server *s, const struct server_request *request, struct server_reply *reply)
{
	const char *to = s->arg;

	if (strcmp(request->method, "POST") != 0)
		return false;
	reply->status = 307;
	snprintf(reply->location, sizeof(reply->location), "%s%s", to,
		 strchr(to, '/') == strrchr(to, '/') - 1 ? request->path : "");
	return true;
}

static void where_redirects_may_lead(void **state)
{
	static const struct {
		const char *from, *location, *base; /* base NULL: not followed */
	} rows[] = {
		{"https://a:8200", "https://b:8200/v1/transit/encrypt/k", "https://b:8200"},
		{"http://a:8200", "https://b/v1/transit/encrypt/k", "https://b"},
		{"http://a:8200", "http://b/gate/v1/transit/encrypt/k", "http://b/gate"},
		{"https://a:8200", "http://b:8200/v1/transit/encrypt/k", NULL},
		{"https://a:8200", "HTTP://b:8200/v1/transit/encrypt/k", NULL},
		{"https://a:8200", "/v1/transit/encrypt/k", NULL},
		{"https://a:8200", "", NULL},
		{"https://a:8200", "https://b:8200/v1/transit/encrypt/k2", NULL},
		{"https://a:8200", "https://b:8200/v1/transit/encrypt/k?x=1", NULL},
		{"https://a:8200", "https://b:8200/ui/", NULL},
		{"https://a:8200", "https://user@b/v1/transit/encrypt/k", NULL},
		{"https://a:8200", "https://b?/v1/transit/encrypt/k", NULL},
		{"https://a:8200", "https://b#/v1/transit/encrypt/k", NULL},
		{"http://a:8200", "ftp://b/v1/transit/encrypt/k", NULL},
	};
	char base[CLIENT_BASE_MAX], longest[400];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const bool may = client_may_follow(rows[i].from, "/v1/transit/encrypt/k", rows[i].location, base);

		if (may != (rows[i].base != NULL) || (may && strcmp(base, rows[i].base) != 0))
			fail_msg("%s", rows[i].location);
	}
	snprintf(longest, sizeof(longest), "https://%0300d/v1/x", 1);
	assert_false(client_may_follow("https://a", "/v1/x", longest, base));
}

/* What is worth another try, by status and by what the body says. */
static void retries(void **state)
{
	static const struct {
		unsigned status;
		const char *body;
		bool again;
	} rows[] = {
		{200, "", false},
		{400, "{\"errors\":[\"x\"]}", false},
		{403, "", false},
		{404, "", false},
		{412, "{\"errors\":[\"required index state not present\"]}", true},
		{412, "", true},
		{412, "{\"errors\":[\"missing \\\"X-Vault-Request\\\" header\"]}", false},
		{413, "", false},
		{429, "", true},
		{500, "{\"errors\":[\"internal error\"]}", true},
		{500, "", true},
		{500, "{\"errors\":[\"failed to parse batch input: '[1].plaintext' missing\"]}", false},
		{500, "{\"data\":{\"batch_results\":[{\"error\":\"x\"}]}}", false},
		{500, "{\"errors\":[\"invalid secret id\"]}", false},
		{500, "{\"errors\":[\"ldap operation failed: failed to bind as user\"]}", false},
		{501, "", false},
		{502, "", true},
		{503, "{\"errors\":[\"Vault is sealed\"]}", true},
		{504, "", true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (vault_worth_retrying(rows[i].status, text(rows[i].body)) != rows[i].again)
			fail_msg("%u %s", rows[i].status, rows[i].body);
}

static void redirects(void **state)
{
	static const char *const bad[] = {"ftp://127.0.0.1:1", "//127.0.0.1:1", "http://x@127.0.0.1:1",
					  "http://127.0.0.1:1/v1/sys/seal",
					  "http://127.0.0.1:1/v1/transit/encrypt/other"};
	struct vault_fixture f, other;
	struct seal_bytes texts[MANY];
	struct key_session *session;
	struct key_item item;
	char to[100];
	struct key *key;

	fixture_open(&f);
	fixture_open(&other);
	session = fixture_session(&f, "transit/pii", &key);
	snprintf(to, sizeof(to), "http://127.0.0.1:%d", other.server.port);
	f.server.hook = redirect;
	f.server.arg = to;
	round_trip(&f, session, texts);
	assert_int_equal(other.server.posts, 2 * MANY / 100);
	assert_int_equal(f.server.posts, 0);
	/* Only once; while two standbys send callers to each other, one of them is about to become the active node. */
	other.server.hook = redirect;
	other.server.arg = f.addr;
	assert_int_equal(encrypt_one(&f, session, "abc", &item), SEAL_RETRY);
	assert_err(&f, SEAL_RETRY, SEAL_E_SERVICE, "there is no active node yet");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		f.server.arg = (void *)(uintptr_t)bad[i];
		if (encrypt_one(&f, session, "abc", &item) != SEAL_USAGE)
			fail_msg("%s: %s", bad[i], f.err.text);
		assert_int_equal(f.err.code, SEAL_E_CONFIG);
	}
	fixture_end(session, key);
	fixture_close(&other);
	fixture_close(&f);
}

/* VAULT_DISABLE_REDIRECTS */
static void forbidden_redirects(void **state)
{
	struct key_session *session;
	struct vault_fixture f;
	struct key_item item;
	struct key *key;

	fixture_start(&f);
	f.options.no_redirects = true;
	VOK(&f, vault_source.open(&f.config, &f.source, &f.err));
	session = fixture_session(&f, "transit/pii", &key);
	f.server.hook = redirect;
	f.server.arg = f.addr; /* to itself: it would be followed */
	assert_int_equal(encrypt_one(&f, session, "abc", &item), SEAL_USAGE);
	assert_err(&f, SEAL_USAGE, SEAL_E_CONFIG, "VAULT_DISABLE_REDIRECTS forbids to follow");
	fixture_end(session, key);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_items),
		cmocka_unit_test(damaged_texts),
		cmocka_unit_test(item_errors),
		cmocka_unit_test(poisoned),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(encryption_blames_no_item),
		cmocka_unit_test(control_answers_are_bounded),
		cmocka_unit_test(no_list_is_not_empty),
		cmocka_unit_test(statuses),
		cmocka_unit_test(away),
		cmocka_unit_test(slow_but_working),
		cmocka_unit_test(prefix_and_namespace),
		cmocka_unit_test(new_token),
		cmocka_unit_test(new_token_upon_new_token),
		cmocka_unit_test(new_token_in_a_lot),
		cmocka_unit_test(where_redirects_may_lead),
		cmocka_unit_test(retries),
		cmocka_unit_test(redirects),
		cmocka_unit_test(forbidden_redirects),
	};

	server_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

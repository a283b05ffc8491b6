/* vault: Transit as a key source, against a small server (vault_server.h): keys at start, lots and limits, all operations. */
#include <sys/wait.h>

#include "vault_check.h"

/* ---- references ---- */

static void references(void **state)
{
	static const char *const good[][2] = {{"transit/pii", "transit"},
					      {"team/eu/transit/a.b-c_D9", "team/eu/transit"},
					      {"role/x", "role"},
					      {"a/b", "a"}};
	static const char *const bad[] = {"",	   "pii",    "/pii",	   "transit/", "a//b",	 "a/b c",
					  "a/-b",  "a/b.",   "a/b?x=1",	   "../a/b.",  "a/../b", "a/b#",
					  "a b/c", "a/b%2f", "a/\xc3\xa4", "/a/b",     "role/",	 "/role/x"};
	struct vault_reference r;
	char longest[300];
	const char *why;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(vault_reference_parse(text(good[i][0]), &r, &why));
		assert_true(bytes_eq_str(r.mount, good[i][1]) && !r.role);
	}
	assert_true(vault_reference_parse(text("transform/role/payments"), &r, &why));
	assert_true(r.role && bytes_eq_str(r.mount, "transform") && bytes_eq_str(r.name, "payments"));
	assert_true(vault_reference_parse(text("a/b/role/role"), &r, &why));
	assert_true(r.role && bytes_eq_str(r.mount, "a/b") && bytes_eq_str(r.name, "role"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (vault_reference_check(text(bad[i]), &why))
			fail_msg("%s", bad[i]);
	memset(longest, 'a', sizeof(longest));
	longest[1] = '/';
	assert_true(vault_reference_check(bytes_of(longest, VAULT_REFERENCE_MAX), &why));
	assert_false(vault_reference_check(bytes_of(longest, VAULT_REFERENCE_MAX + 1), &why));
}

/* ---- keys ---- */

static void no_key(struct vault_fixture *f, const char *reference, enum seal_status status, enum seal_code code,
		   const char *part)
{
	struct key *key = NULL;

	err_clear(&f->err);
	assert_int_equal(vault_source.key(f->source, text(reference), &key, &f->err), status);
	assert_null(key);
	assert_err(f, status, code, part);
}

static bool forbid_keys(struct server *s, const struct server_request *request, struct server_reply *reply)
{
	if (strstr(request->path, "/keys/") == NULL)
		return false;
	server_fail(reply, 403, "1 error occurred:\n\t* permission denied\n\n");
	return true;
}

static bool html(struct server *s, const struct server_request *request, struct server_reply *reply)
{
	if (strstr(request->path, "transit") == NULL)
		return false;
	reply->body = strdup("<html><body>Welcome to the proxy</body></html>");
	return true;
}

static void keys_at_start(void **state)
{
	struct vault_fixture f;

	fixture_open(&f);
	no_key(&f, "transit/pi", SEAL_USAGE, SEAL_E_KEY_UNKNOWN, "did you mean transit/pii?");
	no_key(&f, "transit/other", SEAL_USAGE, SEAL_E_KEY_UNKNOWN, "sealstream key create vault:transit/other");
	f.server.no_list = true;
	no_key(&f, "transit/pi", SEAL_USAGE, SEAL_E_KEY_UNKNOWN, "encrypting would make it");
	no_key(&f, "transit/rsa", SEAL_USAGE, SEAL_E_KEY_TYPE, "of type rsa-2048, which cannot");
	no_key(&f, "transit/odd", SEAL_USAGE, SEAL_E_KEY_TYPE, "of type aes 256");
	no_key(&f, "transit/soft", SEAL_DENIED, SEAL_E_DENIED, "soft-deleted");
	no_key(&f, "nomount/pii", SEAL_USAGE, SEAL_E_KEY_UNKNOWN, "nothing is mounted");
	no_key(&f, "pii", SEAL_USAGE, SEAL_E_CONFIG, "MOUNT/NAME");
	f.server.hook = html;
	no_key(&f, "transit/pii", SEAL_RETRY, SEAL_E_SERVICE, "not a JSON object; is a proxy in between?");
	f.server.hook = forbid_keys;
	no_key(&f, "transit/pii", SEAL_DENIED, SEAL_E_DENIED,
	       "policy of the token must have: path \"transit/keys/pii\" { capabilities = [\"read\"] }");
	fixture_close(&f);
}

static void key_infos(void **state)
{
	static const struct {
		const char *name, *type;
		unsigned uses;
		bool derived, convergent;
	} rows[] = {{"pii", "aes256-gcm96", KEY_ENCRYPT | KEY_HMAC, false, false},
		    {"cha", "chacha20-poly1305", KEY_ENCRYPT | KEY_HMAC, false, false},
		    {"derived", "aes256-gcm96", KEY_ENCRYPT | KEY_HMAC, true, false},
		    {"conv", "aes128-gcm96", KEY_ENCRYPT | KEY_HMAC, true, true},
		    {"hm", "hmac", KEY_HMAC, false, false}};
	struct vault_fixture f;
	struct key_info info;
	char reference[40];
	struct key *key;

	fixture_open(&f);
	f.server.latest = 3;
	f.server.min_decryption = 2;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(reference, sizeof(reference), "transit/%s", rows[i].name);
		VOK(&f, vault_source.key(f.source, text(reference), &key, &f.err));
		VOK(&f, key->ops->info(key, &info, &f.err));
		assert_string_equal(info.type, rows[i].type);
		assert_int_equal(info.uses, rows[i].uses);
		assert_int_equal(info.latest_version, 3);
		assert_int_equal(info.min_decryption_version, 2);
		assert_true(info.derived == rows[i].derived && info.convergent == rows[i].convergent);
		key->ops->free(key);
	}
	fixture_close(&f);
}

/* ---- lots ---- */

static void lots(void **state)
{
	struct seal_bytes texts[MANY];
	struct key_session *session;
	struct vault_fixture f;
	struct key *key;

	fixture_open(&f);
	session = fixture_session(&f, "transit/pii", &key);
	round_trip(&f, session, texts);
	assert_int_equal(f.server.posts, 2 * MANY / 100);
	assert_int_equal(f.server.largest_lot, 100); /* equal requests */
	assert_int_equal(f.server.smallest_lot, 100);
	f.server.posts = 0;
	f.server.odd_json = true;
	round_trip(&f, session, texts);
	assert_int_equal(f.server.posts, 2 * MANY / 100);
	assert_non_null(strstr(f.server.last_body, "\"associated_data\""));
	assert_null(strstr(f.server.last_body, "\"context\""));
	fixture_end(session, key);
	fixture_close(&f);
}

static void empty_lot(void **state)
{
	struct key_session *session;
	struct vault_fixture f;
	struct key_item item;
	struct key *key;

	fixture_open(&f);
	session = fixture_session(&f, "transit/pii", &key);
	VOK(&f, session->ops->encrypt(session, NULL, 0, &f.call, &f.err));
	VOK(&f, session->ops->decrypt(session, NULL, 0, &f.call, &f.err));
	VOK(&f, session->ops->rewrap(session, NULL, 0, &f.call, &f.err));
	assert_int_equal(f.server.posts, 0);
	item = (struct key_item){.in = BYTES_EMPTY};
	VOK(&f, session->ops->encrypt(session, &item, 1, &f.call, &f.err));
	assert_string_equal(f.server.last_body, "{\"batch_input\":[{\"plaintext\":\"\"}]}");
	item = (struct key_item){.in = item.out};
	VOK(&f, session->ops->decrypt(session, &item, 1, &f.call, &f.err));
	assert_true(item.err == NULL && item.out.len == 0 && item.out.ptr != NULL);
	fixture_end(session, key);
	fixture_close(&f);
}

/* A derived key's aad is its context, and nothing else. */
static void derived(void **state)
{
	struct seal_bytes texts[MANY];
	struct key_session *session;
	struct vault_fixture f;
	struct key_item item;
	struct key *key;

	fixture_open(&f);
	session = fixture_session(&f, "transit/conv", &key);
	round_trip(&f, session, texts);
	assert_non_null(strstr(f.server.last_body, "\"context\""));
	assert_null(strstr(f.server.last_body, "associated_data"));
	f.server.posts = 0;
	item = (struct key_item){.in = text("x")};
	assert_int_equal(session->ops->encrypt(session, &item, 1, &f.call, &f.err), SEAL_USAGE);
	assert_err(&f, SEAL_USAGE, SEAL_E_KEY_TYPE, "'bind: none' cannot be used");
	assert_int_equal(f.server.posts, 0);
	fixture_end(session, key);
	fixture_close(&f);
}

/* OpenBao's limit by strings: learned once, for all workers, and never met again. */
static void string_limit(void **state)
{
	struct seal_bytes texts[MANY];
	struct key_session *session;
	struct vault_fixture f;
	struct key *key;

	fixture_start(&f);
	f.options.batch = 1000;
	f.server.max_strings = 350;
	VOK(&f, vault_source.open(&f.config, &f.source, &f.err));
	session = fixture_session(&f, "transit/pii", &key);
	round_trip(&f, session, texts);
	assert_true(f.server.refused_by_size >= 1 && f.server.refused_by_size <= 8);
	assert_true(f.server.largest_lot <= 86 && f.server.largest_lot > 20);
	f.server.refused_by_size = 0;
	round_trip(&f, session, texts);
	assert_int_equal(f.server.refused_by_size, 0);
	fixture_end(session, key);
	fixture_close(&f);
}

/* A proxy that takes little: bodies are cut, and a value that is too large alone fails alone. */
static void body_limit(void **state)
{
	struct key_item items[8] = {0};
	struct key_session *session;
	struct vault_fixture f;
	uint8_t *large = calloc(1, 700000);
	struct key *key;

	fixture_open(&f);
	f.server.max_body = 400000;
	session = fixture_session(&f, "transit/pii", &key);
	for (int i = 0; i < 8; i++)
		items[i].in = bytes_of(large, i == 5 ? 700000 : 200000);
	VOK(&f, session->ops->encrypt(session, items, 8, &f.call, &f.err));
	for (int i = 0; i < 8; i++) {
		if (i == 5)
			assert_failed(&items[i], SEAL_E_LIMIT, "larger than the server takes in one call");
		else
			assert_true(items[i].err == NULL && items[i].out.len > 200000);
	}
	f.server.refused_by_size = 0;
	VOK(&f, session->ops->encrypt(session, items, 5, &f.call, &f.err));
	assert_int_equal(f.server.refused_by_size, 0); /* it was learned */
	fixture_end(session, key);
	fixture_close(&f);
	free(large);
}

/* One value that is too long is found by halves; others are sent as many at once as before. */
static void value_limit(void **state)
{
	struct key_item items[200];
	struct key_session *session;
	struct vault_fixture f;
	struct key *key;

	fixture_open(&f);
	session = fixture_session(&f, "transit/pii", &key);
	f.server.poison = "long";
	f.server.poison_status = 500;
	f.server.poison_text = "failed to parse JSON input: JSON string exceeds allowed length";
	for (int i = 0; i < 200; i++)
		items[i] = (struct key_item){.in = text(i == 77 ? "long" : "short")};
	VOK(&f, session->ops->encrypt(session, items, 200, &f.call, &f.err));
	for (int i = 0; i < 200; i++) {
		if (i == 77)
			assert_failed(&items[i], SEAL_E_LIMIT, "larger than the server takes");
		else
			assert_true(items[i].err == NULL && items[i].out.len > 0);
	}
	assert_int_equal(vault_batch_limit(((struct vault_source *)f.source)->client), 100);
	/* Too many is another matter. */
	f.server.poison_text = "JSON array exceeds allowed element count";
	VOK(&f, session->ops->encrypt(session, items, 200, &f.call, &f.err));
	assert_failed(&items[77], SEAL_E_LIMIT, "larger than the server takes");
	assert_true(vault_batch_limit(((struct vault_source *)f.source)->client) < 100);
	fixture_end(session, key);
	fixture_close(&f);
}

/* No request is larger than the servers' own limit, and what cannot be in one is refused here. */
static void hard_limit(void **state)
{
	struct key_item items[3] = {{.in = BYTES_LIT("a")}, {.in = BYTES_EMPTY}, {.in = BYTES_LIT("b")}};
	uint8_t *large = calloc(1, 24 << 20);
	struct key_session *session;
	struct vault_fixture f;
	struct key *key;

	fixture_open(&f);
	session = fixture_session(&f, "transit/pii", &key);
	items[1].in = bytes_of(large, 24 << 20);
	VOK(&f, session->ops->encrypt(session, items, 3, &f.call, &f.err));
	assert_failed(&items[1], SEAL_E_LIMIT, "larger than the server takes");
	assert_true(items[0].err == NULL && items[2].err == NULL);
	fixture_end(session, key);
	fixture_close(&f);
	free(large);
}

/* ---- the other operations ---- */

static void hmacs(void **state)
{
	struct key_item items[3] = {{.in = BYTES_LIT("abc"), .aad = BYTES_LIT("12345")},
				    {.in = BYTES_LIT("45abc"), .aad = BYTES_LIT("123")},
				    {.in = BYTES_EMPTY, .aad = BYTES_LIT("12345abc")}};
	struct key_session *session;
	struct vault_fixture f;
	struct key *key;

	fixture_open(&f);
	f.server.latest = 3;
	session = fixture_session(&f, "transit/hm", &key);
	assert_null(session->ops->encrypt);
	VOK(&f, session->ops->hmac(session, 2, items, 3, &f.call, &f.err));
	assert_non_null(
		strstr(f.server.last_body, "{\"key_version\":2,\"batch_input\":[{\"input\":\"MTIzNDVhYmM=\"}"));
	assert_string_equal(f.server.last_path, "/v1/transit/hmac/hm/sha2-256");
	for (int i = 0; i < 3; i++) { /* the same message: aad, then in */
		assert_int_equal(items[i].out.len, 32);
		assert_memory_equal(items[i].out.ptr, items[0].out.ptr, 32);
	}
	f.server.poison = "";
	f.server.hook = answer_row;
	f.server.arg = &(struct status_row){
		.code = 400, .said = "cannot generate HMAC: version is too old (disallowed by policy)"};
	assert_int_equal(session->ops->hmac(session, 1, items, 3, &f.call, &f.err), SEAL_DENIED);
	assert_err(&f, SEAL_DENIED, SEAL_E_KEY_MINIMUM, "below its minimum version");
	f.server.arg = &(struct status_row){.code = 400, .said = "no HMAC key exists for that key version"};
	err_clear(&f.err);
	assert_int_equal(session->ops->hmac(session, 9, items, 3, &f.call, &f.err), SEAL_USAGE);
	assert_err(&f, SEAL_USAGE, SEAL_E_KEY_VERSION, "no such version");
	fixture_end(session, key);
	fixture_close(&f);
}

static void rewraps(void **state)
{
	static const char *const plain[] = {"a", "b", "c", "d"};
	struct key_item items[4];
	struct key_session *session;
	struct vault_fixture f;
	struct key *key;

	fixture_open(&f);
	session = fixture_session(&f, "transit/pii", &key);
	put_items(items, 4, plain, "");
	items[1].aad = items[3].aad = text("place");
	VOK(&f, session->ops->encrypt(session, items, 4, &f.call, &f.err));
	for (int i = 0; i < 4; i++)
		items[i].in = items[i].out;
	f.server.posts = 0;
	VOK(&f, session->ops->rewrap(session, items, 4, &f.call, &f.err));
	assert_int_equal(f.server.posts, 0); /* all are of the newest version */
	for (int i = 0; i < 4; i++)
		assert_true(items[i].err == NULL && bytes_eq(items[i].out, items[i].in));
	f.server.latest = 2;
	atomic_store(&((struct transit_key *)key)->read_ms, clock_mono_ms() - 6000);
	items[3].aad = text("another place");
	VOK(&f, session->ops->rewrap(session, items, 4, &f.call, &f.err));
	assert_int_equal(f.server.posts, 3); /* rewrap, decrypt, encrypt */
	for (int i = 0; i < 3; i++) {
		assert_true(items[i].err == NULL && bytes_starts(items[i].out, text("vault:v2:")));
		items[i].in = items[i].out;
	}
	assert_failed(&items[3], SEAL_E_TAMPERED, "does not authenticate");
	VOK(&f, session->ops->decrypt(session, items, 3, &f.call, &f.err));
	for (int i = 0; i < 3; i++)
		assert_true(bytes_eq_str(items[i].out, plain[i]));
	fixture_end(session, key);
	fixture_close(&f);
}

/* A derived key's texts are rewrapped by the server, whatever they are bound to. */
static void rewraps_derived(void **state)
{
	struct key_item item = {.in = BYTES_LIT("abc"), .aad = BYTES_LIT("place")};
	struct key_session *session;
	struct vault_fixture f;
	struct key *key;

	fixture_open(&f);
	session = fixture_session(&f, "transit/derived", &key);
	VOK(&f, session->ops->encrypt(session, &item, 1, &f.call, &f.err));
	item.in = item.out;
	f.server.latest = 2;
	transit_key_saw((struct transit_key *)key, 2);
	VOK(&f, session->ops->rewrap(session, &item, 1, &f.call, &f.err));
	assert_string_equal(f.server.last_path, "/v1/transit/rewrap/derived");
	assert_true(item.err == NULL && bytes_starts(item.out, text("vault:v2:")));
	fixture_end(session, key);
	fixture_close(&f);
}

/* Each item says the version; the answer must be of it. */
static void pinned_versions(void **state)
{
	struct key_item items[2] = {{.in = BYTES_LIT("abc"), .aad = BYTES_LIT("place")},
				    {.in = BYTES_LIT("d"), .aad = BYTES_LIT("place")}};
	struct key_session *session;
	struct vault_fixture f;
	struct key *key;

	fixture_open(&f);
	f.server.latest = 3;
	session = fixture_session(&f, "transit/derived", &key);
	f.call.version = 2;
	VOK(&f, session->ops->encrypt(session, items, 2, &f.call, &f.err));
	assert_non_null(strstr(f.server.last_body, "\"context\":\"cGxhY2U=\",\"key_version\":2}"));
	for (int i = 0; i < 2; i++) {
		assert_true(items[i].err == NULL && bytes_starts(items[i].out, text("vault:v2:")));
		items[i].in = items[i].out;
	}
	f.server.posts = 0;
	VOK(&f, session->ops->rewrap(session, items, 2, &f.call, &f.err));
	assert_int_equal(f.server.posts, 0); /* they are of the wanted version */
	assert_true(bytes_eq(items[0].out, items[0].in));
	f.call.version = 1;
	VOK(&f, session->ops->rewrap(session, items, 2, &f.call, &f.err));
	assert_non_null(strstr(f.server.last_body, "\"key_version\":1}"));
	assert_true(bytes_starts(items[0].out, text("vault:v1:")) && bytes_starts(items[1].out, text("vault:v1:")));
	f.call.version = 9;
	assert_int_equal(session->ops->encrypt(session, items, 2, &f.call, &f.err), SEAL_USAGE);
	assert_err(&f, SEAL_USAGE, SEAL_E_KEY_VERSION, "no such version");
	assert_int_equal(items[0].out.len, 0);
	err_clear(&f.err);
	assert_int_equal(session->ops->rewrap(session, items, 2, &f.call, &f.err), SEAL_USAGE);
	assert_err(&f, SEAL_USAGE, SEAL_E_KEY_VERSION, "no such version");
	f.call.version = 1;
	f.server.min_encryption = 2;
	err_clear(&f.err);
	assert_int_equal(session->ops->encrypt(session, items, 2, &f.call, &f.err), SEAL_DENIED);
	assert_err(&f, SEAL_DENIED, SEAL_E_KEY_MINIMUM, "below its minimum version");
	f.server.min_encryption = 0;
	f.server.spoil = "abc"; /* a version that was trimmed */
	f.server.spoil_text = "no such key version";
	items[0].in = text("abc");
	err_clear(&f.err);
	assert_int_equal(session->ops->encrypt(session, items, 1, &f.call, &f.err), SEAL_USAGE);
	assert_err(&f, SEAL_USAGE, SEAL_E_KEY_VERSION, "no such version");
	fixture_end(session, key);
	fixture_close(&f);
}

/* A server that takes no notice of the version is not believed. */
static void ignored_version(void **state)
{
	struct key_item item = {.in = BYTES_LIT("abc"), .aad = BYTES_LIT("place")};
	struct key_session *session;
	struct vault_fixture f;
	struct key *key;

	fixture_open(&f);
	f.server.latest = 2;
	f.server.ignores_version = true;
	session = fixture_session(&f, "transit/derived", &key);
	f.call.version = 1;
	assert_int_equal(session->ops->encrypt(session, &item, 1, &f.call, &f.err), SEAL_RETRY);
	assert_err(&f, SEAL_RETRY, SEAL_E_SERVICE, "of another version");
	assert_int_equal(item.out.len, 0);
	fixture_end(session, key);
	fixture_close(&f);
}

static void data_keys(void **state)
{
	static const struct {
		const char *reference, *aad, *path;
	} rows[] = {{"transit/pii", "", "/v1/transit/datakey/plaintext/pii"},
		    {"transit/pii", "place", "/v1/transit/encrypt/pii"},
		    {"transit/derived", "place", "/v1/transit/datakey/plaintext/derived"}};
	struct key_session *session;
	struct vault_fixture f;
	struct key *key;

	fixture_open(&f);
	for (size_t i = 0; i < 9; i++) {
		const size_t len = (size_t)16 << i / 3;
		struct key_item item = {.aad = text(rows[i % 3].aad)};
		struct secret plain = SECRET_INIT;

		session = fixture_session(&f, rows[i % 3].reference, &key);
		VOK(&f, session->ops->data_key(session, len, item.aad, &plain, &item.in, &f.call, &f.err));
		assert_string_equal(f.server.last_path, rows[i % 3].path);
		assert_int_equal(plain.len, len);
		VOK(&f, session->ops->decrypt(session, &item, 1, &f.call, &f.err));
		assert_true(item.err == NULL && bytes_eq(item.out, secret_bytes(&plain)));
		VOK(&f, session->ops->data_key(session, len, item.aad, NULL, &item.in, &f.call, &f.err));
		assert_true(i % 3 == 1 || strstr(f.server.last_path, "/datakey/wrapped/") != NULL);
		secret_clear(&plain);
		fixture_end(session, key);
	}
	fixture_close(&f);
}

static void bad_data_keys(void **state)
{
	static const char *const bad[] = {"{}", "x",
					  "{\"data\":{\"ciphertext\":\"vault:v1:AAAA\",\"plaintext\":\"AAAA\"}}",
					  "{\"data\":{\"plaintext\":\"AAAA\"}}"};
	struct secret plain = SECRET_INIT;
	struct key_session *session;
	struct seal_bytes wrapped;
	struct vault_fixture f;
	struct key *key;

	fixture_open(&f);
	session = fixture_session(&f, "transit/pii", &key);
	f.server.hook = say;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		f.server.arg = (void *)(uintptr_t)bad[i];
		err_clear(&f.err);
		assert_int_equal(session->ops->data_key(session, 32, BYTES_EMPTY, &plain, &wrapped, &f.call, &f.err),
				 SEAL_RETRY);
		assert_true(plain.ptr == NULL && wrapped.len == 0);
	}
	f.server.hook = answer_row;
	f.server.arg = &(struct status_row){.code = 400, .said = "encryption key not found"};
	err_clear(&f.err);
	assert_int_equal(session->ops->data_key(session, 32, BYTES_EMPTY, &plain, &wrapped, &f.call, &f.err),
			 SEAL_USAGE);
	assert_err(&f, SEAL_USAGE, SEAL_E_KEY_UNKNOWN, "is gone");
	f.server.arg = &(struct status_row){.code = 403, .said = "permission denied"};
	err_clear(&f.err);
	assert_int_equal(session->ops->data_key(session, 32, BYTES_EMPTY, &plain, &wrapped, &f.call, &f.err),
			 SEAL_DENIED);
	assert_err(&f, SEAL_DENIED, SEAL_E_DENIED,
		   "path \"transit/datakey/plaintext/pii\" { capabilities = [\"update\"] }");
	fixture_end(session, key);
	fixture_close(&f);
}

/* A server that ignores associated data is found out by what it says of the parameter. */
static void ignored_associated_data(void **state)
{
	struct key_session *session;
	struct vault_fixture f;
	struct key_item item;
	struct key *key;

	fixture_open(&f);
	f.server.no_associated_data = true;
	session = fixture_session(&f, "transit/pii", &key);
	assert_int_equal(encrypt_one(&f, session, "abc", &item), SEAL_USAGE);
	assert_err(&f, SEAL_USAGE, SEAL_E_KEY_TYPE, "does not know associated data");
	item = (struct key_item){.in = text("abc")};
	VOK(&f, session->ops->encrypt(session, &item, 1, &f.call, &f.err));
	fixture_end(session, key);
	fixture_close(&f);
}

/* One that says nothing is found out by its keys; nothing is asked of it. */
static void silently_ignored_associated_data(void **state)
{
	struct key_session *session;
	struct vault_fixture f;
	struct key_item item;
	struct key *key;

	fixture_open(&f);
	f.server.no_associated_data = f.server.old = true;
	session = fixture_session(&f, "transit/pii", &key);
	assert_int_equal(encrypt_one(&f, session, "abc", &item), SEAL_USAGE);
	assert_err(&f, SEAL_USAGE, SEAL_E_KEY_TYPE, "does not know associated data");
	assert_int_equal(f.server.posts, 0);
	item = (struct key_item){.in = text("abc")};
	VOK(&f, session->ops->encrypt(session, &item, 1, &f.call, &f.err));
	item = (struct key_item){.in = item.out, .aad = text("place")};
	assert_int_equal(session->ops->decrypt(session, &item, 1, &f.call, NULL), SEAL_USAGE);
	fixture_end(session, key);
	fixture_close(&f);
}

/* ---- fork ---- */

/* Values of one's own, there and back. */
static bool own_answers(struct vault_fixture *f, struct key_session *session, const char *who)
{
	bool good = true;

	for (int i = 0; i < 200 && good; i++) {
		char plain[32];
		struct key_item item = {.aad = text("place")};

		snprintf(plain, sizeof(plain), "%s %d", who, i);
		item.in = text(plain);
		good = session->ops->encrypt(session, &item, 1, &f->call, &f->err) == SEAL_OK && item.err == NULL;
		item.in = item.out;
		good = good && session->ops->decrypt(session, &item, 1, &f->call, &f->err) == SEAL_OK &&
		       item.err == NULL && bytes_eq_str(item.out, plain);
	}
	return good;
}

/* Parent and child on one kept-alive connection would read each other's answers. */
static void fork_shares_no_connection(void **state)
{
	struct key_session *session;
	struct vault_fixture f;
	struct key_item item;
	struct key *key;
	int status;
	pid_t child;
	bool good;

	fixture_open(&f);
	session = fixture_session(&f, "transit/pii", &key);
	assert_int_equal(encrypt_one(&f, session, "before", &item), SEAL_OK);
	child = fork();
	if (child == 0) {
		good = own_answers(&f, session, "child");
		if (good) { /* the connections of the parent survive that */
			session->ops->free(session);
			key->ops->free(key);
			vault_source.free(f.source);
		}
		_exit(good ? 0 : 1);
	}
	good = own_answers(&f, session, "parent");
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(good);
	assert_int_equal(status, 0);
	assert_true(own_answers(&f, session, "after"));
	fixture_end(session, key);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fork_shares_no_connection),
		cmocka_unit_test(references),
		cmocka_unit_test(keys_at_start),
		cmocka_unit_test(key_infos),
		cmocka_unit_test(lots),
		cmocka_unit_test(empty_lot),
		cmocka_unit_test(derived),
		cmocka_unit_test(string_limit),
		cmocka_unit_test(body_limit),
		cmocka_unit_test(value_limit),
		cmocka_unit_test(hard_limit),
		cmocka_unit_test(hmacs),
		cmocka_unit_test(rewraps),
		cmocka_unit_test(rewraps_derived),
		cmocka_unit_test(pinned_versions),
		cmocka_unit_test(ignored_version),
		cmocka_unit_test(data_keys),
		cmocka_unit_test(bad_data_keys),
		cmocka_unit_test(ignored_associated_data),
		cmocka_unit_test(silently_ignored_associated_data),
	};

	server_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

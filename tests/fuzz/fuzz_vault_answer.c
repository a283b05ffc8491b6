/*
 * Answers of a key server: whatever comes, what is read lies inside the answer, a result is taken only when it is what the
 * engine gives, and what is quoted is one short printable line. The first byte says what was asked.
 */
#include "base/encode.h"
#include "fuzz.h"
#include "vault/client_work.h"
#include "vault/transit.h"

static bool inside(struct seal_bytes part, const uint8_t *data, size_t size)
{
	return part.len == 0 || (part.ptr >= data && part.ptr + part.len <= data + size);
}

static void check_quote(const char *quote)
{
	const size_t len = strlen(quote);

	CHECK(len <= VAULT_QUOTE_MAX);
	CHECK(len == 0 || (quote[0] != ' ' && quote[len - 1] != ' '));
	for (size_t i = 0; i < len; i++)
		CHECK(quote[i] >= ' ' && quote[i] < 0x7f);
}

/* A session without a server. */
static void set_up(struct transit_session *session, struct transit_key *key, struct vault_source *source,
		   struct vault_client *client)
{
	client->name = "https://vault:8200";
	source->client = client;
	key->source = source;
	key->name = "transit/pii";
	key->info.type = "aes256-gcm96";
	key->overhead = 28;
	for (size_t i = 0; i < TRANSIT_CALLS; i++)
		key->paths[i] = "transit/x/pii";
	session->key = key;
}

static void check_taken(const struct transit_lot *lot, const struct key_item *item)
{
	size_t raw = 0;

	if (item->err != NULL) {
		CHECK(item->err->status == SEAL_DATA && item->out.len == 0);
		CHECK(strchr(item->err->text, '\n') == NULL);
	} else if (lot->what == TRANSIT_HMAC) {
		CHECK(item->out.len == 32);
	} else if (lot->what != TRANSIT_DECRYPT) {
		CHECK(transit_text_check(item->out, &raw) != 0 && raw >= 28);
		CHECK(lot->what == TRANSIT_REWRAP || raw == item->in.len + 28);
	}
}

static void check_item(enum transit_call what, const struct vault_result *result)
{
	struct vault_client client = {.name = NULL};
	struct vault_source source = {.client = NULL};
	struct transit_session session = {.key = NULL};
	struct transit_key key = {.name = NULL};
	struct key_item item = {.in = BYTES_LIT("some value")}, *items = &item;
	struct seal_err err = SEAL_ERR_INIT;
	struct arena arena;
	const struct key_call call = {.arena = &arena, .deadline_ms = 0};
	struct transit_lot lot = {.session = &session, .call = &call, .what = what, .items = &items, .n = 1};
	enum seal_status rc;

	arena_init(&arena, 0);
	set_up(&session, &key, &source, &client);
	rc = transit_item_read(&lot, 0, result, &err);
	CHECK(rc == err.status);
	CHECK(strchr(err.text, '\n') == NULL);
	if (rc == SEAL_OK)
		check_taken(&lot, &item);
	arena_clear(&arena);
}

static void check_error(enum transit_call what, const char *quote)
{
	struct vault_client client = {.name = NULL};
	struct vault_source source = {.client = NULL};
	struct transit_session session = {.key = NULL};
	struct transit_key key = {.name = NULL};
	struct seal_err err = SEAL_ERR_INIT;

	set_up(&session, &key, &source, &client);
	CHECK(transit_explain(&key, what, 0, NULL, quote, &err) == err.status);
	CHECK(strchr(err.text, '\n') == NULL);
}

/* An error status with this body has one class, and one line. */
static void check_status(unsigned pick, struct seal_bytes body)
{
	static const unsigned statuses[] = {307, 400, 403, 404, 412, 413, 429, 472, 500, 501, 502, 503};
	struct vault_client client = {.name = "https://vault:8200"};
	struct vault_call call = {.method = "POST",
				  .path = "transit/encrypt/pii",
				  .capability = "update",
				  .status = statuses[pick % (sizeof(statuses) / sizeof(statuses[0]))],
				  .answer = body};
	struct seal_err err = SEAL_ERR_INIT;
	enum seal_status rc = vault_call_error(&client, &call, &err);

	CHECK(rc == err.status && rc != SEAL_OK && rc != SEAL_DATA);
	CHECK(strchr(err.text, '\n') == NULL && strstr(err.text, client.name) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct seal_bytes body = bytes_of(data + (size > 0), size - (size > 0));
	const enum transit_call what = size > 0 ? data[0] % (TRANSIT_HMAC + 1) : TRANSIT_ENCRYPT;
	char quote[VAULT_QUOTE_MAX + 1];
	static struct vault_answer *answer; /* kept: compiling its paths costs more than all else */

	if (answer == NULL)
		CHECK(vault_answer_new(&answer, NULL) == SEAL_OK);
	if (vault_answer_read(answer, body, NULL) == SEAL_OK) {
		for (size_t i = 0; i < vault_answer_results(answer); i++) {
			struct vault_result result;

			if (vault_answer_result(answer, i, &result, NULL) != SEAL_OK)
				continue;
			for (size_t k = 0; k < VAULT_FIELDS; k++)
				CHECK(inside(result.field[k].raw, data, size));
			check_item(what, &result);
		}
		(void)vault_answer_ignored(answer, "associated_data");
		for (size_t k = 0; k < VAULT_FIELDS; k++)
			CHECK(inside(vault_answer_data(answer, (enum vault_field)k).raw, data, size));
	} else {
		CHECK(vault_answer_results(answer) == 0);
	}
	vault_quote(body, quote);
	check_quote(quote);
	check_error(what, quote);
	if (vault_answer_errors(body, quote) == SEAL_OK)
		check_quote(quote);
	check_status(size > 0 ? data[0] / 4u : 0, body);
	return 0;
}

/*
 * Convergent tokens on a store, timed by the clock, as a disk or a server is part of it:
 *
 *   tokens ADDRESS SECONDS      with SEALSTREAM_KEYRING and a key local:pii in it; the store is made
 *
 * Prints a line for each way: "NAME TOKENS SECONDS". Values are e-mail addresses of 24 bytes.
 *
 *   one-new, one-known    a value at a time: one look-up, and one insertion where it is new
 *   lot-new, lot-known    the same, 1,000 at a time
 *   lot-tenth             1,000 at a time, of which every tenth is new
 *   lot-reveal            1,000 tokens at a time
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "keys/keyring.h"
#include "stores/postgresql/postgresql.h"
#include "stores/sqlite/sqlite.h"
#include "tokens/tokens.h"

#define LOT 1000
#define STRIDE 7919 /* known values come in another order than they were made */

struct run {
	struct tokens *tokens;
	struct key_session *kek;
	struct arena arena;
	uint64_t made; /* values that are known: 0 … made-1 */
	uint64_t next; /* which of them comes next */
	double seconds; /* for each way */
	struct seal_err err;
};

/* What is made of a lot. */
enum way { NEW, KNOWN, TENTH, REVEAL };

/* Ends the process with a message unless `status` is SEAL_OK. */
static void must(enum seal_status status, const struct seal_err *err)
{
	if (status == SEAL_OK)
		return;
	fprintf(stderr, "tokens: %s\n", err->text);
	exit(70);
}

static struct seal_bytes value_of(struct run *run, uint64_t i)
{
	return bytes_str(arena_printf(&run->arena, "c%011llu@example.org", (unsigned long long)i));
}

static uint64_t choose(struct run *run, enum way way, size_t i)
{
	if (way == NEW || (way == TENTH && i % 10 == 0))
		return run->made++;
	run->next = (run->next + STRIDE) % run->made;
	return run->next;
}

static void fill(struct run *run, enum way way, struct token_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		items[i] = (struct token_item){.value = value_of(run, choose(run, way, i)),
					       .place = BYTES_LIT("a domain of customers"),
					       .kind = TOKEN_STRING};
}

static void protect(struct run *run, struct token_item *items, size_t n)
{
	const struct token_terms terms = {.convergent = true};
	const struct key_call call = {.arena = &run->arena, .deadline_ms = clock_mono_ms() + 60000};

	must(tokens_protect(run->tokens, run->kek, &terms, items, n, &call, &run->err), &run->err);
	for (size_t i = 0; i < n; i++)
		must(items[i].err != NULL ? items[i].err->status : SEAL_OK, items[i].err);
}

static void reveal(struct run *run, struct token_item *items, size_t n)
{
	const struct key_call call = {.arena = &run->arena, .deadline_ms = clock_mono_ms() + 60000};

	for (size_t i = 0; i < n; i++)
		items[i].value = BYTES_EMPTY;
	must(tokens_reveal(run->tokens, run->kek, items, n, &call, &run->err), &run->err);
	for (size_t i = 0; i < n; i++)
		must(items[i].err != NULL ? items[i].err->status : SEAL_OK, items[i].err);
}

static void measure(struct run *run, const char *name, enum way way, size_t lot)
{
	struct token_item items[LOT];
	uint64_t done = 0, began, took = 0;

	while ((double)took < run->seconds * 1e9) {
		arena_reset(&run->arena);
		fill(run, way, items, lot);
		if (way == REVEAL)
			protect(run, items, lot);
		began = clock_mono_ns();
		if (way == REVEAL)
			reveal(run, items, lot);
		else
			protect(run, items, lot);
		took += clock_mono_ns() - began;
		done += lot;
	}
	printf("%s %llu %.3f\n", name, (unsigned long long)done, (double)took / 1e9);
	fflush(stdout);
}

/* They live until the process ends. */
static struct key_session *open_key(struct seal_err *err)
{
	const struct key_source_config config = {.keyring_dir = getenv("SEALSTREAM_KEYRING")};
	struct key_session *session = NULL;
	struct key_source *source = NULL;
	struct key *key = NULL;

	must(keyring_source.open(&config, &source, err), err);
	must(keyring_source.key(source, BYTES_LIT("pii"), &key, err), err);
	must(key->ops->session(key, &session, err), err);
	return session;
}

int main(int argc, char **argv)
{
	static const struct person_scope scope = {"bench", "local", {(const uint8_t *)"pii", 3}};
	const struct data_keys_options options = {.max_uses = 0};
	const struct store_ops *ops = &postgresql_store;
	struct run run = {.err = SEAL_ERR_INIT};
	struct store *store = NULL;
	const char *why;

	if (argc != 3) {
		fprintf(stderr, "usage: tokens ADDRESS SECONDS\n");
		return 64;
	}
	if (sqlite_address_check(bytes_str(argv[1]), &why))
		ops = &sqlite_store;
	run.seconds = strtod(argv[2], NULL);
	arena_init(&run.arena, 1 << 20);
	run.kek = open_key(&run.err);
	must(ops->open(argv[1], &(struct store_config){.create = true}, &store, &run.err), &run.err);
	must(tokens_new(store, &scope, &options, &run.tokens, &run.err), &run.err);
	measure(&run, "lot-new", NEW, LOT); /* first, so that no way has it easier in a smaller store */
	measure(&run, "one-new", NEW, 1);
	measure(&run, "one-known", KNOWN, 1);
	measure(&run, "lot-known", KNOWN, LOT);
	measure(&run, "lot-tenth", TENTH, LOT);
	measure(&run, "lot-reveal", REVEAL, LOT);
	tokens_free(run.tokens);
	ops->free(store);
	arena_clear(&run.arena);
	return 0;
}

/* Protects two records and reveals them again: cc protect.c $(pkg-config --cflags --libs sealstream) && ./a.out NEW-DIR */
#include <sealstream/engine.h>
#include <stdio.h>
#include <string.h>

static const char policy_text[] = "version: 1\n"
				  "keys: {pii: 'local:pii', cards: 'local:cards'}\n"
				  "topics:\n"
				  "  - match: purchases\n"
				  "    protect:\n"
				  "      $.Address: {type: encrypt, key: pii}\n"
				  "      $.credit_card: {type: fpe, key: cards, keep: {first: 6, last: 4}}\n";
static const char *const texts[] = {
	"{\"Name\":\"Ada\",\"Address\":\"1 High St\",\"credit_card\":\"4111-1111-1111-1111\"}",
	"{\"Name\":\"Bob\",\"credit_card\":\"5500-0000-0000-0004\",\"price\":129.990}"};

/* Prints the results, or why there are none, and gives them to the next step. */
static void take(const char *what, const struct seal_engine *engine, struct seal_bytes *values)
{
	for (size_t i = 0; i < seal_result_count(engine); i++) {
		values[i] = seal_result_value(engine, i);
		if (seal_result_status(engine, i) != SEAL_OK)
			printf("%s: %s\n", seal_result_error(engine, i)->place, seal_result_error(engine, i)->text);
		else
			printf("%-9s %.*s\n", what, (int)values[i].len, (const char *)values[i].ptr);
	}
}

int main(int argc, char **argv)
{
	struct seal_keyring_options keys = {.size = sizeof(keys), .dir = argc == 2 ? argv[1] : NULL, .create = true};
	struct seal_engine_options options = {.size = sizeof(options), .keyring = &keys};
	struct seal_bytes yaml = {(const uint8_t *)policy_text, strlen(policy_text)}, values[2];
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_keyring *keyring = NULL;
	struct seal_policy *policy = NULL;
	struct seal_engine *here = NULL, *there = NULL; /* two, as results live until an engine's next call */

	if (argc != 2) { /* without a directory its keys would go into your own keyring */
		fprintf(stderr, "Usage: %s NEW-DIR\n", argv[0]);
		return 64;
	}
	for (size_t i = 0; i < 2; i++)
		values[i] = (struct seal_bytes){(const uint8_t *)texts[i], strlen(texts[i])};
	if (seal_keyring_open(&keys, &keyring, &err) == SEAL_OK &&
	    seal_keyring_create_key(keyring, "pii", "aes256-gcm96", false, &err) == SEAL_OK &&
	    seal_keyring_create_key(keyring, "cards", "ff1", false, &err) == SEAL_OK &&
	    seal_policy_load(yaml, NULL, &policy, &err) == SEAL_OK &&
	    seal_engine_new(policy, &options, &here, &err) == SEAL_OK &&
	    seal_engine_clone(here, &there, &err) == SEAL_OK &&
	    seal_engine_protect(here, seal_policy_topic(policy, "purchases"), values, 2, &err) == SEAL_OK) {
		take("protected", here, values);
		if (seal_engine_reveal(there, seal_policy_topic(policy, "purchases"), values, 2, &err) == SEAL_OK)
			take("revealed", there, values);
	}
	if (err.status != SEAL_OK)
		fprintf(stderr, "%s%s%s\n", err.place, err.place[0] != '\0' ? ": " : "", err.text);
	seal_engine_free(here);
	seal_engine_free(there);
	seal_policy_free(policy);
	seal_keyring_close(keyring);
	return err.status == SEAL_OK ? 0 : 1;
}

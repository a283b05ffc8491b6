/*
 * Protects two records and reveals them again, with a keyring made for the occasion.
 *
 *   cc protect.c $(pkg-config --cflags --libs sealstream) && ./a.out DIR     (DIR: a new, empty directory)
 */
#include <sealstream/engine.h>

#include <stdio.h>
#include <string.h>

static const char policy_text[] = "version: 1\n"
				  "keys: {pii: 'local:pii', cards: 'local:cards'}\n"
				  "methods:\n"
				  "  secret: {type: encrypt, key: pii}\n"
				  "  card: {type: fpe, key: cards, keep: {first: 6, last: 4}}\n"
				  "topics: [{match: purchases, protect: {$.Address: secret, $.credit_card: card}}]\n";
static const char *const texts[] = {
	"{\"Name\":\"Ada\",\"Address\":\"1 High St\",\"credit_card\":\"4111-1111-1111-1111\",\"price\":129.99}",
	"{\"Name\":\"Bob\",\"Address\":\"2 Low Rd\",\"credit_card\":\"5500-0000-0000-0004\",\"price\":1.10}",
};

static void print(const char *what, struct seal_bytes value)
{
	printf("%-9s %.*s\n", what, (int)value.len, (const char *)value.ptr);
}

int main(int argc, char **argv)
{
	struct seal_keyring_options keys = {.size = sizeof(keys), .dir = argc > 1 ? argv[1] : NULL, .create = true};
	struct seal_engine_options options = {.size = sizeof(options), .keyring = &keys};
	struct seal_bytes text = {(const uint8_t *)policy_text, sizeof(policy_text) - 1}, plain[2], cipher[2];
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_keyring *keyring = NULL;
	struct seal_policy *policy = NULL;
	struct seal_engine *protector = NULL, *revealer = NULL;
	const struct seal_topic *topic;

	if (seal_keyring_open(&keys, &keyring, &err) ||
	    seal_keyring_create_key(keyring, "pii", "aes256-gcm96", false, &err) ||
	    seal_keyring_create_key(keyring, "cards", "ff1", false, &err) ||
	    seal_policy_load(text, NULL, &policy, &err) || seal_engine_new(policy, &options, &protector, &err) ||
	    seal_engine_clone(protector, &revealer, &err))
		goto out;
	topic = seal_policy_topic(policy, "purchases");
	for (size_t i = 0; i < 2; i++)
		print("record", plain[i] = (struct seal_bytes){(const uint8_t *)texts[i], strlen(texts[i])});
	if (seal_engine_protect(protector, topic, plain, 2, &err))
		goto out;
	for (size_t i = 0; i < 2; i++)
		print("protected", cipher[i] = seal_result_value(protector, i));
	if (seal_engine_reveal(revealer, topic, cipher, 2, &err))
		goto out;
	for (size_t i = 0; i < 2; i++)
		print("revealed", seal_result_value(revealer, i));
out:
	if (err.status != SEAL_OK)
		fprintf(stderr, "%s: %s\n", err.place, err.text);
	seal_engine_free(protector);
	seal_engine_free(revealer);
	seal_policy_free(policy);
	seal_keyring_close(keyring);
	return err.status == SEAL_OK ? 0 : 1;
}

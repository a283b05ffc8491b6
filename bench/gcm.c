/* AES-256-GCM of 30-byte messages with 40 bytes of associated data: a lot, against one EVP round for each message. */
#include "bench.h"

#include <openssl/evp.h>

#include "crypto/aead.h"

#define LOT 256
#define LEN 30

static const uint8_t key[32] = {1, 2, 3, 4, 5, 6, 7, 8}, aad[40] = {9};
static uint8_t plain[LOT][LEN], sealed[LOT][LEN], tags[LOT][AEAD_TAG_LEN], nonces[LOT][AEAD_NONCE_LEN];
static struct aead_item items[LOT];

static void lot(void *arg)
{
	struct seal_err err = SEAL_ERR_INIT;

	bench_check(aead_seal_many(arg, items, LOT, &err), &err);
	bench_sink += tags[LOT - 1][0];
}

static void open_lot(void *arg)
{
	static struct aead_item opened[LOT];
	static uint8_t back[LOT][LEN];
	struct seal_err err = SEAL_ERR_INIT;

	if (opened[0].out == NULL) {
		lot(arg);
		for (size_t i = 0; i < LOT; i++) {
			opened[i] = items[i];
			opened[i].in = bytes_of(sealed[i], LEN);
			opened[i].out = back[i];
		}
	}
	bench_check(aead_open_many(arg, opened, LOT, &err), &err);
	SEAL_INVARIANT(opened[LOT - 1].ok);
}

static void evp(void *arg)
{
	int n;

	for (size_t i = 0; i < LOT; i++) {
		if (EVP_EncryptInit_ex(arg, NULL, NULL, NULL, nonces[i]) != 1 ||
		    EVP_EncryptUpdate(arg, NULL, &n, aad, sizeof aad) != 1 ||
		    EVP_EncryptUpdate(arg, sealed[i], &n, plain[i], LEN) != 1 ||
		    EVP_EncryptFinal_ex(arg, sealed[i] + LEN, &n) != 1 ||
		    EVP_CIPHER_CTX_ctrl(arg, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_LEN, tags[i]) != 1)
			abort();
	}
	bench_sink += tags[LOT - 1][0];
}

void bench_add_gcm(struct bench *bench)
{
	struct seal_err err = SEAL_ERR_INIT;
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	struct aead *aead;

	if (context == NULL || EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, NULL) != 1)
		abort();
	for (size_t i = 0; i < LOT; i++) {
		nonces[i][0] = (uint8_t)i;
		nonces[i][1] = (uint8_t)(i >> 8);
		items[i] = (struct aead_item){.nonce = nonces[i],
					      .aad = bytes_of(aad, sizeof aad),
					      .in = bytes_of(plain[i], LEN),
					      .out = sealed[i],
					      .tag = tags[i]};
	}
	bench_add(bench, (struct bench_case){
				 .name = "AES-256-GCM by EVP, 30 bytes", .run = evp, .arg = context, .ops = LOT});
	bench_check(aead_new(bytes_of(key, sizeof key), &aead, &err), &err);
	bench_add(bench, (struct bench_case){.name = "AES-256-GCM seal in a lot",
					     .run = lot,
					     .arg = aead,
					     .ops = LOT,
					     .reference = "AES-256-GCM by EVP, 30 bytes",
					     .most_ns = 150});
	bench_add(bench, (struct bench_case){.name = "AES-256-GCM open in a lot",
					     .run = open_lot,
					     .arg = aead,
					     .ops = LOT,
					     .reference = "AES-256-GCM by EVP, 30 bytes",
					     .most_ns = 150});
}

/* base64 of the 58 bytes that an encrypted address of 30 makes, and of 4 KiB, against OpenSSL's EVP_EncodeBlock. */
#include "bench.h"

#include <openssl/evp.h>

#include "base/encode.h"

#define SMALL 58
#define LARGE 4096
#define TIMES 64

static uint8_t raw[LARGE];
static char text[BASE64_LEN(LARGE) + 1];

static void ours(void *arg)
{
	for (unsigned i = 0; i < TIMES; i++)
		bench_sink += base64_encode(bytes_of(raw, *(const size_t *)arg), text);
}

static void openssl(void *arg)
{
	for (unsigned i = 0; i < TIMES; i++)
		bench_sink += (uint64_t)EVP_EncodeBlock((unsigned char *)text, raw, (int)*(const size_t *)arg);
}

static void decode(void *arg)
{
	static uint8_t back[BASE64_RAW_MAX(BASE64_LEN(LARGE))];
	size_t len = base64_encode(bytes_of(raw, *(const size_t *)arg), text), got;

	for (unsigned i = 0; i < TIMES; i++)
		bench_sink += base64_decode(bytes_of(text, len), back, &got);
}

void bench_add_base64(struct bench *bench)
{
	static size_t small = SMALL, large = LARGE;

	for (size_t i = 0; i < sizeof raw; i++)
		raw[i] = (uint8_t)(i * 167 + 13);
	bench_add(bench, (struct bench_case){.name = "EVP_EncodeBlock, 58 bytes",
					     .run = openssl,
					     .arg = &small,
					     .ops = TIMES,
					     .bytes = TIMES * SMALL});
	bench_add(bench, (struct bench_case){.name = "base64 encode, 58 bytes",
					     .run = ours,
					     .arg = &small,
					     .ops = TIMES,
					     .bytes = TIMES * SMALL,
					     .reference = "EVP_EncodeBlock, 58 bytes"});
	bench_add(bench, (struct bench_case){.name = "base64 decode, 58 bytes",
					     .run = decode,
					     .arg = &small,
					     .ops = TIMES,
					     .bytes = TIMES * SMALL});
	bench_add(bench, (struct bench_case){.name = "EVP_EncodeBlock, 4 KiB",
					     .run = openssl,
					     .arg = &large,
					     .ops = TIMES,
					     .bytes = TIMES * LARGE});
	bench_add(bench, (struct bench_case){.name = "base64 encode, 4 KiB",
					     .run = ours,
					     .arg = &large,
					     .ops = TIMES,
					     .bytes = TIMES * LARGE,
					     .reference = "EVP_EncodeBlock, 4 KiB"});
}

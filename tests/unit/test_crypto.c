/* crypto: AEAD, random pool, hashes and key derivation keep their headers' promises, errors included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/encode.h"
#include "crypto/block.h"
#include "crypto/aead.h"
#include "crypto/mac.h"
#include "crypto/random.h"

static const uint8_t key_bytes[64] = {0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe};

static struct aead *new_aead(const char *backend, size_t key_len)
{
	struct aead *aead;

	assert_true(aead_backend_force(backend));
	assert_int_equal(aead_new(bytes_of(key_bytes, key_len), &aead, NULL), SEAL_OK);
	return aead;
}

static void aead_key_lengths(void **state)
{
	for (size_t len = 0; len <= sizeof(key_bytes); len++) {
		struct seal_err err = SEAL_ERR_INIT;
		struct aead *aead = (struct aead *)&err;
		enum seal_status rc = aead_new(bytes_of(key_bytes, len), &aead, &err);

		if (len == 16 || len == 32) {
			assert_int_equal(rc, SEAL_OK);
			aead_free(aead);
		} else {
			assert_int_equal(rc, SEAL_USAGE);
			assert_int_equal(err.code, SEAL_E_KEY_TYPE);
			assert_null(aead);
		}
	}
	aead_free(NULL);
}

#define LOT 33
#define LEN 300

/* A lot of messages with lengths and associated data that grow, and where their parts lie. */
struct lot {
	uint8_t nonce[LOT][AEAD_NONCE_LEN], aad[64], plain[LOT][LEN], sealed[LOT][LEN], opened[LOT][LEN];
	uint8_t tag[LOT][AEAD_TAG_LEN];
	struct aead_item items[LOT];
};

static size_t length_of(size_t i)
{
	return i * i % (LEN + 1);
}

static void lot_init(struct lot *lot, size_t n)
{
	memset(lot, 0, sizeof(*lot));
	assert_int_equal(random_bytes(lot->aad, sizeof(lot->aad), NULL), SEAL_OK);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(random_bytes(lot->nonce[i], AEAD_NONCE_LEN, NULL), SEAL_OK);
		assert_int_equal(random_bytes(lot->plain[i], LEN, NULL), SEAL_OK);
		lot->items[i] = (struct aead_item){.nonce = lot->nonce[i],
						   .aad = bytes_of(lot->aad, i % 65),
						   .in = bytes_of(lot->plain[i], length_of(i)),
						   .out = lot->sealed[i],
						   .tag = lot->tag[i]};
	}
}

/* Turns the items around: what was sealed is opened into `opened`. */
static void lot_turn(struct lot *lot, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		lot->items[i].in = bytes_of(lot->sealed[i], length_of(i));
		lot->items[i].out = lot->opened[i];
	}
}

/* Each back end opens what each other one sealed, in lots of every size. */
static void aead_lots(void **state)
{
	static struct lot lot;
	const char *was = aead_backend();

	for (const char *const *from = aead_backends(); *from != NULL; from++)
		for (const char *const *to = aead_backends(); *to != NULL; to++)
			for (size_t n = 0; n <= LOT; n++) {
				struct aead *seal = new_aead(*from, n % 2 ? 16 : 32);
				struct aead *open = new_aead(*to, n % 2 ? 16 : 32);

				lot_init(&lot, n);
				assert_int_equal(aead_seal_many(seal, lot.items, n, NULL), SEAL_OK);
				lot_turn(&lot, n);
				assert_int_equal(aead_open_many(open, lot.items, n, NULL), SEAL_OK);
				for (size_t i = 0; i < n; i++) {
					assert_true(lot.items[i].ok);
					assert_memory_equal(lot.opened[i], lot.plain[i], length_of(i));
				}
				aead_free(seal);
				aead_free(open);
			}
	assert_true(aead_backend_force(was));
}

/* Opens a lot of three; the middle one must fail with its output zeroed, its neighbours must open. */
static void expect_middle_refused(struct aead *aead, struct lot *lot)
{
	static const uint8_t zeros[LEN];

	for (size_t i = 0; i < 3; i++) {
		memset(lot->opened[i], 0xee, LEN);
		lot->items[i].ok = true;
	}
	assert_int_equal(aead_open_many(aead, lot->items, 3, NULL), SEAL_OK);
	assert_true(lot->items[0].ok);
	assert_false(lot->items[1].ok);
	assert_true(lot->items[2].ok);
	assert_memory_equal(lot->opened[1], zeros, lot->items[1].in.len);
	assert_memory_equal(lot->opened[2], lot->plain[2], lot->items[2].in.len);
}

static void flip_each(struct aead *aead, struct lot *lot, uint8_t *bytes, size_t len)
{
	for (size_t bit = 0; bit < 8 * len; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		expect_middle_refused(aead, lot);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void aead_flipped_bits(void **state)
{
	static struct lot lot;
	const char *was = aead_backend();
	uint8_t aad[20] = {1, 2, 3};

	for (const char *const *name = aead_backends(); *name != NULL; name++)
		for (size_t key_len = 16; key_len <= 32; key_len += 16) {
			struct aead *aead = new_aead(*name, key_len);

			lot_init(&lot, 3);
			for (size_t i = 0; i < 3; i++)
				lot.items[i].in.len = 47;
			lot.items[1].aad = bytes_of(aad, sizeof(aad));
			assert_int_equal(aead_seal_many(aead, lot.items, 3, NULL), SEAL_OK);
			for (size_t i = 0; i < 3; i++) {
				lot.items[i].in.ptr = lot.sealed[i];
				lot.items[i].out = lot.opened[i];
			}
			flip_each(aead, &lot, lot.tag[1], AEAD_TAG_LEN);
			flip_each(aead, &lot, lot.sealed[1], 47);
			flip_each(aead, &lot, lot.nonce[1], AEAD_NONCE_LEN);
			flip_each(aead, &lot, aad, sizeof(aad));
			lot.items[1].in.len = 46; /* cut */
			expect_middle_refused(aead, &lot);
			lot.items[1].in.len = 47;
			lot.items[1].aad.len--;
			expect_middle_refused(aead, &lot);
			aead_free(aead);
		}
	assert_true(aead_backend_force(was));
}

/* Longer than any internal block count, at odd ends: every back end makes the same bytes, and opens them in place. */
static void aead_long(void **state)
{
	static const size_t lengths[] = {1023, 4096, 65537, (1 << 20) + 3};
	static uint8_t plain[(1 << 20) + 3], first[(1 << 20) + 3], out[(1 << 20) + 3];
	const char *was = aead_backend();
	uint8_t nonce[AEAD_NONCE_LEN] = {1}, first_tag[AEAD_TAG_LEN], tag[AEAD_TAG_LEN];

	assert_int_equal(random_bytes(plain, sizeof(plain), NULL), SEAL_OK);
	for (size_t i = 0; i < 4; i++)
		for (const char *const *name = aead_backends(); *name != NULL; name++) {
			bool is_first = name == aead_backends();
			struct aead *aead = new_aead(*name, 32);
			struct aead_item item = {.nonce = nonce,
						 .aad = bytes_of(plain, lengths[i] / 2),
						 .in = bytes_of(plain, lengths[i]),
						 .out = is_first ? first : out,
						 .tag = is_first ? first_tag : tag};

			assert_int_equal(aead_seal_many(aead, &item, 1, NULL), SEAL_OK);
			assert_memory_equal(item.out, first, lengths[i]);
			assert_memory_equal(item.tag, first_tag, AEAD_TAG_LEN);
			memcpy(out, first, lengths[i]);
			item.in.ptr = item.out = out;
			assert_int_equal(aead_open_many(aead, &item, 1, NULL), SEAL_OK);
			assert_true(item.ok);
			assert_memory_equal(out, plain, lengths[i]);
			aead_free(aead);
		}
	assert_true(aead_backend_force(was));
}

/* A message over the limit refuses the whole lot, before anything is written. */
static void aead_too_long(void **state)
{
	static struct lot lot;
	struct aead *aead = new_aead(aead_backend(), 32);
	static const uint8_t zeros[LEN];

	for (int aad = 0; aad <= 1; aad++) {
		struct seal_err err = SEAL_ERR_INIT;

		lot_init(&lot, 10);
		lot.items[9].in.len = aad ? 1 : AEAD_MESSAGE_MAX + 1;
		lot.items[9].aad.len = aad ? AEAD_MESSAGE_MAX + 1 : 1;
		assert_int_equal(aead_seal_many(aead, lot.items, 10, &err), SEAL_DATA);
		assert_int_equal(err.code, SEAL_E_LIMIT);
		assert_non_null(strstr(err.text, "67108865 bytes"));
		assert_memory_equal(lot.sealed[8], zeros, LEN);
		err = (struct seal_err)SEAL_ERR_INIT;
		lot.items[8].ok = true;
		assert_int_equal(aead_open_many(aead, lot.items, 10, &err), SEAL_DATA);
		assert_int_equal(err.code, SEAL_E_LIMIT);
		assert_false(lot.items[8].ok);
	}
	aead_free(aead);
}

static void aead_backend_choice(void **state)
{
	const char *was = aead_backend();
	bool seen = false;

	assert_false(aead_backend_force("no such thing"));
	assert_string_equal(aead_backend(), was);
	for (const char *const *name = aead_backends(); *name != NULL; name++) {
		seen = seen || strcmp(*name, "openssl") == 0;
		assert_true(aead_backend_force(*name));
		assert_string_equal(aead_backend(), *name);
	}
	assert_true(seen);
	assert_true(aead_backend_force(was));
}

static int compare_nonces(const void *a, const void *b)
{
	return memcmp(a, b, AEAD_NONCE_LEN);
}

/* A million by default; SEAL_TEST_NONCES says how many. */
static void random_unique(void **state)
{
	const char *text = getenv("SEAL_TEST_NONCES");
	size_t n = text ? strtoul(text, NULL, 10) : 1000000;
	uint8_t(*nonces)[AEAD_NONCE_LEN] = mem_alloc(n * AEAD_NONCE_LEN);
	struct random_pool pool;

	assert_non_null(nonces);
	random_pool_init(&pool);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(random_pool_take(&pool, nonces[i], AEAD_NONCE_LEN, NULL), SEAL_OK);
	random_pool_clear(&pool);
	qsort(nonces, n, AEAD_NONCE_LEN, compare_nonces);
	for (size_t i = 1; i < n; i++)
		if (memcmp(nonces[i - 1], nonces[i], AEAD_NONCE_LEN) == 0)
			fail_msg("nonce given twice");
	mem_free(nonces);
}

/* What was given is gone from the pool; what is given is what the pool held. */
static void random_wipes(void **state)
{
	struct random_pool pool;
	uint8_t out[100], held[sizeof(pool.bytes)];
	static const uint8_t zeros[sizeof(pool.bytes)];

	random_pool_init(&pool);
	assert_int_equal(random_pool_take(&pool, out, 1, NULL), SEAL_OK);
	memcpy(held, pool.bytes, sizeof(held));
	assert_memory_not_equal(held + 1, zeros, sizeof(held) - 1);
	assert_int_equal(random_pool_take(&pool, out, sizeof(out), NULL), SEAL_OK);
	assert_memory_equal(out, held + 1, sizeof(out));
	assert_int_equal(pool.used, 101);
	assert_memory_equal(pool.bytes, zeros, 101);
	assert_memory_equal(pool.bytes + 101, held + 101, sizeof(held) - 101);
	random_pool_clear(&pool);
	assert_memory_equal(pool.bytes, zeros, sizeof(zeros));
}

static void random_sizes(void **state)
{
	struct random_pool pool = {.used = 0}; /* never initialised: still nothing but random bytes */
	static uint8_t big[10000], zeros[32];

	random_pool_init(&pool);
	assert_int_equal(random_pool_take(&pool, big, 0, NULL), SEAL_OK);
	for (size_t len = 32; len <= sizeof(big); len += 997) {
		memset(big, 0, sizeof(big));
		assert_int_equal(random_pool_take(&pool, big, len, NULL), SEAL_OK);
		assert_memory_not_equal(big, zeros, 32);
		assert_memory_not_equal(big + len - 32, zeros, 32);
	}
	random_pool_clear(&pool);
	assert_int_equal(random_pool_take(&pool, big, 32, NULL), SEAL_OK); /* usable again */
	random_pool_clear(&pool);
}

/* A pool that was full when the process forked gives parent and child different bytes. */
static void random_fork(void **state)
{
	struct random_pool pool;
	uint8_t mine[64], theirs[64];
	int pipe_fd[2], status;
	pid_t child;

	random_pool_init(&pool);
	assert_int_equal(random_pool_take(&pool, mine, 1, NULL), SEAL_OK);
	assert_int_equal(pipe(pipe_fd), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		bool ok = random_pool_take(&pool, theirs, sizeof(theirs), NULL) == SEAL_OK &&
			  write(pipe_fd[1], theirs, sizeof(theirs)) == sizeof(theirs);

		_exit(ok ? 0 : 1);
	}
	assert_int_equal(random_pool_take(&pool, mine, sizeof(mine), NULL), SEAL_OK);
	assert_int_equal(read(pipe_fd[0], theirs, sizeof(theirs)), sizeof(theirs));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_memory_not_equal(mine, theirs, sizeof(mine));
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	random_pool_clear(&pool);
}

/* libcrypto's generator, as random.c calls it: with a lock, like the real one, and as slow as a test wants it. */
static pthread_mutex_t generator = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool is_slow, is_drawing;

int RAND_bytes(unsigned char *out, int len)
{
	int drawn;

	pthread_mutex_lock(&generator);
	if (atomic_load(&is_slow)) {
		atomic_store(&is_drawing, true);
		usleep(200000);
	}
	drawn = RAND_bytes_ex(NULL, out, (size_t)len, 0);
	pthread_mutex_unlock(&generator);
	return drawn;
}

static void *draw_one(void *arg)
{
	bool *drawn = arg;
	uint8_t out[1];

	*drawn = random_bytes(out, sizeof(out), NULL) == SEAL_OK;
	return NULL;
}

/* The child of a process whose other thread is in the generator has one that works. */
static void random_fork_while_another_draws(void **state)
{
	bool drawn = false;
	pthread_t other;
	int status;
	pid_t child;

	atomic_store(&is_slow, true);
	assert_int_equal(pthread_create(&other, NULL, draw_one, &drawn), 0);
	while (!atomic_load(&is_drawing))
		usleep(1000);
	atomic_store(&is_slow, false);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		alarm(60);
		draw_one(&drawn);
		_exit(drawn ? 0 : 1);
	}
	assert_int_equal(pthread_join(other, NULL), 0);
	assert_true(drawn);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* Where the boundary between prefix and message lies must not matter; a lot equals one at a time. */
static void hmac_lots(void **state)
{
	static const char text[] = "the prefix and the message are hashed as one";
	struct hmac_item items[LOT];
	uint8_t out[LOT][SHA256_LEN], alone[SHA256_LEN];
	struct hmac *hmac;

	for (size_t key_len = 0; key_len <= sizeof(key_bytes); key_len += 32) {
		assert_int_equal(hmac_new(bytes_of(key_bytes, key_len), &hmac, NULL), SEAL_OK);
		for (size_t i = 0; i < LOT; i++)
			items[i] =
				(struct hmac_item){bytes_of(text, i), bytes_of(text + i, sizeof(text) - i), out[i]};
		assert_int_equal(hmac_many(hmac, items, LOT, NULL), SEAL_OK);
		items[0].out = alone;
		assert_int_equal(hmac_many(hmac, items, 1, NULL), SEAL_OK);
		for (size_t i = 0; i < LOT; i++)
			assert_memory_equal(out[i], alone, SHA256_LEN);
		items[0] = (struct hmac_item){BYTES_EMPTY, BYTES_EMPTY, out[0]};
		assert_int_equal(hmac_many(hmac, items, 1, NULL), SEAL_OK);
		assert_memory_not_equal(out[0], alone, SHA256_LEN);
		hmac_free(hmac);
	}
	hmac_free(NULL);
}

/* FIPS 197, appendix C.3; blocks are each for itself, and more of them than one call of libcrypto takes. */
static void blocks(void **state)
{
	enum { N = 5000 };
	static uint8_t all[N][BLOCK_LEN];
	uint8_t key[BLOCK_KEY_LEN], plain[BLOCK_LEN], cipher[BLOCK_LEN];

	assert_true(hex_decode(BYTES_LIT("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"), key));
	assert_true(hex_decode(BYTES_LIT("00112233445566778899aabbccddeeff"), plain));
	assert_true(hex_decode(BYTES_LIT("8ea2b7ca516745bfeafc49904b496089"), cipher));
	for (int i = 0; i < N; i++)
		memcpy(all[i], plain, BLOCK_LEN);
	assert_int_equal(blocks_permute(key, false, all[0], N, NULL), SEAL_OK);
	for (int i = 0; i < N; i++)
		assert_memory_equal(all[i], cipher, BLOCK_LEN);
	assert_int_equal(blocks_permute(key, true, all[0], N, NULL), SEAL_OK);
	for (int i = 0; i < N; i++)
		assert_memory_equal(all[i], plain, BLOCK_LEN);
	assert_int_equal(blocks_permute(key, false, all[0], 0, NULL), SEAL_OK);
}

#define HMAC_LOT 200
#define HMAC_LEN 5000

/* Lots of all sizes; messages that are empty, short and long next to each other, in any order. */
static void compare_hmac_lots(void)
{
	static uint8_t message[HMAC_LEN], out[HMAC_LOT][SHA256_LEN];
	static struct hmac_item items[HMAC_LOT];
	static const size_t most[] = {1, 56, 64, 256, 1000, HMAC_LEN};
	uint8_t expected[SHA256_LEN];
	struct hmac *hmac;
	uint32_t dice = 7;

	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)(i * 31 + 7);
	assert_int_equal(hmac_new(bytes_of(key_bytes, 32), &hmac, NULL), SEAL_OK);
	for (size_t n = 0; n <= HMAC_LOT; n += n < 10 ? 1 : 19) {
		for (size_t i = 0; i < n; i++) {
			size_t len, cut;

			dice = dice * 1103515245 + 12345;
			len = (dice >> 16) % most[(dice >> 8) % (sizeof(most) / sizeof(most[0]))];
			cut = i % 3 == 0 ? 0 : (dice >> 4) % (len + 1);
			items[i] = (struct hmac_item){bytes_of(message, cut), bytes_of(message + cut, len - cut),
						      out[i]};
		}
		memset(out, 0, sizeof(out));
		assert_int_equal(hmac_many(hmac, items, n, NULL), SEAL_OK);
		for (size_t i = 0; i < n; i++) {
			assert_non_null(HMAC(EVP_sha256(), key_bytes, 32, message,
					     items[i].prefix.len + items[i].in.len, expected, NULL));
			assert_memory_equal(out[i], expected, SHA256_LEN);
		}
	}
	hmac_free(hmac);
}

/* Both back ends; the fast one, which is the default, last. */
static void hmac_lots_are_libcryptos(void **state)
{
	assert_true(hmac_backend_force("openssl"));
	compare_hmac_lots();
	if (hmac_backend_force("ipsec-mb"))
		compare_hmac_lots();
	assert_false(hmac_backend_force("other"));
}

/* Messages of one block and of several, keys up to a block and longer: all as libcrypto's own HMAC makes them. */
static void compare_hmac(const char *backend)
{
	static const size_t key_lens[] = {0, 1, 32, 63, 64, 65, 200};
	uint8_t key[200], message[300], out[4][SHA256_LEN], expected[SHA256_LEN];

	if (!hmac_backend_force(backend))
		return;
	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)(i * 31 + 7);
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 17 + 3);
	for (size_t k = 0; k < sizeof(key_lens) / sizeof(key_lens[0]); k++) {
		struct hmac *hmac;

		assert_int_equal(hmac_new(bytes_of(key, key_lens[k]), &hmac, NULL), SEAL_OK);
		for (size_t len = 0; len <= sizeof(message); len++) {
			struct hmac_item items[4];

			for (size_t i = 0; i < 4; i++) {
				const size_t cut = len * i / 3;

				items[i] = (struct hmac_item){bytes_of(message, cut),
							      bytes_of(message + cut, len - cut), out[i]};
			}
			assert_int_equal(hmac_many(hmac, items, 1, NULL), SEAL_OK);
			assert_non_null(HMAC(EVP_sha256(), key, (int)key_lens[k], message, len, expected, NULL));
			assert_memory_equal(out[0], expected, SHA256_LEN);
			assert_int_equal(hmac_many(hmac, items, 4, NULL), SEAL_OK);
			for (size_t i = 0; i < 4; i++)
				assert_memory_equal(out[i], expected, SHA256_LEN);
		}
		hmac_free(hmac);
	}
}

static void hmac_is_libcryptos(void **state)
{
	compare_hmac("openssl");
	compare_hmac("ipsec-mb");
}

/* Shorter output is a prefix of longer; another info or salt gives another key; the longest allowed works. */
static void hkdf_lengths(void **state)
{
	struct secret longest = SECRET_INIT, other = SECRET_INIT;
	struct seal_bytes key = bytes_of(key_bytes, 32);

	assert_int_equal(hkdf_sha256(key, BYTES_LIT("salt"), BYTES_LIT("info"), 8160, &longest, NULL), SEAL_OK);
	assert_int_equal(longest.len, 8160);
	for (size_t len = 1; len < 8160; len += 313) {
		assert_int_equal(hkdf_sha256(key, BYTES_LIT("salt"), BYTES_LIT("info"), len, &other, NULL), SEAL_OK);
		assert_int_equal(other.len, len);
		assert_memory_equal(other.ptr, longest.ptr, len);
		secret_clear(&other);
	}
	assert_int_equal(hkdf_sha256(key, BYTES_LIT("salt"), BYTES_LIT("inf0"), 32, &other, NULL), SEAL_OK);
	assert_memory_not_equal(other.ptr, longest.ptr, 32);
	secret_clear(&other);
	assert_int_equal(hkdf_sha256(key, BYTES_LIT("sa1t"), BYTES_LIT("info"), 32, &other, NULL), SEAL_OK);
	assert_memory_not_equal(other.ptr, longest.ptr, 32);
	secret_clear(&other);
	secret_clear(&longest);
}

static void scrypt_limits(void **state)
{
	static const unsigned bad[][3] = {{0, 8, 1},  {31, 8, 1},    {14, 0, 1}, {14, 1025, 1},
					  {14, 8, 0}, {14, 8, 1025}, {20, 8, 1}, {13, 1024, 1}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct seal_err err = SEAL_ERR_INIT;
		struct secret out = SECRET_INIT;

		assert_int_equal(scrypt_derive(BYTES_LIT("p"), BYTES_LIT("s"), bad[i][0], bad[i][1], bad[i][2], 32,
					       &out, &err),
				 SEAL_DATA);
		assert_int_equal(err.code, SEAL_E_LIMIT);
		assert_null(out.ptr);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aead_key_lengths),
		cmocka_unit_test(aead_lots),
		cmocka_unit_test(aead_flipped_bits),
		cmocka_unit_test(aead_long),
		cmocka_unit_test(aead_too_long),
		cmocka_unit_test(aead_backend_choice),
		cmocka_unit_test(random_unique),
		cmocka_unit_test(random_wipes),
		cmocka_unit_test(random_sizes),
		cmocka_unit_test(random_fork),
		cmocka_unit_test(random_fork_while_another_draws),
		cmocka_unit_test(hmac_lots),
		cmocka_unit_test(hmac_is_libcryptos),
		cmocka_unit_test(blocks),
		cmocka_unit_test(hmac_lots_are_libcryptos),
		cmocka_unit_test(hkdf_lengths),
		cmocka_unit_test(scrypt_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* data keys: derivation, the writer's and the readers' limits, and commitment against ciphertext that two keys open. */
#include "data_keys_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/secret_slot.h"
#include "crypto/aead.h"
#include "crypto/mac.h"
#include "crypto/siphash.h"

/* SipHash-2-4 of 00, 01, … under the key 00 … 0f (the paper's appendix A, and its authors' table). */
static void sip_hash(void **state)
{
	uint8_t key[SIPHASH_KEY_LEN], in[64];

	for (unsigned i = 0; i < 64; i++)
		in[i] = (uint8_t)i;
	memcpy(key, in, sizeof(key));
	assert_true(siphash(key, BYTES_EMPTY) == 0x726fdb47dd0e0e31);
	assert_true(siphash(key, bytes_of(in, 1)) == 0x74f839c593dc67fd);
	assert_true(siphash(key, bytes_of(in, 8)) == 0x93f5f5799a932462);
	assert_true(siphash(key, bytes_of(in, 15)) == 0xa129ca6149be45e5);
}

static void slots_share_pages(void **state)
{
	struct secret_slot slots[300] = {0}, empty = SECRET_SLOT_INIT;
	const size_t before = secret_slot_pages();

	for (size_t i = 0; i < 300; i++) {
		assert_int_equal(secret_slot_alloc(&slots[i], NULL), SEAL_OK);
		for (size_t j = 0; j < SECRET_SLOT_LEN; j++)
			assert_int_equal(slots[i].ptr[j], 0);
		memset(slots[i].ptr, (int)i, SECRET_SLOT_LEN);
	}
	assert_int_equal(secret_slot_pages() - before, 3);
	for (size_t i = 0; i < 300; i++)
		for (size_t j = 0; j < SECRET_SLOT_LEN; j++)
			assert_int_equal(slots[i].ptr[j], (uint8_t)i);
	secret_slot_clear(&slots[7]);
	secret_slot_clear(&slots[7]); /* once is enough */
	assert_int_equal(secret_slot_alloc(&slots[7], NULL), SEAL_OK);
	assert_int_equal(slots[7].ptr[0], 0); /* wiped */
	assert_int_equal(secret_slot_pages() - before, 3);
	for (size_t i = 0; i < 300; i++)
		secret_slot_clear(&slots[i]);
	secret_slot_clear(&empty);
	assert_int_equal(secret_slot_pages(), before);
}

static void *use_slots(void *arg)
{
	struct secret_slot slot = SECRET_SLOT_INIT;
	atomic_bool *stop = arg;

	while (!atomic_load(stop)) {
		if (secret_slot_alloc(&slot, NULL) != SEAL_OK)
			abort();
		secret_slot_clear(&slot);
	}
	return NULL;
}

/* Whatever another thread was about: children find the slots free to use. One that waits for ever is ended by its alarm. */
static void children_of_fork_have_slots(void **state)
{
	struct secret_slot slot = SECRET_SLOT_INIT;
	atomic_bool stop = false;
	pthread_t thread;
	int how;

	assert_int_equal(pthread_create(&thread, NULL, use_slots, &stop), 0);
	for (unsigned i = 0; i < 300; i++) {
		pid_t child = fork();

		if (child == 0) {
			alarm(120);
			_exit(secret_slot_alloc(&slot, NULL) == SEAL_OK ? 0 : 1);
		}
		assert_true(child > 0);
		assert_true(waitpid(child, &how, 0) == child);
		assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
	}
	atomic_store(&stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* Of a key 00 … 1f; computed with Python's hmac and hashlib (RFC 5869, no salt). */
static void derivation(void **state)
{
	uint8_t raw[DATA_KEY_LEN], want[32];
	struct data_key *key;

	for (unsigned i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)i;
	assert_int_equal(data_key_new(bytes_of(raw, sizeof(raw)), BYTES_LIT("vault:v1:abc"), &key, NULL), SEAL_OK);
	assert_true(hex_decode(BYTES_LIT("a526bb1839b5a377994f787e0cd503322a926cb502298e9f8205d704571281d8"), want));
	assert_memory_equal(data_key_cipher_key(key).ptr, want, 32);
	assert_int_equal(data_key_cipher_key(key).len, 32);
	assert_true(hex_decode(BYTES_LIT("daf462fc4b160358b2bdd641d3b8bbd2ca887bf2037a64982a6b0cd64eea363a"), want));
	assert_memory_equal(data_key_commitment(key), want, 32);
	assert_true(data_key_has(key, want));
	want[31] ^= 1;
	assert_false(data_key_has(key, want));
	assert_true(bytes_eq_str(data_key_wrapped(key), "vault:v1:abc"));
	data_key_unref(data_key_ref(key));
	data_key_unref(key);
	data_key_unref(NULL);
}

static void lengths(void **state)
{
	uint8_t raw[DATA_KEY_LEN + 1] = {0}, wrapped[DATA_KEY_WRAPPED_MAX + 1] = {0};
	const size_t bad[] = {0, 16, 31, 33};
	struct data_key *key = (struct data_key *)raw;
	struct seal_err err = SEAL_ERR_INIT;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err_clear(&err);
		assert_int_equal(data_key_new(bytes_of(raw, bad[i]), BYTES_EMPTY, &key, &err), SEAL_DATA);
		assert_int_equal(err.code, SEAL_E_SYNTAX);
		assert_null(key);
	}
	err_clear(&err);
	assert_int_equal(data_key_new(bytes_of(raw, 32), bytes_of(wrapped, sizeof(wrapped)), &key, &err), SEAL_DATA);
	assert_int_equal(err.code, SEAL_E_LIMIT);
	assert_int_equal(data_key_new(bytes_of(raw, 32), bytes_of(wrapped, sizeof(wrapped) - 1), &key, NULL),
			 SEAL_OK);
	assert_int_equal(data_key_wrapped(key).len, DATA_KEY_WRAPPED_MAX);
	data_key_unref(key);
}

static void uses_are_counted(void **state)
{
	struct data_key *first, *same, *second;
	struct data_keys_fixture f;

	fixture_open(&f, (struct data_keys_options){.max_uses = 10});
	first = write_key(&f, 4);
	same = write_key(&f, 6);
	assert_ptr_equal(first, same);
	assert_int_equal(atomic_load(&f.kek.data_keys), 1);
	second = write_key(&f, 10);
	assert_ptr_not_equal(first, second);
	data_key_unref(second);
	/* what does not fit into the rest takes a new key */
	data_key_unref(write_key(&f, 9));
	data_key_unref(write_key(&f, 2));
	assert_int_equal(atomic_load(&f.kek.data_keys), 4);
	/* the writer's keys are readers', too; the KEK decrypts nothing */
	assert_int_equal(open_one(&f, want_of(first)), SEAL_OK);
	assert_int_equal(atomic_load(&f.kek.decrypts), 0);
	data_key_unref(first);
	data_key_unref(same);
	fixture_close(&f);
}

static void writer_age(void **state)
{
	struct data_key *first, *second;
	struct data_keys_fixture f;

	fixture_open(&f, (struct data_keys_options){0});
	first = write_key(&f, 1);
	fixed_now_ms += DATA_KEYS_MAX_AGE_DEFAULT_MS * 9 / 10 - 1;
	second = write_key(&f, 1);
	assert_ptr_equal(first, second);
	data_key_unref(second);
	fixed_now_ms += 1;
	second = write_key(&f, 1);
	assert_ptr_not_equal(first, second);
	assert_int_equal(atomic_load(&f.kek.data_keys), 2);
	data_key_unref(first);
	data_key_unref(second);
	fixture_close(&f);
}

/* The next key does not come in the last tenth of the age: told, asked for again now and then, and the age ends all the same. */
static void next_key_is_late(void **state)
{
	atomic_uint late = 0;
	const struct key_metrics metrics = {.data_keys_late = &late};
	struct data_key *key, *none = NULL;
	struct data_keys_fixture f;

	fixture_open(&f, (struct data_keys_options){.max_age_ms = 1000, .metrics = &metrics});
	key = write_key(&f, 1);
	atomic_store(&f.kek.fail, SEAL_RETRY);
	fixed_now_ms += 899;
	data_key_unref(write_key(&f, 1));
	assert_int_equal(atomic_load(&late), 0); /* nobody has asked */
	fixed_now_ms += 1;
	data_key_unref(write_key(&f, 1));
	data_key_unref(write_key(&f, 1));
	assert_int_equal(atomic_load(&late), 1);
	atomic_store(&f.kek.fail, SEAL_OK);
	fixed_now_ms += 9;
	data_key_unref(write_key(&f, 1));
	assert_int_equal(atomic_load(&late), 1); /* not yet asked again */
	fixed_now_ms += 1;
	data_key_unref(write_key(&f, 1));
	assert_int_equal(atomic_load(&late), 0);
	assert_int_equal(atomic_load(&f.kek.data_keys), 3); /* one of which failed */
	atomic_store(&f.kek.fail, SEAL_RETRY);
	fixed_now_ms += 999;
	data_key_unref(write_key(&f, 1));
	assert_int_equal(atomic_load(&late), 1);
	fixed_now_ms += 1;
	assert_int_equal(data_keys_writer(f.keys, &f.session.base, 1, &f.call, &none, &f.err), SEAL_RETRY);
	assert_null(none);
	data_key_unref(key);
	fixture_close(&f);
	assert_int_equal(atomic_load(&late), 0); /* gone with its keys */
}

static void reader_age(void **state)
{
	struct data_keys_fixture f;
	struct data_key *key;

	fixture_open(&f, (struct data_keys_options){.max_age_ms = 500});
	key = foreign_key(&f.kek, 1);
	assert_int_equal(open_one(&f, want_of(key)), SEAL_OK);
	fixed_now_ms += 499;
	assert_int_equal(open_one(&f, want_of(key)), SEAL_OK); /* looking does not make it younger */
	assert_int_equal(atomic_load(&f.kek.decrypts), 1);
	fixed_now_ms += 1;
	assert_int_equal(open_one(&f, want_of(key)), SEAL_OK);
	assert_int_equal(atomic_load(&f.kek.decrypts), 2);
	data_key_unref(key);
	fixture_close(&f);
}

/* With the KEK away, what is young goes on; then all fails, and the key does not live on for it. */
static void kek_away(void **state)
{
	struct data_keys_fixture f;
	struct data_key_want wants[2];
	struct data_key *key, *writer, *none = NULL;

	fixture_open(&f, (struct data_keys_options){.max_age_ms = 500});
	key = foreign_key(&f.kek, 1);
	writer = write_key(&f, 1);
	assert_int_equal(open_one(&f, want_of(key)), SEAL_OK);
	atomic_store(&f.kek.fail, SEAL_RETRY);
	fixed_now_ms += 499;
	data_key_unref(write_key(&f, 1));
	assert_int_equal(open_one(&f, want_of(key)), SEAL_OK);
	/* one that is there, one that is not: the first works, the second says why */
	wants[0] = want_of(key);
	wants[1] = (struct data_key_want){.wrapped = BYTES_LIT("vault:v1:x"), .commitment = data_key_commitment(key)};
	assert_int_equal(data_keys_open(f.keys, &f.session.base, wants, 2, &f.call, NULL), SEAL_OK);
	assert_non_null(wants[0].key);
	assert_null(wants[1].key);
	assert_int_equal(wants[1].err->status, SEAL_RETRY);
	data_key_unref(wants[0].key);
	fixed_now_ms += 1;
	assert_int_equal(open_one(&f, want_of(key)), SEAL_RETRY);
	assert_int_equal(f.err.code, SEAL_E_SERVICE);
	assert_string_equal(f.err.text, "the fake KEK is away");
	err_clear(&f.err);
	assert_int_equal(data_keys_writer(f.keys, &f.session.base, 1, &f.call, &none, &f.err), SEAL_RETRY);
	assert_null(none);
	assert_string_equal(f.err.text, "the fake KEK is away");
	/* back again: nothing of the failure is remembered */
	atomic_store(&f.kek.fail, SEAL_OK);
	assert_int_equal(open_one(&f, want_of(key)), SEAL_OK);
	data_key_unref(write_key(&f, 1));
	data_key_unref(writer);
	data_key_unref(key);
	fixture_close(&f);
}

/* Keys that were used lately stay; the number of keys in locked memory is bounded. */
static void readers_are_bounded(void **state)
{
	const size_t before = secret_slot_pages();
	struct data_keys_fixture f;
	struct data_key *first, *key, *keys[5];

	fixture_open(&f, (struct data_keys_options){.readers = 4});
	first = foreign_key(&f.kek, 0);
	assert_int_equal(open_one(&f, want_of(first)), SEAL_OK);
	for (uint32_t i = 1; i <= 100; i++) {
		key = foreign_key(&f.kek, i);
		assert_int_equal(open_one(&f, want_of(key)), SEAL_OK);
		assert_int_equal(open_one(&f, want_of(first)), SEAL_OK);
		data_key_unref(key);
		arena_reset(&f.arena);
	}
	assert_int_equal(atomic_load(&f.kek.decrypts), 101);
	assert_true(secret_slot_pages() - before <= 1);
	for (uint32_t i = 0; i < 5; i++) {
		keys[i] = foreign_key(&f.kek, 1000 + i);
		assert_int_equal(open_one(&f, want_of(keys[i])), SEAL_OK);
	}
	assert_int_equal(atomic_load(&f.kek.decrypts), 106);
	for (uint32_t i = 5; i > 0; i--) /* the newest four are there, the fifth and `first` made room */
		assert_int_equal(open_one(&f, want_of(keys[i - 1])), SEAL_OK);
	assert_int_equal(atomic_load(&f.kek.decrypts), 107);
	assert_int_equal(open_one(&f, want_of(first)), SEAL_OK);
	assert_int_equal(atomic_load(&f.kek.decrypts), 108);
	for (uint32_t i = 0; i < 5; i++)
		data_key_unref(keys[i]);
	data_key_unref(first);
	fixture_close(&f);
	assert_int_equal(secret_slot_pages(), before);
}

/* Forgotten while somebody fetches it: they get it, nobody after them does. */
static void dropped_on_the_way(void **state)
{
	struct fake_kek kek = FAKE_KEK_INIT;
	struct key_seek one = {.name = BYTES_LIT("a")}, two = one;
	struct data_key *key = foreign_key(&kek, 1);
	struct key_cache *cache;

	assert_int_equal(key_cache_new(4, 1000, &cache, NULL), SEAL_OK);
	assert_int_equal(key_cache_seek(cache, &one, 1, NULL), SEAL_OK);
	assert_true(one.mine);
	key_cache_drop(cache, BYTES_LIT("a"));
	key_cache_settle(cache, &one, key, NULL);
	assert_ptr_equal(one.key, key);
	assert_int_equal(key_cache_count(cache), 0);
	assert_int_equal(key_cache_seek(cache, &two, 1, NULL), SEAL_OK);
	assert_true(two.mine);
	key_cache_settle(cache, &two, key, NULL);
	assert_int_equal(key_cache_count(cache), 1);
	key_seeks_release(&one, 1);
	key_seeks_release(&two, 1);
	data_key_unref(key);
	key_cache_free(cache);
}

/* A lot of many keys, some of them twice, some bad: one call of the KEK, and each bad one fails alone. */
static void one_call_per_lot(void **state)
{
	enum { KEYS = 50, WANTS = 2 * KEYS + 3 };
	struct data_key *keys[KEYS];
	struct data_key_want wants[WANTS];
	uint8_t longer[DATA_KEY_WRAPPED_MAX + 1];
	struct seal_bytes value;
	struct data_keys_fixture f;

	fixture_open(&f, (struct data_keys_options){0});
	for (uint32_t i = 0; i < KEYS; i++) {
		keys[i] = foreign_key(&f.kek, i);
		wants[2 * i] = wants[2 * i + 1] = want_of(keys[i]);
	}
	memset(longer, 'x', sizeof(longer));
	value = fake_kek_wrap(&f.kek, BYTES_LIT("an encrypted value, no data key"));
	wants[WANTS - 3] = (struct data_key_want){BYTES_EMPTY, data_key_commitment(keys[0]), NULL, NULL};
	wants[WANTS - 2] = (struct data_key_want){bytes_of(longer, sizeof(longer)), longer, NULL, NULL};
	wants[WANTS - 1] = (struct data_key_want){value, longer, NULL, NULL};
	assert_int_equal(data_keys_open(f.keys, &f.session.base, wants, WANTS, &f.call, &f.err), SEAL_OK);
	assert_int_equal(atomic_load(&f.kek.decrypts), 1);
	assert_int_equal(atomic_load(&f.kek.items), KEYS + 2); /* none twice, the long one not at all */
	for (uint32_t i = 0; i < 2 * KEYS; i++) {
		assert_non_null(wants[i].key);
		assert_memory_equal(data_key_cipher_key(wants[i].key).ptr, data_key_cipher_key(keys[i / 2]).ptr, 32);
		data_key_unref(wants[i].key);
	}
	for (size_t i = 2 * KEYS; i < WANTS; i++) {
		assert_null(wants[i].key);
		assert_int_equal(wants[i].err->status, SEAL_DATA);
	}
	assert_int_equal(wants[WANTS - 2].err->code, SEAL_E_LIMIT);
	assert_int_equal(wants[WANTS - 1].err->code, SEAL_E_SYNTAX);
	for (uint32_t i = 0; i < KEYS; i++)
		data_key_unref(keys[i]);
	mem_free((void *)value.ptr);
	fixture_close(&f);
}

/* The context of a derived KEK, and of no other. */
static void derived_kek(void **state)
{
	struct data_keys_fixture f;
	struct data_key *key;

	fixture_open(&f, (struct data_keys_options){.derived = true, .max_age_ms = 1});
	f.kek.want_aad = BYTES_LIT(DATA_KEYS_CONTEXT);
	key = write_key(&f, 1);
	fixed_now_ms += 1;
	assert_int_equal(open_one(&f, want_of(key)), SEAL_OK);
	assert_int_equal(atomic_load(&f.kek.decrypts), 1);
	data_key_unref(key);
	fixture_close(&f);
}

/* Keys go on after their table; a KEK that makes none is told so. */
static void ends(void **state)
{
	struct data_keys_fixture f;
	struct key_session_ops stiff;
	struct key_session session = {&stiff};
	struct data_key *key, *none;

	fixture_open(&f, (struct data_keys_options){0});
	stiff = *f.session.base.ops;
	stiff.data_key = NULL;
	assert_int_equal(data_keys_writer(f.keys, &session, 1, &f.call, &none, &f.err), SEAL_USAGE);
	assert_int_equal(f.err.code, SEAL_E_KEY_TYPE);
	assert_null(none);
	key = write_key(&f, 1);
	fixture_close(&f);
	assert_int_equal(data_key_cipher_key(key).len, 32);
	data_key_unref(key);
	data_keys_free(NULL);
}

/*
 * Two AES-GCM keys, one nonce: the tag of a ciphertext block C is affine in the bits of C, so 128 equations over GF(2) say
 * for which C both keys make the same tag.
 */
struct two_keys {
	struct aead *aead[2];
	uint8_t nonce[AEAD_NONCE_LEN], stream[2][16];
};

/* The tag that key `k` gives the ciphertext `c`. */
static void tag_of(struct two_keys *t, unsigned k, const uint8_t c[16], uint8_t tag[AEAD_TAG_LEN])
{
	uint8_t plain[16], out[16];
	struct aead_item item = {.nonce = t->nonce, .in = bytes_of(plain, 16), .out = out, .tag = tag};

	for (unsigned i = 0; i < 16; i++)
		plain[i] = c[i] ^ t->stream[k][i];
	assert_int_equal(aead_seal_many(t->aead[k], &item, 1, NULL), SEAL_OK);
	assert_memory_equal(out, c, 16);
}

static void difference(struct two_keys *t, const uint8_t c[16], uint8_t out[16])
{
	uint8_t other[16];

	tag_of(t, 0, c, out);
	tag_of(t, 1, c, other);
	for (unsigned i = 0; i < 16; i++)
		out[i] ^= other[i];
}

static bool bit(const uint8_t *bytes, unsigned i)
{
	return bytes[i / 8] >> i % 8 & 1;
}

static void swap_rows(bool a[129], bool b[129])
{
	for (unsigned j = 0; j < 129; j++) {
		bool was = a[j];

		a[j] = b[j];
		b[j] = was;
	}
}

static void add_row(bool to[129], const bool from[129])
{
	for (unsigned j = 0; j < 129; j++)
		to[j] = to[j] != from[j];
}

/* Rows are the difference's bits: row[r][0 … 127] the factor of each bit of C, row[r][128] the constant. */
static void solve(bool row[128][129], uint8_t c[16])
{
	memset(c, 0, 16);
	for (unsigned col = 0; col < 128; col++) {
		unsigned pivot = col;

		while (pivot < 128 && !row[pivot][col])
			pivot++;
		assert_true(pivot < 128); /* C·(H1² + H2²) = constant has one solution, H1² being another than H2² */
		swap_rows(row[col], row[pivot]);
		for (unsigned r = 0; r < 128; r++)
			if (r != col && row[r][col])
				add_row(row[r], row[col]);
	}
	for (unsigned i = 0; i < 128; i++)
		if (row[i][128])
			c[i / 8] |= (uint8_t)(1 << i % 8);
}

static void collide(struct two_keys *t, uint8_t c[16], uint8_t tag[AEAD_TAG_LEN])
{
	static bool row[128][129];
	uint8_t zero[16] = {0}, at_zero[16], at[16], one[16];

	for (unsigned k = 0; k < 2; k++) {
		struct aead_item item = {
			.nonce = t->nonce, .in = bytes_of(zero, 16), .out = t->stream[k], .tag = tag};

		assert_int_equal(aead_seal_many(t->aead[k], &item, 1, NULL), SEAL_OK);
	}
	difference(t, zero, at_zero);
	for (unsigned i = 0; i < 128; i++) {
		memset(one, 0, sizeof(one));
		one[i / 8] = (uint8_t)(1 << i % 8);
		difference(t, one, at);
		for (unsigned r = 0; r < 128; r++)
			row[r][i] = bit(at, r) != bit(at_zero, r);
	}
	for (unsigned r = 0; r < 128; r++)
		row[r][128] = bit(at_zero, r);
	solve(row, c);
	tag_of(t, 0, c, tag);
}

/* Somebody who owns two data keys makes one ciphertext of two meanings; the commitment leaves it one. */
static void two_keys_one_ciphertext(void **state)
{
	struct two_keys t = {.nonce = {7}};
	uint8_t c[16], tag[AEAD_TAG_LEN], plain[2][16];
	struct data_key_want crossed;
	struct data_key *keys[2];
	struct data_keys_fixture f;

	fixture_open(&f, (struct data_keys_options){0});
	for (unsigned k = 0; k < 2; k++) {
		keys[k] = foreign_key(&f.kek, k);
		assert_int_equal(aead_new(data_key_cipher_key(keys[k]), &t.aead[k], NULL), SEAL_OK);
	}
	collide(&t, c, tag);
	for (unsigned k = 0; k < 2; k++) {
		struct aead_item item = {.nonce = t.nonce, .in = bytes_of(c, 16), .out = plain[k], .tag = tag};

		assert_int_equal(aead_open_many(t.aead[k], &item, 1, NULL), SEAL_OK);
		assert_true(item.ok); /* so GCM alone lets both through */
	}
	assert_memory_not_equal(plain[0], plain[1], 16);
	for (unsigned k = 0; k < 2; k++) {
		assert_int_equal(open_one(&f, want_of(keys[k])), SEAL_OK);
		crossed = want_of(keys[k]);
		crossed.commitment = data_key_commitment(keys[1 - k]);
		assert_int_equal(open_one(&f, crossed), SEAL_DATA);
		assert_int_equal(f.err.code, SEAL_E_TAMPERED);
	}
	for (unsigned k = 0; k < 2; k++) {
		aead_free(t.aead[k]);
		data_key_unref(keys[k]);
	}
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sip_hash),
		cmocka_unit_test(slots_share_pages),
		cmocka_unit_test(children_of_fork_have_slots),
		cmocka_unit_test(derivation),
		cmocka_unit_test(lengths),
		cmocka_unit_test(uses_are_counted),
		cmocka_unit_test(writer_age),
		cmocka_unit_test(next_key_is_late),
		cmocka_unit_test(reader_age),
		cmocka_unit_test(kek_away),
		cmocka_unit_test(readers_are_bounded),
		cmocka_unit_test(dropped_on_the_way),
		cmocka_unit_test(one_call_per_lot),
		cmocka_unit_test(derived_kek),
		cmocka_unit_test(ends),
		cmocka_unit_test(two_keys_one_ciphertext),
	};

	return cmocka_run_group_tests_name("data_keys", tests, NULL, NULL);
}

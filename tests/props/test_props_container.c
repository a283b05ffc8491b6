/*
 * Containers: every cut and every flipped bit is refused, and so is every other arrangement of chunks, from a file and from a pipe.
 * Whatever was written before that is whole verified chunks.
 */
#include "../unit/file_fixture.h"

#include "prop.h"

#define FULL (CHUNK + FILE_TAG_LEN)

static const size_t sizes[] = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 3};

static void refused(struct file_fixture *x, struct seal_bytes sealed, const char *what, size_t at)
{
	for (int regular = 0; regular < 2; regular++) {
		err_clear(&x->f.err);
		if (files_reveal(x, sealed, regular, NULL) == SEAL_OK)
			fail_msg("%s %zu was not noticed", what, at);
		assert_true(x->f.err.text[0] != '\0' && strchr(x->f.err.text, '\n') == NULL);
		assert_true(files_only_verified(x));
	}
}

static void every_cut(void **state)
{
	struct file_fixture x;

	files_open(&x);
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
		for (int known = 0; known < 2; known++) {
			struct seal_bytes sealed;

			OK(&x.f, files_protect(&x, bytes_of(x.plain, sizes[s]), known));
			sealed = files_copy(&x);
			for (size_t len = 0; len < sealed.len; len++)
				refused(&x, bytes_of(sealed.ptr, len), "cut after byte", len);
			mem_free((void *)sealed.ptr);
		}
	files_close(&x);
}

static void every_bit(void **state)
{
	struct file_fixture x;

	files_open(&x);
	for (int known = 0; known < 2; known++) {
		struct seal_bytes sealed;
		uint8_t *at;

		OK(&x.f, files_protect(&x, bytes_of(x.plain, CHUNK + 3), known));
		sealed = files_copy(&x);
		at = (uint8_t *)sealed.ptr;
		for (size_t bit = 0; bit < sealed.len * 8; bit++) {
			at[bit / 8] ^= (uint8_t)(1u << bit % 8);
			refused(&x, sealed, "flipped bit", bit);
			at[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		OK(&x.f, files_reveal(&x, sealed, true, NULL));
		mem_free((void *)sealed.ptr);
	}
	files_close(&x);
}

static void every_added_byte(void **state)
{
	struct seal_bytes sealed;
	struct file_fixture x;

	files_open(&x);
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		OK(&x.f, files_protect(&x, bytes_of(x.plain, sizes[s]), false));
		for (size_t more = 1; more <= FULL + 1; more += more < 40 ? 1 : 101) {
			sealed = files_copy(&x);
			OK(&x.f, buf_append(&x.out, bytes_of(x.plain, more), &x.f.err));
			refused(&x, buf_bytes(&x.out), "added bytes:", more);
			buf_reset(&x.out);
			OK(&x.f, buf_append(&x.out, sealed, &x.f.err));
			mem_free((void *)sealed.ptr);
		}
	}
	files_close(&x);
}

/* The header of one file and any chunks of two files, any number of times in any order: only the file itself opens. */
static void any_other_arrangement(void **state)
{
	struct prop_random r = prop_seed(1);
	struct seal_buf mixed = BUF_INIT(1 << 20);
	struct seal_bytes sealed[2];
	struct file_fixture x;

	files_open(&x);
	for (int known = 0; known < 2; known++) {
		unsigned whole = 0;

		for (int i = 0; i < 2; i++) {
			OK(&x.f, files_protect(&x, bytes_of(x.plain, 3 * CHUNK), known));
			sealed[i] = files_copy(&x);
		}
		for (unsigned round = 0; round < 3000; round++) {
			const size_t header = sealed[0].len - 3 * FULL;
			const uint32_t n = prop_below(&r, 6);
			bool same = n == 3;

			buf_reset(&mixed);
			OK(&x.f, buf_append(&mixed, bytes_of(sealed[0].ptr, header), &x.f.err));
			for (uint32_t i = 0; i < n; i++) {
				const uint32_t which = prop_below(&r, 4), from = which < 3 ? which : 3 + i % 3;
				const uint8_t *chunks = sealed[from / 3].ptr + sealed[from / 3].len - 3 * FULL;

				same = same && from == i;
				OK(&x.f, buf_append(&mixed, bytes_of(chunks + from % 3 * FULL, FULL), &x.f.err));
			}
			if (same) {
				OK(&x.f, files_reveal(&x, buf_bytes(&mixed), round % 2, NULL));
				whole++;
			} else {
				refused(&x, buf_bytes(&mixed), "arrangement", round);
			}
		}
		assert_true(whole > 0);
		for (int i = 0; i < 2; i++)
			mem_free((void *)sealed[i].ptr);
	}
	buf_clear(&mixed);
	files_close(&x);
}

/* Random sizes, random parts. */
static void parts_are_parts(void **state)
{
	struct prop_random r = prop_seed(2);
	struct file_fixture x;

	files_open(&x);
	for (unsigned round = 0; round < 300; round++) {
		const uint32_t size = prop_below(&r, sizeof(x.plain) + 1);
		struct seal_bytes sealed;

		OK(&x.f, files_protect(&x, bytes_of(x.plain, size), round % 2));
		sealed = files_copy(&x);
		for (int i = 0; i < 10; i++) {
			const uint64_t part[2] = {prop_below(&r, size + 1), prop_below(&r, size + 100)};
			const uint64_t rest = size - part[0];

			OK(&x.f, files_reveal(&x, sealed, true, part));
			assert_true(bytes_eq(buf_bytes(&x.out),
					     bytes_of(x.plain + part[0], part[1] < rest ? part[1] : rest)));
		}
		mem_free((void *)sealed.ptr);
	}
	files_close(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut),	    cmocka_unit_test(every_bit),
		cmocka_unit_test(every_added_byte), cmocka_unit_test(any_other_arrangement),
		cmocka_unit_test(parts_are_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* demo_picture: is it a PNG that a viewer takes? Lengths, sums and sizes by the rules of RFC 2083, 1950 and 1951. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/demo.h"

#define WIDTH 640
#define HEIGHT 360

/* The next chunk's data; its sum must be right for the type, which the known sum of IEND proves for all. */
static struct seal_bytes chunk(struct seal_bytes *in, const char *type)
{
	struct seal_bytes data;
	uint32_t crc = UINT32_MAX;

	assert_true(in->len >= 12);
	data = bytes_of(in->ptr + 8, be32_load(in->ptr));
	assert_true(in->len - 12 >= data.len);
	assert_memory_equal(in->ptr + 4, type, 4);
	for (size_t i = 0; i < data.len + 4; i++)
		for (unsigned bit = 0, byte = in->ptr[4 + i]; bit < 8; bit++, byte >>= 1)
			crc = (crc >> 1) ^ (((crc ^ byte) & 1) ? UINT32_C(0xedb88320) : 0);
	assert_int_equal(be32_load(data.ptr + data.len), ~crc);
	*in = bytes_skip(*in, data.len + 12);
	return data;
}

static void test_chunks(void **state)
{
	static const uint8_t head[] = {0, 0, WIDTH >> 8, WIDTH & 255, 0, 0, HEIGHT >> 8, HEIGHT & 255, 8, 2, 0, 0, 0};
	struct seal_buf picture = BUF_INIT(2 << 20);
	struct seal_bytes rest, data;
	uint64_t a = 1, b = 0, pixels = 0;
	bool last = false;

	(void)state;
	assert_int_equal(demo_picture(&picture, NULL), SEAL_OK);
	assert_true(picture.len > 512 << 10); /* the demo shows a file of two chunks */
	assert_memory_equal(picture.ptr, "\x89PNG\r\n\x1a\n", 8);
	rest = bytes_skip(buf_bytes(&picture), 8);
	data = chunk(&rest, "IHDR");
	assert_int_equal(data.len, sizeof(head));
	assert_memory_equal(data.ptr, head, sizeof(head));
	data = chunk(&rest, "IDAT");
	assert_int_equal((data.ptr[0] << 8 | data.ptr[1]) % 31, 0); /* RFC 1950, 2.2 */
	assert_int_equal(data.ptr[0] & 15, 8);
	for (data = bytes_skip(data, 2); !last; data = bytes_skip(data, 5)) {
		size_t len = data.ptr[1] | (size_t)data.ptr[2] << 8;

		last = data.ptr[0] == 1; /* stored, RFC 1951, 3.2.4 */
		assert_true(data.ptr[0] <= 1 && data.len >= 5 + len);
		assert_int_equal(len ^ (data.ptr[3] | (size_t)data.ptr[4] << 8), 0xffff);
		for (size_t i = 0; i < len; i++, pixels++) {
			if (pixels % (1 + 3 * WIDTH) == 0)
				assert_int_equal(data.ptr[5 + i], 0); /* a row's filter: none */
			a += data.ptr[5 + i];
			b += a;
		}
		data = bytes_skip(data, len);
	}
	assert_int_equal(pixels, HEIGHT * (1 + 3 * WIDTH));
	assert_int_equal(data.len, 4);
	assert_int_equal(be32_load(data.ptr), (b % 65521) << 16 | a % 65521); /* Adler-32 */
	data = chunk(&rest, "IEND");
	assert_int_equal(data.len, 0);
	assert_int_equal(be32_load(data.ptr), UINT32_C(0xae426082));
	assert_int_equal(rest.len, 0);
	buf_clear(&picture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_chunks)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

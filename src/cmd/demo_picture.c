/*
 * A picture for the third story: a PNG (RFC 2083) of a low sun over hills, drawn here so that no file has to come along. Its
 * pixels are stored, not compressed (RFC 1951, 3.2.4), so that it has more than one chunk of a transfer.
 *
 *   signature │ IHDR │ IDAT: zlib head, stored blocks of up to 65,535 bytes, Adler-32 │ IEND
 */
#include "cmd/demo.h"

#define WIDTH 640
#define HEIGHT 360
#define ROW (1 + 3 * WIDTH) /* filter byte, then red, green, blue */
#define BLOCK_MAX 65535u
#define ADLER_MODULUS 65521u

static const uint8_t signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
static const uint8_t true_color[] = {8, 2, 0, 0, 0}; /* bits, kind, compression, filter, interlace */
static const uint8_t zlib_head[] = {0x78, 0x01};

static void pixel(int x, int y, uint8_t out[3])
{
	int dx = x - 430, dy = y - 190;
	int far = 235 + (x - 200) * (x - 200) / 2600, near = 330 - x / 6 - (x - 520) * (x - 520) / 9000;

	if (y > near) {
		memcpy(out, (const uint8_t[]){24, 58, 52}, 3);
	} else if (y > far) {
		memcpy(out, (const uint8_t[]){58, 96, 92}, 3);
	} else if (dx * dx + dy * dy < 48 * 48) {
		memcpy(out, (const uint8_t[]){255, 226, 138}, 3);
	} else { /* the sky, lighter towards the horizon */
		out[0] = (uint8_t)(70 + y / 2);
		out[1] = (uint8_t)(110 + y / 3);
		out[2] = (uint8_t)(190 - y / 5);
	}
}

/* RFC 2083, 15: over a chunk's type and data. */
static uint32_t crc32(struct seal_bytes in)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < in.len; i++) {
		crc ^= in.ptr[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* RFC 1950, 9. */
static uint32_t adler32(struct seal_bytes in)
{
	uint32_t a = 1, b = 0;

	for (size_t i = 0; i < in.len; i++) {
		a = (a + in.ptr[i]) % ADLER_MODULUS;
		b = (b + a) % ADLER_MODULUS;
	}
	return b << 16 | a;
}

static enum seal_status put_chunk(const char *type, struct seal_bytes data, struct seal_buf *out,
				  struct seal_err *err)
{
	size_t start = out->len + 4;
	enum seal_status rc;

	SEAL_TRY(buf_append_be32(out, (uint32_t)data.len, err));
	SEAL_TRY(buf_append_str(out, type, err));
	SEAL_TRY(buf_append(out, data, err));
	rc = buf_append_be32(out, crc32(bytes_skip(buf_bytes(out), start)), err);
out:
	return rc;
}

static enum seal_status draw(struct seal_buf *rows, struct seal_err *err)
{
	enum seal_status rc = buf_reserve(rows, (size_t)ROW * HEIGHT, err);

	for (int y = 0; rc == SEAL_OK && y < HEIGHT; y++) {
		rows->ptr[rows->len++] = 0; /* no filter */
		for (int x = 0; x < WIDTH; x++, rows->len += 3)
			pixel(x, y, rows->ptr + rows->len);
	}
	return rc;
}

static enum seal_status store(struct seal_bytes rows, struct seal_buf *out, struct seal_err *err)
{
	uint32_t sum = adler32(rows);
	enum seal_status rc;

	SEAL_TRY(buf_append(out, bytes_of(zlib_head, sizeof(zlib_head)), err));
	while (rows.len > 0) {
		uint32_t len = rows.len < BLOCK_MAX ? (uint32_t)rows.len : BLOCK_MAX;
		const uint8_t head[] = {rows.len == len, (uint8_t)len, (uint8_t)(len >> 8), (uint8_t)~len,
					(uint8_t)(~len >> 8)};

		SEAL_TRY(buf_append(out, bytes_of(head, sizeof(head)), err));
		SEAL_TRY(buf_append(out, bytes_of(rows.ptr, len), err));
		rows = bytes_skip(rows, len);
	}
	rc = buf_append_be32(out, sum, err);
out:
	return rc;
}

enum seal_status demo_picture(struct seal_buf *out, struct seal_err *err)
{
	struct seal_buf head = BUF_INIT(64), rows = BUF_INIT(1 << 20), data = BUF_INIT(1 << 20);
	enum seal_status rc;

	SEAL_TRY(buf_append_be32(&head, WIDTH, err));
	SEAL_TRY(buf_append_be32(&head, HEIGHT, err));
	SEAL_TRY(buf_append(&head, bytes_of(true_color, sizeof(true_color)), err));
	SEAL_TRY(draw(&rows, err));
	SEAL_TRY(store(buf_bytes(&rows), &data, err));
	SEAL_TRY(buf_append(out, bytes_of(signature, sizeof(signature)), err));
	SEAL_TRY(put_chunk("IHDR", buf_bytes(&head), out, err));
	SEAL_TRY(put_chunk("IDAT", buf_bytes(&data), out, err));
	rc = put_chunk("IEND", BYTES_EMPTY, out, err);
out:
	buf_clear(&head);
	buf_clear(&rows);
	buf_clear(&data);
	return rc;
}

/* Golden stores: a file of rows as they stood in a store, for kit_store. */
#ifndef TESTS_GOLDEN_ROWS_H
#define TESTS_GOLDEN_ROWS_H

#include "golden_values.h"

#include "base/encode.h"
#include "fake_store.h"

/* "space key value" in hex into the store. */
static inline void put_row(struct seal_bytes line)
{
	uint8_t key[STORE_KEY_MAX], value[1024];
	char space[STORE_SPACE_MAX + 1], hex_key[2 * sizeof(key) + 1], hex_value[2 * sizeof(value) + 1];
	char text[4096];

	snprintf(text, sizeof(text), "%.*s", (int)line.len, (const char *)line.ptr);
	assert_int_equal(sscanf(text, "%64s %2048s %2048s", space, hex_key, hex_value), 3);
	assert_true(hex_decode(bytes_str(hex_key), key) && hex_decode(bytes_str(hex_value), value));
	fake_store_put(kit_store, space, bytes_of(key, strlen(hex_key) / 2), bytes_of(value, strlen(hex_value) / 2));
}

/* kit_store with the rows of COMPAT_DIR/FOLDER/NAME.rows; the test frees it. */
static inline void golden_store(const char *folder, const char *name)
{
	struct seal_buf rows = BUF_INIT(1 << 20);
	struct seal_bytes rest, line;

	kit_store = fake_store_new();
	read_golden(folder, name, "rows", &rows);
	for (rest = buf_bytes(&rows); next_line(&rest, &line);)
		put_row(line);
	buf_clear(&rows);
}

#endif

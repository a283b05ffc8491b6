/* What a receiver reads from its own directory: states of parts and lines of the log, any bytes. A good state is made again. */
#include "base/mem.h"
#include "fuzz.h"
#include "transfer/partial.h"
#include "transfer/received.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct partial state = PARTIAL_INIT;
	struct seal_buf again = BUF_INIT(1 << 24);
	struct received_line line;
	char name[64];
	uint8_t id[FILE_ID_LEN];
	size_t len = size < sizeof(name) - 1 ? size : sizeof(name) - 1;

	if (partial_state_parse(bytes_of(data, size), &state)) {
		CHECK(partial_state_write(&state, &again, NULL) == SEAL_OK);
		CHECK(again.len == size); /* digits of the sums may be of the other case */
	} else {
		CHECK(state.have.n == 0);
	}
	ranges_clear(&state.have);
	buf_clear(&again);
	received_line_parse(bytes_of(data, size), &line);
	CHECK(line.what != RECEIVED_TAKE || (line.stem.len > 0 && line.stem.len < PARTIAL_STEM_MAX));
	memcpy(name, data, len);
	name[len] = '\0';
	if (partial_name_parse(name, id))
		CHECK(strlen(name) >= 2 * FILE_ID_LEN + 5);
	return 0;
}

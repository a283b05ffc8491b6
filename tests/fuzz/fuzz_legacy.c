/* Messages of the original script's form: any bytes. What is taken for one has lengths that can be, and opens or is refused. */
#include "base/mem.h"
#include "fuzz.h"
#include "transfer/legacy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[32];
	struct seal_buf file = BUF_INIT(1 << 24);
	struct legacy_message message;
	struct seal_err err = SEAL_ERR_INIT;

	if (legacy_parse(bytes_of(data, size), &message, &err) == SEAL_OK) {
		CHECK(message.nonce_len > 0 && message.nonce_len <= GCM_NONCE_MAX);
		CHECK(message.ciphertext.len <= size);
		if (legacy_open(&message, bytes_of(key, sizeof(key)), &file, &err) != SEAL_OK)
			CHECK(file.len == 0 && err.status == SEAL_DATA);
	} else {
		CHECK(err.status == SEAL_DATA && err.text[0] != '\0');
	}
	legacy_clear(&message);
	buf_clear(&file);
	return 0;
}

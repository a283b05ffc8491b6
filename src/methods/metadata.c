/* Metadata of tokens: "k=v,k=v". */
#include "methods/metadata.h"

bool metadata_is_valid(struct seal_bytes text, size_t max)
{
	bool named = false, equals = false;

	if (text.len > max)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < 0x20)
			return false;
		if (text.ptr[i] == ',') {
			if (!equals)
				return false;
			named = equals = false;
		} else if (text.ptr[i] == '=' && !equals) {
			if (!named)
				return false;
			equals = true;
		} else {
			named = true;
		}
	}
	return equals;
}

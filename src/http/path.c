/* Segments of paths (RFC 3986 §2.3, §3.3): all but unreserved characters are percent-encoded. */
#include "http/http.h"

static bool unreserved(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

enum seal_status http_path_append(struct seal_buf *out, struct seal_bytes segment, struct seal_err *err)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t need = segment.len;
	enum seal_status rc;

	/* Servers take them for steps, encoded or not. */
	if (segment.len == 0 || bytes_eq_str(segment, ".") || bytes_eq_str(segment, ".."))
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "\"%.*s\" cannot be a part of a path",
			       BYTES_FMT(segment));
	for (size_t i = 0; i < segment.len; i++)
		need += unreserved(segment.ptr[i]) ? 0 : 2;
	rc = buf_reserve(out, need, err);
	for (size_t i = 0; rc == SEAL_OK && i < segment.len; i++) {
		uint8_t c = segment.ptr[i];

		if (unreserved(c)) {
			out->ptr[out->len++] = c;
			continue;
		}
		out->ptr[out->len++] = '%';
		out->ptr[out->len++] = (uint8_t)digits[c >> 4];
		out->ptr[out->len++] = (uint8_t)digits[c & 15];
	}
	return rc;
}

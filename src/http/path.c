/* Percent-encoding (RFC 3986 §2.3, §3.3): all but unreserved characters. */
#include "http/http.h"

static bool unreserved(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

enum seal_status http_percent_append(struct seal_buf *out, struct seal_bytes text, struct seal_err *err)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t need = text.len;
	enum seal_status rc;

	for (size_t i = 0; i < text.len; i++)
		need += unreserved(text.ptr[i]) ? 0 : 2;
	rc = buf_reserve(out, need, err);
	for (size_t i = 0; rc == SEAL_OK && i < text.len; i++) {
		uint8_t c = text.ptr[i];

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

enum seal_status http_form_append(struct seal_buf *out, const char *name, struct seal_bytes value,
				  struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_printf(out, err, "%s%s=", out->len > 0 ? "&" : "", name));
	SEAL_TRY(http_percent_append(out, value, err));
out:
	return rc;
}

enum seal_status http_path_append(struct seal_buf *out, struct seal_bytes segment, struct seal_err *err)
{
	/* Servers take them for steps, encoded or not. */
	if (segment.len == 0 || bytes_eq_str(segment, ".") || bytes_eq_str(segment, ".."))
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "\"%.*s\" cannot be a part of a path",
			       BYTES_FMT(segment));
	return http_percent_append(out, segment, err);
}

/*
 * Names from the wire made into names of a directory. What is replaced becomes '_', so that names that differ mostly go on to
 * differ. Invariant: the result is one component, valid UTF-8, 1 … 255 bytes, begins with none of ". - space", does not end in a
 * dot or a space, and file_name_safe leaves it as it is.
 */
#include "files/names.h"

#include <strings.h>

#include "base/utf8.h"

#define SUFFIX_LEN_MAX 32 /* longer ones are no suffixes, but names with a dot */
#define NUMBER_LEN_MAX 16

static bool is_separator(uint8_t c)
{
	return c == '/' || c == '\\';
}

static struct seal_bytes last_component(struct seal_bytes name)
{
	size_t from;

	while (name.len > 0 && is_separator(name.ptr[name.len - 1]))
		name.len--;
	from = name.len;
	while (from > 0 && !is_separator(name.ptr[from - 1]))
		from--;
	return bytes_skip(name, from);
}

/* Controls of C0 and C1, line and paragraph separators, and what makes text run another way than it is stored. */
static bool is_hostile(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

static enum seal_status append_clean(struct seal_bytes name, struct seal_buf *out, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t at = 0; at < name.len;) {
		size_t from = at;
		uint32_t c;

		if (!utf8_next(name, &at, &c)) {
			at++;
			SEAL_TRY(buf_append_u8(out, '_', err));
		} else if (is_hostile(c)) {
			SEAL_TRY(buf_append_u8(out, '_', err));
		} else {
			SEAL_TRY(buf_append(out, bytes_of(name.ptr + from, at - from), err));
		}
	}
out:
	return rc;
}

static struct seal_bytes trim(struct seal_bytes name)
{
	size_t from = 0;

	while (from < name.len && strchr(". -", name.ptr[from]) != NULL)
		from++;
	name = bytes_skip(name, from);
	while (name.len > 0 && (name.ptr[name.len - 1] == '.' || name.ptr[name.len - 1] == ' '))
		name.len--;
	return name;
}

/* Names of devices, with any suffix, in any case: CON, nul.txt, "com1 .log". */
static bool is_device(struct seal_bytes name)
{
	static const char *const names[] = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"};
	size_t len = 0;

	while (len < name.len && name.ptr[len] != '.')
		len++;
	while (len > 0 && name.ptr[len - 1] == ' ')
		len--;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (len == strlen(names[i]) && strncasecmp((const char *)name.ptr, names[i], len) == 0)
			return true;
	if (len < 4 || (strncasecmp((const char *)name.ptr, "COM", 3) != 0 &&
			strncasecmp((const char *)name.ptr, "LPT", 3) != 0))
		return false;
	if (len == 4)
		return name.ptr[3] >= '0' && name.ptr[3] <= '9';
	/* The superscripts of 1, 2 and 3 count as digits there. */
	return len == 5 && name.ptr[3] == 0xc2 && (name.ptr[4] == 0xb9 || name.ptr[4] == 0xb2 || name.ptr[4] == 0xb3);
}

/* The bytes before the suffix; all when there is none that is worth keeping. */
static size_t stem_len(struct seal_bytes name)
{
	size_t dot = name.len;

	while (dot > 1 && name.ptr[dot - 1] != '.')
		dot--;
	return dot > 1 && name.len - (dot - 1) <= SUFFIX_LEN_MAX ? dot - 1 : name.len;
}

/* At most `max` bytes of `text`, no character cut in two. */
static size_t cut_at(struct seal_bytes text, size_t max)
{
	if (text.len <= max)
		return text.len;
	while (max > 0 && (text.ptr[max] & 0xc0) == 0x80)
		max--;
	return max;
}

/* Stem, `between`, suffix, the stem cut as far as it has to be. */
static enum seal_status join(struct seal_bytes name, const char *between, struct seal_buf *out, struct seal_err *err)
{
	struct seal_bytes stem = bytes_of(name.ptr, stem_len(name)), suffix = bytes_skip(name, stem.len);
	enum seal_status rc;

	stem.len = cut_at(stem, FILE_LOCAL_NAME_MAX - suffix.len - strlen(between));
	if (suffix.len == 0 && *between == '\0')
		stem = trim(stem);
	SEAL_TRY(buf_append(out, stem, err));
	SEAL_TRY(buf_append_str(out, between, err));
	SEAL_TRY(buf_append(out, suffix, err));
out:
	return rc;
}

enum seal_status file_name_safe(struct seal_bytes name, struct seal_buf *out, bool *changed, struct seal_err *err)
{
	const struct seal_bytes component = last_component(name);
	struct seal_buf clean = BUF_INIT(component.len + 1), whole = BUF_INIT(component.len + 8);
	struct seal_bytes kept;
	const size_t from = out->len;
	enum seal_status rc;

	*changed = false;
	SEAL_TRY(append_clean(component, &clean, err));
	kept = trim(buf_bytes(&clean));
	if (kept.len == 0)
		kept = BYTES_LIT("file");
	if (is_device(kept))
		SEAL_TRY(buf_append_u8(&whole, '_', err));
	SEAL_TRY(buf_append(&whole, kept, err));
	SEAL_TRY(join(buf_bytes(&whole), "", out, err));
	*changed = !bytes_eq(bytes_skip(buf_bytes(out), from), name);
out:
	if (rc != SEAL_OK)
		out->len = from;
	buf_clear(&whole);
	buf_clear(&clean);
	return rc;
}

enum seal_status file_name_numbered(struct seal_bytes safe, unsigned n, struct seal_buf *out, struct seal_err *err)
{
	char number[NUMBER_LEN_MAX];

	snprintf(number, sizeof(number), "-%u", n);
	return join(safe, number, out, err);
}

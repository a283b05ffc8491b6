/* Where people are reached: e-mail, telephone, addresses of their machines. */
#include "detect/scan.h"
#include "detect/tests.h"

#define LOCAL_MAX 64 /* RFC 5321 §4.5.3.1.1 */
#define DOMAIN_MAX 255
#define LABEL_MAX 63

/* What may stand before the @ unquoted (RFC 5322 §3.2.3, RFC 6531), dots included. */
static bool is_local(uint8_t c)
{
	return value_is(c, HAS_LETTER | HAS_DIGIT | HAS_HIGH) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

static bool is_domain(uint8_t c)
{
	return value_is(c, HAS_LETTER | HAS_DIGIT | HAS_HIGH | HAS_DASH | HAS_DOT);
}

/* Not a top-level domain, but the end of a file's name ("logo@2x.png"). */
static bool is_file_end(struct seal_bytes label)
{
	static const char *const ends[] = {"png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css"};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (bytes_eq_str(label, ends[i]))
			return true;
	return false;
}

static bool is_top_level(struct seal_bytes label)
{
	if (bytes_starts(label, BYTES_LIT("xn--")))
		return label.len > 4;
	for (size_t i = 0; i < label.len; i++)
		if (!value_is(label.ptr[i], HAS_LETTER | HAS_HIGH))
			return false;
	return label.len >= 2 && !is_file_end(label);
}

static bool is_domain_name(struct seal_bytes text)
{
	size_t start = 0, labels = 0;

	if (text.len > DOMAIN_MAX)
		return false;
	for (size_t i = 0; i <= text.len; i++) {
		if (i < text.len && text.ptr[i] != '.')
			continue;
		if (i == start || i - start > LABEL_MAX || text.ptr[start] == '-' || text.ptr[i - 1] == '-')
			return false;
		labels++;
		if (i < text.len)
			start = i + 1;
	}
	return labels >= 2 && is_top_level(bytes_skip(text, start));
}

static bool is_local_part(struct seal_bytes text)
{
	bool letters = false;

	for (size_t i = 0; i < text.len; i++) {
		if (!is_local(text.ptr[i]))
			return false;
		if (text.ptr[i] == '.' && (i == 0 || i + 1 == text.len || text.ptr[i + 1] == '.'))
			return false;
		letters = letters || value_is(text.ptr[i], HAS_LETTER | HAS_DIGIT | HAS_HIGH);
	}
	return letters && text.len <= LOCAL_MAX;
}

/* The address whose @ is at `at`, with all around it that could belong to it. */
static bool is_address_at(struct seal_bytes text, size_t at, size_t *start, size_t *end)
{
	for (*start = at; *start > 0 && at - *start <= LOCAL_MAX && is_local(text.ptr[*start - 1]); --*start)
		;
	for (*end = at + 1; *end < text.len && *end - at <= DOMAIN_MAX + 1 && is_domain(text.ptr[*end]); ++*end)
		;
	return is_local_part(bytes_of(text.ptr + *start, at - *start)) &&
	       is_domain_name(bytes_of(text.ptr + at + 1, *end - at - 1));
}

bool is_email(const struct value *v)
{
	const uint8_t *at = memchr(v->text.ptr, '@', v->text.len);
	size_t start, end;

	return at != NULL && is_address_at(v->text, (size_t)(at - v->text.ptr), &start, &end) && start == 0 &&
	       end == v->text.len;
}

/*
 * "Ann <ann@example.com>", "mailto:ann@example.com"; but neither the user of a URL ("ssh://git@host.example/…") nor of scp
 * ("git@host.example:path").
 */
bool has_email(const struct value *v)
{
	const struct seal_bytes text = v->text;

	for (size_t i = 0; i < text.len; i++) {
		size_t start, end;

		if (text.ptr[i] != '@')
			continue;
		if (!is_address_at(text, i, &start, &end)) {
			/* A full stop may end the sentence. */
			if (end <= i + 2 || text.ptr[end - 1] != '.' ||
			    !is_address_at(bytes_of(text.ptr, end - 1), i, &start, &end))
				continue;
		}
		while (start < i && (text.ptr[start] == '/' || text.ptr[start] == '\''))
			start++;
		if ((start < 2 || text.ptr[start - 1] != '/') &&
		    (end + 1 >= text.len || text.ptr[end] != ':' || value_is(text.ptr[end + 1], HAS_SPACE)))
			return true;
	}
	return false;
}

/* Country codes of E.164 (ITU): of one, two and three digits. */
static bool has_country_code(const uint8_t *d)
{
	static const uint8_t two[] = {20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46,
				      47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58, 60, 61, 62, 63,
				      64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98};
	static const uint8_t tens[] = {21, 22, 23, 24, 25, 26, 29, 35, 37, 38, 42, 50,
				       59, 67, 68, 69, 80, 85, 87, 88, 96, 97, 99};
	const uint8_t first = (uint8_t)(d[0] * 10 + d[1]);

	return d[0] == 1 || d[0] == 7 || memchr(two, first, sizeof(two)) != NULL ||
	       memchr(tens, first, sizeof(tens)) != NULL;
}

/* Groups of digits, each but the first and a lone one of 2 or more, with single separators, or a pair as in ") ", between. */
static bool has_phone_groups(struct seal_bytes text, size_t *groups)
{
	size_t others = 0, open = 0;
	bool in_digits = false;

	*groups = 0;
	for (size_t i = 0; i < text.len; i++) {
		const uint8_t c = text.ptr[i];

		if (value_is(c, HAS_DIGIT)) {
			*groups += !in_digits;
			in_digits = true;
			others = 0;
			continue;
		}
		in_digits = false;
		if (c == '(' && open++ > 0)
			return false;
		if ((c == ')' && open != 1) || (c == '+' && i > 0 && text.ptr[i - 1] != '(') || ++others > 3)
			return false;
		open += c == ')';
	}
	return in_digits && open != 1;
}

/* North America: area and exchange start with 2 … 9 (NANPA), 3-3-4, perhaps with a 1 before. */
static bool is_north_american(const struct value *v, struct seal_bytes text)
{
	const uint8_t *d = v->digits;

	if (d[0] == 1 && (value_has_shape(text, "9 999 999 9999") || value_has_shape(text, "9 (999) 999 9999")))
		return text.len >= 14 && d[1] >= 2 && d[4] >= 2;
	return ((value_has_shape(text, "999 999 9999") && text.len == 12) ||
		value_has_shape(text, "(999) 999 9999")) &&
	       d[0] >= 2 && d[3] >= 2;
}

/* Without the extension: "x123", "ext. 123". */
static struct seal_bytes without_extension(struct seal_bytes text)
{
	static const char *const marks[] = {"x", " x", " ext", " ext."};
	size_t at = text.len;

	while (at > 0 && value_is(text.ptr[at - 1], HAS_DIGIT))
		at--;
	if (at == text.len || text.len - at > 6)
		return text;
	while (at > 0 && text.ptr[at - 1] == ' ')
		at--;
	for (size_t i = sizeof(marks) / sizeof(marks[0]); i > 0; i--) {
		const size_t len = strlen(marks[i - 1]);

		if (at > len && memcmp(text.ptr + at - len, marks[i - 1], len) == 0)
			return bytes_of(text.ptr, at - len);
	}
	return text;
}

static bool is_date_like(struct seal_bytes text)
{
	return (text.len == 10 && (value_has_shape(text, "99 99 9999") || value_has_shape(text, "9999 99 99"))) ||
	       (text.len == 8 && value_has_shape(text, "99 99 99") && !value_is(text.ptr[2], HAS_DIGIT)) ||
	       value_has_shape(text, "99/99/9999");
}

/*
 * "+49 30 1234567", "0049 30 …", "(030) 123 45 67", "020 7946 0958", "(555) 234-5678": with something that says telephone. Digits
 * alone are asked by is_phone_digits.
 */
bool is_phone(const struct value *v)
{
	const struct seal_bytes text = v->has & HAS_LOWER ? without_extension(v->text) : v->text;
	const bool zero = text.ptr[0] == '0' || (text.ptr[0] == '(' && text.ptr[1] == '0');
	struct value number;
	size_t groups;

	value_of(text, &number);
	if ((number.has & HAS_LOWER) || number.n_digits < 8 || number.n_digits > 17 ||
	    !has_phone_groups(text, &groups))
		return false;
	if (number.has & HAS_PLUS)
		return v->digits[0] != 0 && has_country_code(v->digits);
	if (v->digits[0] == 0 && v->digits[1] == 0)
		return v->digits[2] != 0 && has_country_code(v->digits + 2) && number.n_digits >= 10;
	if (zero) /* an area code has 5 digits at most; "0-" is an ISBN */
		return text.ptr[1] != '-' && groups >= (number.n_digits == 8 ? 3 : 2) && groups <= 6 &&
		       number.n_digits <= 12 && v->digits[1] != 0 &&
		       !value_has_shape(bytes_of(text.ptr, 6), "999999") && !is_date_like(text);
	return is_north_american(&number, text);
}

/* Digits alone, or groups of them: only of a field that says telephone. */
bool is_phone_digits(const struct value *v)
{
	size_t groups;

	return has_phone_groups(v->text, &groups) && !is_date_like(v->text) && v->digits[0] + v->digits[1] > 0;
}

static bool run_is_phone(struct seal_bytes run)
{
	struct value v;

	value_of(run, &v);
	return v.n_digits >= 10 && v.n_digits <= 15 && v.digits[0] != 0 && has_country_code(v.digits);
}

/* In a text only with its country code: "+" and what scan_digits gives. */
bool has_phone(const struct value *v)
{
	struct seal_bytes rest = v->text;
	const uint8_t *plus;

	while ((plus = memchr(rest.ptr, '+', rest.len)) != NULL) {
		size_t end = (size_t)(plus - rest.ptr) + 1, from = end;

		while (end < rest.len &&
		       value_is(rest.ptr[end], HAS_DIGIT | HAS_SPACE | HAS_DASH | HAS_PAREN | HAS_DOT) &&
		       end - from < 24)
			end++;
		if ((from == 1 || !value_is(plus[-1], HAS_LETTER | HAS_DIGIT)) && from < rest.len &&
		    value_is(rest.ptr[from], HAS_DIGIT | HAS_PAREN) &&
		    run_is_phone(bytes_of(rest.ptr + from, end - from)))
			return true;
		rest = bytes_skip(rest, from);
		if (rest.len == 0)
			return false;
	}
	return false;
}

/* Four numbers up to 255 without leading zeros, and perhaps a prefix length or port behind. */
bool is_ipv4(const struct value *v)
{
	const struct seal_bytes text = v->text;
	unsigned number = 0, part[4] = {0};
	size_t n = 0, parts = 0, i;

	for (i = 0; i <= text.len; i++) {
		const uint8_t c = i < text.len ? text.ptr[i] : 0;

		if (value_is(c, HAS_DIGIT)) {
			if (++n > 3 || (n == 2 && number == 0))
				return false;
			number = number * 10 + c - '0';
			continue;
		}
		if (n == 0 || number > 255)
			return false;
		part[parts++] = number;
		number = 0;
		n = 0;
		if (c != '.' || parts == 4)
			break;
	}
	if (parts != 4 || part[0] == 0 || part[0] == 127 || part[0] >= 240)
		return false; /* "this", loopback, reserved: nobody's */
	if (i == text.len)
		return true;
	return (text.ptr[i] == '/' || text.ptr[i] == ':') && i + 1 < text.len && text.len - i <= 6 &&
	       bytes_to_u64(bytes_skip(text, i + 1), text.ptr[i] == '/' ? 32 : 65535, &(uint64_t){0});
}

/* RFC 4291 §2.2: eight groups, or fewer with one "::"; an IPv4 address may be the last two. A zone or prefix length may follow. */
bool is_ipv6(const struct value *v)
{
	struct seal_bytes text = v->text;
	size_t groups = 0, n = 0, colons = 0;
	bool gap = false;

	for (size_t i = 0; i < text.len; i++)
		if (i >= 2 && (text.ptr[i] == '%' || text.ptr[i] == '/'))
			text.len = i;
	for (size_t i = 0; i < text.len; i++) {
		const uint8_t c = text.ptr[i];

		if (c == ':') {
			colons++;
			if (i + 1 < text.len && text.ptr[i + 1] == ':') {
				if (gap)
					return false;
				gap = true;
			} else if (n == 0 && !(gap && i > 0 && text.ptr[i - 1] == ':')) {
				return false;
			}
			n = 0;
			continue;
		}
		if (c == '.') {
			struct value v4;

			value_of(bytes_skip(text, i - n), &v4);
			return n > 0 && colons >= 2 && groups <= 7 && (gap || groups == 7) && is_ipv4(&v4);
		}
		if (!value_is(c, HAS_DIGIT) && (value_upper(c) < 'A' || value_upper(c) > 'F'))
			return false;
		groups += n == 0;
		if (++n > 4)
			return false;
	}
	if (n == 0 && !(gap && text.len > 2 && text.ptr[text.len - 2] == ':'))
		return false;
	return colons >= 2 && groups >= 2 && (gap ? groups <= 7 : groups == 8);
}

/*
 * Credentials: keys of the forms that vendors have made known, private keys, JWTs, logins inside URLs and connection strings, and
 * texts that are too random to be anything else.
 *
 * Keys are looked for where a word starts, so that they are found in log lines and headers, too.
 */
#include "detect/tests.h"

#include "base/encode.h"

#define BASE62 (HAS_LETTER | HAS_DIGIT)
#define KEY_BYTES (HAS_LETTER | HAS_DIGIT | HAS_DASH | HAS_DOT | HAS_UNDER) /* base64url and dots; '=' and '~', too */
#define KEY_MIN 20 /* bytes of the shortest */
#define JWT_HEADER_MAX 1024

/* A prefix, and how many bytes of which kinds follow: no fewer, and no more but for ANY. */
#define ANY 0
static const struct key_form {
	const char *prefix;
	uint32_t kinds;
	uint16_t min, max;
} key_forms[] = {
	{"AKIA", HAS_UPPER | HAS_DIGIT, 16, 16}, /* Amazon Web Services */
	{"ASIA", HAS_UPPER | HAS_DIGIT, 16, 16},
	{"ABIA", HAS_UPPER | HAS_DIGIT, 16, 16},
	{"ghp_", BASE62, 36, 36}, /* GitHub */
	{"gho_", BASE62, 36, 36},
	{"ghu_", BASE62, 36, 36},
	{"ghs_", BASE62, 36, 36},
	{"ghr_", BASE62, 36, 76},
	{"github_pat_", BASE62 | HAS_UNDER, 82, 82},
	{"glpat-", KEY_BYTES, 20, 64}, /* GitLab */
	{"glsa_", BASE62 | HAS_UNDER, 40, 48}, /* Grafana */
	{"xoxa-", KEY_BYTES, 20, ANY}, /* Slack */
	{"xoxb-", KEY_BYTES, 20, ANY},
	{"xoxe-", KEY_BYTES, 20, ANY},
	{"xoxp-", KEY_BYTES, 20, ANY},
	{"xoxr-", KEY_BYTES, 20, ANY},
	{"xoxs-", KEY_BYTES, 20, ANY},
	{"xapp-", KEY_BYTES, 20, ANY},
	{"hooks.slack.com/services/", KEY_BYTES | HAS_SLASH, 20, ANY},
	{"sk_live_", BASE62, 16, ANY}, /* Stripe */
	{"sk_test_", BASE62, 16, ANY},
	{"rk_live_", BASE62, 16, ANY},
	{"rk_test_", BASE62, 16, ANY},
	{"whsec_", KEY_BYTES | HAS_PLUS | HAS_SLASH, 24, 64},
	{"sq0csp-", KEY_BYTES, 43, 43}, /* Square */
	{"sq0atp-", KEY_BYTES, 22, 22},
	{"AIza", KEY_BYTES, 35, 35}, /* Google */
	{"ya29.", KEY_BYTES, 20, ANY},
	{"GOCSPX-", KEY_BYTES, 28, 28},
	{"SG.", KEY_BYTES, 66, 66}, /* SendGrid */
	{"key-", HAS_LOWER | HAS_DIGIT, 32, 32}, /* Mailgun */
	{"xkeysib-", KEY_BYTES, 64, 90}, /* Brevo */
	{"SK", HAS_LOWER | HAS_DIGIT, 32, 32}, /* Twilio */
	{"npm_", BASE62, 36, 36},
	{"pypi-", KEY_BYTES, 80, ANY},
	{"rubygems_", HAS_LOWER | HAS_DIGIT, 48, 48},
	{"dckr_pat_", KEY_BYTES, 27, 27}, /* Docker */
	{"dop_v1_", HAS_LOWER | HAS_DIGIT, 64, 64}, /* DigitalOcean */
	{"doo_v1_", HAS_LOWER | HAS_DIGIT, 64, 64},
	{"shpat_", BASE62, 32, 32}, /* Shopify */
	{"shpss_", BASE62, 32, 32},
	{"shpca_", BASE62, 32, 32},
	{"hf_", BASE62, 34, 37}, /* Hugging Face */
	{"sk-ant-", KEY_BYTES, 32, ANY}, /* Anthropic */
	{"sk-proj-", KEY_BYTES, 32, ANY}, /* OpenAI */
	{"sk-", BASE62, 48, 48},
	{"hvs.", KEY_BYTES, 24, ANY}, /* Vault, OpenBao */
	{"hvb.", KEY_BYTES, 24, ANY},
	{"hvr.", KEY_BYTES, 24, ANY},
	{"dapi", HAS_LOWER | HAS_DIGIT, 32, 34}, /* Databricks */
	{"NRAK-", HAS_UPPER | HAS_DIGIT, 27, 27}, /* New Relic */
	{"lin_api_", BASE62, 40, 40}, /* Linear */
	{"PMAK-", KEY_BYTES, 59, 59}, /* Postman */
	{"ATATT3", KEY_BYTES, 100, ANY}, /* Atlassian */
	{"AGE-SECRET-KEY-1", HAS_UPPER | HAS_DIGIT, 58, 58}, /* age */
};
#define N_FORMS (sizeof(key_forms) / sizeof(key_forms[0]))

/* Where bytes of `kinds` end that start at `at`. */
static size_t run_end(struct seal_bytes text, size_t at, uint32_t kinds)
{
	while (at < text.len && value_is(text.ptr[at], kinds))
		at++;
	return at;
}

static bool starts_word(struct seal_bytes text, size_t at)
{
	return at == 0 || (!value_is(text.ptr[at - 1], BASE62) && text.ptr[at - 1] != '_' && text.ptr[at - 1] != '-');
}

static bool key_at(struct seal_bytes text, size_t at)
{
	const struct seal_bytes rest = bytes_skip(text, at);

	for (size_t i = 0; i < N_FORMS; i++) {
		const struct key_form *form = &key_forms[i];
		size_t start, most, n;

		if (rest.ptr[0] != (uint8_t)form->prefix[0] || !bytes_starts(rest, bytes_str(form->prefix)))
			continue;
		/* No further than it takes to tell, so that a text of nothing but prefixes costs no more than its length. */
		start = strlen(form->prefix);
		most = start + (form->max == ANY ? form->min : form->max + 1u);
		n = run_end(bytes_of(rest.ptr, rest.len < most ? rest.len : most), start, form->kinds) - start;
		if (n >= form->min && (form->max == ANY || n <= form->max))
			return true;
	}
	return false;
}

bool has_api_key(const struct value *v)
{
	const struct seal_bytes text = v->text;

	for (size_t i = 0; i + KEY_MIN <= text.len; i++) {
		const size_t end = run_end(text, i, KEY_BYTES | HAS_SLASH | HAS_PLUS);

		/* Words of prose are too short. */
		for (; i + KEY_MIN <= end; i++)
			if (value_is(text.ptr[i], HAS_LETTER) && starts_word(text, i) && key_at(text, i))
				return true;
		i = end;
	}
	return false;
}

/* RFC 7468: "-----BEGIN … PRIVATE KEY-----"; the word may stand anywhere in a longer text. */
bool has_private_key(const struct value *v)
{
	static const struct seal_bytes begin = {(const uint8_t *)"-----BEGIN ", 11};
	static const struct seal_bytes what = {(const uint8_t *)"PRIVATE KEY", 11};
	struct seal_bytes rest = v->text;
	const uint8_t *at;

	while ((at = memmem(rest.ptr, rest.len, begin.ptr, begin.len)) != NULL) {
		const size_t from = (size_t)(at - rest.ptr) + begin.len;
		const size_t line = rest.len - from < 40 ? rest.len - from : 40;

		if (memmem(rest.ptr + from, line, what.ptr, what.len) != NULL)
			return true;
		rest = bytes_skip(rest, from);
	}
	return bytes_starts(v->text, BYTES_LIT("PuTTY-User-Key-File-"));
}

/* Where base64url without padding ends: not at '=', as HAS_UNDER has it, so that no byte belongs to many starts of words. */
static size_t base64url_end(struct seal_bytes text, size_t at)
{
	while (at < text.len && (value_is(text.ptr[at], BASE62 | HAS_DASH) || text.ptr[at] == '_'))
		at++;
	return at;
}

/* RFC 7515, RFC 7516: three or five parts in base64url; the first is a JSON object that names an algorithm. */
static bool jwt_at(struct seal_bytes text)
{
	uint8_t header[BASE64_RAW_MAX(JWT_HEADER_MAX)];
	size_t len, parts = 0, at = 0, first = 0;

	for (;;) {
		const size_t end = base64url_end(text, at);

		if (parts == 0)
			first = end;
		if (++parts > 5)
			return false;
		at = end;
		if (at == text.len || text.ptr[at] != '.')
			break;
		at++;
	}
	if ((parts != 3 && parts != 5) || first > JWT_HEADER_MAX ||
	    !base64url_decode(bytes_of(text.ptr, first), header, &len))
		return false;
	return len > 0 && header[0] == '{' && memmem(header, len, "\"alg\"", 5) != NULL;
}

bool has_jwt(const struct value *v)
{
	struct seal_bytes rest = v->text;
	const uint8_t *at;

	/* '{"' in base64 */
	while ((at = memmem(rest.ptr, rest.len, "eyJ", 3)) != NULL) {
		const size_t from = (size_t)(at - rest.ptr);

		if (starts_word(rest, from) && jwt_at(bytes_skip(rest, from)))
			return true;
		rest = bytes_skip(rest, from + 3);
	}
	return false;
}

/* "scheme://user:password@host" (RFC 3986 §3.2.1); stars stand for one that was taken out. */
static bool has_url_login(struct seal_bytes text)
{
	const uint8_t *at;

	while ((at = memmem(text.ptr, text.len, "://", 3)) != NULL) {
		struct seal_bytes rest = bytes_skip(text, (size_t)(at - text.ptr) + 3);
		const size_t user = run_end(rest, 0, KEY_BYTES | HAS_PLUS | HAS_HIGH);
		size_t end = user + 1;

		while (end < rest.len && rest.ptr[end] != '@' && !value_is(rest.ptr[end], HAS_SPACE | HAS_SLASH))
			end++;
		if (user < rest.len && rest.ptr[user] == ':' && end < rest.len && rest.ptr[end] == '@' &&
		    end > user + 1 && rest.ptr[user + 1] != '*' && rest.ptr[user + 1] != '<' &&
		    rest.ptr[user + 1] != '{')
			return true;
		text = rest;
	}
	return false;
}

/* "password=…", as connection strings have it; with something behind it that is not taken out. */
static bool has_setting(struct seal_bytes text)
{
	static const char *const names[] = {"password=", "Password=", "PASSWORD=",   "passwd=",	 "pwd=",    "Pwd=",
					    "PWD=",	 "secret=",   "AccountKey=", "api_key=", "apikey=", "token="};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const size_t len = strlen(names[i]);
		const uint8_t *at = memmem(text.ptr, text.len, names[i], len);
		size_t from;

		if (at == NULL)
			continue;
		from = (size_t)(at - text.ptr) + len;
		if (from + 4 <= text.len && value_is(text.ptr[from], BASE62) &&
		    run_end(text, from, BASE62 | HAS_UNDER | HAS_DASH | HAS_PLUS | HAS_SLASH | HAS_DOT) - from >= 4)
			return true;
	}
	return false;
}

bool has_login(const struct value *v)
{
	return ((v->has & HAS_AT) && (v->has & HAS_COLON) && has_url_login(v->text)) ||
	       ((v->has & HAS_UNDER) && memchr(v->text.ptr, '=', v->text.len) != NULL && has_setting(v->text));
}

static uint32_t class_of(uint8_t c)
{
	return value_kinds[c] & (HAS_LETTER | HAS_DIGIT);
}

/*
 * Random, in base62, base64 or base64url: of 3 classes (capitals, small letters, digits) neighbours differ in 62 % of random text,
 * and its characters repeat little. Words run together ("getUserById") and hexadecimal do neither.
 */
bool is_random_text(const struct value *v)
{
	const struct seal_bytes text = v->text;
	uint8_t times[256] = {0};
	size_t changes = 0, distinct = 0, others = 0, most = 0;

	for (size_t i = 0; i < text.len; i++) {
		const uint8_t c = text.ptr[i];

		if (i > 0)
			changes += class_of(c) != class_of(text.ptr[i - 1]);
		others += class_of(c) == 0;
		distinct += times[c]++ == 0;
		most = times[c] > most ? times[c] : most;
	}
	return others * 8 <= text.len && changes * 100 >= (text.len - 1) * 42 && most * 5 <= text.len &&
	       distinct * 100 >= (text.len < 40 ? text.len * 55 : 2200);
}

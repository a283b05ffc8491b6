/*
 * The only place with PCRE2. Limits on work, depth and memory keep a hostile pattern or name from taking time: a
 * policy is trusted, the names that it meets are not.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/regex.h"

#include <pcre2.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/utf8.h"

#define MATCH_LIMIT 100000
#define DEPTH_LIMIT 1000
#define HEAP_LIMIT_KIB 1024

struct regex {
	pcre2_general_context *memory;
	pcre2_match_context *limits;
	pcre2_code *code;
};

static void *give(PCRE2_SIZE size, void *arg)
{
	return mem_alloc(size);
}

static void take(void *ptr, void *arg)
{
	mem_free(ptr);
}

void regex_free(struct regex *regex)
{
	if (regex == NULL)
		return;
	pcre2_code_free(regex->code);
	pcre2_match_context_free(regex->limits);
	pcre2_general_context_free(regex->memory);
	mem_free(regex);
}

static enum seal_status compile(struct regex *regex, struct seal_bytes text, size_t *error_at, struct seal_err *err)
{
	uint32_t options =
		PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
	pcre2_compile_context *context = pcre2_compile_context_create(regex->memory);
	unsigned char reason[128];
	PCRE2_SIZE at = 0;
	int code = 0;

	if (context == NULL)
		return err_memory(err);
	regex->code = pcre2_compile(text.ptr, text.len, options, &code, &at, context);
	pcre2_compile_context_free(context);
	if (regex->code != NULL)
		return SEAL_OK;
	if (code == PCRE2_ERROR_HEAP_FAILED)
		return err_memory(err);
	if (pcre2_get_error_message(code, reason, sizeof(reason)) < 0)
		reason[0] = '\0';
	*error_at = at;
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "not a regular expression: %s", (const char *)reason);
}

enum seal_status regex_new(struct seal_bytes text, struct regex **out, size_t *error_at, struct seal_err *err)
{
	struct regex *regex = NULL;
	enum seal_status rc;

	*out = NULL;
	*error_at = 0;
	if (text.len > REGEX_LENGTH_MAX)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "a regular expression has at most %d bytes",
			       REGEX_LENGTH_MAX);
	regex = mem_calloc(1, sizeof(*regex));
	if (regex == NULL)
		return err_memory(err);
	regex->memory = pcre2_general_context_create(give, take, NULL);
	regex->limits = regex->memory ? pcre2_match_context_create(regex->memory) : NULL;
	if (regex->limits == NULL) {
		rc = err_memory(err);
		goto out;
	}
	pcre2_set_match_limit(regex->limits, MATCH_LIMIT);
	pcre2_set_depth_limit(regex->limits, DEPTH_LIMIT);
	pcre2_set_heap_limit(regex->limits, HEAP_LIMIT_KIB);
	SEAL_TRY(compile(regex, text, error_at, err));
	*out = regex;
out:
	if (rc != SEAL_OK)
		regex_free(regex);
	return rc;
}

enum regex_result regex_match(const struct regex *regex, struct seal_bytes subject)
{
	pcre2_match_data *data;
	int found;

	if (!utf8_valid(subject))
		return REGEX_NO;
	data = pcre2_match_data_create(1, regex->memory);
	if (data == NULL)
		return REGEX_LIMIT;
	found = pcre2_match(regex->code, subject.len ? subject.ptr : (const uint8_t *)"", subject.len, 0,
			    PCRE2_NO_UTF_CHECK, data, regex->limits);
	pcre2_match_data_free(data);
	if (found >= 0)
		return REGEX_YES;
	return found == PCRE2_ERROR_NOMATCH ? REGEX_NO : REGEX_LIMIT;
}

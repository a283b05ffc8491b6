/* The shared files of AWS's programs: any bytes give views of themselves, or nothing. */
#include "aws/config_file.h"
#include "fuzz.h"

static void check(struct seal_bytes text, struct seal_bytes value)
{
	if (value.len == 0)
		return;
	CHECK(value.ptr >= text.ptr && value.ptr + value.len <= text.ptr + text.len);
	CHECK(memchr(value.ptr, '\n', value.len) == NULL);
	CHECK(value.ptr[0] != ' ' && value.ptr[value.len - 1] != ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct seal_bytes text = bytes_of(data, size);
	bool there;

	check(text, aws_text_value(text, true, AWS_SECTION_PROFILE, "default", "aws_access_key_id", NULL, &there));
	check(text, aws_text_value(text, false, AWS_SECTION_PROFILE, "default", "region", NULL, &there));
	check(text, aws_text_value(text, false, AWS_SECTION_PROFILE, "p", "region", NULL, &there));
	check(text, aws_text_value(text, false, AWS_SECTION_SSO_SESSION, "s", "sso_region", NULL, &there));
	check(text, aws_text_value(text, false, AWS_SECTION_SERVICES, "s", "sqs", "endpoint_url", &there));
	return 0;
}

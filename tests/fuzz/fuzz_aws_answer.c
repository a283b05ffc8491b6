/* What services and stand-ins answer to a call that failed, and XML: any bytes give an error that can be shown. */
#include "aws/answer.h"
#include "aws/xml.h"
#include "fuzz.h"

static enum seal_status element(void *arg, const char *path, struct seal_bytes text, struct seal_err *err)
{
	const struct seal_bytes *doc = arg;

	CHECK(path[0] != '\0' && strlen(path) < AWS_XML_PATH_MAX);
	CHECK(text.len <= doc->len);
	return SEAL_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seal_bytes doc = bytes_of(data, size);
	struct aws_error error;
	struct seal_err err = SEAL_ERR_INIT;

	CHECK(aws_error_read(doc, &error, &err) == SEAL_OK);
	CHECK(strlen(error.code) < sizeof(error.code) && strlen(error.message) < sizeof(error.message));
	CHECK(strpbrk(error.code, "\n\r#:") == NULL && strpbrk(error.message, "\n\r") == NULL);
	(void)aws_failure_of(400, error.code);
	(void)aws_time_of(doc);
	CHECK(aws_xml_read(doc, element, &doc, &err) != SEAL_FATAL);
	return 0;
}

/* `inspect` of a container: what its header says without a key. Its name, time and chunk size are sealed. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/encode.h"
#include "cmd/inspect.h"
#include "cmd/output.h"
#include "files/container.h"
#include "files/file_input.h"
#include "methods/text_form.h"

bool inspect_is_container(const char *path)
{
	uint8_t start[sizeof(FILE_MAGIC) - 1];
	struct file_input in;
	struct stat st;
	size_t got = 0;

	/* Nothing but a regular file may be opened, or read, twice. */
	if ((strcmp(path, "-") == 0 ? fstat(0, &st) : stat(path, &st)) != 0 || !S_ISREG(st.st_mode))
		return false;
	if (file_input_open(path, NULL, &in, NULL) != SEAL_OK)
		return false;
	if (!in.regular || file_input_read_at(&in, 0, start, sizeof(start), &got, NULL) != SEAL_OK)
		got = 0;
	file_input_close(&in);
	return bytes_eq(bytes_of(start, got), BYTES_LIT(FILE_MAGIC));
}

static uint32_t key_version(const struct file_header *header)
{
	struct text_form form = {.version = 0};

	return text_form_parse(header->wrapped, &form) ? form.version : 0;
}

static void show(const char *path, const struct file_header *header, uint64_t chunks, bool json)
{
	char id[2 * FILE_ID_LEN + 1] = "", name[VERSION_NAME_MAX];
	const uint32_t version = key_version(header);

	hex_encode(bytes_of(header->id, FILE_ID_LEN), id);
	if (!json) {
		printf("%s: container version %u, key version %s, id %s, %zu bytes of header, %llu bytes of chunks\n",
		       path, header->version, inspect_version_name(version, "unknown", name), id, header->all.len,
		       (unsigned long long)chunks);
		return;
	}
	fputs("{\"schema\":\"sealstream.inspect.file/1\",\"file\":", stdout);
	output_json_string(stdout, bytes_str(path));
	printf(",\"version\":%u,\"key_version\":%s,\"id\":\"%s\",\"header_bytes\":%zu,\"wrapped_key_bytes\":%zu,"
	       "\"sealed_meta_bytes\":%zu,\"chunks_bytes\":%llu}\n",
	       header->version, inspect_version_name(version, "null", name), id, header->all.len, header->wrapped.len,
	       header->sealed_meta.len, (unsigned long long)chunks);
}

enum seal_status inspect_container(const char *path, bool json, struct seal_err *err)
{
	uint8_t bytes[FILE_HEADER_MAX];
	struct file_header header;
	struct file_input in;
	enum seal_status rc;
	size_t got, need;

	rc = file_input_open(path, NULL, &in, err);
	if (rc != SEAL_OK)
		return rc;
	SEAL_TRY(file_input_read_at(&in, 0, bytes, sizeof(bytes), &got, err));
	rc = file_header_parse(bytes_of(bytes, got), &header, &need, err);
	if (rc == SEAL_OK)
		show(in.path, &header, in.size > header.all.len ? in.size - header.all.len : 0, json);
	else
		err_prefix(err, "%s", in.path);
out:
	file_input_close(&in);
	return rc;
}

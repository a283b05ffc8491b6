/*
 * json_verdict FILE...: prints for each file "accept NAME" or "refuse NAME: why", as every back end of this machine
 * says; "differ NAME" when they don't say the same. Exit 1 when a file can't be read. It asserts nothing itself: the
 * test that runs it does.
 */
#include "base/file.h"
#include "base/mem.h"
#include "json/scan.h"

#define FILE_MAX (16u << 20)

/* In memory of its own, of exactly its size, so that sanitizers see a read behind it. */
static enum seal_status scan(struct seal_bytes doc, struct seal_err *err)
{
	struct json_scan scan = JSON_SCAN_INIT;
	uint8_t *copy = mem_dup(doc.ptr, doc.len);
	enum seal_status rc;

	SEAL_INVARIANT(copy != NULL);
	rc = json_scan(NULL, bytes_of(copy, doc.len), &scan, err);
	json_scan_clear(&scan);
	mem_free(copy);
	return rc;
}

static void judge(const char *name, struct seal_bytes doc)
{
	static const char *const others[] = {"sse2", "avx2"};
	struct seal_err first = SEAL_ERR_INIT;
	enum seal_status rc;

	SEAL_INVARIANT(json_backend_force("plain"));
	rc = scan(doc, &first);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct seal_err err = SEAL_ERR_INIT;

		if (!json_backend_force(others[i]))
			continue;
		if (scan(doc, &err) != rc || strcmp(err.text, first.text) != 0 ||
		    strcmp(err.place, first.place) != 0) {
			printf("differ %s\n", name);
			return;
		}
	}
	if (rc == SEAL_OK)
		printf("accept %s\n", name);
	else
		printf("refuse %s: %s: %s\n", name, first.place, first.text);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *slash = strrchr(argv[i], '/');
		struct seal_buf file = BUF_INIT(FILE_MAX);
		struct seal_err err = SEAL_ERR_INIT;

		if (file_read(argv[i], &file, &err) != SEAL_OK) {
			fprintf(stderr, "%s: %s\n", argv[i], err.text);
			return 1;
		}
		judge(slash != NULL ? slash + 1 : argv[i], buf_bytes(&file));
		buf_clear(&file);
	}
	return 0;
}

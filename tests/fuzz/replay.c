/*
 * Feeds a fuzzer each file of a folder once, in any build and without libFuzzer. Fails on a folder without files, so
 * that a corpus that was lost is seen. Each file is handed over in memory of exactly its size.
 */
#include <dirent.h>
#include <limits.h>

#include "base/file.h"
#include "base/mem.h"
#include "fuzz.h"

static bool replay(const char *folder, const char *name)
{
	struct seal_buf file = BUF_INIT(16 << 20);
	struct seal_err err = SEAL_ERR_INIT;
	char path[PATH_MAX];
	uint8_t *copy;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (file_read(path, &file, &err) != SEAL_OK) {
		fprintf(stderr, "%s: %s\n", path, err.text);
		return false;
	}
	copy = mem_dup(file.ptr, file.len);
	SEAL_INVARIANT(copy != NULL);
	printf("%s (%zu bytes)\n", name, file.len);
	fflush(stdout);
	LLVMFuzzerTestOneInput(copy, file.len);
	mem_free(copy);
	buf_clear(&file);
	return true;
}

int main(int argc, char **argv)
{
	DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
	const struct dirent *entry;
	size_t n = 0;
	bool ok = true;

	if (folder == NULL) {
		fprintf(stderr, "usage: %s FOLDER (of inputs)\n", argv[0]);
		return 1;
	}
	while (ok && (entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		ok = replay(argv[1], entry->d_name);
		n++;
	}
	closedir(folder);
	printf("%zu inputs\n", n);
	return ok && n > 0 ? 0 : 1;
}

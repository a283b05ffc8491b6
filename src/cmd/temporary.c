/* See temporary.h. */
#include "cmd/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define TEMPLATE "/sealstream-test.XXXXXX"

enum seal_status temporary_make(struct arena *arena, char **out, struct seal_err *err)
{
	const char *base = getenv("TMPDIR");
	char *path = arena_printf(arena, "%s" TEMPLATE, base != NULL && base[0] == '/' ? base : "/tmp");

	if (path == NULL)
		return err_memory(err);
	if (mkdtemp(path) == NULL)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_CREATE, errno, "cannot make the temporary directory %s",
				     path);
	*out = path;
	return SEAL_OK;
}

void temporary_remove(const char *path)
{
	DIR *dir = path ? opendir(path) : NULL;
	const struct dirent *entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	rmdir(path);
}

/*
 * Whom to trust. One file is left to libcurl, which reads it anew every few minutes, so that a CA may be exchanged under a
 * running program. A folder is read here, once, every file of it: OpenSSL would see only files named by hash. When anything
 * is given, the system's certificates are not trusted.
 */
#include "http/client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define CA_FILE_MAX (4u << 20)
#define CA_ALL_MAX (32u << 20)

static bool has_certificate(struct seal_bytes text)
{
	static const char mark[] = "-----BEGIN ", kind[] = "CERTIFICATE-----";
	const uint8_t *at = text.len ? memmem(text.ptr, text.len, mark, sizeof(mark) - 1) : NULL;

	while (at != NULL) {
		struct seal_bytes rest = bytes_skip(text, (size_t)(at - text.ptr) + sizeof(mark) - 1);

		if (bytes_starts(rest, BYTES_LIT("TRUSTED ")))
			rest = bytes_skip(rest, sizeof("TRUSTED ") - 1);
		if (bytes_starts(rest, bytes_of(kind, sizeof(kind) - 1)))
			return true;
		at = rest.len ? memmem(rest.ptr, rest.len, mark, sizeof(mark) - 1) : NULL;
	}
	return false;
}

/* Appends the file's text, and a line end; *found: it has a certificate. */
static enum seal_status take_fd(struct seal_buf *out, int fd, const char *path, bool *found, struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(CA_FILE_MAX);
	enum seal_status rc;

	SEAL_TRY(file_read_fd(fd, path, &text, err));
	*found = has_certificate(buf_bytes(&text));
	if (*found) {
		SEAL_TRY(buf_append(out, buf_bytes(&text), err));
		SEAL_TRY(buf_append_u8(out, '\n', err));
	}
out:
	buf_clear(&text);
	return rc;
}

static enum seal_status check_file(const char *path, struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(CA_FILE_MAX);
	enum seal_status rc;

	SEAL_TRY(file_read(path, &text, err));
	if (!has_certificate(buf_bytes(&text)))
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s holds no certificate; give the CA as PEM text",
			     path);
out:
	buf_clear(&text);
	return rc;
}

static enum seal_status take_folder(struct seal_buf *out, const char *path, struct seal_err *err)
{
	DIR *folder = opendir(path);
	enum seal_status rc = SEAL_OK;
	bool any = false, found;
	struct dirent *entry;
	struct stat st;

	if (folder == NULL)
		return err_set_errno(err, SEAL_USAGE, SEAL_E_NO_INPUT, errno,
				     "cannot read the folder of CA certificates %s", path);
	while (rc == SEAL_OK && (entry = readdir(folder)) != NULL) {
		int fd = openat(dirfd(folder), entry->d_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
			rc = take_fd(out, fd, entry->d_name, &found, err);
			any |= rc == SEAL_OK && found;
		}
		if (fd >= 0)
			close(fd);
	}
	closedir(folder);
	if (rc == SEAL_OK && !any)
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			     "no file in %s holds a certificate; give the CA as PEM text", path);
	return rc;
}

enum seal_status ca_load(struct http_client *client, const struct http_config *config, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	client->ca = (struct seal_buf)BUF_INIT(CA_ALL_MAX);
	if (config->ca_file != NULL)
		SEAL_TRY(check_file(config->ca_file, err));
	if (config->ca_pem != NULL) {
		if (!has_certificate(bytes_str(config->ca_pem)))
			return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
				       "the CA's text holds no certificate; give it as PEM");
		SEAL_TRY(buf_append_str(&client->ca, config->ca_pem, err));
		SEAL_TRY(buf_append_u8(&client->ca, '\n', err));
	}
	if (config->ca_path != NULL)
		SEAL_TRY(take_folder(&client->ca, config->ca_path, err));
	/* libcurl takes a text or a file, not both. */
	if (config->ca_file != NULL && client->ca.len > 0)
		SEAL_TRY(file_read(config->ca_file, &client->ca, err));
out:
	return rc;
}

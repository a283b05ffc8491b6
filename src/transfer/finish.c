/*
 * Whole files get their names, many at once, so that the disk is waited for once.
 *
 *   1 every part on disk     2 lock the log, note "take"     3 rename     4 directories on disk     5 note "done", unlock
 *
 * A process that dies before 3 leaves the part, which is whole and gets its name when its records come again; one that dies after 3
 * leaves a `take` whose part is gone, which the next one ends (received.h). Another receiver that has the same transfer finds it
 * done when it gets the lock. So a file comes once.
 *
 * Each step may be repeated after SEAL_RETRY: what has its name already (`placed`) is not named again.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/mem.h"
#include "files/names.h"
#include "transfer/receiver.h"

#define NUMBER_MAX 1000000

static enum seal_status check_there(const struct receiver *r, struct seal_err *err)
{
	struct stat files, state;

	if (fstat(r->place.files, &files) == 0 && fstat(r->place.state, &state) == 0 && files.st_nlink > 0 &&
	    state.st_nlink > 0)
		return SEAL_OK;
	return err_set(err, SEAL_FATAL, SEAL_E_CREATE, "the directory %s or its state directory was removed",
		       r->place.path);
}

static enum seal_status gone(const struct receiver *r, const char *stem, struct seal_err *err)
{
	if (check_there(r, err) != SEAL_OK)
		return SEAL_FATAL;
	return err_set(err, SEAL_FATAL, SEAL_E_IO,
		       "the part %s was taken away from the state directory; the next run gets it again", stem);
}

/* Where the file system cannot rename without replacing. */
static int link_then_unlink(int from, const char *part, int to, const char *name)
{
	if (linkat(from, part, to, name, 0) != 0)
		return -1;
	return unlinkat(from, part, 0);
}

/* 0, EEXIST where the name is taken, or another errno. */
static int rename_to(const struct receiver *r, const char *part, const char *name)
{
	const int from = r->place.state, to = r->place.files;

	if (r->options->overwrite) {
		if (renameat(from, part, to, name) == 0)
			return 0;
		return errno == EISDIR || errno == ENOTEMPTY ? EEXIST : errno;
	}
	if (renameat2(from, part, to, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return errno;
	return link_then_unlink(from, part, to, name) == 0 ? 0 : errno;
}

/* The n-th name to try: `safe` itself, then with numbers from 2 on. */
static enum seal_status candidate(const char *safe, unsigned n, struct seal_buf *out, struct seal_err *err)
{
	enum seal_status rc;

	buf_reset(out);
	if (n == 1)
		SEAL_TRY(buf_append_str(out, safe, err));
	else
		SEAL_TRY(file_name_numbered(bytes_str(safe), n, out, err));
	SEAL_TRY(buf_append_u8(out, '\0', err));
out:
	if (rc != SEAL_OK)
		buf_reset(out);
	return rc;
}

/* Where many files have one name, the search goes on behind the last number. */
static unsigned first_number(const struct receiver *r, const char *name)
{
	return r->numbered_name != NULL && strcmp(r->numbered_name, name) == 0 ? r->numbered + 1 : 2;
}

static void remember_number(struct receiver *r, const char *name, unsigned n)
{
	if (r->numbered_name == NULL || strcmp(r->numbered_name, name) != 0) {
		mem_free(r->numbered_name);
		r->numbered_name = mem_strdup(name); /* without it the search is only slower */
	}
	r->numbered = n;
}

/* `safe`, or where that is taken, the next number that is free. *code is what the last try came to. */
static enum seal_status try_names(struct receiver *r, struct incoming *t, const char *safe, int *code,
				  struct seal_err *err)
{
	struct incoming_work *work = t->work;
	char part[PARTIAL_STEM_MAX + sizeof(PARTIAL_PART)];
	enum seal_status rc = SEAL_OK;

	*code = EEXIST;
	snprintf(part, sizeof(part), "%s%s", work->part.stem, PARTIAL_PART);
	for (unsigned n = 1; *code == EEXIST && n < NUMBER_MAX; n = n == 1 ? first_number(r, safe) : n + 1) {
		SEAL_TRY(candidate(safe, n, &work->placed, err));
		*code = rename_to(r, part, (const char *)work->placed.ptr);
		if (*code == 0 && n > 1)
			remember_number(r, safe, n);
	}
out:
	return rc;
}

/*
 * May it be that another name would do? File systems have rules of their own (no ':' on FAT, 143 bytes under eCryptfs), and what is
 * to be replaced may be somebody else's, immutable, or a mount point.
 */
static bool is_about_name(int code)
{
	return code == EINVAL || code == EILSEQ || code == ENAMETOOLONG || code == EPERM || code == EACCES ||
	       code == EBUSY;
}

/* A file whose name cannot be has the hex digits of its transfer: what somebody calls a file must not stop the others. */
static enum seal_status name_one(struct receiver *r, struct incoming *t, struct seal_err *err)
{
	char plain[2 * FILE_ID_LEN + 1];
	int code, again;
	enum seal_status rc;

	SEAL_TRY(try_names(r, t, t->name, &code, err));
	if (is_about_name(code)) {
		hex_encode(bytes_of(t->id, FILE_ID_LEN), plain);
		plain[sizeof(plain) - 1] = '\0';
		SEAL_TRY(try_names(r, t, plain, &again, err));
		code = again == 0 || !is_about_name(again) ? again : code;
	}
	if (code != 0)
		rc = code == ENOENT ? gone(r, t->work->part.stem, err)
				    : place_failed(code, "give its name to", t->name, err);
out:
	if (rc != SEAL_OK)
		buf_reset(&t->work->placed);
	return rc;
}

static enum seal_status complete_all(struct receiver *r, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < r->n_whole; i++) {
		struct incoming *t = r->whole[i];

		if (t->work->placed.len == 0)
			SEAL_TRY(partial_complete(&t->work->part, t->size, t->mtime_ns, err));
	}
out:
	return rc;
}

/* Under the lock: those that another receiver has finished meanwhile are dropped, the others are noted. */
static enum seal_status take_all(struct receiver *r, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < r->n_whole;) {
		struct incoming *t = r->whole[i];
		bool has = false;

		if (t->work->placed.len > 0) {
			i++;
			continue;
		}
		SEAL_TRY(received_has(r->received, t->id, &has, err));
		if (has) {
			partial_remove(&t->work->part);
			incoming_abandon(r, t);
			continue;
		}
		SEAL_TRY(received_take(r->received, t->id, t->work->part.stem, bytes_str(t->name), err));
		i++;
	}
	SEAL_TRY(received_flush(r->received, err));
out:
	return rc;
}

static enum seal_status name_all(struct receiver *r, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < r->n_whole; i++)
		if (r->whole[i]->work->placed.len == 0)
			SEAL_TRY(name_one(r, r->whole[i], err));
	if (fsync(r->place.files) != 0 || fsync(r->place.state) != 0)
		rc = place_failed(errno, "sync the directory", r->place.path, err);
out:
	return rc;
}

static enum seal_status note_all(struct receiver *r, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < r->n_whole; i++) {
		const struct seal_buf *placed = &r->whole[i]->work->placed;

		SEAL_TRY(received_done(r->received, r->whole[i]->id, bytes_of(placed->ptr, placed->len - 1), err));
	}
	SEAL_TRY(received_flush(r->received, err));
	SEAL_TRY(received_tidy(r->received, err));
out:
	return rc;
}

static void tell_all(struct receiver *r)
{
	while (r->n_whole > 0) {
		struct incoming *t = r->whole[0];
		char name[PARTIAL_STEM_MAX + sizeof(PARTIAL_STATE)];

		r->counts->files++;
		r->counts->bytes += t->size;
		receiver_tell(r, TRANSFER_DONE, t, (const char *)t->work->placed.ptr, NULL);
		snprintf(name, sizeof(name), "%s%s", t->work->part.stem, PARTIAL_STATE);
		unlinkat(r->place.state, name, 0);
		incoming_forget(r, t);
	}
}

enum seal_status finish_whole(struct receiver *r, struct seal_err *err)
{
	enum seal_status rc;

	if (r->n_whole == 0)
		return SEAL_OK;
	SEAL_TRY(check_there(r, err));
	SEAL_TRY(complete_all(r, err));
	SEAL_TRY(received_lock(r->received, err));
	rc = take_all(r, err);
	if (rc == SEAL_OK)
		rc = name_all(r, err);
	if (rc == SEAL_OK)
		rc = note_all(r, err);
	received_unlock(r->received);
	if (rc == SEAL_OK)
		tell_all(r);
out:
	return rc;
}

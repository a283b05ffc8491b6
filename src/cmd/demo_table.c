/*
 * Three views of the same records side by side, and the proof that they are what the demo says.
 *
 *                 purchases               purchases_encrypted      a consumer with the keys
 *   Name          Ada Brown               Ada Brown                Ada Brown
 *   Address       1 High St               vault:v1:6Zk0…           1 High St
 *   credit_card   4111-1111-1111-1111     4111-7290-5518-1111      4111-1111-1111-1111
 */
#include "cmd/demo.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "json/path.h"
#include "json/string.h"

#define LABEL_WIDTH 12
#define COLUMN_MIN 20
#define COLUMN_MAX 44
#define CARD_LENGTH 19 /* 4-4-4-4 */
#define KEPT 4 /* digits that the policy keeps at each end of a card */

enum field { NAME, ADDRESS, CARD, FIELDS };

static const char *const field_names[FIELDS] = {"Name", "Address", "credit_card"};
static const char *const field_paths[FIELDS] = {"$.Name", "$.Address", "$.credit_card"};

struct fields {
	struct seal_bytes value[FIELDS];
};

/* ---- reading ---- */

enum seal_status demo_view_read(const char *path, struct demo_view *view, struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(1 << 20);
	struct seal_bytes rest;
	enum seal_status rc;

	*view = (struct demo_view){0};
	SEAL_TRY(file_read(path, &text, err));
	view->text = mem_strndup((const char *)text.ptr, text.len);
	if (view->text == NULL) {
		rc = err_memory(err);
		goto out;
	}
	rest = bytes_of(view->text, text.len);
	while (rest.len > 0) {
		const uint8_t *end = memchr(rest.ptr, '\n', rest.len);
		size_t len = end ? (size_t)(end - rest.ptr) : rest.len;

		if (view->n == DEMO_RECORDS) {
			rc = err_set(err, SEAL_FATAL, SEAL_E_INTERNAL, "%s has more than %d records", path,
				     DEMO_RECORDS);
			goto out;
		}
		view->lines[view->n++] = bytes_of(rest.ptr, len);
		rest = bytes_skip(rest, len + 1);
	}
out:
	buf_clear(&text);
	return rc;
}

static int by_text(const void *a, const void *b)
{
	const struct seal_bytes *x = a, *y = b;
	const int order = memcmp(x->ptr, y->ptr, x->len < y->len ? x->len : y->len);

	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

void demo_view_sort(struct demo_view *view)
{
	qsort(view->lines, view->n, sizeof(view->lines[0]), by_text);
}

void demo_view_clear(struct demo_view *view)
{
	mem_free(view->text);
	*view = (struct demo_view){0};
}

static enum seal_status paths_new(struct json_paths **out, struct arena *arena, struct seal_err *err)
{
	struct json_path paths[FIELDS];
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < FIELDS; i++)
		SEAL_TRY(json_path_parse(bytes_str(field_paths[i]), arena, &paths[i], NULL, err));
	rc = json_paths_new(paths, FIELDS, out, err);
out:
	return rc;
}

static enum seal_status fields_read(const struct json_paths *paths, struct seal_bytes line, struct arena *arena,
				    struct fields *out, struct seal_err *err)
{
	struct json_scan scan = JSON_SCAN_INIT;
	enum seal_status rc;

	*out = (struct fields){0};
	SEAL_TRY(json_scan(paths, line, &scan, err));
	for (size_t i = 0; i < scan.n_hits; i++) {
		const struct json_hit *hit = &scan.hits[i];
		struct seal_bytes raw = bytes_of(line.ptr + hit->start + 1, hit->end - hit->start - 2);

		if (hit->type != JSON_STRING || !json_string_decode(raw, arena, &out->value[hit->path])) {
			rc = err_set(err, SEAL_FATAL, SEAL_E_INTERNAL, "%s is no text any more",
				     field_names[hit->path]);
			break;
		}
	}
out:
	json_scan_clear(&scan);
	return rc;
}

/* ---- proof ---- */

static enum seal_status broken(const char *what, size_t record, struct seal_err *err)
{
	err_place(err, "record %zu", record + 1);
	return err_set(err, SEAL_FATAL, SEAL_E_INTERNAL, "the demo failed: %s", what);
}

static bool card_is_like(struct seal_bytes card, struct seal_bytes original)
{
	if (card.len != CARD_LENGTH || original.len != CARD_LENGTH || bytes_eq(card, original))
		return false;
	for (size_t i = 0; i < CARD_LENGTH; i++) {
		bool kept = i < KEPT || i >= CARD_LENGTH - KEPT;

		if (i % 5 == 4 ? card.ptr[i] != '-' : card.ptr[i] < '0' || card.ptr[i] > '9')
			return false;
		if (kept && card.ptr[i] != original.ptr[i])
			return false;
	}
	return true;
}

static enum seal_status check_protected(const struct fields *was, const struct fields *is, size_t record,
					struct seal_err *err)
{
	if (!bytes_eq(is->value[NAME], was->value[NAME]))
		return broken("a field that the policy does not name has changed", record, err);
	if (!bytes_starts(is->value[ADDRESS], BYTES_LIT("vault:v")))
		return broken("an address is not encrypted", record, err);
	if (!card_is_like(is->value[CARD], was->value[CARD]))
		return broken("a card is not protected in its own shape", record, err);
	return SEAL_OK;
}

enum seal_status demo_check(const struct demo_view *sent, const struct demo_view *plain,
			    const struct demo_view *protected, const struct demo_view *revealed, struct seal_err *err)
{
	struct json_paths *paths = NULL;
	struct arena arena;
	struct fields was, is;
	size_t version[2] = {0, 0};
	enum seal_status rc;

	arena_init(&arena, 0);
	SEAL_TRY(paths_new(&paths, &arena, err));
	if (sent->n != DEMO_RECORDS || plain->n != sent->n || protected->n != sent->n || revealed->n != sent->n) {
		rc = broken("records are missing", 0, err);
		goto out;
	}
	for (size_t i = 0; i < sent->n; i++) {
		SEAL_TRY(fields_read(paths, sent->lines[i], &arena, &was, err));
		SEAL_TRY(fields_read(paths, protected->lines[i], &arena, &is, err));
		SEAL_TRY(check_protected(&was, &is, i, err));
		version[0] += bytes_starts(is.value[ADDRESS], BYTES_LIT("vault:v1:"));
		version[1] += bytes_starts(is.value[ADDRESS], BYTES_LIT("vault:v2:"));
		if (!bytes_eq(plain->lines[i], sent->lines[i]))
			SEAL_TRY(broken("the first topic does not hold what was sent", i, err));
		if (!bytes_eq(revealed->lines[i], sent->lines[i]))
			SEAL_TRY(broken("a consumer did not get the record back as it was", i, err));
	}
	if (version[0] == 0 || version[1] == 0)
		rc = broken("the records are not of both key versions", 0, err);
out:
	json_paths_free(paths);
	arena_clear(&arena);
	return rc;
}

/* ---- table ---- */

const char *demo_color(const struct demo *demo, const char *code)
{
	static char sequences[8][16];
	static unsigned next;
	char *out = sequences[next++ % 8];

	if (!demo->color)
		return "";
	snprintf(out, sizeof(sequences[0]), "\033[%sm", code);
	return out;
}

size_t demo_column_width(void)
{
	struct winsize size = {0};
	size_t width = 0;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > LABEL_WIDTH)
		width = (size.ws_col - LABEL_WIDTH - 8u) / 3;
	else
		width = 34;
	return width < COLUMN_MIN ? COLUMN_MIN : width > COLUMN_MAX ? COLUMN_MAX : width;
}

void demo_cell(const struct demo *demo, const char *code, struct seal_bytes text, size_t width, bool last)
{
	size_t at = 0, places = 0, cut = 0;
	uint32_t point;

	while (at < text.len && places < width) {
		if (places + 1 < width)
			cut = at;
		if (!utf8_next(text, &at, &point))
			break;
		places++;
	}
	printf("  %s", demo_color(demo, code));
	if (at < text.len)
		printf("%.*s…", (int)cut, text.ptr);
	else
		printf("%.*s", (int)text.len, text.len ? (const char *)text.ptr : "");
	printf("%s%*s", demo_color(demo, DEMO_RESET), last ? 0 : (int)(width - places), "");
}

static void header(const struct demo *demo, size_t width)
{
	printf("\n%*s", LABEL_WIDTH + 2, "");
	demo_cell(demo, DEMO_BOLD, bytes_str("an admin of the brokers sees"), 2 * width + 2, false);
	demo_cell(demo, DEMO_BOLD, bytes_str("a consumer with the keys gets"), width, true);
	printf("\n%*s", LABEL_WIDTH + 2, "");
	demo_cell(demo, DEMO_DIM, bytes_str(demo->plain.name), width, false);
	demo_cell(demo, DEMO_DIM, bytes_str(demo->protected.name), width, false);
	demo_cell(demo, DEMO_DIM, bytes_str(demo->protected.name), width, true);
	printf("\n");
}

static void row(const struct demo *demo, size_t i, const struct fields views[3], size_t width)
{
	bool secret = i != NAME;

	printf("  %-*s", LABEL_WIDTH, field_names[i]);
	demo_cell(demo, secret ? DEMO_RED : DEMO_RESET, views[0].value[i], width, false);
	demo_cell(demo, secret ? DEMO_YELLOW : DEMO_RESET, views[1].value[i], width, false);
	demo_cell(demo, secret ? DEMO_GREEN : DEMO_RESET, views[2].value[i], width, true);
	printf("\n");
}

enum seal_status demo_table(const struct demo *demo, const struct demo_view *plain, const struct demo_view *protected,
			    const struct demo_view *revealed, struct seal_err *err)
{
	const struct demo_view *const views[3] = {plain, protected, revealed};
	struct json_paths *paths = NULL;
	struct fields fields[3];
	struct arena arena;
	size_t width = demo_column_width();
	enum seal_status rc;

	arena_init(&arena, 0);
	SEAL_TRY(paths_new(&paths, &arena, err));
	header(demo, width);
	for (size_t record = 0; record < plain->n; record++) {
		for (size_t i = 0; i < 3; i++)
			SEAL_TRY(fields_read(paths, views[i]->lines[record], &arena, &fields[i], err));
		for (size_t i = 0; i < FIELDS; i++)
			row(demo, i, fields, width);
		printf("\n");
	}
out:
	json_paths_free(paths);
	arena_clear(&arena);
	return rc;
}

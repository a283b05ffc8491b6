/*
 * The progress of file transfers. Events of the transfer come in, from one thread at a time; what is told depends on the form:
 *
 *   bars    drawn ten times a second at most; only failures are lines
 *   lines   a line for each file that is whole, failed or goes on where it stood, and every 30 s one for all
 *   json    every event, progress of a file once a second
 *
 * The transfer asks ever so often whether to stop: that is also when time passes for bars, lines and SIGUSR1 while no event
 * comes. That call has no argument, so `current` is the one that runs.
 */
#include "cmd/file_progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/file_bars.h"
#include "cmd/output.h"
#include "cmd/service.h"

#define DRAW_EVERY_MS 100
#define LINE_EVERY_MS 30000
#define JSON_EVERY_MS 1000
#define FOREIGN_EVERY_MS 10000
#define FOREIGN_TOLD_MAX 50 /* in that time */
#define RATE_EVERY_MS 500
#define RATE_MEMORY_MS 4000 /* of how long ago it remembers, about */
#define SCHEMA "sealstream.file.progress/1"

enum form { SHOW_AUTO, SHOW_BAR, SHOW_LINES, SHOW_JSON, SHOW_NONE };

struct rate {
	uint64_t at_ms, bytes; /* when it was last looked at */
	double value; /* bytes a second; 0: not known yet */
};

/* A file under way. */
struct under_way {
	char *name;
	uint8_t id[FILE_ID_LEN];
	uint64_t bytes, size;
	uint64_t start_ms, start_bytes; /* of this run: what was there already does not count as moved */
	uint64_t told_ms; /* json */
	struct rate rate;
};

struct file_progress {
	enum form form;
	const char *done;
	const struct transfer_counts *counts;
	struct under_way *files; /* oldest first */
	struct bar *bars; /* as much room as files */
	size_t n, cap;
	uint64_t files_done, files_failed, files_abandoned, files_seen;
	uint64_t bytes_done; /* of files that are whole */
	uint64_t bytes_seen; /* sizes of all files seen */
	uint64_t moved; /* bytes, in this run */
	struct rate rate;
	uint64_t start_ms, drawn_ms, line_ms, json_ms;
	uint64_t foreign_ms, foreign_told, foreign_more; /* since then; told, and passed over */
	struct bars shown;
	struct file_progress_also also;
	FILE *text; /* a JSON line is written here first */
	char *line;
	size_t line_len;
};

static struct file_progress *current;

/* ---- rates and sums ---- */

static void rate_start(struct rate *rate, uint64_t bytes, uint64_t now)
{
	*rate = (struct rate){now, bytes, 0};
}

static void rate_look(struct rate *rate, uint64_t bytes, uint64_t now)
{
	uint64_t passed = now - rate->at_ms;
	double lately;

	if (passed < RATE_EVERY_MS)
		return;
	lately = bytes > rate->bytes ? (double)(bytes - rate->bytes) * 1000 / (double)passed : 0;
	if (rate->value <= 0)
		rate->value = lately;
	else
		rate->value += (lately - rate->value) * (double)passed / (double)(passed + RATE_MEMORY_MS);
	rate->at_ms = now;
	rate->bytes = bytes;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t files_known(const struct file_progress *p)
{
	return larger(p->counts->files_known, p->files_seen);
}

/* All files as one. */
static struct bar total_of(const struct file_progress *p)
{
	struct bar total = {.bytes = p->bytes_done, .size = larger(p->counts->bytes_known, p->bytes_seen)};

	for (size_t i = 0; i < p->n; i++)
		total.bytes += p->files[i].bytes;
	if (total.size < total.bytes) /* sizes that are not known */
		total.size = BAR_SIZE_UNKNOWN;
	total.rate = p->rate.value;
	return total;
}

/* ---- json ---- */

static void json_start(struct file_progress *p, const char *event)
{
	rewind(p->text);
	fprintf(p->text, "{\"schema\":\"" SCHEMA "\",\"event\":\"%s\",\"ts\":%lld", event,
		(long long)clock_unix_ms());
}

static void json_end(struct file_progress *p)
{
	ssize_t ignored;

	fputs("}\n", p->text);
	fflush(p->text); /* sets line_len to where the text ends */
	ignored = write(STDERR_FILENO, p->line, p->line_len);
	(void)ignored;
}

static void json_error(struct file_progress *p, const struct seal_err *why)
{
	fprintf(p->text, ",\"class\":\"%s\",\"code\":\"%s\",\"error\":", seal_status_name(why->status),
		seal_code_name(why->code));
	output_json_string(p->text, bytes_str(why->text));
}

static void json_file(struct file_progress *p, const char *event, const struct transfer_event *e)
{
	char id[2 * FILE_ID_LEN + 1] = "";

	hex_encode(bytes_of(e->id, FILE_ID_LEN), id);
	json_start(p, event);
	fprintf(p->text, ",\"id\":\"%s\",\"name\":", id);
	output_json_string(p->text, bytes_str(e->name));
	fprintf(p->text, ",\"bytes\":%llu,\"size\":", (unsigned long long)e->bytes);
	if (e->size == FILE_SIZE_UNKNOWN)
		fputs("null", p->text);
	else
		fprintf(p->text, "%llu", (unsigned long long)e->size);
	if (e->what == TRANSFER_FAILED && e->why != NULL)
		json_error(p, e->why);
	json_end(p);
}

static void json_total(struct file_progress *p, const char *event)
{
	struct bar total = total_of(p);

	json_start(p, event);
	fprintf(p->text,
		",\"files\":%llu,\"files_known\":%llu,\"failed\":%llu,\"bytes\":%llu,\"bytes_known\":%llu,"
		"\"rate\":%.0f",
		(unsigned long long)p->files_done, (unsigned long long)files_known(p),
		(unsigned long long)p->files_failed, (unsigned long long)total.bytes,
		(unsigned long long)larger(p->counts->bytes_known, p->bytes_seen), total.rate);
	json_end(p);
}

/* ---- lines ---- */

static void say_done(const struct file_progress *p, const struct under_way *file, uint64_t now)
{
	double seconds = (double)(now - file->start_ms + 1) / 1000;
	char bytes[BAR_TEXT_ROOM], rate[BAR_TEXT_ROOM];

	bars_bytes(file->bytes, bytes);
	bars_bytes((uint64_t)((double)(file->bytes - file->start_bytes) / seconds), rate);
	log_say(LOG_INFO, "%s: %s, %s in %.1f s, %s/s", file->name, p->done, bytes, seconds, rate);
}

static void say_resumed(const struct under_way *file)
{
	char there[BAR_TEXT_ROOM], size[BAR_TEXT_ROOM] = "more";

	bars_bytes(file->bytes, there);
	if (file->size != FILE_SIZE_UNKNOWN)
		bars_bytes(file->size, size);
	log_say(LOG_INFO, "%s: going on, %s of %s are there already", file->name, there, size);
}

static void say_total(const struct file_progress *p)
{
	char bytes[BAR_TEXT_ROOM], size[BAR_TEXT_ROOM], rate[BAR_TEXT_ROOM], left[BAR_TEXT_ROOM];
	struct bar total = total_of(p);

	bars_bytes(total.bytes, bytes);
	bars_bytes(total.size == BAR_SIZE_UNKNOWN ? total.bytes : total.size, size);
	bars_bytes((uint64_t)total.rate, rate);
	bars_time(bars_left(&total), left);
	log_say(LOG_INFO, "%llu of %llu file%s %s, %llu failed, %s of %s, %s/s, %s left, %zu under way",
		(unsigned long long)p->files_done, (unsigned long long)files_known(p), plural_s(files_known(p)),
		p->done, (unsigned long long)p->files_failed, bytes, size, rate, left, p->n);
}

static void say_failed(const struct transfer_event *e)
{
	struct seal_err told = SEAL_ERR_INIT;

	if (e->why != NULL)
		told = *e->why;
	err_place(&told, "%s", e->name);
	log_err(LOG_ERROR, &told);
}

/* ---- bars ---- */

static void draw(struct file_progress *p)
{
	struct bar total = total_of(p);
	char name[64];

	snprintf(name, sizeof(name), "total, %llu of %llu", (unsigned long long)p->files_done,
		 (unsigned long long)files_known(p));
	total.name = name;
	for (size_t i = 0; i < p->n; i++) {
		const struct under_way *file = &p->files[i];

		p->bars[i] = (struct bar){file->name, file->bytes, file->size, file->rate.value};
	}
	bars_draw(&p->shown, p->bars, p->n, &total);
}

/* ---- what happens ---- */

static void tell_alive(const struct file_progress *p)
{
	const struct file_numbers numbers = {.files = p->files_done,
					     .failed = p->files_failed,
					     .abandoned = p->files_abandoned,
					     .under_way = p->n,
					     .bytes = p->moved,
					     .chunks = p->counts->chunks,
					     .foreign = p->counts->foreign};

	if (p->also.alive != NULL)
		p->also.alive(p->also.arg, &numbers);
}

/* Time has passed. */
static void tick(struct file_progress *p)
{
	uint64_t now = clock_mono_ms();

	tell_alive(p);
	rate_look(&p->rate, p->moved, now);
	for (size_t i = 0; i < p->n; i++)
		rate_look(&p->files[i].rate, p->files[i].bytes, now);
	if (stop_progress_asked()) {
		bars_hide(&p->shown);
		if (p->form == SHOW_JSON)
			json_total(p, "total");
		else
			say_total(p);
	}
	if (p->form == SHOW_BAR && now - p->drawn_ms >= DRAW_EVERY_MS) {
		draw(p);
		p->drawn_ms = now;
	}
	if (p->form == SHOW_LINES && p->n > 0 && now - p->line_ms >= LINE_EVERY_MS) {
		say_total(p);
		p->line_ms = now;
	}
	if (p->form == SHOW_JSON && p->n > 0 && now - p->json_ms >= JSON_EVERY_MS) {
		json_total(p, "total");
		p->json_ms = now;
	}
}

static struct under_way *find(struct file_progress *p, const uint8_t *id)
{
	for (size_t i = 0; i < p->n; i++)
		if (memcmp(p->files[i].id, id, FILE_ID_LEN) == 0)
			return &p->files[i];
	return NULL;
}

static bool grow(struct file_progress *p)
{
	size_t cap = p->cap ? 2 * p->cap : 16;
	struct under_way *files;
	struct bar *bars;

	if (p->n < p->cap)
		return true;
	files = mem_realloc_array(p->files, cap, sizeof(*files));
	if (files == NULL)
		return false;
	p->files = files;
	bars = mem_realloc_array(p->bars, cap, sizeof(*bars));
	if (bars == NULL)
		return false;
	p->bars = bars;
	p->cap = cap;
	return true;
}

/* NULL: no memory; the file is moved all the same, unseen. */
static struct under_way *add(struct file_progress *p, const struct transfer_event *e, uint64_t now)
{
	struct under_way file = {.size = e->size, .bytes = e->bytes, .start_ms = now, .start_bytes = e->bytes};

	if (!grow(p) || (file.name = mem_strdup(e->name)) == NULL)
		return NULL;
	memcpy(file.id, e->id, FILE_ID_LEN);
	rate_start(&file.rate, e->bytes, now);
	p->files_seen++;
	if (e->size != FILE_SIZE_UNKNOWN)
		p->bytes_seen += e->size;
	p->files[p->n] = file;
	return &p->files[p->n++];
}

static void take_away(struct file_progress *p, struct under_way *file)
{
	size_t at = (size_t)(file - p->files);

	mem_free(file->name);
	p->n--;
	memmove(file, file + 1, (p->n - at) * sizeof(*file));
}

static void json_event(struct file_progress *p, struct under_way *file, const struct transfer_event *e, uint64_t now)
{
	static const char *const names[] = {
		[TRANSFER_STARTED] = "started", [TRANSFER_PROGRESS] = "progress", [TRANSFER_DONE] = "done",
		[TRANSFER_FAILED] = "failed",	[TRANSFER_RESUMED] = "resumed",	  [TRANSFER_ABANDONED] = "abandoned"};

	if (e->what == TRANSFER_PROGRESS && now - file->told_ms < JSON_EVERY_MS)
		return;
	file->told_ms = now;
	json_file(p, names[e->what], e);
}

static void tell(struct file_progress *p, struct under_way *file, const struct transfer_event *e, uint64_t now)
{
	if (p->form == SHOW_JSON) {
		json_event(p, file, e, now);
	} else if (e->what == TRANSFER_FAILED) {
		bars_hide(&p->shown);
		say_failed(e);
	} else if (p->form == SHOW_LINES && e->what == TRANSFER_DONE) {
		say_done(p, file, now);
	} else if (p->form == SHOW_LINES && e->what == TRANSFER_RESUMED) {
		say_resumed(file);
	}
}

static void on_event(void *arg, const struct transfer_event *e)
{
	struct file_progress *p = arg;
	uint64_t now = clock_mono_ms();
	struct under_way *file = find(p, e->id);

	if (p->also.event != NULL)
		p->also.event(p->also.arg, e);
	if (file == NULL)
		file = add(p, e, now);
	if (file == NULL) {
		if (e->what == TRANSFER_FAILED)
			say_failed(e);
		return;
	}
	if (e->what == TRANSFER_RESUMED) {
		file->start_bytes = e->bytes;
		rate_start(&file->rate, e->bytes, now);
	} else if (e->bytes > file->bytes) {
		p->moved += e->bytes - file->bytes;
	}
	file->bytes = e->bytes;
	tell(p, file, e, now);
	if (e->what == TRANSFER_DONE) {
		p->files_done++;
		p->bytes_done += e->bytes;
		take_away(p, file);
	} else if (e->what == TRANSFER_FAILED) {
		p->files_failed++;
		take_away(p, file);
	} else if (e->what == TRANSFER_ABANDONED) {
		p->files_abandoned++;
		p->files_seen--;
		p->bytes_seen -= file->size != FILE_SIZE_UNKNOWN ? file->size : 0;
		take_away(p, file);
	}
	tick(p);
}

static void on_waiting(void *arg, const struct seal_err *why)
{
	struct file_progress *p = arg;

	if (p->also.waiting != NULL)
		p->also.waiting(p->also.arg, why);
	bars_hide(&p->shown);
	if (p->form != SHOW_JSON) {
		output_waiting(why);
		return;
	}
	json_start(p, "waiting");
	json_error(p, why);
	json_end(p);
}

static void on_resumed(void *arg, uint64_t waited_ms)
{
	struct file_progress *p = arg;

	if (p->also.resumed != NULL)
		p->also.resumed(p->also.arg);
	bars_hide(&p->shown);
	if (p->form != SHOW_JSON) {
		output_resumed(waited_ms);
		return;
	}
	json_start(p, "going_on");
	fprintf(p->text, ",\"waited_ms\":%llu", (unsigned long long)waited_ms);
	json_end(p);
}

/*
 * Whoever may write to the topic can write any number of such records, and must not fill the disk with lines about them. How many
 * were passed over is told with the next one that is told (not as JSON: the total of all is there).
 */
static bool foreign_is_told(struct file_progress *p)
{
	const uint64_t now = clock_mono_ms();

	if (now - p->foreign_ms >= FOREIGN_EVERY_MS) {
		if (p->foreign_more > 0 && p->form != SHOW_JSON)
			log_say(LOG_WARNING, "%llu more records were no part of a file",
				(unsigned long long)p->foreign_more);
		p->foreign_ms = now;
		p->foreign_told = p->foreign_more = 0;
	}
	if (p->foreign_told == FOREIGN_TOLD_MAX) {
		p->foreign_more++;
		return false;
	}
	p->foreign_told++;
	return true;
}

static void on_foreign(void *arg, const struct seal_err *why)
{
	struct file_progress *p = arg;

	bars_hide(&p->shown);
	if (!foreign_is_told(p))
		return;
	if (p->form != SHOW_JSON) {
		log_err(LOG_WARNING, why);
		return;
	}
	json_start(p, "foreign");
	fputs(",\"place\":", p->text);
	output_json_string(p->text, bytes_str(why->place));
	json_error(p, why);
	json_end(p);
}

static int on_stop(void)
{
	if (current != NULL)
		tick(current);
	service_alive();
	if (stop_requested() != 0)
		service_stopping();
	return stop_requested();
}

/* ---- open and close ---- */

static enum form form_of(int asked, const struct global_options *global)
{
	const char *term = getenv("TERM");
	bool terminal = isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;

	if (asked == SHOW_AUTO && global->quiet)
		return SHOW_NONE;
	if (asked == SHOW_AUTO)
		return terminal ? SHOW_BAR : SHOW_LINES;
	return asked == SHOW_BAR && !terminal ? SHOW_LINES : (enum form)asked;
}

enum seal_status file_progress_new(int form, const char *done, const struct transfer_counts *counts,
				   const struct global_options *global, struct file_progress **out,
				   struct seal_err *err)
{
	struct file_progress *p = mem_calloc(1, sizeof(*p));
	uint64_t now = clock_mono_ms();

	*out = NULL;
	if (p == NULL)
		return err_memory(err);
	p->text = open_memstream(&p->line, &p->line_len);
	if (p->text == NULL) {
		mem_free(p);
		return err_memory(err);
	}
	p->form = form_of(form, global);
	p->done = done;
	p->counts = counts;
	p->start_ms = p->drawn_ms = p->line_ms = p->json_ms = now;
	rate_start(&p->rate, 0, now);
	current = p;
	*out = p;
	return SEAL_OK;
}

void file_progress_watch(struct file_progress *progress, struct transfer_watch *watch)
{
	*watch = (struct transfer_watch){.stop = on_stop,
					 .event = on_event,
					 .waiting = on_waiting,
					 .resumed = on_resumed,
					 .foreign = on_foreign,
					 .arg = progress};
}

void file_progress_tell_also(struct file_progress *p, const struct file_progress_also *also)
{
	p->also = *also;
}

void file_progress_end(struct file_progress *p, bool failed)
{
	double seconds = (double)(clock_mono_ms() - p->start_ms + 1) / 1000;
	char bytes[BAR_TEXT_ROOM], rate[BAR_TEXT_ROOM];

	bars_hide(&p->shown);
	if (failed && files_known(p) == 0 && p->files_failed == 0)
		return; /* it did not begin: the error says it all */
	if (p->form == SHOW_JSON) {
		json_total(p, "end");
		return;
	}
	bars_bytes(p->bytes_done, bytes);
	bars_bytes((uint64_t)((double)p->moved / seconds), rate);
	log_say(LOG_INFO, "%llu file%s %s, %s in %.1f s, %s/s, %llu failed%s", (unsigned long long)p->files_done,
		plural_s(p->files_done), p->done, bytes, seconds, rate, (unsigned long long)p->files_failed,
		p->n > 0 ? "; what is under way goes on with the next run" : "");
}

void file_progress_free(struct file_progress *p)
{
	if (p == NULL)
		return;
	if (current == p)
		current = NULL;
	for (size_t i = 0; i < p->n; i++)
		mem_free(p->files[i].name);
	mem_free(p->files);
	mem_free(p->bars);
	fclose(p->text);
	free(p->line); /* open_memstream's own */
	mem_free(p);
}

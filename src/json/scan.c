/*
 * The scanner's public side: choosing a back end once, setting up a walk, collecting matches, and saying what is
 * wrong with a document.
 */
#include "json/scan.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "json/escape.h"
#include "json/walk.h"

/* Best first. */
static const struct walk_backend *const backends[] = {
#if defined(__x86_64__)
	&walk_avx2,
	&walk_sse2,
#endif
	&walk_plain,
};

#define N_BACKENDS (sizeof(backends) / sizeof(backends[0]))

static _Atomic(const struct walk_backend *) chosen;

/* Every thread that gets here first chooses the same one. */
static const struct walk_backend *backend(void)
{
	const struct walk_backend *b = atomic_load_explicit(&chosen, memory_order_relaxed);

	for (size_t i = 0; b == NULL && i < N_BACKENDS; i++) {
		if (backends[i]->usable()) {
			b = backends[i];
			atomic_store_explicit(&chosen, b, memory_order_relaxed);
		}
	}
	return b;
}

const char *json_backend(void)
{
	return backend()->name;
}

bool json_backend_force(const char *name)
{
	for (size_t i = 0; i < N_BACKENDS; i++) {
		if (strcmp(backends[i]->name, name) == 0 && backends[i]->usable()) {
			atomic_store_explicit(&chosen, backends[i], memory_order_relaxed);
			return true;
		}
	}
	return false;
}

/* Room for one more of `size` bytes, at most `max`. */
static enum walk_fault make_room(void **array, size_t n, size_t *cap, size_t max, size_t size)
{
	size_t wanted = *cap ? *cap * 2 : 16;
	void *bigger;

	if (n < *cap)
		return FAULT_NONE;
	if (n >= max)
		return FAULT_HITS;
	bigger = mem_realloc_array(*array, wanted, size);
	if (bigger == NULL)
		return FAULT_MEMORY;
	*array = bigger;
	*cap = wanted;
	return FAULT_NONE;
}

static enum walk_fault add_step(struct json_scan *scan, struct json_step step)
{
	void *steps = scan->steps;
	enum walk_fault fault =
		make_room(&steps, scan->n_steps, &scan->cap_steps, JSON_STEPS_MAX, sizeof(*scan->steps));

	scan->steps = steps;
	if (fault == FAULT_NONE)
		scan->steps[scan->n_steps++] = step;
	return fault;
}

/* The way from the root to the value that comes next: one step out of each frame. */
static enum walk_fault add_steps(struct walk *w)
{
	enum walk_fault fault = FAULT_NONE;

	w->hit.steps = (uint32_t)w->scan->n_steps;
	w->hit.n_steps = (uint16_t)w->depth;
	for (uint32_t i = 1; i <= w->depth && fault == FAULT_NONE; i++) {
		const struct walk_frame *f = &w->frames[i];
		struct json_step step = {JSON_NO_NAME, JSON_NO_NAME, false};

		if (f->close == '}')
			step = (struct json_step){f->item + 1, f->name_end, f->escaped};
		fault = add_step(w->scan, step);
	}
	return fault;
}

enum walk_fault walk_hit_open(struct walk *w, uint32_t start, enum json_type type)
{
	const struct walk_frame *f = &w->frames[w->depth];
	bool in_object = f->close == '}';

	w->hit = (struct json_hit){
		.start = start,
		.item_start = in_object ? f->item : start,
		.path = w->next - 1,
		.type = (uint8_t)type,
		.in_object = in_object,
	};
	return w->paths->dynamic[w->hit.path] ? add_steps(w) : FAULT_NONE;
}

enum walk_fault walk_hit_close(struct walk *w, uint32_t end)
{
	struct json_scan *scan = w->scan;
	void *hits = scan->hits;
	enum walk_fault fault = make_room(&hits, scan->n_hits, &scan->cap_hits, JSON_HITS_MAX, sizeof(*scan->hits));

	scan->hits = hits;
	w->hit.end = end;
	if (fault == FAULT_NONE)
		scan->hits[scan->n_hits++] = w->hit;
	return fault;
}

uint32_t walk_member_escaped(const struct paths_state *state, struct seal_bytes raw)
{
	uint8_t name[JSON_PATH_NAME_MAX];
	size_t len;

	/* Names that no path can have (too long, or without Unicode text) are "any other name". */
	if (state->lengths == 0 || !escape_decode(raw, name, sizeof(name), &len))
		return state->member;
	return paths_member(state, name, len);
}

static enum seal_status explain(const struct walk *w, struct seal_err *err)
{
	static const char *const texts[] = {
		[FAULT_EMPTY] = "no JSON value, only white space or nothing at all",
		[FAULT_END] = "the JSON text ends too early",
		[FAULT_VALUE] = "a JSON value must stand here",
		[FAULT_LITERAL] = "the only words in JSON are true, false and null",
		[FAULT_NUMBER] = "not a JSON number",
		[FAULT_NAME] = "a member name in double quotes must stand here",
		[FAULT_COLON] = "a colon must follow a member name",
		[FAULT_MEMBER_NEXT] = "a comma or } must follow a member",
		[FAULT_ELEMENT_NEXT] = "a comma or ] must follow an array element",
		[FAULT_TRAILING] = "something follows the JSON value; one record holds one value",
		[FAULT_CONTROL] = "a control character in a JSON string must be written as an escape",
		[FAULT_ESCAPE] = "an escape that JSON does not have",
		[FAULT_UTF8] = "invalid UTF-8 in a JSON string",
		[FAULT_BOM] = "a byte order mark is not part of JSON; remove it",
	};

	if (w->fault == FAULT_MEMORY)
		return err_memory(err);
	err_place(err, "byte %zu", (size_t)(w->fault_at - w->doc));
	if (w->fault == FAULT_DEPTH)
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT, "JSON nested deeper than %d", JSON_DEPTH_MAX);
	if (w->fault == FAULT_HITS)
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT,
			       "the policy's paths match too many values in one record");
	return err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "not JSON: %s", texts[w->fault]);
}

/* One walk; `scan` is NULL when there are no paths. */
static enum seal_status run(const struct json_paths *paths, struct seal_bytes doc, struct json_scan *scan,
			    struct seal_err *err)
{
	struct walk w;

	if (doc.len > JSON_DOCUMENT_MAX)
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT, "JSON text larger than %u bytes", JSON_DOCUMENT_MAX);
	w.doc = doc.len ? doc.ptr : (const uint8_t *)"";
	w.end = w.doc + doc.len;
	w.states = paths->states;
	w.paths = paths;
	w.scan = scan;
	w.next = paths->start;
	w.depth = 0;
	w.hit_depth = 0;
	w.fault = FAULT_NONE;
	w.frames[0].close = 0;
	return backend()->walk(&w) ? SEAL_OK : explain(&w, err);
}

enum seal_status json_scan(const struct json_paths *paths, struct seal_bytes doc, struct json_scan *scan,
			   struct seal_err *err)
{
	enum seal_status rc;

	scan->n_hits = scan->n_steps = 0;
	rc = run(paths != NULL ? paths : &paths_none, doc, scan, err);
	if (rc != SEAL_OK)
		scan->n_hits = scan->n_steps = 0;
	return rc;
}

void json_scan_clear(struct json_scan *scan)
{
	mem_free(scan->hits);
	mem_free(scan->steps);
	*scan = (struct json_scan)JSON_SCAN_INIT;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

bool json_is_value(struct seal_bytes text, bool space)
{
	if (!space && text.len && (is_space(text.ptr[0]) || is_space(text.ptr[text.len - 1])))
		return false;
	return run(&paths_none, text, NULL, NULL) == SEAL_OK;
}

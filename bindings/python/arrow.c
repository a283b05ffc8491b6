/*
 * Columns of strings and bytes as Apache Arrow has them, by its C data interface and its PyCapsules: no other library is
 * needed, and the input is not copied.
 *
 *   capsules ──▶ chunk ──views of SLICE rows──▶ engine ──results──▶ struct native_column ──▶ capsules, any number
 *                the producer's                                    ours, with counted users
 *
 * All but taking capsules and making them runs without the interpreter's lock: a producer may need it, and a consumer may
 * release from any thread. A string column's result is UTF-8 or an error of its row, as Arrow's readers rely on it.
 */
#include <stdatomic.h>

#include "base/utf8.h"

/* The C data interface and the C stream interface, as their specification gives them. */
struct ArrowSchema {
	const char *format, *name, *metadata;
	int64_t flags, n_children;
	struct ArrowSchema **children, *dictionary;
	void (*release)(struct ArrowSchema *schema);
	void *private_data;
};

struct ArrowArray {
	int64_t length, null_count, offset, n_buffers, n_children;
	const void **buffers;
	struct ArrowArray **children, *dictionary;
	void (*release)(struct ArrowArray *array);
	void *private_data;
};

struct ArrowArrayStream {
	int (*get_schema)(struct ArrowArrayStream *stream, struct ArrowSchema *out);
	int (*get_next)(struct ArrowArrayStream *stream, struct ArrowArray *out);
	const char *(*get_last_error)(struct ArrowArrayStream *stream);
	void (*release)(struct ArrowArrayStream *stream);
	void *private_data;
};

#define ARROW_NULLABLE 2
#define SLICE 1024 /* rows that go through the engine at once */
#define VIEW_LEN                                                                                                     \
	16 /* of a string view: length, then the text of up to VIEW_INLINE bytes, or prefix, buffer, offset */
#define VIEW_INLINE 12

/* How a format keeps its rows, and what its results become. */
struct layout {
	const char *format;
	bool text, large, views;
	const char *result;
};

static const struct layout layouts[] = {
	{"u", true, false, false, "u"},	 {"U", true, true, false, "U"},	 {"vu", true, true, true, "U"},
	{"z", false, false, false, "z"}, {"Z", false, true, false, "Z"}, {"vz", false, true, true, "Z"},
};

/* A row that failed; its texts lie in the column's `texts`, each ended by NUL. */
struct native_failure {
	int64_t index;
	int status, code;
	size_t place, text;
};

/* A finished column and those that use it: Python's object, and each array that was exported. */
struct native_column {
	atomic_size_t users;
	const struct layout *layout;
	int64_t length, null_count;
	size_t cap; /* rows */
	uint8_t *validity; /* a bit for each row */
	void *offsets; /* int32_t or int64_t, one more than rows */
	uint8_t *data;
	size_t data_len, data_cap;
	struct native_failure *failures;
	size_t n_failures, failures_cap;
	char *texts;
	size_t texts_len, texts_cap;
};

struct native_arrow {
	struct seal_engine *engine;
	const struct seal_topic *topic;
	int what; /* enum native_what */
	bool keep_failed; /* as nulls; else the first one ends the call with NATIVE_FAILED_RECORD, `at` and `err` */
	void *schema, *array; /* capsules, or NULL and then */
	void *stream; /* a capsule */
	struct native_column *column; /* out: for native_column_own */
	size_t at;
	struct seal_err err;
};

/* ---- the column that is made ---- */

/* Room for `more` behind `len`; doubles. */
static int grow(void **memory, size_t *cap, size_t len, size_t more, size_t size)
{
	size_t want = *cap;
	void *grown;

	if (more <= *cap - len && *memory != NULL)
		return 0;
	if (len + more < len)
		return NATIVE_NO_MEMORY;
	while (want < len + more || want == 0)
		want = want < 64 ? 64 : want * 2;
	grown = reallocarray(*memory, want, size);
	if (grown == NULL)
		return NATIVE_NO_MEMORY;
	*memory = grown;
	*cap = want;
	return 0;
}

static void native_column_free(struct native_column *column)
{
	if (column == NULL || atomic_fetch_sub(&column->users, 1) != 1)
		return;
	free(column->validity);
	free(column->offsets);
	free(column->data);
	free(column->failures);
	free(column->texts);
	free(column);
}

static int reserve_rows(struct native_column *c, size_t more)
{
	const size_t size = c->layout->large ? sizeof(int64_t) : sizeof(int32_t);
	const size_t old = c->validity != NULL ? c->cap / 8 + 1 : 0;
	size_t cap = c->cap;
	uint8_t *validity;

	if (grow(&c->offsets, &cap, (size_t)c->length, more + 1, size) != 0)
		return NATIVE_NO_MEMORY;
	if (cap == c->cap)
		return 0;
	validity = realloc(c->validity, cap / 8 + 1);
	if (validity == NULL)
		return NATIVE_NO_MEMORY;
	memset(validity + old, 0, cap / 8 + 1 - old);
	if (old == 0)
		memset(c->offsets, 0, size);
	c->validity = validity;
	c->cap = cap;
	return 0;
}

/* A row; there is room. A null's data is empty. */
static int add_row(struct native_column *c, struct seal_bytes value, struct seal_err *err)
{
	const size_t row = (size_t)c->length;

	if (value.len > 0) {
		if (!c->layout->large && value.len > INT32_MAX - c->data_len) {
			err->status = SEAL_USAGE, err->code = SEAL_E_LIMIT;
			snprintf(err->text, sizeof(err->text),
				 "the results have more than 2 GiB, which this Arrow type cannot hold; cast the "
				 "column to "
				 "large_string or large_binary, or take it in parts");
			return SEAL_USAGE;
		}
		if (grow((void **)&c->data, &c->data_cap, c->data_len, value.len, 1) != 0)
			return NATIVE_NO_MEMORY;
		memcpy(c->data + c->data_len, value.ptr, value.len);
		c->data_len += value.len;
	}
	if (value.ptr != NULL)
		c->validity[row / 8] |= (uint8_t)(1u << row % 8);
	else
		c->null_count++;
	if (c->layout->large)
		((int64_t *)c->offsets)[row + 1] = (int64_t)c->data_len;
	else
		((int32_t *)c->offsets)[row + 1] = (int32_t)c->data_len;
	c->length++;
	return 0;
}

static int add_text(struct native_column *c, const char *text, size_t *at)
{
	const size_t len = strlen(text) + 1;

	if (grow((void **)&c->texts, &c->texts_cap, c->texts_len, len, 1) != 0)
		return NATIVE_NO_MEMORY;
	memcpy(c->texts + c->texts_len, text, len);
	*at = c->texts_len;
	c->texts_len += len;
	return 0;
}

static int add_failed_row(struct native_column *c, const struct seal_err *why, struct native_arrow *call)
{
	struct native_failure *failure;

	if (!call->keep_failed) {
		call->err = *why;
		call->at = (size_t)c->length;
		return NATIVE_FAILED_RECORD;
	}
	if (grow((void **)&c->failures, &c->failures_cap, c->n_failures, 1, sizeof(*failure)) != 0)
		return NATIVE_NO_MEMORY;
	failure = &c->failures[c->n_failures];
	*failure = (struct native_failure){c->length, (int)why->status, (int)why->code, 0, 0};
	if (add_text(c, why->place, &failure->place) != 0 || add_text(c, why->text, &failure->text) != 0)
		return NATIVE_NO_MEMORY;
	c->n_failures++;
	return add_row(c, (struct seal_bytes){NULL, 0}, &call->err);
}

/* ---- a producer's chunk ---- */

/* Row `row` of an array, counted from its offset; NULL: null. */
static struct seal_bytes row_of(const struct layout *layout, const struct ArrowArray *array, int64_t row)
{
	static const uint8_t empty[1];
	const int64_t at = array->offset + row;
	const uint8_t *validity = array->buffers[0], *data = array->buffers[2];
	int64_t begin, end;

	if (validity != NULL && (validity[at / 8] >> at % 8 & 1) == 0)
		return (struct seal_bytes){NULL, 0};
	if (layout->large) {
		begin = ((const int64_t *)array->buffers[1])[at];
		end = ((const int64_t *)array->buffers[1])[at + 1];
	} else {
		begin = ((const int32_t *)array->buffers[1])[at];
		end = ((const int32_t *)array->buffers[1])[at + 1];
	}
	return end > begin ? (struct seal_bytes){data + begin, (size_t)(end - begin)} : (struct seal_bytes){empty, 0};
}

static struct seal_bytes view_row(const struct ArrowArray *array, int64_t row)
{
	const int64_t at = array->offset + row;
	const uint8_t *validity = array->buffers[0], *view = (const uint8_t *)array->buffers[1] + at * VIEW_LEN;
	int32_t len, buffer, begin;

	if (validity != NULL && (validity[at / 8] >> at % 8 & 1) == 0)
		return (struct seal_bytes){NULL, 0};
	memcpy(&len, view, sizeof(len));
	if (len <= VIEW_INLINE)
		return (struct seal_bytes){view + 4, (size_t)len};
	memcpy(&buffer, view + 8, sizeof(buffer));
	memcpy(&begin, view + 12, sizeof(begin));
	return (struct seal_bytes){(const uint8_t *)array->buffers[2 + buffer] + begin, (size_t)len};
}

static int add_result(struct native_arrow *call, size_t index)
{
	static const struct seal_err no_text = {SEAL_DATA, SEAL_E_SYNTAX,
						"the result is no UTF-8 text; cast the column to binary", ""};
	const struct seal_err *err = seal_result_error(call->engine, index);
	const struct seal_bytes value = seal_result_value(call->engine, index);

	if (err != NULL)
		return add_failed_row(call->column, err, call);
	if (call->column->layout->text && !utf8_valid(value))
		return add_failed_row(call->column, &no_text, call);
	return add_row(call->column, value, &call->err);
}

static int run_slice(struct native_arrow *call, const struct layout *layout, const struct ArrowArray *array,
		     int64_t from, struct seal_bytes *values)
{
	const size_t n = array->length - from < SLICE ? (size_t)(array->length - from) : SLICE;
	const struct batch b = {.n = n, .values = values};
	struct native_call rows = {.engine = call->engine, .topic = call->topic, .what = call->what};
	int rc;

	for (size_t i = 0; i < n; i++)
		values[i] =
			layout->views ? view_row(array, from + (int64_t)i) : row_of(layout, array, from + (int64_t)i);
	rc = (int)transform(&b, &rows);
	if (rc != 0)
		call->err = rows.err;
	if (rc == 0)
		rc = reserve_rows(call->column, n);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_result(call, i);
	return rc;
}

static int run_chunk(struct native_arrow *call, const struct ArrowArray *array)
{
	const struct layout *layout = call->column->layout;
	struct seal_bytes *values = calloc(SLICE, sizeof(*values));
	int rc = values != NULL ? 0 : NATIVE_NO_MEMORY;

	for (int64_t from = 0; from < array->length && rc == 0; from += SLICE)
		rc = run_slice(call, layout, array, from, values);
	free(values);
	return rc;
}

/* ---- a whole column ---- */

static int refuse(struct native_arrow *call, const char *why)
{
	snprintf(call->err.text, sizeof(call->err.text), "%s", why);
	return NATIVE_WRONG_TYPE;
}

static int begin(struct native_arrow *call, const struct ArrowSchema *schema)
{
	struct native_column *column;

	if (schema->dictionary != NULL)
		return refuse(call, "the column is dictionary-encoded; cast it to string or binary");
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		if (strcmp(schema->format, layouts[i].format) != 0)
			continue;
		column = calloc(1, sizeof(*column));
		if (column == NULL)
			return NATIVE_NO_MEMORY;
		atomic_init(&column->users, 1);
		column->layout = &layouts[i];
		call->column = column;
		return reserve_rows(column, 0);
	}
	snprintf(call->err.text, sizeof(call->err.text),
		 "a column of strings or bytes is needed, not one of Arrow's format '%.40s'", schema->format);
	return NATIVE_WRONG_TYPE;
}

static int run_chunks(struct native_arrow *call, struct ArrowArrayStream *stream)
{
	struct ArrowArray chunk;
	int rc = 0;

	for (;;) {
		memset(&chunk, 0, sizeof(chunk));
		if (stream->get_next(stream, &chunk) != 0)
			return refuse(call, "the Arrow stream could not be read");
		if (chunk.release == NULL)
			return 0;
		rc = run_chunk(call, &chunk);
		chunk.release(&chunk);
		if (rc != 0)
			return rc;
	}
}

static int run_stream(struct native_arrow *call, struct ArrowArrayStream *stream)
{
	struct ArrowSchema schema = {0};
	int rc;

	if (stream->release == NULL)
		return refuse(call, "the Arrow stream has been read already");
	if (stream->get_schema(stream, &schema) != 0)
		return refuse(call, "the Arrow stream tells no type");
	rc = begin(call, &schema);
	if (schema.release != NULL)
		schema.release(&schema);
	return rc != 0 ? rc : run_chunks(call, stream);
}

/* Runs one column: 0 and call->column, an enum seal_status with call->err, or an enum native_outcome. */
static int native_arrow_run(struct native_arrow *call)
{
	PyGILState_STATE gil = PyGILState_Ensure();
	struct ArrowArrayStream *stream =
		call->stream != NULL ? PyCapsule_GetPointer(call->stream, "arrow_array_stream") : NULL;
	struct ArrowSchema *schema = call->schema != NULL ? PyCapsule_GetPointer(call->schema, "arrow_schema") : NULL;
	struct ArrowArray *array = call->array != NULL ? PyCapsule_GetPointer(call->array, "arrow_array") : NULL;
	int rc;

	PyErr_Clear();
	PyGILState_Release(gil);
	if (stream != NULL) {
		rc = run_stream(call, stream);
	} else if (schema == NULL || array == NULL || schema->release == NULL || array->release == NULL) {
		rc = refuse(call, "what was given are no Arrow capsules, or used ones");
	} else {
		rc = begin(call, schema);
		if (rc == 0)
			rc = run_chunk(call, array);
	}
	if (rc != 0) {
		native_column_free(call->column);
		call->column = NULL;
	}
	return rc;
}

/* ---- to the consumer ---- */

static void release_schema(struct ArrowSchema *schema)
{
	schema->release = NULL;
}

static void release_array(struct ArrowArray *array)
{
	native_column_free(array->private_data);
	free(array->buffers);
	array->release = NULL;
}

static void drop_schema(PyObject *capsule)
{
	struct ArrowSchema *schema = PyCapsule_GetPointer(capsule, "arrow_schema");

	if (schema->release != NULL)
		schema->release(schema);
	free(schema);
}

static void drop_array(PyObject *capsule)
{
	struct ArrowArray *array = PyCapsule_GetPointer(capsule, "arrow_array");

	if (array->release != NULL)
		array->release(array);
	free(array);
}

static PyObject *schema_capsule(const struct native_column *column)
{
	struct ArrowSchema *schema = calloc(1, sizeof(*schema));
	PyObject *capsule;

	if (schema == NULL)
		return NULL;
	*schema = (struct ArrowSchema){
		.format = column->layout->result, .name = "", .flags = ARROW_NULLABLE, .release = release_schema};
	capsule = PyCapsule_New(schema, "arrow_schema", drop_schema);
	if (capsule == NULL)
		free(schema);
	return capsule;
}

static PyObject *array_capsule(struct native_column *column)
{
	struct ArrowArray *array = calloc(1, sizeof(*array));
	const void **buffers = calloc(3, sizeof(*buffers));
	PyObject *capsule = NULL;

	if (array != NULL && buffers != NULL) {
		buffers[0] = column->null_count > 0 ? column->validity : NULL;
		buffers[1] = column->offsets;
		buffers[2] = column->data != NULL ? (const void *)column->data : "";
		*array = (struct ArrowArray){.length = column->length,
					     .null_count = column->null_count,
					     .n_buffers = 3,
					     .buffers = buffers,
					     .release = release_array,
					     .private_data = column};
		capsule = PyCapsule_New(array, "arrow_array", drop_array);
	}
	if (capsule == NULL) {
		free(array);
		free(buffers);
		return NULL;
	}
	atomic_fetch_add(&column->users, 1);
	return capsule;
}

/* Appends a schema capsule and, if `with_array`, an array capsule to a list; 0, or NATIVE_NO_MEMORY. */
static int native_column_export(struct native_column *column, bool with_array, void *answer)
{
	PyGILState_STATE gil = PyGILState_Ensure();
	int rc = hand_over(answer, schema_capsule(column));

	if (rc == 0 && with_array)
		rc = hand_over(answer, array_capsule(column));
	PyErr_Clear();
	PyGILState_Release(gil);
	return rc == 0 ? 0 : NATIVE_NO_MEMORY;
}

static void drop_column(PyObject *capsule)
{
	native_column_free(PyCapsule_GetPointer(capsule, "native_column"));
}

/* Appends to a list a capsule that frees the column; frees it on failure. */
static int native_column_own(struct native_column *column, void *answer)
{
	bool made;
	int rc = own(column, "native_column", drop_column, answer, &made);

	if (!made)
		native_column_free(column);
	return rc;
}

static int64_t native_column_length(const struct native_column *column)
{
	return column->length;
}

static size_t native_column_failures(const struct native_column *column)
{
	return column->n_failures;
}

/* The texts live as long as the column. */
static void native_column_failure(const struct native_column *column, size_t nth, int64_t *index, int *status,
				  int *code, const char **place, const char **text)
{
	const struct native_failure *failure = &column->failures[nth];

	*index = failure->index;
	*status = failure->status;
	*code = failure->code;
	*place = column->texts + failure->place;
	*text = column->texts + failure->text;
}

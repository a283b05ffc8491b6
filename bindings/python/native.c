/*
 * The part of the Python package that must be fast: a batch crosses in one call. cffi compiles this file into
 * sealstream._native, with arrow.c behind it, and calls these functions without the interpreter's lock (GIL).
 *
 *   tuple of bytes, str, None ──views──▶ seal_engine_protect ──results──▶ list of bytes, str, None
 *        with the GIL                       without it                       with it again
 *
 * Objects of Python come as addresses (id()); the caller keeps them alive, so bytes and str are read where they lie. Only
 * the limited API of Python 3.9 is linked with, so that one extension serves all later versions. No exception leaves this
 * file: those of Python hold the values that they are about, ours never do.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sealstream/engine.h"
#include "sealstream/keyring.h"
#include "sealstream/policy.h"

enum native_what { NATIVE_PROTECT, NATIVE_REVEAL, NATIVE_DEAD_LETTER };

/* What native_run gives besides a status of the library. */
enum native_outcome {
	NATIVE_WRONG_TYPE = -1, /* record `at` is of a type that cannot be taken */
	NATIVE_NO_MEMORY = -2,
	NATIVE_FAILED_RECORD = -3 /* record `at` failed, `err` says why */
};

struct native_call {
	struct seal_engine *engine;
	const struct seal_topic *topic;
	int what; /* enum native_what */
	void *records; /* a tuple */
	void *headers; /* a tuple of as many, or NULL */
	/*
	 * An empty list. It gets a list of the new values, a list of the new headers or None, and a list of
	 * failures: (index, status, code, place, text), sorted.
	 */
	void *answer;
	size_t at;
	struct seal_err err;
};

/* A batch on its way; `kept` holds what was copied for it. */
struct batch {
	size_t n;
	struct seal_bytes *values, *headers;
	PyObject *kept, *failures;
	size_t texts; /* how many values are str */
};

static void batch_clear(struct batch *b)
{
	free(b->values);
	free(b->headers);
	Py_XDECREF(b->kept);
	Py_XDECREF(b->failures);
}

static PyObject *text_of(const char *text)
{
	return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

static int add_failure(PyObject *failures, size_t index, enum seal_status status, enum seal_code code,
		       const char *place, const char *text)
{
	PyObject *row =
		Py_BuildValue("(niiNN)", (Py_ssize_t)index, (int)status, (int)code, text_of(place), text_of(text));
	int rc = row != NULL ? PyList_Append(failures, row) : -1;

	Py_XDECREF(row);
	return rc;
}

static int bytes_view(PyObject *bytes, struct seal_bytes *out)
{
	Py_ssize_t len = 0;
	char *at = NULL;
	int rc = PyBytes_AsStringAndSize(bytes, &at, &len);

	*out = (struct seal_bytes){(const uint8_t *)at, (size_t)len};
	return rc;
}

/* `made`, which this call owns, lives as long as the batch. */
static int keep(struct batch *b, PyObject *made, struct seal_bytes *out)
{
	int rc = PyList_Append(b->kept, made);

	Py_DECREF(made);
	return rc == 0 && bytes_view(made, out) == 0 ? 0 : NATIVE_NO_MEMORY;
}

typedef const char *(*as_utf8_fn)(PyObject *text, Py_ssize_t *len);

/* PyUnicode_AsUTF8AndSize, of the limited API since 3.10 and in 3.9 all the same: the only way to read a str without a copy. */
static as_utf8_fn as_utf8(void)
{
	static as_utf8_fn found; /* guarded by the GIL */

	if (found == NULL)
		found = (as_utf8_fn)dlsym(RTLD_DEFAULT, "PyUnicode_AsUTF8AndSize");
	if (found == NULL)
		abort();
	return found;
}

/* A str that is no Unicode text (half a surrogate pair) fails alone, as a record. */
static int text_view(struct batch *b, PyObject *text, size_t index, struct seal_bytes *out)
{
	Py_ssize_t len = 0;
	const char *at = as_utf8()(text, &len);

	if (at != NULL) {
		*out = (struct seal_bytes){(const uint8_t *)at, (size_t)len};
		return 0;
	}
	if (!PyErr_ExceptionMatches(PyExc_UnicodeError))
		return NATIVE_NO_MEMORY;
	PyErr_Clear();
	return add_failure(b->failures, index, SEAL_DATA, SEAL_E_SYNTAX, "",
			   "the str has half a surrogate pair, which is no text");
}

/* A view of one record. */
static int view(struct batch *b, PyObject *item, size_t index, struct seal_bytes *out)
{
	PyObject *made;

	*out = (struct seal_bytes){NULL, 0};
	if (item == Py_None)
		return 0;
	if (PyBytes_CheckExact(item) || PyBytes_Check(item))
		return bytes_view(item, out);
	if (PyUnicode_CheckExact(item) || PyUnicode_Check(item)) {
		b->texts += out >= b->values && out < b->values + b->n;
		return text_view(b, item, index, out);
	}
	if (!PyByteArray_Check(item) && !PyMemoryView_Check(item))
		return NATIVE_WRONG_TYPE;
	made = PyBytes_FromObject(item); /* others may write there meanwhile */
	if (made == NULL) /* a memoryview that was released */
		return PyErr_ExceptionMatches(PyExc_MemoryError) ? NATIVE_NO_MEMORY : NATIVE_WRONG_TYPE;
	return keep(b, made, out);
}

static int views(struct batch *b, PyObject *tuple, struct seal_bytes **out, size_t *at)
{
	int rc = 0;

	*out = calloc(b->n > 0 ? b->n : 1, sizeof(**out));
	if (*out == NULL)
		return NATIVE_NO_MEMORY;
	for (*at = 0; *at < b->n && rc == 0; ++*at)
		rc = view(b, PyTuple_GetItem(tuple, (Py_ssize_t)*at), *at, &(*out)[*at]);
	if (rc != 0)
		--*at;
	return rc;
}

static int gather(struct batch *b, struct native_call *call)
{
	int rc;

	b->n = (size_t)PyTuple_Size(call->records);
	b->kept = PyList_New(0);
	b->failures = PyList_New(0);
	if (b->kept == NULL || b->failures == NULL)
		return NATIVE_NO_MEMORY;
	rc = views(b, call->records, &b->values, &call->at);
	if (rc == 0 && call->headers != NULL)
		rc = views(b, call->headers, &b->headers, &call->at);
	return rc;
}

static enum seal_status transform(const struct batch *b, struct native_call *call)
{
	const struct seal_records records = {sizeof(records), b->values, b->headers, b->n};

	if (call->what == NATIVE_DEAD_LETTER)
		return seal_engine_dead_letter(call->engine, call->topic, b->values, b->n, &call->err);
	if (b->headers != NULL && call->what == NATIVE_PROTECT)
		return seal_engine_protect_records(call->engine, call->topic, &records, &call->err);
	if (b->headers != NULL)
		return seal_engine_reveal_records(call->engine, call->topic, &records, &call->err);
	if (call->what == NATIVE_PROTECT)
		return seal_engine_protect(call->engine, call->topic, b->values, b->n, &call->err);
	return seal_engine_reveal(call->engine, call->topic, b->values, b->n, &call->err);
}

static PyObject *none(void)
{
	Py_INCREF(Py_None);
	return Py_None;
}

/* What became of record `index`, as str where it was one; None when it failed. */
static PyObject *value_of(const struct native_call *call, const struct batch *b, size_t index, bool text)
{
	struct seal_bytes value = seal_result_value(call->engine, index);
	const struct seal_err *err;
	PyObject *made;

	if (value.ptr == NULL) {
		err = seal_result_error(call->engine, index);
		if (err != NULL &&
		    add_failure(b->failures, index, err->status, err->code, err->place, err->text) != 0)
			return NULL;
		return none();
	}
	if (!text)
		return PyBytes_FromStringAndSize((const char *)value.ptr, (Py_ssize_t)value.len);
	made = PyUnicode_DecodeUTF8((const char *)value.ptr, (Py_ssize_t)value.len, "strict");
	if (made != NULL || !PyErr_ExceptionMatches(PyExc_UnicodeError))
		return made;
	PyErr_Clear();
	if (add_failure(b->failures, index, SEAL_DATA, SEAL_E_SYNTAX, "",
			"the result is no UTF-8 text; give the record as bytes to get bytes") != 0)
		return NULL;
	return none();
}

static PyObject *all_values(const struct native_call *call, const struct batch *b)
{
	PyObject *list = PyList_New((Py_ssize_t)b->n);

	for (size_t i = 0; list != NULL && i < b->n; i++) {
		bool text = b->texts == b->n ||
			    (b->texts > 0 && PyUnicode_Check(PyTuple_GetItem(call->records, (Py_ssize_t)i)));
		PyObject *value = value_of(call, b, i, text);

		if (value == NULL || PyList_SetItem(list, (Py_ssize_t)i, value) != 0) {
			Py_DECREF(list);
			return NULL;
		}
	}
	return list;
}

static PyObject *all_headers(const struct native_call *call, const struct batch *b)
{
	PyObject *list = b->headers != NULL ? PyList_New((Py_ssize_t)b->n) : none();

	for (size_t i = 0; b->headers != NULL && list != NULL && i < b->n; i++) {
		struct seal_bytes header = seal_result_key_header(call->engine, i);
		PyObject *made = header.ptr == NULL ? none()
						    : PyBytes_FromStringAndSize((const char *)header.ptr,
										(Py_ssize_t)header.len);

		if (made == NULL || PyList_SetItem(list, (Py_ssize_t)i, made) != 0) {
			Py_DECREF(list);
			return NULL;
		}
	}
	return list;
}

static int hand_over(PyObject *answer, PyObject *part)
{
	int rc = part != NULL ? PyList_Append(answer, part) : -1;

	Py_XDECREF(part);
	return rc;
}

/* A capsule of what was made, whose `drop` frees it; hands it over. NATIVE_NO_MEMORY: *made says whether there is one. */
static int own(void *thing, const char *name, PyCapsule_Destructor drop, void *answer, bool *made)
{
	PyGILState_STATE gil = PyGILState_Ensure();
	PyObject *capsule = PyCapsule_New(thing, name, drop);
	int rc;

	*made = capsule != NULL;
	rc = hand_over(answer, capsule);
	PyErr_Clear();
	PyGILState_Release(gil);
	return rc == 0 ? 0 : NATIVE_NO_MEMORY;
}

static void drop_policy(PyObject *capsule)
{
	seal_policy_free(PyCapsule_GetPointer(capsule, "seal_policy"));
}

/* Appends to a list a capsule that frees the policy; frees it on failure. */
static int native_policy_own(struct seal_policy *policy, void *answer)
{
	bool made;
	int rc = own(policy, "seal_policy", drop_policy, answer, &made);

	if (!made)
		seal_policy_free(policy);
	return rc;
}

static int answer(struct native_call *call, struct batch *b)
{
	if (hand_over(call->answer, all_values(call, b)) != 0 || hand_over(call->answer, all_headers(call, b)) != 0 ||
	    PyList_Sort(b->failures) != 0 || PyList_Append(call->answer, b->failures) != 0)
		return NATIVE_NO_MEMORY;
	return 0;
}

/* Runs one batch: 0, an enum seal_status with call->err, or an enum native_outcome. */
static int native_run(struct native_call *call)
{
	PyGILState_STATE gil = PyGILState_Ensure();
	struct batch b = {0, NULL, NULL, NULL, NULL, 0};
	int rc = gather(&b, call);

	if (rc == 0) {
		Py_BEGIN_ALLOW_THREADS rc = (int)transform(&b, call);
		Py_END_ALLOW_THREADS
	}
	if (rc == 0)
		rc = answer(call, &b);
	PyErr_Clear();
	batch_clear(&b);
	PyGILState_Release(gil);
	return rc;
}

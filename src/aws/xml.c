/*
 * XML, read by expat: the only place with it. The document is given whole, so that expat keeps no copy of its text, which may hold
 * credentials; what an element says is gathered in one buffer, which is wiped. A DOCTYPE ends it: nothing is ever expanded.
 */
#include "aws/xml.h"

#include <expat.h>

#include "base/mem.h"

#define TEXT_MAX (1u << 20)

struct walk {
	XML_Parser parser;
	aws_xml_element element;
	void *arg;
	struct seal_err *err;
	enum seal_status rc;
	char path[AWS_XML_PATH_MAX];
	size_t starts[AWS_XML_DEPTH_MAX]; /* where in path each name begins */
	unsigned depth;
	struct seal_buf text; /* since the last tag */
};

static void stop(struct walk *w, enum seal_status rc)
{
	if (w->rc == SEAL_OK)
		w->rc = rc;
	(void)XML_StopParser(w->parser, XML_FALSE);
}

static void malformed(struct walk *w)
{
	stop(w, err_set(w->err, SEAL_DATA, SEAL_E_SYNTAX, "the answer is no XML that AWS's services send"));
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct walk *w = arg;
	size_t len = strlen(w->path);

	(void)attributes;
	if (w->depth == AWS_XML_DEPTH_MAX || len + 1 + strlen(name) >= sizeof(w->path)) {
		malformed(w);
		return;
	}
	w->starts[w->depth++] = len;
	snprintf(w->path + len, sizeof(w->path) - len, "%s%s", len > 0 ? "/" : "", name);
	buf_reset(&w->text);
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
	struct walk *w = arg;
	enum seal_status rc;

	(void)name;
	if (w->rc != SEAL_OK) /* expat may call on after it was stopped */
		return;
	rc = w->element(w->arg, w->path, buf_bytes(&w->text), w->err);
	w->path[w->starts[--w->depth]] = '\0';
	buf_reset(&w->text);
	if (rc != SEAL_OK)
		stop(w, rc);
}

static void XMLCALL on_text(void *arg, const XML_Char *text, int len)
{
	struct walk *w = arg;
	enum seal_status rc = buf_append(&w->text, bytes_of(text, (size_t)len), w->err);

	if (rc != SEAL_OK)
		stop(w, rc);
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *system, const XML_Char *public,
			       int own)
{
	malformed(arg);
}

enum seal_status aws_xml_read(struct seal_bytes doc, aws_xml_element element, void *arg, struct seal_err *err)
{
	static const XML_Memory_Handling_Suite memory = {mem_alloc, mem_realloc, mem_free};
	struct walk w = {.element = element, .arg = arg, .err = err, .rc = SEAL_OK, .text = BUF_INIT(TEXT_MAX)};
	enum XML_Error why;

	if (doc.len > INT32_MAX)
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT, "the answer is too long");
	w.parser = XML_ParserCreate_MM("UTF-8", &memory, NULL);
	if (w.parser == NULL)
		return err_memory(err);
	XML_SetUserData(w.parser, &w);
	XML_SetElementHandler(w.parser, on_start, on_end);
	XML_SetCharacterDataHandler(w.parser, on_text);
	XML_SetStartDoctypeDeclHandler(w.parser, on_doctype);
	if (XML_Parse(w.parser, doc.len > 0 ? (const char *)doc.ptr : "", (int)doc.len, XML_TRUE) != XML_STATUS_OK &&
	    w.rc == SEAL_OK) {
		why = XML_GetErrorCode(w.parser);
		if (why == XML_ERROR_NO_MEMORY)
			w.rc = err_memory(err);
		else
			malformed(&w);
	}
	XML_ParserFree(w.parser);
	buf_clear(&w.text);
	return w.rc;
}

bool aws_xml_ends(const char *path, const char *tail)
{
	size_t a = strlen(path), b = strlen(tail);

	return a >= b && strcmp(path + a - b, tail) == 0 && (a == b || path[a - b - 1] == '/');
}

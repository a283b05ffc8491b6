/* JSON text for `policy explain --json` and `policy schema`. */
#include "policy/write.h"

#include "json/string.h"

static void put(struct writer *w, const char *text)
{
	if (w->rc == SEAL_OK)
		w->rc = buf_append_str(w->out, text, w->err);
}

static void new_line(struct writer *w)
{
	if (w->rc == SEAL_OK)
		w->rc = buf_printf(w->out, w->err, "\n%*s", (int)w->depth * 2, "");
}

/* The line of the next name or value. */
static void start(struct writer *w)
{
	if (w->named) {
		w->named = false;
		return;
	}
	if (w->more)
		put(w, ",");
	if (w->depth > 0)
		new_line(w);
}

void write_open(struct writer *w, char bracket)
{
	start(w);
	put(w, bracket == '{' ? "{" : "[");
	w->depth++;
	w->more = false;
}

void write_close(struct writer *w, char bracket)
{
	bool empty = !w->more;

	w->depth--;
	if (!empty)
		new_line(w);
	put(w, bracket == '}' ? "}" : "]");
	w->more = true;
	if (w->depth == 0)
		put(w, "\n");
}

void write_name(struct writer *w, const char *name)
{
	write_str(w, name);
	put(w, ": ");
	w->named = true;
}

void write_text(struct writer *w, struct seal_bytes text)
{
	start(w);
	if (w->rc == SEAL_OK)
		w->rc = json_string_append(w->out, text, w->err);
	w->more = true;
}

void write_str(struct writer *w, const char *text)
{
	if (text != NULL) {
		write_text(w, bytes_str(text));
		return;
	}
	start(w);
	put(w, "null");
	w->more = true;
}

void write_number(struct writer *w, int64_t number)
{
	start(w);
	if (w->rc == SEAL_OK)
		w->rc = buf_printf(w->out, w->err, "%lld", (long long)number);
	w->more = true;
}

void write_bool(struct writer *w, bool value)
{
	start(w);
	put(w, value ? "true" : "false");
	w->more = true;
}

void write_member(struct writer *w, const char *name, const char *text)
{
	write_name(w, name);
	write_str(w, text);
}

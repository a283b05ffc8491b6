/*
 * The only place with libyaml: its events become nodes.
 *
 *   event           inside a list     inside a map
 *   scalar          item              key, then value, in turn
 *   start           item, opened      value, opened (as key: reported)
 *   end             closes the innermost open node
 *
 * What YAML can do and a policy does not need (anchors, aliases, tags, several documents) is a mistake: in a file that
 * says what is protected everything must stand where it takes effect.
 *
 * Invariant: each key of a finished map has a value, and no two keys of it are equal.
 */
#include "policy/node.h"

#include <stdlib.h>
#include <yaml.h>

#include "base/utf8.h"

/* An open list or map. */
struct frame {
	struct node *node;
	struct node **tail; /* where the next item or key goes */
	struct node *key; /* a map's key that waits for its value */
};

struct reader {
	struct build *build;
	struct seal_bytes text;
	yaml_parser_t parser;
	struct frame frames[NODE_DEPTH_MAX];
	size_t depth;
	struct node *root;
	bool stop; /* nothing more can be made of this file */
};

static struct policy_mark mark_of(yaml_mark_t at)
{
	return (struct policy_mark){(uint32_t)at.line + 1, (uint32_t)at.column + 1};
}

static struct node *node_new(struct reader *r, enum node_kind kind, const yaml_event_t *event)
{
	struct node *node = build_scratch(r->build, 1, sizeof(*node));

	if (node == NULL) {
		r->stop = true;
		return NULL;
	}
	node->kind = kind;
	node->mark = mark_of(event->start_mark);
	return node;
}

/* Puts a node where the document stands: root, item, key or value. */
static void place_node(struct reader *r, struct node *node)
{
	struct frame *in = r->depth ? &r->frames[r->depth - 1] : NULL;

	if (in == NULL) {
		r->root = node;
	} else if (in->node->kind == NODE_LIST) {
		*in->tail = node;
		in->tail = &node->next;
		in->node->n++;
	} else if (in->key != NULL) {
		in->key->value = node;
		in->key = NULL;
	} else {
		in->key = node;
		if (node->kind == NODE_SCALAR) {
			*in->tail = node;
			in->tail = &node->next;
			in->node->n++;
		} else if (node->kind != NODE_BAD) {
			build_error(r->build, node->mark, "a key must be text, not %s", node_what(node));
		}
	}
}

static void open_node(struct reader *r, enum node_kind kind, const yaml_event_t *event)
{
	struct node *node = node_new(r, kind, event);

	if (node == NULL)
		return;
	if (r->depth == NODE_DEPTH_MAX) {
		build_error(r->build, node->mark, "nested deeper than %d", NODE_DEPTH_MAX);
		r->stop = true;
		return;
	}
	place_node(r, node);
	r->frames[r->depth++] = (struct frame){.node = node, .tail = &node->first};
}

static int by_text(const void *a, const void *b)
{
	const struct node *x = *(const struct node *const *)a, *y = *(const struct node *const *)b;
	int order = bytes_cmp(x->text, y->text);

	if (order != 0)
		return order;
	if (x->mark.line != y->mark.line)
		return x->mark.line < y->mark.line ? -1 : 1;
	return x->mark.column < y->mark.column ? -1 : x->mark.column > y->mark.column;
}

/* Reports keys that stand twice and marks the later ones NODE_BAD. */
static bool mark_duplicates(struct reader *r, struct node *map)
{
	struct node **sorted = build_scratch(r->build, map->n, sizeof(struct node *)), *first;
	size_t n = 0;
	bool found = false;

	if (sorted == NULL) {
		r->stop = true;
		return false;
	}
	for (struct node *key = map->first; key != NULL; key = key->next)
		sorted[n++] = key;
	qsort(sorted, n, sizeof(*sorted), by_text);
	first = n ? sorted[0] : NULL;
	for (size_t i = 1; i < n; i++) {
		if (!bytes_eq(sorted[i]->text, first->text)) {
			first = sorted[i];
			continue;
		}
		build_error(r->build, sorted[i]->mark, "\"%.*s\" stands here twice, first on line %u",
			    BYTES_FMT(first->text), first->mark.line);
		sorted[i]->kind = NODE_BAD;
		found = true;
	}
	return found;
}

static void close_map(struct reader *r, struct node *map)
{
	struct node **at = &map->first;

	if (!mark_duplicates(r, map))
		return;
	while (*at != NULL) {
		if ((*at)->kind == NODE_BAD) {
			*at = (*at)->next;
			map->n--;
		} else {
			at = &(*at)->next;
		}
	}
}

static void close_node(struct reader *r)
{
	struct node *node = r->frames[--r->depth].node;

	if (node->kind == NODE_MAP)
		close_map(r, node);
}

/* True when the text stands in the file as it is, so that offsets in it are columns. */
static bool is_verbatim(const yaml_event_t *event)
{
	size_t quotes = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? 0 : 2;

	return event->start_mark.line == event->end_mark.line &&
	       event->end_mark.column - event->start_mark.column == event->data.scalar.length + quotes;
}

static void add_scalar(struct reader *r, const yaml_event_t *event)
{
	struct seal_bytes text = bytes_of(event->data.scalar.value, event->data.scalar.length);
	struct node *node = node_new(r, NODE_SCALAR, event);

	if (node == NULL)
		return;
	if (memchr(text.ptr, 0, text.len) != NULL) {
		build_error(r->build, node->mark, "text must not contain a zero byte");
		node->kind = NODE_BAD;
	}
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->verbatim = is_verbatim(event);
	node->text = arena_copy(&r->build->scratch, text);
	if (node->text.ptr == NULL)
		r->build->no_memory = r->stop = true;
	place_node(r, node);
}

static void add_alias(struct reader *r, const yaml_event_t *event)
{
	struct node *node = node_new(r, NODE_BAD, event);

	if (node == NULL)
		return;
	build_error(r->build, node->mark, "aliases are not allowed here: write the value out, or quote the '*'");
	place_node(r, node);
}

static void refuse_anchor_and_tag(struct reader *r, const yaml_event_t *event, const yaml_char_t *anchor,
				  const yaml_char_t *tag)
{
	if (anchor != NULL)
		build_error(r->build, mark_of(event->start_mark),
			    "anchors are not allowed here: write the value out, or quote the '&'");
	if (tag != NULL)
		build_error(r->build, mark_of(event->start_mark),
			    "tags are not allowed here: leave it out, or quote the '!'");
}

static void start_document(struct reader *r, const yaml_event_t *event)
{
	struct policy_mark mark = mark_of(event->start_mark);

	if (r->root != NULL) {
		build_error(r->build, mark, "a policy is one document: remove this one");
		r->stop = true;
	}
	if (event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end)
		build_error(r->build, mark, "tag directives are not allowed here");
}

static void take_event(struct reader *r, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		start_document(r, event);
		break;
	case YAML_SCALAR_EVENT:
		refuse_anchor_and_tag(r, event, event->data.scalar.anchor, event->data.scalar.tag);
		add_scalar(r, event);
		break;
	case YAML_ALIAS_EVENT:
		add_alias(r, event);
		break;
	case YAML_SEQUENCE_START_EVENT:
		refuse_anchor_and_tag(r, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
		open_node(r, NODE_LIST, event);
		break;
	case YAML_MAPPING_START_EVENT:
		refuse_anchor_and_tag(r, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
		open_node(r, NODE_MAP, event);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		close_node(r);
		break;
	default:
		break; /* stream and document ends */
	}
}

/* libyaml gives only an offset for bytes that it can't read. */
static struct policy_mark mark_at_offset(struct seal_bytes text, size_t offset)
{
	struct policy_mark mark = {1, 1};

	for (size_t i = 0; i < offset && i < text.len; i++) {
		if (text.ptr[i] == '\n') {
			mark.line++;
			mark.column = 1;
		} else if ((text.ptr[i] & 0xc0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

/* The mistakes that people make, by libyaml's words for them. */
static const char *hint(const char *problem)
{
	static const struct {
		const char *problem, *hint;
	} hints[] = {
		{"expected ',' or '}'", "; between { and } a path with [ ] needs quotes"},
		{"expected alphabetic or numeric",
		 "; text that begins with * or & needs quotes, and so does a path with [*] between { and }"},
		{"cannot start any token", "; indent with spaces, not tabs, and quote what begins with @, % or `"},
		{"expected '-' indicator", "; what belongs to one entry begins in one column, right of its '-'"},
		{"expected key", "; keys of one map begin in one column"},
		{"mapping values are not allowed", "; keys of one map begin in one column"},
	};

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (strstr(problem, hints[i].problem) != NULL)
			return hints[i].hint;
	return "";
}

static void report_syntax(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;

	if (p->error == YAML_MEMORY_ERROR)
		r->build->no_memory = true;
	else if (p->error == YAML_READER_ERROR)
		build_error(r->build, mark_at_offset(r->text, p->problem_offset), "not YAML: %s", p->problem);
	else if (p->context != NULL && p->context_mark.line != p->problem_mark.line)
		build_error(r->build, mark_of(p->problem_mark), "not YAML: %s %s that starts on line %zu%s",
			    p->problem, p->context, p->context_mark.line + 1, hint(p->problem));
	else
		build_error(r->build, mark_of(p->problem_mark), "not YAML: %s%s%s%s", p->problem,
			    p->context ? " " : "", p->context ? p->context : "", hint(p->problem));
	r->stop = true;
}

struct node *node_read(struct build *build, struct seal_bytes text)
{
	static const struct seal_bytes bom =
		BYTES_LIT("\xef\xbb\xbf"); /* libyaml counts it as a column, and indents by it */
	struct reader r = {.build = build};
	bool end = false;

	if (text.len >= bom.len && bytes_eq(bytes_of(text.ptr, bom.len), bom))
		text = bytes_skip(text, bom.len);
	r.text = text;
	if (!yaml_parser_initialize(&r.parser)) {
		build->no_memory = true;
		return NULL;
	}
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, text.len ? text.ptr : (const uint8_t *)"", text.len);
	while (!r.stop && !end) {
		yaml_event_t event;

		if (!yaml_parser_parse(&r.parser, &event)) {
			report_syntax(&r);
			break;
		}
		end = event.type == YAML_STREAM_END_EVENT;
		take_event(&r, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&r.parser);
	if (r.stop || build->no_memory)
		return NULL;
	if (r.root == NULL)
		build_error(build, (struct policy_mark){1, 1}, "the policy is empty; it starts with version: 1");
	return r.root;
}

struct policy_mark node_mark_at(const struct node *scalar, size_t offset)
{
	struct policy_mark mark = scalar->mark;

	if (scalar->verbatim)
		mark.column += (uint32_t)offset + (scalar->plain ? 0 : 1);
	return mark;
}

const char *node_what(const struct node *node)
{
	static const char *const names[] = {"text", "a map", "a list", "this"};

	if (node->kind == NODE_SCALAR && node->plain && node->text.len == 0)
		return "empty: what belongs to it must be indented";
	return names[node->kind];
}

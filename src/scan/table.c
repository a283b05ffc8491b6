/*
 * The tree of paths: nodes by parent and name in a hash table of chains, each node in its parent's list of children, too.
 *
 * Folding: the first member becomes .* and the others are merged into it, names are forgotten. It depends only on the set of
 * names: an object folds when that has more than SCAN_NAMES_MAX or one that is data, and what is folded in a part of the records
 * is folded in the whole. So tables can be merged in any order.
 *
 * Records come with their members in the same order mostly: each node remembers who followed it, and most names cost one
 * comparison. Freed nodes stay until the table goes, so that such a memory may be old but never dangles.
 */
#include "scan/table.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "crypto/random.h"
#include "crypto/siphash.h"
#include "json/path.h"

#define BUCKETS (2 * SCAN_PATHS_MAX) /* a power of two */

/* Names that hardly repeat: an object becomes a map at the end when it has more of them than this … */
#define MAP_NAMES_MIN 100
/* … which were seen fewer times than this on average, and in less than half of the objects. */
#define MAP_REPEATS 3

struct scan_table {
	struct detect *detect;
	uint8_t key[SIPHASH_KEY_LEN];
	struct scan_node *top, *value, *record_key, *headers;
	struct scan_node *buckets[BUCKETS];
	struct scan_node *free; /* by `bucket` */
	size_t n_nodes; /* in use */
};

static struct scan_node **bucket_of(struct scan_table *table, const struct scan_node *parent, struct seal_bytes name)
{
	uint64_t hash = siphash(table->key, name) ^ (uint64_t)(uintptr_t)parent * UINT64_C(0x9e3779b97f4a7c15);

	return &table->buckets[(hash ^ hash >> 32) % BUCKETS];
}

static void unhash(struct scan_table *table, struct scan_node *node)
{
	struct scan_node **at = bucket_of(table, node->parent, node->name);

	while (*at != node)
		at = &(*at)->bucket;
	*at = node->bucket;
	node->bucket = NULL;
}

/* Takes the name of a member away. */
static void forget_name(struct scan_table *table, struct scan_node *node)
{
	unhash(table, node);
	node->parent->n_names--;
	mem_free((void *)node->name.ptr);
	node->name = BYTES_EMPTY;
}

static struct scan_node *node_new(struct scan_table *table, struct scan_node *parent, enum scan_step step,
				  uint64_t at)
{
	struct scan_node *node = table->free;

	if (node != NULL)
		table->free = node->bucket;
	else
		node = mem_alloc(sizeof(*node));
	if (node == NULL)
		return NULL;
	*node = (struct scan_node){.parent = parent,
				   .step = step,
				   .first = at,
				   .depth = parent != NULL ? parent->depth + 1 : 0,
				   .path_len = parent != NULL ? parent->path_len : 0};
	if (parent != NULL && parent->last != NULL)
		parent->last->next = node;
	else if (parent != NULL)
		parent->children = node;
	if (parent != NULL)
		parent->last = node;
	table->n_nodes++;
	return node;
}

/* A node and all below; it must not be in a list any more. */
static void node_free(struct scan_table *table, struct scan_node *node)
{
	while (node->children != NULL) {
		struct scan_node *child = node->children;

		node->children = child->next;
		node_free(table, child);
	}
	if (node->step == SCAN_MEMBER)
		forget_name(table, node);
	node->parent = NULL;
	node->bucket = table->free;
	table->free = node;
	table->n_nodes--;
}

static bool is_full(const struct scan_table *table, const struct scan_node *node)
{
	return table->n_nodes >= SCAN_PATHS_MAX || node->depth >= SCAN_DEPTH_MAX;
}

static struct scan_node *member_new(struct scan_table *table, struct scan_node *parent, struct seal_bytes name,
				    uint64_t at)
{
	uint8_t *copy = mem_dup(name.len > 0 ? name.ptr : (const uint8_t *)"", name.len);
	struct scan_node **bucket, *node = copy != NULL ? node_new(table, parent, SCAN_MEMBER, at) : NULL;

	if (node == NULL) {
		mem_free(copy);
		return NULL;
	}
	node->name = bytes_of(copy, name.len);
	node->path_len += (uint32_t)name.len;
	bucket = bucket_of(table, parent, node->name);
	node->bucket = *bucket;
	*bucket = node;
	parent->n_names++;
	return node;
}

/* Is a detector sure of a name? */
static bool is_data(struct scan_table *table, struct seal_bytes name)
{
	uint64_t bits = detect_text(table->detect, name);
	struct detect_counts counts = {.values = 1};
	struct detect_finding findings[DETECT_MAX];

	if (bits == 0)
		return false;
	for (size_t bit = 0; bit < detect_count(); bit++)
		counts.hits[bit] = bits >> bit & 1;
	return detect_judge(&counts, findings) > 0 && findings[0].confidence >= DETECT_CONFIDENT;
}

static void looks_add(struct detect_counts *to, const struct detect_counts *from)
{
	to->values += from->values;
	for (size_t bit = 0; bit < DETECT_MAX; bit++) {
		to->hits[bit] += from->hits[bit];
		to->alike[bit] += from->alike[bit];
		to->inside[bit] += from->inside[bit];
		to->inside_fit[bit] += from->inside_fit[bit];
	}
}

/* All but where they stood. */
static void counts_add(struct scan_counts *to, const struct scan_counts *from)
{
	to->below += from->below;
	for (size_t i = 0; i < SCAN_COVERS; i++)
		to->by_cover[i] += from->by_cover[i];
	for (size_t i = 0; i < 2; i++) {
		to->names[i] += from->names[i];
		looks_add(&to->looks[i], &from->looks[i]);
	}
}

/* Counts all of `from` as below `to`. */
static void absorb(struct scan_node *to, const struct scan_node *from)
{
	counts_add(&to->counts, &from->counts);
	to->counts.below += scan_node_values(from);
	for (const struct scan_node *child = from->children; child != NULL; child = child->next)
		absorb(to, child);
}

static bool merge_node(struct scan_table *table, struct scan_node *to, const struct scan_node *from);

/* Makes one node of all members: node->any. False: out of memory. */
static bool fold(struct scan_table *table, struct scan_node *node, uint64_t at)
{
	struct scan_node *child = node->children, *kept = NULL, *members = NULL;
	bool ok = true;

	node->children = node->last = node->leader = NULL;
	while (child != NULL) {
		struct scan_node *next = child->next;

		child->next = NULL;
		if (child->step == SCAN_MEMBER && node->any == NULL) {
			forget_name(table, child);
			child->step = SCAN_ANY;
			child->path_len = node->path_len;
			node->any = child;
		} else if (child->step == SCAN_MEMBER) {
			child->next = members;
			members = child;
		}
		if (child->step != SCAN_MEMBER) {
			child->next = kept;
			kept = child;
			node->last = node->last != NULL ? node->last : child;
		}
		child = next;
	}
	node->children = kept;
	if (node->any == NULL)
		node->any = node_new(table, node, SCAN_ANY, at);
	ok = node->any != NULL;
	while (members != NULL) {
		child = members;
		members = child->next;
		ok = ok && merge_node(table, node->any, child);
		node_free(table, child);
	}
	return ok;
}

/* `node` itself: it has no room for a node, and no member that could become it. */
static struct scan_node *any_of(struct scan_table *table, struct scan_node *node, uint64_t at)
{
	if (node->any == NULL && node->n_names == 0 && is_full(table, node))
		return node;
	return node->any != NULL || fold(table, node, at) ? node->any : NULL;
}

/* The place in `to` of what `child` counts in another node. */
static struct scan_node *place_of(struct scan_table *table, struct scan_node *to, const struct scan_node *child)
{
	if (child->step == SCAN_ELEMENT)
		return scan_table_element(table, to, child->first);
	if (child->step == SCAN_ANY)
		return any_of(table, to, child->first);
	return scan_table_member(table, to, NULL, child->name, false, child->first);
}

static bool merge_node(struct scan_table *table, struct scan_node *to, const struct scan_node *from)
{
	for (size_t i = 0; i < SCAN_TYPES; i++)
		to->counts.types[i] += from->counts.types[i];
	counts_add(&to->counts, &from->counts);
	to->first = from->first < to->first ? from->first : to->first;
	to->rule = to->rule != 0 ? to->rule : from->rule;
	for (const struct scan_node *child = from->children; child != NULL; child = child->next) {
		struct scan_node *place = place_of(table, to, child);

		if (place == NULL || (place != to && !merge_node(table, place, child)))
			return false;
		if (place == to)
			absorb(to, child);
	}
	return true;
}

static struct scan_node *find(struct scan_table *table, const struct scan_node *parent, struct seal_bytes name)
{
	struct scan_node *node = *bucket_of(table, parent, name);

	while (node != NULL && (node->parent != parent || !bytes_eq(node->name, name)))
		node = node->bucket;
	return node;
}

struct scan_node *scan_table_member(struct scan_table *table, struct scan_node *node, struct scan_node *previous,
				    struct seal_bytes name, bool covered, uint64_t at)
{
	struct scan_node **guess = previous != NULL ? &previous->follower : &node->leader, *child = *guess;
	bool data;

	if (child != NULL && child->parent == node && child->step == SCAN_MEMBER && bytes_eq(child->name, name))
		return child;
	child = node->any == NULL ? find(table, node, name) : NULL;
	if (child != NULL)
		return *guess = child;
	data = is_data(table, name);
	if (!data && node->any == NULL && node->n_names < SCAN_NAMES_MAX) {
		if (is_full(table, node) || name.len > JSON_PATH_NAME_MAX ||
		    node->path_len + name.len > SCAN_PATH_BYTES_MAX)
			return node;
		return *guess = member_new(table, node, name, at);
	}
	child = any_of(table, node, at);
	if (child != NULL && data)
		child->counts.names[covered]++;
	return child;
}

struct scan_node *scan_table_element(struct scan_table *table, struct scan_node *node, uint64_t at)
{
	if (node->element == NULL && is_full(table, node))
		return node;
	if (node->element == NULL)
		node->element = node_new(table, node, SCAN_ELEMENT, at);
	return node->element;
}

enum seal_status scan_table_new(struct detect *detect, struct scan_table **out, struct seal_err *err)
{
	struct scan_table *table = mem_calloc(1, sizeof(*table));
	enum seal_status rc;

	*out = NULL;
	if (table == NULL)
		return err_memory(err);
	table->detect = detect;
	SEAL_TRY(random_bytes(table->key, sizeof(table->key), err));
	table->top = node_new(table, NULL, SCAN_TOP, 0);
	if (table->top != NULL) {
		table->value = node_new(table, table->top, SCAN_VALUE, 0);
		table->record_key = node_new(table, table->top, SCAN_KEY, 0);
		table->headers = node_new(table, table->top, SCAN_HEADERS, 0);
	}
	if (table->value == NULL || table->record_key == NULL || table->headers == NULL)
		rc = err_memory(err);
out:
	if (rc != SEAL_OK) {
		scan_table_free(table);
		return rc;
	}
	*out = table;
	return SEAL_OK;
}

void scan_table_free(struct scan_table *table)
{
	if (table == NULL)
		return;
	if (table->top != NULL)
		node_free(table, table->top);
	while (table->free != NULL) {
		struct scan_node *node = table->free;

		table->free = node->bucket;
		mem_free(node);
	}
	mem_free(table);
}

struct scan_node *scan_table_top(const struct scan_table *table)
{
	return table->top;
}

struct scan_node *scan_table_part(const struct scan_table *table, enum scan_step part)
{
	return part == SCAN_VALUE ? table->value : part == SCAN_KEY ? table->record_key : table->headers;
}

size_t scan_table_paths(const struct scan_table *table)
{
	return table->n_nodes;
}

enum seal_status scan_table_merge(struct scan_table *table, struct scan_table *from, struct seal_err *err)
{
	bool ok = merge_node(table, table->value, from->value) &&
		  merge_node(table, table->record_key, from->record_key) &&
		  merge_node(table, table->headers, from->headers);

	return ok ? SEAL_OK : err_memory(err);
}

/* Names that come once or twice and seldom: a map whose names are some id. */
static bool is_map(const struct scan_node *node)
{
	uint64_t seen = 0;

	if (node->n_names <= MAP_NAMES_MIN)
		return false;
	for (const struct scan_node *child = node->children; child != NULL; child = child->next)
		seen += child->step == SCAN_MEMBER ? scan_node_values(child) : 0;
	return seen < (uint64_t)MAP_REPEATS * node->n_names &&
	       2 * seen < node->n_names * node->counts.types[SCAN_OBJECT];
}

static int by_first(const void *a, const void *b)
{
	const struct scan_node *x = *(struct scan_node *const *)a, *y = *(struct scan_node *const *)b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->step != y->step ? (x->step < y->step ? -1 : 1) : bytes_cmp(x->name, y->name);
}

/* False: out of memory. */
static bool sort_children(struct scan_node *node)
{
	struct scan_node **list, *child = node->children;
	size_t n = 0, room = node->n_names + 2u; /* members, .* and [*] */

	list = mem_alloc(room * sizeof(struct scan_node *));
	if (list == NULL)
		return false;
	for (; child != NULL; child = child->next) {
		SEAL_INVARIANT(n < room);
		list[n++] = child;
	}
	qsort(list, n, sizeof(struct scan_node *), by_first);
	for (size_t i = 0; i < n; i++)
		list[i]->next = i + 1 < n ? list[i + 1] : NULL;
	node->children = n > 0 ? list[0] : NULL;
	node->last = n > 0 ? list[n - 1] : NULL;
	mem_free(list);
	return true;
}

static bool finish(struct scan_table *table, struct scan_node *node)
{
	uint64_t named = 0;

	if (node->step == SCAN_MEMBER)
		named = detect_name(table->detect, node->name);
	else if (node->step == SCAN_ELEMENT || node->step == SCAN_ANY)
		named = node->parent->counts.looks[0].named;
	node->counts.looks[0].named = node->counts.looks[1].named = named;
	if (is_map(node) && !fold(table, node, node->first))
		return false;
	if (node->step != SCAN_TOP && !sort_children(node))
		return false;
	for (struct scan_node *child = node->children; child != NULL; child = child->next)
		if (!finish(table, child))
			return false;
	return true;
}

enum seal_status scan_table_finish(struct scan_table *table, struct seal_err *err)
{
	return finish(table, table->top) ? SEAL_OK : err_memory(err);
}

struct scan_node *scan_node_skip(const struct scan_node *node)
{
	while (node != NULL && node->next == NULL)
		node = node->parent;
	return node != NULL ? node->next : NULL;
}

struct scan_node *scan_node_next(const struct scan_node *node)
{
	return node->children != NULL ? node->children : scan_node_skip(node);
}

uint64_t scan_node_values(const struct scan_node *node)
{
	uint64_t n = 0;

	for (size_t i = 0; i < SCAN_TYPES; i++)
		n += node->counts.types[i];
	return n;
}

/* The text of a header's name: all of it as it is, but for what breaks lines or steers terminals. */
static enum seal_status put_header(struct seal_bytes name, struct seal_buf *out, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_append_str(out, "header:", err));
	SEAL_TRY(buf_append(out, name, err));
	utf8_keep_to_one_line((char *)out->ptr + out->len - name.len, name.len);
out:
	return rc;
}

enum seal_status scan_node_path(const struct scan_node *node, struct seal_buf *out, struct seal_err *err)
{
	const struct scan_node *way[SCAN_DEPTH_MAX + 4];
	enum seal_status rc = SEAL_OK;
	size_t n = 0;

	for (; node != NULL; node = node->parent)
		way[n++] = node;
	while (rc == SEAL_OK && n-- > 0) {
		bool header = way[n]->parent != NULL && way[n]->parent->step == SCAN_HEADERS;

		switch (way[n]->step) {
		case SCAN_TOP:
		case SCAN_HEADERS:
			break;
		case SCAN_VALUE:
			rc = buf_append_u8(out, '$', err);
			break;
		case SCAN_KEY:
			rc = buf_append_str(out, "key", err);
			break;
		case SCAN_MEMBER:
			rc = header ? put_header(way[n]->name, out, err) : json_path_put_name(way[n]->name, out, err);
			break;
		case SCAN_ELEMENT:
			rc = buf_append_str(out, "[*]", err);
			break;
		case SCAN_ANY:
			rc = buf_append_str(out, header ? "header:*" : ".*", err);
			break;
		}
	}
	return rc;
}

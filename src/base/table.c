/* Chains of nodes; the slots double when there are more nodes than slots. */
#include "base/table.h"

#include "base/mem.h"

#define SLOTS_FIRST 64
#define FNV_PRIME 1099511628211ull

uint64_t table_hash(uint64_t seed, struct seal_bytes bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		seed = (seed ^ bytes.ptr[i]) * FNV_PRIME;
	return seed;
}

static struct table_node **slot_of(const struct table *table, uint64_t hash)
{
	return &table->heads[(hash ^ hash >> 32) & (table->slots - 1)];
}

static enum seal_status grow(struct table *table, struct seal_err *err)
{
	struct table grown = {.slots = table->slots ? 2 * table->slots : SLOTS_FIRST, .n = table->n};

	grown.heads = mem_calloc(grown.slots, sizeof(*grown.heads));
	if (grown.heads == NULL)
		return err_memory(err);
	for (size_t i = 0; i < table->slots; i++) {
		for (struct table_node *node = table->heads[i], *next; node != NULL; node = next) {
			struct table_node **to = slot_of(&grown, node->hash);

			next = node->next;
			node->next = *to;
			*to = node;
		}
	}
	mem_free(table->heads);
	*table = grown;
	return SEAL_OK;
}

enum seal_status table_add(struct table *table, struct table_node *node, uint64_t hash, struct seal_err *err)
{
	struct table_node **to;

	if (table->n == table->slots && grow(table, err) != SEAL_OK)
		return SEAL_FATAL;
	to = slot_of(table, hash);
	*node = (struct table_node){*to, hash};
	*to = node;
	table->n++;
	return SEAL_OK;
}

void table_remove(struct table *table, struct table_node *node)
{
	struct table_node **at = slot_of(table, node->hash);

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	table->n--;
}

struct table_node *table_find(const struct table *table, uint64_t hash, const struct table_node *after)
{
	struct table_node *node;

	if (table->n == 0)
		return NULL;
	node = after != NULL ? after->next : *slot_of(table, hash);
	while (node != NULL && node->hash != hash)
		node = node->next;
	return node;
}

struct table_node *table_next(const struct table *table, const struct table_node *node)
{
	size_t i = 0;

	if (node != NULL && node->next != NULL)
		return node->next;
	if (node != NULL)
		i = (size_t)(slot_of(table, node->hash) - table->heads) + 1;
	for (; i < table->slots; i++)
		if (table->heads[i] != NULL)
			return table->heads[i];
	return NULL;
}

void table_clear(struct table *table)
{
	mem_free(table->heads);
	*table = (struct table){NULL, 0, 0};
}

/*
 * HMAC-SHA-256 of lots by Intel's multi-buffer library: two messages side by side with the processor's SHA instructions, each hiding
 * the other's latency. The library's wider code (AVX-512, sixteen messages) is little faster in full lots and far slower in small ones.
 *
 *   item ──▶ job (prefix and message joined in scratch, where there is a prefix) ──64 at a time──▶ library ──▶ item's out
 *
 * The library's manager keeps messages and states that come from keys while it works. So each lot has one to itself, in secret
 * memory, and only builds of the library that wipe it afterwards are used. There are a few for the process, made when they are
 * first needed and kept; who finds all taken does without.
 */
#include "crypto/hmac_lots.h"

#include <stdatomic.h>

#define NO_COMPAT_IMB_API_053 /* names that libcrypto has too */
#include <intel-ipsec-mb.h>

#include "base/mem.h"

#define NEEDED (IMB_FEATURE_SHANI | IMB_FEATURE_SSE4_2 | IMB_FEATURE_SAFE_DATA)
#define LOTS 4 /* about 220 KiB each */
#define JOBS 64
#define MESSAGE_MAX ((size_t)4 << 10) /* longer ones gain nothing */

struct work {
	IMB_JOB jobs[JOBS];
	uint8_t joined[JOBS * 128 + MESSAGE_MAX]; /* prefix and message */
};

struct hmac_lots {
	atomic_bool taken;
	struct secret memory; /* the manager, then a struct work; empty until first taken */
	IMB_MGR *manager;
	struct work *work;
};

static struct hmac_lots pool[LOTS];
static atomic_bool unfit; /* the library does not do here: do not try again */

static bool start(struct hmac_lots *lots)
{
	const size_t size = (imb_get_mb_mgr_size() + 63) / 64 * 64;
	IMB_MGR *m;

	if (secret_alloc(&lots->memory, size + sizeof(struct work), NULL) != SEAL_OK)
		return false;
	m = imb_set_pointers_mb_mgr(lots->memory.ptr, 0, 1);
	if (m != NULL && (m->features & NEEDED) == NEEDED) {
		init_mb_mgr_sse(m);
		if (imb_get_errno(m) == 0 &&
		    (!(m->features & IMB_FEATURE_SELF_TEST) || (m->features & IMB_FEATURE_SELF_TEST_PASS))) {
			lots->manager = m;
			lots->work = (struct work *)(lots->memory.ptr + size);
			return true;
		}
	}
	atomic_store(&unfit, true);
	secret_clear(&lots->memory);
	return false;
}

struct hmac_lots *hmac_lots_take(void)
{
	for (size_t i = 0; i < LOTS && !atomic_load(&unfit); i++) {
		if (atomic_load(&pool[i].taken) || atomic_exchange(&pool[i].taken, true))
			continue;
		if (pool[i].manager != NULL || start(&pool[i]))
			return &pool[i];
		atomic_store(&pool[i].taken, false);
		break;
	}
	return NULL;
}

void hmac_lots_give(struct hmac_lots *lots)
{
	if (lots != NULL)
		atomic_store(&lots->taken, false);
}

static bool is_fit(const struct hmac_item *item)
{
	return item->prefix.len <= MESSAGE_MAX && item->in.len <= MESSAGE_MAX - item->prefix.len &&
	       item->prefix.len + item->in.len > 0;
}

/* The message in one piece; moves *at on where it is joined there. */
static struct seal_bytes in_one(const struct hmac_item *item, uint8_t **at)
{
	struct seal_bytes whole = bytes_of(*at, item->prefix.len + item->in.len);

	if (item->prefix.len == 0)
		return item->in;
	memcpy(*at, item->prefix.ptr, item->prefix.len);
	if (item->in.len > 0)
		memcpy(*at + item->prefix.len, item->in.ptr, item->in.len);
	*at += whole.len;
	return whole;
}

static size_t run(struct hmac_lots *lots, const uint8_t *inner, const uint8_t *outer, const struct hmac_item *items,
		  size_t n)
{
	struct work *work = lots->work;
	uint8_t *at = work->joined, *const last = at + sizeof(work->joined) - MESSAGE_MAX;
	uint32_t count = 0;

	for (; count < n && count < JOBS && at <= last && is_fit(&items[count]); count++) {
		const struct seal_bytes message = in_one(&items[count], &at);
		IMB_JOB *job = &work->jobs[count];

		job->hash_alg = IMB_AUTH_HMAC_SHA_256;
		job->src = message.ptr;
		job->hash_start_src_offset_in_bytes = 0;
		job->msg_len_to_hash_in_bytes = message.len;
		job->auth_tag_output = items[count].out;
		job->auth_tag_output_len_in_bytes = SHA256_LEN;
		job->u.HMAC._hashed_auth_key_xor_ipad = inner;
		job->u.HMAC._hashed_auth_key_xor_opad = outer;
	}
	/* all or none: it refuses a lot before it begins */
	if (count > 0 && IMB_SUBMIT_HASH_BURST(lots->manager, work->jobs, count, IMB_AUTH_HMAC_SHA_256) != count)
		count = 0;
	mem_wipe(work->joined, (size_t)(at - work->joined));
	return count;
}

size_t hmac_lots_run(struct hmac_lots *lots, const uint8_t *inner, const uint8_t *outer,
		     const struct hmac_item *items, size_t n)
{
	size_t done = 0, more;

	do {
		more = run(lots, inner, outer, items + done, n - done);
		done += more;
	} while (more > 0 && done < n);
	return done;
}

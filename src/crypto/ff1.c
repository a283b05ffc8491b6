/*
 * FF1 (NIST SP 800-38G r1): checks, the choice of path and back end, and the lot.
 *
 *     item ──▶ shape of (radix, n) ──▶ short? ──▶ lanes, run when eight are full ──▶ back end's `lanes`
 *              (remembered)              └─ no ─▶ general path, one at a time ────▶ back end's `blocks`
 *
 * Invariants: an item is looked at in full (radix, length, numerals) before any item is changed; lanes point to shapes
 * of this context, and a shape is replaced only while no lanes wait.
 */
#include "crypto/ff1.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "crypto/ff1_ops.h"

#define SHAPES 32 /* a power of two */

struct ff1 {
	struct ff1_cipher cipher;
	struct ff1_general *general; /* NULL until a long value comes */
	struct ff1_shape shapes[SHAPES]; /* direct-mapped */
	struct ff1_lane lanes[FF1_LANES];
	size_t waiting;
};

/* Best first; the last one is always there. */
static const struct ff1_ops *const compiled_in[] = {
#ifdef SEAL_HAVE_FF1_AESNI
	&ff1_aesni_ops,
#endif
	&ff1_openssl_ops,
};

#define COMPILED_IN (sizeof(compiled_in) / sizeof(compiled_in[0]))

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic(const struct ff1_ops *) chosen;
static atomic_bool general_only;

static void probe(void)
{
	for (size_t i = COMPILED_IN; i-- > 0;)
		if (compiled_in[i]->available())
			atomic_store(&chosen, compiled_in[i]);
}

static const struct ff1_ops *backend(void)
{
	pthread_once(&once, probe);
	return atomic_load(&chosen);
}

const char *ff1_backend(void)
{
	return backend()->name;
}

bool ff1_backend_force(const char *name)
{
	pthread_once(&once, probe);
	for (size_t i = 0; i < COMPILED_IN; i++)
		if (strcmp(compiled_in[i]->name, name) == 0 && compiled_in[i]->available()) {
			atomic_store(&chosen, compiled_in[i]);
			return true;
		}
	return false;
}

void ff1_force_general(bool on)
{
	atomic_store(&general_only, on);
}

enum seal_status ff1_new(struct seal_bytes key, struct ff1 **out, struct seal_err *err)
{
	struct ff1 *ff1 = NULL;
	enum seal_status rc;

	*out = NULL;
	if (key.len != 16 && key.len != 24 && key.len != 32)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE, "an FF1 key has 16, 24 or 32 bytes, not %zu",
			       key.len);
	ff1 = mem_calloc(1, sizeof(*ff1));
	if (ff1 == NULL)
		return err_memory(err);
	ff1->cipher.ops = backend();
	SEAL_TRY(ff1->cipher.ops->open(key, &ff1->cipher, err));
	*out = ff1;
	ff1 = NULL;
out:
	ff1_free(ff1);
	return rc;
}

void ff1_free(struct ff1 *ff1)
{
	if (ff1 == NULL)
		return;
	ff1->cipher.ops->close(&ff1->cipher);
	ff1_general_free(ff1->general);
	mem_wipe(ff1, sizeof(*ff1));
	mem_free(ff1);
}

/* The least n with radix^n >= FF1_DOMAIN_MIN; at least 2. */
static uint32_t least_length(uint32_t radix)
{
	uint64_t domain = (uint64_t)radix * radix;
	uint32_t n = 2;

	for (; domain < FF1_DOMAIN_MIN; n++)
		domain *= radix;
	return n;
}

enum seal_status ff1_check(uint32_t radix, size_t n, struct seal_err *err)
{
	uint32_t least;

	if (radix < FF1_RADIX_MIN || radix > FF1_RADIX_MAX)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "FF1 takes an alphabet of %d to %d symbols, not %u",
			       FF1_RADIX_MIN, FF1_RADIX_MAX, radix);
	least = least_length(radix);
	if (n < least)
		return err_set(
			err, SEAL_DATA, SEAL_E_DOMAIN,
			"%zu symbols are too few for FF1: with an alphabet of %u at least %u are needed, so that "
			"a million values are possible",
			n, radix, least);
	if (n > FF1_LENGTH_MAX)
		return err_set(err, SEAL_DATA, SEAL_E_DOMAIN,
			       "%zu symbols are too many for FF1: at most %d are allowed", n, FF1_LENGTH_MAX);
	return SEAL_OK;
}

/* Does radix^v stay below 2^62? */
static bool fits_short(uint32_t radix, uint32_t n)
{
	return radix_power(radix, n - n / 2) < NUMERAL_LIMIT;
}

static void shape_init(struct ff1_shape *s, uint32_t radix, uint32_t n)
{
	uint64_t power_v;
	unsigned bits;

	memset(s, 0, sizeof(*s));
	s->n = n;
	s->u = n / 2; /* algorithm 7, step 1: u = floor(n / 2), v = n - u */
	s->v = n - s->u;
	radix_init(&s->radix, radix);
	power_v = radix_power(radix, s->v);
	s->is_short = fits_short(radix, n);
	if (!s->is_short)
		return;
	bits = 64 - (unsigned)__builtin_clzll(power_v - 1);
	s->b = (bits + 7) / 8; /* step 3: b = ceil(ceil(v * LOG(radix)) / 8), by integers */
	s->d = 4 * ((s->b + 3) / 4) + 4; /* step 4: d = 4 * ceil(b / 4) + 4 */
	modulus_init(&s->mod[0], radix_power(radix, s->u), 8 * s->d);
	modulus_init(&s->mod[1], power_v, 8 * s->d);
}

static void run_lanes(struct ff1 *ff1, bool encrypt)
{
	if (ff1->waiting == 0)
		return;
	ff1->cipher.ops->lanes(&ff1->cipher, ff1->lanes, ff1->waiting, encrypt);
	mem_wipe(ff1->lanes, (ff1->waiting == 1 ? 1 : FF1_LANES) * sizeof(ff1->lanes[0]));
	ff1->waiting = 0;
}

static struct ff1_shape *shape_slot(struct ff1 *ff1, uint32_t radix, uint32_t n)
{
	return &ff1->shapes[(radix * 7 + n) % SHAPES];
}

static bool shape_is(const struct ff1_shape *s, uint32_t radix, uint32_t n)
{
	return s->n == n && s->radix.radix == radix;
}

/* The numerals' maximum is computed without a branch; only the verdict on all of them is one bit, and public. */
static bool numerals_valid(const struct ff1_item *item)
{
	uint32_t bad = 0;

	for (uint32_t i = 0; i < item->n; i++)
		bad |= (item->radix - 1 - item->numerals[i]) >> 31;
	ct_declassify(&bad, sizeof(bad));
	return bad == 0;
}

static enum seal_status check_item(const struct ff1_item *item, bool known, struct seal_err *err)
{
	if (!known && ff1_check(item->radix, item->n, NULL) != SEAL_OK)
		return err_set(err, SEAL_FATAL, SEAL_E_INTERNAL,
			       "FF1 was given %u symbols of an alphabet of %u, outside its domain", item->n,
			       item->radix);
	if (item->tweak.len > FF1_TWEAK_MAX)
		return err_set(err, SEAL_FATAL, SEAL_E_INTERNAL, "FF1 was given a tweak of %zu bytes",
			       item->tweak.len);
	if (!numerals_valid(item))
		return err_set(err, SEAL_FATAL, SEAL_E_INTERNAL, "FF1 was given a symbol outside its alphabet of %u",
			       item->radix);
	return SEAL_OK;
}

/* All that can fail, before any item is changed. */
static enum seal_status prepare(struct ff1 *ff1, const struct ff1_item *items, size_t n, bool general,
				struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n; i++) {
		const struct ff1_shape *shape = shape_slot(ff1, items[i].radix, items[i].n);
		bool known = shape_is(shape, items[i].radix, items[i].n);

		SEAL_TRY(check_item(&items[i], known, err));
		general = general || (known ? !shape->is_short : !fits_short(items[i].radix, items[i].n));
	}
	if (general && ff1->general == NULL)
		SEAL_TRY(ff1_general_new(&ff1->general, err));
out:
	return rc;
}

static void run_item(struct ff1 *ff1, struct ff1_item *item, bool encrypt, bool general)
{
	struct ff1_shape *shape = shape_slot(ff1, item->radix, item->n);

	if (!shape_is(shape, item->radix, item->n)) {
		run_lanes(ff1, encrypt);
		shape_init(shape, item->radix, item->n);
	}
	if (general || !shape->is_short) {
		ff1_general_run(ff1->general, &ff1->cipher, shape, item, encrypt);
		return;
	}
	ff1->lanes[ff1->waiting++] =
		(struct ff1_lane){.shape = shape, .numerals = item->numerals, .tweak = item->tweak};
	if (ff1->waiting == FF1_LANES)
		run_lanes(ff1, encrypt);
}

static enum seal_status run(struct ff1 *ff1, struct ff1_item *items, size_t n, bool encrypt, struct seal_err *err)
{
	bool general = atomic_load_explicit(&general_only, memory_order_relaxed);
	enum seal_status rc = prepare(ff1, items, n, general, err);

	if (rc != SEAL_OK)
		return rc;
	for (size_t i = 0; i < n; i++)
		run_item(ff1, &items[i], encrypt, general);
	run_lanes(ff1, encrypt);
	return SEAL_OK;
}

enum seal_status ff1_encrypt_many(struct ff1 *ff1, struct ff1_item *items, size_t n, struct seal_err *err)
{
	return run(ff1, items, n, true, err);
}

enum seal_status ff1_decrypt_many(struct ff1 *ff1, struct ff1_item *items, size_t n, struct seal_err *err)
{
	return run(ff1, items, n, false, err);
}

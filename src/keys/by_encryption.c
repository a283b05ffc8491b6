/* What a store that only encrypts and decrypts can do besides. A text that does not authenticate is never written anew. */
#include "keys/by_encryption.h"

#include "crypto/random.h"

/* What `from` failed of goes to `to`; true when there is something to fail of. */
static bool failed_too(struct key_item *to, const struct key_item *from)
{
	to->out = BYTES_EMPTY;
	to->err = from->err;
	return from->err != NULL;
}

enum seal_status key_renew(struct key_session *base, struct key_item **of, struct key_item *lot, size_t n,
			   const struct key_call *call, struct seal_err *err)
{
	enum seal_status rc;
	size_t opened = 0;

	for (size_t i = 0; i < n; i++)
		lot[i] = (struct key_item){.in = of[i]->in, .aad = of[i]->aad};
	SEAL_TRY(base->ops->decrypt(base, lot, n, call, err));
	for (size_t i = 0; i < n; i++) {
		if (failed_too(of[i], &lot[i]))
			continue;
		of[opened] = of[i];
		lot[opened++] = (struct key_item){.in = lot[i].out, .aad = lot[i].aad};
	}
	SEAL_TRY(base->ops->encrypt(base, lot, opened, call, err));
	for (size_t i = 0; i < opened; i++)
		if (!failed_too(of[i], &lot[i]))
			of[i]->out = lot[i].out;
out:
	return rc;
}

enum seal_status key_data_key(struct key_session *base, size_t len, struct seal_bytes aad, struct secret *plain,
			      struct seal_bytes *wrapped, const struct key_call *call, struct seal_err *err)
{
	const struct key_call newest = {.arena = call->arena, .deadline_ms = call->deadline_ms};
	struct key_item item = {.aad = aad};
	struct secret fresh = SECRET_INIT;
	enum seal_status rc;

	SEAL_INVARIANT(len == 16 || len == 32 || len == 64);
	*wrapped = BYTES_EMPTY;
	SEAL_TRY(secret_alloc(&fresh, len, err));
	SEAL_TRY(random_bytes(fresh.ptr, fresh.len, err));
	item.in = secret_bytes(&fresh);
	SEAL_TRY(base->ops->encrypt(base, &item, 1, &newest, err));
	if (item.err != NULL) {
		rc = err_set(err, item.err->status, item.err->code, "%s", item.err->text);
		goto out;
	}
	*wrapped = item.out;
	if (plain != NULL) {
		*plain = fresh;
		fresh = (struct secret)SECRET_INIT;
	}
out:
	secret_clear(&fresh);
	return rc;
}

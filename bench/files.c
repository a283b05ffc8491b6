/* Containers of 512 KiB chunks: a file in memory (memfd) protected and revealed, nothing written, against EVP on the same chunks. */
#include "bench.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "files/file_protect.h"
#include "files/file_reveal.h"
#include "keys/data_key.h"

#define SIZE (8u << 20)
#define CHUNK FILE_CHUNK_DEFAULT
#define EVP_NAME "AES-256-GCM by EVP, 512 KiB in memory"

static uint8_t chunk[CHUNK + FILE_TAG_LEN];
static struct file_input in[2]; /* the file, its container */
static struct file_target nothing;

/* A key of keys that costs nothing. */
static enum seal_status no_wrap(struct key_session *session, size_t len, struct seal_bytes aad, struct secret *plain,
				struct seal_bytes *wrapped, const struct key_call *call, struct seal_err *err)
{
	*wrapped = BYTES_LIT("vault:v1:none");
	return secret_alloc(plain, len, err);
}

static enum seal_status no_unwrap(struct key_session *session, struct key_item *items, size_t n,
				  const struct key_call *call, struct seal_err *err)
{
	static uint8_t zeros[DATA_KEY_LEN];

	items->out = bytes_of(zeros, sizeof(zeros));
	return SEAL_OK;
}

static const struct key_session_ops ops = {.size = sizeof(ops), .data_key = no_wrap, .decrypt = no_unwrap};
static struct key_session kek = {&ops};
static const struct key_call call = {.arena = NULL};

static void evp(void *arg)
{
	static const uint8_t nonce[12];
	int n;

	if (EVP_EncryptInit_ex(arg, NULL, NULL, NULL, nonce) != 1 ||
	    EVP_EncryptUpdate(arg, chunk, &n, chunk, CHUNK) != 1 || EVP_EncryptFinal_ex(arg, chunk + CHUNK, &n) != 1)
		abort();
	bench_sink += chunk[0];
}

static void seal_chunk(void *arg)
{
	static uint32_t index;
	struct seal_err err = SEAL_ERR_INIT;

	bench_check(file_seal(arg, index++, false, bytes_of(chunk, CHUNK), chunk, &err), &err);
}

static void protect(struct file_target *out)
{
	const struct file_protect how = {.in = &in[0], .out = out, .chunk_size = CHUNK, .kek = &kek, .call = &call};
	struct seal_err err = SEAL_ERR_INIT;

	SEAL_INVARIANT(lseek(in[0].fd, 0, SEEK_SET) == 0);
	bench_check(file_protect(&how, &err), &err);
}

static void protect_file(void *arg)
{
	protect(&nothing);
}

static void reveal_file(void *arg)
{
	const struct file_reveal how = {.in = &in[1], .out = &nothing, .kek = &kek, .call = &call};
	struct seal_err err = SEAL_ERR_INIT;
	int64_t mtime_ns;

	SEAL_INVARIANT(lseek(in[1].fd, 0, SEEK_SET) == 0);
	bench_check(file_reveal(&how, &mtime_ns, &err), &err);
}

/* The file and its container. */
static void make_inputs(void)
{
	struct file_target sealed = {.dirfd = -1, .path = "sealed"};

	nothing = (struct file_target){.fd = open("/dev/null", O_WRONLY | O_CLOEXEC), .dirfd = -1, .path = "nothing"};
	for (int i = 0; i < 2; i++)
		in[i] = (struct file_input){
			.fd = memfd_create("bench", MFD_CLOEXEC), .path = "memory", .regular = true};
	SEAL_INVARIANT(nothing.fd >= 0 && in[0].fd >= 0 && in[1].fd >= 0);
	for (in[0].size = 0; in[0].size < SIZE; in[0].size += CHUNK)
		SEAL_INVARIANT(write(in[0].fd, chunk, CHUNK) == CHUNK);
	sealed.fd = in[1].fd;
	protect(&sealed);
	in[1].size = sealed.written;
}

void bench_add_files(struct bench *bench)
{
	const struct file_meta meta = {.size = FILE_SIZE_UNKNOWN, .chunk_size = CHUNK};
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	struct seal_err err = SEAL_ERR_INIT;
	struct file_sealer *sealer;

	if (context == NULL || EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, chunk, NULL) != 1)
		abort();
	make_inputs();
	bench_check(file_sealer_new(&meta, &kek, false, &call, &sealer, &err), &err);
	bench_add(bench, (struct bench_case){.name = EVP_NAME, .run = evp, .arg = context, .ops = 1, .bytes = CHUNK});
	bench_add(bench, (struct bench_case){.name = "seal a chunk of 512 KiB in memory",
					     .run = seal_chunk,
					     .arg = sealer,
					     .ops = 1,
					     .bytes = CHUNK,
					     .reference = EVP_NAME,
					     .least_gbs = 2.5});
	bench_add(bench, (struct bench_case){.name = "file protect from memory",
					     .run = protect_file,
					     .ops = SIZE / CHUNK,
					     .bytes = SIZE,
					     .reference = EVP_NAME,
					     .least_gbs = 2.5});
	bench_add(bench, (struct bench_case){.name = "file reveal from memory",
					     .run = reveal_file,
					     .ops = SIZE / CHUNK,
					     .bytes = SIZE,
					     .reference = EVP_NAME,
					     .least_gbs = 2.5});
}

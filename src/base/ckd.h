/* Checked arithmetic: true when the result did NOT fit (as C23's stdckdint.h); the result is then unusable. */
#ifndef BASE_CKD_H
#define BASE_CKD_H

#define ckd_add(out, a, b) __builtin_add_overflow((a), (b), (out))
#define ckd_sub(out, a, b) __builtin_sub_overflow((a), (b), (out))
#define ckd_mul(out, a, b) __builtin_mul_overflow((a), (b), (out))

#endif

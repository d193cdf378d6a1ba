/*
 * A slice of bytes that someone else owns. Never NUL-terminated by contract; may hold any byte. `p` may
 * be NULL when `n` is 0; str_none() tells "not there" from "empty".
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

struct str {
	const char *p; /* borrowed; the owner is named where the field is */
	size_t n;
};

/* A slice of a string literal, usable in constant initialisers. */
#define STR_INIT(lit) { (lit), sizeof(lit) - 1 }
#define STR(lit) ((struct str)STR_INIT(lit))
/* For printf("%.*s"). */
#define STR_FMT(s) (int)(s).n, (s).n ? (s).p : ""

/* For writev(), which only reads. */
static inline struct iovec
str_iov(struct str s)
{
	return (struct iovec){ (void *)(uintptr_t)s.p, s.n };
}

/* Writes the slices one after the other, as far as they go into `room` bytes. Returns how many bytes that were. */
static inline size_t
str_copy_iov(char *to, size_t room, const struct iovec *iov, size_t n)
{
	size_t have = 0;

	for (size_t i = 0; i < n && have < room; i++) {
		size_t take = iov[i].iov_len < room - have ? iov[i].iov_len : room - have;

		if (take > 0)
			memcpy(to + have, iov[i].iov_base, take);
		have += take;
	}
	return have;
}

static inline struct str
str_of(const char *p, size_t n)
{
	return (struct str){ p, n };
}

static inline struct str
str_none(void)
{
	return (struct str){ NULL, 0 };
}

static inline bool
str_is_none(struct str s)
{
	return s.p == NULL;
}

/* A slice of a C string without its NUL; NULL gives none. */
static inline struct str
str_c(const char *c)
{
	return (struct str){ c, c == NULL ? 0 : strlen(c) };
}

static inline bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Equal but for the case of ASCII letters. */
bool str_ieq(struct str a, struct str b);
bool str_has_prefix(struct str s, struct str prefix);
bool str_has_suffix(struct str s, struct str suffix);
/* Order of bytes, then length; for sorting. */
int str_cmp(struct str a, struct str b);
/* Index of the first byte c, or s.n. */
size_t str_find(struct str s, char c);
/* s without spaces and tabs at both ends (OWS of RFC 9110 5.6.3). */
struct str str_trim(struct str s);
/*
 * Takes off the part before the first `sep` (or all of it) and puts it into *head; *rest keeps what follows
 * the separator. False when *rest was none; a trailing separator yields one last empty part.
 */
bool str_split(struct str *rest, char sep, struct str *head);
/* A letter or digit of ASCII, whatever the locale. */
static inline bool
str_is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Such ones, '-' and '_' only, and some. */
bool str_is_word(struct str s);
/* Digits only, the whole slice, no overflow; false otherwise and *out is untouched. */
bool str_to_u64(struct str s, uint64_t *out);

#define STR_U64_MAX 20 /* decimal digits of UINT64_MAX */
/* Writes v in decimal to dst (room for STR_U64_MAX bytes); returns the number of digits. */
size_t str_put_u64(char *dst, uint64_t v);

#endif

/* Names of certificates. Made once, then read-only. */
#include "net/tls_names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NAME_MAX_BYTES 255 /* RFC 1035 2.3.4 */

static int
kind_of(const struct tls_cert *cert)
{
	return EVP_PKEY_get_base_id(cert->key);
}

static void
set_add(struct tls_names_set *set, const struct tls_cert *certs, size_t cert)
{
	for (size_t i = 0; i < set->n; i++)
		if (kind_of(&certs[set->certs[i]]) == kind_of(&certs[cert]))
			return;
	if (set->n < TLS_NAMES_KINDS)
		set->certs[set->n++] = cert;
}

static bool
has_name(const struct tls_cert *cert, struct str name)
{
	for (size_t i = 0; i < cert->n_names; i++)
		if (str_eq(cert->names[i], name))
			return true;
	return false;
}

static struct tls_names_set
set_of(struct str name, const struct tls_cert *certs, size_t n_certs)
{
	struct tls_names_set set = { 0 };

	for (size_t i = 0; i < n_certs; i++)
		if (has_name(&certs[i], name))
			set_add(&set, certs, i);
	return set;
}

static bool
is_same(const struct tls_names_set *a, const struct tls_names_set *b)
{
	return a->n == b->n && memcmp(a->certs, b->certs, a->n * sizeof *a->certs) == 0;
}

/* The index of the set, which is added when it is not there yet. */
static size_t
intern(struct tls_names *names, const struct tls_names_set *set)
{
	for (size_t i = 0; i < names->n_sets; i++)
		if (is_same(&names->sets[i], set))
			return i;
	names->sets = mem_realloc(names->sets, (names->n_sets + 1) * sizeof *names->sets);
	names->sets[names->n_sets] = *set;
	return names->n_sets++;
}

static int
compare(const void *a, const void *b)
{
	const struct tls_names_entry *x = a, *y = b;

	return str_cmp(x->name, y->name);
}

static const struct tls_names_entry *
find(const struct tls_names *names, struct str name)
{
	struct tls_names_entry key = { .name = name };

	if (names->n_entries == 0)
		return NULL;
	return bsearch(&key, names->entries, names->n_entries, sizeof key, compare);
}

/* Twice the same name gives twice the same set. */
static void
add_names(struct tls_names *names, const struct tls_cert *certs, size_t n_certs, size_t cert)
{
	for (size_t i = 0; i < certs[cert].n_names; i++) {
		struct str name = certs[cert].names[i];
		struct tls_names_set set = set_of(name, certs, n_certs);

		names->entries[names->n_entries++] = (struct tls_names_entry){
			.name = str_of(mem_strndup(name.p, name.n), name.n),
			.set = intern(names, &set),
		};
	}
}

void
tls_names_init(struct tls_names *names, const struct tls_cert *certs, size_t n_certs)
{
	struct tls_names_set first = { .certs = { 0 }, .n = 1 };
	size_t n = 0;

	*names = (struct tls_names){ 0 };
	if (certs[0].n_names != 0)
		first = set_of(certs[0].names[0], certs, n_certs);
	intern(names, &first);
	for (size_t i = 0; i < n_certs; i++)
		n += certs[i].n_names;
	names->entries = mem_calloc(n, sizeof *names->entries);
	for (size_t i = 0; i < n_certs; i++)
		add_names(names, certs, n_certs, i);
	if (n != 0)
		qsort(names->entries, n, sizeof *names->entries, compare);
}

void
tls_names_fini(struct tls_names *names)
{
	for (size_t i = 0; i < names->n_entries; i++)
		free((char *)(uintptr_t)names->entries[i].name.p);
	free(names->entries);
	free(names->sets);
	*names = (struct tls_names){ 0 };
}

bool
tls_names_find(const struct tls_names *names, struct str name, size_t *set)
{
	char text[NAME_MAX_BYTES];
	const struct tls_names_entry *found;
	size_t dot;

	if (name.n == 0 || name.n > sizeof text)
		return false;
	for (size_t i = 0; i < name.n; i++)
		text[i] = (char)tolower((unsigned char)name.p[i]);
	found = find(names, str_of(text, name.n));
	dot = str_find(name, '.');
	if (found == NULL && dot != name.n && dot != 0) {
		/* The first label, whatever it is, becomes the star. */
		text[dot - 1] = '*';
		found = find(names, str_of(text + dot - 1, name.n - dot + 1));
	}
	if (found != NULL)
		*set = found->set;
	return found != NULL;
}

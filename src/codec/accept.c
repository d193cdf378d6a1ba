/* Reads Accept and Accept-Encoding. No state. */
#include "codec/accept.h"

#include "codec/octet.h"

/* A range of an Accept field that matches the type, as far as it is known. */
struct match {
	bool is_any_valid;    /* some range was well formed, whether it matches or not */
	unsigned specificity; /* 0: none matches, 1: all types, 2: all of the main type, 3: the type itself */
	unsigned quality;
};

/* RFC 9110 12.4.2: "0" or "1", and at most three decimals. */
static bool
parse_quality(struct str s, unsigned *out)
{
	unsigned q, unit = 100;

	if (s.n == 0 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.'))
		return false;
	q = s.p[0] == '1' ? ACCEPT_QUALITY_MAX : 0;
	for (size_t i = 2; i < s.n; i++, unit /= 10) {
		if (!octet_is_digit(s.p[i]))
			return false;
		q += unit * (unsigned)(s.p[i] - '0');
	}
	*out = q;
	return q <= ACCEPT_QUALITY_MAX;
}

/* The weight among the parameters of a range; what stands in their quotes is of no interest here. */
static bool
find_quality(struct str parameters, unsigned *out)
{
	struct str one;

	*out = ACCEPT_QUALITY_MAX;
	while (str_split(&parameters, ';', &one)) {
		one = str_trim(one);
		if (one.n >= 2 && (one.p[0] == 'q' || one.p[0] == 'Q') && one.p[1] == '=')
			return parse_quality(str_of(one.p + 2, one.n - 2), out);
	}
	return true;
}

static unsigned
specificity_of(struct str range, struct str type)
{
	size_t slash = str_find(type, '/');

	if (str_eq(range, STR("*/*")))
		return 1;
	if (range.n == slash + 2 && range.p[range.n - 1] == '*')
		return str_ieq(str_of(range.p, slash + 1), str_of(type.p, slash + 1)) ? 2 : 0;
	return str_ieq(range, type) ? 3 : 0;
}

static void
consider(struct match *best, struct str element, struct str type)
{
	struct str parameters = element, range;
	unsigned quality, specificity;

	str_split(&parameters, ';', &range);
	range = str_trim(range);
	if (str_find(range, '/') == range.n || !find_quality(parameters, &quality))
		return;
	best->is_any_valid = true;
	specificity = specificity_of(range, type);
	if (specificity == 0 || specificity < best->specificity)
		return;
	if (specificity > best->specificity || quality > best->quality)
		best->quality = quality;
	best->specificity = specificity;
}

unsigned
accept_quality(const struct header_list *fields, struct str type)
{
	const struct header *h = header_find(fields, HEADER_ACCEPT);
	struct match best = { 0 };

	for (; h != NULL; h = header_next(fields, h))
		for (struct str rest = h->value, e; header_next_element(&rest, &e);)
			consider(&best, e, type);
	return best.is_any_valid ? best.quality : ACCEPT_QUALITY_MAX;
}

/* ---- codings */

/* What Accept-Encoding says of each coding, in thousandths. */
struct wishes {
	bool is_named[CODING_COUNT];
	unsigned quality[CODING_COUNT];
	bool has_star;
	unsigned star; /* of all that are not named */
};

static void
add_wish(struct wishes *w, struct str element)
{
	struct str parameters = element, token;
	enum coding coding;
	unsigned quality;

	str_split(&parameters, ';', &token);
	token = str_trim(token);
	if (!find_quality(parameters, &quality))
		return;
	if (str_eq(token, STR("*"))) {
		w->has_star = true;
		w->star = quality;
	} else if (coding_find(token, &coding)) {
		w->is_named[coding] = true;
		w->quality[coding] = quality;
	}
}

static unsigned
wish_for(const struct wishes *w, enum coding c)
{
	if (w->is_named[c])
		return w->quality[c];
	return w->has_star ? w->star : 0;
}

enum coding
accept_coding(const struct header_list *fields, const enum coding *offers, size_t n)
{
	const struct header *h = header_find(fields, HEADER_ACCEPT_ENCODING);
	enum coding best = CODING_IDENTITY;
	struct wishes w = { .has_star = false };
	unsigned most = 0;

	for (; h != NULL; h = header_next(fields, h))
		for (struct str rest = h->value, e; header_next_element(&rest, &e);)
			add_wish(&w, e);
	for (size_t i = 0; i < n; i++) {
		unsigned quality = wish_for(&w, offers[i]);

		if (quality <= most)
			continue;
		most = quality;
		best = offers[i];
	}
	return wish_for(&w, CODING_IDENTITY) > most ? CODING_IDENTITY : best;
}

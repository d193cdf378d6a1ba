#include "net/tls_names.h"

#include "tls_rig.h"

static struct rig_dir dir;
static struct tls_cert certs[8];
static size_t n_certs;
static struct tls_names names;

static void
add(enum rig_kind kind, const char *alternatives)
{
	struct tls_cert_conf conf = rig_cert(&dir, kind, alternatives, 0, 1000);
	struct tls_fault fault;

	ck_assert_int_eq(tls_cert_load(&certs[n_certs++], &conf, &fault), ERR_NONE);
}

static void
open_names(void)
{
	tls_names_init(&names, certs, n_certs);
}

static void
close_names(void)
{
	tls_names_fini(&names);
	while (n_certs > 0)
		tls_cert_fini(&certs[--n_certs]);
	rig_dir_fini(&dir);
}

/* The certificates for a name, as digits in order; "" when it is unknown. */
static const char *
found(const char *name)
{
	static char text[TLS_NAMES_KINDS + 1];
	size_t set, n = 0;

	if (tls_names_find(&names, str_c(name), &set))
		for (; n < names.sets[set].n; n++)
			text[n] = (char)('0' + names.sets[set].certs[n]);
	text[n] = '\0';
	return text;
}

START_TEST(exact_names_come_before_wildcards)
{
	rig_dir_init(&dir);
	add(RIG_EC, "DNS:a.test,DNS:b.test");
	add(RIG_EC, "DNS:*.a.test,DNS:*.test");
	add(RIG_EC, "DNS:www.a.test,DNS:Upper.Test");
	open_names();
	ck_assert_str_eq(found("a.test"), "0");
	ck_assert_str_eq(found("B.TEST"), "0");
	ck_assert_str_eq(found("c.test"), "1");
	ck_assert_str_eq(found("x.a.test"), "1");
	ck_assert_str_eq(found("www.a.test"), "2");
	ck_assert_str_eq(found("upper.test"), "2");
	close_names();
}
END_TEST

START_TEST(a_star_is_one_label)
{
	rig_dir_init(&dir);
	add(RIG_EC, "DNS:*.a.test");
	open_names();
	ck_assert_str_eq(found("x.a.test"), "0");
	ck_assert_str_eq(found("a.test"), "");
	ck_assert_str_eq(found("x.y.a.test"), "");
	ck_assert_str_eq(found(".a.test"), "");
	ck_assert_str_eq(found(""), "");
	ck_assert_str_eq(found("test"), "");
	close_names();
}
END_TEST

START_TEST(kinds_of_keys_stand_side_by_side)
{
	rig_dir_init(&dir);
	add(RIG_EC, "DNS:a.test");
	add(RIG_RSA, "DNS:a.test,DNS:b.test");
	add(RIG_EC, "DNS:a.test,DNS:c.test"); /* for a.test one of its kind is there */
	open_names();
	ck_assert_str_eq(found("a.test"), "01");
	ck_assert_str_eq(found("b.test"), "1");
	ck_assert_str_eq(found("c.test"), "2");
	ck_assert_uint_eq(names.n_sets, 3);
	ck_assert_uint_eq(names.sets[0].n, 2);
	close_names();
}
END_TEST

START_TEST(addresses_alone_are_no_names)
{
	rig_dir_init(&dir);
	add(RIG_EC, "IP:127.0.0.1");
	open_names();
	ck_assert_str_eq(found("test"), "0"); /* the common name, for want of another */
	ck_assert_str_eq(found("127.0.0.1"), "");
	ck_assert_uint_eq(names.n_sets, 1);
	close_names();
}
END_TEST

START_TEST(a_very_long_name_is_unknown)
{
	char name[1000];

	rig_dir_init(&dir);
	add(RIG_EC, "DNS:*.test");
	open_names();
	memset(name, 'a', sizeof name);
	memcpy(name + sizeof name - 6, ".test", 6);
	ck_assert_str_eq(found(name), "");
	close_names();
}
END_TEST

UNIT_MAIN("tls_names", exact_names_come_before_wildcards, a_star_is_one_label,
    kinds_of_keys_stand_side_by_side, addresses_alone_are_no_names, a_very_long_name_is_unknown)

#include "codec/header.h"

#include "unit.h"

static struct header slots[8];
static struct header_list list;

static void
setup(void)
{
	header_list_init(&list, slots, ARRAY_LEN(slots));
	header_list_add(&list, STR("Accept"), STR("a"));
	header_list_add(&list, STR("X-One"), STR("1"));
	header_list_add(&list, STR("ACCEPT"), STR("b"));
	header_list_add(&list, STR("Cookie"), STR("c"));
	header_list_add(&list, STR("x-one"), STR("2"));
	header_list_add(&list, STR("Keep-Alive"), STR("5"));
}

START_TEST(finds_fields)
{
	const struct header *h;

	setup();
	h = header_find(&list, HEADER_ACCEPT);
	ck_assert_str_is(h->value, "a");
	h = header_next(&list, h);
	ck_assert_str_is(h->value, "b");
	ck_assert_ptr_null(header_next(&list, h));
	ck_assert_ptr_null(header_find(&list, HEADER_HOST));
	ck_assert(str_is_none(header_value(&list, HEADER_HOST)));
	ck_assert_str_is(header_value(&list, HEADER_COOKIE), "c");
	ck_assert_str_is(header_find_name(&list, STR("X-ONE"))->value, "1");
	ck_assert_str_is(header_find_name(&list, STR("accept"))->value, "a");
	ck_assert_ptr_null(header_find_name(&list, STR("X-Two")));
}
END_TEST

START_TEST(refuses_more_than_it_can_hold)
{
	setup();
	ck_assert(header_list_add(&list, STR("a"), STR("")));
	ck_assert(header_list_add(&list, STR("a"), STR("")));
	ck_assert(!header_list_add(&list, STR("a"), STR("")));
	ck_assert_uint_eq(list.n, ARRAY_LEN(slots));
}
END_TEST

START_TEST(marks_what_connection_names)
{
	setup();
	header_list_nominate(&list, STR("x-ONE"));
	header_list_nominate(&list, STR("accept"));
	header_list_nominate(&list, STR("host"));
	header_list_nominate(&list, STR("x-two"));
	ck_assert(!header_crosses(&slots[0]) && !header_crosses(&slots[1]));
	ck_assert(!header_crosses(&slots[2]) && !header_crosses(&slots[4]));
	ck_assert(header_crosses(&slots[3]));  /* Cookie */
	ck_assert(!header_crosses(&slots[5])); /* Keep-Alive, by its nature */
}
END_TEST

START_TEST(knows_look_alikes)
{
	struct header h[4];

	header_list_init(&list, h, ARRAY_LEN(h));
	header_list_add(&list, STR("X_Forwarded_For"), STR(""));
	header_list_add(&list, STR("transfer_ENCODING"), STR(""));
	header_list_add(&list, STR("User_Agent"), STR(""));
	header_list_add(&list, STR("X_Forwarded_For_And_More_Than_Fits_Here"), STR(""));
	ck_assert(!header_crosses(&h[0]) && !header_crosses(&h[1]));
	ck_assert(header_crosses(&h[2]) && header_crosses(&h[3]));
}
END_TEST

START_TEST(knows_one_name_by_its_letters)
{
	ck_assert(header_is_same_name(STR("X-Client_Subject"), STR("x_CLIENT-subject")));
	ck_assert(header_is_same_name(STR("a"), STR("A")));
	ck_assert(!header_is_same_name(STR("X-Client"), STR("X-Clients")));
	ck_assert(!header_is_same_name(STR("X-Client"), STR("X.Client")));
	ck_assert(!header_is_same_name(STR("X-Client"), STR("XaClient")));
}
END_TEST

static void
check_elements(const char *value, const char *joined)
{
	char got[64];
	size_t n = 0;

	for (struct str rest = str_c(value), e; header_next_element(&rest, &e);) {
		ck_assert_uint_gt(e.n, 0);
		memcpy(got + n, e.p, e.n);
		n += e.n;
		got[n++] = '/';
	}
	ck_assert_msg(str_eq(str_of(got, n), str_c(joined)), "\"%s\": %.*s", value, (int)n, got);
}

START_TEST(takes_lists_apart)
{
	check_elements("", "");
	check_elements(" ,\t, ", "");
	check_elements("a", "a/");
	check_elements(",a , b\t,,c,", "a/b/c/");
	check_elements("a=\"1,2\", b", "a=\"1,2\"/b/");
	check_elements("\"\\\",\",b", "\"\\\",\"/b/");
	check_elements("\"a,b", "\"a,b/");
	check_elements("\"\\", "\"\\/");
}
END_TEST

START_TEST(finds_tokens_in_lists)
{
	setup();
	header_list_add(&list, STR("Connection"), STR("foo, CLOSE"));
	ck_assert(header_has_token(&list, HEADER_CONNECTION, STR("close")));
	ck_assert(header_has_token(&list, HEADER_ACCEPT, STR("b")));
	ck_assert(!header_has_token(&list, HEADER_CONNECTION, STR("clos")));
	ck_assert(!header_has_token(&list, HEADER_VIA, STR("x")));
}
END_TEST

START_TEST(takes_lines_apart)
{
	struct str lines = STR("A: b\r\nC-D:  e: f \r\nG:\r\n"), name, value;

	ck_assert(header_next_line(&lines, &name, &value));
	ck_assert_str_is(name, "A");
	ck_assert_str_is(value, "b");
	ck_assert(header_next_line(&lines, &name, &value));
	ck_assert_str_is(name, "C-D");
	ck_assert_str_is(value, "e: f");
	ck_assert(header_next_line(&lines, &name, &value));
	ck_assert_str_is(name, "G");
	ck_assert_str_is(value, "");
	ck_assert(!header_next_line(&lines, &name, &value));
}
END_TEST

START_TEST(knows_tokens_and_values)
{
	ck_assert(header_is_token(STR("X-a!")) && !header_is_token(STR("")));
	ck_assert(!header_is_token(STR("a b")) && !header_is_token(STR("a:")));
	ck_assert(header_is_value(STR("")) && header_is_value(STR("a\tb \x80\xff")));
	ck_assert(!header_is_value(STR("a\rb")) && !header_is_value(STR("a\nb")));
	ck_assert(!header_is_value(str_of("a\0b", 3)) && !header_is_value(STR("\x7f")));
}
END_TEST

UNIT_MAIN("header", finds_fields, refuses_more_than_it_can_hold, marks_what_connection_names,
    knows_look_alikes,
    knows_one_name_by_its_letters,
    takes_lists_apart, finds_tokens_in_lists, takes_lines_apart, knows_tokens_and_values)

#include "gather/compress_conf.h"

#include "unit.h"

START_TEST(types_match_whole_or_by_their_main_type)
{
	struct conf_text types[] = { { .s = STR("text/*") }, { .s = STR("application/json") } };
	const struct compress_conf conf = { .types = { types, 2 } };
	static const char *const taken[] = { "text/html", "Text/HTML; charset=utf-8", "text/x",
		"application/json", "application/JSON ;v=1", " application/json " };
	static const char *const left[] = { "", "text", "texts/html", "textual", "application/json5",
		"application/jso", "image/png", "application/*", ";text/html" };

	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		ck_assert_msg(compress_conf_takes(&conf, str_c(taken[i])), "%s", taken[i]);
	for (size_t i = 0; i < ARRAY_LEN(left); i++)
		ck_assert_msg(!compress_conf_takes(&conf, str_c(left[i])), "%s", left[i]);
	ck_assert(!compress_conf_takes(&conf, str_none()));
}
END_TEST

START_TEST(what_may_stand_in_the_list)
{
	ck_assert(compress_conf_is_type(STR("text/html")));
	ck_assert(compress_conf_is_type(STR("text/*")));
	ck_assert(compress_conf_is_type(STR("application/ld+json")));
	ck_assert(!compress_conf_is_type(STR("text")));
	ck_assert(!compress_conf_is_type(STR("text/")));
	ck_assert(!compress_conf_is_type(STR("/html")));
	ck_assert(!compress_conf_is_type(STR("text/html; charset=utf-8")));
	ck_assert(!compress_conf_is_type(STR("a/b/c")));
	ck_assert(!compress_conf_is_type(STR("")));
}
END_TEST

UNIT_MAIN("compress_conf", types_match_whole_or_by_their_main_type, what_may_stand_in_the_list)

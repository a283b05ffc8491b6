/*
 * json: RFC 8259 case by case. The cases have the names of JSONTestSuite's files, which say what each is about; the
 * texts are this project's own. Names in y_ must be accepted, in n_ refused; what is done with i_, where the RFC
 * leaves the choice, is this project's policy and stands in docs/JSON.md. The suite's own files are run by
 * tests/services/test_json_test_suite.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "json/scan.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROW(name, text)                                                                                              \
	{                                                                                                            \
		name,                                                                                                \
		{                                                                                                    \
			(const uint8_t *)(text), sizeof(text) - 1                                                    \
		}                                                                                                    \
	}

static const struct row {
	const char *name;
	struct seal_bytes text;
} rows[] = {
	ROW("i_number_double_huge_neg_exp", "[9.87e-654]"),
	ROW("i_number_huge_exp",
	    "[0.5e0077777777777777777777777777777777777777777777777777777777777777777777777777777777]"),
	ROW("i_number_neg_int_huge_exp", "[-2e+8888]"),
	ROW("i_number_pos_double_huge_exp", "[2.5e+8888]"),
	ROW("i_number_real_neg_overflow", "[-456e77777]"),
	ROW("i_number_real_pos_overflow", "[456e77777]"),
	ROW("i_number_real_underflow", "[456e-7777777]"),
	ROW("i_number_too_big_neg_int", "[-456456456456456456456456456456]"),
	ROW("i_number_too_big_pos_int", "[200000000000000000000]"),
	ROW("i_number_very_big_negative_int", "[-123456789012345678901234567890123456789012345678]"),
	ROW("i_object_key_lone_2nd_surrogate", "{\"\\uDC01\":1}"),
	ROW("i_string_1st_surrogate_but_2nd_missing", "[\"\\uD801\"]"),
	ROW("i_string_1st_valid_surrogate_2nd_invalid", "[\"\\uD801\\u0061\"]"),
	ROW("i_string_UTF-16LE_with_BOM", "\377\376[\0\"\0x\0\"\0]\0"),
	ROW("i_string_UTF-8_invalid_sequence", "[\"caf\303\251 \372\"]"),
	ROW("i_string_UTF8_surrogate_U+D800", "[\"\355\240\200\"]"),
	ROW("i_string_incomplete_surrogate_and_escape_valid", "[\"\\uD801\\t\"]"),
	ROW("i_string_incomplete_surrogate_pair", "[\"\\uDD1Ea\"]"),
	ROW("i_string_incomplete_surrogates_escape_valid", "[\"\\uD801\\uD801\\t\"]"),
	ROW("i_string_invalid_lonely_surrogate", "[\"\\ud801\"]"),
	ROW("i_string_invalid_surrogate", "[\"\\ud801xyz\"]"),
	ROW("i_string_invalid_utf-8", "[\"\376\"]"),
	ROW("i_string_inverted_surrogates_U+1D11E", "[\"\\uDD1E\\uD834\"]"),
	ROW("i_string_iso_latin_1", "[\"\344\"]"),
	ROW("i_string_lone_second_surrogate", "[\"\\uDC01\"]"),
	ROW("i_string_lone_utf8_continuation_byte", "[\"\202\"]"),
	ROW("i_string_not_in_unicode_range", "[\"\364\277\277\277\"]"),
	ROW("i_string_overlong_sequence_2_bytes", "[\"\300\257\"]"),
	ROW("i_string_overlong_sequence_6_bytes", "[\"\374\203\277\277\277\277\"]"),
	ROW("i_string_overlong_sequence_6_bytes_null", "[\"\374\200\200\200\200\200\"]"),
	ROW("i_string_truncated-utf-8", "[\"\342\202\"]"),
	ROW("i_string_utf16BE_no_BOM", "\0[\0\"\0x\0\"\0]"),
	ROW("i_string_utf16LE_no_BOM", "[\0\"\0x\0\"\0]\0"),
	ROW("i_structure_UTF-8_BOM_empty_object", "\357\273\277{}"),
	ROW("n_array_1_true_without_comma", "[1 true]"),
	ROW("n_array_a_invalid_utf8", "[x\345]"),
	ROW("n_array_colon_instead_of_comma", "[\"x\":1]"),
	ROW("n_array_comma_after_close", "[\"x\"],"),
	ROW("n_array_comma_and_number", "[,2]"),
	ROW("n_array_double_comma", "[1,,3]"),
	ROW("n_array_double_extra_comma", "[\"y\",,]"),
	ROW("n_array_extra_close", "[\"y\"]]"),
	ROW("n_array_extra_comma", "[\"y\",]"),
	ROW("n_array_incomplete", "[\"y\""),
	ROW("n_array_incomplete_invalid_value", "[y"),
	ROW("n_array_inner_array_no_comma", "[7[8]]"),
	ROW("n_array_invalid_utf8", "[\377]"),
	ROW("n_array_items_separated_by_semicolon", "[3:4]"),
	ROW("n_array_just_comma", "[,]"),
	ROW("n_array_just_minus", "[-]"),
	ROW("n_array_missing_value", "[ , \"y\"]"),
	ROW("n_array_newlines_unclosed", "[\"y\",\n7\n,2,"),
	ROW("n_array_number_and_comma", "[7,]"),
	ROW("n_array_number_and_several_commas", "[7,,]"),
	ROW("n_array_spaces_vertical_tab_formfeed", "[\"\vx\"\\f]"),
	ROW("n_array_star_inside", "[*]"),
	ROW("n_array_unclosed", "[\"y"),
	ROW("n_array_unclosed_trailing_comma", "[7,"),
	ROW("n_array_unclosed_with_new_lines", "[7,\n7\n,7"),
	ROW("n_array_unclosed_with_object_inside", "[{}"),
	ROW("n_incomplete_false", "[fal]"),
	ROW("n_incomplete_null", "[nu]"),
	ROW("n_incomplete_true", "[tr]"),
	ROW("n_multidigit_number_then_00", "456\0"),
	ROW("n_number_++", "[++4321]"),
	ROW("n_number_+1", "[+2]"),
	ROW("n_number_+Inf", "[+Inf]"),
	ROW("n_number_-01", "[-02]"),
	ROW("n_number_-1.0.", "[-2.0.]"),
	ROW("n_number_-2.", "[-3.]"),
	ROW("n_number_-NaN", "[-NaN]"),
	ROW("n_number_.-1", "[.-2]"),
	ROW("n_number_.2e-3", "[.3e-4]"),
	ROW("n_number_0.1.2", "[0.2.3]"),
	ROW("n_number_0.3e+", "[0.4e+]"),
	ROW("n_number_0.3e", "[0.4e]"),
	ROW("n_number_0.e1", "[0.e2]"),
	ROW("n_number_0_capital_E+", "[0E+]"),
	ROW("n_number_0_capital_E", "[0E]"),
	ROW("n_number_0e+", "[0e+]"),
	ROW("n_number_0e", "[0e]"),
	ROW("n_number_1.0e+", "[2.0e+]"),
	ROW("n_number_1.0e-", "[2.0e-]"),
	ROW("n_number_1.0e", "[2.0e]"),
	ROW("n_number_1_000", "[2 000.0]"),
	ROW("n_number_1eE2", "[2eE3]"),
	ROW("n_number_2.e+3", "[3.e+4]"),
	ROW("n_number_2.e-3", "[3.e-4]"),
	ROW("n_number_2.e3", "[3.e4]"),
	ROW("n_number_9.e+", "[8.e+]"),
	ROW("n_number_Inf", "[Inf]"),
	ROW("n_number_NaN", "[NaN]"),
	ROW("n_number_U+FF11_fullwidth_digit_one", "[\357\274\221]"),
	ROW("n_number_expression", "[2*3]"),
	ROW("n_number_hex_1_digit", "[0x7]"),
	ROW("n_number_hex_2_digits", "[0x7F]"),
	ROW("n_number_infinity", "[Infinity]"),
	ROW("n_number_invalid+-", "[0e+-2]"),
	ROW("n_number_invalid-negative-real", "[-456.456abc]"),
	ROW("n_number_invalid-utf-8-in-bigger-int", "[456\345]"),
	ROW("n_number_invalid-utf-8-in-exponent", "[2e2\345]"),
	ROW("n_number_invalid-utf-8-in-int", "[0\345]\n"),
	ROW("n_number_minus_infinity", "[-Infinity]"),
	ROW("n_number_minus_sign_with_trailing_garbage", "[-bar]"),
	ROW("n_number_minus_space_1", "[- 2]"),
	ROW("n_number_neg_int_starting_with_zero", "[-034]"),
	ROW("n_number_neg_real_without_int_part", "[-.456]"),
	ROW("n_number_neg_with_garbage_at_end", "[-2y]"),
	ROW("n_number_real_garbage_after_e", "[2eb]"),
	ROW("n_number_real_with_invalid_utf8_after_e", "[2e\345]"),
	ROW("n_number_real_without_fractional_part", "[2.]"),
	ROW("n_number_starting_with_dot", "[.456]"),
	ROW("n_number_with_alpha", "[2.3b-4]"),
	ROW("n_number_with_alpha_char", "[2.9000000b+2]"),
	ROW("n_number_with_leading_zero", "[034]"),
	ROW("n_object_bad_value", "[\"y\", falsehood]"),
	ROW("n_object_bracket_key", "{[: \"y\"}\n"),
	ROW("n_object_comma_instead_of_colon", "{\"y\", true}"),
	ROW("n_object_double_colon", "{\"y\"::\"c\"}"),
	ROW("n_object_emoji", "{\360\237\230\200}"),
	ROW("n_object_garbage_at_end", "{\"b\":\"b\" 456}"),
	ROW("n_object_key_with_single_quotes", "{key: 'text'}"),
	ROW("n_object_lone_continuation_byte_in_key_and_trailing_comma", "{\"\277\":\"1\",}"),
	ROW("n_object_missing_colon", "{\"b\" c}"),
	ROW("n_object_missing_key", "{:\"c\"}"),
	ROW("n_object_missing_semicolon", "{\"b\" \"c\"}"),
	ROW("n_object_missing_value", "{\"b\":"),
	ROW("n_object_no-colon", "{\"b\""),
	ROW("n_object_non_string_key", "{2:2}"),
	ROW("n_object_non_string_key_but_huge_number_instead", "{8888E8888:2}"),
	ROW("n_object_repeated_null_null", "{null:null,null:null}"),
	ROW("n_object_several_trailing_commas", "{\"key\":1,,,,,}"),
	ROW("n_object_single_quote", "{'b':1}"),
	ROW("n_object_trailing_comma", "{\"key\":1,}"),
	ROW("n_object_trailing_comment", "{\"b\":\"c\"}/**/"),
	ROW("n_object_trailing_comment_open", "{\"b\":\"c\"}/**//"),
	ROW("n_object_trailing_comment_slash_open", "{\"b\":\"c\"}//"),
	ROW("n_object_trailing_comment_slash_open_incomplete", "{\"b\":\"c\"}/"),
	ROW("n_object_two_commas_in_a_row", "{\"b\":\"c\",,\"d\":\"e\"}"),
	ROW("n_object_unquoted_key", "{b: \"c\"}"),
	ROW("n_object_unterminated-value", "{\"b\":\"b"),
	ROW("n_object_with_single_string", "{ \"bar\" : \"foo\", \"b\" }"),
	ROW("n_object_with_trailing_garbage", "{\"b\":\"c\"}#"),
	ROW("n_single_space", " "),
	ROW("n_string_1_surrogate_then_escape", "[\"\\uD801\\\"]"),
	ROW("n_string_1_surrogate_then_escape_u", "[\"\\uD801\\u\"]"),
	ROW("n_string_1_surrogate_then_escape_u1", "[\"\\uD801\\u2\"]"),
	ROW("n_string_1_surrogate_then_escape_u1x", "[\"\\uD801\\u2y\"]"),
	ROW("n_string_accentuated_char_no_quotes", "[\303\250]"),
	ROW("n_string_backslash_00", "[\"\\\0\"]"),
	ROW("n_string_escape_x", "[\"\\x41\"]"),
	ROW("n_string_escaped_backslash_bad", "[\"\\\\\\\"]"),
	ROW("n_string_escaped_ctrl_char_tab", "[\"\\\t\"]"),
	ROW("n_string_escaped_emoji", "[\"\\\360\237\230\200\"]"),
	ROW("n_string_incomplete_escape", "[\"\\\"]"),
	ROW("n_string_incomplete_escaped_character", "[\"\\u00B\"]"),
	ROW("n_string_incomplete_surrogate", "[\"\\uD835\\uDE\"]"),
	ROW("n_string_incomplete_surrogate_escape_invalid", "[\"\\uD801\\uD801\\z\"]"),
	ROW("n_string_invalid-utf-8-in-escape", "[\"\\u\345\"]"),
	ROW("n_string_invalid_backslash_esc", "[\"\\b\\q\"]"),
	ROW("n_string_invalid_unicode_escape", "[\"\\urrr\"]"),
	ROW("n_string_invalid_utf8_after_escape", "[\"\\\345\"]"),
	ROW("n_string_leading_uescaped_thinspace", "[\\u2009\"text\"]"),
	ROW("n_string_no_quotes_with_bad_escape", "[\\r]"),
	ROW("n_string_single_doublequote", "\""),
	ROW("n_string_single_quote", "['single quotes']"),
	ROW("n_string_single_string_no_double_quotes", "xyz"),
	ROW("n_string_start_escape_unclosed", "[\"\\"),
	ROW("n_string_unescaped_ctrl_char", "[\"b\0b\"]"),
	ROW("n_string_unescaped_newline", "[\"old\nline\"]"),
	ROW("n_string_unescaped_tab", "[\"\t\"]"),
	ROW("n_string_unicode_CapitalU", "\"\\UB77C\""),
	ROW("n_string_with_trailing_garbage", "\"\"y"),
	ROW("n_structure_U+2060_word_joined", "[\342\201\240]"),
	ROW("n_structure_UTF8_BOM_no_data", "\357\273\277"),
	ROW("n_structure_angle_bracket_.", "<.>"),
	ROW("n_structure_angle_bracket_null", "[<null>]"),
	ROW("n_structure_array_trailing_garbage", "[7]y"),
	ROW("n_structure_array_with_extra_array_close", "[7]]"),
	ROW("n_structure_array_with_unclosed_string", "[\"beta]"),
	ROW("n_structure_ascii-unicode-identifier", "b\303\245"),
	ROW("n_structure_capitalized_True", "[True]"),
	ROW("n_structure_close_unopened_array", "7]"),
	ROW("n_structure_comma_instead_of_closing_brace", "{\"y\": false,"),
	ROW("n_structure_double_array", "[][]"),
	ROW("n_structure_end_array", "]"),
	ROW("n_structure_incomplete_UTF8_BOM", "\357\273{}"),
	ROW("n_structure_lone-invalid-utf-8", "\345"),
	ROW("n_structure_lone-open-bracket", "["),
	ROW("n_structure_no_data", ""),
	ROW("n_structure_null-byte-outside-string", "[\0]"),
	ROW("n_structure_number_with_trailing_garbage", "3@"),
	ROW("n_structure_object_followed_by_closing_object", "{}}"),
	ROW("n_structure_object_unclosed_no_value", "{\"\":"),
	ROW("n_structure_object_with_comment", "{\"b\":/*remark*/\"c\"}"),
	ROW("n_structure_object_with_trailing_garbage", "{\"b\": false} \"y\""),
	ROW("n_structure_open_array_apostrophe", "['"),
	ROW("n_structure_open_array_comma", "[,"),
	ROW("n_structure_open_array_open_object", "[{"),
	ROW("n_structure_open_array_open_string", "[\"b"),
	ROW("n_structure_open_array_string", "[\"b\""),
	ROW("n_structure_open_object", "{"),
	ROW("n_structure_open_object_close_array", "{]"),
	ROW("n_structure_open_object_comma", "{,"),
	ROW("n_structure_open_object_open_array", "{["),
	ROW("n_structure_open_object_open_string", "{\"b"),
	ROW("n_structure_open_object_string_with_apostrophes", "{'b'"),
	ROW("n_structure_open_open", "[\"\\{[\"\\{[\"\\{[\"\\{"),
	ROW("n_structure_single_eacute", "\351"),
	ROW("n_structure_single_star", "*"),
	ROW("n_structure_trailing_#", "{\"b\":\"c\"}#{}"),
	ROW("n_structure_uescaped_LF_before_string", "[\\u000A\"\"]"),
	ROW("n_structure_unclosed_array", "[2"),
	ROW("n_structure_unclosed_array_partial_null", "[ true, nu"),
	ROW("n_structure_unclosed_array_unfinished_false", "[ false, fals"),
	ROW("n_structure_unclosed_array_unfinished_true", "[ null, tru"),
	ROW("n_structure_unclosed_object", "{\"key\":\"text\""),
	ROW("n_structure_unicode-identifier", "\303\244"),
	ROW("n_structure_whitespace_U+2060_word_joiner", "\342\201\240"),
	ROW("n_structure_whitespace_formfeed", "[\f]"),
	ROW("y_array_arraysWithSpaces", "[[]  ]"),
	ROW("y_array_empty-string", "[\"\"]"),
	ROW("y_array_empty", "[]"),
	ROW("y_array_ending_with_newline", "[\"b\"]\n"),
	ROW("y_array_false", "[false]"),
	ROW("y_array_heterogeneous", "[null, 2, \"3\", {\"a\": []}]"),
	ROW("y_array_null", "[null]"),
	ROW("y_array_with_1_and_newline", "[1\n]"),
	ROW("y_array_with_leading_space", " [2]"),
	ROW("y_array_with_several_null", "[2,null,null,null,3]"),
	ROW("y_array_with_trailing_space", "[3] "),
	ROW("y_number", "[456e78]"),
	ROW("y_number_0e+1", "[0e+2]"),
	ROW("y_number_0e1", "[0e2]"),
	ROW("y_number_after_space", "[ 5]"),
	ROW("y_number_double_close_to_zero",
	    "[-0.00000000000000000000000000000000000000000000000000000000000000000000000000002]"),
	ROW("y_number_int_with_exp", "[30e2]"),
	ROW("y_number_minus_zero", "[-0]"),
	ROW("y_number_negative_int", "[-456]"),
	ROW("y_number_negative_one", "[-1]"),
	ROW("y_number_negative_zero", "[-0]"),
	ROW("y_number_real_capital_e", "[2E33]"),
	ROW("y_number_real_capital_e_neg_exp", "[2E-3]"),
	ROW("y_number_real_capital_e_pos_exp", "[2E+3]"),
	ROW("y_number_real_exponent", "[456e56]"),
	ROW("y_number_real_fraction_exponent", "[456.567e89]"),
	ROW("y_number_real_neg_exp", "[2e-3]"),
	ROW("y_number_real_pos_exponent", "[2e+3]"),
	ROW("y_number_simple_int", "[456]"),
	ROW("y_number_simple_real", "[456.567890]"),
	ROW("y_object", "{\"one\":\"two\", \"three\":\"four\"}"),
	ROW("y_object_basic", "{\"one\":\"two\"}"),
	ROW("y_object_duplicated_key", "{\"b\":\"c\",\"b\":\"d\"}"),
	ROW("y_object_duplicated_key_and_value", "{\"b\":\"c\",\"b\":\"c\"}"),
	ROW("y_object_empty", "{}"),
	ROW("y_object_empty_key", "{\"\":1}"),
	ROW("y_object_escaped_null_in_key", "{\"one\\u0000two\": 43}"),
	ROW("y_object_extreme_numbers", "{ \"lowest\": -2.0e+30, \"highest\": 2.0e+30 }"),
	ROW("y_object_long_strings",
	    "{\"x\":[{\"id\": \"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\"}], \"id\": "
	    "\"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\"}"),
	ROW("y_object_simple", "{\"b\":[]}"),
	ROW("y_object_string_unicode", "{\"name\":\"\\u0416\\u0443\\u043A \\u0414\\u043E\\u043C\" }"),
	ROW("y_object_with_newlines", "{\n\"b\": \"c\"\n}"),
	ROW("y_string_1_2_3_bytes_UTF-8_sequences", "[\"\\u0061\\u012b\\u12AC\"]"),
	ROW("y_string_accepted_surrogate_pair", "[\"\\uD83D\\ude00\"]"),
	ROW("y_string_accepted_surrogate_pairs", "[\"\\ud83d\\ude00\\ud83d\\udc4d\"]"),
	ROW("y_string_allowed_escapes", "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"),
	ROW("y_string_backslash_and_u_escaped_zero", "[\"\\\\u0000\"]"),
	ROW("y_string_backslash_doublequotes", "[\"\\\"\"]"),
	ROW("y_string_comments", "[\"b/*c*/d//e\"]"),
	ROW("y_string_double_escape_a", "[\"\\\\b\"]"),
	ROW("y_string_double_escape_n", "[\"\\\\n\"]"),
	ROW("y_string_escaped_control_character", "[\"\\u0013\"]"),
	ROW("y_string_escaped_noncharacter", "[\"\\uFFFE\"]"),
	ROW("y_string_in_array", "[\"text\"]"),
	ROW("y_string_in_array_with_leading_space", "[ \"text\"]"),
	ROW("y_string_last_surrogates_1_and_2", "[\"\\uDBFF\\uDFFF\"]"),
	ROW("y_string_nbsp_uescaped", "[\"one\\u00A0two\"]"),
	ROW("y_string_nonCharacterInUTF-8_U+10FFFF", "[\"\364\217\277\277\"]"),
	ROW("y_string_nonCharacterInUTF-8_U+FFFF", "[\"\357\277\277\"]"),
	ROW("y_string_null_escape", "[\"\\u0000\"]"),
	ROW("y_string_one-byte-utf-8", "[\"\\u002d\"]"),
	ROW("y_string_pi", "[\"\317\200\"]"),
	ROW("y_string_reservedCharacterInUTF-8_U+1BFFF", "[\"\360\233\277\277\"]"),
	ROW("y_string_simple_ascii", "[\"text \"]"),
	ROW("y_string_space", "\" \""),
	ROW("y_string_surrogates_U+1D11E_MUSICAL_SYMBOL_G_CLEF", "[\"\\uD834\\uDD1E\"]"),
	ROW("y_string_three-byte-utf-8", "[\"\\u0831\"]"),
	ROW("y_string_two-byte-utf-8", "[\"\\u0133\"]"),
	ROW("y_string_u+2028_line_sep", "[\"\342\200\250\"]"),
	ROW("y_string_u+2029_par_sep", "[\"\342\200\251\"]"),
	ROW("y_string_uEscape", "[\"\\u0062\\u30af\\u30EB\"]"),
	ROW("y_string_uescaped_newline", "[\"old\\u000Aline\"]"),
	ROW("y_string_unescaped_char_delete", "[\"\177\"]"),
	ROW("y_string_unicode", "[\"\\uB77C\"]"),
	ROW("y_string_unicodeEscapedBackslash", "[\"\\u005C\"]"),
	ROW("y_string_unicode_2", "[\"\342\215\203\343\210\264\"]"),
	ROW("y_string_unicode_U+10FFFE_nonchar", "[\"\\uDBFF\\uDFFE\"]"),
	ROW("y_string_unicode_U+1FFFE_nonchar", "[\"\\uD83F\\uDFFE\"]"),
	ROW("y_string_unicode_U+200B_ZERO_WIDTH_SPACE", "[\"\\u200B\"]"),
	ROW("y_string_unicode_U+2064_invisible_plus", "[\"\\u2064\"]"),
	ROW("y_string_unicode_U+FDD0_nonchar", "[\"\\uFDD0\"]"),
	ROW("y_string_unicode_U+FFFE_nonchar", "[\"\\uFFFE\"]"),
	ROW("y_string_unicode_escaped_double_quote", "[\"\\u0022\"]"),
	ROW("y_string_utf8", "[\"\342\202\254\360\235\204\236\"]"),
	ROW("y_string_with_del_character", "[\"b\177b\"]"),
	ROW("y_structure_lonely_false", "false"),
	ROW("y_structure_lonely_int", "43"),
	ROW("y_structure_lonely_negative_real", "-0.2"),
	ROW("y_structure_lonely_null", "null"),
	ROW("y_structure_lonely_string", "\"text\""),
	ROW("y_structure_lonely_true", "true"),
	ROW("y_structure_string_empty", "\"\""),
	ROW("y_structure_trailing_newline", "[\"b\"]\n"),
	ROW("y_structure_true_in_array", "[true]"),
	ROW("y_structure_whitespace_array", " [] "),
};

/* i_: refused are only these; numbers of any size and lone surrogate escapes are grammatical, and kept as they are. */
static const char *const refused[] = {
	"i_string_UTF-16LE_with_BOM",
	"i_string_UTF-8_invalid_sequence",
	"i_string_UTF8_surrogate_U+D800",
	"i_string_invalid_utf-8",
	"i_string_iso_latin_1",
	"i_string_lone_utf8_continuation_byte",
	"i_string_not_in_unicode_range",
	"i_string_overlong_sequence_2_bytes",
	"i_string_overlong_sequence_6_bytes",
	"i_string_overlong_sequence_6_bytes_null",
	"i_string_truncated-utf-8",
	"i_string_utf16BE_no_BOM",
	"i_string_utf16LE_no_BOM",
	"i_structure_500_nested_arrays",
	"i_structure_UTF-8_BOM_empty_object",
};

static bool expected(const char *name)
{
	for (size_t i = 0; i < COUNT(refused); i++)
		if (strcmp(name, refused[i]) == 0)
			return false;
	return name[0] != 'n';
}

static void check(const char *name, struct seal_bytes text)
{
	static const char *const backends[] = {"plain", "sse2", "avx2"};
	uint8_t *copy = mem_dup(text.ptr, text.len);

	assert_non_null(copy);
	for (size_t i = 0; i < COUNT(backends); i++) {
		struct json_scan scan = JSON_SCAN_INIT;
		struct seal_err err = SEAL_ERR_INIT;
		enum seal_status rc;

		if (!json_backend_force(backends[i]))
			continue;
		rc = json_scan(NULL, bytes_of(copy, text.len), &scan, &err);
		if ((rc == SEAL_OK) != expected(name))
			fail_msg("%s by %s: %s", name, backends[i], rc == SEAL_OK ? "accepted" : err.text);
		if (rc != SEAL_OK) {
			assert_int_equal(rc, SEAL_DATA);
			assert_int_equal(err.code, strstr(err.text, "nested") ? SEAL_E_LIMIT : SEAL_E_SYNTAX);
			assert_memory_equal(err.place, "byte ", 5);
		}
	}
	mem_free(copy);
}

static void every_case(void **state)
{
	size_t kinds[3] = {0, 0, 0};

	for (size_t i = 0; i < COUNT(rows); i++) {
		check(rows[i].name, rows[i].text);
		kinds[rows[i].name[0] == 'y' ? 0 : rows[i].name[0] == 'n' ? 1 : 2]++;
	}
	/* With the three below: 95, 188 and 35, as many as the suite has. */
	assert_int_equal(kinds[0], 95);
	assert_int_equal(kinds[1], 186);
	assert_int_equal(kinds[2], 34);
}

static void repeated(const char *name, const char *piece, size_t times, const char *end)
{
	struct seal_buf text = BUF_INIT(1 << 20);

	for (size_t i = 0; i < times; i++)
		assert_int_equal(buf_append_str(&text, piece, NULL), SEAL_OK);
	for (size_t i = 0; i < times && end != NULL; i++)
		assert_int_equal(buf_append_str(&text, end, NULL), SEAL_OK);
	check(name, buf_bytes(&text));
	buf_clear(&text);
}

static void deep_cases(void **state)
{
	repeated("i_structure_500_nested_arrays", "[", 500, "]");
	repeated("n_structure_100000_opening_arrays", "[", 100000, NULL);
	repeated("n_structure_open_array_object", "[{\"\":", 50000, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_case),
		cmocka_unit_test(deep_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

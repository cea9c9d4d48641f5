// What becomes of records on the desk: every outcome, keys, discarded output, the batch form. Refuses to need more than
// a C compiler; `make test` runs it with the compiler's sanitizers.
#include <stdio.h>
#include <stdlib.h>

#include "hydrant_json.h"
#include "hydrant_testing.h"

static hydrant_text rest_of(hydrant_text text, const char *verb) {
  size_t length = strlen(verb);
  hydrant_text none = {NULL, 0};
  if (text.length < length || memcmp(text.bytes, verb, length) != 0) return none;
  hydrant_text rest = {text.bytes + length, text.length - length};
  return rest;
}

static bool is(hydrant_record *record, const char *text) {
  return hydrant_equal(hydrant_data(record), hydrant_string(text));
}

static hydrant_outcome keys(hydrant_record *record) {
  hydrant_write(record, hydrant_string("none"));
  hydrant_end_output(record);
  for (int i = 0; i < 200; i++) { // more than are looked through, and than the first table holds
    char part[16];
    snprintf(part, sizeof part, "%d", i % 100);
    hydrant_set(record, "part", hydrant_string(part));
    hydrant_write(record, hydrant_string(part));
    hydrant_end_output(record);
  }
  return HYDRANT_REPLACE;
}

static hydrant_outcome large(hydrant_record *record) {
  enum { PIECE = 1 << 20, PIECES = 70 };
  char *piece = (char *)hydrant_scratch(record, PIECE);
  for (size_t i = 0; i < PIECE; i++) piece[i] = (char)('a' + i % 26);
  hydrant_text text = {piece, PIECE};
  for (int i = 0; i < PIECES; i++) hydrant_write(record, text);
  return HYDRANT_REPLACE;
}

static hydrant_outcome transform(hydrant_record *record) {
  const hydrant_text parts[] = {hydrant_string("a"), hydrant_string(""), hydrant_string("c")};
  hydrant_text text, value = {"", 0};
  if (is(record, "keep")) {
    hydrant_write(record, hydrant_string("noise"));
    return HYDRANT_KEEP;
  }
  if (is(record, "drop")) {
    hydrant_set(record, "lost", hydrant_string("x"));
    hydrant_write(record, hydrant_string("noise"));
    hydrant_end_output(record);
    return HYDRANT_DROP;
  }
  if (is(record, "one")) return hydrant_replace(record, hydrant_string("1"));
  if (is(record, "many")) return hydrant_replace_many(record, parts, 3);
  if (is(record, "none")) return hydrant_replace_many(record, parts, 0);
  if (is(record, "empty")) return HYDRANT_REPLACE;
  if (is(record, "code")) return hydrant_fail_code(record, hydrant_string("bad"), hydrant_string("why"));
  if (is(record, "bare")) return HYDRANT_FAIL;
  if (is(record, "nothing")) return (hydrant_outcome)0;
  if (is(record, "second thought")) {
    hydrant_fail(record, hydrant_string("no"));
    return HYDRANT_KEEP;
  }
  if (is(record, "reason"))
    return hydrant_fail(record, hydrant_string("a\xff"
                                               "b"));
  if (is(record, "keyed")) {
    hydrant_set(record, "key", hydrant_string("first"));
    hydrant_set(record, "key", hydrant_data(record));
    return HYDRANT_KEEP;
  }
  if (is(record, "bad key")) hydrant_set(record, "key", hydrant_string("\xff"));
  if (is(record, "bad name")) hydrant_set(record, "\xff", hydrant_string("v"));
  if (is(record, "keys")) return keys(record);
  if (is(record, "large")) return large(record);
  if (is(record, "column")) {
    return hydrant_column(record, "k", &value) ? hydrant_replace(record, value)
                                               : hydrant_fail(record, hydrant_string("no column"));
  }
  if (is(record, "arrived")) {
    char digits[24];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)hydrant_arrived_ms(record));
    return hydrant_replace(record, hydrant_string(digits));
  }
  if (is(record, "context")) {
    hydrant_write(record, hydrant_stream(hydrant_record_context(record)));
    if (hydrant_setting(hydrant_record_context(record), "s", &value)) hydrant_write(record, value);
    return HYDRANT_REPLACE;
  }
  if (is(record, "log")) {
    hydrant_log(HYDRANT_WARN, hydrant_string("odd"));
    return HYDRANT_DROP;
  }
  if (!hydrant_record_text(record, &text)) return HYDRANT_FAIL;
  text = rest_of(text, "json:");
  if (text.bytes != NULL) {
    hydrant_json_member members[] = {{"level", {HYDRANT_JSON_NONE, {NULL, 0}, true}},
                                     {"a\"b", {HYDRANT_JSON_NONE, {NULL, 0}, true}}};
    hydrant_json whole = hydrant_json_read(text, members, 2);
    if (hydrant_json_string(record, members[0].value, &value)) hydrant_set(record, "level", value);
    if (members[1].value.kind != HYDRANT_JSON_NONE) hydrant_set(record, "other", members[1].value.text);
    if (whole.kind == HYDRANT_JSON_NONE) return hydrant_fail(record, hydrant_string("no JSON"));
    if (!hydrant_json_append(record, whole, "x\n", hydrant_string("1"))) hydrant_json_write(record, whole);
    return HYDRANT_REPLACE;
  }
  if (is(record, "quote")) {
    hydrant_text odd = {"a\"\\\x01\xc3\xbc\xff\n", 8};
    hydrant_json_write_string(record, odd);
    return HYDRANT_REPLACE;
  }
  return HYDRANT_KEEP;
}

static void batch(hydrant_batch *batch) {
  hydrant_text form = {"", 0};
  hydrant_record *record;
  hydrant_setting(hydrant_batch_context(batch), "form", &form);
  if (hydrant_equal(form, hydrant_string("keep"))) {
    hydrant_keep_all(batch);
  } else if (hydrant_equal(form, hydrant_string("first"))) {
    hydrant_settle(hydrant_next(batch), HYDRANT_DROP);
  } else if (hydrant_equal(form, hydrant_string("forget"))) {
    while ((record = hydrant_next(batch)) != NULL) {
      if (record != NULL && !is(record, "a")) hydrant_settle(record, HYDRANT_KEEP);
    }
  } else {
    while ((record = hydrant_next(batch)) != NULL) hydrant_settle(record, transform(record));
  }
}

static const char *configure(const hydrant_context *context) {
  hydrant_text value;
  return hydrant_setting(context, "refuse", &value) ? "no" : NULL;
}

HYDRANT_PLUGIN_BATCH(batch);
HYDRANT_CONFIGURE(configure);

static hydrant_level logged_level;
static char logged[16];
static void note(hydrant_level level, hydrant_text line) {
  logged_level = level;
  memcpy(logged, line.bytes, line.length);
}

static int wrong = 0;
static void check(const char *record, const char *fate) {
  hydrant_test *test = hydrant_test_strings(&record, 1);
  hydrant_test_expect(test, 0, fate);
  wrong |= hydrant_test_end(test);
}

static void outcomes(void) {
  const char *records[] = {"keep",    "drop",           "one",    "many",         "none",   "empty", "code", "bare",
                           "nothing", "second thought", "reason", "\xed\xa0\x80", "ab\xff", "one"};
  const char *fates[] = {
      "keep",
      "drop",
      "replace \"1\"",
      "replace \"a\" \"\" \"c\"",
      "drop",
      "replace \"\"",
      "fail bad: why",
      "fail",
      "fail the transform returned no outcome: return HYDRANT_KEEP, HYDRANT_REPLACE, HYDRANT_DROP or hydrant_fail(…)",
      "keep",
      "fail a\xef\xbf\xbd"
      "b",
      "fail the record is not UTF-8: byte 0",
      "fail the record is not UTF-8: byte 2",
      "replace \"1\""};
  hydrant_test *test = hydrant_test_strings(records, sizeof records / sizeof *records);
  for (size_t i = 0; i < sizeof records / sizeof *records; i++) hydrant_test_expect(test, i, fates[i]);
  wrong |= hydrant_test_end(test);
}

static void key_columns(void) {
  const char *records[] = {"keyed", "keep", "bad key", "bad name", "keys", "keyed"};
  hydrant_test *test = hydrant_test_strings(records, 6);
  hydrant_test_expect(test, 0, "replace \"keyed\" key=\"keyed\"");
  hydrant_test_expect(test, 1, "keep");
  hydrant_test_expect(test, 2, "fail the value of a key is not UTF-8");
  hydrant_test_expect(test, 3, "fail the name of a key is not UTF-8");
  hydrant_test_expect(test, 5, "replace \"keyed\" key=\"keyed\"");
  char *expected = (char *)calloc(1, 1 << 13), *at = expected;
  at += sprintf(at, "replace \"none\"");
  for (int i = 0; i < 200; i++) at += sprintf(at, " \"%d\" part=\"%d\"", i % 100, i % 100);
  hydrant_test_expect(test, 4, expected);
  free(expected);
  wrong |= hydrant_test_end(test);
}

static void what_a_record_knows(void) {
  const hydrant_text records[] = {hydrant_string("column"), hydrant_string("column"), hydrant_string("arrived"),
                                  hydrant_string("context")};
  const uint64_t arrived[] = {1, 2, 1700000000000, 3};
  const char *values[] = {"v", NULL, "w", "v"}, *settings[] = {"r", "off", "s", "on"};
  hydrant_test_column column = {"k", values};
  hydrant_test_input input = {records, 4, arrived, &column, 1, "orders", settings, 2};
  hydrant_test *test = hydrant_test_run(&input);
  hydrant_test_expect(test, 0, "replace \"v\"");
  hydrant_test_expect(test, 1, "fail no column");
  hydrant_test_expect(test, 2, "replace \"1700000000000\"");
  hydrant_test_expect(test, 3, "replace \"orderson\"");
  wrong |= hydrant_test_end(test);
}

static void batch_forms(void) {
  const hydrant_text records[] = {hydrant_string("a"), hydrant_string("b")};
  const char *forms[][3] = {{"keep", "keep", "keep"},
                            {"first", "drop", "fail the plugin's batch function did not visit this record"},
                            {"forget", "fail the batch function did not settle this record", "keep"}};
  for (size_t i = 0; i < 3; i++) {
    const char *settings[] = {"form", forms[i][0]};
    hydrant_test_input input = {records, 2, NULL, NULL, 0, NULL, settings, 1};
    hydrant_test *test = hydrant_test_run(&input);
    hydrant_test_expect(test, 0, forms[i][1]);
    hydrant_test_expect(test, 1, forms[i][2]);
    wrong |= hydrant_test_end(test);
  }
  const char *settings[] = {"refuse", "x"};
  hydrant_test_input input = {records, 2, NULL, NULL, 0, NULL, settings, 1};
  hydrant_test *test = hydrant_test_run(&input);
  if (hydrant_test_refused(test) == NULL || strcmp(hydrant_test_refused(test), "no") != 0) wrong = 1;
  wrong |= hydrant_test_end(test);
}

static void json(void) {
  static const char *const bad[] = {"",          " ",         "{",      "[",     "}",        "]",
                                    "{]",        "[}",        "[1,]",   "{,}",   "{\"a\":}", "{\"a\":1,}",
                                    "{\"a\" 1}", "{a:1}",     "01",     "-",     "+1",       ".5",
                                    "1.",        "1e",        "1e+",    "tru",   "nulll",    "\"",
                                    "\"\\x\"",   "\"\\u12\"", "\"\t\"", "{} {}", "[1 2]",    "\xef\xbb\xbf{}",
                                    "{\"a\":1",  "[[]",       "'a'",    "{1:2}", "\"\\"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char record[64];
    snprintf(record, sizeof record, "json:%s", bad[i]);
    check(record, "fail no JSON");
  }
  check("json: null ", "replace \"null\"");
  check("json:-0.5e+10", "replace \"-0.5e+10\"");
  check("json:[ ]", "replace \"[]\"");
  check("json: [ 1 , \"a b\\\" c\" , { } , {\"k\" : [ [ ] ] } ] ",
        "replace \"[1,\\\"a b\\\\\\\" c\\\",{},{\\\"k\\\":[[]]}]\"");
  check("json:{ }", "replace \"{\\\"x\\\\u000a\\\":1}\"");
  check("json:{\"level\":\"info\",\"b\":{\"level\":\"no\"}}",
        "replace \"{\\\"level\\\":\\\"info\\\",\\\"b\\\":{\\\"level\\\":\\\"no\\\"},\\\"x\\\\u000a\\\":1}\" "
        "level=\"info\"");
  check("json:{\"b\":{\"level\":\"no\"}}", "replace \"{\\\"b\\\":{\\\"level\\\":\\\"no\\\"},\\\"x\\\\u000a\\\":1}\"");
  check("json:{\"l\\u0065vel\":\"\\u00fc\\ud83d\\ude42\\ud83d\\n\"}",
        "replace \"{\\\"l\\\\u0065vel\\\":\\\"\\\\u00fc\\\\ud83d\\\\ude42\\\\ud83d\\\\n\\\",\\\"x\\\\u000a\\\":1}\" "
        "level=\"\xc3\xbc\xf0\x9f\x99\x82\xef\xbf\xbd\\n\"");
  check("json:{\"level\":1,\"level\":\"two\",\"a\\\"b\":[1, 2]}",
        "replace \"{\\\"level\\\":1,\\\"level\\\":\\\"two\\\",\\\"a\\\\\\\"b\\\":[1,2],\\\"x\\\\u000a\\\":1}\" "
        "level=\"two\" other=\"[1, 2]\"");
  check("json:{\"level\":\"two\",\"level\":1}",
        "replace \"{\\\"level\\\":\\\"two\\\",\\\"level\\\":1,\\\"x\\\\u000a\\\":1}\"");
  check("quote", "replace \"\\\"a\\\\\\\"\\\\\\\\\\\\u0001\xc3\xbc\xef\xbf\xbd\\\\u000a\\\"\"");
}

// Nesting up to the bound is followed, one more is refused; every beginning of a document is refused and read safely.
static void depth(void) {
  for (size_t deep = HYDRANT_JSON_DEPTH; deep <= HYDRANT_JSON_DEPTH + 1; deep++) {
    char *text = (char *)malloc(2 * deep);
    memset(text, '[', deep);
    memset(text + deep, ']', deep);
    hydrant_text whole = {text, 2 * deep};
    bool is_read = hydrant_json_read(whole, NULL, 0).kind == HYDRANT_JSON_ARRAY;
    if (is_read != (deep <= HYDRANT_JSON_DEPTH)) {
      fprintf(stderr, "depth %zu: %d\n", deep, is_read);
      wrong = 1;
    }
    free(text);
  }
  static const char document[] =
      "{\"a\":[1,-2.5e3,\"x\\u00e9\\n\xc3\xbc\",{\"b\":null}],\"c\":true, \"d\" : {\"e\":[]}}";
  for (size_t length = 0; length < sizeof document; length++) {
    char *exact = (char *)malloc(length + 1); // its own block, so that a sanitizer sees one byte too many
    char *start = exact + 1;
    memcpy(start, document, length);
    hydrant_text text = {start, length};
    bool is_read = hydrant_json_read(text, NULL, 0).kind != HYDRANT_JSON_NONE;
    if (is_read != (length == sizeof document - 1)) {
      fprintf(stderr, "length %zu: %d\n", length, is_read);
      wrong = 1;
    }
    free(exact);
  }
}

int main(void) {
  outcomes();
  key_columns();
  what_a_record_knows();
  batch_forms();
  json();
  depth();
  hydrant_test_on_log(note);
  check("log", "drop");
  if (logged_level != HYDRANT_WARN || strcmp(logged, "odd") != 0) wrong = 1;
  const char *record = "large";
  hydrant_test *test = hydrant_test_strings(&record, 1);
  if (hydrant_test_output(test, 0, 0).length != (size_t)70 << 20) wrong = 1;
  wrong |= hydrant_test_end(test);
  printf("%s\n", wrong ? "failed" : "all as expected");
  return wrong;
}

// The desk's side of the boundary: makes a batch of records and reads the answer. Refuses to be part of a component.
#include "hydrant_testing.h"

#ifndef __wasm__

#include <stdio.h>
#include <stdlib.h>

#include "hydrant_internal.h"

struct hydrant_test {
  hydrant_transform_types_output_t answer;
  char *refused;
  char **fates;
  size_t count;
};

static int failed = 0;
static void (*on_log)(hydrant_level level, hydrant_text line) = NULL;

void hydrant_test_on_log(void (*logged)(hydrant_level level, hydrant_text line)) { on_log = logged; }

void hydrant_log(hydrant_level level, hydrant_text line) {
  static const char *const names[] = {"debug", "info", "warn", "error"};
  if (on_log != NULL) {
    on_log(level, line);
  } else {
    fprintf(stderr, "%s: %.*s\n", names[level], (int)line.length, line.bytes);
  }
}

// A text being written.
typedef struct {
  char *bytes;
  size_t length, capacity;
} writing;

static void say(writing *text, const char *bytes, size_t length) {
  text->bytes = (char *)hydrant__grow(text->bytes, &text->capacity, text->length + length + 1, 1);
  memcpy(text->bytes + text->length, bytes, length);
  text->length += length;
  text->bytes[text->length] = 0;
}

static void say_text(writing *text, hydrant_text more) {
  if (more.length > 0) say(text, more.bytes, more.length);
}

static void say_quoted(writing *text, hydrant_text bytes) {
  say(text, "\"", 1);
  for (size_t at = 0; at < bytes.length;) {
    const uint8_t *byte = (const uint8_t *)bytes.bytes + at;
    size_t length = hydrant__sequence(byte, (const uint8_t *)bytes.bytes + bytes.length);
    char escaped[8];
    if (length > 1) {
      say(text, (const char *)byte, length);
    } else if (*byte == '\n' || *byte == '\t' || *byte == '"' || *byte == '\\') {
      snprintf(escaped, sizeof escaped, "\\%c", *byte == '\n' ? 'n' : *byte == '\t' ? 't' : *byte);
      say(text, escaped, 2);
    } else if (*byte < 0x20 || *byte >= 0x7f) {
      snprintf(escaped, sizeof escaped, "\\x%02x", *byte);
      say(text, escaped, 4);
    } else {
      say(text, (const char *)byte, 1);
    }
    at += length > 0 ? length : 1;
  }
  say(text, "\"", 1);
}

static hydrant_text output_at(const hydrant_test *test, size_t at) {
  const hydrant_transform_types_records_t *records = &test->answer.records;
  size_t start = at == 0 ? 0 : records->ends.ptr[at - 1];
  hydrant_text text = {(const char *)records->payload.ptr + start, records->ends.ptr[at] - start};
  return text;
}

static void say_output(writing *text, const hydrant_test *test, size_t at) {
  say(text, " ", 1);
  say_quoted(text, output_at(test, at));
  for (size_t i = 0; i < test->answer.records.columns.len; i++) {
    const hydrant__column *column = &test->answer.records.columns.ptr[i];
    if (column->codes.ptr[at] == 0) continue;
    say(text, " ", 1);
    say_text(text, hydrant__text(column->name));
    say(text, "=", 1);
    say_quoted(text, hydrant__text(column->dictionary.ptr[column->codes.ptr[at] - 1]));
  }
}

static char *describe(const hydrant_test *test, size_t record) {
  static const char *const names[] = {"keep", "replace", "drop", "fail"};
  writing text = {NULL, 0, 0};
  say_text(&text, hydrant_string(names[test->answer.outcomes.ptr[record]]));
  for (size_t i = 0; i < test->answer.inputs.len; i++) {
    if (test->answer.inputs.ptr[i] == record) say_output(&text, test, i);
  }
  for (size_t i = 0; i < test->answer.reasons.len; i++) {
    const hydrant__reason *reason = &test->answer.reasons.ptr[i];
    if (reason->input != record) continue;
    say(&text, " ", 1);
    say_text(&text, hydrant__text(reason->code));
    if (reason->code.len > 0) say(&text, ": ", 2);
    say_text(&text, hydrant__text(reason->message));
  }
  return text.bytes;
}

static plugin_string_t borrowed(const char *string) {
  plugin_string_t text = {(uint8_t *)(uintptr_t)string, string == NULL ? 0 : strlen(string)};
  return text;
}

static void lay_out(const hydrant_test_input *input, hydrant__input *batch) {
  size_t length = 0;
  for (size_t i = 0; i < input->count; i++) length += input->records[i].length;
  batch->records.payload.ptr = (uint8_t *)hydrant__new(length);
  batch->records.ends.ptr = (uint32_t *)hydrant__new(input->count * sizeof(uint32_t));
  batch->arrived_ms.ptr = (uint64_t *)hydrant__new(input->count * sizeof(uint64_t));
  batch->records.ends.len = batch->arrived_ms.len = input->count;
  for (size_t i = 0; i < input->count; i++) {
    hydrant_text record = input->records[i];
    if (record.length > 0) memcpy(batch->records.payload.ptr + batch->records.payload.len, record.bytes, record.length);
    batch->records.payload.len += record.length;
    batch->records.ends.ptr[i] = (uint32_t)batch->records.payload.len;
    batch->arrived_ms.ptr[i] = input->arrived_ms == NULL ? 0 : input->arrived_ms[i];
  }
  hydrant__column *columns = (hydrant__column *)hydrant__new(input->column_count * sizeof(hydrant__column));
  batch->records.columns.ptr = columns;
  batch->records.columns.len = input->column_count;
  for (size_t i = 0; i < input->column_count; i++) {
    columns[i].name = borrowed(input->columns[i].name);
    columns[i].dictionary.ptr = (plugin_string_t *)hydrant__new(input->count * sizeof(plugin_string_t));
    columns[i].dictionary.len = columns[i].codes.len = input->count;
    columns[i].codes.ptr = (uint32_t *)hydrant__new(input->count * sizeof(uint32_t));
    for (size_t at = 0; at < input->count; at++) {
      columns[i].dictionary.ptr[at] = borrowed(input->columns[i].values[at]);
      columns[i].codes.ptr[at] = input->columns[i].values[at] == NULL ? 0 : (uint32_t)at + 1;
    }
  }
}

static void clear(hydrant__input *batch) {
  for (size_t i = 0; i < batch->records.columns.len; i++) {
    free(batch->records.columns.ptr[i].dictionary.ptr);
    free(batch->records.columns.ptr[i].codes.ptr);
  }
  free(batch->records.columns.ptr);
  free(batch->records.payload.ptr);
  free(batch->records.ends.ptr);
  free(batch->arrived_ms.ptr);
}

// What the generated bindings free with; those are compiled for WebAssembly only.
void plugin_string_free(plugin_string_t *string) {
  if (string->len > 0) free(string->ptr);
  string->ptr = NULL;
  string->len = 0;
}

static void free_list(void *list, size_t length) {
  if (length > 0) free(list);
}

void hydrant_transform_types_column_free(hydrant_transform_types_column_t *column) {
  plugin_string_free(&column->name);
  for (size_t i = 0; i < column->dictionary.len; i++) plugin_string_free(&column->dictionary.ptr[i]);
  free_list(column->dictionary.ptr, column->dictionary.len);
  free_list(column->codes.ptr, column->codes.len);
}

void hydrant_transform_types_output_free(hydrant_transform_types_output_t *answer) {
  hydrant_transform_types_list_column_t *columns = &answer->records.columns;
  for (size_t i = 0; i < columns->len; i++) hydrant_transform_types_column_free(&columns->ptr[i]);
  for (size_t i = 0; i < answer->reasons.len; i++) {
    plugin_string_free(&answer->reasons.ptr[i].code);
    plugin_string_free(&answer->reasons.ptr[i].message);
  }
  free_list(columns->ptr, columns->len);
  free_list(answer->records.payload.ptr, answer->records.payload.len);
  free_list(answer->records.ends.ptr, answer->records.ends.len);
  free_list(answer->inputs.ptr, answer->inputs.len);
  free_list(answer->outcomes.ptr, answer->outcomes.len);
  free_list(answer->reasons.ptr, answer->reasons.len);
}

hydrant_test *hydrant_test_run(const hydrant_test_input *input) {
  hydrant_test *test = (hydrant_test *)hydrant__new(sizeof *test);
  memset(test, 0, sizeof *test);
  size_t pairs = input->setting_count;
  plugin_tuple2_string_string_t *settings = (plugin_tuple2_string_string_t *)hydrant__new(pairs * sizeof *settings);
  for (size_t i = 0; i < pairs; i++) {
    settings[i].f0 = borrowed(input->settings[2 * i]);
    settings[i].f1 = borrowed(input->settings[2 * i + 1]);
  }
  hydrant_context context = {{borrowed(input->stream), {settings, pairs}}};
  const char *refused = hydrant_plugin_configure(&context);
  if (refused != NULL) {
    writing text = {NULL, 0, 0};
    say_text(&text, hydrant_string(refused));
    say(&text, "", 0);
    test->refused = text.bytes;
  } else {
    hydrant__input batch;
    memset(&batch, 0, sizeof batch);
    lay_out(input, &batch);
    hydrant__run(&batch, &context, &test->answer);
    clear(&batch);
    test->count = input->count;
    test->fates = (char **)hydrant__new(test->count * sizeof(char *));
    for (size_t i = 0; i < test->count; i++) test->fates[i] = describe(test, i);
  }
  free(settings);
  return test;
}

hydrant_test *hydrant_test_strings(const char *const *records, size_t count) {
  hydrant_text *texts = (hydrant_text *)hydrant__new(count * sizeof(hydrant_text));
  for (size_t i = 0; i < count; i++) texts[i] = hydrant_string(records[i]);
  hydrant_test_input input;
  memset(&input, 0, sizeof input);
  input.records = texts;
  input.count = count;
  hydrant_test *test = hydrant_test_run(&input);
  free(texts);
  return test;
}

const char *hydrant_test_refused(const hydrant_test *test) { return test->refused; }

const char *hydrant_test_fate(const hydrant_test *test, size_t record) {
  return record < test->count ? test->fates[record] : "no such record";
}

hydrant_text hydrant_test_output(const hydrant_test *test, size_t record, size_t output) {
  for (size_t i = 0; i < test->answer.inputs.len; i++) {
    if (test->answer.inputs.ptr[i] == record && output-- == 0) return output_at(test, i);
  }
  return hydrant_string("");
}

bool hydrant_test_expect(const hydrant_test *test, size_t record, const char *fate) {
  const char *found = hydrant_test_fate(test, record);
  if (strcmp(found, fate) == 0) return true;
  fprintf(stderr, "record %zu:\n  - %s\n  + %s\n", record, fate, found);
  failed = 1;
  return false;
}

int hydrant_test_end(hydrant_test *test) {
  for (size_t i = 0; i < test->count; i++) free(test->fates[i]);
  free(test->fates);
  free(test->refused);
  hydrant_transform_types_output_free(&test->answer);
  free(test);
  return failed;
}

#endif

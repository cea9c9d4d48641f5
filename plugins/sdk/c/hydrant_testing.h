// Runs the plugin on the desk, over records, and shows what became of each. Refuses to involve WebAssembly: compile the
// plugin, the SDK and the test with the machine's own compiler.
//
//     const char *records[] = {"  one order ", "heartbeat 7"};
//     hydrant_test *test = hydrant_test_strings(records, 2);
//     hydrant_test_expect(test, 0, "replace \"one order\\n\"");
//     hydrant_test_expect(test, 1, "drop");
//     return hydrant_test_end(test);
#ifndef HYDRANT_TESTING_H
#define HYDRANT_TESTING_H

#include "hydrant_plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hydrant_test hydrant_test;

// A column that an earlier processor set: a value for each record, NULL where it is not set.
typedef struct {
  const char *name;
  const char *const *values;
} hydrant_test_column;

// A batch and what the plugin works for. Only records are needed; zero the rest.
typedef struct {
  const hydrant_text *records;
  size_t count;
  const uint64_t *arrived_ms; // one for each record, or NULL for 0
  const hydrant_test_column *columns;
  size_t column_count;
  const char *stream;
  const char *const *settings; // name, value, name, value, …
  size_t setting_count;        // of pairs
} hydrant_test_input;

// Configures the plugin and runs it over one batch.
hydrant_test *hydrant_test_run(const hydrant_test_input *input);
// The same over strings, without settings.
hydrant_test *hydrant_test_strings(const char *const *records, size_t count);
// What configure refused with; NULL when it did not. A test that it refused has no records.
const char *hydrant_test_refused(const hydrant_test *test);
// What became of a record, as text: `keep`, `drop`, `fail REASON`, `fail CODE: REASON`, or `replace` with each output
// in quotes (`\n`, `\t`, `\"`, `\\` and `\xHH` for bytes that are not printable) followed by its keys, ` key="value"`.
const char *hydrant_test_fate(const hydrant_test *test, size_t record);
// The bytes of one output of a record; empty when there is none.
hydrant_text hydrant_test_output(const hydrant_test *test, size_t record, size_t output);
// Says on standard error what differs, with the plugin's answer. True when it is as expected.
bool hydrant_test_expect(const hydrant_test *test, size_t record, const char *fate);
// Frees the test. What it returns is for main: 1 when any expectation of the program has failed so far.
int hydrant_test_end(hydrant_test *test);
// Gives log lines to a function instead of standard error; NULL takes it back.
void hydrant_test_on_log(void (*logged)(hydrant_level level, hydrant_text line));

#ifdef __cplusplus
}
#endif
#endif

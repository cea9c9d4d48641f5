// Write a Hydrant plugin in C or C++: a function of one record. This header is all that an author needs.
// Refuses allocation for a record that is kept: replacements are written straight into the batch's one output.
//
//     #include "hydrant_plugin.h"
//
//     static hydrant_outcome transform(hydrant_record *record) {
//         hydrant_text text;
//         if (!hydrant_record_text(record, &text)) {
//             return HYDRANT_FAIL; // not UTF-8; the reason is set
//         }
//         hydrant_set(record, "length", text.length > 80 ? hydrant_string("long") : hydrant_string("short"));
//         hydrant_write(record, text);
//         hydrant_write(record, hydrant_string("\n"));
//         return HYDRANT_REPLACE;
//     }
//
//     HYDRANT_PLUGIN(transform);
//
// An instance may be thrown away after any batch and a batch may come again, whole or in parts, so an answer must
// depend on the record and the context alone. The clock stands at the newest arrival of the batch, and random numbers
// of the system begin alike for the same batch. There is no file, no network and no environment; printf writes to the
// host's log.
#ifndef HYDRANT_PLUGIN_H
#define HYDRANT_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
#define HYDRANT_EXTERN extern "C"
extern "C" {
#else
#define HYDRANT_EXTERN extern
#endif

// Bytes that somebody else owns; no NUL ends them.
typedef struct {
  const char *bytes;
  size_t length;
} hydrant_text;

// The text of a string that a NUL ends.
static inline hydrant_text hydrant_string(const char *string) {
  hydrant_text text = {string, strlen(string)};
  return text;
}

// Whether two texts have the same bytes.
static inline bool hydrant_equal(hydrant_text one, hydrant_text other) {
  return one.length == other.length && (one.length == 0 || memcmp(one.bytes, other.bytes, one.length) == 0);
}

// What becomes of a record; every record has exactly one, and 0 is none.
typedef enum {
  HYDRANT_KEEP = 1, // Deliver it as it is (with the keys that were set). What was written is discarded.
  HYDRANT_REPLACE,  // Deliver what was written instead; an empty record if nothing was.
  HYDRANT_DROP,     // Deliver nothing, on purpose.
  HYDRANT_FAIL,     // Send it to the error output, with the reason that hydrant_fail set.
} hydrant_outcome;

typedef struct hydrant_record hydrant_record;
typedef struct hydrant_batch hydrant_batch;
typedef struct hydrant_context hydrant_context;

// The record's bytes, valid until the batch ends.
hydrant_text hydrant_data(const hydrant_record *record);
// The record's bytes as text. False when they are not UTF-8: return HYDRANT_FAIL then, the reason is set.
bool hydrant_record_text(hydrant_record *record, hydrant_text *text);
// When it arrived, milliseconds since 1970.
uint64_t hydrant_arrived_ms(const hydrant_record *record);
// Its value in a column that an earlier processor set. False when it is not set.
bool hydrant_column(const hydrant_record *record, const char *name, hydrant_text *value);
// What the plugin works for.
const hydrant_context *hydrant_record_context(const hydrant_record *record);
// Memory that is the author's until the record has its outcome. Never NULL.
void *hydrant_scratch(hydrant_record *record, size_t length);

// Sets a partition key (or, with a name beginning with `$`, a reserved column) on every output of this record that is
// not ended yet. A name or value that is not UTF-8 fails the record.
void hydrant_set(hydrant_record *record, const char *name, hydrant_text value);
// Appends to the record's output; then return HYDRANT_REPLACE. Never fails.
void hydrant_write(hydrant_record *record, hydrant_text bytes);
// Ends the output being written and begins another one of the same record. The last one needs no end.
void hydrant_end_output(hydrant_record *record);
// Replaces the record by one of these bytes.
hydrant_outcome hydrant_replace(hydrant_record *record, hydrant_text bytes);
// Replaces the record by several; by none at all means to drop it.
hydrant_outcome hydrant_replace_many(hydrant_record *record, const hydrant_text *records, size_t count);
// Sends the record to the error output. The reason is for people; do not put payload into it.
hydrant_outcome hydrant_fail(hydrant_record *record, hydrant_text reason);
// The same with a code for machines: 1 to 64 of `A-Z a-z 0-9 . _ -`.
hydrant_outcome hydrant_fail_code(hydrant_record *record, hydrant_text code, hydrant_text reason);

// Name of the delivery stream; empty while the host tries a new version out.
hydrant_text hydrant_stream(const hydrant_context *context);
// The operator's setting of this name. False when there is none.
bool hydrant_setting(const hydrant_context *context, const char *name, hydrant_text *value);

// How much a line matters: for the author, worth a line, odd but safe, somebody must act.
typedef enum { HYDRANT_DEBUG, HYDRANT_INFO, HYDRANT_WARN, HYDRANT_ERROR } hydrant_level;
// Writes one line to the host's log.
void hydrant_log(hydrant_level level, hydrant_text line);

// Whether bytes are UTF-8, strictly: no surrogates, nothing overlong.
bool hydrant_is_utf8(hydrant_text text);

// The batch form, for speed: visit each record that has no outcome yet, and settle it before the next.
//
//     while ((record = hydrant_next(batch)) != NULL) hydrant_settle(record, transform(record));
//
// A record that is not settled fails.
hydrant_record *hydrant_next(hydrant_batch *batch);
void hydrant_settle(hydrant_record *record, hydrant_outcome outcome);
// Keeps every record that has no outcome yet: the cheapest answer.
void hydrant_keep_all(hydrant_batch *batch);
size_t hydrant_batch_length(const hydrant_batch *batch);
const hydrant_context *hydrant_batch_context(const hydrant_batch *batch);

// Makes a function of one record the plugin: once, at file scope.
#define HYDRANT_PLUGIN(transform)                                                                                      \
  HYDRANT_EXTERN void hydrant_plugin_batch(hydrant_batch *hydrant_given) {                                             \
    hydrant_record *hydrant_at;                                                                                        \
    while ((hydrant_at = hydrant_next(hydrant_given)) != NULL) hydrant_settle(hydrant_at, transform(hydrant_at));      \
  }                                                                                                                    \
  HYDRANT_EXTERN void hydrant_plugin_batch(hydrant_batch *hydrant_given)
// Makes a function of a batch, `void transform(hydrant_batch *)`, the plugin instead.
#define HYDRANT_PLUGIN_BATCH(transform)                                                                                \
  HYDRANT_EXTERN void hydrant_plugin_batch(hydrant_batch *hydrant_given) { transform(hydrant_given); }                 \
  HYDRANT_EXTERN void hydrant_plugin_batch(hydrant_batch *hydrant_given)
// Names the function that is called once per instance, before its first batch: `const char *configure(const
// hydrant_context *)`. It returns NULL, or what is wrong with the settings; the host then goes on with the previous
// version.
#define HYDRANT_CONFIGURE(configure)                                                                                   \
  HYDRANT_EXTERN const char *hydrant_plugin_configure(const hydrant_context *hydrant_given) {                          \
    return configure(hydrant_given);                                                                                   \
  }                                                                                                                    \
  HYDRANT_EXTERN const char *hydrant_plugin_configure(const hydrant_context *hydrant_given)

// What the macros define.
void hydrant_plugin_batch(hydrant_batch *batch);
const char *hydrant_plugin_configure(const hydrant_context *context);

#ifdef __cplusplus
}
#endif
#endif

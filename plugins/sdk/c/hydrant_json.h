// As much JSON as a transform of records needs: check a record, find members, append one. No tree is built and nothing
// is allocated; nesting is bounded. Refuses what RFC 8259 does not allow, and numbers as anything but text.
#ifndef HYDRANT_JSON_H
#define HYDRANT_JSON_H

#include "hydrant_plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

// Values within values that are followed; what is deeper is no JSON here.
#define HYDRANT_JSON_DEPTH 1024

typedef enum {
  HYDRANT_JSON_NONE, // no such member, or no JSON at all
  HYDRANT_JSON_NULL,
  HYDRANT_JSON_BOOLEAN,
  HYDRANT_JSON_NUMBER,
  HYDRANT_JSON_STRING,
  HYDRANT_JSON_ARRAY,
  HYDRANT_JSON_OBJECT,
} hydrant_json_kind;

// A value as it is written.
typedef struct {
  hydrant_json_kind kind;
  hydrant_text text; // without space around it
  bool is_compact;   // without space in it
} hydrant_json;

// A member of an object: the name to look for, and the value that was found.
typedef struct {
  const char *name;
  hydrant_json value;
} hydrant_json_member;

// Reads one whole JSON value and nothing after it. When it is an object, the values of `members` are found in it; of a
// name that is there twice the last value counts. The kind is HYDRANT_JSON_NONE when the text is no JSON.
hydrant_json hydrant_json_read(hydrant_text text, hydrant_json_member *members, size_t count);
// The text of a string, unquoted: valid until the record has its outcome. False when the value is no string.
bool hydrant_json_string(hydrant_record *record, hydrant_json value, hydrant_text *text);
// Appends a value to the record's output, without space in it.
void hydrant_json_write(hydrant_record *record, hydrant_json value);
// Appends a text to the record's output as a JSON string, quoted. What is not UTF-8 in it becomes U+FFFD.
void hydrant_json_write_string(hydrant_record *record, hydrant_text text);
// Appends an object with one more member at its end, whose value is the JSON that `value` is. False when the value that
// was read is no object; nothing is written then.
bool hydrant_json_append(hydrant_record *record, hydrant_json object, const char *name, hydrant_text value);

#ifdef __cplusplus
}
#endif
#endif

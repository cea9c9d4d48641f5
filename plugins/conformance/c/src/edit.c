// The measured transform: parse, filter, key, add a member. Refuses what is no JSON object.
#include "conformance.h"
#include "hydrant_json.h"

hydrant_outcome edit(hydrant_record *record) {
  hydrant_json_member level = {.name = "level"};
  hydrant_json object = hydrant_json_read(hydrant_data(record), &level, 1);
  if (object.kind != HYDRANT_JSON_OBJECT) {
    return hydrant_fail_code(record, hydrant_string("bad-json"), hydrant_string("no JSON object"));
  }
  hydrant_text text;
  if (hydrant_json_string(record, level.value, &text)) {
    if (hydrant_equal(text, hydrant_string("debug"))) return HYDRANT_DROP;
    hydrant_set(record, "level", text);
  }
  hydrant_json_append(record, object, "pipeline", hydrant_string("\"hydrant\""));
  return HYDRANT_REPLACE;
}

// The headers as C++ sees them: a plugin with everything that the macros define. Refuses to run.
#include "hydrant_json.h"
#include "hydrant_plugin.h"
#include "hydrant_testing.h"

namespace {
hydrant_outcome transform(hydrant_record *record) {
  hydrant_json_member level = {"level", {}};
  hydrant_json whole = hydrant_json_read(hydrant_data(record), &level, 1);
  return whole.kind == HYDRANT_JSON_OBJECT ? HYDRANT_KEEP : hydrant_fail(record, hydrant_string("no object"));
}
const char *configure(const hydrant_context *) { return nullptr; }
} // namespace

HYDRANT_PLUGIN(transform);
HYDRANT_CONFIGURE(configure);

// Tests of the plugin by itself, without WebAssembly.
#include "hydrant_testing.h"

int main(void) {
  const char *records[] = {"  one order ", "heartbeat 7", "\xff"};
  hydrant_test *test = hydrant_test_strings(records, 3);
  hydrant_test_expect(test, 0, "replace \"one order\\n\"");
  hydrant_test_expect(test, 1, "drop");
  hydrant_test_expect(test, 2, "fail the record is not UTF-8: byte 0");
  return hydrant_test_end(test);
}

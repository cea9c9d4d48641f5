// The three transforms of the conformance guest. Refuses to share anything else.
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include "hydrant_plugin.h"

hydrant_outcome edit(hydrant_record *record);
hydrant_outcome scenario(hydrant_record *record);

#endif

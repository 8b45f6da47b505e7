/* The ports of this machine that a policy publishes. */
#ifndef SANDLOCK_HOST_PUBLISH_H
#define SANDLOCK_HOST_PUBLISH_H

#include "policy/policy.h"

/* One error for each that cannot be bound now. Another program may still take one before the sandbox does: its bind fails then. */
bool publish_probe(const struct policy *policy, struct error *err);

#endif

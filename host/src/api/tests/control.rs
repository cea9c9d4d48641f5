//! The control plane as clients see it: golden descriptions, merges, and every rule's message.

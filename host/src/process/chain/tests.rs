//! Chains of our own steps.

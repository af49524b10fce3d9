//! Homes from a seed.

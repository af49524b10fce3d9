//! Scripts over many homes and seeds.

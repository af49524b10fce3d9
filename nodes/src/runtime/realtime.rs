//! The same nodes in real time.

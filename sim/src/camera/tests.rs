//! Statistics of the imperfections, and that each can be switched off.

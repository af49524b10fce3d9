//! Images of scenes whose every pixel is known.

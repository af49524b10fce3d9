//! Procedural textures.

/// A square sRGB image that repeats, side a power of two.
#[derive(Debug, Clone, PartialEq)]
pub struct Texture {
    /// Side, texels.
    pub size: u32,
    /// Texels, row-major, sRGB.
    pub texels: Vec<[u8; 3]>,
}

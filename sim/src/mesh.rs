//! Triangle meshes and the primitives that furniture and objects are made of.

/// An indexed triangle mesh with smooth normals and texture coordinates per vertex; triangles are
/// counter-clockwise seen from outside.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mesh {
    /// Metres.
    pub positions: Vec<[f32; 3]>,
    /// Unit length.
    pub normals: Vec<[f32; 3]>,
    /// Texture coordinates; one unit is one repetition.
    pub uvs: Vec<[f32; 2]>,
    /// Three vertices each.
    pub triangles: Vec<[u32; 3]>,
}

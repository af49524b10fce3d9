//! Meshes as Wavefront OBJ with MTL and PNG textures.

use std::fmt::Write;
use std::sync::Arc;

use super::Output;
use crate::mesh::Mesh;
use crate::model::{Material, Visual};
use crate::texture::Texture;
use crate::{Error, Result};

/// Writes each mesh and material once, and each texture once.
pub(super) struct MeshFolder {
    written: Vec<(Arc<Mesh>, Material, String)>,
    textures: Vec<(Arc<Texture>, String)>,
}

impl MeshFolder {
    pub(super) fn new() -> Self {
        MeshFolder {
            written: Vec::new(),
            textures: Vec::new(),
        }
    }

    /// Relative name of the file of a visual, which is written under `name` unless an equal one is there.
    pub(super) fn file(&mut self, visual: &Visual, name: &str, output: &mut Output) -> Result<String> {
        let same = |(mesh, material, _): &&(Arc<Mesh>, Material, String)| {
            let textures = match (&material.texture, &visual.material.texture) {
                (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                (None, None) => true,
                _ => false,
            };
            Arc::ptr_eq(mesh, &visual.mesh)
                && textures
                && material.tint == visual.material.tint
                && material.opacity == visual.material.opacity
        };
        if let Some((_, _, file)) = self.written.iter().find(same) {
            return Ok(file.clone());
        }
        let texture = match &visual.material.texture {
            Some(t) => Some(self.texture(t, output)?),
            None => None,
        };
        let file = format!("meshes/{name}.obj");
        output.write(&file, obj(&visual.mesh, Some(&format!("{name}.mtl"))).as_bytes())?;
        let mtl = mtl(&visual.material, texture.as_deref());
        output.write(&format!("meshes/{name}.mtl"), mtl.as_bytes())?;
        let entry = (Arc::clone(&visual.mesh), visual.material.clone(), file.clone());
        self.written.push(entry);
        Ok(file)
    }

    fn texture(&mut self, texture: &Arc<Texture>, output: &mut Output) -> Result<String> {
        if let Some((_, file)) = self.textures.iter().find(|(t, _)| Arc::ptr_eq(t, texture)) {
            return Ok(file.clone());
        }
        let file = format!("textures/texture_{}.png", self.textures.len() + 1);
        // Row 0 of ours is v = 0, of OBJ's the top, v = 1.
        let side = texture.size as usize;
        let rows = texture.texels.chunks(side.max(1)).rev();
        let bytes: Vec<u8> = rows.flatten().flatten().copied().collect();
        let mut png = std::io::Cursor::new(Vec::new());
        image::write_buffer_with_format(
            &mut png,
            &bytes,
            texture.size,
            texture.size,
            image::ExtendedColorType::Rgb8,
            image::ImageFormat::Png,
        )
        .map_err(|e| Error::Write {
            path: file.clone(),
            problem: e.to_string(),
        })?;
        output.write(&file, png.get_ref())?;
        self.textures.push((Arc::clone(texture), file.clone()));
        Ok(file)
    }
}

/// A mesh as OBJ.
pub(super) fn obj(mesh: &Mesh, library: Option<&str>) -> String {
    let mut text = String::with_capacity(mesh.positions.len() * 90);
    // Writing to a string cannot fail.
    if let Some(library) = library {
        let _ = write!(text, "mtllib {library}\nusemtl surface\n");
    }
    for [x, y, z] in &mesh.positions {
        let _ = writeln!(text, "v {x:.5} {y:.5} {z:.5}");
    }
    for [u, v] in &mesh.uvs {
        let _ = writeln!(text, "vt {u:.5} {v:.5}");
    }
    for [x, y, z] in &mesh.normals {
        let _ = writeln!(text, "vn {x:.4} {y:.4} {z:.4}");
    }
    for t in &mesh.triangles {
        let [a, b, c] = t.map(|i| i + 1);
        let _ = writeln!(text, "f {a}/{a}/{a} {b}/{b}/{b} {c}/{c}/{c}");
    }
    text
}

fn mtl(material: &Material, texture: Option<&str>) -> String {
    let [r, g, b] = material.tint.map(|c| c.min(1.0));
    let mut text = format!(
        "newmtl surface\nKd {r:.4} {g:.4} {b:.4}\nd {:.3}\n",
        material.opacity
    );
    if let Some(texture) = texture {
        let _ = writeln!(text, "map_Kd ../{texture}");
    }
    text
}

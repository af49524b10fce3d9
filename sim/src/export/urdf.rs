//! The robot's URDF with the shapes of its visuals written out as meshes.

use nalgebra::Vector3;

use super::Output;
use super::obj::obj;
use crate::Result;
use crate::mesh::Mesh;

/// Sides of cylinders and balls.
const SEGMENTS: u32 = 48;

/// The description with the geometry of each visual replaced by a mesh, which is written. What is not understood
/// stays as it is.
pub(super) fn with_meshes(urdf: &str, output: &mut Output) -> Result<String> {
    let mut text = String::with_capacity(urdf.len() * 2);
    let mut rest = urdf;
    let mut count = 0;
    while let Some(start) = rest.find("<visual") {
        let end = rest[start..].find("</visual>").map_or(rest.len(), |e| start + e);
        let (before, visual) = (&rest[..start], &rest[start..end]);
        text.push_str(before);
        rest = &rest[end..];
        let geometry = visual
            .find("<geometry>")
            .zip(visual.find("</geometry>"))
            .map(|(a, b)| (a + "<geometry>".len(), b))
            .filter(|(a, b)| a <= b);
        let shape = geometry.and_then(|(a, b)| Some((a, b, shape(&visual[a..b])?)));
        match shape {
            Some((a, b, mesh)) => {
                count += 1;
                let file = format!("meshes/robot_{count}.obj");
                output.write(&file, obj(&mesh, None).as_bytes())?;
                text.push_str(&visual[..a]);
                text.push_str(&format!("<mesh filename=\"{file}\"/>"));
                text.push_str(&visual[b..]);
            }
            None => text.push_str(visual),
        }
    }
    text.push_str(rest);
    Ok(text)
}

/// The mesh of a URDF shape.
fn shape(element: &str) -> Option<Mesh> {
    let attribute = |name: &str| -> Option<Vec<f64>> {
        let (_, value) = element.split_once(&format!("{name}=\""))?;
        let (value, _) = value.split_once('"')?;
        value.split_whitespace().map(|v| v.parse().ok()).collect()
    };
    let one = |name: &str| attribute(name).and_then(|v| v.first().copied());
    match element.trim_start().strip_prefix('<')? {
        e if e.starts_with("box") => {
            let [x, y, z] = attribute("size")?.try_into().ok()?;
            Some(Mesh::cuboid(Vector3::new(x, y, z) * 0.5))
        }
        e if e.starts_with("cylinder") => {
            let (radius, length) = (one("radius")?, one("length")?);
            // Ours stands on the origin or around it; URDF's is around it.
            let mesh = Mesh::cylinder(radius, length, SEGMENTS);
            let bottom = mesh
                .positions
                .iter()
                .fold(f64::INFINITY, |a, p| a.min(p[2] as f64));
            Some(mesh.translated(0.0, 0.0, -length * 0.5 - bottom))
        }
        e if e.starts_with("sphere") => Some(Mesh::sphere(one("radius")?, SEGMENTS)),
        _ => None,
    }
}

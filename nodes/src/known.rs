//! Files of what the robot knows: the mapper's floor and walls, the grapher's things, the planner's standing rules.
//!
//! ```text
//!   steward map 1\n            what it is, and the version of the format
//!   sha256 6ab3…\n             of what follows
//!   00 01 00 00 …              the message `steward_msgs/MapSnapshot`, `SceneGraph` or `SetRules` as in recordings
//! ```

use std::fs;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use steward_core::messages::{Header, MapSnapshot, SceneGraph, SetRules};

use crate::error::{Error, Result};
use crate::message::{Message, Topic};
use crate::recording::{decode, encode};

/// No home needs more, bytes.
const LARGEST: u64 = 256 << 20;

const MAP: &str = "steward map 1";
const THINGS: &str = "steward things 1";
const RULES: &str = "steward rules 1";

/// Writes a map; an older file of the name is replaced as a whole.
///
/// # Errors
/// [`Error::File`] where it cannot be written, [`Error::Known`] for a map that has no encoding.
pub fn save_map(path: &Path, map: &MapSnapshot) -> Result<()> {
    save(path, MAP, &Message::MapSnapshot(Arc::new(map.clone())))
}

/// Reads a map.
///
/// # Errors
/// [`Error::File`] where it cannot be read, [`Error::Known`] where it is no map or damaged.
pub fn load_map(path: &Path) -> Result<MapSnapshot> {
    match load(path, MAP, Topic::MapSnapshot)? {
        Message::MapSnapshot(map) => Ok(Arc::unwrap_or_clone(map)),
        _ => Err(bad(path, "it holds something else")),
    }
}

/// Writes things; an older file of the name is replaced as a whole.
///
/// # Errors
/// [`Error::File`] where it cannot be written, [`Error::Known`] for things that have no encoding.
pub fn save_scene(path: &Path, scene: &SceneGraph) -> Result<()> {
    save(path, THINGS, &Message::SceneGraph(Arc::new(scene.clone())))
}

/// Reads things.
///
/// # Errors
/// [`Error::File`] where they cannot be read, [`Error::Known`] where the file holds no things or is damaged.
pub fn load_scene(path: &Path) -> Result<SceneGraph> {
    match load(path, THINGS, Topic::SceneGraph)? {
        Message::SceneGraph(scene) => Ok(Arc::unwrap_or_clone(scene)),
        _ => Err(bad(path, "it holds something else")),
    }
}

/// Writes rules; an older file of the name is replaced as a whole.
///
/// # Errors
/// [`Error::File`] where they cannot be written, [`Error::Known`] for rules that have no encoding.
pub fn save_rules(path: &Path, rules: &[String]) -> Result<()> {
    let rules = SetRules {
        header: Header::default(),
        request: 0,
        rules: rules.to_vec(),
    };
    save(path, RULES, &Message::SetRules(Arc::new(rules)))
}

/// Reads rules.
///
/// # Errors
/// [`Error::File`] where they cannot be read, [`Error::Known`] where the file holds no rules or is damaged.
pub fn load_rules(path: &Path) -> Result<Vec<String>> {
    match load(path, RULES, Topic::SetRules)? {
        Message::SetRules(set) => Ok(set.rules.clone()),
        _ => Err(bad(path, "it holds something else")),
    }
}

fn save(path: &Path, what: &str, message: &Message) -> Result<()> {
    let parts = encode(message).map_err(|e| bad(path, e))?;
    let payload = parts.first().map(|p| p.bytes.as_slice()).unwrap_or_default();
    let mut bytes = format!("{what}\nsha256 {}\n", digest(payload)).into_bytes();
    bytes.extend_from_slice(payload);
    let failed = |source| Error::File {
        action: "write",
        path: path.to_owned(),
        source,
    };
    // Whoever is killed meanwhile leaves the older one.
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    fs::write(&new, bytes).map_err(failed)?;
    fs::rename(&new, path).map_err(failed)
}

fn load(path: &Path, what: &str, topic: Topic) -> Result<Message> {
    let failed = |source| Error::File {
        action: "read",
        path: path.to_owned(),
        source,
    };
    let about = fs::metadata(path).map_err(failed)?;
    if !about.is_file() {
        return Err(bad(path, "it is no file"));
    }
    if about.len() > LARGEST {
        let text = format!("it has {} bytes, and at most {LARGEST} are read", about.len());
        return Err(bad(path, text));
    }
    let bytes = fs::read(path).map_err(failed)?;
    let mut parts = bytes.splitn(3, |b| *b == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let (found, sum, payload) = (part(), part(), part());
    if found != what.as_bytes() {
        let found = String::from_utf8_lossy(&found[..found.len().min(40)]);
        return Err(bad(
            path,
            format!("it begins with {found:?}, and should with {what:?}"),
        ));
    }
    if sum != format!("sha256 {}", digest(payload)).as_bytes() {
        return Err(bad(path, "it is damaged: its checksum is another"));
    }
    let name = crate::recording::ros_topics(topic)[0].0;
    decode(topic, &[(name, payload)]).map_err(|e| bad(path, e))
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

fn bad(path: &Path, problem: impl ToString) -> Error {
    Error::Known {
        path: path.to_owned(),
        problem: problem.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use steward_core::geometry::Pose2;
    use steward_core::messages::{Header, OccupancyGrid, WallPoint};

    use super::*;

    fn map() -> MapSnapshot {
        let wall = WallPoint {
            x_m: 0.5,
            y_m: -1.0,
            facing_x: 1.0,
            facing_y: 0.0,
            views: 3,
        };
        MapSnapshot {
            request: 4,
            floor: OccupancyGrid {
                header: Header::default(),
                resolution_m: 0.05,
                width: 2,
                height: 1,
                origin: Pose2::default(),
                cells: Arc::new(vec![-1, 80]),
            },
            map_from_odom: Pose2::new(0.1, 0.2, 0.3),
            walls: vec![wall],
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (floor, things) = (folder.path().join("a.map"), folder.path().join("a.things"));
        save_map(&floor, &map()).unwrap();
        save_map(&floor, &map()).unwrap();
        assert_eq!(load_map(&floor).unwrap(), map());
        save_scene(&things, &SceneGraph::default()).unwrap();
        assert_eq!(load_scene(&things).unwrap(), SceneGraph::default());
        let file = folder.path().join("a.rules");
        for rules in [
            vec![],
            vec!["G !open(fridge)".to_owned(), "F held(mug)".to_owned()],
        ] {
            save_rules(&file, &rules).unwrap();
            assert_eq!(load_rules(&file).unwrap(), rules);
        }
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            3,
            "nothing else is left"
        );
    }

    #[test]
    fn what_is_no_map_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.map");
        let refusal = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            load_map(&path).unwrap_err().to_string()
        };
        save_map(&path, &map()).unwrap();
        let good = fs::read(&path).unwrap();
        assert!(refusal(b"").contains("should with"));
        assert!(refusal(&[0xff; 3000]).contains("should with"));
        assert!(refusal(&good[..good.len() - 1]).contains("damaged"));
        assert!(refusal(b"steward map 2\nsha256 0\n").contains("steward map 2"));
        let empty = format!("{MAP}\nsha256 {}\n", digest(b""));
        assert!(refusal(empty.as_bytes()).contains("message ends"));
        save_scene(&path, &SceneGraph::default()).unwrap();
        assert!(
            load_map(&path)
                .unwrap_err()
                .to_string()
                .contains("steward things 1")
        );
        assert!(
            load_map(folder.path())
                .unwrap_err()
                .to_string()
                .contains("no file")
        );
        assert!(
            load_map(&folder.path().join("none"))
                .unwrap_err()
                .to_string()
                .contains("cannot read")
        );
        fs::File::create(&path).unwrap().set_len(LARGEST + 1).unwrap();
        assert!(load_map(&path).unwrap_err().to_string().contains("at most"));
    }
}

//! What parameters mean, for their descriptors: read from the comments of the parameter files in `launch/config`,
//! which a test there keeps equal to the settings.

use std::collections::BTreeMap;

const FILES: [&str; 3] = [
    include_str!("../../../launch/config/steward.yaml"),
    include_str!("../../../launch/config/simulator.yaml"),
    include_str!("../../../launch/config/sensors.yaml"),
];

/// What the parameters of a node mean, by name.
pub fn of(node: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for file in FILES {
        read(file, node, &mut found);
    }
    found
}

/// Comments right above a key are about it. The file is indented by two spaces per level.
fn read(text: &str, node: &str, found: &mut BTreeMap<String, String>) {
    let mut comment = Vec::new();
    let mut path: Vec<&str> = Vec::new();
    for line in text.lines() {
        let content = line.trim_start();
        if let Some(words) = content.strip_prefix("# ") {
            comment.push(words);
            continue;
        }
        let Some((key, _)) = content.split_once(':').filter(|(key, _)| !key.contains(' ')) else {
            // A list that goes on, or nothing.
            comment.clear();
            continue;
        };
        path.truncate((line.len() - content.len()) / 2);
        path.push(key);
        if let ["/**", section, "ros__parameters", name @ ..] = path.as_slice()
            && *section == node
            && !name.is_empty()
            && !comment.is_empty()
        {
            found.insert(name.join("."), comment.join(" "));
        }
        comment.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::Parameters;
    use crate::sensors::CameraSettings;
    use crate::settings::{LOOP_DESCRIPTIONS, LoopSettings};
    use crate::world::WorldConfig;

    #[test]
    fn every_parameter_has_a_description() {
        let world = Parameters::new(WorldConfig::default(), WorldConfig::validate);
        for name in world.leaves().keys() {
            let name = name.strip_prefix("nodes.").unwrap_or(name);
            let (node, name) = name.split_once('.').unwrap();
            if node != "own" && name != "home" {
                assert!(of(node).contains_key(name), "{node} {name}");
            }
        }
        let own = Parameters::new(LoopSettings::default(), LoopSettings::validate);
        let named: Vec<_> = LOOP_DESCRIPTIONS
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        let mut leaves: Vec<_> = own.leaves().into_keys().collect();
        leaves.sort_by_key(|name| named.iter().position(|n| n == name));
        assert_eq!(leaves, named);
    }

    /// `steward run` knows nothing of these, so the test of the other files in `launch/test` cannot compare them.
    #[test]
    fn the_file_of_sensors_holds_their_settings_with_their_defaults() {
        let file: serde_json::Value = serde_saphyr::from_str(FILES[2]).unwrap();
        let camera = serde_json::to_value(CameraSettings::default()).unwrap();
        let seeing = serde_json::json!({ "ros__parameters": { "camera": camera } });
        let driving = serde_json::json!({ "ros__parameters": { "enable_stamped_cmd_vel": true } });
        let expected = serde_json::json!({ "mapper": seeing, "grapher": seeing, "executor": driving });
        assert_eq!(file, serde_json::json!({ "/**": expected }));
        for name in camera.as_object().unwrap().keys() {
            for node in ["mapper", "grapher"] {
                assert!(of(node).contains_key(&format!("camera.{name}")), "{name}");
            }
        }
    }

    #[test]
    fn a_description_is_the_comment_above() {
        assert_eq!(
            of("planner")["rate_hz"],
            "How often it looks whether there is something to do, hertz."
        );
        let text = &of("grapher")["relations.in_wall_m"];
        assert!(
            text.starts_with("Drawers") && text.ends_with("door from closing."),
            "{text}"
        );
    }
}

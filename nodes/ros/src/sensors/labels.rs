//! What simulators say about images, as a detector would say it.
//!
//! - **Gazebo** (`labels_map` of a panoptic segmentation camera): each pixel has the number of its class and which of
//!   that class it is. `labels.yaml` of the exported home names the classes.
//! - **Isaac Sim** (`semantic_segmentation`): each pixel has a number, and a text without a header names the numbers,
//!   `{"2": {"class": "mug"}, "time_stamp": {"sec": "3", "nanosec": "0"}}`. It does not tell two mugs from each other,
//!   so pixels of one class that touch are one instance.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use steward_core::Time;
use steward_core::image::{Detection, Image, Segmentation};
use steward_core::messages::Header;

use super::refusal::Refusal;

/// Classes that mean: nothing.
const NOTHING: [&str; 2] = ["background", "unlabelled"];

/// Names of classes by their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(BTreeMap<u32, String>);

impl Names {
    /// From a file of lines `class: number`, as `steward sim export` writes it.
    ///
    /// # Errors
    /// One sentence: what is wrong with the file.
    pub fn from_file(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|e| {
            format!("camera.labels_file: cannot read `{shown}`: {e}; `steward sim export` writes one")
        })?;
        let numbers: BTreeMap<String, u8> =
            serde_saphyr::from_str(&text).map_err(|e| format!("camera.labels_file: `{shown}`: {e}"))?;
        let count = numbers.len();
        let names: BTreeMap<u32, String> = numbers.into_iter().map(|(name, n)| (n.into(), name)).collect();
        if names.len() != count || names.contains_key(&0) {
            return Err(format!(
                "camera.labels_file: `{shown}`: every class has a number of its own, from 1"
            ));
        }
        Ok(Names(names))
    }

    /// From Isaac's text, and the stamp in it, if there is one.
    ///
    /// # Errors
    /// [`Refusal::Names`]
    pub fn from_isaac(text: &str) -> Result<(Option<Time>, Self), Refusal> {
        let refuse =
            |what: String| Refusal::Names(format!("{what}; expected {{\"2\": {{\"class\": \"mug\"}}}}"));
        let object: BTreeMap<String, Value> =
            serde_json::from_str(text).map_err(|e| refuse(format!("labels that are not JSON: {e}")))?;
        let (mut names, mut stamp) = (BTreeMap::new(), None);
        for (key, value) in &object {
            if key == "time_stamp" {
                let part = |name| number(value.get(name)?);
                stamp = Some(
                    part("sec")
                        .zip(part("nanosec"))
                        .and_then(|(sec, nanosec)| sec.checked_mul(1_000_000_000)?.checked_add(nanosec))
                        .map(Time::from_nanos)
                        .ok_or_else(|| refuse("a time_stamp without sec and nanosec".into()))?,
                );
                continue;
            }
            let number: u32 = key
                .parse()
                .map_err(|_| refuse("a label whose key is no number".into()))?;
            let class = value
                .get("class")
                .and_then(Value::as_str)
                .ok_or_else(|| refuse(format!("label {number} has no class")))?;
            names.insert(number, class.to_lowercase().replace([' ', '-'], "_"));
        }
        // A thing whose parts are labelled, too, has all their classes: which of them it is nobody knows.
        names.retain(|_, class| {
            !NOTHING.contains(&class.as_str()) && !class.is_empty() && !class.contains(',')
        });
        Ok((stamp, Names(names)))
    }

    /// Gazebo's labels as a detector's.
    ///
    /// # Errors
    /// [`Refusal::Size`] for more instances than there are numbers.
    pub fn of_gazebo(&self, header: Header, labels: &Image<(u8, u16)>) -> Result<Segmentation, Refusal> {
        let mut found = Found::default();
        let mut numbers = BTreeMap::new();
        let mut pixels = vec![0; labels.data().len()];
        for (pixel, label) in pixels.iter_mut().zip(labels.data()) {
            let Some(class) = self.0.get(&label.0.into()) else {
                continue;
            };
            *pixel = match numbers.get(label) {
                Some(number) => *number,
                None => {
                    let number = found.add(class)?;
                    numbers.insert(*label, number);
                    number
                }
            };
        }
        found.segmentation(header, labels, pixels)
    }

    /// Isaac's numbers as a detector's labels: every connected patch of a class is an instance.
    ///
    /// # Errors
    /// [`Refusal::Size`] for more instances than there are numbers.
    pub fn of_isaac(&self, header: Header, numbers: &Image<u32>) -> Result<Segmentation, Refusal> {
        let mut found = Found::default();
        let (width, data) = (numbers.width() as usize, numbers.data());
        let mut pixels = vec![0u16; data.len()];
        let mut front = Vec::new();
        for start in 0..data.len() {
            let Some(class) = self.0.get(&data[start]).filter(|_| pixels[start] == 0) else {
                continue;
            };
            let instance = found.add(class)?;
            pixels[start] = instance;
            front.push(start);
            while let Some(at) = front.pop() {
                let (column, row) = (at % width, at / width);
                for next_row in row.saturating_sub(1)..=(row + 1).min(numbers.height() as usize - 1) {
                    for next_column in column.saturating_sub(1)..=(column + 1).min(width - 1) {
                        let next = next_row * width + next_column;
                        if pixels[next] == 0 && data[next] == data[start] {
                            pixels[next] = instance;
                            front.push(next);
                        }
                    }
                }
            }
        }
        found.segmentation(header, numbers, pixels)
    }
}

/// A number, or the text of one.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// Instances, numbered in the order in which they are found.
#[derive(Default)]
struct Found(Vec<Detection>);

impl Found {
    fn add(&mut self, class: &str) -> Result<u16, Refusal> {
        let instance = u16::try_from(self.0.len() + 1)
            .map_err(|_| Refusal::Size(format!("more than {} instances in one image", u16::MAX)))?;
        self.0.push(Detection {
            instance,
            class: class.to_owned(),
            score: 1.0,
        });
        Ok(instance)
    }

    fn segmentation<T>(
        self,
        header: Header,
        of: &Image<T>,
        pixels: Vec<u16>,
    ) -> Result<Segmentation, Refusal> {
        let labels = Image::new(of.width(), of.height(), pixels).map_err(|e| Refusal::Size(e.to_string()))?;
        Ok(Segmentation {
            header,
            labels: Arc::new(labels),
            detections: self.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(of: &[(u32, &str)]) -> Names {
        Names(of.iter().map(|(n, name)| (*n, (*name).to_owned())).collect())
    }

    fn seen(segmentation: &Segmentation) -> Vec<(u16, &str)> {
        segmentation
            .detections
            .iter()
            .map(|d| (d.instance, d.class.as_str()))
            .collect()
    }

    #[test]
    fn gazebos_instances_are_numbered_as_they_appear() {
        let data = vec![(0, 0), (7, 2), (7, 1), (9, 1), (7, 2), (200, 1)];
        let image = Image::new(3, 2, data).unwrap();
        let header = Header::new(Time::from_secs_f64(1.0), "camera");
        let segmentation = names(&[(7, "mug"), (9, "desk")])
            .of_gazebo(header.clone(), &image)
            .unwrap();
        assert_eq!(segmentation.header, header);
        assert_eq!(segmentation.labels.data(), [0, 1, 2, 3, 1, 0]);
        assert_eq!(seen(&segmentation), [(1, "mug"), (2, "mug"), (3, "desk")]);
    }

    #[test]
    fn isaacs_patches_of_a_class_are_instances() {
        #[rustfmt::skip]
        let image = Image::new(5, 3, vec![
            2, 0, 2, 3, 3,
            0, 2, 0, 3, 2,
            5, 5, 0, 0, 2,
        ]).unwrap();
        let segmentation = names(&[(2, "mug"), (3, "desk")])
            .of_isaac(Header::default(), &image)
            .unwrap();
        #[rustfmt::skip]
        assert_eq!(segmentation.labels.data(), [
            1, 0, 1, 2, 2,
            0, 1, 0, 2, 3,
            0, 0, 0, 0, 3,
        ]);
        assert_eq!(seen(&segmentation), [(1, "mug"), (2, "desk"), (3, "mug")]);
    }

    #[test]
    fn more_instances_than_numbers_are_refused() {
        let checks = (0..600 * 600).map(|i| u32::from(i % 2 == 0 && (i / 600) % 2 == 0));
        let image = Image::new(600, 600, checks.collect()).unwrap();
        let refused = names(&[(1, "dot")])
            .of_isaac(Header::default(), &image)
            .unwrap_err();
        assert_eq!(refused.name(), "size");
    }

    #[test]
    fn isaacs_text_names_numbers_and_may_have_a_stamp() {
        let text = r#"{"0": {"class": "BACKGROUND"}, "1": {"class": "UNLABELLED"}, "2": {"class": "Trash Bin"},
                       "7": {"class": "desk,drawer"}, "time_stamp": {"sec": "3", "nanosec": "250000000"}}"#;
        let (stamp, found) = Names::from_isaac(text).unwrap();
        assert_eq!(stamp, Some(Time::from_secs_f64(3.25)));
        assert_eq!(found, names(&[(2, "trash_bin")]));
        let (stamp, found) = Names::from_isaac(r#"{"4": {"class": "mug"}}"#).unwrap();
        assert_eq!((stamp, found), (None, names(&[(4, "mug")])));
        assert_eq!(
            Names::from_isaac(r#"{"time_stamp": {"sec": 1, "nanosec": 0}}"#).unwrap(),
            (Some(Time::from_secs_f64(1.0)), Names::default())
        );
    }

    #[test]
    fn text_that_names_nothing_is_refused() {
        for text in [
            "",
            "null",
            "[]",
            "{",
            r#"{"2": "mug"}"#,
            r#"{"2": {"class": 3}}"#,
            r#"{"2": {"id": "mug"}}"#,
            r#"{"-1": {"class": "mug"}}"#,
            r#"{"(140, 25, 255, 255)": {"class": "mug"}}"#,
            r#"{"time_stamp": 3}"#,
            r#"{"time_stamp": {"sec": "soon", "nanosec": "0"}}"#,
            r#"{"time_stamp": {"sec": 9223372036854775807, "nanosec": 0}}"#,
        ] {
            assert_eq!(Names::from_isaac(text).unwrap_err().name(), "names", "{text}");
        }
        let deep = "{\"1\":".repeat(100_000);
        assert_eq!(Names::from_isaac(&deep).unwrap_err().name(), "names");
    }

    #[test]
    fn the_exports_file_names_numbers_and_nonsense_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.yaml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Names::from_file(&path)
        };
        assert_eq!(
            read("# Numbers.\ndesk: 2\nmug: 1\n").unwrap(),
            names(&[(1, "mug"), (2, "desk")])
        );
        for text in [
            "mug: 1\ndesk: 1\n",
            "mug: 0\n",
            "mug: 256\n",
            "mug: big\n",
            "- mug\n",
            "{",
        ] {
            assert!(
                read(text).unwrap_err().starts_with("camera.labels_file"),
                "{text}"
            );
        }
        assert!(
            Names::from_file(Path::new("/nowhere.yaml"))
                .unwrap_err()
                .contains("/nowhere.yaml")
        );
    }

    proptest! {
        /// Every pixel of a named class belongs to one instance of that class, neighbours of a class to the same.
        #[test]
        fn patches_cover_their_classes(width in 1u32..9, height in 1u32..9, seed in proptest::collection::vec(0u32..4, 81)) {
            let data: Vec<u32> = seed[..(width * height) as usize].to_vec();
            let image = Image::new(width, height, data.clone()).unwrap();
            let known = names(&[(1, "a"), (2, "b")]);
            let segmentation = known.of_isaac(Header::default(), &image).unwrap();
            let labels = segmentation.labels.data();
            for (at, number) in data.iter().enumerate() {
                let class = labels[at].checked_sub(1).map(|i| segmentation.detections[i as usize].class.as_str());
                prop_assert_eq!(class, known.0.get(number).map(String::as_str));
                if (at + 1) % width as usize != 0 && data[at + 1] == *number {
                    prop_assert_eq!(labels[at + 1], labels[at]);
                }
            }
            prop_assert!(segmentation.detections.iter().zip(1..).all(|(d, n)| d.instance == n && labels.contains(&n)));
        }
    }
}

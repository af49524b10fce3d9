//! Sensors of worlds other than the embedded simulator, as bytes.

use steward_core::frames::HEAD_CAMERA_OPTICAL;
use steward_core::image::Detection;
use steward_nodes::recording::{CdrWriter, encode};
use steward_sim::model::Home;
use steward_sim::simulation::{SensorOutput, Simulation, SimulationConfig};

use super::camera_info::tests::message as camera_info;
use super::compressed::tests::message as compressed;
use super::image::tests::message as raw;
use super::*;

const RAW_COLOR: Channel = Channel::Color(Transport::Raw);
const RAW_DEPTH: Channel = Channel::Depth(Transport::Raw);
const SIZE: (u32, u32) = (2, 1);
const K: [f64; 9] = [2.0, 0.0, 0.5, 0.0, 2.0, 0.0, 0.0, 0.0, 1.0];

fn sensors(camera: &CameraSettings) -> Sensors {
    Sensors::new(
        camera,
        KinematicModel::from_urdf(steward_sim::robot::URDF).unwrap(),
    )
    .unwrap()
}

fn color(at_s: f64, frame: &str) -> Vec<u8> {
    raw(at_s, frame, SIZE, "bgr8", 0, 8, &[3, 2, 1, 6, 5, 4, 0, 0])
}

fn depth(at_s: f64, frame: &str) -> Vec<u8> {
    raw(at_s, frame, SIZE, "16UC1", 1, 4, &[4, 226, 0, 0])
}

fn info(at_s: f64) -> Vec<u8> {
    camera_info(at_s, [SIZE.0, SIZE.1], &[0.0; 5], K, [0, 0], [0; 4])
}

fn text(text: &str) -> Vec<u8> {
    let mut w = CdrWriter::with_capacity(text.len());
    w.text(text);
    w.finish().unwrap()
}

fn topics(messages: &[Message]) -> Vec<Topic> {
    messages.iter().map(Message::topic).collect()
}

/// An image whose depth is from this time.
fn hear_image(sensors: &mut Sensors, at_s: f64) -> Vec<Message> {
    assert_eq!(
        sensors.hear(RAW_COLOR, &color(at_s - 0.01, HEAD_CAMERA_OPTICAL)),
        []
    );
    assert_eq!(sensors.hear(Channel::CameraInfo, &info(at_s - 0.01)), []);
    sensors.hear(RAW_DEPTH, &depth(at_s, HEAD_CAMERA_OPTICAL))
}

#[test]
fn an_image_is_put_together_from_parts_of_other_kinds_and_stamps() {
    let mut sensors = sensors(&CameraSettings::default());
    let messages = hear_image(&mut sensors, 1.01);
    let [Message::Rgbd(image)] = messages.as_slice() else {
        panic!("{messages:?}");
    };
    assert_eq!(
        image.header,
        Header::new(Time::from_secs_f64(1.01), HEAD_CAMERA_OPTICAL)
    );
    assert_eq!(image.color.data(), [[1, 2, 3], [4, 5, 6]]);
    assert_eq!(image.depth.data()[0], 1.25);
    assert!(image.depth.data()[1].is_nan());
    assert_eq!((image.camera.cx, image.camera.cy), (1.0, 0.5));
    assert_eq!(sensors.take_counts(), BTreeMap::new());
}

#[test]
fn gazebos_labels_follow_their_image_with_its_stamp() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("labels.yaml");
    std::fs::write(&file, "mug: 7\n").unwrap();
    let mut sensors = sensors(&CameraSettings {
        labels: LabelSource::Gazebo,
        labels_file: file.display().to_string(),
        ..CameraSettings::default()
    });
    let labels = raw(1.0, "segmentation", SIZE, "rgb8", 0, 6, &[1, 0, 7, 0, 0, 0]);
    assert_eq!(sensors.hear(Channel::GazeboLabels, &labels), []);
    let messages = hear_image(&mut sensors, 1.01);
    let [Message::Rgbd(image), Message::Segmentation(segmentation)] = messages.as_slice() else {
        panic!("{messages:?}");
    };
    assert_eq!(segmentation.header, image.header);
    assert_eq!(segmentation.labels.data(), [1, 0]);
    let mug = Detection {
        instance: 1,
        class: "mug".into(),
        score: 1.0,
    };
    assert_eq!(segmentation.detections, [mug]);
    let wrong = raw(2.0, "segmentation", SIZE, "mono8", 0, 2, &[7, 0]);
    assert_eq!(sensors.hear(Channel::GazeboLabels, &wrong), []);
    let counts = sensors.take_counts();
    assert_eq!(
        counts,
        BTreeMap::from([("refused_labels_map_encoding".into(), 1)])
    );
}

#[test]
fn isaacs_numbers_are_named_by_the_text_of_their_stamp_or_the_newest_without_one() {
    let mut sensors = sensors(&CameraSettings {
        labels: LabelSource::Isaac,
        ..CameraSettings::default()
    });
    let numbers = |at_s| raw(at_s, "camera", SIZE, "32SC1", 0, 8, &[2, 0, 0, 0, 3, 0, 0, 0]);
    let names = |name: &str, stamp: &str| text(&format!(r#"{{"2": {{"class": "{name}"}}{stamp}}}"#));
    let class = |messages: &[Message]| match messages {
        [Message::Segmentation(s)] => s.detections.iter().map(|d| d.class.clone()).collect(),
        other => topics(other)
            .iter()
            .map(|t| t.name().to_owned())
            .collect::<Vec<_>>(),
    };
    for at_s in [1.0, 1.25, 1.5] {
        hear_image(&mut sensors, at_s);
    }
    let stamped = |ms: u32| format!(r#", "time_stamp": {{"sec": "1", "nanosec": "{ms}000000"}}"#);
    assert_eq!(sensors.hear(Channel::IsaacNames, &names("mug", &stamped(0))), []);
    assert_eq!(sensors.hear(Channel::IsaacNumbers, &numbers(1.25)), []);
    assert_eq!(
        class(&sensors.hear(Channel::IsaacNumbers, &numbers(1.0))),
        ["mug"]
    );
    let messages = sensors.hear(Channel::IsaacNames, &names("desk", &stamped(250)));
    assert_eq!(class(&messages), ["desk"]);
    assert_eq!(sensors.hear(Channel::IsaacNames, &names("bin", "")), []);
    assert_eq!(
        class(&sensors.hear(Channel::IsaacNumbers, &numbers(1.5))),
        ["bin"]
    );
    assert_eq!(sensors.hear(Channel::IsaacNames, &text("{\"2\"")), []);
    let counts = sensors.take_counts();
    assert_eq!(
        counts,
        BTreeMap::from([("refused_semantic_labels_names".into(), 1)])
    );
}

#[test]
fn what_does_not_fit_together_is_refused_and_counted() {
    let mut sensors = sensors(&CameraSettings::default());
    for (at_s, color, depth, info) in [
        // Frames that are not one, not optical, not known.
        (
            1.0,
            color(1.0, HEAD_CAMERA_OPTICAL),
            depth(1.0, "wrist_camera_optical_frame"),
            info(1.0),
        ),
        (
            2.0,
            color(2.0, "head_camera_link"),
            depth(2.0, "head_camera_link"),
            info(2.0),
        ),
        (3.0, color(3.0, "mars"), depth(3.0, "mars"), info(3.0)),
        // A camera of another size.
        (
            4.0,
            color(4.0, HEAD_CAMERA_OPTICAL),
            depth(4.0, HEAD_CAMERA_OPTICAL),
            camera_info(4.0, [4, 3], &[], K, [0, 0], [0; 4]),
        ),
        // A lens that distorts: the image stays incomplete.
        (
            5.0,
            color(5.0, HEAD_CAMERA_OPTICAL),
            depth(5.0, HEAD_CAMERA_OPTICAL),
            camera_info(5.0, [2, 1], &[0.1], K, [0, 0], [0; 4]),
        ),
    ] {
        for (channel, bytes) in [
            (RAW_COLOR, color),
            (RAW_DEPTH, depth),
            (Channel::CameraInfo, info),
        ] {
            assert_eq!(sensors.hear(channel, &bytes), [], "{at_s}");
        }
    }
    for channel in [
        RAW_COLOR,
        RAW_DEPTH,
        Channel::Color(Transport::Compressed),
        Channel::Depth(Transport::Compressed),
        Channel::CameraInfo,
        Channel::Segmentation,
        Channel::GazeboLabels,
        Channel::IsaacNumbers,
        Channel::IsaacNames,
        Channel::Odometry,
        Channel::JointStates,
    ] {
        assert_eq!(sensors.hear(channel, b"\x00\x01\x00\x00\xff\xff"), []);
        assert_eq!(sensors.hear(channel, b""), []);
        let name = format!("refused_{}_unreadable", channel.name());
        assert!(sensors.counts[&name] >= 2, "{name}");
    }
    assert_eq!(hear_image(&mut sensors, 6.0).len(), 1, "and then it goes on");
    let counts = sensors.take_counts();
    assert_eq!(counts["refused_head_camera/rgbd_frame"], 3);
    assert_eq!(counts["refused_head_camera/rgbd_size"], 1);
    assert_eq!(counts["refused_camera_info_distortion"], 1);
    assert_eq!(counts["incomplete_head_camera/rgbd"], 1);
}

#[test]
fn compressed_images_are_images() {
    let mut sensors = sensors(&CameraSettings {
        color: Transport::Compressed,
        depth: Transport::Compressed,
        optical_frame: HEAD_CAMERA_OPTICAL.into(),
        ..CameraSettings::default()
    });
    let file = |image: ::image::DynamicImage| {
        let mut file = std::io::Cursor::new(Vec::new());
        image.write_to(&mut file, ::image::ImageFormat::Png).unwrap();
        file.into_inner()
    };
    let color = file(::image::DynamicImage::new_rgb8(2, 1));
    let depth = file(::image::DynamicImage::new_luma16(2, 1));
    let packed = [vec![0; 12], depth].concat();
    sensors.hear(Channel::CameraInfo, &info(1.0));
    let color = compressed(1.0, "rgb", "png", &color);
    sensors.hear(Channel::Color(Transport::Compressed), &color);
    let depth = compressed(1.0, "depth", "16UC1; compressedDepth png", &packed);
    let messages = sensors.hear(Channel::Depth(Transport::Compressed), &depth);
    assert_eq!(topics(&messages), [Topic::Rgbd]);
    assert_eq!(sensors.take_counts(), BTreeMap::new());
}

/// What the embedded simulator says comes through as it was, whatever the order of its parts.
#[test]
fn the_embedded_simulator_is_one_world_among_others() {
    let home = Home {
        name: "nothing".into(),
        rooms: Vec::new(),
        doorways: Vec::new(),
        entities: Vec::new(),
        lights: Vec::new(),
        robot_start: Default::default(),
    };
    let mut config = SimulationConfig::default();
    (config.camera.width, config.camera.height) = (16, 12);
    let mut simulation = Simulation::new(home, &config, 1).unwrap();
    let mut sensors = sensors(&CameraSettings::default());
    let mut heard = BTreeMap::new();
    for output in simulation.step_to(Time::from_secs_f64(1.0)).unwrap() {
        let sent = match output {
            SensorOutput::Rgbd(m) => message(Message::Rgbd, m),
            SensorOutput::Segmentation(m) => message(Message::Segmentation, m),
            SensorOutput::JointStates(m) => message(Message::JointStates, m),
            SensorOutput::Odometry(m) => message(Message::Odometry, m),
            _ => continue,
        };
        let channels = Channel::of(sent.topic(), &CameraSettings::default());
        let parts = encode(&sent).unwrap();
        let mut messages = Vec::new();
        for channel in channels.into_iter().rev() {
            let (topic, ros_type) = channel.ros_topic();
            let part = parts.iter().find(|p| p.topic == topic).unwrap();
            assert_eq!(part.ros_type, ros_type);
            messages.extend(sensors.hear(channel, &part.bytes));
        }
        let [received] = messages.as_slice() else {
            panic!("{:?}", topics(&messages));
        };
        *heard.entry(sent.topic()).or_insert(0) += 1;
        match (&sent, received) {
            (Message::Rgbd(sent), Message::Rgbd(received)) => {
                assert_eq!((&sent.header, &sent.camera), (&received.header, &received.camera));
                assert_eq!(sent.color, received.color);
                let bits = |i: &DepthImage| {
                    i.data()
                        .iter()
                        .map(|d| d.is_nan() || *d > 0.0)
                        .collect::<Vec<_>>()
                };
                assert_eq!(bits(&sent.depth), bits(&received.depth));
            }
            (Message::JointStates(sent), Message::JointStates(received)) => {
                assert_eq!(sent.by_name(), received.by_name());
                assert_eq!(sent.header, received.header);
            }
            (Message::Odometry(sent), Message::Odometry(received)) => {
                assert!((sent.pose.yaw_rad - received.pose.yaw_rad).abs() < 1e-12);
                assert_eq!(sent.header, received.header);
            }
            (sent, received) => assert_eq!(sent, received),
        }
    }
    assert_eq!(sensors.take_counts(), BTreeMap::new());
    assert!(heard.len() == 4 && heard.values().all(|n| *n > 3), "{heard:?}");
}

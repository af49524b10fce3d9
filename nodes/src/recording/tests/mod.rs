//! Tests of recordings as a whole. Encodings are compared with bytes made by another implementation in
//! [`reference`].

mod files;
mod reference;
mod replays;
mod samples;

use proptest::prelude::*;

use super::{decode, encode};
use crate::message::Topic;

proptest! {
    #[test]
    fn every_message_comes_back_bit_for_bit(seed: u64) {
        for topic in Topic::ALL {
            let message = samples::random(*topic, seed);
            let parts = encode(&message).unwrap();
            let named: Vec<(&str, &[u8])> = parts.iter().map(|p| (p.topic, p.bytes.as_slice())).collect();
            let back = decode(*topic, &named).unwrap();
            prop_assert_eq!(encode(&back).unwrap(), parts);
            prop_assert_eq!(samples::exact(&back), samples::exact(&message));
        }
    }

    /// A message that ends anywhere, or in which any byte is another, is read or refused.
    #[test]
    fn damaged_messages_are_read_or_refused(seed: u64, end: prop::sample::Index, at: prop::sample::Index, byte: u8) {
        for topic in Topic::ALL {
            let mut parts = encode(&samples::random(*topic, seed)).unwrap();
            let bytes = &mut parts[0].bytes;
            let i = at.index(bytes.len());
            bytes[i] = byte;
            let named = |bytes| {
                let mut named: Vec<(&str, &[u8])> = parts.iter().map(|p| (p.topic, p.bytes.as_slice())).collect();
                named[0].1 = bytes;
                named
            };
            let whole = &parts[0].bytes;
            let _ = decode(*topic, &named(whole));
            let _ = decode(*topic, &named(&whole[..end.index(whole.len())]));
        }
    }
}

#[test]
fn lengths_beyond_the_message_are_refused_before_memory_is_reserved() {
    for topic in Topic::ALL {
        let mut parts = encode(&samples::random(*topic, 1)).unwrap();
        for i in 4..parts[0].bytes.len().saturating_sub(4) {
            let mut bytes = parts[0].bytes.clone();
            bytes[i..i + 4].fill(0xff);
            let mut named: Vec<(&str, &[u8])> = parts.iter().map(|p| (p.topic, p.bytes.as_slice())).collect();
            named[0].1 = &bytes;
            let _ = decode(*topic, &named);
        }
        parts.clear();
        assert!(decode(*topic, &[]).is_err() || matches!(topic, Topic::Transforms | Topic::Localization));
    }
}

#[test]
fn what_ros_has_no_room_for_is_refused() {
    use steward_core::Time;
    use steward_core::messages::{CancelTask, Header};
    let cancel = |stamp| {
        let order = CancelTask {
            header: Header::new(stamp, ""),
            id: steward_core::ids::TaskId(1),
        };
        encode(&crate::node::message(crate::message::Message::CancelTask, order))
    };
    assert!(cancel(Time::from_nanos(-1)).is_ok());
    assert!(cancel(Time::from_nanos(i64::MAX)).is_err());
}

#[test]
fn settings_come_back_bit_for_bit() {
    // Digits that a float parser without correct rounding gets wrong by one unit in the last place.
    for x in [
        0.1 + 0.2,
        1.0 / 3.0,
        2.0_f64.to_radians(),
        1.734_723_475_976_807e-18,
        f64::MIN_POSITIVE,
    ] {
        let metadata = super::RunMetadata::simulated(1, serde_json::json!({ "x": x }), "");
        let back = super::RunMetadata::from_map(&metadata.to_map().unwrap()).unwrap();
        assert_eq!(back.config["x"].as_f64().unwrap().to_bits(), x.to_bits());
    }
}

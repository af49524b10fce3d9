//! `sensor_msgs/CameraInfo`: `K` as it is, and nothing that would make it wrong.

use steward_core::camera::CameraIntrinsics;
use steward_core::messages::Header;
use steward_nodes::recording::CdrReader;

use super::refusal::Refusal;

/// Stamp and frame, and the camera.
///
/// # Errors
/// [`Refusal::Distortion`] for a lens that distorts, [`Refusal::Camera`] for binning, a region of interest, skew or
/// numbers that make no sense, [`Refusal::Unreadable`].
pub(super) fn read(bytes: &[u8]) -> Result<(Header, CameraIntrinsics), Refusal> {
    let mut r = CdrReader::new(bytes)?;
    let header: Header = r.get()?;
    let (height, width): (u32, u32) = (r.get()?, r.get()?);
    let model = r.text()?;
    let distortion: Vec<f64> = r.get()?;
    let k: [f64; 9] = r.get()?;
    // R and P are of rectified images, where these are not.
    r.skip::<[f64; 9]>()?;
    r.skip::<[f64; 12]>()?;
    let binning: [u32; 2] = r.get()?;
    let [x, y, roi_height, roi_width]: [u32; 4] = r.get()?;
    r.skip::<bool>()?;
    r.finish()?;
    if distortion.iter().any(|d| *d != 0.0) {
        return Err(Refusal::Distortion(format!(
            "the lens distorts (model `{}`, D begins with {:?}); rectify colour and depth (package image_proc) and publish \
             camera_info with D of zeros",
            model.chars().take(40).collect::<String>(),
            &distortion[..distortion.len().min(5)]
        )));
    }
    if binning.iter().any(|n| *n > 1) {
        return Err(Refusal::Camera(format!(
            "binning {}x{}: K is of the image before; publish that of the image",
            binning[0], binning[1]
        )));
    }
    let is_whole = [roi_width, roi_height] == [0, 0] || [roi_width, roi_height] == [width, height];
    if [x, y] != [0, 0] || !is_whole {
        return Err(Refusal::Camera(format!(
            "a region of interest of {roi_width}x{roi_height} at {x}, {y} out of {width}x{height}: publish whole images"
        )));
    }
    let camera =
        CameraIntrinsics::from_ros_k(width, height, &k).map_err(|e| Refusal::Camera(e.to_string()))?;
    Ok((header, camera))
}

#[cfg(test)]
pub(super) mod tests {
    use steward_core::Time;
    use steward_nodes::recording::CdrWriter;

    use super::*;

    pub(in super::super) const K: [f64; 9] = [300.0, 0.0, 159.5, 0.0, 310.0, 119.5, 0.0, 0.0, 1.0];

    /// The bytes of a message, by the definition of `sensor_msgs/CameraInfo`.
    pub(in super::super) fn message(
        stamp_s: f64,
        size: [u32; 2],
        d: &[f64],
        k: [f64; 9],
        binning: [u32; 2],
        roi: [u32; 4],
    ) -> Vec<u8> {
        let mut w = CdrWriter::with_capacity(400);
        w.put(&Header::new(Time::from_secs_f64(stamp_s), "camera"));
        w.put(&size[1]).put(&size[0]).text("plumb_bob").put(&d.to_vec());
        w.put(&k).put(&[0.0f64; 9]).put(&[0.0f64; 12]);
        w.put(&binning).put(&roi).put(&false);
        w.finish().unwrap()
    }

    #[test]
    fn k_is_used_as_given_with_pixel_centres_at_one_half() {
        for (d, roi) in [
            (&[][..], [0; 4]),
            (&[0.0; 5][..], [0, 0, 240, 320]),
            (&[0.0; 8][..], [0; 4]),
        ] {
            let (header, camera) = read(&message(2.0, [320, 240], d, K, [0, 1], roi)).unwrap();
            assert_eq!(header, Header::new(Time::from_secs_f64(2.0), "camera"));
            let CameraIntrinsics { fx, fy, cx, cy, .. } = camera;
            assert_eq!((fx, fy, cx, cy), (300.0, 310.0, 160.0, 120.0));
            assert_eq!((camera.width, camera.height), (320, 240));
        }
    }

    #[test]
    fn what_would_make_k_wrong_is_refused() {
        let skewed = [300.0, 1.0, 159.5, 0.0, 310.0, 119.5, 0.0, 0.0, 1.0];
        let none = [0.0; 9];
        for (size, d, k, binning, roi, reason) in [
            (
                [320, 240],
                vec![0.0, 0.0, 0.0, 1e-6, 0.0],
                K,
                [0, 0],
                [0; 4],
                "distortion",
            ),
            ([320, 240], vec![f64::NAN], K, [0, 0], [0; 4], "distortion"),
            ([320, 240], vec![], K, [2, 2], [0; 4], "camera"),
            ([320, 240], vec![], K, [0, 0], [0, 0, 100, 100], "camera"),
            ([320, 240], vec![], K, [0, 0], [1, 0, 240, 320], "camera"),
            ([320, 240], vec![], skewed, [0, 0], [0; 4], "camera"),
            ([320, 240], vec![], none, [0, 0], [0; 4], "camera"),
            ([0, 0], vec![], K, [0, 0], [0; 4], "camera"),
            ([u32::MAX, 240], vec![], K, [0, 0], [0; 4], "camera"),
        ] {
            let refused = read(&message(2.0, size, &d, k, binning, roi)).unwrap_err();
            assert_eq!(refused.name(), reason, "{refused}");
        }
        assert_eq!(read(&[0, 1, 0, 0, 9]).unwrap_err().name(), "unreadable");
    }
}

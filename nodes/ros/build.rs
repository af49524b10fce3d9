//! Passes on what the executables must be linked with beside what `r2r` asks for: a ROS 2 from PyPI needs `libpython`.

fn main() {
    println!("cargo::rerun-if-env-changed=STEWARD_ROS_LINK_ARGS");
    let arguments = std::env::var("STEWARD_ROS_LINK_ARGS").unwrap_or_default();
    for argument in arguments.split_whitespace() {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}

//! Grid, localisation and obstacles against worlds whose geometry is known exactly.

mod floor;
mod hostile;
mod pose;
mod voxels;
mod world;

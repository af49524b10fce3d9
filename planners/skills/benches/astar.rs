//! A* over a furnished 20 x 20 m floor: stated limit 10 ms.

use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use steward_core::Time;
use steward_core::geometry::Pose2;
use steward_core::messages::{Header, OccupancyGrid};
use steward_skills::SkillsConfig;
use steward_skills::navmap::NavMap;
use steward_skills::path::plan;

/// Rooms of 4 m with doors of 0.9 m that alternate sides, so that the way winds.
fn floor() -> OccupancyGrid {
    let n = 400usize;
    let mut cells = vec![0i8; n * n];
    for y in 0..n {
        for x in 0..n {
            let door = |along: usize, wall: usize| {
                let start = if (wall / 80).is_multiple_of(2) { 8 } else { 54 };
                (start..start + 18).contains(&(along % 80))
            };
            let vertical = x % 80 == 0 && !door(y, x);
            let horizontal = y % 80 == 0 && !door(x, y);
            let border = x == 0 || y == 0 || x == n - 1 || y == n - 1;
            let table = (30..44).contains(&(x % 80)) && (30..46).contains(&(y % 80));
            if vertical || horizontal || border || table {
                cells[y * n + x] = 100;
            }
        }
    }
    OccupancyGrid {
        header: Header::new(Time::ZERO, "map"),
        resolution_m: 0.05,
        width: n as u32,
        height: n as u32,
        origin: Pose2::default(),
        cells: Arc::new(cells),
    }
}

fn bench(c: &mut Criterion) {
    let grid = floor();
    let config = SkillsConfig::default();
    let map = NavMap::new(&grid, &config);
    c.bench_function("navmap_20x20m", |b| b.iter(|| NavMap::new(&grid, &config)));
    c.bench_function("astar_20x20m", |b| {
        b.iter(|| plan(&map, (1.0, 1.0), (19.0, 18.0)).expect("the rooms are connected"));
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);

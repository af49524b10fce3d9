//! How the views are arranged.

use rerun::blueprint::components::PanelState;
use rerun::blueprint::{
    Blueprint, ContainerLike, Horizontal, SelectionPanel, Spatial2DView, Spatial3DView, StateTimelineView,
    Tabs, TextDocumentView, TextLogView, TimePanel, TimeSeriesView, Vertical,
};

/// The home in the middle, what the robot sees and means to do beside it, what happened below.
pub fn blueprint() -> Blueprint {
    let home: ContainerLike = Spatial3DView::new("Home")
        .with_origin("world")
        .with_contents(["/world/**", "/camera"])
        .into();
    let states: ContainerLike = StateTimelineView::new("Task, skill, step, verdict")
        .with_contents(["/plan/state/**"])
        .into();
    let camera: ContainerLike = Spatial2DView::new("Head camera, classes")
        .with_origin("camera")
        .with_contents(["/camera/rgb", "/camera/classes"])
        .into();
    let depth: ContainerLike = Spatial2DView::new("Depth")
        .with_origin("camera")
        .with_contents(["/camera/depth"])
        .into();
    let plan: ContainerLike = TextDocumentView::new("Plan").with_origin("plan/text").into();
    let rules: ContainerLike = TextDocumentView::new("Rules").with_origin("plan/rules").into();
    let log: ContainerLike = TextLogView::new("Events").with_origin("log").into();
    let counters: ContainerLike = TimeSeriesView::new("Dropped, refused, missing")
        .with_contents(["/counters/**", "- /counters/scheduler/**"])
        .into();
    let left = Vertical::new([home, states]).with_row_shares([3.0, 1.0]);
    let right = Vertical::new([
        Tabs::new([camera, depth]).with_name("Camera").into(),
        Tabs::new([plan, rules]).with_name("Plan").into(),
        Tabs::new([log, counters]).with_name("Events").into(),
    ])
    .with_row_shares([1.2, 1.0, 1.0]);
    Blueprint::new(Horizontal::new([left.into(), right.into()]).with_column_shares([2.0, 1.0]))
        .with_auto_views(false)
        .with_selection_panel(SelectionPanel::from_state(PanelState::Collapsed))
        .with_time_panel(TimePanel::new().with_timeline(super::TIMELINE))
}

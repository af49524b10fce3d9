//! The service `query_scene`.

use std::sync::Arc;

use anyhow::Result;
use r2r::WrappedTypesupport;
use r2r::steward_msgs::srv::QueryScene;
use steward_core::messages::SceneGraph;
use steward_nodes::message::Message;
use steward_nodes::node::message;
use steward_nodes::recording::encode;

use super::Service;

/// Answers what is remembered of the scene.
pub struct SceneQueries {
    service: Service<QueryScene::Service>,
    newest: Option<Arc<SceneGraph>>,
}

impl SceneQueries {
    /// # Errors
    /// Where ROS refuses the service.
    pub fn new(node: &mut r2r::Node) -> Result<Self> {
        Ok(SceneQueries {
            service: Service::new(node, "query_scene")?,
            newest: None,
        })
    }

    /// A newer scene, or none any more.
    pub fn set(&mut self, scene: Option<Arc<SceneGraph>>) {
        self.newest = scene;
    }

    /// Answers what came.
    pub fn turn(&mut self) {
        let newest = self.newest.as_deref();
        self.service
            .answer(|request| match answer(newest, &request.class_name) {
                Ok(graph) => QueryScene::Response {
                    known: true,
                    graph,
                    message: String::new(),
                },
                Err(message) => QueryScene::Response {
                    message,
                    ..Default::default()
                },
            });
    }
}

/// The things of a class, or all, and their relations.
fn answer(scene: Option<&SceneGraph>, class: &str) -> Result<r2r::steward_msgs::msg::SceneGraph, String> {
    let Some(scene) = scene else {
        return Err("no scene was published yet".into());
    };
    let mut asked = scene.clone();
    if !class.is_empty() {
        asked.objects.retain(|o| o.class == class);
        let ids: Vec<_> = asked.objects.iter().map(|o| o.id).collect();
        asked
            .relations
            .retain(|r| ids.contains(&r.subject) || ids.contains(&r.object));
    }
    let parts = encode(&message(Message::SceneGraph, asked)).map_err(|e| e.to_string())?;
    let bytes = parts.first().map(|p| p.bytes.as_slice()).unwrap_or_default();
    r2r::steward_msgs::msg::SceneGraph::from_serialized_bytes(bytes).map_err(|e| e.to_string())
}

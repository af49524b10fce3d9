//! Services that the loop answers later, by a message.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use r2r::{QosProfile, ServiceRequest, WrappedServiceTypeSupport};

use super::orders::Give;
use super::{Incoming, next};
use crate::world::Order;

/// Whoever has not been answered for so long hears that nobody will.
const PATIENCE: Duration = Duration::from_secs(10);

/// A service whose answers are success, or a sentence.
pub(crate) trait Answered: WrappedServiceTypeSupport {
    fn response(success: bool, message: String) -> Self::Response;
}

/// Requests that wait for the loop's answer, by their number.
pub(crate) struct Deferred<S: Answered> {
    incoming: Incoming<ServiceRequest<S>>,
    waiting: BTreeMap<u32, (Instant, ServiceRequest<S>)>,
    last: u32,
}

impl<S: Answered + 'static> Deferred<S> {
    /// A service whose requests are numbered from here: answers to one service must be none to another.
    ///
    /// # Errors
    /// Where ROS refuses the service.
    pub(crate) fn new(node: &mut r2r::Node, name: &str, first: u32) -> Result<Self> {
        Ok(Deferred {
            incoming: Box::pin(node.create_service::<S>(name, QosProfile::services_default())?),
            waiting: BTreeMap::new(),
            last: first,
        })
    }

    /// Makes orders of requests that came and gives them.
    pub(crate) fn turn(
        &mut self,
        give: Option<Give<'_>>,
        mut order: impl FnMut(u32, &S::Request) -> Result<Order>,
    ) {
        while let Some(request) = next(&mut self.incoming) {
            self.last = self.last.wrapping_add(1);
            let given = match give {
                Some(give) => order(self.last, &request.message).and_then(give),
                None => Err(anyhow::anyhow!("the node is not active; activate it first")),
            };
            match given {
                Ok(()) => {
                    self.waiting.insert(self.last, (Instant::now(), request));
                }
                Err(e) => respond(request, Err(format!("{e:#}"))),
            }
        }
        let late = self
            .waiting
            .iter()
            .find(|(_, (since, _))| since.elapsed() > PATIENCE);
        if let Some(late) = late.map(|(number, _)| *number) {
            self.finish(late, |_| {
                Err("nobody answered; the loop's time stands still".into())
            });
        }
    }

    /// Answers a request as the loop did; one of somebody else is left alone.
    pub(crate) fn answer(&mut self, request: u32, refusal: &str) {
        let taken = if refusal.is_empty() {
            Ok(())
        } else {
            Err(refusal.to_owned())
        };
        self.finish(request, |_| taken);
    }

    /// Does what is left to do for a request, and answers.
    pub(crate) fn finish(&mut self, request: u32, end: impl FnOnce(&S::Request) -> Result<(), String>) {
        if let Some((_, request)) = self.waiting.remove(&request) {
            let ended = end(&request.message);
            respond(request, ended);
        }
    }
}

fn respond<S: Answered + 'static>(request: ServiceRequest<S>, ended: Result<(), String>) {
    let response = S::response(ended.is_ok(), ended.err().unwrap_or_default());
    if let Err(e) = request.respond(response) {
        log::warn!("an answer cannot be sent: {e}");
    }
}

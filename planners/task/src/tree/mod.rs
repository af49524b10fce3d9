//! Action trees: several plans for one task, merged where they begin alike, and walked without going back in time.
//!
//! ```text
//!   samplers ─► plans ─► ActionTree ─► Walk ◄─ state, rules
//!                            ▲          │
//!                            └─ resample└─► one step at a time, or why not
//! ```
//!
//! After Tree-Planner (Hu et al., ICLR 2024): plans are sampled once and merged on equal grounded prefixes, so that
//! deciding at a fork costs a choice and not a plan. There a failed branch takes the world back to the fork. A robot
//! cannot do that: [`Walk`] looks for the nearest fork with a branch that is possible *from the present state*, puts in
//! the steps that are missing, found by search, and asks the samplers again when the tree is used up.
//!
//! ```
//! use steward_task::domain::{Domain, SceneBuilder};
//! use steward_task::plan::Goal;
//! use steward_task::tree::{ActionTree, Decision, Walk, WalkConfig};
//!
//! let domain = Domain::parse(
//!     "(define (domain doors)
//!        (:types door)
//!        (:predicates (open ?d - door) (locked ?d - door))
//!        (:action unlock :parameters (?d - door) :precondition (locked ?d) :effect (not (locked ?d)))
//!        (:action push :parameters (?d - door) :precondition (not (locked ?d)) :effect (open ?d)))",
//! )?;
//! let mut home = SceneBuilder::new(domain);
//! home.object("front", "door")?;
//! home.fact("locked", &["front"])?;
//! let scene = home.build();
//!
//! // Two of three plans forget the lock.
//! let push = scene.action("(push front)")?;
//! let unlock = scene.action("(unlock front)")?;
//! let mut tree = ActionTree::new();
//! tree.insert(&[push]);
//! tree.insert(&[push]);
//! tree.insert(&[unlock, push]);
//! assert_eq!(tree.text(&scene), "├─ 2× (push front) ■2\n└─ 1× (unlock front)\n   └─ 1× (push front) ■1\n");
//!
//! let goal = Goal::reach(scene.condition("(open front)")?);
//! let mut walk = Walk::new(tree, goal, WalkConfig::default());
//! let mut state = scene.start();
//! let mut done = Vec::new();
//! while let Decision::Do(step) = walk.next(&state)? {
//!     state = state.step(&step)?;
//!     done.push(scene.action_text(&step));
//! }
//! assert_eq!(done, ["(unlock front)", "(push front)"]);
//! assert_eq!(walk.stats().repairs, 1);
//! # Ok::<(), steward_task::Error>(())
//! ```

mod grow;
mod prompt;
mod repair;
mod sample;
mod walk;

pub use grow::{ActionTree, Node, NodeId, NodeRecord, Status};
pub use prompt::Prompt;
pub use repair::MeansEnds;
pub use sample::{FirstOf, Lesson, Model, Prompted, Recorded, Request, Sampler, Searched};
pub use walk::{ByCost, ByVotes, Chooser, Decision, Fork, Offer, Walk, WalkConfig, WalkStats};

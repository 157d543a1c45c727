//! docktor: an autoscaler that explains every decision. It changes the number of replicas of Docker Compose
//! services by their load, as a HorizontalPodAutoscaler does for pods; Swarm and systemd are to follow.
//!
//! ```text
//!   policy folder        engine events        timers, orders, ends of changes
//!         └──────────────────┬──────────────────────────┘
//!                            ▼
//!                  queue: which policy, never what happened
//!                            ▼
//!   ┌─▶ observe ──▶ decide ──▶ intend ──▶ act ──▶ record ──▶ when next ─┐
//!   │   replicas,   pure:      to disk    starts   status, log,         │
//!   │   samples     a Trail    before     it, or   metrics, memory      │
//!   │                          acting     nothing                       │
//!   └───────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Two thin programs stand on this library: `docktor`, the controller ([`daemon`]), and `docktorctl`, its client
//! ([`cli`]). Modules stand in order of dependency: a module uses only what stands above it, and
//! `tests/architecture.rs` sees to that. Those marked *pure* know no tokio, files, network, clock or logging.
//!
//! | module | what it is |
//! |---|---|
//! | [`units`] | *pure*: numbers that know what they are: replicas, bytes, durations, moments |
//! | [`expr`] | *pure*: CEL expressions over metrics, type-checked and total |
//! | [`api`] | *pure*: the YAML contract, `docktor.dev/v1`: types, reading with located mistakes, schema, effective spec |
//! | [`model`] | *pure*: the nouns of the loop: key, snapshot, decision with its trail, memory |
//! | [`strategies`] | *pure*: what one recommender would like: steps, target tracking |
//! | [`decide`] | *pure*: the pipeline, a file per stage: from what is known to how many replicas there should be |
//! | [`simulation`] | *pure*: a policy tried on a recorded or modelled trace, row by row |
//! | [`clock`] | the one place that reads the time |
//! | [`places`] | where docktor's files are unless a flag says otherwise |
//! | [`telemetry`] | log, events, Prometheus families |
//! | [`clients`] | connections that several edges share: the Docker engine |
//! | [`sources`] | what is measured: use of replicas, from cgroup files or Docker stats, sampled in the background |
//! | [`actuators`] | what sees a scale target and changes its replicas: Compose services |
//! | [`store`] | the policy folder as a catalog; state on disk; status files; `STOP`; the lock |
//! | [`history`] | samples and decisions in SQLite; its loss never stops control |
//! | [`admin`] | what an operator may ask or order, and the read model that every screen shares |
//! | [`http`] | the API on the unix socket and on TCP: who may do what, routes, events |
//! | [`controller`] | the loop: one `select!`, a queue of policies, one pass over one policy |
//! | [`cli`] | `docktorctl`: arguments, commands, output |
//! | [`daemon`] | `docktor`: flags, wiring, signals, the background |
//! | `testing` | in-memory ends for simulations (feature `testing`) |
//!
//! Start reading at `controller::reconcile` for the loop, at `decide` for the decision. `docs/concepts.md` tells
//! the same for users.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod units;
pub mod expr;
pub mod api;
pub mod model;
pub mod strategies;
pub mod decide;
pub mod simulation;
pub mod clock;
pub mod places;
pub mod telemetry;
pub mod clients;
pub mod sources;
pub mod actuators;
pub mod store;
pub mod history;
pub mod admin;
pub mod http;
pub mod controller;
pub mod cli;
pub mod daemon;
#[cfg(feature = "testing")]
pub mod testing;

//! docktor: an autoscaler that explains every decision. It changes the number of replicas of Docker Compose services
//! and of systemd templates, and the limits of containers and units, by their load, as Kubernetes' pod autoscalers do;
//! Swarm is to follow.
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
//! | [`strategies`] | *pure*: what one recommender would like: steps, target tracking, limits |
//! | [`decide`] | *pure*: the pipeline, a file per stage: from what is known to how many replicas there should be |
//! | [`simulation`] | *pure*: a policy tried on a recorded or modelled trace, row by row |
//! | [`clock`] | the one place that reads the time |
//! | [`places`] | where docktor's files are unless a flag says otherwise |
//! | [`telemetry`] | log, events, Prometheus families |
//! | [`clients`] | connections that several edges share: the Docker engine, managers of systemd |
//! | [`sources`] | what is measured: use of replicas, from cgroup files or Docker stats, sampled in the background |
//! | [`actuators`] | what sees a scale target and changes its replicas and their limits: Compose services, units of systemd |
//! | [`store`] | the policy folder as a catalog; state on disk; status files; `STOP`; the lock |
//! | [`history`] | samples and decisions in SQLite; its loss never stops control |
//! | [`admin`] | what an operator may ask or order, and the read model that every screen shares |
//! | [`http`] | the API on the unix socket and on TCP: who may do what, routes, events |
//! | [`controller`] | the loop: one `select!`, a queue of policies, one pass over one policy |
//! | [`cli`] | `docktorctl`: arguments, commands, output |
//! | [`daemon`] | `docktor`: flags, wiring, signals, the background |
//! | `testing` | in-memory ends for simulations (feature `testing`) |
//!
//! Every rule of a decision is one function of plain values; [`decide::decide`] puts them together, and
//! [`simulation::replay`] runs it over a trace. Counts are replicas, shares are fractions unless they are said to be
//! percent, values are in the metric's own unit.
//!
//! | rule | function |
//! |---|---|
//! | which replicas count, and what an answer stands for | [`decide::observe::measured`], [`reported`](decide::observe::reported), [`or_zero`](decide::observe::or_zero) |
//! | target tracking (HPA) | [`utilization`](strategies::target_tracking::utilization), [`per_replica`](strategies::target_tracking::per_replica), [`value`](strategies::target_tracking::value), [`average_value`](strategies::target_tracking::average_value) |
//! | thresholds and steps (Nomad) | [`Band`](strategies::threshold::Band), [`enough`](strategies::threshold::enough), [`strategies::step::apply`] |
//! | rules and groups that agree (Nomad) | [`decide::recommend::together`] |
//! | expressions and formulas | [`expr::Expr`] |
//! | fallback (KEDA) | [`decide::fallback::replicas`] |
//! | several recommendations become one | [`decide::combine::largest`], [`shrink`](decide::combine::shrink) |
//! | zero and idle (KEDA) | [`decide::activate::activate`] |
//! | stabilization windows (HPA) | [`decide::stabilize::stabilize`] |
//! | rate limits and cooldowns (HPA, Nomad) | [`decide::limit::most`], [`least`](decide::limit::least), [`cooling_until`](decide::limit::cooling_until) |
//! | schedules (Nomad, cron) | [`decide::schedule::is_active`], [`bounds`](decide::schedule::bounds) |
//! | bounds | [`decide::bound::effective`], [`bound`](decide::bound::bound) |
//! | mode, holds, `STOP`, failures | [`decide::gate::gate`] |
//! | limits changed by others | [`decide::limits_drift::assess`] |
//! | is a change of limits sound? | [`decide::verdict::verdict`] |
//!
//! Three replicas of one core, at 60 % on average, with a target of 40 %, take five; where four may be
//! added in 15 seconds, seven would be the most:
//!
//! ```
//! use docktor::api::behavior::Select;
//! use docktor::api::effective::{Amount, RateLimit};
//! use docktor::decide::limit::most;
//! use docktor::strategies::target_tracking::{Measured, Tolerance, utilization};
//! use docktor::units::{Duration, Timestamp};
//!
//! let replicas = [50.0, 60.0, 70.0].map(|usage| Measured::Counted { usage, request: 100.0 });
//! let wanted = utilization(&replicas, 3, 40.0, Tolerance { up: 0.1, down: 0.1 });
//! assert_eq!(wanted, Some(5));
//!
//! let limits = [RateLimit { amount: Amount::Replicas(4), period: Duration::from_secs(15) }];
//! assert_eq!(most(3, &limits, Select::Max, &Default::default(), Timestamp::default()), 7);
//! ```
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

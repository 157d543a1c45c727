//! What `docktor run` takes of its host while nothing happens: resident memory, CPU, wake-ups.

use std::time::Duration;

use crate::figure;
use crate::program::Program;
use crate::project::Project;

const POLICIES: u32 = 10;
const REPLICAS: u32 = 2;
/// After the start; the first evaluations are over then.
const SETTLES: Duration = Duration::from_secs(15);
const OBSERVED_FOR: Duration = Duration::from_secs(30);

/// Ten policies, each on a service with two replicas.
pub fn idle() {
    let services: Vec<String> = (0..POLICIES).map(|n| format!("web{n}")).collect();
    let project = Project::up("idle", &services, REPLICAS);
    let policies: Vec<_> = services
        .iter()
        .map(|it| (format!("{it}.yaml"), policy(it, &project.name, it, REPLICAS, 10)))
        .collect();
    report("idle, 10 policies on 20 replicas", &policies, "below 25 MiB", "below 0.5 %");
}

/// Policies whose targets do not exist: what the policies themselves take, without samples of replicas.
pub fn by_policies() {
    for count in [1, 100, 1_000] {
        let policies: Vec<_> = (0..count)
            .map(|n| {
                (format!("web{n}.yaml"), policy(&format!("web{n}"), "dkb-nobody", &format!("web{n}"), 1, 10))
            })
            .collect();
        report(&format!("{count} policies, no targets"), &policies, "", "");
    }
}

/// A policy on the defaults, in mode Observe.
pub fn policy(name: &str, project: &str, service: &str, min: u32, max: u32) -> String {
    format!(
        "apiVersion: docktor.dev/v1\nkind: ScalingPolicy\nmetadata: {{name: {name}}}\nspec:\n  \
         target: {{compose: {{project: {project}, service: {service}}}}}\n  mode: Observe\n  \
         replicas: {{min: {min}, max: {max}}}\n  \
         scaleUp: {{rules: [{{metric: cpu.avg, op: \">\", value: 75}}], consecutive: 3}}\n  \
         scaleDown: {{rules: [{{metric: cpu.avg, op: \"<\", value: 20}}], step: \"-1\"}}\n"
    )
}

fn report(name: &str, policies: &[(String, String)], memory_aim: &str, cpu_aim: &str) {
    let program = Program::start(policies);
    std::thread::sleep(SETTLES);
    let before = program.usage();
    std::thread::sleep(OBSERVED_FOR);
    let after = program.usage();
    let (resident, own) = program.resident();
    let share = (after.cpu - before.cpu).as_secs_f64() / OBSERVED_FOR.as_secs_f64() * 100.0;
    let wakes = after.sleeps.saturating_sub(before.sleeps) as f64 / OBSERVED_FOR.as_secs_f64();
    figure::print(
        &format!("{name}: resident"),
        &format!("{resident:.1} MiB, {own:.1} of it its own"),
        memory_aim,
    );
    figure::print(&format!("{name}: CPU"), &format!("{share:.2} % of a core"), cpu_aim);
    let threads = program.threads();
    figure::print(&format!("{name}: wake-ups"), &format!("{wakes:.1} a second, of {threads} threads"), "");
}

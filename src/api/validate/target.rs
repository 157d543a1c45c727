//! The scale target.

use super::findings::Findings;
use crate::api::path::Path;
use crate::api::policy::PolicySpec;
use crate::api::read::hint::{list, shorten};
use crate::api::resources::Apply;
use crate::api::target::{SystemdTarget, Target};
use crate::units::Bytes;

/// What the name of a unit ends in, for units that have processes.
const UNIT_SUFFIXES: [&str; 3] = [SERVICE, ".scope", ".slice"];
/// What the name of a service ends in.
const SERVICE: &str = ".service";
/// The longest name that systemd takes.
const LONGEST_UNIT: usize = 255;

/// Least memory that the Docker engine takes as a limit.
const LEAST_CONTAINER_MEMORY: Bytes = Bytes(6 << 20);

/// Least and most of `ioWeight` that the Docker engine's 10 to 1000 stand for, of which 500 is the default.
const CONTAINER_IO_WEIGHTS: (u64, u64) = (2, 200);

pub(super) fn check(spec: &PolicySpec, target: &Target, path: &Path, findings: &mut Findings) {
    let path = path.key(target.kind());
    let filled = |value: &str, field: &str, findings: &mut Findings| {
        if value.trim().is_empty() {
            findings.add(path.key(field), format!("found nothing; expected the name of the {field}"));
        }
    };
    match target {
        Target::Compose(it) => {
            filled(&it.project, "project", findings);
            filled(&it.service, "service", findings);
            engine(it.docker.as_deref(), &path, findings);
            container_limits(spec, &path, findings);
        }
        Target::Swarm(it) => {
            filled(&it.service, "service", findings);
            engine(it.docker.as_deref(), &path, findings);
            if spec.resources.is_some() {
                let message = "a Swarm service scales by `replicas`; `resources` is for compose and systemd";
                findings.add_after(Path::root().key("spec").key("resources"), message, vec![path.clone()]);
            }
        }
        Target::Systemd(it) => unit(spec, it, &path, findings),
    }
}

/// What the Docker engine has no limit for, or another range.
fn container_limits(spec: &PolicySpec, target: &Path, findings: &mut Findings) {
    let Some(resources) = &spec.resources else { return };
    let path = Path::root().key("spec").key("resources");
    let mut wrong = |path: Path, message: String| findings.add_after(path, message, vec![target.clone()]);
    if resources.memory_high.is_some() {
        let message = "containers have no `memoryHigh`; use `memoryMax`, or a systemd unit";
        wrong(path.key("memoryHigh"), message.to_owned());
    }
    if let Some(it) = resources.memory_max.filter(|it| it.min < LEAST_CONTAINER_MEMORY) {
        let message =
            format!("found `{}`; the Docker engine takes at least {LEAST_CONTAINER_MEMORY}", it.min);
        wrong(path.key("memoryMax").key("min"), message);
    }
    if let Some(it) = resources.io_weight {
        let (least, most) = CONTAINER_IO_WEIGHTS;
        let ends = [("min", it.min), ("max", it.max)];
        for (field, found) in ends.into_iter().filter(|(_, found)| !(least..=most).contains(found)) {
            let message = format!("found `{found}`; for containers, expected {least} to {most}");
            wrong(path.key("ioWeight").key(field), message);
        }
    }
}

fn unit(spec: &PolicySpec, target: &SystemdTarget, path: &Path, findings: &mut Findings) {
    let unit = &target.unit;
    let path = path.key("unit");
    let named = UNIT_SUFFIXES.iter().find_map(|suffix| Some((unit.strip_suffix(suffix)?, *suffix)));
    let Some((stem, suffix)) = named else {
        let message =
            format!("found `{}`; a unit's name ends in {}", shorten(unit), list(&UNIT_SUFFIXES, "or"));
        findings.add(path, message);
        return;
    };
    let is_valid = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    if stem.is_empty() || unit.len() > LONGEST_UNIT || !stem.chars().all(is_valid) {
        findings.add(path, format!("found `{}`; that is no name of a unit", shorten(unit)));
    } else if stem.ends_with('@') && suffix != SERVICE {
        let message = format!("found `{unit}`; only services have templates, as in `worker@.service`");
        findings.add(path, message);
    } else if spec.replicas.is_some() && !stem.ends_with('@') {
        let message = format!(
            "found `{unit}`; `replicas` starts instances of a template, as in `worker@.service`; \
             a single unit scales by `resources`"
        );
        findings.add(path, message);
    } else if spec.replicas.is_none() && spec.resources.is_some() && stem.ends_with('@') {
        let message = format!("found the template `{unit}`; name one instance, or add `replicas`");
        findings.add(path, message);
    }
    let restarts = spec.resources.as_ref().and_then(|it| it.apply) == Some(Apply::Restart);
    if restarts && suffix != SERVICE {
        let message = format!("found `Restart`; `{unit}` cannot be restarted, write `Live`");
        findings.add(Path::root().key("spec").key("resources").key("apply"), message);
    }
}

fn engine(address: Option<&str>, path: &Path, findings: &mut Findings) {
    const SCHEMES: [&str; 4] = ["unix", "tcp", "http", "https"];
    if let Some(address) = address {
        super::secrets::url(address, &SCHEMES, path.key("docker"), findings);
    }
}

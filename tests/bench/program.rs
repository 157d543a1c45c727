//! The real `docktor run`, in folders of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::project::docker_host;

/// How long it may take until every policy has a sidecar.
const DEADLINE: Duration = Duration::from_secs(60);

pub struct Program {
    child: Child,
    folders: tempfile::TempDir,
}

/// What a process used until now.
#[derive(Clone, Copy)]
pub struct Usage {
    pub cpu: Duration,
    /// How often its threads went to sleep, and so were woken.
    pub sleeps: u64,
}

impl Program {
    /// `docktor run` over these files (name and text), once it has reported on each.
    pub fn start(policies: &[(String, String)]) -> Self {
        let folders = tempfile::tempdir().expect("a folder");
        let (folder, state) = (folders.path().join("policies"), folders.path().join("state"));
        std::fs::create_dir(&folder).expect("a folder");
        for (name, text) in policies {
            std::fs::write(folder.join(name), text).expect("a file");
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_docktor"));
        command.args(["run", "--listen", "none", "--docker", &docker_host()]);
        command.arg("--policies").arg(&folder).arg("--state-dir").arg(&state);
        command.arg("--socket").arg(folders.path().join("socket"));
        let child = command.stderr(Stdio::null()).spawn().expect("docktor starts");
        let program = Self { child, folders };
        let began = Instant::now();
        while !policies.iter().all(|(name, _)| program.sidecar(name).exists()) {
            assert!(began.elapsed() < DEADLINE, "no sidecars after {DEADLINE:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
        program
    }

    /// Replaces a policy file by rename, as editors do.
    pub fn write(&self, name: &str, text: &str) {
        let temporary = self.folders.path().join(name);
        std::fs::write(&temporary, text).expect("a file");
        std::fs::rename(temporary, self.policies().join(name)).expect("a file");
    }

    pub fn sidecar(&self, name: &str) -> PathBuf {
        self.policies().join(name.replace(".yaml", ".status.yaml"))
    }

    pub fn usage(&self) -> Usage {
        // Times begin with the 14th field; the name, the 2nd, ends with the last bracket.
        let stat = self.proc("stat");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|it| it.parse::<u64>().expect("a number of ticks")).sum();
        let tick =
            Duration::from_secs(1) / u32::try_from(rustix::param::clock_ticks_per_second()).expect("small");
        let cpu = tick * u32::try_from(ticks).expect("a few ticks");
        let threads =
            std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs").flatten();
        let sleeps = threads.map(|it| {
            let status = std::fs::read_to_string(it.path().join("status")).unwrap_or_default();
            value(&status, "voluntary_ctxt_switches:")
        });
        Usage { cpu, sleeps: sleeps.sum() }
    }

    /// Resident memory in MiB: all of it, and what is not of files.
    pub fn resident(&self) -> (f64, f64) {
        let status = self.proc("status");
        let mib = |name| value(&status, name) as f64 / 1_024.0;
        (mib("VmRSS:"), mib("RssAnon:"))
    }

    pub fn threads(&self) -> u64 {
        value(&self.proc("status"), "Threads:")
    }

    fn policies(&self) -> PathBuf {
        self.folders.path().join("policies")
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("it runs")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already where these fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn value(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|it| it.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|it| it.parse().ok()).unwrap_or(0)
}

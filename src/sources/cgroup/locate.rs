//! Where the folders of a cgroup are: of a process's, from `/proc/PID/cgroup`, or of one whose path is known; with
//! `/proc/self/mountinfo` (cgroups(7), proc_pid_mountinfo(5)). Pure but for the question whether a folder is there.

use std::path::{Component, Path, PathBuf};

/// What a controller accounts or limits. On v1 each may have a hierarchy of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Controller {
    /// CPU limits.
    Cpu,
    /// CPU time; on v2 part of `cpu`, and accounted even where that is off.
    CpuAcct,
    /// Memory.
    Memory,
    /// Processes and threads.
    Pids,
    /// Disks.
    Io,
}

impl Controller {
    const fn v1_name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::CpuAcct => "cpuacct",
            Self::Memory => "memory",
            Self::Pids => "pids",
            Self::Io => "blkio",
        }
    }
}

/// Which set of files a folder has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// A hierarchy for each controller, or for a few of them.
    V1,
    /// The unified hierarchy.
    V2,
}

/// One folder of a cgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) version: Version,
    /// What accounts here; only v1 says so.
    controllers: Vec<String>,
}

/// All folders of a cgroup that can be reached from here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Folders(Vec<Folder>);

impl Folders {
    /// The folder with the files of a controller. Where v1 has it, v2 has not.
    pub(super) fn of(&self, controller: Controller) -> Option<&Folder> {
        let v1 = |it: &&Folder| it.controllers.iter().any(|name| name == controller.v1_name());
        self.0.iter().find(v1).or_else(|| self.unified())
    }

    /// Any of them.
    pub(super) fn any(&self) -> Option<&Folder> {
        self.0.first()
    }

    /// The folder of the unified hierarchy, which is there beside v1 too, and alone has pressure.
    pub(super) fn unified(&self) -> Option<&Folder> {
        self.0.iter().find(|it| it.version == Version::V2)
    }
}

/// Whose cgroup is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner<'a> {
    /// The process itself.
    Process,
    /// The container of that id, in which the process is. Engines name the folder after the id, some with more
    /// around it; a container with an init system moves its processes into folders below.
    Container(&'a str),
}

/// The owner's cgroup folders, from the memberships of one of its processes and the mounts of this one.
pub(super) fn folders(
    memberships: &str,
    mountinfo: &str,
    owner: Owner<'_>,
    exists: impl Fn(&Path) -> bool,
) -> Folders {
    let mounts: Vec<Mount> = mountinfo.lines().filter_map(Mount::parse).collect();
    let memberships = memberships.lines().filter_map(Membership::parse);
    let folders = memberships.filter_map(|it| it.of(owner)).filter_map(|it| it.folder(&mounts, &exists));
    Folders(folders.collect())
}

/// The folders of the cgroup of that path, as systemd's `ControlGroup` gives it. On v1 each hierarchy has it at the
/// same path, where its controllers are on for the unit.
pub(super) fn folders_of_group(
    control_group: &str,
    mountinfo: &str,
    exists: impl Fn(&Path) -> bool,
) -> Folders {
    if control_group.is_empty() {
        return Folders::default();
    }
    let mounts: Vec<Mount> = mountinfo.lines().filter_map(Mount::parse).collect();
    let mut folders: Vec<Folder> = Vec::new();
    for mount in &mounts {
        let membership = Membership {
            version: mount.version,
            controllers: mount.controllers.clone(),
            path: PathBuf::from(control_group),
        };
        folders.extend(membership.folder(std::slice::from_ref(mount), &exists));
    }
    Folders(folders)
}

/// A line of `/proc/PID/cgroup`: `4:cpu,cpuacct:/docker/…`, on v2 `0::/docker/…`.
struct Membership {
    version: Version,
    controllers: Vec<String>,
    path: PathBuf,
}

impl Membership {
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.splitn(3, ':');
        let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let version = if number == "0" && controllers.is_empty() { Version::V2 } else { Version::V1 };
        let controllers = controllers.split(',').filter(|name| !name.is_empty()).map(str::to_owned);
        Some(Self { version, controllers: controllers.collect(), path: PathBuf::from(path) })
    }

    /// Where it can be reached through one of the mounts.
    fn folder(self, mounts: &[Mount], exists: impl Fn(&Path) -> bool) -> Option<Folder> {
        let path = mounts.iter().filter_map(|mount| mount.resolve(&self)).find(|path| exists(path))?;
        Some(Folder { path, version: self.version, controllers: self.controllers })
    }

    /// The owner's part of the path; none where the process is not the owner's.
    fn of(mut self, owner: Owner<'_>) -> Option<Self> {
        if let Owner::Container(id) = owner {
            let named = |path: &Path| path.file_name().is_some_and(|it| it.to_string_lossy().contains(id));
            self.path = self.path.ancestors().find(|path| named(path))?.to_owned();
        }
        Some(self)
    }
}

/// A mounted cgroup hierarchy.
struct Mount {
    version: Version,
    /// The cgroup that is seen at `point`; above it nothing is.
    root: PathBuf,
    point: PathBuf,
    /// On v1, all of the mount's options, the controllers among them.
    controllers: Vec<String>,
}

impl Mount {
    /// A line such as `35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory`.
    fn parse(line: &str) -> Option<Self> {
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let (root, point) = (unescape(place.next()?), unescape(place.next()?));
        let mut kind = kind.split(' ');
        let version = match kind.next()? {
            "cgroup" => Version::V1,
            "cgroup2" => Version::V2,
            _ => return None,
        };
        let options = kind.nth(1)?;
        let controllers = match version {
            Version::V1 => options.split(',').map(str::to_owned).collect(),
            Version::V2 => Vec::new(),
        };
        Some(Self { version, root, point, controllers })
    }

    /// Where this mount shows that cgroup, if it does.
    fn resolve(&self, membership: &Membership) -> Option<PathBuf> {
        let same_hierarchy = self.version == membership.version
            && membership.controllers.iter().all(|name| self.controllers.contains(name));
        if !same_hierarchy {
            return None;
        }
        let below = membership.path.strip_prefix(&self.root).ok()?;
        // A cgroup outside of this process's cgroup namespace is written `/../…`.
        let inside = below.components().all(|part| matches!(part, Component::Normal(_)));
        inside.then(|| self.point.join(below))
    }
}

/// The kernel writes a space, a tab, a line feed and a backslash in octal: `\040`.
fn unescape(text: &str) -> PathBuf {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    PathBuf::from(escapes.iter().fold(text.to_owned(), |text, (octal, plain)| text.replace(octal, plain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "cd73e72144a960d637f46dccc76fe0da47767e79aa0cac5780745bd6a2feb35a";

    /// As captured from a kernel with each v1 controller on its own, and v2 beside them.
    const HYBRID_MOUNTS: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
38 31 0:35 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";
    const V2_MOUNTS: &str = "\
24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
34 25 0:29 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
";
    /// systemd's v1 layout: cpu and cpuacct share a hierarchy.
    const SYSTEMD_V1_MOUNTS: &str = "\
33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:15 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,nosuid shared:16 - cgroup cgroup rw,memory
";

    fn located(memberships: &str, mounts: &str, controller: Controller) -> Option<(String, Version)> {
        let folders = folders(memberships, mounts, Owner::Process, |_| true);
        folders.of(controller).map(|it| (it.path.display().to_string(), it.version))
    }

    #[test]
    fn the_folders_of_a_container_are_found_in_every_layout() {
        use Controller::{Cpu, CpuAcct, Io, Memory, Pids};
        use Version::{V1, V2};
        let hybrid = format!(
            "9:name=systemd:/docker/{ID}\n8:pids:/docker/{ID}\n7:blkio:/docker/{ID}\n4:memory:/docker/{ID}\n\
             2:cpuacct:/docker/{ID}\n1:cpu:/docker/{ID}\n0::/docker/{ID}\n"
        );
        let systemd_v1 = format!(
            "5:memory:/system.slice/docker-{ID}.scope\n2:cpu,cpuacct:/system.slice/docker-{ID}.scope\n"
        );
        let systemd_v2 = format!("0::/system.slice/docker-{ID}.scope\n");
        for (memberships, mounts, controller, path, version) in [
            (&hybrid, HYBRID_MOUNTS, CpuAcct, format!("/sys/fs/cgroup/cpuacct/docker/{ID}"), V1),
            (&hybrid, HYBRID_MOUNTS, Cpu, format!("/sys/fs/cgroup/cpu/docker/{ID}"), V1),
            (&hybrid, HYBRID_MOUNTS, Memory, format!("/sys/fs/cgroup/memory/docker/{ID}"), V1),
            (&hybrid, HYBRID_MOUNTS, Pids, format!("/sys/fs/cgroup/pids/docker/{ID}"), V1),
            (&hybrid, HYBRID_MOUNTS, Io, format!("/sys/fs/cgroup/blkio/docker/{ID}"), V1),
            (&systemd_v2, V2_MOUNTS, Memory, format!("/sys/fs/cgroup/system.slice/docker-{ID}.scope"), V2),
            (
                &systemd_v1,
                SYSTEMD_V1_MOUNTS,
                CpuAcct,
                format!("/sys/fs/cgroup/cpu,cpuacct/system.slice/docker-{ID}.scope"),
                V1,
            ),
        ] {
            assert_eq!(located(memberships, mounts, controller), Some((path, version)), "{controller:?}");
        }
        let unified = folders(&hybrid, HYBRID_MOUNTS, Owner::Process, |_| true).unified().cloned().unwrap();
        assert_eq!(unified.path, Path::new("/sys/fs/cgroup/unified/docker").join(ID));
    }

    fn of_group(control_group: &str, mounts: &str, controller: Controller) -> Option<(String, Version)> {
        let folders = folders_of_group(control_group, mounts, |path| !path.ends_with("absent.service"));
        folders.of(controller).map(|it| (it.path.display().to_string(), it.version))
    }

    #[test]
    fn the_folders_of_a_unit_are_found_in_every_layout() {
        use Controller::{CpuAcct, Memory, Pids};
        use Version::{V1, V2};
        let user = "/user.slice/user-1000.slice/user@1000.service/app.slice/x.service";
        let worker = "/system.slice/worker.service";
        for (group, mounts, controller, path, version) in [
            (worker, V2_MOUNTS, Memory, "/sys/fs/cgroup/system.slice/worker.service", V2),
            (user, V2_MOUNTS, CpuAcct, &*format!("/sys/fs/cgroup{user}"), V2),
            (worker, HYBRID_MOUNTS, CpuAcct, "/sys/fs/cgroup/cpuacct/system.slice/worker.service", V1),
            (worker, HYBRID_MOUNTS, Pids, "/sys/fs/cgroup/pids/system.slice/worker.service", V1),
            (
                worker,
                SYSTEMD_V1_MOUNTS,
                CpuAcct,
                "/sys/fs/cgroup/cpu,cpuacct/system.slice/worker.service",
                V1,
            ),
            ("/", V2_MOUNTS, CpuAcct, "/sys/fs/cgroup/", V2),
        ] {
            let expected = Some((path.to_owned(), version));
            assert_eq!(of_group(group, mounts, controller), expected, "{group} {controller:?}");
        }
        let unified = folders_of_group(worker, HYBRID_MOUNTS, |_| true).unified().cloned().unwrap();
        assert_eq!(unified.path, Path::new("/sys/fs/cgroup/unified/system.slice/worker.service"));
    }

    #[test]
    fn a_controller_that_is_off_for_a_unit_on_v1_is_looked_for_in_the_unified_hierarchy() {
        let no_memory = |path: &Path| !path.starts_with("/sys/fs/cgroup/memory");
        let folders = folders_of_group("/system.slice/x.service", HYBRID_MOUNTS, no_memory);
        let memory = folders.of(Controller::Memory).unwrap();
        assert_eq!(memory.path, Path::new("/sys/fs/cgroup/unified/system.slice/x.service"));
    }

    #[test]
    fn a_unit_that_has_no_cgroup_has_no_folders() {
        for group in ["", "/system.slice/absent.service", "/../sibling", "relative"] {
            assert_eq!(of_group(group, V2_MOUNTS, Controller::CpuAcct), None, "{group}");
        }
    }

    #[test]
    fn a_systemd_in_a_container_finds_its_units_below_what_is_mounted_there() {
        let mounts = "34 25 0:29 /docker/self /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        let found = of_group("/docker/self/system.slice/x.service", mounts, Controller::Pids);
        assert_eq!(found, Some(("/sys/fs/cgroup/system.slice/x.service".to_owned(), Version::V2)));
    }

    #[test]
    fn a_container_that_sees_only_its_own_cgroup_finds_nothing_of_others() {
        // In a cgroup namespace of its own, others are written relative to it.
        let sibling = format!("0::/../{ID}\n");
        assert_eq!(located(&sibling, V2_MOUNTS, Controller::Memory), None);
        // With the host's namespace, but only its own part mounted.
        let own_part = "34 25 0:29 /docker/self /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n";
        assert_eq!(located(&format!("0::/docker/{ID}\n"), own_part, Controller::Memory), None);
    }

    #[test]
    fn the_hosts_hierarchy_mounted_into_a_container_is_found() {
        let mounts = "34 25 0:29 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n\
                      50 25 0:29 /../.. /host/my\\040cgroup ro master:9 - cgroup2 cgroup2 rw\n";
        let memberships = format!("0::/../../docker/{ID}\n");
        let found = located(&memberships, mounts, Controller::Memory).unwrap();
        assert_eq!(found, (format!("/host/my cgroup/docker/{ID}"), Version::V2));
    }

    #[test]
    fn a_container_is_found_from_a_process_that_its_init_system_moved_further_down() {
        for (path, container) in [
            (format!("/docker/{ID}"), Some(format!("/sys/fs/cgroup/docker/{ID}"))),
            (format!("/docker/{ID}/init.scope"), Some(format!("/sys/fs/cgroup/docker/{ID}"))),
            (format!("/docker/outer/docker/{ID}"), Some(format!("/sys/fs/cgroup/docker/outer/docker/{ID}"))),
            (
                format!("/system.slice/docker-{ID}.scope/system.slice/a.service"),
                Some(format!("/sys/fs/cgroup/system.slice/docker-{ID}.scope")),
            ),
            ("/docker/another".to_owned(), None),
            ("/".to_owned(), None),
        ] {
            let folders = folders(&format!("0::{path}\n"), V2_MOUNTS, Owner::Container(ID), |_| true);
            let found = folders.unified().map(|it| it.path.display().to_string());
            assert_eq!(found, container, "{path}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_not_found() {
        let folders = folders(&format!("0::/docker/{ID}\n"), V2_MOUNTS, Owner::Process, |_| false);
        assert_eq!(folders, Folders::default());
    }

    #[test]
    fn lines_that_make_no_sense_are_passed_over() {
        let folders = folders("nonsense\n\n7\n", "\n1 2 3 - cgroup2\nx - y\n", Owner::Process, |_| true);
        assert_eq!(folders, Folders::default());
    }
}

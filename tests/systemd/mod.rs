//! Against a real systemd, as root: `make test-systemd` runs these in the testbed's VM, and nothing else does.

mod pressure;

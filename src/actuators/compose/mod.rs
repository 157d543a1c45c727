//! Compose services: found by their labels, grown by cloning a replica, shrunk by stopping and removing some.

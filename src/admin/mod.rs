//! What an operator may ask or order. Every screen (client, API, sidecar) goes through here.

pub mod view;

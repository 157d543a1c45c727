//! `hold`, `resume`, `mode`: orders to a running controller.

use axum::http::Method;

use super::args::{Global, HoldArgs, ResumeArgs, bare_name};
use super::client::segment;
use super::exit::Failure;
use super::origin::controller;
use super::output::Output;
use crate::admin::view::{HoldDirection, HoldRequest, ModeRequest, word};
use crate::api::policy::Mode;

/// Run `hold`.
///
/// # Errors
/// The controller's refusal, or why it cannot be reached.
pub async fn hold(args: &HoldArgs, global: &Global, output: &mut Output) -> Result<(), Failure> {
    let HoldArgs { hold_for, direction, reason, .. } = args.clone();
    let request = HoldRequest { hold_for, direction, reason };
    controller(global).await?.order(Method::POST, &hold_path(args.name.as_deref()), Some(&request)).await?;
    let what = match direction.unwrap_or(HoldDirection::Both) {
        HoldDirection::Up => " from going up",
        HoldDirection::Down => " from going down",
        HoldDirection::Both => "",
    };
    Ok(output.line(format!("{} held{what} for {hold_for}", whom(args.name.as_deref())))?)
}

/// Run `resume`.
///
/// # Errors
/// The controller's refusal, or why it cannot be reached.
pub async fn resume(args: &ResumeArgs, global: &Global, output: &mut Output) -> Result<(), Failure> {
    let path = hold_path(args.name.as_deref());
    controller(global).await?.order(Method::DELETE, &path, None::<&()>).await?;
    Ok(output.line(format!("{} resumed", whom(args.name.as_deref())))?)
}

/// Run `mode`.
///
/// # Errors
/// The controller's refusal, or why it cannot be reached.
pub async fn mode(name: &str, mode: Mode, global: &Global, output: &mut Output) -> Result<(), Failure> {
    let name = bare_name(name);
    let path = format!("/api/v1/policies/{}/mode", segment(name));
    controller(global).await?.order(Method::PUT, &path, Some(&ModeRequest { mode })).await?;
    Ok(output.line(format!("policy/{name} mode set to {}", word(&mode)))?)
}

fn hold_path(name: Option<&str>) -> String {
    match name {
        Some(name) => format!("/api/v1/policies/{}/hold", segment(bare_name(name))),
        None => "/api/v1/hold".to_owned(),
    }
}

fn whom(name: Option<&str>) -> String {
    name.map_or_else(|| "all policies".to_owned(), |name| format!("policy/{}", bare_name(name)))
}

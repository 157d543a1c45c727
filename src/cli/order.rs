//! `hold`, `resume`, `mode`, `approve`, `reject`: orders to a running controller.

use axum::http::Method;

use super::args::{AnswerArgs, Global, HoldArgs, ResumeArgs, bare_name};
use super::client::segment;
use super::exit::{Exit, Failure};
use super::origin::controller;
use super::output::Output;
use crate::admin::view::{AnswerRequest, HoldDirection, HoldRequest, ModeRequest, Verdict, word};
use crate::api::policy::Mode;
use crate::model::approval::policy_of;

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

/// Run `approve` or `reject`. An id names its policy.
///
/// # Errors
/// The controller's refusal, which says what waits, or why it cannot be reached.
pub async fn answer(
    args: &AnswerArgs,
    verdict: Verdict,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let AnswerArgs { id, reason } = args.clone();
    let Some(policy) = policy_of(&id) else {
        let usage = format!(
            "`{id}` is no id of a change that waits; it is a policy's name and four letters or digits, as in \
             web-7f3k, and `docktorctl describe policy NAME` shows it"
        );
        return Err(Failure::say(Exit::Usage, usage));
    };
    let path = format!("/api/v1/policies/{}/approve", segment(policy));
    let done = match verdict {
        Verdict::Approve => "approved",
        Verdict::Reject => "rejected",
    };
    let told = format!("{id} {done}");
    let request = AnswerRequest { id, verdict, reason };
    controller(global).await?.order(Method::POST, &path, Some(&request)).await?;
    Ok(output.line(told)?)
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

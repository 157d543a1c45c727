//! The HTTP API as any program sees it on the socket.

use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;

use serde_json::Value;

use super::fixture::{Fixture, STUBBORN, careful};

/// An answer: status, head, body.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

pub fn ask(fixture: &Fixture, method: &str, path: &str, body: &str) -> Answer {
    let mut stream = UnixStream::connect(fixture.socket()).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: docktor\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

fn fixture() -> Fixture {
    let fixture = Fixture::start();
    fixture.three_policies();
    fixture
}

#[test]
fn the_controller_is_ready_once_every_policy_had_a_pass() {
    let fixture = fixture();
    assert_eq!(ask(&fixture, "GET", "/healthz", "").body, "ok\n");
    let early = ask(&fixture, "GET", "/readyz", "");
    assert_eq!((early.status, early.json()["code"].as_str()), (503, Some("NotReady")));
    fixture.admin.mark_ready();
    assert_eq!(ask(&fixture, "GET", "/readyz", "").status, 200);
}

#[test]
fn metrics_are_prometheus_text() {
    let fixture = fixture();
    let answer = ask(&fixture, "GET", "/metrics", "");
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    assert!(answer.body.contains("docktor_build_info"), "{}", answer.body);
}

#[test]
fn policies_and_their_parts_are_json() {
    let fixture = fixture();
    let list = ask(&fixture, "GET", "/api/v1/policies?labelSelector=tier%3Dfront", "").json();
    assert_eq!(list["items"][0]["metadata"]["name"], "web");
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(ask(&fixture, "GET", "/api/v1/policies/web", "").json()["status"]["replicas"]["desired"], 4);
    let status = ask(&fixture, "GET", "/api/v1/policies/web/status", "").json();
    assert_eq!(
        (&status["kind"], &status["metadata"]["generation"]),
        (&"ScalingPolicyStatus".into(), &3.into())
    );
    assert_eq!(ask(&fixture, "GET", "/api/v1/policies/web/decisions", "").json()["items"][1]["to"], 4);
    assert_eq!(ask(&fixture, "GET", "/api/v1/decisions", "").json()["items"][0]["policy"], "web");
}

#[test]
fn orders_are_carried_out_without_content() {
    let fixture = fixture();
    let order = |method, path, body| ask(&fixture, method, path, body).status;
    assert_eq!(order("POST", "/api/v1/policies/web/hold", r#"{"for": "10m", "direction": "Down"}"#), 204);
    assert_eq!(order("DELETE", "/api/v1/policies/web/hold", ""), 204);
    assert_eq!(order("PUT", "/api/v1/policies/web/mode", r#"{"mode": "Approve"}"#), 204);
    fixture.admin.publish(careful());
    let approve = r#"{"id": "careful-web-7f3k", "verdict": "Approve", "reason": "sale begins"}"#;
    assert_eq!(order("POST", "/api/v1/policies/careful-web/approve", approve), 204);
    assert_eq!(fixture.orders.lock().unwrap().len(), 4);
}

#[test]
fn every_error_is_a_problem_document() {
    let fixture = fixture();
    fixture.admin.publish(careful());
    let large = format!(r#"{{"for": "1m", "reason": "{}"}}"#, "x".repeat(70_000));
    for (method, path, body, status, code) in [
        ("GET", "/nowhere", "", 404, "NotFound"),
        ("GET", "/api/v1/policies/absent", "", 404, "NotFound"),
        ("DELETE", "/api/v1/policies/absent/hold", "", 404, "NotFound"),
        ("DELETE", "/api/v1/policies/web", "", 405, "MethodNotAllowed"),
        ("GET", "/api/v1/policies?labelSelector=a%20b", "", 400, "BadRequest"),
        ("GET", "/api/v1/policies?limit=1", "", 400, "BadRequest"),
        ("GET", "/api/v1/events?only=nothing", "", 400, "BadRequest"),
        ("POST", "/api/v1/policies/web/hold", "{", 400, "BadRequest"),
        ("POST", "/api/v1/policies/web/hold", r#"{"for": "ten"}"#, 400, "BadRequest"),
        ("POST", "/api/v1/policies/web/hold", r#"{"for": "1m", "until": 3}"#, 400, "BadRequest"),
        ("PUT", "/api/v1/policies/web/mode", r#"{"mode": "auto"}"#, 400, "BadRequest"),
        ("POST", "/api/v1/policies/web/approve", r#"{"id": "web-7f3k"}"#, 400, "BadRequest"),
        (
            "POST",
            "/api/v1/policies/web/approve",
            r#"{"id": "web-7f3k", "verdict": "Approve"}"#,
            404,
            "NotFound",
        ),
        (
            "POST",
            "/api/v1/policies/careful-web/approve",
            r#"{"id": "x", "verdict": "Reject"}"#,
            409,
            "Refused",
        ),
        ("POST", "/api/v1/policies/web/hold", &large, 413, "PayloadTooLarge"),
        ("DELETE", &format!("/api/v1/policies/{STUBBORN}/hold"), "", 409, "Refused"),
    ] {
        let answer = ask(&fixture, method, path, body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        assert!(
            answer.head.contains("content-type: application/problem+json"),
            "{method} {path}: {}",
            answer.head
        );
        let problem = answer.json();
        assert_eq!((problem["code"].as_str(), problem["status"].as_u64()), (Some(code), Some(status.into())));
        assert!(problem["type"].as_str().unwrap().starts_with("https://docktor.dev/problems/"));
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
    assert!(ask(&fixture, "DELETE", "/api/v1/policies/web", "").head.contains("allow: get"));
}

#[test]
fn the_socket_is_for_owner_and_group_and_goes_with_the_server() {
    let mut fixture = fixture();
    let metadata = std::fs::symlink_metadata(fixture.socket()).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.mode() & 0o777, 0o660);
    fixture.stop();
    assert!(!fixture.socket().exists());
}

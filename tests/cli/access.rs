//! Who gets in over TCP, and whose socket is replaced.

use std::io::{Read, Write};
use std::net::TcpStream;

use docktor::http::server::{BindError, SocketServer, TcpServer};

use super::fixture::{Fixture, docktorctl};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn ask(fixture: &Fixture, request: &str, headers: &[&str]) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", fixture.port)).unwrap();
    let headers = headers.iter().map(|it| format!("{it}\r\n")).collect::<String>();
    write!(stream, "{request} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    (status, text)
}

fn fixture(token: Option<&str>) -> Fixture {
    let fixture = Fixture::with_token(token);
    fixture.three_policies();
    fixture
}

#[test]
fn on_loopback_reads_need_no_token() {
    let fixture = fixture(None);
    assert_eq!(ask(&fixture, "GET /api/v1/policies", &["Host: localhost"]).0, 200);
    assert_eq!(ask(&fixture, "GET /metrics", &["Host: 127.0.0.1:9787"]).0, 200);
}

#[test]
fn a_foreign_host_name_is_refused_even_for_health_and_with_the_token() {
    let fixture = fixture(Some(TOKEN));
    let bearer = format!("Authorization: Bearer {TOKEN}");
    for path in ["/healthz", "/api/v1/policies", "/metrics"] {
        for host in ["Host: evil.example", "Host: 127.0.0.1.evil.example:9787", "Host: 10.0.0.1", "Host: "] {
            let (status, text) = ask(&fixture, &format!("GET {path}"), &[host, &bearer]);
            assert_eq!(status, 403, "{host}: {text}");
            assert!(text.contains("Host header"), "{text}");
        }
    }
    for host in ["Host: localhost:9787", "Host: LOCALHOST", "Host: [::1]:9787", "Host: 127.0.0.1"] {
        assert_eq!(ask(&fixture, "GET /healthz", &[host]).0, 200, "{host}");
    }
}

#[test]
fn without_a_token_file_there_are_no_writes_over_tcp() {
    let fixture = fixture(None);
    let (status, text) = ask(&fixture, "DELETE /api/v1/policies/web/hold", &["Host: localhost"]);
    assert_eq!(status, 403, "{text}");
    assert!(text.contains("--token-file"), "{text}");
    assert!(fixture.orders.lock().unwrap().is_empty());
}

#[test]
fn a_write_over_tcp_needs_the_right_token() {
    let fixture = fixture(Some(TOKEN));
    let order = |authorization: &str| {
        ask(&fixture, "DELETE /api/v1/policies/web/hold", &["Host: localhost", authorization])
    };
    for wrong in ["X: y", "Authorization: Bearer wrong", "Authorization: Basic abc", "Authorization: Bearer"]
    {
        let (status, text) = order(wrong);
        assert_eq!(status, 401, "{wrong}: {text}");
        assert!(text.to_ascii_lowercase().contains("www-authenticate: bearer"), "{text}");
    }
    assert!(fixture.orders.lock().unwrap().is_empty());
    assert_eq!(order(&format!("Authorization: Bearer {TOKEN}")).0, 204);
    assert_eq!(order(&format!("authorization: bearer {TOKEN}")).0, 204);
}

#[test]
fn the_client_sends_the_token_of_its_file() {
    let fixture = fixture(Some(TOKEN));
    let server = format!("http://127.0.0.1:{}", fixture.port);
    let file = fixture.folder.path().join("token");
    let order = ["--server", &server, "resume", "web"];
    assert_eq!(docktorctl(&order, fixture.folder.path()).code, 1);
    let with_token = [&order[..], &["--token-file", file.to_str().unwrap()]].concat();
    let run = docktorctl(&with_token, fixture.folder.path());
    assert_eq!((run.code, run.stdout.as_str()), (0, "policy/web resumed\n"), "{run}");
}

#[tokio::test]
async fn a_socket_that_somebody_answers_on_is_left_alone() {
    let fixture = fixture(None);
    let error = SocketServer::bind(&fixture.socket()).await.unwrap_err();
    assert!(matches!(error, BindError::Answered { .. }), "{error}");
    assert_eq!(fixture.docktorctl(&["get", "policies"]).code, 0);
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_other_files_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docktor.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    SocketServer::bind(&path).await.unwrap();

    let file = folder.path().join("file");
    std::fs::write(&file, "precious").unwrap();
    let error = SocketServer::bind(&file).await.unwrap_err();
    assert!(matches!(error, BindError::NotASocket { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
}

#[tokio::test]
async fn a_taken_port_is_an_error_and_not_the_end() {
    let first = TcpServer::bind("127.0.0.1:0", None).await.unwrap();
    let error = TcpServer::bind(&first.address().to_string(), None).await.unwrap_err();
    assert!(matches!(error, BindError::Refused { .. }), "{error}");
}

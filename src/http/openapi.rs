//! `/openapi.json`: the API in OpenAPI 3.1, written by hand. A test holds it against the router.

use axum::Json;
use serde_json::{Value, json};

use super::error::PROBLEM_JSON;

pub(super) async fn serve() -> Json<Value> {
    Json(document())
}

fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "docktor",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What docktor's controller shows and takes. On the unix socket the peer's user is the \
                credential; over TCP every write needs the bearer token, and off loopback every read does, health aside.",
        },
        "paths": paths(),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "parameters": {
                "name": {"name": "name", "in": "path", "required": true, "schema": {"type": "string"},
                         "description": "The policy's name"},
                "labelSelector": {"name": "labelSelector", "in": "query", "schema": {"type": "string"},
                                  "description": "Requirements on labels, as in `tier=front,env!=test`"},
                "since": {"name": "since", "in": "query", "schema": {"type": "string"},
                          "description": "From when on: a length of time ago, as in `24h`, or a moment; else all there is"},
                "limit": {"name": "limit", "in": "query",
                          "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1000},
                          "description": "At most so many, the newest"},
            },
            "schemas": schemas(),
            "responses": {
                "Problem": {
                    "description": "An RFC 9457 problem document",
                    "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                },
            },
        },
    })
}

fn paths() -> Value {
    let name = json!([{"$ref": "#/components/parameters/name"}]);
    let selector = json!({"$ref": "#/components/parameters/labelSelector"});
    let since = json!({"$ref": "#/components/parameters/since"});
    let newest = json!([since.clone(), {"$ref": "#/components/parameters/limit"}]);
    let only = json!({"name": "only", "in": "query", "schema": {"enum": ["all", "policies", "events"], "default": "all"}});
    json!({
        "/healthz": {"get": read("The controller lives", "text/plain", json!({"type": "string"}), json!([]))},
        "/readyz": {"get": read("Every policy had its first pass; 503 before", "text/plain", json!({"type": "string"}), json!([]))},
        "/metrics": {"get": read("Metrics in Prometheus' text form", "text/plain", json!({"type": "string"}), json!([]))},
        "/version": {"get": read("What runs", "application/json", schema("Version"), json!([]))},
        "/openapi.json": {"get": read("This document", "application/json", json!({"type": "object"}), json!([]))},
        "/api/v1/policies": {"get": read("All policies", "application/json", list("Policy"), json!([selector.clone()]))},
        "/api/v1/policies/{name}": {"parameters": name.clone(),
            "get": read("One policy with its status", "application/json", schema("Policy"), json!([]))},
        "/api/v1/policies/{name}/status": {"parameters": name.clone(),
            "get": read("The policy's status, as in its sidecar", "application/json", schema("Status"), json!([]))},
        "/api/v1/policies/{name}/explain": {"parameters": name.clone(),
            "get": read("The present decision, and what would have to change for another one; 404 where none is made", "application/json", schema("Explanation"), json!([]))},
        "/api/v1/policies/{name}/decisions": {"parameters": name.clone(),
            "get": read("The policy's newest decisions, oldest first", "application/json", list("Decision"), newest.clone())},
        "/api/v1/policies/{name}/history": {"parameters": name.clone(),
            "get": read(
                "What was observed, oldest first: JSON Lines that `docktorctl simulate --trace` reads. Rows before the moment \
                    in the header `docktor-raw-since` are means of five minutes; without that header, all are",
                "application/jsonl", json!({"type": "string"}), json!([since]))},
        "/api/v1/policies/{name}/hold": {"parameters": name.clone(),
            "post": write("Keep the count for a while", Some("Hold")),
            "delete": write("End the hold, and try again where docktor stopped trying", None)},
        "/api/v1/policies/{name}/approve": {"parameters": name.clone(),
            "post": write("Approve or reject the change that waits; 404 where nothing waits, 409 where it is another", Some("Answer"))},
        "/api/v1/policies/{name}/mode": {"parameters": name,
            "put": write("Another mode until the policy's text changes", Some("Mode"))},
        "/api/v1/hold": {
            "post": write("Hold every policy that is there now", Some("Hold")),
            "delete": write("Resume every policy that is there now", None)},
        "/api/v1/decisions": {"get": read("The newest decisions of all policies, oldest first", "application/json", list("Decision"), newest)},
        "/api/v1/events": {"get": read(
            "Server-sent events: the present state (`event`, `policy`), `synced`, then every change; `lagged` before a slow reader is cut off",
            "text/event-stream", json!({"type": "string"}), json!([selector, only]))},
    })
}

fn read(summary: &str, media_type: &str, schema: Value, parameters: Value) -> Value {
    json!({
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": summary, "content": {media_type: {"schema": schema}}},
            "default": {"$ref": "#/components/responses/Problem"},
        },
    })
}

fn write(summary: &str, body: Option<&str>) -> Value {
    let mut operation = json!({
        "summary": summary,
        "security": [{}, {"token": []}],
        "responses": {
            "204": {"description": "It is done"},
            "default": {"$ref": "#/components/responses/Problem"},
        },
    });
    if let Some(name) = body {
        operation["requestBody"] =
            json!({"required": true, "content": {"application/json": {"schema": schema(name)}}});
    }
    operation
}

fn schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn list(item: &str) -> Value {
    json!({
        "type": "object",
        "required": ["apiVersion", "kind", "items"],
        "properties": {
            "apiVersion": {"const": "docktor.dev/v1"},
            "kind": {"const": "List"},
            "items": {"type": "array", "items": schema(item)},
        },
    })
}

fn schemas() -> Value {
    json!({
        "Version": {"type": "object", "required": ["version"], "properties": {"version": {"type": "string"}}},
        "Policy": {
            "type": "object",
            "description": "A policy as it was written, with its status",
            "required": ["apiVersion", "kind", "metadata", "status", "mode"],
            "properties": {
                "apiVersion": {"const": "docktor.dev/v1"},
                "kind": {"const": "ScalingPolicy"},
                "metadata": {"type": "object"},
                "spec": {"type": "object", "description": "As it was written; absent where it never could be read"},
                "effective": {"type": "object", "description": "With profile and defaults laid under it"},
                "status": {"type": "object"},
                "mode": {"enum": ["Auto", "Approve", "Observe", "Disabled"]},
                "hold": {"type": "object"},
                "proposal": {"type": "object", "description": "The change that waits for a person, in mode Approve: \
                    `id`, `plan`, `reason`, `since`, `until`"},
                "approval": {"type": "object", "description": "The change that a person has approved, and that is not begun yet"},
                "signals": {"type": "array", "items": {"type": "object"}},
                "mistakes": {"type": "array", "items": {"type": "string"}},
                "decisions": {"type": "array", "items": {"type": "object"}},
            },
        },
        "Status": {
            "type": "object",
            "required": ["apiVersion", "kind", "metadata", "status"],
            "properties": {
                "apiVersion": {"const": "docktor.dev/v1"},
                "kind": {"const": "ScalingPolicyStatus"},
                "metadata": {"type": "object"},
                "status": {"type": "object"},
            },
        },
        "Explanation": {
            "type": "object",
            "required": ["apiVersion", "kind", "policy", "phase", "observed", "decision", "outlook"],
            "properties": {
                "apiVersion": {"const": "docktor.dev/v1"},
                "kind": {"const": "PolicyExplanation"},
                "policy": {"type": "string"},
                "phase": {"type": "string"},
                "observed": {"type": "object", "description": "Replicas and present values of metrics"},
                "decision": {"type": "object", "description": "The present decision with its trail"},
                "outlook": {"type": "object", "description": "What growing and shrinking take, and when: \
                    `grow` and `shrink` with `rules`, `barriers` and `may`; `track`, `rest`, `fallback`, `bounds`, `next`"},
                "proposal": {"type": "object", "description": "The change that waits for a person, in mode Approve"},
                "lastChange": {"type": "object", "description": "The last decision that changed something"},
            },
        },
        "Decision": {
            "type": "object",
            "required": ["policy", "time", "action", "from", "to", "reason", "trail"],
            "properties": {
                "policy": {"type": "string"},
                "time": {"type": "string", "format": "date-time"},
                "action": {"enum": ["None", "ScaleUp", "ScaleDown"]},
                "from": {"type": "integer"},
                "to": {"type": "integer"},
                "reason": {"type": "string"},
                "limitedBy": {"type": "string"},
                "approval": {"type": "string", "description": "The approval that it used, in mode Approve"},
                "trail": {"type": "array", "items": {"type": "object"}},
            },
        },
        "Hold": {
            "type": "object",
            "additionalProperties": false,
            "required": ["for"],
            "properties": {
                "for": {"type": "string", "description": "A length of time, as in `10m`"},
                "direction": {"enum": ["Up", "Down", "Both"], "default": "Both"},
                "reason": {"type": "string"},
            },
        },
        "Answer": {
            "type": "object",
            "additionalProperties": false,
            "required": ["id", "verdict"],
            "properties": {
                "id": {"type": "string", "description": "Of the proposal, as in `web-7f3k`"},
                "verdict": {"enum": ["Approve", "Reject"]},
                "reason": {"type": "string"},
            },
        },
        "Mode": {
            "type": "object",
            "additionalProperties": false,
            "required": ["mode"],
            "properties": {"mode": {"enum": ["Auto", "Approve", "Observe", "Disabled"]}},
        },
        "Problem": {
            "type": "object",
            "required": ["type", "title", "status", "detail", "code"],
            "properties": {
                "type": {"type": "string", "format": "uri"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "code": {"type": "string", "description": "The kind of problem, in one stable word"},
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use axum::body::Body;
    use axum::http::{Request, header::ALLOW};
    use tokio_util::sync::CancellationToken;
    use tower::ServiceExt;

    use super::*;
    use crate::admin::Admin;
    use crate::clock::Clock;
    use crate::http::{Services, router, routes};
    use crate::telemetry::event::Events;
    use crate::telemetry::metrics::Metrics;

    fn services() -> Services {
        let metrics = Arc::new(Metrics::new("0.0.0"));
        let events = Arc::new(Events::new(Clock::system(), Arc::clone(&metrics)));
        Services { admin: Admin::new().0, events, metrics, stop: CancellationToken::new() }
    }

    #[tokio::test]
    async fn the_document_has_every_route_with_its_methods_and_no_other() {
        let document = document();
        let documented = document["paths"].as_object().unwrap();
        let routed: BTreeSet<_> = routes().into_iter().map(|(path, _)| path.to_owned()).collect();
        assert_eq!(documented.keys().cloned().collect::<BTreeSet<_>>(), routed);

        for (path, item) in documented {
            // A method that no path takes is answered with those that it does take.
            let request = Request::patch(path.replace("{name}", "web")).body(Body::empty()).unwrap();
            let response = router(services()).oneshot(request).await.unwrap();
            let allowed = response.headers()[ALLOW].to_str().unwrap().to_ascii_lowercase();
            let allowed: BTreeSet<_> =
                allowed.split(',').filter(|it| *it != "head").map(str::to_owned).collect();
            let methods = item.as_object().unwrap().keys().filter(|it| *it != "parameters").cloned();
            assert_eq!(methods.collect::<BTreeSet<_>>(), allowed, "{path}");
        }
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        let document = document();
        let text = document.to_string();
        let references: Vec<_> =
            text.split("\"$ref\":\"#").skip(1).map(|it| it.split('"').next().unwrap()).collect();
        assert!(references.len() > 20);
        for reference in references {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }
}

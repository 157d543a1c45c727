//! JSON Schema (draft 2020-12) of the documents, for editors and other programs.
//!
//! The schema comes from the types, and says in addition what a schema can say of the checks in
//! `validate`: what is required, what excludes each other. It is stricter than the reader in one
//! way: text that YAML takes for a number (`step: +2`) must be in quotes. It is laxer where a check
//! needs to look further than one object: whether a metric exists, or `min` is below `max`.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::budget::HostBudget;
use super::notifier::Notifier;
use super::policy::ScalingPolicy;
use super::profile::ScalingProfile;
use super::{API_VERSION, KINDS};

/// A URL without user and password: those are secrets.
const URL: &str = r"^[a-z]+://[^@/?#\s]+([/?#].*)?$";

/// The name of every schema file, and its text.
#[must_use]
pub fn schemas() -> Vec<(&'static str, String)> {
    vec![
        ("ScalingPolicy.json", text(policy())),
        ("ScalingProfile.json", text(profile())),
        ("HostBudget.json", text(budget())),
        ("Notifier.json", text(notifier())),
        ("docktor.json", text(any_kind())),
    ]
}

fn text(schema: Value) -> String {
    format!("{schema:#}\n")
}

/// A file with documents of any kind.
fn any_kind() -> Value {
    let one_kind = |kind: &str| {
        json!({
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": {"$ref": format!("{kind}.json")},
        })
    };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A document of docktor",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {"apiVersion": {"const": API_VERSION}, "kind": {"enum": KINDS}},
        "allOf": KINDS.map(one_kind),
    })
}

fn policy() -> Value {
    let mut schema = of::<ScalingPolicy>("ScalingPolicy");
    refine_spec(&mut schema);
    let spec = definition(&mut schema, "PolicySpec");
    spec.insert("required".to_owned(), json!(["target"]));
    spec.insert(
        "anyOf".to_owned(),
        json!(["replicas", "resources", "profile"].map(|it| json!({"required": [it]}))),
    );
    // With a profile, the rest may stand there.
    let max = json!({"properties": {"replicas": {"required": ["max"]}}});
    spec.insert("allOf".to_owned(), json!([{"if": {"not": {"required": ["profile"]}}, "then": max}]));
    schema
}

fn budget() -> Value {
    let mut schema = of::<HostBudget>("HostBudget");
    definition(&mut schema, "HostBudgetSpec").insert("minProperties".to_owned(), json!(1));
    schema
}

fn notifier() -> Value {
    let mut schema = of::<Notifier>("Notifier");
    for (name, field) in [("Webhook", "url"), ("Pagerduty", "url"), ("Email", "server")] {
        refine(&mut schema, name, field, json!({"pattern": URL}));
    }
    refine(&mut schema, "Rate", "count", json!({"minimum": 1}));
    schema
}

fn profile() -> Value {
    let mut schema = of::<ScalingProfile>("ScalingProfile");
    refine_spec(&mut schema);
    if let Some(properties) =
        definition(&mut schema, "PolicySpec").get_mut("properties").and_then(Value::as_object_mut)
    {
        properties.remove("target");
        properties.remove("profile");
    }
    schema
}

/// What the types of `spec` leave open.
fn refine_spec(schema: &mut Value) {
    let metrics = definition(schema, "PolicySpec").get_mut("properties").and_then(|it| it.get_mut("metrics"));
    if let Some(metrics) = metrics.and_then(Value::as_object_mut) {
        metrics.insert("propertyNames".to_owned(), json!({"pattern": "^[a-z][a-z0-9_]{0,30}$"}));
    }
    for (name, field, bound) in bounds() {
        refine(schema, name, field, bound);
    }
    let spec = definition(schema, "PolicySpec");
    spec.insert("dependentRequired".to_owned(), json!({"order": ["replicas", "resources"]}));
    spec.insert("if".to_owned(), json!({"required": ["replicas", "resources"]}));
    spec.insert("then".to_owned(), json!({"required": ["order"]}));
    definition(schema, "Within")
        .insert("anyOf".to_owned(), json!(["lower", "upper"].map(|it| json!({"required": [it]}))));
    exactly_one(schema, "Track", &["target", "averageValue"]);
    exactly_one(schema, "Limit", &["percent", "replicas"]);
    exactly_one(schema, "Schedule", &["end", "duration"]);
    exactly_one(schema, "Cron", &["end", "duration"]);
    exactly_one(schema, "Rabbitmq", &["queue", "queues"]);
    let bounds = json!(["min", "max"].map(|it| json!({"required": [it]})));
    definition(schema, "Schedule").insert("anyOf".to_owned(), bounds);
    definition(schema, "Rule").insert(
        "oneOf".to_owned(),
        json!([
            {"required": ["metric", "op", "value"], "not": {"anyOf": [{"required": ["within"]}, {"required": ["expr"]}]}},
            {"required": ["metric", "within"], "not": {"anyOf": [{"required": ["op"]}, {"required": ["expr"]}]}},
            {"required": ["expr"], "not": {"required": ["metric"]}},
        ]),
    );
}

/// Bounds of single values.
fn bounds() -> [(&'static str, &'static str, Value); 18] {
    let above_zero = || json!({"exclusiveMinimum": 0});
    let from_one = || json!({"minimum": 1});
    let url = || json!({"pattern": URL});
    [
        ("Replicas", "max", from_one()),
        ("Direction", "consecutive", from_one()),
        ("Direction", "tolerance", json!({"minimum": 0})),
        ("Within", "points", from_one()),
        ("Limit", "percent", above_zero()),
        ("Limit", "replicas", from_one()),
        ("Track", "target", above_zero()),
        ("Track", "averageValue", above_zero()),
        ("Forecast", "averageValue", above_zero()),
        ("Forecast", "confidence", json!({"exclusiveMinimum": 0, "exclusiveMaximum": 1})),
        ("Safety", "maxFailures", from_one()),
        ("Safety", "maxScaleDownsPerHour", from_one()),
        ("SystemdTarget", "unit", json!({"pattern": r"\.(service|scope|slice)$"})),
        ("Nats", "url", url()),
        ("Rabbitmq", "url", url()),
        ("RedisStreams", "url", url()),
        ("Prometheus", "url", url()),
        ("Http", "url", url()),
    ]
}

/// Adds keywords to the field of a definition.
fn refine(schema: &mut Value, name: &str, field: &str, keywords: Value) {
    let property = definition(schema, name).get_mut("properties").and_then(|it| it.get_mut(field));
    let property = property.and_then(Value::as_object_mut);
    let property = property.unwrap_or_else(|| panic!("the schema of `{name}` has no field `{field}`"));
    if let Value::Object(keywords) = keywords {
        property.extend(keywords);
    }
}

fn exactly_one(schema: &mut Value, name: &str, fields: &[&str]) {
    let forms: Vec<Value> = fields.iter().map(|field| json!({"required": [field]})).collect();
    definition(schema, name).insert("oneOf".to_owned(), json!(forms));
}

/// The definition `name`, which must be there: a renamed type shall not drop its refinement silently.
fn definition<'s>(schema: &'s mut Value, name: &str) -> &'s mut Map<String, Value> {
    let found = schema.get_mut("$defs").and_then(|defs| defs.get_mut(name)).and_then(Value::as_object_mut);
    found.unwrap_or_else(|| panic!("the schema has no definition `{name}`"))
}

/// The schema of the document type `T`, with its version and kind fixed.
fn of<T: JsonSchema>(kind: &str) -> Value {
    let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("apiVersion".to_owned(), json!({"const": API_VERSION}));
        properties.insert("kind".to_owned(), json!({"const": kind}));
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_schema_that_fixes_version_and_kind() {
        for kind in KINDS {
            let (_, text) = schemas().into_iter().find(|(name, _)| *name == format!("{kind}.json")).unwrap();
            let schema: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(schema["properties"]["kind"]["const"], kind);
            assert_eq!(schema["properties"]["apiVersion"]["const"], API_VERSION);
            assert_eq!(schema["additionalProperties"], false, "{kind}");
            assert_eq!(schema["required"], json!(["apiVersion", "kind", "metadata", "spec"]));
        }
    }
}

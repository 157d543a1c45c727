//! kubectl's JSONPath templates: `{.status.phase}`, `{range .items[*]}{.metadata.name}{"\n"}{end}`.
//!
//! The subset that kubectl documents, save scripts and nested filters: fields, `['quoted']`, indices (negative
//! ones too), slices, `*`, `..name`, one comparison in `[?(@.x=="y")]`, `range … end`, and quoted text. As with
//! kubectl, what is missing prints nothing, several results are separated by spaces, and no line's end is added.

use std::str::FromStr;

use serde_json::Value;

/// A template, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonPath {
    nodes: Vec<Node>,
}

// Numbers come from JSON and are never NaN.
impl Eq for JsonPath {}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Text(String),
    Path(Path),
    Range(Path, Vec<Node>),
}

#[derive(Debug, Clone, PartialEq)]
struct Path {
    /// Begins at the whole object even inside a `range`.
    from_root: bool,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    Anywhere(String),
    All,
    Index(i64),
    Slice(Option<i64>, Option<i64>),
    Filter(Path, Option<(Comparison, Value)>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the template `{template}` is not valid JSONPath: {problem}")]
pub struct JsonPathError {
    template: String,
    problem: &'static str,
}

type Parse<T> = Result<T, &'static str>;

impl JsonPath {
    /// What the template makes of `value`.
    #[must_use]
    pub fn render(&self, value: &Value) -> String {
        let mut text = String::new();
        render(&self.nodes, value, value, &mut text);
        text
    }

    /// What the template's first path finds in `value`.
    #[must_use]
    pub fn first<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        let path =
            self.nodes.iter().find_map(|node| if let Node::Path(it) = node { Some(it) } else { None })?;
        path.find(value, value).first().copied()
    }
}

fn render(nodes: &[Node], root: &Value, here: &Value, text: &mut String) {
    for node in nodes {
        match node {
            Node::Text(literal) => text.push_str(literal),
            Node::Path(path) => {
                let found: Vec<_> = path.find(root, here).into_iter().map(shown).collect();
                text.push_str(&found.join(" "));
            }
            Node::Range(path, body) => {
                for item in path.find(root, here) {
                    render(body, root, item, text);
                }
            }
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

impl Path {
    fn find<'a>(&self, root: &'a Value, here: &'a Value) -> Vec<&'a Value> {
        let start = if self.from_root { root } else { here };
        self.steps.iter().fold(vec![start], |found, step| {
            found.into_iter().flat_map(|value| step.from(root, value)).collect()
        })
    }
}

impl Step {
    fn from<'a>(&self, root: &'a Value, value: &'a Value) -> Vec<&'a Value> {
        match self {
            Self::Field(name) => value.get(name).into_iter().collect(),
            Self::Anywhere(name) => anywhere(name, value),
            Self::All => children(value),
            Self::Index(index) => {
                let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
                place(*index, items.len()).and_then(|at| items.get(at)).into_iter().collect()
            }
            Self::Slice(from, to) => {
                let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
                let end = |it: &Option<i64>, open| it.map_or(open, |it| place(it, items.len()).unwrap_or(0));
                let (from, to) = (end(from, 0).min(items.len()), end(to, items.len()).min(items.len()));
                items.get(from..to).unwrap_or_default().iter().collect()
            }
            Self::Filter(path, comparison) => {
                let holds = |item: &&Value| {
                    let found = path.find(root, item);
                    match comparison {
                        None => !found.is_empty(),
                        Some((comparison, wanted)) => found.iter().any(|it| comparison.holds(it, wanted)),
                    }
                };
                children(value).into_iter().filter(holds).collect()
            }
        }
    }
}

/// Where `index` is in a list of `length`; negative ones count from the end.
fn place(index: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    usize::try_from(if index < 0 { index + length } else { index }).ok()
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

fn anywhere<'a>(name: &str, value: &'a Value) -> Vec<&'a Value> {
    let here = value.get(name).into_iter();
    here.chain(children(value).into_iter().flat_map(|it| anywhere(name, it))).collect()
}

impl Comparison {
    fn holds(self, left: &Value, right: &Value) -> bool {
        let order = match (left, right) {
            (Value::Number(left), Value::Number(right)) => left.as_f64().partial_cmp(&right.as_f64()),
            (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
            _ if left == right => Some(std::cmp::Ordering::Equal),
            _ => None,
        };
        match self {
            Self::Equal => order.is_some_and(std::cmp::Ordering::is_eq),
            Self::NotEqual => !order.is_some_and(std::cmp::Ordering::is_eq),
            Self::Less => order.is_some_and(std::cmp::Ordering::is_lt),
            Self::AtMost => order.is_some_and(std::cmp::Ordering::is_le),
            Self::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
            Self::AtLeast => order.is_some_and(std::cmp::Ordering::is_ge),
        }
    }
}

impl FromStr for JsonPath {
    type Err = JsonPathError;

    /// A template, or a bare path (`.status.phase`), as kubectl takes both.
    fn from_str(text: &str) -> Result<Self, JsonPathError> {
        let template = if text.contains('{') { text.to_owned() } else { format!("{{{text}}}") };
        let mut parser = Parser { rest: &template };
        let nodes = parser.nodes(Nesting::Top);
        nodes
            .map(|nodes| Self { nodes })
            .map_err(|problem| JsonPathError { template: text.to_owned(), problem })
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Nesting {
    Top,
    Range,
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn nodes(&mut self, nesting: Nesting) -> Parse<Vec<Node>> {
        let mut nodes = Vec::new();
        loop {
            let text = self.until(|c| c == '{');
            if !text.is_empty() {
                nodes.push(Node::Text(text));
            }
            if !self.eat("{") {
                return if nesting == Nesting::Top { Ok(nodes) } else { Err("a `range` has no `{end}`") };
            }
            self.space();
            if self.eat("end") {
                self.close()?;
                return if nesting == Nesting::Range { Ok(nodes) } else { Err("an `{end}` has no `range`") };
            }
            nodes.push(self.node()?);
        }
    }

    fn node(&mut self) -> Parse<Node> {
        if self.eat("range ") {
            self.space();
            let path = self.path()?;
            self.close()?;
            return Ok(Node::Range(path, self.nodes(Nesting::Range)?));
        }
        let node = match self.peek() {
            Some('"' | '\'') => Node::Text(self.quoted()?),
            _ => Node::Path(self.path()?),
        };
        self.close()?;
        Ok(node)
    }

    fn path(&mut self) -> Parse<Path> {
        let from_root = self.eat("$");
        if !from_root {
            self.eat("@");
        }
        let mut steps = Vec::new();
        loop {
            if self.eat("..") {
                steps.push(Step::Anywhere(self.name()?));
            } else if self.eat(".") {
                match self.peek() {
                    Some('*') => {
                        self.eat("*");
                        steps.push(Step::All);
                    }
                    Some('[' | '}') => {}
                    _ => steps.push(Step::Field(self.name()?)),
                }
            } else if self.eat("[") {
                steps.push(self.subscript()?);
            } else if steps.is_empty() && self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_') {
                steps.push(Step::Field(self.name()?));
            } else {
                return Ok(Path { from_root, steps });
            }
        }
    }

    /// A field's name; a backslash takes the meaning from a dot: `cpu\.avg`.
    fn name(&mut self) -> Parse<String> {
        let mut name = String::new();
        let mut chars = self.rest.chars();
        while let Some(c) = chars.clone().next() {
            match c {
                '\\' => {
                    chars.next();
                    name.extend(chars.next());
                }
                '.' | '[' | ']' | '{' | '}' | ' ' | '=' | '!' | '<' | '>' | ')' | ',' => break,
                _ => name.extend(chars.next()),
            }
        }
        self.rest = chars.as_str();
        if name.is_empty() { Err("a field's name is missing") } else { Ok(name) }
    }

    fn subscript(&mut self) -> Parse<Step> {
        let step = if self.eat("*") {
            Step::All
        } else if self.eat("?(") {
            self.filter()?
        } else if matches!(self.peek(), Some('"' | '\'')) {
            Step::Field(self.quoted()?)
        } else {
            let from = self.integer()?;
            if self.eat(":") {
                Step::Slice(from, self.integer()?)
            } else {
                Step::Index(from.ok_or("`[` needs an index, a slice, `*`, a quoted name or a filter")?)
            }
        };
        if self.eat("]") { Ok(step) } else { Err("a `]` is missing") }
    }

    fn filter(&mut self) -> Parse<Step> {
        self.space();
        let path = self.path()?;
        self.space();
        // Longer operators first.
        let operators = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        let operator = operators.into_iter().find(|(sign, _)| self.eat(sign));
        let comparison = match operator {
            None => None,
            Some((_, comparison)) => Some((comparison, self.literal()?)),
        };
        self.space();
        if self.eat(")") {
            Ok(Step::Filter(path, comparison))
        } else {
            Err("a filter is `?(@.field==\"value\")`")
        }
    }

    fn literal(&mut self) -> Parse<Value> {
        self.space();
        if matches!(self.peek(), Some('"' | '\'')) {
            return self.quoted().map(Value::String);
        }
        let word = self.until(|c| c == ')' || c == ' ');
        serde_json::from_str(&word)
            .map_err(|_| "a filter compares with a quoted text, a number, true or false")
    }

    fn quoted(&mut self) -> Parse<String> {
        let mut chars = self.rest.chars();
        let quote = chars.next().ok_or("a quoted text is missing")?;
        let mut text = String::new();
        while let Some(c) = chars.next() {
            match c {
                '\\' => text.extend(chars.next().map(|escaped| match escaped {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    other => other,
                })),
                c if c == quote => {
                    self.rest = chars.as_str();
                    return Ok(text);
                }
                c => text.push(c),
            }
        }
        Err("a quote is not closed")
    }

    fn integer(&mut self) -> Parse<Option<i64>> {
        let digits = self.until(|c| !(c.is_ascii_digit() || c == '-'));
        if digits.is_empty() {
            Ok(None)
        } else {
            digits.parse().map(Some).map_err(|_| "an index is a whole number")
        }
    }

    fn close(&mut self) -> Parse<()> {
        self.space();
        if self.eat("}") { Ok(()) } else { Err("a `}` is missing, or something unknown is before it") }
    }

    fn until(&mut self, end: impl Fn(char) -> bool) -> String {
        let (head, tail) = self.rest.split_at(self.rest.find(end).unwrap_or(self.rest.len()));
        self.rest = tail;
        head.to_owned()
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list() -> Value {
        json!({"kind": "List", "items": [
            {"metadata": {"name": "web"}, "status": {"replicas": {"desired": 4}, "metrics": {"cpu.avg": 89.3},
             "conditions": [{"type": "Ready", "status": "True"}, {"type": "Drifted", "status": "False"}]}},
            {"metadata": {"name": "api"}, "status": {"replicas": {"desired": 2}, "metrics": {}, "conditions": []}},
        ]})
    }

    #[test]
    fn templates_pick_what_kubectl_picks() {
        for (template, expected) in [
            ("{.kind}", "List"),
            (".kind", "List"),
            ("kind", "List"),
            ("{$.kind}", "List"),
            ("{.items[*].metadata.name}", "web api"),
            ("{.items[0].metadata.name}", "web"),
            ("{.items[-1].metadata.name}", "api"),
            ("{.items[0:1].metadata.name}", "web"),
            ("{.items[:].metadata.name}", "web api"),
            ("{.items[5].metadata.name}", ""),
            ("{.items[0].status.replicas}", r#"{"desired":4}"#),
            ("{.items[0].status.replicas.desired}", "4"),
            ("{.items[0].status.metrics['cpu.avg']}", "89.3"),
            (r"{.items[0].status.metrics.cpu\.avg}", "89.3"),
            ("{..name}", "web api"),
            ("{.items[?(@.metadata.name==\"api\")].status.replicas.desired}", "2"),
            ("{.items[?(@.status.replicas.desired > 3)].metadata.name}", "web"),
            ("{.items[0].status.conditions[?(@.type=='Ready')].status}", "True"),
            ("{.items[?(@.status.metrics.cpu\\.avg)].metadata.name}", "web"),
            ("{range .items[*]}{.metadata.name}{\"\\t\"}{$.kind}{\"\\n\"}{end}", "web\tList\napi\tList\n"),
            ("names: {.items[*].metadata.name}!", "names: web api!"),
            ("{.absent.field}", ""),
            ("{.items[0].metadata.*}", "web"),
        ] {
            assert_eq!(template.parse::<JsonPath>().unwrap().render(&list()), expected, "{template}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused_with_the_reason() {
        for (template, problem) in [
            ("{.a", "`}` is missing"),
            ("{range .items[*]}x", "no `{end}`"),
            ("{end}", "no `range`"),
            ("{.a[}", "`[` needs"),
            ("{.a[0}", "`]` is missing"),
            ("{\"x}", "quote is not closed"),
            ("{.a[?(@.b==c)]}", "a filter compares"),
            ("{.a b}", "something unknown"),
            ("{..}", "field's name"),
        ] {
            let error = template.parse::<JsonPath>().unwrap_err().to_string();
            assert!(error.contains(problem), "{template}: {error}");
        }
    }
}

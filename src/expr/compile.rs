//! From CEL's syntax tree to our own, with the types checked. What has no place here is refused, with
//! what would be right.

use std::panic::catch_unwind;
use std::sync::Arc;

use cel::common::ast::{CallExpr, Expr as Cel, IdedExpr, LiteralValue, SourceInfo, operators};
use cel::parser::Parser;

use super::tree::{Arithmetic, Comparison, Condition, Function, Number, Root};
use super::{Expr, ExprError, MAX_SOURCE};

/// Deepest nesting, of parentheses and of operations.
const MAX_DEPTH: u16 = 32;
/// Most operations, values and calls together.
const MAX_NODES: usize = 256;
/// What may be called, for messages.
const FUNCTIONS: &str = "min, max, ceil, floor, abs, round, orElse";
/// Characters that begin what has no place here, and what that is.
const REFUSED: [(char, &str); 8] = [
    ('"', "a string"),
    ('\'', "a string"),
    ('`', "a quoted name"),
    ('[', "a list or an index"),
    (']', "a list or an index"),
    ('{', "a map"),
    ('}', "a map"),
    ('\\', "a backslash"),
];

/// What an expression is to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Condition,
}

pub(super) fn compile(source: &str, kind: Kind) -> Result<Expr, ExprError> {
    refuse_at_sight(source)?;
    let (root, info) = parse(source)?;
    let mut compiler = Compiler { source, info, variables: Vec::new(), nodes: 0 };
    let root = match (compiler.node(&root, 0)?, kind) {
        (Typed::Number(it), Kind::Number) => Root::Number(it),
        (Typed::Condition(it), Kind::Condition) => Root::Condition(it),
        (Typed::Number(_), Kind::Condition) => {
            return Err(error(0, "it gives a number; a condition is needed, as in `queue.backlog > 100.0`"));
        }
        (Typed::Condition(_), Kind::Number) => {
            return Err(error(0, "it gives true or false; a number is needed, as in `2.0 * queue.backlog`"));
        }
    };
    Ok(Expr { source: source.into(), variables: compiler.variables, root })
}

/// What can be refused without a parser: too long, too deep, or characters that only begin other things.
fn refuse_at_sight(source: &str) -> Result<(), ExprError> {
    if source.len() > MAX_SOURCE {
        return Err(error(MAX_SOURCE, &format!("longer than {MAX_SOURCE} bytes")));
    }
    if source.trim().is_empty() {
        return Err(error(0, "it is empty; write an expression, as in `queue.backlog > 100.0`"));
    }
    let mut depth = 0u16;
    for (offset, letter) in source.char_indices() {
        if let Some((_, what)) = REFUSED.iter().find(|(refused, _)| *refused == letter) {
            return Err(error(offset, &format!("{what} has no place here; only numbers and conditions do")));
        }
        if !letter.is_ascii() {
            return Err(error(offset, &format!("`{letter}` has no place here")));
        }
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(error(offset, &format!("nested deeper than {MAX_DEPTH}")));
        }
    }
    Ok(())
}

fn parse(source: &str) -> Result<(IdedExpr, SourceInfo), ExprError> {
    // The parser is generated code with assertions of its own; no policy may be able to end docktor by one.
    let parsed = catch_unwind(|| {
        Parser::new()
            .max_recursion_depth(MAX_DEPTH * 3)
            .error_recovery_limit(1)
            .parse_with_source_info(source)
    });
    match parsed {
        Ok(Ok(parsed)) => Ok(parsed),
        Ok(Err(errors)) => Err(match errors.errors.first() {
            Some(first) => error(offset_of(source, first.pos), &first.msg),
            None => error(0, "it is no expression"),
        }),
        Err(_) => Err(error(0, "it is no expression")),
    }
}

/// The parser counts lines from 1 and columns from 1.
fn offset_of(source: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line.saturating_sub(1)).unwrap_or(0);
    let column = usize::try_from(column.saturating_sub(1)).unwrap_or(0);
    let before: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    before.saturating_add(column).min(source.len())
}

fn error(offset: usize, message: &str) -> ExprError {
    ExprError { message: message.to_owned(), offset }
}

/// A node with its type.
enum Typed {
    Number(Number),
    Condition(Condition),
}

struct Compiler<'a> {
    source: &'a str,
    info: SourceInfo,
    variables: Vec<Arc<str>>,
    nodes: usize,
}

impl Compiler<'_> {
    fn node(&mut self, node: &IdedExpr, depth: u16) -> Result<Typed, ExprError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.error(node, &format!("more than {MAX_NODES} operations and values")));
        }
        if depth > MAX_DEPTH {
            return Err(self.error(node, &format!("nested deeper than {MAX_DEPTH}")));
        }
        match &node.expr {
            Cel::Literal(value) => self.literal(node, value),
            Cel::Ident(_) | Cel::Select(_) => self.variable(node),
            Cel::Call(call) => self.call(node, call, depth + 1),
            Cel::List(_) => Err(self.error(node, "a list has no place here")),
            Cel::Map(_) | Cel::Struct(_) => Err(self.error(node, "a map has no place here")),
            Cel::Comprehension(_) => {
                Err(self.error(node, "`all`, `exists`, `map` and `filter` have no place here"))
            }
            Cel::Unspecified => Err(self.error(node, "it is no expression")),
        }
    }

    fn literal(&self, node: &IdedExpr, value: &LiteralValue) -> Result<Typed, ExprError> {
        match value {
            LiteralValue::Double(it) if it.inner().is_finite() => {
                Ok(Typed::Number(Number::Literal(*it.inner())))
            }
            LiteralValue::Double(_) => Err(self.error(node, "the number is too large")),
            LiteralValue::Boolean(it) => Ok(Typed::Condition(Condition::Literal(*it.inner()))),
            LiteralValue::Int(it) => Err(self.integer(node, &it.inner().to_string())),
            LiteralValue::UInt(it) => Err(self.integer(node, &it.inner().to_string())),
            LiteralValue::String(_) | LiteralValue::Bytes(_) => {
                Err(self.error(node, "a string has no place here"))
            }
            LiteralValue::Null => Err(self.error(node, "null has no place here; see orElse")),
        }
    }

    fn integer(&self, node: &IdedExpr, digits: &str) -> ExprError {
        self.error(node, &format!("all numbers are doubles: write {digits}.0"))
    }

    fn variable(&mut self, node: &IdedExpr) -> Result<Typed, ExprError> {
        let name = dotted(&node.expr, 0)
            .ok_or_else(|| self.error(node, "a metric is written `<source>.<field>` or `<source>`"))?;
        let known = self.variables.iter().position(|it| **it == *name);
        let index = known.unwrap_or_else(|| {
            self.variables.push(name.into());
            self.variables.len() - 1
        });
        Ok(Typed::Number(Number::Variable(index)))
    }

    fn call(&mut self, node: &IdedExpr, call: &CallExpr, depth: u16) -> Result<Typed, ExprError> {
        if call.target.is_some() {
            return Err(self.error(
                node,
                &format!("`{}` is not called on a value; there are {FUNCTIONS}", call.func_name),
            ));
        }
        let mut arguments = Vec::with_capacity(call.args.len());
        for argument in &call.args {
            arguments.push(self.node(argument, depth)?);
        }
        match call.func_name.as_str() {
            operators::CONDITIONAL => self.choose(node, arguments),
            "orElse" => self.or_else(node, arguments),
            operators::LOGICAL_NOT => {
                let [it] = self.conditions(node, arguments)?;
                Ok(Typed::Condition(Condition::Not(it)))
            }
            operators::LOGICAL_AND => self.logical(node, arguments, Condition::And),
            operators::LOGICAL_OR => self.logical(node, arguments, Condition::Or),
            operators::NEGATE => {
                let [it] = self.numbers(node, arguments)?;
                Ok(Typed::Number(Number::Negate(it)))
            }
            operators::EQUALS => self.equality(node, arguments, Comparison::Equal, Condition::Same),
            operators::NOT_EQUALS => self.equality(node, arguments, Comparison::NotEqual, Condition::Differ),
            name => self.numeric(node, name, arguments),
        }
    }

    /// Operators and functions that take numbers.
    fn numeric(&self, node: &IdedExpr, name: &str, arguments: Vec<Typed>) -> Result<Typed, ExprError> {
        if let Some(operation) = arithmetic(name) {
            let [left, right] = self.numbers(node, arguments)?;
            return Ok(Typed::Number(Number::Binary(operation, left, right)));
        }
        if let Some(comparison) = comparison(name) {
            let [left, right] = self.numbers(node, arguments)?;
            return Ok(Typed::Condition(Condition::Compare(comparison, left, right)));
        }
        let Some((function, takes)) = function(name) else {
            let name = name.trim_matches('@');
            return Err(self.error(node, &format!("there is no function `{name}`; there are {FUNCTIONS}")));
        };
        if !takes.contains(&arguments.len()) {
            let found = arguments.len();
            return Err(self.error(node, &format!("`{name}` takes another number of arguments than {found}")));
        }
        let numbers = arguments.into_iter().map(|it| match it {
            Typed::Number(it) => Ok(it),
            Typed::Condition(_) => Err(self.needs_numbers(node)),
        });
        Ok(Typed::Number(Number::Call(function, numbers.collect::<Result<_, _>>()?)))
    }

    fn logical(
        &self,
        node: &IdedExpr,
        arguments: Vec<Typed>,
        make: fn(Box<Condition>, Box<Condition>) -> Condition,
    ) -> Result<Typed, ExprError> {
        let [left, right] = self.conditions(node, arguments)?;
        Ok(Typed::Condition(make(left, right)))
    }

    fn equality(
        &self,
        node: &IdedExpr,
        arguments: Vec<Typed>,
        of_numbers: Comparison,
        of_conditions: fn(Box<Condition>, Box<Condition>) -> Condition,
    ) -> Result<Typed, ExprError> {
        if matches!(arguments.as_slice(), [Typed::Condition(_), Typed::Condition(_)]) {
            return self.logical(node, arguments, of_conditions);
        }
        let [left, right] = self.numbers(node, arguments)?;
        Ok(Typed::Condition(Condition::Compare(of_numbers, left, right)))
    }

    fn or_else(&self, node: &IdedExpr, arguments: Vec<Typed>) -> Result<Typed, ExprError> {
        match <[Typed; 2]>::try_from(arguments) {
            Ok([Typed::Number(first), Typed::Number(substitute)]) => {
                Ok(Typed::Number(Number::OrElse(first.into(), substitute.into())))
            }
            Ok([Typed::Condition(first), Typed::Condition(substitute)]) => {
                Ok(Typed::Condition(Condition::OrElse(first.into(), substitute.into())))
            }
            _ => Err(self.error(node, "orElse takes two of a kind: orElse(queue.backlog, 0.0)")),
        }
    }

    fn choose(&self, node: &IdedExpr, arguments: Vec<Typed>) -> Result<Typed, ExprError> {
        match <[Typed; 3]>::try_from(arguments) {
            Ok([Typed::Condition(condition), Typed::Number(then), Typed::Number(otherwise)]) => {
                Ok(Typed::Number(Number::Choose(condition.into(), then.into(), otherwise.into())))
            }
            Ok([Typed::Condition(condition), Typed::Condition(then), Typed::Condition(otherwise)]) => {
                Ok(Typed::Condition(Condition::Choose(condition.into(), then.into(), otherwise.into())))
            }
            _ => Err(self.error(node, "`? :` takes a condition and two of a kind: a > 1.0 ? b : 0.0")),
        }
    }

    fn numbers<const N: usize>(
        &self,
        node: &IdedExpr,
        arguments: Vec<Typed>,
    ) -> Result<[Box<Number>; N], ExprError> {
        let numbers: Option<Vec<Box<Number>>> = arguments
            .into_iter()
            .map(|it| match it {
                Typed::Number(it) => Some(Box::new(it)),
                Typed::Condition(_) => None,
            })
            .collect();
        numbers.and_then(|it| it.try_into().ok()).ok_or_else(|| self.needs_numbers(node))
    }

    fn conditions<const N: usize>(
        &self,
        node: &IdedExpr,
        arguments: Vec<Typed>,
    ) -> Result<[Box<Condition>; N], ExprError> {
        let conditions: Option<Vec<Box<Condition>>> = arguments
            .into_iter()
            .map(|it| match it {
                Typed::Condition(it) => Some(Box::new(it)),
                Typed::Number(_) => None,
            })
            .collect();
        conditions
            .and_then(|it| it.try_into().ok())
            .ok_or_else(|| self.error(node, "`&&`, `||` and `!` take conditions, as in `a > 1.0 && b < 2.0`"))
    }

    fn needs_numbers(&self, node: &IdedExpr) -> ExprError {
        self.error(node, "numbers are needed here, and a part of it gives true or false")
    }

    /// The parser counts characters; the source is ASCII by now, so they are bytes.
    fn error(&self, node: &IdedExpr, message: &str) -> ExprError {
        let offset = self.info.offset_for(node.id).map_or(0, |(start, _)| start as usize);
        error(offset.min(self.source.len()), message)
    }
}

/// `a.b.c` of nested field selections.
fn dotted(node: &Cel, depth: u16) -> Option<String> {
    match node {
        Cel::Ident(name) => Some(name.clone()),
        Cel::Select(select) if !select.test && depth < MAX_DEPTH => {
            Some(format!("{}.{}", dotted(&select.operand.expr, depth + 1)?, select.field))
        }
        _ => None,
    }
}

fn arithmetic(name: &str) -> Option<Arithmetic> {
    Some(match name {
        operators::ADD => Arithmetic::Add,
        operators::SUBSTRACT => Arithmetic::Subtract,
        operators::MULTIPLY => Arithmetic::Multiply,
        operators::DIVIDE => Arithmetic::Divide,
        operators::MODULO => Arithmetic::Remainder,
        _ => return None,
    })
}

fn comparison(name: &str) -> Option<Comparison> {
    Some(match name {
        operators::GREATER => Comparison::Above,
        operators::GREATER_EQUALS => Comparison::AtLeast,
        operators::LESS => Comparison::Below,
        operators::LESS_EQUALS => Comparison::AtMost,
        _ => return None,
    })
}

/// The function of that name, and how many arguments it takes.
fn function(name: &str) -> Option<(Function, std::ops::RangeInclusive<usize>)> {
    Some(match name {
        "min" => (Function::Min, 1..=MAX_NODES),
        "max" => (Function::Max, 1..=MAX_NODES),
        "ceil" => (Function::Ceil, 1..=1),
        "floor" => (Function::Floor, 1..=1),
        "abs" => (Function::Abs, 1..=1),
        "round" => (Function::Round, 1..=1),
        _ => return None,
    })
}

//! The compiled form. `None` is "unknown": an operation on a missing value, or a result that is not finite.

/// What an expression gives.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Root {
    Number(Number),
    Condition(Condition),
}

/// A node that gives a number.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Number {
    Literal(f64),
    /// By its index among the expression's variables.
    Variable(usize),
    Negate(Box<Number>),
    Binary(Arithmetic, Box<Number>, Box<Number>),
    Call(Function, Vec<Number>),
    /// The first value, or the second where it is unknown.
    OrElse(Box<Number>, Box<Number>),
    Choose(Box<Condition>, Box<Number>, Box<Number>),
}

/// A node that gives true or false.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    Literal(bool),
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Compare(Comparison, Box<Number>, Box<Number>),
    Same(Box<Condition>, Box<Condition>),
    Differ(Box<Condition>, Box<Condition>),
    OrElse(Box<Condition>, Box<Condition>),
    Choose(Box<Condition>, Box<Condition>, Box<Condition>),
}

/// An operation on two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// How two numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
    Equal,
    NotEqual,
}

/// A function of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Min,
    Max,
    Ceil,
    Floor,
    Abs,
    Round,
}

type Lookup<'a> = dyn Fn(usize) -> Option<f64> + 'a;

impl Number {
    pub(super) fn eval(&self, lookup: &Lookup<'_>) -> Option<f64> {
        let value = match self {
            Self::Literal(value) => *value,
            Self::Variable(index) => lookup(*index)?,
            Self::Negate(it) => -it.eval(lookup)?,
            Self::Binary(operation, left, right) => {
                let (left, right) = (left.eval(lookup)?, right.eval(lookup)?);
                match operation {
                    Arithmetic::Add => left + right,
                    Arithmetic::Subtract => left - right,
                    Arithmetic::Multiply => left * right,
                    Arithmetic::Divide => left / right,
                    Arithmetic::Remainder => left % right,
                }
            }
            Self::Call(function, arguments) => function.eval(arguments, lookup)?,
            Self::OrElse(first, substitute) => match first.eval(lookup) {
                Some(value) => value,
                None => substitute.eval(lookup)?,
            },
            Self::Choose(condition, then, otherwise) => {
                if condition.eval(lookup)? {
                    then.eval(lookup)?
                } else {
                    otherwise.eval(lookup)?
                }
            }
        };
        value.is_finite().then_some(value)
    }
}

impl Function {
    fn eval(self, arguments: &[Number], lookup: &Lookup<'_>) -> Option<f64> {
        let mut values = arguments.iter();
        let first = values.next()?.eval(lookup)?;
        match self {
            Self::Min => values.try_fold(first, |least, it| Some(least.min(it.eval(lookup)?))),
            Self::Max => values.try_fold(first, |most, it| Some(most.max(it.eval(lookup)?))),
            Self::Ceil => Some(first.ceil()),
            Self::Floor => Some(first.floor()),
            Self::Abs => Some(first.abs()),
            Self::Round => Some(first.round()),
        }
    }
}

impl Condition {
    /// Unknown wherever a part is: unlike in CEL, `true || unknown` is unknown, since an expression that
    /// touches a missing value never fires.
    pub(super) fn eval(&self, lookup: &Lookup<'_>) -> Option<bool> {
        Some(match self {
            Self::Literal(value) => *value,
            Self::Not(it) => !it.eval(lookup)?,
            Self::And(left, right) => {
                let (left, right) = (left.eval(lookup)?, right.eval(lookup)?);
                left && right
            }
            Self::Or(left, right) => {
                let (left, right) = (left.eval(lookup)?, right.eval(lookup)?);
                left || right
            }
            Self::Compare(comparison, left, right) => {
                comparison.holds(left.eval(lookup)?, right.eval(lookup)?)
            }
            Self::Same(left, right) => left.eval(lookup)? == right.eval(lookup)?,
            Self::Differ(left, right) => left.eval(lookup)? != right.eval(lookup)?,
            Self::OrElse(first, substitute) => match first.eval(lookup) {
                Some(value) => value,
                None => substitute.eval(lookup)?,
            },
            Self::Choose(condition, then, otherwise) => {
                if condition.eval(lookup)? {
                    then.eval(lookup)?
                } else {
                    otherwise.eval(lookup)?
                }
            }
        })
    }
}

impl Comparison {
    #[expect(clippy::float_cmp, reason = "people who write == mean exactly equal")]
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Above => left > right,
            Self::AtLeast => left >= right,
            Self::Below => left < right,
            Self::AtMost => left <= right,
            Self::Equal => left == right,
            Self::NotEqual => left != right,
        }
    }
}

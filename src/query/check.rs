//! From sqlparser's tree to a checked condition: finds every name, checks every type, refuses the
//! rest.

use sqlparser::ast::{
    BinaryOperator, DataType as SqlType, Expr, UnaryOperator, Value, ValueWithSpan,
};

use super::like::Pattern;
use super::literal::{Written, describe, is_float, is_integer};
use super::node::{Comparison, Node, Operand, Slot, Truth};
use super::parse::{DEPTH_MAX, invalid, shortened, too_deep};
use super::{READ, suggest};
use crate::error::{Cause, Error, Result, quoted};
use crate::format::{DataType, Field, Schema};

/// The condition of `expr` over records of `schema`.
pub(super) fn condition(expr: Expr, schema: &Schema) -> Result<Node> {
    Check { schema, depth: 0 }.condition(expr)
}

/// A side of a comparison.
enum Side<'s> {
    Field(&'s Field),
    Written(Written),
}

struct Check<'s> {
    schema: &'s Schema,
    /// The nesting depth of the present condition. The parser limits the nesting it reads by
    /// recursion; this limits the nesting it reads in a loop (`a IS TRUE IS TRUE …`), so that the
    /// finished tree fits every caller's stack.
    depth: usize,
}

impl<'s> Check<'s> {
    fn condition(&mut self, expr: Expr) -> Result<Node> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(too_deep());
        }
        let node = self.any_condition(expr)?;
        self.depth -= 1;
        Ok(node)
    }

    fn any_condition(&mut self, expr: Expr) -> Result<Node> {
        match expr {
            Expr::Nested(inner) => self.condition(*inner),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => self.not(*expr),
            Expr::BinaryOp { op: BinaryOperator::And, .. } => {
                Ok(Node::All(self.chain(expr, &BinaryOperator::And)?))
            }
            Expr::BinaryOp { op: BinaryOperator::Or, .. } => {
                Ok(Node::Any(self.chain(expr, &BinaryOperator::Or)?))
            }
            Expr::BinaryOp { left, op, right } => self.binary(*left, &op, *right),
            Expr::IsNull(inner) => self.is_null(*inner),
            Expr::IsNotNull(inner) => Ok(negated(true, self.is_null(*inner)?)),
            Expr::IsTrue(inner) => self.is(*inner, Truth::True),
            Expr::IsNotTrue(inner) => Ok(negated(true, self.is(*inner, Truth::True)?)),
            Expr::IsFalse(inner) => self.is(*inner, Truth::False),
            Expr::IsNotFalse(inner) => Ok(negated(true, self.is(*inner, Truth::False)?)),
            Expr::IsUnknown(inner) => self.is(*inner, Truth::Unknown),
            Expr::IsNotUnknown(inner) => Ok(negated(true, self.is(*inner, Truth::Unknown)?)),
            Expr::Between { expr, negated: not, low, high } => {
                let (side, low, high) = (self.side(*expr)?, self.side(*low)?, self.side(*high)?);
                let both = [
                    compare(&side, Comparison::GreaterOrEqual, &low)?,
                    compare(&side, Comparison::LessOrEqual, &high)?,
                ];
                Ok(negated(not, Node::All(both.into())))
            }
            Expr::InList { expr, list, negated: not } => {
                Ok(negated(not, self.in_list(*expr, list)?))
            }
            Expr::Like { negated: not, any: false, expr, pattern, escape_char } => {
                Ok(negated(not, self.like(*expr, *pattern, escape_char)?))
            }
            Expr::Value(ValueWithSpan { value: Value::Boolean(value), .. }) => {
                Ok(Node::Constant(value))
            }
            Expr::Identifier(_) => self.flag(expr),
            other => Err(unsupported(&other)),
        }
    }

    fn not(&mut self, expr: Expr) -> Result<Node> {
        Ok(Node::Not(Box::new(self.condition(expr)?)))
    }

    fn is(&mut self, expr: Expr, truth: Truth) -> Result<Node> {
        Ok(Node::Is(Box::new(self.condition(expr)?), truth))
    }

    /// The parts of `a AND b AND c …` (or of `OR`), in order. The tree leans left and may be
    /// thousands of levels deep, so this uses a loop and not recursion.
    fn chain(&mut self, mut expr: Expr, link: &BinaryOperator) -> Result<Box<[Node]>> {
        let mut parts = Vec::new();
        loop {
            match expr {
                Expr::BinaryOp { left, op, right } if op == *link => {
                    parts.push(self.condition(*right)?);
                    expr = *left;
                }
                first => {
                    parts.push(self.condition(first)?);
                    parts.reverse();
                    return Ok(parts.into());
                }
            }
        }
    }

    fn binary(&self, left: Expr, op: &BinaryOperator, right: Expr) -> Result<Node> {
        let comparison = match op {
            BinaryOperator::Eq => Comparison::Equal,
            BinaryOperator::NotEq => Comparison::NotEqual,
            BinaryOperator::Lt => Comparison::Less,
            BinaryOperator::LtEq => Comparison::LessOrEqual,
            BinaryOperator::Gt => Comparison::Greater,
            BinaryOperator::GtEq => Comparison::GreaterOrEqual,
            other => return Err(unsupported_operator(other)),
        };
        compare(&self.side(left)?, comparison, &self.side(right)?)
    }

    fn is_null(&self, expr: Expr) -> Result<Node> {
        match self.side(expr)? {
            Side::Field(field) => Ok(Node::IsNull(slot(field)?)),
            Side::Written(literal) => Err(invalid(format!("IS NULL needs a field, not {literal}"))),
        }
    }

    fn in_list(&self, expr: Expr, list: Vec<Expr>) -> Result<Node> {
        let field = self.field_side(expr, "IN")?;
        let mut literals = Vec::with_capacity(list.len());
        for item in list {
            match self.side(item)? {
                Side::Written(written) => literals.push(written.beside(field)?),
                Side::Field(other) => {
                    return Err(invalid(format!("{} is in the list of an IN", describe(other)))
                        .advice("IN takes values; put text in single quotes"));
                }
            }
        }
        Ok(Node::In(slot(field)?, literals))
    }

    fn like(&self, expr: Expr, pattern: Expr, escape: Option<Box<Expr>>) -> Result<Node> {
        let field = self.field_side(expr, "LIKE")?;
        if !matches!(field.data_type(), DataType::Utf8(_)) {
            return Err(invalid(format!("{} is not text, and LIKE needs text", describe(field))));
        }
        let text = |expr| match self.side(expr)? {
            Side::Written(Written::Text(text)) => Ok(text),
            _ => Err(invalid("LIKE needs a pattern in single quotes".into())),
        };
        let escape = match escape {
            None => None,
            Some(expr) => {
                let escape = text(*expr)?;
                let mut chars = escape.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) => Some(c),
                    _ => {
                        return Err(invalid(format!("ESCAPE needs one character, not '{escape}'")));
                    }
                }
            }
        };
        let pattern = Pattern::parse(&text(pattern)?, escape).map_err(invalid)?;
        Ok(Node::Like(slot(field)?, pattern))
    }

    fn flag(&self, expr: Expr) -> Result<Node> {
        let field = self.field_side(expr, "a condition")?;
        if field.data_type() != DataType::Bool {
            return Err(invalid(format!("{} is not a condition by itself", describe(field)))
                .advice("compare it with a value"));
        }
        Ok(Node::Flag(slot(field)?))
    }

    /// A single-valued field, where only a field is possible.
    fn field_side(&self, expr: Expr, of: &str) -> Result<&'s Field> {
        match self.side(expr)? {
            Side::Field(field) => single(field),
            Side::Written(literal) => {
                Err(invalid(format!("the left side of {of} is {literal}, not a field")))
            }
        }
    }

    fn side(&self, expr: Expr) -> Result<Side<'s>> {
        match expr {
            Expr::Nested(inner) => self.side(*inner),
            Expr::Identifier(name) => self.field(&name.value, name.quote_style),
            Expr::Value(literal) => written(literal.value).map(Side::Written),
            Expr::UnaryOp { op: sign @ (UnaryOperator::Minus | UnaryOperator::Plus), expr } => {
                signed(*expr, sign == UnaryOperator::Minus).map(Side::Written)
            }
            Expr::TypedString(typed) => {
                let Value::SingleQuotedString(text) = typed.value.value else {
                    return Err(invalid(format!(
                        "{} needs text in single quotes",
                        typed.data_type
                    )));
                };
                match typed.data_type {
                    SqlType::Date => Ok(Side::Written(Written::Date(text))),
                    SqlType::Timestamp(None, _) => Ok(Side::Written(Written::Timestamp(text))),
                    other => Err(invalid(format!(
                        "literals of type {other} are not part of this language"
                    ))),
                }
            }
            Expr::BinaryOp { op, .. } if is_comparison(&op) => {
                Err(invalid("a comparison cannot be compared".into())
                    .advice("write a < b AND b < c, or (a = b) IS TRUE"))
            }
            other => Err(unsupported(&other)),
        }
    }

    fn field(&self, name: &str, quote: Option<char>) -> Result<Side<'s>> {
        match suggest::field(self.schema, name, READ) {
            Ok(field) => Ok(Side::Field(field)),
            Err(_) if quote.is_some() => Err(invalid(format!("no field {}", quoted(name)))
                .advice("double quotes are for field names; put text in single quotes")),
            Err(error) => Err(error),
        }
    }
}

fn negated(not: bool, node: Node) -> Node {
    if not { Node::Not(Box::new(node)) } else { node }
}

fn slot(field: &Field) -> Result<Slot> {
    Slot::of(field)
        .ok_or_else(|| invalid(format!("{} lies past the largest address", describe(field))))
}

/// `field`, which must not be an array.
fn single(field: &Field) -> Result<&Field> {
    match field.array_len() {
        None => Ok(field),
        Some(_) => Err(invalid(format!("{} has no single value", describe(field)))
            .advice("an array allows only IS NULL")),
    }
}

fn compare(left: &Side<'_>, comparison: Comparison, right: &Side<'_>) -> Result<Node> {
    match (left, right) {
        (Side::Field(field), Side::Written(literal)) => compare_literal(field, comparison, literal),
        (Side::Written(literal), Side::Field(field)) => {
            compare_literal(field, comparison.flipped(), literal)
        }
        (Side::Field(left), Side::Field(right)) => compare_fields(left, comparison, right),
        (Side::Written(left), Side::Written(right)) => {
            Err(invalid(format!("{left} is compared with {right}"))
                .advice("one side of a comparison must be a field"))
        }
    }
}

fn compare_literal(field: &Field, comparison: Comparison, literal: &Written) -> Result<Node> {
    let literal = literal.beside(single(field)?)?;
    Ok(Node::Compare(slot(field)?, comparison, Operand::Literal(literal)))
}

fn compare_fields(left: &Field, comparison: Comparison, right: &Field) -> Result<Node> {
    if kind(single(left)?) != kind(single(right)?) {
        return Err(invalid(format!(
            "{} cannot be compared with {}",
            describe(left),
            describe(right)
        )));
    }
    Ok(Node::Compare(slot(left)?, comparison, Operand::Slot(slot(right)?)))
}

/// Fields of one kind can be compared with each other.
#[derive(PartialEq, Eq)]
enum Kind {
    Bool,
    Number,
    Text,
    Bytes,
    Instant,
    Duration,
}

fn kind(field: &Field) -> Kind {
    match field.data_type() {
        DataType::Bool => Kind::Bool,
        DataType::Utf8(_) => Kind::Text,
        DataType::Binary(_) => Kind::Bytes,
        DataType::Date32 | DataType::Timestamp(_) => Kind::Instant,
        DataType::Duration(_) => Kind::Duration,
        number => {
            debug_assert!(is_integer(number) || is_float(number), "{number} has no kind");
            Kind::Number
        }
    }
}

fn written(value: Value) -> Result<Written> {
    match value {
        Value::Number(text, false) => Ok(Written::Number(text)),
        Value::SingleQuotedString(text) => Ok(Written::Text(text)),
        Value::Boolean(value) => Ok(Written::Bool(value)),
        Value::HexStringLiteral(digits) => Ok(Written::Hex(digits)),
        Value::Null => Err(invalid("a comparison with NULL is never true".into())
            .advice("write IS NULL or IS NOT NULL")),
        Value::Placeholder(name) => {
            Err(invalid(format!("parameters such as {name} are not part of this language")))
        }
        other => Err(invalid(format!("{other} is not a literal of this language"))
            .advice("write numbers as 5 or -2.5e3, and text in single quotes")),
    }
}

/// A number with one more sign before it.
fn signed(expr: Expr, minus: bool) -> Result<Written> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::Number(text, false), .. }) => {
            Ok(Written::Number(if minus { format!("-{text}") } else { text }))
        }
        _ => Err(invalid("a sign needs a number after it".into())
            .advice("the language has no arithmetic")),
    }
}

fn is_comparison(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq
            | BinaryOperator::And
            | BinaryOperator::Or
    )
}

fn unsupported_operator(op: &BinaryOperator) -> Error {
    invalid(format!("the operator {op} is not part of this language"))
        .advice("compare fields with values or fields: = <> < <= > >=")
}

/// The error for an expression of SQL outside this language.
///
/// It names only the kind of the expression: sqlparser prints expressions recursively, with more
/// stack a level than it needs to read them.
fn unsupported(expr: &Expr) -> Error {
    let what = match expr {
        Expr::BinaryOp { op, .. } => return unsupported_operator(op),
        Expr::CompoundIdentifier(_) => {
            return invalid(format!("{} contains a dot", shortened(&expr.to_string()))).advice(
                "a field has one name; if the dot is part of it, put the name in double quotes",
            );
        }
        Expr::Value(value) => {
            return match written(value.value.clone()) {
                Ok(literal) => invalid(format!("{literal} is not a condition")),
                Err(error) => error,
            };
        }
        Expr::Function(call) => {
            format!("the function {} is", shortened(&call.name.to_string()))
        }
        Expr::CompoundFieldAccess { .. } => "elements of arrays are".into(),
        Expr::Cast { .. } | Expr::Convert { .. } => "casts are".into(),
        Expr::Case { .. } => "CASE is".into(),
        Expr::Interval(_) => "INTERVAL is".into(),
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => {
            "subqueries are".into()
        }
        Expr::Like { .. } => "LIKE ANY is".into(),
        Expr::ILike { .. } | Expr::SimilarTo { .. } | Expr::RLike { .. } => {
            "pattern matching other than LIKE is".into()
        }
        Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..) => "IS DISTINCT FROM is".into(),
        _ if is_condition(expr) => {
            return invalid("a condition is used as a field or a value".into());
        }
        _ => "one of its expressions is".into(),
    };
    invalid(format!("{what} not part of this language"))
        .because(Cause::OutsideLanguage)
        .advice("see flatrec::query")
}

/// Whether [`Check::condition`] accepts `expr` and a comparison does not.
fn is_condition(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::UnaryOp { op: UnaryOperator::Not, .. }
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotUnknown(_)
            | Expr::InList { .. }
            | Expr::Between { .. }
    )
}

//! Reckoning with values: numbers, and what the same signs mean for texts, arrays and objects.
//!
//! Refuses to make anything large without counting it first.

use std::ops::{Add, Div, Mul, Neg, Rem, Sub};
use std::rc::Rc;

use jaq_core::ValR;
use jaq_core::ops::Math;

use super::meter;
use super::ops::Error;
use super::value::{Map, SLOT, Value};

/// Two numbers, whole ones exactly where that can be.
fn reckon(
    left: Value,
    right: Value,
    operation: Math,
    exact: fn(i64, i64) -> Option<i64>,
    rounded: fn(f64, f64) -> f64,
) -> ValR<Value> {
    meter::spend(1);
    if let (Value::Int(a), Value::Int(b)) = (&left, &right)
        && let Some(exact) = exact(*a, *b)
    {
        return Ok(Value::Int(exact));
    }
    match (left.number(), right.number()) {
        (Some(a), Some(b)) => Ok(Value::Float(rounded(a, b))),
        _ => Err(Error::math(left, operation, right)),
    }
}

impl Add for Value {
    type Output = ValR<Self>;

    fn add(self, other: Self) -> ValR<Self> {
        match (self, other) {
            (Self::Null, any) | (any, Self::Null) => Ok(any),
            (Self::Text(a), Self::Text(b)) => {
                meter::text(a.len() + b.len());
                Ok(Self::Text([&*a, &*b].concat().into()))
            }
            (Self::Array(a), Self::Array(b)) => {
                meter::allocate(SLOT * (a.values.len() + b.values.len()));
                Ok(Self::array(a.values.iter().chain(&b.values).cloned().collect()))
            }
            (Self::Object(a), Self::Object(b)) => {
                // `{a, b, c}` is a sum of three, of which nobody else holds the first.
                meter::allocate(SLOT * (a.map.len() + b.map.len()));
                let mut both = Rc::try_unwrap(a).map_or_else(|shared| shared.map.clone(), |members| members.map);
                both.extend(b.map.iter().map(|(name, value)| (Rc::clone(name), value.clone())));
                Ok(Self::object(both))
            }
            (a, b) => reckon(a, b, Math::Add, i64::checked_add, |a, b| a + b),
        }
    }
}

impl Sub for Value {
    type Output = ValR<Self>;

    fn sub(self, other: Self) -> ValR<Self> {
        match (self, other) {
            (Self::Array(a), Self::Array(b)) => {
                Ok(Self::array(a.values.iter().filter(|&value| !b.values.contains(value)).cloned().collect()))
            }
            (a, b) => reckon(a, b, Math::Sub, i64::checked_sub, |a, b| a - b),
        }
    }
}

impl Mul for Value {
    type Output = ValR<Self>;

    fn mul(self, other: Self) -> ValR<Self> {
        match (self, other) {
            (Self::Text(text), count @ (Self::Int(_) | Self::Float(_)))
            | (count @ (Self::Int(_) | Self::Float(_)), Self::Text(text)) => {
                let count = count.number().unwrap_or(0.0);
                if count <= 0.0 || count.is_nan() {
                    return Ok(Self::Null);
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "saturates, and is counted next"
                )]
                let count = count.ceil() as usize;
                meter::text(text.len().saturating_mul(count));
                Ok(Self::Text(text.repeat(count).into()))
            }
            (Self::Object(a), Self::Object(b)) => Ok(merge(&a.map, &b.map)),
            (a, b) => reckon(a, b, Math::Mul, i64::checked_mul, |a, b| a * b),
        }
    }
}

/// `b` over `a`, and so on where both have objects. As deep as values nest.
fn merge(a: &Map, b: &Map) -> Value {
    meter::spend(a.len() + b.len());
    meter::allocate(SLOT * (a.len() + b.len()));
    let mut merged = a.clone();
    for (name, value) in b {
        let value = match (merged.get(name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(&old.map, &new.map),
            _ => value.clone(),
        };
        merged.insert(Rc::clone(name), value);
    }
    Value::object(merged)
}

impl Div for Value {
    type Output = ValR<Self>;

    fn div(self, other: Self) -> ValR<Self> {
        match (self, other) {
            (Self::Text(text), Self::Text(separator)) => Ok(split(&text, &separator)),
            (a, b) if a.number().is_some() && b.number() == Some(0.0) => Err(Error::math(a, Math::Div, b)),
            (a, b) => {
                let exact = |a: i64, b: i64| if a.checked_rem(b)? == 0 { a.checked_div(b) } else { None };
                reckon(a, b, Math::Div, exact, |a, b| a / b)
            }
        }
    }
}

fn split(text: &str, separator: &str) -> Value {
    meter::spend(text.len() / 16);
    if text.is_empty() {
        return Value::array(Vec::new());
    }
    if separator.is_empty() {
        return text.chars().map(|one| Value::text(one.encode_utf8(&mut [0; 4]))).collect();
    }
    text.split(separator).map(Value::text).collect()
}

impl Rem for Value {
    type Output = ValR<Self>;

    fn rem(self, other: Self) -> ValR<Self> {
        let whole = |value: &Self| {
            #[expect(clippy::cast_possible_truncation, reason = "as jq does: what is no whole number is cut")]
            value.number().map(|number| number as i64)
        };
        match (whole(&self), whole(&other)) {
            (Some(a), Some(b)) if b != 0 => Ok(Self::Int(a.checked_rem(b).unwrap_or(0))),
            _ => Err(Error::math(self, Math::Rem, other)),
        }
    }
}

impl Neg for Value {
    type Output = ValR<Self>;

    fn neg(self) -> ValR<Self> {
        match self {
            Self::Int(int) if int != 0 => {
                Ok(int.checked_neg().map_or_else(|| Self::Float(-(i64::MIN as f64)), Self::Int))
            }
            other => match other.number() {
                Some(number) => Ok(Self::Float(-number)),
                None => Err(Error::typ(other, "number")),
            },
        }
    }
}

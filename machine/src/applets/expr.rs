//! `expr`: arithmetic and texts.

use super::hand::{Dialect, Outcome, Stop, Usage, compile, complain};
use crate::Ctx;

struct Expression<'a> {
    rest: &'a [String],
}

type Value = Result<String, String>;

fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

fn is_true(text: &str) -> bool {
    !text.is_empty() && integer(text) != Some(0)
}

fn needs(text: &str) -> Result<i64, String> {
    integer(text).ok_or_else(|| "non-numeric argument".to_owned())
}

impl Expression<'_> {
    fn take(&mut self, words: &[&str]) -> Option<String> {
        let first = self.rest.first().filter(|first| words.contains(&first.as_str()))?;
        self.rest = &self.rest[1..];
        Some(first.clone())
    }

    fn or(&mut self) -> Value {
        let mut left = self.and()?;
        while self.take(&["|"]).is_some() {
            let right = self.and()?;
            if !is_true(&left) {
                left = if is_true(&right) { right } else { "0".to_owned() };
            }
        }
        Ok(left)
    }

    fn and(&mut self) -> Value {
        let mut left = self.compare()?;
        while self.take(&["&"]).is_some() {
            let right = self.compare()?;
            if !(is_true(&left) && is_true(&right)) {
                left = "0".to_owned();
            }
        }
        Ok(left)
    }

    fn compare(&mut self) -> Value {
        let mut left = self.sum()?;
        while let Some(operator) = self.take(&["<", "<=", "=", "==", "!=", ">=", ">"]) {
            let right = self.sum()?;
            let ordering = match (integer(&left), integer(&right)) {
                (Some(left), Some(right)) => left.cmp(&right),
                _ => left.cmp(&right),
            };
            let so = match operator.as_str() {
                "<" => ordering.is_lt(),
                "<=" => ordering.is_le(),
                "=" | "==" => ordering.is_eq(),
                "!=" => ordering.is_ne(),
                ">=" => ordering.is_ge(),
                _ => ordering.is_gt(),
            };
            left = i32::from(so).to_string();
        }
        Ok(left)
    }

    fn sum(&mut self) -> Value {
        let mut left = self.product()?;
        while let Some(operator) = self.take(&["+", "-"]) {
            let right = needs(&self.product()?)?;
            let value = needs(&left)?;
            left = if operator == "+" { value.wrapping_add(right) } else { value.wrapping_sub(right) }.to_string();
        }
        Ok(left)
    }

    fn product(&mut self) -> Value {
        let mut left = self.matching()?;
        while let Some(operator) = self.take(&["*", "/", "%"]) {
            let right = needs(&self.matching()?)?;
            let value = needs(&left)?;
            if operator != "*" && right == 0 {
                return Err("division by zero".to_owned());
            }
            left = match operator.as_str() {
                "*" => value.wrapping_mul(right),
                "/" => value.wrapping_div(right),
                _ => value.wrapping_rem(right),
            }
            .to_string();
        }
        Ok(left)
    }

    fn matching(&mut self) -> Value {
        let mut left = self.word()?;
        while self.take(&[":"]).is_some() {
            let pattern = self.word()?;
            left = matched(&left, &pattern)?;
        }
        Ok(left)
    }

    fn word(&mut self) -> Value {
        let Some((first, rest)) = self.rest.split_first() else { return Err("syntax error".to_owned()) };
        self.rest = rest;
        match first.as_str() {
            "(" => {
                let value = self.or()?;
                self.take(&[")"]).map(|_| value).ok_or_else(|| "syntax error".to_owned())
            }
            "quote" => {
                let Some((text, rest)) = self.rest.split_first() else { return Err("syntax error".to_owned()) };
                self.rest = rest;
                Ok(text.clone())
            }
            "length" if !self.rest.is_empty() => Ok(self.word()?.chars().count().to_string()),
            "match" if self.rest.len() > 1 => {
                let text = self.word()?;
                let pattern = self.word()?;
                matched(&text, &pattern)
            }
            "index" if self.rest.len() > 1 => {
                let text = self.word()?;
                let letters = self.word()?;
                Ok(text.chars().position(|c| letters.contains(c)).map_or(0, |at| at + 1).to_string())
            }
            "substr" if self.rest.len() > 2 => {
                let text = self.word()?;
                let (at, count) = (self.word()?, self.word()?);
                let (Some(at), Some(count)) = (integer(&at).filter(|at| *at > 0), integer(&count).filter(|count| *count > 0)) else {
                    return Ok(String::new());
                };
                Ok(text.chars().skip(at as usize - 1).take(count as usize).collect())
            }
            ")" => Err("syntax error".to_owned()),
            _ => Ok(first.clone()),
        }
    }
}

/// What `:` answers: a group, or how much has matched, from the beginning.
fn matched(text: &str, pattern: &str) -> Value {
    let regex = compile(&format!("^{}", pattern.trim_start_matches('^')), Dialect::Basic, false, false)?;
    let groups = regex.captures_len() > 1;
    Ok(match regex.captures(text.as_bytes()) {
        Some(found) if groups => found.get(1).map_or_else(String::new, |group| String::from_utf8_lossy(group.as_bytes()).into_owned()),
        Some(found) => found.get(0).map_or(0, |all| String::from_utf8_lossy(all.as_bytes()).chars().count()).to_string(),
        None if groups => String::new(),
        None => "0".to_owned(),
    })
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let args = ctx.args().get(1..).unwrap_or_default();
    if args.is_empty() {
        complain(&ctx, "too few arguments").await;
        Usage::operands("EXPRESSION").explain(&ctx).await;
        return Ok(2);
    }
    let mut expression = Expression { rest: args };
    // How deep brackets are is bounded by how many arguments there may be.
    let value = if args.iter().filter(|arg| *arg == "(").count() > 100 { Err("too deep".to_owned()) } else { expression.or() };
    let value = value.and_then(|value| if expression.rest.is_empty() { Ok(value) } else { Err("syntax error".to_owned()) });
    match value {
        Ok(value) => {
            ctx.out(format!("{value}\n")).await.map_err(Stop::Output)?;
            Ok(i32::from(!is_true(&value)))
        }
        Err(why) => {
            complain(&ctx, why).await;
            Ok(2)
        }
    }
}

//! The operations that are not about where the next one is.

use std::sync::Arc;

use regex::bytes::Regex;

use super::{Array, Cell, LONGEST, Machine, RLENGTH, RSTART, SUBSEP};
use crate::{
    Errno,
    applets::{
        awk::{
            builtin,
            code::{Op, Slot, Target},
            records::Separator,
            value::Value,
        },
        hand::{Clock, Stop},
    },
};

impl Machine {
    /// An operation after which the next one comes.
    pub(super) async fn simple(&mut self, op: &Op) -> Result<(), Stop> {
        match op {
            Op::Push(value) => self.stack.push(value.clone()),
            Op::Pop => _ = self.stack.pop(),
            Op::Dup => {
                let value = self.stack.last().cloned().unwrap_or_default();
                self.stack.push(value);
            }
            Op::Get(target) => {
                let value = self.get(*target).await?;
                self.stack.push(value);
            }
            Op::Set(target) => {
                let value = self.pop();
                self.set(*target, value.clone()).await?;
                self.stack.push(value);
            }
            Op::Step(target, by, old) => {
                if target.has_address() {
                    let address = self.stack.last().cloned().unwrap_or_default();
                    self.stack.push(address);
                }
                let before = self.get(*target).await?.number();
                self.set(*target, Value::Number(before + by)).await?;
                self.push_number(if *old { before } else { before + by });
            }
            Op::Key(count) => {
                let format = self.format();
                let parts = self.stack.split_off(self.stack.len().saturating_sub(*count));
                let texts: Vec<Arc<str>> = parts.iter().map(|part| part.to_text(&format)).collect();
                let key = if let [one] = texts.as_slice() { one.clone() } else { texts.join(&self.global_text(SUBSEP)[..]).into() };
                self.stack.push(Value::Text(key));
            }
            Op::Concat => {
                let right = self.pop_text();
                let left = self.pop_text();
                if left.len() + right.len() > LONGEST {
                    return Err(Stop::Input(Errno::ENOMEM));
                }
                self.ctx.step(u32::try_from((left.len() + right.len()) / 4096).unwrap_or(0)).await;
                self.stack.push(Value::text(format!("{left}{right}")));
            }
            Op::Not => {
                let so = self.pop().is_true();
                self.push_bool(!so);
            }
            Op::Minus => {
                let number = self.pop_number();
                self.push_number(-number);
            }
            Op::ToNumber => {
                let number = self.pop_number();
                self.push_number(number);
            }
            Op::ToBool => {
                let so = self.pop().is_true();
                self.push_bool(so);
            }
            Op::Binary(_) | Op::Compare(_) => self.of_two(op).await?,
            Op::MatchRecord(_) | Op::MatchFixed(..) | Op::MatchAny(_) => self.matching(op).await?,
            Op::In(_) | Op::Delete(..) | Op::Begin(_) | Op::Finish => self.arrays_of(op).await,
            Op::RangeOpen(range) => self.ranges[*range] = true,
            Op::RangeClose(range) => self.ranges[*range] = false,
            Op::Print(count, redirect) => self.print(*count, *redirect).await?,
            Op::Printf(count, redirect) => self.printf(*count, *redirect).await?,
            Op::Builtin(name, count, pattern, array, target) => self.builtin(name, *count, pattern.as_ref(), *array, *target).await?,
            Op::Getline(from, target) => self.getline(*from, *target).await?,
            _ => {}
        }
        Ok(())
    }

    async fn of_two(&mut self, op: &Op) -> Result<(), Stop> {
        match op {
            Op::Binary(operator) => {
                let (right, left) = (self.pop_number(), self.pop_number());
                let value = match operator {
                    '+' => left + right,
                    '-' => left - right,
                    '*' => left * right,
                    '^' => left.powf(right),
                    _ if right == 0.0 => return Err(self.broken("Division by zero").await),
                    '/' => left / right,
                    _ => left % right,
                };
                self.push_number(value);
            }
            Op::Compare(operator) => {
                let (right, left) = (self.pop(), self.pop());
                let ordering = left.compare(&right, &self.format());
                self.push_bool(match *operator {
                    "<" => ordering.is_lt(),
                    "<=" => ordering.is_le(),
                    "==" => ordering.is_eq(),
                    "!=" => ordering.is_ne(),
                    ">=" => ordering.is_ge(),
                    _ => ordering.is_gt(),
                });
            }
            _ => {}
        }
        Ok(())
    }

    async fn matching(&mut self, op: &Op) -> Result<(), Stop> {
        match op {
            Op::MatchRecord(pattern) => {
                let text = self.whole_record();
                self.push_bool(pattern.is_match(text.as_bytes()));
            }
            Op::MatchFixed(pattern, inverted) => {
                let text = self.pop_text();
                self.push_bool(pattern.is_match(text.as_bytes()) != *inverted);
            }
            Op::MatchAny(inverted) => {
                let (pattern, text) = (self.pop_text(), self.pop_text());
                let pattern = self.pattern_or_stop(&pattern).await?;
                self.push_bool(pattern.is_match(text.as_bytes()) != *inverted);
            }
            _ => {}
        }
        Ok(())
    }

    async fn arrays_of(&mut self, op: &Op) {
        match op {
            Op::In(slot) => {
                let key = self.pop_text();
                let array = self.array(*slot);
                let there = self.arrays[array].values.contains_key(&key);
                self.push_bool(there);
            }
            Op::Delete(slot, one) => {
                let key = if *one { Some(self.pop_text()) } else { None };
                let array = self.array(*slot);
                match key {
                    Some(key) => _ = self.arrays[array].values.remove(&key),
                    None => self.arrays[array] = Array::default(),
                }
            }
            Op::Begin(slot) => {
                let array = self.array(*slot);
                let mut keys: Vec<(u64, Arc<str>)> = self.arrays[array].values.iter().map(|(key, (at, _))| (*at, key.clone())).collect();
                keys.sort_unstable_by_key(|(at, _)| *at);
                self.ctx.step(1 + u32::try_from(keys.len() / 64).unwrap_or(0)).await;
                self.iterators.push(keys.into_iter().map(|(_, key)| key).collect::<Vec<_>>().into_iter());
            }
            Op::Finish => _ = self.iterators.pop(),
            _ => {}
        }
    }

    async fn builtin(
        &mut self,
        name: &str,
        count: usize,
        fixed: Option<&Arc<Regex>>,
        array: Option<Slot>,
        target: Option<Target>,
    ) -> Result<(), Stop> {
        match name {
            "length" => {
                let length = match array.map(|slot| self.cell(slot).clone()) {
                    Some(Cell::Array(at)) => self.arrays[at].values.len(),
                    Some(Cell::Value(value)) => value.to_text(&self.format()).chars().count(),
                    Some(Cell::Unset) => 0,
                    None if count == 0 => self.whole_record().chars().count(),
                    None => self.pop_text().chars().count(),
                };
                self.push_number(length as f64);
            }
            "substr" => {
                let length = if count == 3 { Some(self.pop_number()) } else { None };
                let from = self.pop_number();
                let text = self.pop_text();
                self.stack.push(Value::text(builtin::substr(&text, from, length)));
            }
            "index" => {
                let (part, text) = (self.pop_text(), self.pop_text());
                self.push_number(builtin::index(&text, &part) as f64);
            }
            "split" => self.split(count, fixed, array).await?,
            "sub" | "gsub" => self.substitute(name == "gsub", fixed, target).await?,
            "match" => {
                let pattern = match fixed {
                    Some(pattern) => pattern.clone(),
                    None => {
                        let text = self.pop_text();
                        self.pattern_or_stop(&text).await?
                    }
                };
                let text = self.pop_text();
                let (start, length) = builtin::find(&text, &pattern);
                self.globals[RSTART] = Cell::Value(Value::Number(start));
                self.globals[RLENGTH] = Cell::Value(Value::Number(length));
                self.push_number(start);
            }
            "sprintf" => {
                let args = self.stack.split_off(self.stack.len().saturating_sub(count));
                let format = self.format();
                let text = args.first().map_or_else(String::new, |first| builtin::format(&first.to_text(&format), &args[1..], &format));
                self.stack.push(Value::text(text));
            }
            "tolower" | "toupper" => {
                let text = self.pop_text();
                self.stack.push(Value::text(if name == "tolower" { text.to_lowercase() } else { text.to_uppercase() }));
            }
            "rand" => {
                self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                self.push_number((self.seed >> 11) as f64 / (1_u64 << 53) as f64);
            }
            "srand" => {
                let before = self.seed;
                self.seed = if count == 0 { self.ctx.now().as_second().unsigned_abs() } else { self.pop_number() as i64 as u64 };
                self.push_number(before as f64);
            }
            "systime" => self.push_number(self.ctx.now().as_second() as f64),
            "strftime" => {
                if count > 2 {
                    self.pop();
                }
                let time =
                    if count > 1 { jiff::Timestamp::from_second(self.pop_number() as i64).unwrap_or_default() } else { self.ctx.now() };
                let format = if count > 0 { self.pop_text() } else { "%c".into() };
                self.stack.push(Value::text(Clock::of(&self.ctx).format(time, &format)));
            }
            "system" | "close" | "fflush" => self.streaming(name, count).await?,
            name => {
                let two = if count > 1 { self.pop_number() } else { 0.0 };
                let one = self.pop_number();
                self.push_number(builtin::arithmetic(name, one, two));
            }
        }
        Ok(())
    }

    async fn split(&mut self, count: usize, fixed: Option<&Arc<Regex>>, array: Option<Slot>) -> Result<(), Stop> {
        let separator = match fixed {
            Some(pattern) => Ok(Separator::Pattern(pattern.clone())),
            None if count == 2 => {
                let text = self.pop_text();
                self.separator_of(&text)
            }
            None => self.separator(),
        };
        let separator = match separator {
            Ok(separator) => separator,
            Err(why) => return Err(self.broken(&why).await),
        };
        let text = self.pop_text();
        let parts = separator.split(&text);
        let Some(slot) = array else { return Ok(()) };
        let array = self.array(slot);
        self.arrays[array] = Array::default();
        let many = parts.len();
        for (at, part) in parts.into_iter().enumerate() {
            self.put(array, (at + 1).to_string().into(), part);
        }
        self.account()?;
        self.push_number(many as f64);
        Ok(())
    }

    async fn substitute(&mut self, all: bool, fixed: Option<&Arc<Regex>>, target: Option<Target>) -> Result<(), Stop> {
        // The address of what is changed was put on the stack last.
        let address = if target.is_some_and(Target::has_address) { Some(self.pop()) } else { None };
        let with = self.pop_text();
        let pattern = match fixed {
            Some(pattern) => pattern.clone(),
            None => {
                let text = self.pop_text();
                self.pattern_or_stop(&text).await?
            }
        };
        let Some(target) = target else {
            self.push_number(0.0);
            return Ok(());
        };
        self.stack.extend(address.clone());
        let before = self.get(target).await?.to_text(&self.format());
        let (after, count) = builtin::replace(&before, &pattern, &with, all);
        if count > 0 {
            self.stack.extend(address);
            self.set(target, Value::text(after)).await?;
        }
        self.push_number(count as f64);
        Ok(())
    }
}

//! `--sort-by`: objects in the order of a field. It knows no kind.

use std::cmp::Ordering;

use mini_api::quantity::Quantity;
use serde_json::Value;

use crate::{
    error::{Error, Result, usage},
    golang::type_name,
    jsonpath::JsonPath,
};

/// Up to how many objects are sorted by insertion, as Go does it. Which of equals comes first hangs on it.
const FEW: usize = 12;

/// The field to sort by.
#[derive(Clone, Debug)]
pub(crate) struct SortBy {
    path: JsonPath,
}

impl SortBy {
    /// Reads what follows `--sort-by`.
    ///
    /// # Errors
    /// What is no path.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        Ok(Self { path: JsonPath::parse_relaxed(text)? })
    }

    /// What is said when no object has the field.
    pub(crate) fn not_found(&self) -> Error {
        usage(format!("couldn't find any field with path {:?} in the list of objects", self.path.text()))
    }

    /// Sorts things by the field of the object that belongs to each; tells whether any has it.
    ///
    /// # Errors
    /// Values that have no order.
    pub(crate) fn sort<T>(&self, things: &mut Vec<T>, object: impl Fn(&T) -> &Value) -> Result<bool> {
        let keys: Vec<Option<Value>> =
            things.iter().map(|thing| self.path.find(object(thing)).first().map(|value| value.clone().into_owned())).collect();
        let found = keys.iter().any(Option::is_some);
        if let Some(wrong) = keys.iter().flatten().find(|key| !(key.is_string() || key.is_number())).filter(|_| keys.len() > 1) {
            return Err(usage(format!("Field {} is an unsortable type: {}", self.path.text(), type_name(wrong))));
        }
        let mut order: Vec<usize> = (0..keys.len()).collect();
        if order.len() <= FEW {
            for start in 1..order.len() {
                let mut at = start;
                while at > 0 && less(keys[order[at]].as_ref(), keys[order[at - 1]].as_ref()) {
                    order.swap(at, at - 1);
                    at -= 1;
                }
            }
        } else {
            order.sort_by(|a, b| compare(keys[*a].as_ref(), keys[*b].as_ref()));
        }
        let mut taken: Vec<Option<T>> = things.drain(..).map(Some).collect();
        things.extend(order.into_iter().filter_map(|at| taken[at].take()));
        Ok(found)
    }
}

/// What has no value comes first.
fn less(a: Option<&Value>, b: Option<&Value>) -> bool {
    a.is_none() || compare(a, b) == Ordering::Less
}

fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(Value::String(a)), Some(Value::String(b))) => match (a.parse::<Quantity>(), b.parse::<Quantity>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            _ => natural(a.as_bytes(), b.as_bytes()),
        },
        (Some(Value::Number(a)), Some(Value::Number(b))) => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

/// Numbers in texts by their value: `web-2` comes before `web-10`.
fn natural(a: &[u8], b: &[u8]) -> Ordering {
    let (mut i, mut j) = (0, 0);
    let end =
        |text: &[u8], from: usize, fits: fn(&u8) -> bool| text[from..].iter().position(|c| !fits(c)).map_or(text.len(), |at| from + at);
    while i < a.len() && j < b.len() {
        match (a[i].is_ascii_digit(), b[j].is_ascii_digit()) {
            (true, true) => {
                let (start_a, start_b) = (end(a, i, |c| *c == b'0'), end(b, j, |c| *c == b'0'));
                (i, j) = (end(a, start_a, u8::is_ascii_digit), end(b, start_b, u8::is_ascii_digit));
                let order = (i - start_a).cmp(&(j - start_b)).then_with(|| a[start_a..i].cmp(&b[start_b..j])).then(start_a.cmp(&start_b));
                if order != Ordering::Equal {
                    return order;
                }
            }
            (false, false) if a[i] == b[j] => (i, j) = (i + 1, j + 1),
            (false, false) => return a[i].cmp(&b[j]),
            (digit, _) => return if digit { Ordering::Less } else { Ordering::Greater },
        }
    }
    a.len().cmp(&b.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sorted(values: &[Value]) -> Vec<Value> {
        let mut objects: Vec<Value> = values.iter().map(|value| json!({"at": value})).collect();
        assert!(SortBy::parse(".at").unwrap().sort(&mut objects, |object| object).unwrap());
        objects.into_iter().map(|mut object| object["at"].take()).collect()
    }

    #[test]
    fn numbers_amounts_and_names() {
        assert_eq!(sorted(&[json!(10), json!(9), json!(-1)]), [json!(-1), json!(9), json!(10)]);
        assert_eq!(sorted(&[json!("1Gi"), json!("500Mi"), json!("100m")]), [json!("100m"), json!("500Mi"), json!("1Gi")]);
        assert_eq!(
            sorted(&[json!("web-10"), json!("web-2"), json!("db"), json!("Web")]),
            [json!("Web"), json!("db"), json!("web-2"), json!("web-10")]
        );
    }

    #[test]
    fn what_lacks_the_field_comes_first_and_backwards() {
        let mut objects = vec![json!({"n": 1, "at": "x"}), json!({"n": 2}), json!({"n": 3})];
        assert!(SortBy::parse("at").unwrap().sort(&mut objects, |object| object).unwrap());
        assert_eq!(objects.iter().map(|object| object["n"].clone()).collect::<Vec<_>>(), [json!(3), json!(2), json!(1)]);
        assert!(!SortBy::parse("nope").unwrap().sort(&mut objects, |object| object).unwrap());
    }

    #[test]
    fn what_has_no_order_is_an_error() {
        let mut objects = vec![json!({"at": {}}), json!({"at": {}})];
        assert!(SortBy::parse("at").unwrap().sort(&mut objects, |object| object).is_err());
    }
}

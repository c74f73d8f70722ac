//! Selectors: which objects are meant, by their labels or by some of their fields.
//!
//! Grammar, errors and canonical form are upstream's. Which fields a kind can be selected by is the kind's business.

mod field;
mod label;
mod parse;

pub use field::{FieldRequirement, FieldSelector, FieldSelectorError};
pub use label::{Operator, Requirement, Selector, SelectorError};

//! What a list or watch selects by: labels, fields, name and namespace.

use mini_api::selector::{FieldSelector, Selector};

use super::item::Item;
use crate::kinds::Field;

/// Selects items. The default wants every item.
#[derive(Clone, Debug, Default)]
pub struct Select {
    labels: Option<Selector>,
    /// Conditions: which value, the text to compare with, and whether it must differ.
    fields: Vec<(Place, String, bool)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Name,
    Namespace,
    Field(usize),
}

impl Select {
    /// The selection that `labels` and `fields` describe, among items with the selectable fields `known`.
    ///
    /// # Errors
    /// The label of a field that is not selectable.
    pub fn new(labels: Option<Selector>, fields: Option<&FieldSelector>, known: &[Field]) -> Result<Self, String> {
        let mut conditions = Vec::new();
        for requirement in fields.into_iter().flat_map(|fields| fields.requirements()) {
            let place = match requirement.field.as_str() {
                "metadata.name" => Place::Name,
                "metadata.namespace" => Place::Namespace,
                label => Place::Field(known.iter().position(|field| field.label == label).ok_or_else(|| label.to_owned())?),
            };
            conditions.push((place, requirement.value.clone(), requirement.negated));
        }
        Ok(Self { labels: labels.filter(|labels| !labels.is_empty()), fields: conditions })
    }

    /// Whether the item is selected.
    #[must_use]
    pub fn wants(&self, item: &Item) -> bool {
        let met = |(place, value, negated): &(Place, String, bool)| {
            let actual = match place {
                Place::Name => item.name(),
                Place::Namespace => item.namespace(),
                Place::Field(index) => &item.fields[*index],
            };
            (actual == value) != *negated
        };
        self.fields.iter().all(met) && self.labels.as_ref().is_none_or(|labels| labels.matches(&item.labels))
    }

    /// Whether everything is selected.
    #[must_use]
    pub fn everything(&self) -> bool {
        self.labels.is_none() && self.fields.is_empty()
    }

    /// The one name that can be selected, if there is but one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.equals(Place::Name)
    }

    /// The value the selectable field `index` must have, if there is but one.
    #[must_use]
    pub fn field(&self, index: usize) -> Option<&str> {
        self.equals(Place::Field(index))
    }

    fn equals(&self, wanted: Place) -> Option<&str> {
        self.fields.iter().find(|(place, _, negated)| *place == wanted && !negated).map(|(_, value, _)| value.as_str())
    }
}

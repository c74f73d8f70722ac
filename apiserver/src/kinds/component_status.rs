//! ComponentStatuses: how the components of the control plane are, at the moment somebody asks.

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{ComponentCondition, ComponentStatus},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde_json::Value;

use super::{
    row::{Observed, Sight},
    rules::{Column, Object, Rules, column},
    unset::{list, text},
};
use crate::{components::Checkup, error::ApiError};

/// What whoever asks is warned of.
pub(super) const DEPRECATED: &str = "v1 ComponentStatus is deprecated in v1.19+";
/// The condition that is told.
const HEALTHY: &str = "Healthy";

/// How they are known.
pub(super) const OBSERVED: Observed = Observed {
    sight: Sight::Components(|checkups| checkups.iter().map(|checkup| Box::new(status(checkup)) as Box<dyn Object>).collect()),
    absent: |_, name| ApiError::internal(format!("Component not found: {name}")),
};

/// What is special about a ComponentStatus.
pub(super) const RULES: Rules<ComponentStatus> = Rules {
    columns: &[
        Column::name(),
        column("Status", |status, _| cell(status, |condition| if condition.status == "True" { "Healthy" } else { "Unhealthy" }, "Unknown"))
            .about("Status of the component conditions"),
        column("Message", |status, _: Timestamp| cell(status, |condition| text(&condition.message), ""))
            .about("Message of the component conditions"),
        column("Error", |status, _: Timestamp| cell(status, |condition| text(&condition.error), ""))
            .about("Error of the component conditions"),
    ],
    ..Rules::NONE
};

fn status(checkup: &Checkup) -> ComponentStatus {
    let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let condition = ComponentCondition {
        type_: HEALTHY.to_owned(),
        status: if checkup.healthy { "True" } else { "False" }.to_owned(),
        message: said(&checkup.message),
        error: said(&checkup.error),
    };
    let metadata = ObjectMeta { name: Some(checkup.name.clone()), ..ObjectMeta::default() };
    ComponentStatus { metadata, conditions: Some(vec![condition]) }
}

/// What `tell` finds in the condition, or `otherwise` where there is none.
fn cell(status: &ComponentStatus, tell: fn(&ComponentCondition) -> &str, otherwise: &str) -> Value {
    list(&status.conditions).iter().find(|condition| condition.type_ == HEALTHY).map_or(otherwise, tell).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::rules::Behaviour;

    #[test]
    fn a_checkup_is_a_row() {
        let checkup = |healthy, message: &str, error: &str| {
            status(&Checkup { name: "scheduler".to_owned(), healthy, message: message.to_owned(), error: error.to_owned() })
        };
        let row = |status: &ComponentStatus| RULES.cells(status, Timestamp::UNIX_EPOCH);
        assert_eq!(row(&checkup(true, "ok", "")), ["scheduler", "Healthy", "ok", ""]);
        assert_eq!(row(&checkup(false, "EOF", "")), ["scheduler", "Unhealthy", "EOF", ""]);
        assert_eq!(row(&checkup(false, "", "closed")), ["scheduler", "Unhealthy", "", "closed"]);
        assert_eq!(row(&ComponentStatus::default()), ["", "Unknown", "", ""]);
    }
}

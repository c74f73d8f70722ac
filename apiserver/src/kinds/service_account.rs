//! ServiceAccounts: who pods are.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::rules::{Column, Rules};

/// What is special about a ServiceAccount.
pub(super) const RULES: Rules<ServiceAccount> = Rules { columns: &[Column::name(), Column::age()], ..Rules::NONE };

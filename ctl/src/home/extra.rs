//! Flags of single components that `up` hands through: `--extra-config controller-manager.node-monitor-grace-period=4s`, as minikube writes it.

use std::{ffi::OsString, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::component::Component;

/// The word for the kubelets of all nodes.
const KUBELET: &str = "kubelet";

/// One flag of one component, or of all kubelets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Extra {
    component: Component,
    /// Without its dashes.
    flag: String,
    value: String,
}

impl Extra {
    /// What it adds to the component's command line, if it is meant for that.
    pub(crate) fn argument(&self, component: &Component) -> Option<OsString> {
        let meant = self.component == *component || (self.component.is_kubelet() && component.is_kubelet());
        meant.then(|| format!("--{}={}", self.flag, self.value).into())
    }
}

impl FromStr for Extra {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not COMPONENT.FLAG=VALUE, such as apiserver.request-timeout=30s");
        let (key, value) = text.split_once('=').ok_or_else(wrong)?;
        let (component, flag) = key.split_once('.').filter(|(_, flag)| !flag.is_empty()).ok_or_else(wrong)?;
        let component = match Component::parse(component) {
            Component::Kubelet(name) if name != KUBELET => {
                return Err(format!("there is no component {name:?}; there are: apiserver, scheduler, controller-manager, {KUBELET}"));
            }
            component => component,
        };
        Ok(Self { component, flag: flag.to_owned(), value: value.to_owned() })
    }
}

impl TryFrom<String> for Extra {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Extra> for String {
    fn from(extra: Extra) -> Self {
        extra.to_string()
    }
}

impl fmt::Display for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}={}", self.component, self.flag, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_for_its_component() {
        let extra: Extra = "controller-manager.node-monitor-grace-period=4s".parse().unwrap();
        let grace = Some("--node-monitor-grace-period=4s".into());
        assert_eq!((extra.argument(&Component::Controllers), extra.argument(&Component::Apiserver)), (grace, None));
        let pull: Extra = "kubelet.pull-time=1s".parse().unwrap();
        assert_eq!(pull.argument(&Component::Kubelet("k8s-node-2".to_owned())), Some("--pull-time=1s".into()));
        assert_eq!(String::from(pull.clone()).parse(), Ok(pull));
    }

    #[test]
    fn what_is_no_flag_of_a_component_is_told_the_form() {
        for text in ["apiserver", "apiserver=1", "apiserver.=1", "request-timeout=30s"] {
            assert!(text.parse::<Extra>().unwrap_err().contains("is not COMPONENT.FLAG=VALUE"), "{text}");
        }
        let unknown = "schedular.v=1".parse::<Extra>().unwrap_err();
        assert_eq!(unknown, "there is no component \"schedular\"; there are: apiserver, scheduler, controller-manager, kubelet");
    }
}

//! The configuration file: upstream's KubeSchedulerConfiguration, read strictly and made into [profiles](Profile). Whatever is
//! unknown, out of range or not supported is one error that names its place, and then nothing is scheduled.

use std::{path::Path, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{profile::Profile, queue::Backoff};

mod args;
mod plugins;

const API_VERSION: &str = "kubescheduler.config.k8s.io/v1";
const KIND: &str = "KubeSchedulerConfiguration";

/// What the file says, with upstream's defaults for the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// One for each scheduler name. Never empty.
    pub profiles: Vec<Profile>,
    /// How long pods wait that failed.
    pub backoff: Backoff,
}

impl Default for Configuration {
    fn default() -> Self {
        Self { profiles: vec![Profile::default()], backoff: Backoff::default() }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("open {file}")]
    Open {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not YAML.
    #[error("read {file}: {message}")]
    Yaml {
        /// The file.
        file: String,
        /// What is wrong, and where.
        message: String,
    },
    /// It does not say what it should.
    #[error("read {file}")]
    Invalid {
        /// The file.
        file: String,
        /// What is wrong.
        #[source]
        invalid: Invalid,
    },
}

/// A value that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Invalid {
    /// Where it is, such as `profiles[0].schedulerName`.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

impl Invalid {
    fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }

    /// In upstream's words for a value that is known and wrong.
    fn value(path: impl Into<String>, value: impl std::fmt::Debug, message: &str) -> Self {
        Self::new(path, format!("Invalid value: {value:?}: {message}"))
    }
}

impl Configuration {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or says what is unknown, wrong or not supported.
    pub fn load(file: &Path) -> Result<Self, Error> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|source| Error::Open { file: name.clone(), source })?;
        let options = serde_yaml::options! { with_snippet: false };
        let value = serde_yaml::from_str_with_options(&text, options)
            .map_err(|error| Error::Yaml { file: name.clone(), message: error.to_string() })?;
        Self::of(value).map_err(|invalid| Error::Invalid { file: name, invalid })
    }

    /// Reads a configuration that is parsed already.
    ///
    /// # Errors
    /// What is unknown, wrong or not supported.
    pub fn of(value: Value) -> Result<Self, Invalid> {
        let file: File = decode("", value)?;
        for (path, found, wanted) in [("apiVersion", &file.api_version, API_VERSION), ("kind", &file.kind, KIND)] {
            if found != wanted {
                return Err(Invalid::value(path, found, &format!("must be {wanted:?}")));
            }
        }
        if file.parallelism.is_some_and(|parallelism| parallelism <= 0) {
            return Err(Invalid::value("parallelism", file.parallelism.unwrap_or(0), "should be an integer value greater than zero"));
        }
        if !file.extenders.unwrap_or_default().is_empty() {
            return Err(Invalid::new("extenders", "scheduler extenders are not supported"));
        }
        let percentage = percentage("percentageOfNodesToScore", file.percentage_of_nodes_to_score)?.unwrap_or(0);
        let backoff = backoff(file.pod_initial_backoff_seconds.unwrap_or(1), file.pod_max_backoff_seconds.unwrap_or(10))?;
        let mut listed = file.profiles.unwrap_or_default();
        match &mut listed[..] {
            [] => listed.push(ProfileSpec { scheduler_name: Some(Profile::DEFAULT_NAME.to_owned()), ..ProfileSpec::default() }),
            [only] if only.scheduler_name.is_none() => only.scheduler_name = Some(Profile::DEFAULT_NAME.to_owned()),
            _ => {}
        }
        let mut profiles: Vec<Profile> = Vec::with_capacity(listed.len());
        for (index, spec) in listed.into_iter().enumerate() {
            let path = format!("profiles[{index}]");
            let profile = spec.compile(&path, percentage)?;
            if profiles.iter().any(|other| other.scheduler_name == profile.scheduler_name) {
                return Err(Invalid::new(format!("{path}.schedulerName"), format!("Duplicate value: {:?}", profile.scheduler_name)));
            }
            profiles.push(profile);
        }
        Ok(Self { profiles, backoff })
    }
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    parallelism: Option<i32>,
    percentage_of_nodes_to_score: Option<i32>,
    pod_initial_backoff_seconds: Option<i64>,
    pod_max_backoff_seconds: Option<i64>,
    profiles: Option<Vec<ProfileSpec>>,
    extenders: Option<Vec<Value>>,
    // What the flags of this program say is not said twice: these are checked and left alone.
    #[serde(rename = "leaderElection")]
    _leader_election: Option<LeaderElection>,
    #[serde(rename = "clientConnection")]
    _client_connection: Option<ClientConnection>,
    #[serde(rename = "enableProfiling")]
    _enable_profiling: Option<bool>,
    #[serde(rename = "enableContentionProfiling")]
    _enable_contention_profiling: Option<bool>,
    #[serde(rename = "delayCacheUntilActive")]
    _delay_cache_until_active: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LeaderElection {
    #[serde(rename = "leaderElect")]
    _leader_elect: Option<bool>,
    #[serde(rename = "leaseDuration")]
    _lease_duration: Option<String>,
    #[serde(rename = "renewDeadline")]
    _renew_deadline: Option<String>,
    #[serde(rename = "retryPeriod")]
    _retry_period: Option<String>,
    #[serde(rename = "resourceLock")]
    _resource_lock: Option<String>,
    #[serde(rename = "resourceName")]
    _resource_name: Option<String>,
    #[serde(rename = "resourceNamespace")]
    _resource_namespace: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClientConnection {
    #[serde(rename = "kubeconfig")]
    _kubeconfig: Option<String>,
    #[serde(rename = "acceptContentTypes")]
    _accept_content_types: Option<String>,
    #[serde(rename = "contentType")]
    _content_type: Option<String>,
    #[serde(rename = "qps")]
    _qps: Option<f64>,
    #[serde(rename = "burst")]
    _burst: Option<i32>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProfileSpec {
    scheduler_name: Option<String>,
    percentage_of_nodes_to_score: Option<i32>,
    plugins: Option<plugins::Plugins>,
    plugin_config: Option<Vec<args::PluginConfig>>,
}

impl ProfileSpec {
    fn compile(self, path: &str, of_all: usize) -> Result<Profile, Invalid> {
        let scheduler_name = self.scheduler_name.filter(|name| !name.is_empty());
        let scheduler_name = scheduler_name.ok_or_else(|| Invalid::new(format!("{path}.schedulerName"), "Required value"))?;
        let own = percentage(&format!("{path}.percentageOfNodesToScore"), self.percentage_of_nodes_to_score)?;
        let chosen = self.plugins.unwrap_or_default().choose(&format!("{path}.plugins"))?;
        let args = args::compile(&format!("{path}.pluginConfig"), self.plugin_config.unwrap_or_default())?;
        Ok(Profile {
            scheduler_name,
            filters: chosen.filters,
            scorers: chosen.scorers,
            preempts: chosen.preempts,
            percentage_of_nodes_to_score: own.unwrap_or(of_all),
            args,
        })
    }
}

fn percentage(path: &str, value: Option<i32>) -> Result<Option<usize>, Invalid> {
    let in_range = |value: i32| usize::try_from(value).ok().filter(|value| *value <= 100);
    value.map(|value| in_range(value).ok_or_else(|| Invalid::value(path, value, "not in valid range [0-100]"))).transpose()
}

fn backoff(initial: i64, max: i64) -> Result<Backoff, Invalid> {
    let seconds = |value: i64| u64::try_from(value).map(Duration::from_secs).unwrap_or_default();
    let backoff = Backoff { initial: seconds(initial), max: seconds(max) };
    if backoff.initial.is_zero() {
        return Err(Invalid::value("podInitialBackoffSeconds", initial, "must be greater than 0"));
    }
    if backoff.max < backoff.initial {
        return Err(Invalid::value("podMaxBackoffSeconds", max, "must be greater than or equal to PodInitialBackoffSeconds"));
    }
    Ok(backoff)
}

/// Decodes a part of the file that is at `path`.
fn decode<T: DeserializeOwned>(path: &str, value: Value) -> Result<T, Invalid> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let place = match (path, error.path().to_string()) {
            ("", inner) => inner,
            (path, inner) if inner == "." => path.to_owned(),
            (path, inner) if inner.starts_with('[') => format!("{path}{inner}"),
            (path, inner) => format!("{path}.{inner}"),
        };
        Invalid::new(place, error.into_inner().to_string())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::profile::Strategy;

    /// A configuration with these fields.
    fn read(fields: Value) -> Result<Configuration, Invalid> {
        let mut value = json!({"apiVersion": API_VERSION, "kind": KIND});
        value.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        Configuration::of(value)
    }

    /// What is wrong with a configuration that has these fields; empty when nothing is.
    fn wrong(fields: Value) -> String {
        read(fields).err().map(|invalid| invalid.to_string()).unwrap_or_default()
    }

    #[test]
    fn an_empty_file_says_upstreams_defaults() {
        assert_eq!(read(json!({})), Ok(Configuration::default()));
        assert_eq!(read(json!({"profiles": [{}]})), Ok(Configuration::default()));
        let accepted = json!({
            "parallelism": 16, "leaderElection": {"leaderElect": false, "leaseDuration": "15s"}, "clientConnection": {"qps": 50, "burst": 100},
            "enableProfiling": true, "profiles": [{"plugins": {}, "pluginConfig": []}]
        });
        assert_eq!(read(accepted), Ok(Configuration::default()));
    }

    #[test]
    fn what_is_said_is_taken() {
        let configuration = read(json!({
            "podInitialBackoffSeconds": 2, "podMaxBackoffSeconds": 20, "percentageOfNodesToScore": 30,
            "profiles": [
                {"schedulerName": "one"},
                {"schedulerName": "two", "percentageOfNodesToScore": 50, "pluginConfig": [
                    {"name": "NodeResourcesFit", "args": {"scoringStrategy": {"type": "MostAllocated"}}}]}
            ]
        }))
        .unwrap();
        assert_eq!(configuration.backoff, Backoff { initial: Duration::from_secs(2), max: Duration::from_secs(20) });
        let [one, two] = &configuration.profiles[..] else { panic!("{configuration:?}") };
        assert_eq!((one.scheduler_name.as_str(), one.percentage_of_nodes_to_score), ("one", 30));
        assert_eq!((two.scheduler_name.as_str(), two.percentage_of_nodes_to_score), ("two", 50));
        assert_eq!((&one.args.fit.strategy, &two.args.fit.strategy), (&Strategy::LeastAllocated, &Strategy::MostAllocated));
        assert_eq!((&one.filters, &two.scorers), (&Profile::standard().filters, &Profile::standard().scorers));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        for (fields, want) in [
            (json!({"apiVersion": "v1"}), r#"apiVersion: Invalid value: "v1": must be "kubescheduler.config.k8s.io/v1""#),
            (json!({"kind": "Pod"}), r#"kind: Invalid value: "Pod": must be "KubeSchedulerConfiguration""#),
            (json!({"parallelism": 0}), "parallelism: Invalid value: 0: should be an integer value greater than zero"),
            (json!({"percentageOfNodesToScore": 101}), "percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]"),
            (json!({"podInitialBackoffSeconds": 0}), "podInitialBackoffSeconds: Invalid value: 0: must be greater than 0"),
            (
                json!({"podInitialBackoffSeconds": 11}),
                "podMaxBackoffSeconds: Invalid value: 10: must be greater than or equal to PodInitialBackoffSeconds",
            ),
            (json!({"extenders": [{"urlPrefix": "http://x"}]}), "extenders: scheduler extenders are not supported"),
            (json!({"profiles": [{}, {}]}), "profiles[0].schedulerName: Required value"),
            (json!({"profiles": [{"schedulerName": "a"}, {"schedulerName": "a"}]}), r#"profiles[1].schedulerName: Duplicate value: "a""#),
            (
                json!({"profiles": [{"percentageOfNodesToScore": -1}]}),
                "profiles[0].percentageOfNodesToScore: Invalid value: -1: not in valid range [0-100]",
            ),
            (json!({"parallelism": "many"}), r#"parallelism: invalid type: string "many", expected i32"#),
        ] {
            assert_eq!(wrong(fields.clone()), want, "{fields}");
        }
    }

    #[test]
    fn unknown_fields_are_refused_wherever_they_are() {
        for (fields, place, name) in [
            (json!({"metricsBindAddress": ""}), "metricsBindAddress", "metricsBindAddress"),
            (json!({"profiles": [{"plugins": {"filters": {}}}]}), "profiles[0].plugins", "filters"),
            (json!({"profiles": [{"plugins": {"score": {"enabled": [{"nam": "x"}]}}}]}), "profiles[0].plugins.score.enabled[0]", "nam"),
            (
                json!({"profiles": [{"pluginConfig": [{"name": "NodeResourcesFit", "args": {"scoringStrategy": {"kind": "x"}}}]}]}),
                "profiles[0].pluginConfig[0].args.scoringStrategy",
                "kind",
            ),
            (json!({"leaderElection": {"leader": true}}), "leaderElection", "leader"),
        ] {
            let said = wrong(fields);
            assert!(said.starts_with(place) && said.contains(&format!("unknown field `{name}`")), "{said}");
        }
    }
}
